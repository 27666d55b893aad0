"""The command line ``unidiff``, also ``python -m unidiff`` and ``python -m unidiff.cli``.

Nothing heavy is imported before a command is known; what it needs is imported by the command itself.
"""

import argparse
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the name of the program; by default those of the process.

    Returns
    -------
    int
        0 if all is well, 1 if something is wrong, 2 if the program was misused.
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
    parser = argparse.ArgumentParser(
        prog="unidiff", description="Write it once against the array API, differentiate it on every backend."
    )
    subparsers = parser.add_subparsers(metavar="command", required=True)
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    for command in commands:
        subparser = subparsers.add_parser(command.name, help=command.help, description=command.help)
        if command.name == asked:
            subparser.set_defaults(run=command.load()(subparser))
    parsed = parser.parse_args(arguments)
    code: int = parsed.run(parsed)
    return code
