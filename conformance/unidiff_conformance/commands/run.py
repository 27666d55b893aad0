"""``unidiff conformance run``."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import unidiff as ud
from unidiff_conformance.behaviours import Behaviour
from unidiff_conformance.commands import CONFORMANT, ENVIRONMENT, NON_CONFORMANT, USAGE
from unidiff_conformance.documents import document, write_json
from unidiff_conformance.environment import prepare
from unidiff_conformance.html import write_html
from unidiff_conformance.junit import write_junit
from unidiff_conformance.pool import Finished, Request, WorkerError, run_in_workers
from unidiff_conformance.profiles import check_profiles, claim, profile_of
from unidiff_conformance.report import progress, text
from unidiff_conformance.results import Result, Status, count
from unidiff_conformance.runner import DTYPES, MODES, judge, run, select, unmatched
from unidiff_conformance.scenario import Scenario
from unidiff_conformance.waivers import read_waivers, waivers_of

Item = Scenario | Behaviour


@dataclass
class Outcome:
    """What a run has found so far."""

    results: list[Result] = field(default_factory=list)
    claims: dict[str, str] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)


def execute(options: argparse.Namespace) -> int:
    """Run the suite on each backend; one that cannot be run does not stop the others."""
    options.profile = options.profile or ["default"]
    check_profiles(options.profile)
    items = select(options.pattern)
    if not items:
        print(f"no scenario is called {options.pattern!r}; 'unidiff conformance list' shows all ids", file=sys.stderr)
        return USAGE
    outcome = Outcome()
    for name in dict.fromkeys(options.backends or ud.backends()):
        try:
            _run_backend(name, items, options, outcome)
        except (ud.errors.BackendLoadError, ud.errors.UnknownBackendError, WorkerError) as error:
            outcome.absent.append(name)
            outcome.problems[name] = [str(error)]
    _write(options, outcome)
    return _verdict(outcome)


def _run_backend(name: str, items: Sequence[Item], options: argparse.Namespace, outcome: Outcome) -> None:
    if name not in ud.backends():
        ud.get_backend(name)  # raises with the reason
    waivers = read_waivers(options.waivers) if options.waivers else waivers_of(name)
    results: list[Result] = []
    with progress(name, len(items), not options.quiet and sys.stderr.isatty()) as advance:
        for finished in _finished(name, items, options):
            judged = [judge(result, waivers) for result in finished.results]
            results += judged
            advance(finished.id, judged)
    order = {item.id: number for number, item in enumerate(items)}
    results.sort(key=lambda r: order[r.id])
    outcome.results += results
    problems = [f"the waiver for {w.cases} expired on {w.expires}" for w in waivers if w.expired]
    if not (options.pattern or options.dtype or options.mode) and options.profile == ["full"]:
        problems += [f"the waiver for {w.cases} is about no case" for w in unmatched(waivers, results)]
    if problems:
        outcome.problems[name] = problems
    if not (options.pattern or options.dtype or options.mode):
        by_id = {item.id: item for item in items}
        profiles = {(r.id, r.dtype, r.mode): profile_of(by_id[r.id], r.dtype, r.mode) for r in results}
        used = sum(any(w.matches(r.case) for r in results if r.status is Status.WAIVED) for w in waivers)
        outcome.claims[name] = claim(results, profiles, " ".join(options.profile), used)


def _finished(name: str, items: Sequence[Item], options: argparse.Namespace) -> Iterator[Finished]:
    dtypes, modes, profiles = tuple(options.dtype or DTYPES), tuple(options.mode or MODES), tuple(options.profile)
    if options.jobs > 0:
        requests = [Request(item.id, dtypes, modes, profiles) for item in items]
        yield from run_in_workers(name, requests, jobs=options.jobs, timeout=options.timeout)
        return
    prepare([name])
    ud.get_backend(name)
    for item in items:
        yield Finished(item.id, tuple(run(name, [item], dtypes=dtypes, modes=modes, profiles=profiles)))


def _write(options: argparse.Namespace, outcome: Outcome) -> None:
    content = document(outcome.results, outcome.claims, outcome.problems, " ".join(options.profile))
    if options.json:
        write_json(options.json, content)
    if options.junit:
        write_junit(options.junit, outcome.results)
    if options.html:
        write_html(options.html, content)
    print(text(outcome.results, outcome.claims, outcome.problems))


def _verdict(outcome: Outcome) -> int:
    real = {name for name in outcome.problems if name not in outcome.absent}
    if any(result.failed for result in outcome.results) or real:
        return NON_CONFORMANT
    if outcome.absent:
        return ENVIRONMENT
    if not outcome.results:
        print("no scenario has such a dtype, mode and profile", file=sys.stderr)
        return USAGE
    idle = [r for r in outcome.results if r.status is Status.NOT_RUN]
    if idle:
        reasons = dict.fromkeys(f"{r.backend}, {r.dtype}: {r.message}" for r in idle)
        print(f"{count(idle)[Status.NOT_RUN]} cases could not be run here", *reasons, sep=os.linesep, file=sys.stderr)
        return ENVIRONMENT
    return CONFORMANT
