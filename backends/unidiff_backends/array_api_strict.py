"""array-api-strict: the engine over an implementation of the standard that does nothing the standard does not promise.

Whoever writes against the standard tests with this library; with this backend derivatives are tested the same way. Its flags
(``boolean_indexing``, ``data_dependent_shapes``, ``api_version``, ``enabled_extensions``) are the user's: they are read by the
library whenever a function is called, in derivatives too, and nothing here changes them. The rules of the engine need none of
the optional behaviours, so whatever can be evaluated with a flag off can be differentiated with it off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any

import array_api_strict as xp
import numpy as np

from unidiff.engine import EngineBackend, Library
from unidiff.errors import DeviceError
from unidiff.rules import RULES
from unidiff_backends.plugins.array_api_strict import unidiff_register_backends
from unidiff_backends.scipy_special import special_functions

(INFO,) = unidiff_register_backends()
HOST = xp.Device("CPU_DEVICE")
Array = type(xp.asarray(0.0))


def to_numpy(x: Any) -> Any:
    """Return an array as one of NumPy; from another than the host's device it is copied."""
    return np.asarray(x.to_device(HOST)._array)  # older versions have no protocol for this before Python 3.12


def to_device(x: Any, device: Any) -> Any:
    """Return an array on one of the library's devices, which are for testing."""
    known = xp.__array_namespace_info__().devices()
    if device not in known:
        raise DeviceError(f"{INFO.name} has no device {device!r} here; these exist: {', '.join(map(str, known))}")
    return x.to_device(device)


def stacked(obj: Any) -> Any:
    """Return nested sequences that hold plain arrays as one array, which the library's own conversion refuses to do."""
    leaves = list(_leaves(obj)) if isinstance(obj, (list, tuple)) else []
    if not any(isinstance(leaf, Array) for leaf in leaves) or any(
        hasattr(type(leaf), "__unidiff_backend__") for leaf in leaves
    ):
        return obj
    dtype = xp.result_type(*leaves)
    device = next(leaf.device for leaf in leaves if isinstance(leaf, Array))
    return _stack(obj, dtype, device)


def _leaves(obj: Any) -> Iterator[Any]:
    if isinstance(obj, (list, tuple)):
        for item in obj:
            yield from _leaves(item)
    else:
        yield obj


def _stack(obj: Any, dtype: Any, device: Any) -> Any:
    if isinstance(obj, (list, tuple)):
        return xp.stack([_stack(item, dtype, device) for item in obj])
    return xp.asarray(obj, dtype=dtype, device=device)


def own(x: Any, shared: bool) -> Any:
    """Return an array that shares memory with nothing else; what the library's functions return may be a view."""
    return xp.asarray(x, copy=True) if shared or x._array.base is not None else x


def freeze(x: Any, _lasting: bool) -> tuple[Any, Callable[[], None] | None]:
    """Copy a constant operand, which could be assigned to before the recording is used."""
    return xp.asarray(x, copy=True), None


def over_numpy(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of NumPy arrays as one of this library's: the special functions, which it lacks, are SciPy's."""

    @wraps(function)
    def call(*args: Any) -> Any:
        device = next((x.device for x in args if isinstance(x, Array)), None)
        result = function(*(to_numpy(x) if isinstance(x, Array) else x for x in args))
        return result if device is None else xp.asarray(np.asarray(result), device=device)

    return call


_OPERATORS = "add and eq floordiv ge gt le lshift lt matmul mod mul ne or pow rshift sub truediv xor".split()


def give_way_to_traced_arrays(array_type: type) -> None:
    """Let the operators of plain arrays leave a traced operand on their right to its reflected operator.

    They raise for any operand of another type, where Python's data model and the other libraries return `NotImplemented`;
    without this, ``data @ x`` could not be differentiated. Operands of all other types are treated as before.
    """
    in_place = [f"i{name}" for name in _OPERATORS if name not in ("eq", "ge", "gt", "le", "lt", "ne")]
    for name in (*_OPERATORS, *in_place):
        operator = getattr(array_type, f"__{name}__")
        if not hasattr(operator, "__wrapped__"):
            setattr(array_type, f"__{name}__", _giving_way(operator))


def _giving_way(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @wraps(operator)
    def operate(self: Any, other: Any, /) -> Any:
        return NotImplemented if _asks_to_go_first(type(other)) else operator(self, other)

    return operate


def _asks_to_go_first(operand_type: type) -> bool:
    """Say whether a type is that of traced arrays, or opts out as NumPy's operator protocol says (that of recorded ones)."""
    return hasattr(operand_type, "__unidiff_backend__") or getattr(operand_type, "__array_ufunc__", ...) is None


class StrictBackend(EngineBackend):
    """Arrays of array-api-strict, differentiated by unidiff's own engine."""

    def __init__(self) -> None:
        give_way_to_traced_arrays(Array)
        library = Library(
            name=INFO.name,
            xp=xp,
            array_types=(Array,),
            to_numpy=to_numpy,
            to_device=to_device,
            own=own,
            freeze=freeze,
            natives={name: over_numpy(function) for name, function in special_functions().items()},
            defers=True,
            quiet=partial(np.errstate, all="ignore"),
        )
        super().__init__(INFO, library, RULES)

    def asarray(self, obj: Any, *, dtype: Any = None, device: Any = None) -> Any:
        """Return ``obj`` as an array of the library; sequences of arrays are stacked."""
        return super().asarray(stacked(obj), dtype=dtype, device=device)
