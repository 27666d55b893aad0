"""``unidiff conformance update-waivers``."""

import argparse
import json

from unidiff_conformance.commands import CONFORMANT
from unidiff_conformance.commands.plan import SelectionError
from unidiff_conformance.documents import read_json, results_of
from unidiff_conformance.nearest import meant
from unidiff_conformance.results import Result, Status
from unidiff_conformance.waivers import Waiver, read_waivers


def execute(options: argparse.Namespace) -> int:
    """Append a draft for each failure that no waiver is about; with a blank reason, the file is refused until it is read."""
    results = _of_backend(results_of(read_json(options.report)), options.backend)
    known = read_waivers(options.waivers) if options.waivers.exists() else ()
    drafts = _drafts(results, known)
    needless = [r.case for r in results if r.status is Status.UNEXPECTED_PASS]
    outdated = [r for r in results if r.failed and r.case not in needless and any(w.matches(r.case) for w in known)]
    if drafts:
        with options.waivers.open("a", encoding="utf-8") as file:
            file.write("".join(drafts))
        print(
            f"{options.waivers}: {len(drafts)} waivers added, each to be given a reason and a link before the file is accepted"
        )
    else:
        print(f"{options.waivers}: no waiver is needed that is not there")
    for case in needless:
        print(f"no longer needed, since it passes: {case}")
    for result in outdated:
        print(f"its waiver does not hold: {result.case} {result.kind}: {(result.message.splitlines() or [''])[0]}")
    return CONFORMANT


def _of_backend(results: list[Result], name: str | None) -> list[Result]:
    known = list(dict.fromkeys(result.backend for result in results))
    if name is None and len(known) > 1:
        raise SelectionError(f"the report has results of {', '.join(known)}; choose one with --backend")
    if name is not None and name not in known:
        raise SelectionError(f"the report has no results of {name!r}{meant(name, known)}; it has those of {', '.join(known)}")
    return [result for result in results if name in (None, result.backend)]


def _drafts(results: list[Result], known: tuple[Waiver, ...]) -> list[str]:
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        fails = result.failed and result.kind and result.status is not Status.UNEXPECTED_PASS
        if fails and not any(waiver.matches(result.case) for waiver in known):
            groups.setdefault((result.id, result.kind), []).append(result)
    drafts = []
    for (_, kind), same in groups.items():
        notes = "".join(f"# {line}\n" for line in dict.fromkeys((r.message.splitlines() or [""])[0] for r in same))
        cases = json.dumps(" ".join(r.case for r in same))
        drafts.append(f'\n{notes}[[waiver]]\ncases = {cases}\nexpect = "{kind}"\nreason = ""\nlink = ""\n')
    return drafts
