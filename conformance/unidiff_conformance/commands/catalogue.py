"""``unidiff conformance list`` and ``explain``."""

import argparse
from collections import Counter
from collections.abc import Iterator

from unidiff_conformance.commands import CONFORMANT
from unidiff_conformance.commands.plan import Item, SelectionError, find_case, find_items
from unidiff_conformance.explain import explain
from unidiff_conformance.nearest import meant
from unidiff_conformance.profiles import EXTENSIONS, PROFILES, SELECTIONS, check_profiles, modes_in
from unidiff_conformance.runner import DTYPES, FULL, MODES, select


def show_list(options: argparse.Namespace) -> int:
    """Print profiles, ids, or with ``--profile``, ``--dtype`` or ``--mode`` whole cases."""
    if options.profiles:
        for name, about in {**SELECTIONS, **PROFILES}.items():
            print(f"{'+' * (name in EXTENSIONS)}{name:<12} {about}")
        return CONFORMANT
    items = list(find_items(options.pattern))
    if options.category:
        known = dict.fromkeys(item.category for item in select())
        for name in options.category:
            if name not in known:
                raise SelectionError(f"there is no category {name!r}{meant(name, known)}; there are {', '.join(known)}")
        items = [item for item in items if item.category in options.category]
    names = list(_cases(items, options)) if options.profile or options.dtype or options.mode else [item.id for item in items]
    if not names:
        raise SelectionError("no case has such a name, dtype, mode and profile")
    if options.count:
        counts = Counter(name.split(".")[0] for name in names)
        print(*(f"{n:6}  {category}" for category, n in counts.items()), f"{len(names):6}  in all", sep="\n")
    else:
        print(*names, sep="\n")
    return CONFORMANT


def _cases(items: list[Item], options: argparse.Namespace) -> Iterator[str]:
    profiles, dtypes, modes = options.profile or FULL, options.dtype or DTYPES, options.mode or MODES
    check_profiles(profiles)
    for item in items:
        for dtype in item.dtypes:
            if dtype in dtypes:
                yield from (f"{item.id}:{dtype}:{mode}" for mode in modes_in(item, dtype, profiles) if mode in modes)


def show_explanation(options: argparse.Namespace) -> int:
    """Print what a scenario is about, and of a whole case what its mode checks."""
    item, dtypes, modes = find_case(options.id)
    print(explain(item, dtypes, modes))
    return CONFORMANT
