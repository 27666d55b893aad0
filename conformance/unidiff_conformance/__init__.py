"""The conformance suite of unidiff: whether all backends have the same derivatives, and the right ones.

A scenario (`unidiff_conformance.scenario`) is a function written once against the array API standard, with inputs and what
the derivative standard says about it. Oracles (`unidiff_conformance.oracles`) compute what is wanted without any backend.
Checks (`unidiff_conformance.checks`) take derivatives in every mode, and ``unidiff conformance run`` runs them all.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unidiff_conformance.parametrization import Case, parametrize

__all__ = ["Case", "parametrize"]


def __getattr__(name: str) -> Any:
    if name in __all__:  # imported when used, since pytest imports this package in every session
        return getattr(import_module(f"{__name__}.parametrization"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
