"""The table of NumPy's functions, and how their calls are brought into one form.

NumPy hands a call of its function on a traced array to ``__array_function__``. A function defined under ``@means(np.f)`` says
what ``np.f`` does in terms of the differentiable namespace, which it gets as its first argument; its other parameters are named
and ordered as NumPy's, and those that it lacks raise. A function of NumPy in no table raises, so that no derivative is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from unidiff.errors import InPlaceError, MissingRuleError
from unidiff_backends._numpy.signatures import signature

_signature = cache(signature)
Function = Callable[..., Any]

MEANINGS: dict[Any, Function] = {}
"""For each function of NumPy what it means, as a function of the namespace and of NumPy's arguments."""


def means(*functions: Any) -> Callable[[Function], Function]:
    """Enter the decorated function as the meaning of these functions of NumPy."""

    def enter(meaning: Function) -> Function:
        MEANINGS.update(dict.fromkeys(functions, meaning))
        return meaning

    return enter


def call(function: Any, meaning: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return ``meaning(*args, **kwargs)``, where both are as the function of NumPy takes them."""
    name = getattr(function, "__name__", repr(function))
    kwargs = refuse_buffer(kwargs, name)
    if not _fits(meaning, args, kwargs):
        args, kwargs = normal_form(function, args, kwargs)
        kwargs = refuse_buffer(kwargs, name)
        if not _fits(meaning, args, kwargs):
            raise MissingRuleError(missing(f"{name} with the options {', '.join(kwargs) or 'given'}"))
    return meaning(*args, **kwargs)


def normal_form(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the call with required parameters by position and the others by keyword, without those that say nothing.

    Arguments that NumPy itself would not take raise the `TypeError` that they raise there.
    """
    taken = _signature(function)
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for name, value in taken.bind(*args, **kwargs).arguments.items():
        parameter = taken.parameters[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += value
        elif parameter.kind is parameter.VAR_KEYWORD:
            keywords |= value
        elif parameter.default is parameter.empty:
            positional.append(value)
        elif value is not np._NoValue and value is not parameter.default:
            keywords[name] = value
    return tuple(positional), keywords


def _fits(meaning: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    most, names = _accepted(meaning)
    if len(args) <= most[1] and len(args) >= most[0] and not kwargs:
        return True
    if any(name not in names for name in kwargs) and None not in names:
        return False
    try:
        _signature(meaning).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


@cache
def _accepted(meaning: Function) -> tuple[tuple[float, float], frozenset[str | None]]:
    """Return how many positional arguments a function needs and takes, and its keywords; None among them stands for any."""
    least, most, names = 0.0, 0.0, set[str | None]()
    for parameter in _signature(meaning).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            most += 1
            least += parameter.default is parameter.empty
        elif parameter.kind is parameter.VAR_POSITIONAL:
            most = float("inf")
        elif parameter.kind is parameter.VAR_KEYWORD:
            names.add(None)
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.add(parameter.name)
    return (least, most), frozenset(names)


def bind_meanings(xp: Any, standard: dict[Any, Function]) -> dict[Any, Function]:
    """Return the function to call for each function of NumPy; those of the standard that NumPy has, too, as they are."""
    table: dict[Any, Function] = {function: in_normal_form(function, same) for function, same in standard.items()}
    table |= {function: partial(meaning, xp) for function, meaning in MEANINGS.items()}
    return table


def in_normal_form(function: Any, same: Function) -> Function:
    """Adapt a function of the standard, which takes by keyword only what NumPy also takes by position."""
    required = sum(p.default is p.empty and p.kind is not p.VAR_KEYWORD for p in _signature(function).parameters.values())

    def adapted(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != required:
            args, kwargs = normal_form(function, args, kwargs)
            names = _accepted(same)[1]
            unknown = [name for name in kwargs if name not in names and None not in names]
            if unknown:
                raise MissingRuleError(missing(f"{function.__name__} with the options {', '.join(unknown)}"))
        return same(*args, **kwargs)

    return adapted


def missing(name: str) -> str:
    """Return the message for what has no derivative rule."""
    return (
        f"numpy.{name} has no derivative rule for traced arrays. Write it with functions of unidiff.array_namespace(x), or"
        " compute it outside of the differentiated function."
    )


def refuse_buffer(options: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the options without an ``out`` that says nothing; raise for one that names a buffer."""
    if "out" not in options:
        return options
    options = dict(options)
    out = options.pop("out")
    if any(buffer is not None for buffer in (out if isinstance(out, tuple) else (out,))):
        raise InPlaceError(
            f"numpy.{name} cannot write a traced array into an out= buffer or into a plain array in place; use its return"
            " value, as in x = x + y"
        )
    return options


def absent(value: Any) -> bool:
    """Whether an option was not given."""
    return value is None or value is np._NoValue
