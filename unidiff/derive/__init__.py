"""Every operation of a backend that can be had from another one, derived in one place.

A backend needs one of ``vjp`` and ``jvp``; `complete` gives it the rest. What is native is used as it is; what is missing is
derived by the functions of this package, all of which take the backend first and see flat sequences of arrays, as a backend
does. ``hide`` makes `complete` pretend that an operation is missing, so that derivations are tested on backends that need none.
"""

from collections.abc import Callable
from typing import Any

from unidiff.backend import Backend, BackendInfo
from unidiff.derive.complete import CompleteBackend
from unidiff.derive.coordinates import basis, inner, on_basis, size
from unidiff.derive.expansions import EXPANSIONS
from unidiff.derive.first_order import FIRST_ORDER
from unidiff.derive.transforms import TRANSFORMS

__all__ = ["CompleteBackend", "basis", "complete", "derived", "inner", "on_basis", "size"]

_DERIVED: dict[str, Callable[..., Any]] = FIRST_ORDER | EXPANSIONS | TRANSFORMS


def complete(backend: Backend, info: BackendInfo | None = None, hide: frozenset[str] = frozenset()) -> CompleteBackend:
    """Return the backend with every missing operation derived.

    Parameters
    ----------
    backend : Backend or CompleteBackend
        The backend.
    info : BackendInfo, optional
        What the plugin registered; the backend's own ``info`` by default.
    hide : frozenset of str
        Operations to derive although they are native, such as ``frozenset({"jvp"})``.

    Returns
    -------
    CompleteBackend

    Raises
    ------
    unidiff.errors.PluginError
        If a required method is missing, or both of ``vjp`` and ``jvp`` are.
    """
    if isinstance(backend, CompleteBackend):
        backend, info = backend.backend, info or backend.info
    return CompleteBackend(backend, info, hide, _DERIVED)


def derived(operation: str) -> Callable[..., Any]:
    """Return the derivation of an operation, as a function of a `CompleteBackend` and the operation's arguments."""
    return _DERIVED[operation]
