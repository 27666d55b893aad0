"""The commands of the program: unidiff's own and those that plugins add through the hook ``unidiff_register_commands``."""

import argparse
from collections.abc import Callable
from typing import TypeAlias

from unidiff import registry
from unidiff.plugins import DISTRIBUTION, Contribution

Run: TypeAlias = Callable[[argparse.Namespace], int]
"""Runs a command with its parsed arguments and returns the exit code."""


def _own(name: str, about: str, factory: str) -> Contribution:
    return Contribution(name, about, f"unidiff.cli.{factory}:configure", DISTRIBUTION)


OWN = (
    _own("backends", "list the backends: versions, devices and capabilities", "backends"),
    _own("doctor", "look for broken plugins, wrong versions and mixed-up files", "doctor"),
    _own("new-backend", "write a plugin for an array library, as a project of its own", "new_backend.command"),
    _own("check", "check the derivatives of a function of your own on every backend", "check"),
    _own("demo", "optimize the same functions on every backend and compare", "demo.command"),
)


def collect() -> tuple[list[Contribution], list[str]]:
    """Return all commands, and what is wrong with those that had to be left out.

    Returns
    -------
    commands : list of Contribution
        unidiff's own first, then those of plugins by name.
    problems : list of str
        A sentence for each plugin whose commands cannot be used.
    """
    own = {command.name for command in OWN}
    added = registry.contributions("commands")
    problems = [
        f"the commands of the plugin {command.name!r} of {command.origin} are left out: {command.failure!r}"
        for command in added
        if command.failure is not None
    ]
    problems += taken()
    usable = [command for command in added if command.failure is None and command.name not in own]
    return [*OWN, *sorted(usable, key=lambda command: command.name)], problems


def taken() -> list[str]:
    """Return a sentence for each command of a plugin that is left out since unidiff has one of this name."""
    own = {command.name for command in OWN}
    return [
        f"the command {command.name!r} of {command.origin} is left out: there is one of this name already"
        for command in registry.contributions("commands")
        if command.failure is None and command.name in own
    ]
