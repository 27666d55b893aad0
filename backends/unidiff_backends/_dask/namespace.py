"""Dask's namespace with unidiff's errors for what Dask cannot do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

import array_api_compat.dask.array as xp

from unidiff.errors import UnidiffError, UnsupportedOperationError


def refused(error: BaseException) -> bool:
    """Whether Dask says that it has no such function, or that it needs lengths that are not known yet."""
    text = str(error).lower()
    return isinstance(error, NotImplementedError) or (
        isinstance(error, (ValueError, TypeError)) and ("unknown" in text or "nan" in text)
    )


def guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that raises unidiff's error where Dask refuses."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UnidiffError:
            raise
        except (NotImplementedError, ValueError, TypeError) as error:
            if not refused(error):
                raise
            raise UnsupportedOperationError(
                f"dask.array cannot do {name} for these arguments: {error}. Where lengths are unknown, "
                "x.compute_chunk_sizes() finds them."
            ) from error

    return call


def namespace(natives: dict[str, Callable[..., Any]]) -> tuple[Any, dict[str, Callable[..., Any]]]:
    """Return Dask's array API namespace and these functions, all guarded."""
    top = _guarded(xp, "")
    for name in ("linalg", "fft"):
        setattr(top, name, _guarded(getattr(xp, name), f"{name}."))
    return top, {name: guarded(name.lstrip("_"), function) for name, function in natives.items()}


def _guarded(module: ModuleType, prefix: str) -> ModuleType:
    made = ModuleType(f"{__name__}.{prefix}functions")
    for name in dir(module):
        value = getattr(module, name)
        if callable(value) and not isinstance(value, type) and not name.startswith("_"):
            value = guarded(prefix + name, value)
        if not isinstance(value, ModuleType):
            setattr(made, name, value)
    return made
