"""Finds the function of an array library."""

from collections.abc import Callable
from typing import Any

from unidiff.arrays import array_namespace
from unidiff.errors import UnsupportedOperationError


def special(name: str, *args: Any) -> Callable[..., Any]:
    """Return the special function of the namespace of the arrays among the arguments."""
    xp = array_namespace(*args)
    function: Callable[..., Any] | None = getattr(getattr(xp, "special", None), name, None)
    if function is None:
        raise UnsupportedOperationError(
            f"The array namespace {xp.__name__!r} has no special function {name!r}. Write it with functions of the standard, "
            "or convert the arrays to another library, for example with unidiff.to_backend(x, 'numpy')."
        )
    return function
