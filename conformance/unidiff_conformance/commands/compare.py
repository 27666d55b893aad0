"""``unidiff conformance diff``."""

import argparse

from unidiff_conformance.commands import CONFORMANT, NON_CONFORMANT
from unidiff_conformance.documents import changes, document, read_json
from unidiff_conformance.html import write_html
from unidiff_conformance.results import FAILURES


def execute(options: argparse.Namespace) -> int:
    """Print what has changed between two runs; 1 if a case fails that did not."""
    before, after = read_json(options.before), read_json(options.after)
    found = changes(before, after)
    failing = {status.value for status in FAILURES}
    for change in found:
        print(f"{change.backend}  {change.case}  {change.before} -> {change.after}")
    worse = [change for change in found if change.after in failing and change.before not in failing]
    print(f"{len(found)} cases have changed, {len(worse)} of them for the worse")
    if options.html:
        write_html(options.html, document(after, {}, {}, "difference"), document(before, {}, {}, "difference"))
    return NON_CONFORMANT if worse else CONFORMANT
