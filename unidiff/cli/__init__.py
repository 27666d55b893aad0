"""The command line ``unidiff``, also ``python -m unidiff`` and ``python -m unidiff.cli``.

Nothing heavy is imported before a command is known; what it needs is imported by the command itself.
"""

import argparse
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unidiff.plugins import Contribution

__all__ = ["main"]

OWN_DISTRIBUTION = "unidiff-array"
BROKEN = 3
EXIT_CODES = """exit codes:
  0  all is well
  1  something is wrong, as the command says
  2  the program was misused
  3  something is missing or broken here: a library, a plugin, a command of a plugin
'unidiff conformance --help' lists those of the conformance suite."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the name of the program; by default those of the process.

    Returns
    -------
    int
        0 if all is well, 1 if something is wrong, 2 if the program was misused, 3 if something is missing or broken here.
    """
    from unidiff.cli.installation import foreign_distribution

    foreign = foreign_distribution()
    try:
        from unidiff.cli.commands import collect
    except ImportError:
        if foreign is None:
            raise
        print(foreign, file=sys.stderr)  # its files have replaced some of unidiff's, so nothing else can run
        return 1
    arguments = list(sys.argv[1:] if argv is None else argv)
    commands, problems = collect()
    for problem in filter(None, (foreign, *problems)):
        print(f"unidiff: {problem}", file=sys.stderr)
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    chosen = next((command for command in commands if command.name == asked), None)
    try:
        return _run(arguments, commands, chosen)
    except Exception as error:
        if chosen is None or chosen.origin.startswith(OWN_DISTRIBUTION):
            raise
        traceback.print_exception(error)
        print(f"unidiff: the command {chosen.name!r} of {chosen.origin} failed: {error!r}", file=sys.stderr)
        return BROKEN


def _run(arguments: Sequence[str], commands: "Sequence[Contribution]", chosen: "Contribution | None") -> int:
    parser = argparse.ArgumentParser(
        prog="unidiff",
        description="Write it once against the array API, differentiate it on every backend.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(metavar="command", required=True)
    for command in commands:
        subparser = subparsers.add_parser(command.name, help=command.help, description=command.help)
        if command is chosen:
            subparser.set_defaults(run=command.load()(subparser))
    parsed = parser.parse_args(arguments)
    code = parsed.run(parsed)
    if not isinstance(code, int):
        raise TypeError(f"a command returns its exit code, but this one returned {code!r:.200}")
    return code
