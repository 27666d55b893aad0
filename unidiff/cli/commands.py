"""The commands of the program: unidiff's own and those that plugins add through the hook ``unidiff_register_commands``."""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple, TypeAlias

from unidiff import registry

Run: TypeAlias = Callable[[argparse.Namespace], int]
"""Runs a command with its parsed arguments and returns the exit code."""
Configure: TypeAlias = Callable[[argparse.ArgumentParser], Run]
"""Adds the arguments of a command to its parser and returns what runs it."""


class Command(NamedTuple):
    """A command of the program.

    Parameters
    ----------
    name : str
        What the user types after ``unidiff``.
    help : str
        One line that says what it does.
    factory : str
        ``"package.module:function"``, a function of the type `Configure`, imported only when the command is asked for.
    """

    name: str
    help: str
    factory: str

    def load(self) -> Configure:
        """Import the factory."""
        module, _, function = self.factory.partition(":")
        configure: Configure = getattr(import_module(module), function)
        return configure


OWN = (
    Command("backends", "list the backends: versions, devices and capabilities", "unidiff.cli.backends:configure"),
    Command("doctor", "look for broken plugins, wrong versions and mixed-up files", "unidiff.cli.doctor:configure"),
    Command(
        "new-backend",
        "write a plugin for an array library, as a project of its own",
        "unidiff.cli.new_backend.command:configure",
    ),
    Command("check", "check the derivatives of a function of your own on every backend", "unidiff.cli.check:configure"),
    Command("demo", "optimize the same functions on every backend and compare", "unidiff.cli.demo.command:configure"),
)


def collect() -> tuple[list[Command], list[str]]:
    """Return all commands, and what is wrong with those that had to be left out.

    Returns
    -------
    commands : list of Command
        unidiff's own first, then those of plugins by name.
    problems : list of str
        A sentence for each plugin whose commands cannot be used.
    """
    own = {command.name: command for command in OWN}
    added: dict[str, Command] = {}
    problems = []
    for implementation in registry.plugin_manager().hook.unidiff_register_commands.get_hookimpls():
        try:
            found = [Command(*triple) for triple in implementation.function()]
        except Exception as error:  # noqa: BLE001  # a broken plugin must not stop the others, whatever it raises
            problems.append(f"the commands of the plugin {implementation.plugin_name} are left out: {error!r}")
            continue
        for command in found:
            if command.name in own | added:
                taken = f"there is a command {command.name!r} already"
                problems.append(f"a command of the plugin {implementation.plugin_name} is left out: {taken}")
            else:
                added[command.name] = command
    return [*OWN, *(added[name] for name in sorted(added))], problems
