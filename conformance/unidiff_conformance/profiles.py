"""Profiles: the parts of the suite that a backend can claim to pass, each case in exactly one."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from unidiff_conformance.behaviours import Behaviour
from unidiff_conformance.checks import QUICK, REPRESENTATIVE, SPECIAL_POINT, TRANSFORMS, modes_of
from unidiff_conformance.nearest import meant
from unidiff_conformance.scenario import Rule, Scenario
from unidiff_conformance.scenarios import firsts, representatives

SUITE_VERSION = "2026.11"
"""Year and month of the suite, which has versions of its own: a claim names the one it is about."""

PROFILES: Mapping[str, str] = MappingProxyType(
    {
        "loads": "the plugin describes itself without importing its library",
        "core": "values and first derivatives of smooth real functions of the standard, whole programs, errors, claims",
        "breadth": "every function of the standard, with its options, at its kinks and singular points",
        "higher": "derivatives of derivatives in every order of modes",
        "transforms": "vmap, jit, and every operation derived from one",
        "float32": "single precision",
        "complex": "complex arrays, by the adjoint in the real inner product",
        "devices": "every device of the machine",
        "threads": "derivatives in several threads at once",
    }
)
EXTENSIONS = frozenset({"float32", "complex", "devices", "threads"})
"""Profiles that a claim lists with a plus sign."""
SELECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "default": "all profiles: first derivatives, and more at special points, once for each clause and in whole programs",
        "full": "all profiles, every case",
        "plugins": "the scenarios that plugins add, which are part of default and full, and of no claim",
    }
)
BEHAVIOUR = "behaviour"
_BEHAVIOURS = (
    ("behaviour.claim.light", "loads"),
    ("behaviour.claim.devices", "devices"),
    ("behaviour.refusal.two-devices", "devices"),
    ("behaviour.claim.threads", "threads"),
    ("behaviour.claim.max_order", "higher"),
    ("behaviour.claim.vmap", "transforms"),
    ("behaviour.claim.jit", "transforms"),
    ("behaviour.perturbation-confusion", "higher"),
    ("behaviour.closure", "higher"),
    ("behaviour.operation", "transforms"),
    ("behaviour.third-order", "higher"),
    ("behaviour.dtype.complex", "complex"),
)


class ProfileError(ValueError):
    """There is no such profile."""


def profile_of(item: Scenario | Behaviour, dtype: str, mode: str) -> str:
    """Return the profile that a case belongs to."""
    if isinstance(item, Behaviour):
        found = next((profile for start, profile in _BEHAVIOURS if item.id.startswith(start)), "core")
        return "float32" if dtype == "float32" and found == "core" else found
    if item.origin:
        return "plugins"
    if dtype.startswith("complex"):
        return "complex"
    if dtype == "float32":
        return dtype
    if mode in TRANSFORMS:
        return "transforms"
    if "over" in mode:
        return "higher"
    smooth = item.rule in (Rule.SMOOTH, Rule.CONSTANT) and not item.hand_picked
    return "core" if item.category == "program" or (smooth and item.category == "elementwise") else "breadth"


def check_profiles(names: Collection[str]) -> None:
    """Raise `ProfileError` for a name that is neither a profile nor a selection."""
    for name in names:
        if name not in PROFILES and name not in SELECTIONS:
            known = (*SELECTIONS, *PROFILES)
            raise ProfileError(f"there is no profile {name!r}{meant(name, known)}; there are {', '.join(known)}")


def modes_in(item: Scenario | Behaviour, dtype: str, profiles: Collection[str]) -> tuple[str, ...]:
    """Return the modes that an item is run in with a dtype.

    Parameters
    ----------
    item : Scenario or Behaviour
        What is run.
    dtype : str
        One of its dtypes.
    profiles : collection of str
        Names of profiles, or of the selections "default" and "full".

    Returns
    -------
    tuple of str
    """
    every = (BEHAVIOUR,) if isinstance(item, Behaviour) else modes_of(item, dtype)
    chosen = {mode for mode in every if "full" in profiles or profile_of(item, dtype, mode) in profiles}
    if "default" in profiles:
        chosen |= set(_default(item, dtype, every))
    return tuple(mode for mode in every if mode in chosen)


def _default(item: Scenario | Behaviour, dtype: str, every: Sequence[str]) -> tuple[str, ...]:
    """Return what a quick run does.

    Transforms and all four nestings are tried on whole programs: what they do with a function does not depend on what it is.
    """
    if isinstance(item, Behaviour):
        return tuple(every)
    double = dtype == item.dtypes[0]
    if item.category == "program" and item.id in representatives():
        return tuple(every)
    chosen = QUICK if double else frozenset()
    if item.hand_picked or item.origin:
        chosen = SPECIAL_POINT["double" if double else "single"]
    if item.id in firsts() or item.origin:
        chosen |= REPRESENTATIVE
    return tuple(mode for mode in every if mode in chosen)
