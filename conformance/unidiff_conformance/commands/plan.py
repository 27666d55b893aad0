"""What a run is asked to do: the items, dtypes and modes that the arguments select."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from unidiff_conformance.behaviours import Behaviour
from unidiff_conformance.nearest import nearest
from unidiff_conformance.pool import Request
from unidiff_conformance.profiles import check_profiles, modes_in
from unidiff_conformance.runner import DTYPES, FULL, MODES, select
from unidiff_conformance.scenario import Scenario

Item = Scenario | Behaviour


class SelectionError(ValueError):
    """The arguments select nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run.

    Parameters
    ----------
    requests : tuple of Request
        What to run of each item.
    items : dict of str to Scenario or Behaviour
        The items by id.
    selection : tuple of str
        Names of profiles and selections.
    whole : bool
        Whether these are all cases of the selection at the points that claims are about.
    """

    requests: tuple[Request, ...]
    items: dict[str, Item]
    selection: tuple[str, ...]
    whole: bool


def plan(options: argparse.Namespace) -> Plan:
    """Return what the arguments select.

    Raises
    ------
    SelectionError
        If that is nothing.
    ProfileError
        If there is no such profile.
    """
    selection = tuple(options.profile or ["default"])
    check_profiles(selection)
    if options.case:
        found = [find_case(case) for case in dict.fromkeys(options.case)]
        requests = tuple(Request(item.id, dtypes, modes, FULL, options.seed) for item, dtypes, modes in found)
        return Plan(requests, {item.id: item for item, *_ in found}, selection, whole=False)
    items = find_items(options.pattern)
    dtypes, modes = tuple(options.dtype or DTYPES), tuple(options.mode or MODES)
    if not any(
        set(modes_in(item, dtype, selection)) & set(modes) for item in items for dtype in item.dtypes if dtype in dtypes
    ):
        wanted = " ".join([*(options.dtype or ()), *(options.mode or ())]) or "no restriction"
        raise SelectionError(
            f"of what is selected, the profile {' '.join(selection)} has no case with {wanted}; '--profile full' has them all, "
            "and 'unidiff conformance list --profile full' shows them"
        )
    requests = tuple(Request(item.id, dtypes, modes, selection, options.seed) for item in items)
    whole = not (options.pattern or options.dtype or options.mode or options.seed)
    return Plan(requests, {item.id: item for item in items}, selection, whole)


def find_items(pattern: str) -> Sequence[Item]:
    """Return the scenarios and behaviours whose ids have the pattern; an equals sign asks for a whole id.

    Raises
    ------
    SelectionError
        If there are none; with the ids that are like it.
    """
    items = select(pattern)
    if not items:
        raise SelectionError(_unknown(pattern.removeprefix("=")))
    return items


def find_case(case: str) -> tuple[Item, tuple[str, ...], tuple[str, ...]]:
    """Return what ``id``, ``id:dtype`` or ``id:dtype:mode`` names: the item, dtypes and modes.

    Raises
    ------
    SelectionError
        If there is no such case.
    """
    name, _, rest = case.partition(":")
    dtype, _, mode = rest.partition(":")
    items = select(f"={name}")
    if not items:
        raise SelectionError(_unknown(name))
    (item,) = items
    dtypes = (dtype,) if dtype else item.dtypes
    if not set(dtypes) <= set(item.dtypes):
        raise SelectionError(f"{name} is run in {' and '.join(item.dtypes)}, not in {dtype!r}")
    known = dict.fromkeys(m for d in dtypes for m in modes_in(item, d, FULL))
    if mode and mode not in known:
        raise SelectionError(f"{name} in {' or '.join(dtypes)} has the modes {', '.join(known)}, not {mode!r}")
    return item, dtypes, (mode,) if mode else tuple(known)


def _unknown(name: str) -> str:
    ids = [item.id for item in select()]
    near = nearest(name, ids)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"no case is called {name!r}.{meant} 'unidiff conformance list' shows all ids."
