"""``unidiff conformance update-waivers``."""

import argparse
import json

from unidiff_conformance.commands import CONFORMANT
from unidiff_conformance.documents import read_json
from unidiff_conformance.results import Result, Status
from unidiff_conformance.waivers import Waiver, read_waivers


def execute(options: argparse.Namespace) -> int:
    """Append a draft for each failure that no waiver is about; with a blank reason, the file is refused until it is read."""
    results = [r for r in read_json(options.report) if r.backend == options.backend]
    known = read_waivers(options.waivers) if options.waivers.exists() else ()
    drafts = _drafts(results, known)
    needless = [r.case for r in results if r.status is Status.UNEXPECTED_PASS]
    if drafts:
        with options.waivers.open("a", encoding="utf-8") as file:
            file.write("".join(drafts))
    print(f"{options.waivers}: {len(drafts)} waivers to be given a reason and a link")
    for case in needless:
        print(f"no longer needed: {case}")
    return CONFORMANT


def _drafts(results: list[Result], known: tuple[Waiver, ...]) -> list[str]:
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if result.failed and result.kind and not any(waiver.matches(result.case) for waiver in known):
            groups.setdefault((result.id, result.kind), []).append(result)
    drafts = []
    for (_, kind), same in groups.items():
        notes = "".join(f"# {line}\n" for line in dict.fromkeys((r.message.splitlines() or [""])[0] for r in same))
        cases = json.dumps(" ".join(r.case for r in same))
        drafts.append(f'\n{notes}[[waiver]]\ncases = {cases}\nexpect = "{kind}"\nreason = ""\nlink = ""\n')
    return drafts
