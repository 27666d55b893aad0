"""The command ``unidiff conformance`` with the commands below it."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from unidiff_conformance.commands import ENVIRONMENT, USAGE
from unidiff_conformance.documents import DocumentError
from unidiff_conformance.pool import WorkerError
from unidiff_conformance.profiles import PROFILES, SELECTIONS, ProfileError
from unidiff_conformance.runner import DTYPES, MODES
from unidiff_conformance.waivers import WaiverError

Run = Callable[[argparse.Namespace], int]
JOBS = min(4, os.cpu_count() or 1)
TIMEOUT = 120.0


def configure(parser: argparse.ArgumentParser) -> Run:
    """Add the commands and their arguments."""
    commands = parser.add_subparsers(metavar="command", required=True)
    _add_run(commands.add_parser("run", help="check the derivatives of backends"))
    listing = commands.add_parser("list", help="list the cases by id")
    listing.add_argument("-k", dest="pattern", default="", metavar="PATTERN", help="part of an id")
    listing.add_argument("--profile", action="append", metavar="NAME", help=_PROFILE_HELP)
    listing.add_argument("--profiles", action="store_true", help="list the profiles instead")
    listing.set_defaults(act="list")
    explain = commands.add_parser("explain", help="say what a case is about: function, point, clause, oracle, tolerance")
    explain.add_argument("id", help="id of a scenario or behaviour")
    explain.set_defaults(act="explain")
    probe = commands.add_parser("probe", help="print the capabilities that a backend is observed to have")
    probe.add_argument("backends", nargs="+", metavar="NAME", help="backends")
    probe.set_defaults(act="probe")
    diff = commands.add_parser("diff", help="compare two reports")
    diff.add_argument("before", type=Path, help="a file of 'run --json'")
    diff.add_argument("after", type=Path, help="another one")
    diff.add_argument("--html", type=Path, metavar="FILE", help="write a page that shows the differences")
    diff.set_defaults(act="diff")
    update = commands.add_parser("update-waivers", help="draft waivers for the failures of a report, reasons left blank")
    update.add_argument("report", type=Path, help="a file of 'run --json'")
    update.add_argument("--backend", required=True, metavar="NAME", help="the backend")
    update.add_argument("--waivers", type=Path, required=True, metavar="FILE", help="the file to complete; made if absent")
    update.set_defaults(act="update-waivers")
    return execute


_PROFILE_HELP = f"what to run, repeatable: {', '.join((*SELECTIONS, *PROFILES))}"


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("backends", nargs="*", metavar="NAME", help="backends; all that are installed by default")
    parser.add_argument("--profile", action="append", metavar="NAME", help=_PROFILE_HELP)
    parser.add_argument("--dtype", action="append", choices=DTYPES, help="dtype to run; all by default")
    parser.add_argument("--mode", action="append", choices=MODES, help="mode to run; all by default")
    parser.add_argument("-k", dest="pattern", default="", metavar="PATTERN", help="part of an id, or '=' and a whole id")
    parser.add_argument("--waivers", type=Path, metavar="FILE", help="waivers to use instead of those that come with the suite")
    parser.add_argument("--jobs", type=int, default=JOBS, metavar="N", help="worker processes; 0 runs in this process")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, metavar="S", help="seconds that one case may take")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every result to a file")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(act="run")


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
    except (ProfileError, DocumentError) as error:
        print(error, file=sys.stderr)
        return USAGE
    except (WaiverError, WorkerError, OSError) as error:
        print(error, file=sys.stderr)
        return ENVIRONMENT
