"""The array object of the standard on traced arrays: operators, indexing, conversions.

Conversions to Python numbers and to plain arrays raise where they would cut a derivative. They work where there is none to
cut: for constants, booleans and integers. In-place forms rebind the traced array and never touch the value it holds. What a
part ``x[key]`` is changed to also becomes part of ``x``, as in NumPy; where yet another traced array is a view of the same
memory, in-place forms are refused, since that one would not see the change.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from unidiff._typing import Device, Namespace
from unidiff.engine.domain import Domain
from unidiff.engine.elementwise import binary
from unidiff.engine.gathering import has_varying, varying_part, with_varying_part
from unidiff.engine.indexing import is_basic, makes_copy, plain_key
from unidiff.engine.tracing import TracedArray, share_memory
from unidiff.errors import InPlaceError, ShapeError, TracedConversionError, UnsupportedOperationError

_NO_OPTIONS: dict[str, Any] = {}
BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "pow",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}
_COMPARISON = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
UNARY = {"neg": "negative", "pos": "positive", "abs": "abs", "invert": "bitwise_invert"}


class GivenWay:
    """A mixin for traced arrays to which the operators of NumPy, and of libraries that follow its protocol, give way."""

    __slots__ = ()
    __array_ufunc__ = None


class TracedArrayMethods(TracedArray):
    """What the operators do not cover."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # as for arrays: == is elementwise

    @property
    def T(self) -> Any:
        """Transpose of a matrix."""
        if self.ndim != 2:
            raise ShapeError(f"x.T needs a matrix, got {self.ndim} axes; use x.mT or permute_dims")
        return self._domain.plain.matrix_transpose(self)

    @property
    def mT(self) -> Any:
        """Transpose of the last two axes."""
        return self._domain.plain.matrix_transpose(self)

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Namespace:
        return self._domain.traced

    def __getitem__(self, key: Any, /) -> Any:
        if type(key) is int or type(key) is slice or is_basic(key):
            part = self._trace.part(self._domain.operations["_getitem"], self, key)
        else:
            if has_varying(key):
                return varying_part(self._domain.plain, self, key)
            key = plain_key(key)
            part = self._trace.first(self._domain.operations["_getitem"], self, (key,), _NO_OPTIONS)
            if makes_copy(key):
                return part
        if not self._domain.is_scalar(part._value):
            share_memory(self, part)
            part._origin = self, key
        return part

    def __setitem__(self, key: Any, value: Any, /) -> None:
        if has_varying(key):
            self._replace(with_varying_part(self._domain.plain, self, value, key), value)
            return
        key = plain_key(key)
        if not self._has_part(key, value):
            self._replace(self._domain.plain._setitem(self, value, key), value)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> bool:
        return bool(self._trace.concrete(self, "bool()"))

    def __int__(self) -> int:
        return int(self._trace.concrete(self, "int()"))

    def __index__(self) -> int:
        return self._trace.concrete(self, "an index").__index__()  # type: ignore[no-any-return]  # an int by protocol

    def __float__(self) -> float:
        return float(self._constant("float(x)"))

    def __complex__(self) -> complex:
        return complex(self._constant("complex(x)"))

    def __copy__(self) -> Any:
        return self._domain.plain.positive(self)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._domain.plain.positive(self)

    def __format__(self, spec: str) -> str:
        return format(self._trace.concrete(self, "format()"), spec) if spec else str(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        value = self._domain.library.to_numpy(self._constant("numpy.asarray(x)"))
        return value if dtype is None else value.astype(dtype)

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any:
        options = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        given = {name: value for name, value in options.items() if value is not None}
        return self._constant("from_dlpack(x)").__dlpack__(**given)

    def __dlpack_device__(self) -> Any:
        return self._constant("from_dlpack(x)").__dlpack_device__()

    def to_device(self, device: Device, /, *, stream: Any = None) -> Any:
        """Copy to the device; differentiable."""
        if stream is not None:
            raise UnsupportedOperationError("to_device of a traced array takes no stream; leave it out")
        return self._domain.plain._to_device(self, device)

    def __repr__(self) -> str:
        kind = type(self._trace).__name__.removesuffix("Trace").lower()
        return f"TracedArray({self._value!r}, {kind}, level={self._trace.level})"

    def _constant(self, what: str) -> Any:
        """Return the plain value of a constant or exact array; raise for one that carries a derivative."""
        if self._trace.level and self._trace.knows_values and self._domain.kind(self.dtype) != "exact":
            raise TracedConversionError(
                f"{what} of a traced array would cut the derivative. Use functions of unidiff.array_namespace(x) instead of"
                " Python's math or of code that converts to NumPy; for a value that must not be differentiated call"
                " unidiff.stop_gradient(x) first, or return it through has_aux=True."
            )
        return self._trace.concrete(self, what)

    def _has_part(self, key: Any, value: Any) -> bool:
        """Whether the value is the part at the key itself, as in the assignment with which ``x[key] += y`` ends."""
        if not isinstance(value, TracedArray) or makes_copy(key):
            return False
        base, its_key = getattr(value, "_origin", (None, None))
        return base is self and type(key) is type(its_key) and bool(key == its_key)

    def _replace(self, new: TracedArray, operand: Any) -> None:
        """Take the value of another array, and put it into the arrays of which this one is a part.

        The operand that the value was computed with, often a part of the same array, sees the change, too. Any further array
        that shares the memory would not, so there must be none.
        """
        family: list[tuple[TracedArray, Any]] = [(self, new)]
        origin = getattr(self, "_origin", None)
        while origin is not None:
            base, key = origin
            new = self._domain.plain._setitem(base, new, key)
            family.append((base, new))
            origin = getattr(base, "_origin", None)
        base, key = getattr(operand, "_origin", (None, None))
        if all(operand is not member for member, _ in family):
            family += [(operand, value[key]) for member, value in family if member is base]
        if hasattr(self, "_memory") and sys.getrefcount(self._memory) > len(family) + 1:  # it is an argument there, too
            raise InPlaceError(
                "in-place change of a traced array that shares its memory with another one (a slice, a reshape, a transpose):"
                " the other would not see it. Write x = x + y instead of x += y, or build the array with where, concat or"
                " stack."
            )
        for member, value in family:
            member._value, member._trace, member._node = value._value, value._trace, value._node

    def _is_mutable(self) -> bool:
        return self._domain.library.mutable and (hasattr(self, "_memory") or not self._domain.is_scalar(self))


def array_class(domain: Domain) -> type[TracedArrayMethods]:
    """Make the class of a domain's traced arrays; `install_operators` completes it once the namespace exists."""
    mixin = domain.library.mixin
    bases = (TracedArrayMethods,) if mixin is None else (mixin, TracedArrayMethods)
    body = {"__slots__": (), "_domain": domain, "__unidiff_backend__": domain.name, "__module__": __name__}
    return type("TracedArray", bases, body)


def install_operators(domain: Domain) -> None:
    """Give the domain's class the operators, each the function of the namespace itself."""
    cls: Any = domain.array_class
    for dunder, name in BINARY.items():
        function = getattr(domain.plain, name)
        setattr(cls, f"__{dunder}__", function)
        setattr(cls, f"__r{dunder}__", _reflected(domain, name, function))
        setattr(cls, f"__i{dunder}__", _in_place(domain, function))
    for dunder, name in _COMPARISON.items():
        setattr(cls, f"__{dunder}__", getattr(domain.plain, name))
    for dunder, name in UNARY.items():
        setattr(cls, f"__{dunder}__", getattr(domain.plain, name))


def _reflected(domain: Domain, name: str, function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    op = domain.operations.get(name)
    if op is not None and op.rule.kind == "elementwise":
        return binary(domain, op, reflected=True)

    def reflected(self: Any, other: Any) -> Any:
        return function(other, self)

    return reflected


def _in_place(domain: Domain, function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def in_place(self: Any, other: Any) -> Any:
        result = function(self, other)
        if not self._is_mutable():
            return result
        if result.shape != self.shape:
            raise ShapeError(f"in-place operation on shape {self.shape} has a result of shape {result.shape}")
        if result.dtype != self.dtype:
            result = domain.plain.astype(result, self.dtype)
        self._replace(result, other)
        if not hasattr(self, "_memory") and domain.is_scalar(result):
            self._memory = object()  # the value may be an immutable scalar now, but this stays the array that it was
        return self

    return in_place
