"""``unidiff conformance list`` and ``explain``."""

import argparse
import sys

from unidiff_conformance.commands import CONFORMANT, USAGE
from unidiff_conformance.explain import explain
from unidiff_conformance.profiles import EXTENSIONS, PROFILES, SELECTIONS, check_profiles, modes_in
from unidiff_conformance.runner import select


def show_list(options: argparse.Namespace) -> int:
    """Print profiles, ids, or with ``--profile`` whole cases."""
    if options.profiles:
        for name, about in {**SELECTIONS, **PROFILES}.items():
            print(f"{'+' * (name in EXTENSIONS)}{name:<12} {about}")
        return CONFORMANT
    check_profiles(options.profile or ())
    items = select(options.pattern)
    if not items:
        print(f"no scenario is called {options.pattern!r}", file=sys.stderr)
        return USAGE
    for item in items:
        if options.profile:
            for dtype in item.dtypes:
                for mode in modes_in(item, dtype, options.profile):
                    print(f"{item.id}:{dtype}:{mode}")
        else:
            print(item.id)
    return CONFORMANT


def show_explanation(options: argparse.Namespace) -> int:
    """Print what a scenario is about; dtype and mode of a whole case are left aside."""
    items = select(f"={options.id.split(':')[0]}")
    if not items:
        print(f"no scenario is called {options.id!r}; 'unidiff conformance list' shows all ids", file=sys.stderr)
        return USAGE
    print(explain(items[0]))
    return CONFORMANT
