"""The command ``unidiff conformance`` with the commands below it."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from unidiff_conformance.commands import EXIT_CODES, MALFORMED, USAGE
from unidiff_conformance.commands.plan import SelectionError
from unidiff_conformance.commands.run import TIMEOUT
from unidiff_conformance.documents import DocumentError
from unidiff_conformance.profiles import PROFILES, SELECTIONS, ProfileError
from unidiff_conformance.runner import DTYPES, MODES
from unidiff_conformance.waivers import WaiverError

Run = Callable[[argparse.Namespace], int]
JOBS = min(4, os.cpu_count() or 1)


def configure(parser: argparse.ArgumentParser) -> Run:
    """Add the commands and their arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXIT_CODES
    commands = parser.add_subparsers(metavar="command", required=True)

    def command(name: str, about: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=about, description=about, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        added.set_defaults(act=name)
        return added

    _add_run(command("run", "check the derivatives of backends"))
    _add_list(command("list", "list scenarios, or the cases of profiles, dtypes and modes"))
    explain = command("explain", "say what a case is about: function, point, clause, oracle, tolerance")
    explain.add_argument("id", metavar="CASE", help="id of a scenario or behaviour; ':dtype:mode' may follow")
    probe = command("probe", "print the capabilities that a backend is observed to have, ready for its plugin")
    probe.add_argument("backends", nargs="+", metavar="NAME", help="backends")
    diff = command("diff", "compare two reports")
    diff.add_argument("before", type=Path, metavar="A", help="a file of 'run --json'")
    diff.add_argument("after", type=Path, metavar="B", help="another one")
    diff.add_argument("--html", type=Path, metavar="FILE", help="write a page that shows the differences")
    update = command(
        "update-waivers", "draft waivers for the failures of a report, reasons left blank, and name those not needed"
    )
    update.add_argument("report", type=Path, help="a file of 'run --json'")
    update.add_argument("--backend", metavar="NAME", help="the backend; needed where the report has several")
    update.add_argument("--waivers", type=Path, required=True, metavar="FILE", help="the file to complete; made if absent")
    return execute


_PROFILE_HELP = f"what to run, repeatable: {', '.join((*SELECTIONS, *PROFILES))}"


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("backends", nargs="*", metavar="NAME", help="backends; all that are installed by default")
    parser.add_argument("--case", action="append", metavar="CASE", help="a case 'id:dtype:mode' of any profile, repeatable")
    _add_filters(parser)
    parser.add_argument("--waivers", type=Path, metavar="FILE", help="waivers to use instead of those that come with the suite")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="move every drawn point within its region; no claim")
    parser.add_argument("--jobs", type=int, default=JOBS, metavar="N", help="worker processes; 0 runs in this process")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, metavar="S", help="seconds that one case may take")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every result to a file")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_list(parser: argparse.ArgumentParser) -> None:
    _add_filters(parser)
    parser.add_argument("--category", action="append", metavar="NAME", help="first part of an id, as linalg; repeatable")
    parser.add_argument("--count", action="store_true", help="print how many there are in each category instead")
    parser.add_argument("--profiles", action="store_true", help="list the profiles instead")


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", action="append", metavar="NAME", help=_PROFILE_HELP)
    parser.add_argument("--dtype", action="append", choices=DTYPES, help="one of the dtypes, repeatable; all by default")
    parser.add_argument("--mode", action="append", choices=MODES, metavar="MODE", help=f"repeatable: {', '.join(MODES)}")
    parser.add_argument("-k", dest="pattern", default="", metavar="PATTERN", help="part of an id, or '=' and a whole id")


def execute(options: argparse.Namespace) -> int:
    """Run one of the commands.

    Returns
    -------
    int
        The exit code.
    """
    from unidiff_conformance.commands import catalogue, compare, probe, run, update_waivers

    acts: dict[str, Run] = {
        "run": run.execute,
        "list": catalogue.show_list,
        "explain": catalogue.show_explanation,
        "probe": probe.execute,
        "diff": compare.execute,
        "update-waivers": update_waivers.execute,
    }
    try:
        return acts[options.act](options)
    except (ProfileError, SelectionError) as error:
        print(error, file=sys.stderr)
        return USAGE
    except (WaiverError, DocumentError, OSError) as error:
        print(error, file=sys.stderr)
        return MALFORMED
