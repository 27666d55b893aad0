"""The hooks a plugin may implement, for pluggy's project ``unidiff`` and the entry-point group of the same name."""

from collections.abc import Iterable

import pluggy

from unidiff.backend import BackendInfo

PROJECT = "unidiff"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a plugin's function as the implementation of the hook of the same name."""


@hookspec
def unidiff_register_backends() -> Iterable[BackendInfo]:  # type: ignore[empty-body]  # a specification has no body
    """Yield one `BackendInfo` for each backend the plugin brings; pure data, so that no framework is imported."""


@hookspec
def unidiff_register_commands() -> Iterable[tuple[str, str, str]]:  # type: ignore[empty-body]  # a specification has no body
    """Yield ``(name, help, factory)`` for each command that the plugin adds to the program ``unidiff``.

    ``factory`` is ``"package.module:function"`` and is imported only when the command is asked for; the function takes the
    command's `argparse.ArgumentParser`, adds arguments to it, and returns a function from the parsed arguments to an exit code.
    """
