"""A domain: one array library joined with the rules, its three namespaces and its class of traced arrays.

The three namespaces hold the same functions. ``raw`` works on plain arrays only and is what rules compute with when nothing is
nested. ``plain`` is the differentiable namespace that users get: it takes plain and traced arrays and makes plain ones.
``traced`` is what a traced array answers to ``__array_namespace__``: as ``plain``, but what it creates are constants of the
traced kind, because libraries that ask arrays for their namespace refuse to mix two kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from unidiff._typing import Array, Device, DType, Namespace
from unidiff.engine.indexing import add_at
from unidiff.engine.operation import Operation
from unidiff.engine.tracing import SCALARS, ConstantTrace, Library, Trace, TracedArray, wrap_constant
from unidiff.errors import DTypeError, NotAnArrayError


class Domain:
    """One array library joined with the rules; see the module's docstring. `unidiff.engine.assembly` puts it together."""

    array_class: type[TracedArray]
    raw: Namespace
    plain: Namespace
    traced: Namespace
    constant: ConstantTrace
    natively: Callable[..., Any] | None = None
    """Where arrays are recorded: notes a call of the library's own function on those that no transform works on."""
    opened: list[Trace] | None = None
    """The transforms of a recording in progress."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.name = library.name
        self.array_types = library.array_types
        self.device = library.device_of
        self.arrays = (TracedArray, *library.array_types)
        self.operands: set[type] = {*SCALARS, *library.array_types}
        self.changeable: set[type] = {*library.array_types, tuple, list} - set(library.scalar_types)
        self.untraceable = self.operands | {slice, tuple, list, str, type(None), type(Ellipsis)}
        self.operations: dict[str, Operation] = {}
        self.recorded: Domain | None = None  # the same over arrays that are being recorded, once there is one
        self._one: dict[tuple[DType, Device], Array] = {}
        self._kinds: dict[DType, str] = {}

    @property
    def nested(self) -> Namespace:
        """The namespace in which rules compute with traced arrays."""
        return self.plain if self.library.defers else self.traced

    def beside_traced(self, x: Any) -> Any:
        """Return ``x`` in the form that operators between it and traced arrays need."""
        return wrap_constant(self, x) if not self.library.defers and isinstance(x, self.array_types) else x

    def accepts(self, x: Any) -> bool:
        """Whether ``x`` is a Python number or a plain array of the library; raise for a kind of array with rules of its own."""
        if type(x) in self.operands:
            return True
        if not isinstance(x, self.array_types):
            return False
        if isinstance(x, self.library.refused_types):
            raise NotAnArrayError(
                f"{type(x).__module__}.{type(x).__qualname__} means something else by the operations of arrays, so its"
                " derivatives would be wrong. Convert it to a plain array of the library first."
            )
        self.operands.add(type(x))
        self.untraceable.add(type(x))
        if not isinstance(x, self.library.scalar_types):
            self.changeable.add(type(x))
        return True

    def with_arrays(self, args: tuple[Any, ...], positions: Iterable[int]) -> tuple[Any, ...]:
        """Return the arguments with arrays in place of sequences at these positions, where a library takes one for the other.

        A derivative needs the shape and the dtype of what it multiplies with.
        """
        for i in positions:
            if i < len(args) and type(args[i]) in _SEQUENCES:
                args = (*args[:i], self.plain.asarray(args[i]), *args[i + 1 :])
        return args

    def is_scalar(self, value: Any) -> bool:
        """Whether what is beneath all traces is an immutable scalar, which shares memory with nothing."""
        scalar_types = self.library.scalar_types
        if not scalar_types:
            return False
        while isinstance(value, TracedArray):
            value = value._value
        return isinstance(value, scalar_types)

    def kind(self, dtype: DType) -> str:
        """Return ``"real"``, ``"complex"`` or, for integers and booleans, ``"exact"``."""
        try:
            return self._kinds[dtype]
        except KeyError:
            isdtype = self.library.xp.isdtype
            real, imaginary = isdtype(dtype, "real floating"), isdtype(dtype, "complex floating")
            if not (real or imaginary or isdtype(dtype, ("bool", "integral"))):
                raise DTypeError(
                    f"an array of the dtype {dtype} met a traced array of the backend {self.name!r}. Derivatives are of"
                    " floating numbers; convert it to one of the dtypes of the array API standard."
                ) from None
            kind = self._kinds[dtype] = "real" if real else "complex" if imaginary else "exact"
            return kind

    def add_at(self, buffer: Array, key: Any, values: Array) -> None:
        """Add into a part of a plain array in place; repeated indices accumulate."""
        add_at(self.library, buffer, key, values)

    def one(self, dtype: DType, device: Device) -> Array:
        """Return the 0-d array that seeds a gradient; it is shared, so it must not be handed out."""
        try:
            return self._one[dtype, device]
        except KeyError:
            return self._one.setdefault((dtype, device), self.library.xp.ones((), dtype=dtype, device=device))


_SEQUENCES = frozenset({list, tuple})
