"""``unidiff conformance diff``."""

import argparse
from collections import Counter

from unidiff_conformance.commands import CONFORMANT, NON_CONFORMANT
from unidiff_conformance.documents import Change, changes, read_json, results_of
from unidiff_conformance.html import write_html
from unidiff_conformance.results import FAILURES

_FAILING = frozenset(status.value for status in FAILURES)
_SHOWN = 40


def execute(options: argparse.Namespace) -> int:
    """Print what has changed between two runs; 1 if a case fails that did not."""
    before, after = read_json(options.before), read_json(options.after)
    found = changes(results_of(before), results_of(after))
    worse = [change for change in found if change.after in _FAILING and change.before not in _FAILING]
    better = [change for change in found if change.before in _FAILING and change.after not in _FAILING]
    other = [change for change in found if change not in worse and change not in better]
    for title, group in (("worse", worse), ("better", better), ("other", other)):
        _show(title, group)
    again = {(r.backend, r.case): r.reproduce for r in results_of(after)}
    if worse:
        print(f"\nThe first that became worse again:\n    {again[worse[0].backend, worse[0].case]}")
    print(f"{len(found)} cases have changed: {len(worse)} for the worse, {len(better)} for the better, {len(other)} otherwise")
    if options.html:
        write_html(options.html, after, before)
        print(f"{options.html} shows them")
    return NON_CONFORMANT if worse else CONFORMANT


def _show(title: str, group: list[Change]) -> None:
    """Print changes: the cases that run in one report only are counted, backend by backend, since there are many."""
    one_sided = Counter((c.backend, c.before, c.after) for c in group if "absent" in (c.before, c.after))
    for (backend, before, after), n in one_sided.items():
        print(f"{title:<7} {backend}  {n} case{'s' * (n != 1)}  {before} -> {after}")
    both = [c for c in group if "absent" not in (c.before, c.after)]
    for change in both[:_SHOWN]:
        print(f"{title:<7} {change.backend}  {change.case}  {change.before} -> {change.after}")
    if len(both) > _SHOWN:
        print(f"{title:<7} ... and {len(both) - _SHOWN} more; --html FILE shows all")
