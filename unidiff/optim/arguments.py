"""Checks of what a solver is called with beside the problem: options, numbers and callbacks."""

import inspect
from collections.abc import Callable, Mapping
from math import inf
from numbers import Integral, Real
from typing import Any

import unidiff as ud
from unidiff.errors import ArgumentError, TracedConversionError
from unidiff.optim.vector import read

__all__ = ["checked_callback", "checked_options", "nonnegative", "positive", "positive_integer"]


def _number(value: Any) -> float | None:
    """Return a number of Python or NumPy as a float, None for anything else."""
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None


def positive(value: Any, name: str) -> Any:
    """Return a positive finite number, or raise that it is none; a 0-d array stays one where a derivative is taken by it."""
    array = hasattr(value, "dtype") and tuple(value.shape) == () and not isinstance(value, Real)
    number = read(value)[0] if array and ud.get_backend(value).is_real(value) else _number(value)
    if number is None or not 0 < number < inf:
        raise ArgumentError(f"{name} must be a positive number, but it is {value!r:.200}.")
    if array:
        try:
            ud.to_numpy(value)
        except TracedConversionError:
            return value
    return number


def nonnegative(value: Any, name: str) -> float:
    """Return a number that is not negative, or raise that it is none."""
    number = _number(value)
    if number is None or not number >= 0:
        raise ArgumentError(f"{name} must be a number that is not negative, but it is {value!r:.200}.")
    return number


def positive_integer(value: Any, name: str) -> int:
    """Return a positive integer, or raise that it is none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ArgumentError(f"{name} must be an integer of at least 1, but it is {value!r:.200}.")
    return int(value)


def checked_callback(callback: Any) -> Callable[[Any], Any] | None:
    """Return a callback that is called with a result alone, by name where it asks for that, or raise that it is no function."""
    if callback is None:
        return None
    if not callable(callback):
        raise ArgumentError(f"callback must be a function, but it is {callback!r:.200}.")
    try:
        parameter = inspect.signature(callback).parameters.get("intermediate_result")
    except (TypeError, ValueError):  # of a function of C
        parameter = None
    plain: Callable[..., Any] = callback
    by_name = parameter is not None and parameter.kind is parameter.KEYWORD_ONLY
    return (lambda result: plain(intermediate_result=result)) if by_name else plain


def checked_options(options: Any) -> dict[str, Any]:
    """Return options as a dict, or raise that they are none."""
    if options is not None and not isinstance(options, Mapping):
        raise ArgumentError(f"options must be a dict, such as {{'maxiter': 100}}, but they are {options!r:.200}.")
    return dict(options or {})
