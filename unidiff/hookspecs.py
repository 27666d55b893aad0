"""The hooks a plugin may implement, for pluggy's project ``unidiff`` and the entry-point group of the same name.

All of them describe and none of them loads: what is described is imported when it is first used.
"""

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
    """Yield ``(name, help, "package.module:function")`` for each command that the plugin adds to the program ``unidiff``.

    The function takes the command's `argparse.ArgumentParser`, adds arguments to it, and returns a function from the parsed
    arguments to an exit code.
    """


@hookspec
def unidiff_register_scenarios() -> Iterable[tuple[str, str, str]]:  # type: ignore[empty-body]  # a specification has no body
    """Yield ``(name, help, "package.module:function")`` for each set of scenarios that the conformance suite is to run as well.

    The function takes nothing and returns the scenarios, each as of ``unidiff_conformance.scenario.scenario``, with ids that
    begin with a category of the plugin's own.
    """


@hookspec
def unidiff_register_oracles() -> Iterable[tuple[str, str, str]]:  # type: ignore[empty-body]  # a specification has no body
    """Yield ``(name, help, "package.module:function")`` for each second opinion on the derivatives that the suite wants.

    The function takes a scenario and returns its Jacobian in real coordinates, rows by outputs; None where it has no opinion.
    """


@hookspec
def unidiff_register_report_sections() -> Iterable[tuple[str, str, str]]:  # type: ignore[empty-body]  # a specification has no body
    """Yield ``(name, help, "package.module:function")`` for each section that reports of the suite end with.

    The function takes a run as plain data, as ``unidiff conformance run --json`` writes it, and returns the section's text.
    """
