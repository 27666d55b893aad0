"""The command ``python -m unidiff_conformance``, which says whether a backend is right."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import unidiff as ud
from unidiff_conformance.behaviours import Behaviour
from unidiff_conformance.explain import explain
from unidiff_conformance.report import failures, progress, summary, worst, write_json
from unidiff_conformance.results import Result, Status, count
from unidiff_conformance.runner import DTYPES, MODES, run, select, unmatched
from unidiff_conformance.scenario import Scenario
from unidiff_conformance.waivers import Waiver, WaiverError, read_waivers, waivers_of

CONFORMANT, NON_CONFORMANT, USAGE, ENVIRONMENT = range(4)
"""Exit codes."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    p = argparse.ArgumentParser("python -m unidiff_conformance", description="Check the derivatives of array libraries.")
    p.add_argument("--backend", action="append", metavar="NAME", help="backend to check; all that are installed by default")
    p.add_argument("--dtype", action="append", choices=DTYPES, help="dtype to run; all by default")
    p.add_argument("--mode", action="append", choices=MODES, help="mode to run; all by default")
    p.add_argument("-k", dest="pattern", default="", metavar="PATTERN", help="part of an id, or '=' and a whole id")
    p.add_argument("--quick", action="store_true", help="in full only special points and one scenario of each function")
    p.add_argument("--waivers", type=Path, metavar="FILE", help="waivers to use instead of those that come with the suite")
    p.add_argument("--list", action="store_true", help="list ids and stop")
    p.add_argument("--explain", metavar="ID", help="say what a scenario is about and stop")
    p.add_argument("--json", type=Path, metavar="FILE", help="write every result to a file")
    p.add_argument("--quiet", action="store_true", help="no progress bar")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line; that of the process by default.

    Returns
    -------
    int
        0 conformant, 1 not conformant, 2 wrong usage, 3 something cannot be run here.
    """
    # Double precision is what the suite is about, and JAX decides at import whether it has any.
    os.environ.setdefault("JAX_ENABLE_X64", "1")
    try:
        options = parser().parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    items = select(f"={options.explain}" if options.explain else options.pattern)
    if not items:
        return _stop(USAGE, f"no scenario is called {options.explain or options.pattern!r}; --list shows all ids")
    if options.explain or options.list:
        print("\n".join(explain(item) if options.explain else item.id for item in items))
        return CONFORMANT
    return _judge(options, items)


def _judge(options: argparse.Namespace, items: Sequence[Scenario | Behaviour]) -> int:
    known = ud.backends()
    names = options.backend or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        return _stop(ENVIRONMENT, f"not installed: {', '.join(unknown)}; installed are {', '.join(known)}")
    whole = not (options.pattern or options.dtype or options.mode or options.quick)
    results: list[Result] = []
    stale: dict[str, list[Waiver]] = {}
    for name in names:
        try:
            waivers = read_waivers(options.waivers) if options.waivers else waivers_of(name)
            found = _run_backend(options, name, items, waivers)
        except (WaiverError, OSError, ud.errors.BackendLoadError) as error:
            return _stop(ENVIRONMENT, f"{name}: {error}")
        results += found
        stale[name] = unmatched(waivers, found) if whole else []
    return _conclude(options, results, stale)


def _run_backend(
    options: argparse.Namespace, name: str, items: Sequence[Scenario | Behaviour], waivers: Sequence[Waiver]
) -> list[Result]:
    found: list[Result] = []
    with progress(name, len(items), not options.quiet and sys.stderr.isatty()) as advance:
        for item in items:
            dtypes, modes = options.dtype or DTYPES, options.mode or MODES
            found += run(name, [item], dtypes=dtypes, modes=modes, waivers=waivers, quick=options.quick)
            advance(item.id)
    return found


def _conclude(options: argparse.Namespace, results: Sequence[Result], stale: dict[str, list[Waiver]]) -> int:
    if options.json:
        write_json(options.json, results, stale)
    if not results:
        return _stop(USAGE, "no scenario has such a dtype and mode")
    print(summary(results))
    if largest := worst(results):
        print(f"\nLargest errors, in units of the tolerance:\n{largest}")
    if failed := failures(results):
        print(f"\n{failed}")
    for name, waivers in stale.items():
        for waiver in waivers:
            print(f"\n{name}: the waiver for {waiver.cases} is about no case")
    if any(result.failed for result in results) or any(stale.values()):
        return NON_CONFORMANT
    idle = count(results)[Status.NOT_RUN]
    if idle:
        reasons = dict.fromkeys(f"{r.backend}, {r.dtype}: {r.message}" for r in results if r.status is Status.NOT_RUN)
        return _stop(ENVIRONMENT, f"{idle} cases could not be run here\n" + "\n".join(reasons))
    return CONFORMANT


def _stop(code: int, message: str) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
