"""``unidiff conformance run``."""

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import unidiff as ud
from unidiff_conformance import extensions
from unidiff_conformance.commands import CONFORMANT, ENVIRONMENT, LOST, MALFORMED, NON_CONFORMANT
from unidiff_conformance.commands.plan import Plan, plan
from unidiff_conformance.documents import document, origin_of, write_json
from unidiff_conformance.environment import prepare
from unidiff_conformance.html import write_html
from unidiff_conformance.junit import write_junit
from unidiff_conformance.must_pass import claim
from unidiff_conformance.pool import Finished, WorkerError, run_in_workers
from unidiff_conformance.report import progress, text
from unidiff_conformance.results import Result, Status
from unidiff_conformance.runner import judge, pointless, run, unmatched
from unidiff_conformance.waivers import Waiver, WaiverError, read_waivers, waivers_of

TIMEOUT = 120.0
"""Seconds that one case may take, unless the arguments say otherwise."""


@dataclass
class Outcome:
    """What a run has found so far: results, claims, what is wrong with backends, and with plugins that add to the suite."""

    results: list[Result] = field(default_factory=list)
    claims: dict[str, str] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)
    extensions: list[str] = field(default_factory=list)
    codes: set[int] = field(default_factory=set)


def execute(options: argparse.Namespace) -> int:
    """Run the suite on each backend; one that cannot be run does not stop the others."""
    todo = plan(options)
    given = read_waivers(options.waivers) if options.waivers else None
    outcome = Outcome()
    for name in dict.fromkeys(options.backends or ud.backends()):
        try:
            _run_backend(name, todo, given, options, outcome)
        except (ud.errors.BackendLoadError, ud.errors.UnknownBackendError) as error:
            outcome.codes.add(ENVIRONMENT)
            outcome.problems[name] = [str(error)]
        except WorkerError as error:
            outcome.codes.add(ENVIRONMENT)
            outcome.problems[name] = [f"the backend {name!r} of {origin_of(name)}: {error}"]
        except WaiverError as error:
            outcome.codes.add(MALFORMED)
            outcome.problems[name] = [str(error)]
    outcome.extensions += extensions.problems()
    _report(todo, options, outcome)
    return _verdict(outcome)


def _run_backend(name: str, todo: Plan, given: Sequence[Waiver] | None, options: argparse.Namespace, outcome: Outcome) -> None:
    if name not in ud.backends():
        ud.get_backend(name)  # raises with the reason
    waivers = waivers_of(name) if given is None else given
    again = _again(options)
    results: list[Result] = []
    with progress(name, len(todo.requests), not options.quiet and sys.stderr.isatty()) as advance:
        for finished in _finished(name, todo, options):
            judged = [replace(judge(result, waivers), options=again) for result in finished.results]
            results += judged
            advance(finished.id, judged)
    order = {name: number for number, name in enumerate(todo.items)}
    results.sort(key=lambda r: order[r.id])
    outcome.results += results
    problems = [f"the waiver for {w.cases} expired on {w.expires}" for w in waivers if w.expired]
    matched_nothing = unmatched(waivers, results) if todo.whole and "full" in todo.selection else pointless(waivers)
    problems += [f"the waiver for {w.cases} is about no case" for w in matched_nothing]
    if problems:
        outcome.codes.add(NON_CONFORMANT)
        outcome.problems[name] = problems
    if todo.whole:
        outside, _ = extensions.outside_scenarios()
        outcome.claims[name] = claim([r for r in results if r.id not in outside], todo.selection)


def _again(options: argparse.Namespace) -> str:
    """Return the options that a case needs to be run again as it was run now."""
    waivers = f" --waivers {shlex.quote(str(options.waivers))}" if options.waivers else ""
    return waivers + (f" --timeout {options.timeout:g}" if options.timeout != TIMEOUT else "")


def _finished(name: str, todo: Plan, options: argparse.Namespace) -> Iterator[Finished]:
    if options.jobs > 0:
        yield from run_in_workers(name, todo.requests, jobs=options.jobs, timeout=options.timeout)
        return
    prepare([name])
    ud.get_backend(name)
    for r in todo.requests:
        found = run(name, [todo.items[r.id]], dtypes=r.dtypes, modes=r.modes, profiles=r.profiles, seed=r.seed)
        yield Finished(r.id, tuple(found))


def _report(todo: Plan, options: argparse.Namespace, outcome: Outcome) -> None:
    content = document(outcome.results, outcome.claims, outcome.problems, " ".join(todo.selection))
    sections, failed = extensions.sections(content)
    outcome.extensions += failed
    content |= {
        "problems": outcome.extensions,
        "sections": [{"title": s.title, "text": s.text, "origin": s.origin} for s in sections],
    }
    if options.json:
        write_json(options.json, content)
    if options.junit:
        write_junit(options.junit, outcome.results)
    if options.html:
        write_html(options.html, content)
    print(text(outcome.results, outcome.claims, outcome.problems))
    for section in sections:
        print(f"\n{section.title} ({section.origin})\n{section.text}")
    for problem in outcome.extensions:
        print(problem, file=sys.stderr)


def _verdict(outcome: Outcome) -> int:
    codes, statuses = set(outcome.codes), {result.status for result in outcome.results}
    if statuses & {Status.CRASH, Status.TIMEOUT}:
        codes.add(LOST)
    if any(result.failed for result in outcome.results):
        codes.add(NON_CONFORMANT)
    if outcome.extensions:
        codes.add(ENVIRONMENT)
    if idle := [r for r in outcome.results if r.status is Status.NOT_RUN]:
        codes.add(ENVIRONMENT)
        print(f"{len(idle)} cases could not be run here", file=sys.stderr)
        for reason in dict.fromkeys(f"{r.backend}, {r.dtype}: {r.message}" for r in idle):
            print(reason, file=sys.stderr)
    return next((code for code in (LOST, NON_CONFORMANT, MALFORMED, ENVIRONMENT) if code in codes), CONFORMANT)
