"""Adds the commands of the conformance suite to the program ``unidiff``; imports nothing but unidiff."""

from collections.abc import Iterator

import unidiff


@unidiff.hookimpl
def unidiff_register_commands() -> Iterator[tuple[str, str, str]]:
    """Name the commands."""
    yield (
        "conformance",
        "check backends against the derivative standard: run, list, explain, probe, diff, update-waivers",
        "unidiff_conformance.commands.conformance:configure",
    )
    yield (
        "deviations",
        "say where a framework's own derivatives deviate from the derivative standard",
        "unidiff_conformance.deviations_command:configure",
    )
