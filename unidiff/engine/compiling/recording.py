"""Recording a program: arrays that note every call of the library.

A `Symbol` stands for a plain array while a function is recorded. To the engine it *is* a plain array, so transforms run over
it exactly as they run over the library's own arrays, and what is recorded is the very sequence of calls that they make. The
recording evaluates each call on an example, the arguments of the call that is compiled, from which shapes and dtypes are known.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from unidiff.engine.compiling.program import ADD_AT, ADD_PART, ASSIGN, GUARD, ITEM, PART, Meta, Node, Program, Ref, replaced
from unidiff.engine.tracing import SCALARS, Library
from unidiff.errors import InPlaceError, LeakedTracerError, TracedConversionError

current: ContextVar[Recorder | None] = ContextVar("unidiff_recorder", default=None)
"""The recording in progress, if any."""

LEAKED = (
    "an array of a function that was compiled with unidiff.jit was used after the function had returned. Return it from the"
    " function instead of storing it in a variable that outlives the call."
)
_CONVERTED = (
    "{} of an array inside unidiff.jit has no value yet: the function is recorded once and replayed with other values. Use"
    " unidiff.cond, unidiff.while_loop or xp.where(condition, a, b) instead of a Python branch, and pass what Python has to"
    " know (an axis, a size, a flag) through static_argnums or static_argnames."
)
_SIZED = (
    "{} has a result whose shape depends on values, so it cannot be part of a program that unidiff.jit records once. Use"
    " xp.where(condition, a, b) in place of a mask, or compute it outside and pass the result as an argument."
)
_DATA_SHAPED = frozenset({"nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"})


class Rows(dict[int, Any]):
    """What a loop keeps of its steps, by their numbers: one value of a program, whatever it is made of."""

    shape = ()
    dtype = None


class Recorder:
    """One recording.

    Parameters
    ----------
    library : Library
        The library whose arrays are recorded.
    outer : Recorder, optional
        The recording that this one is a part of, as the body of a loop is.

    Attributes
    ----------
    program : Program
        What has been recorded.
    adopted : dict of array
        What a part has from outside of it, symbols of the outer recording and plain arrays: its first inputs.
    steps : int
        How many steps of loops that are recorded step by step this is within.
    stages : bool
        Whether loops may be parts; where every call is to be seen they are not.
    opened : list of Trace
        The transforms that were opened while it was in progress.
    """

    def __init__(self, library: Library, outer: Recorder | None = None) -> None:
        self.library = library
        self.outer = outer
        self.opened: list[Any] = [] if outer is None else outer.opened
        self.values = (*library.array_types, Rows)
        self.adopted: dict[tuple[int, int], Any] = {}
        self._adopted: dict[tuple[int, int], int] = {}
        self.steps = 1
        self.stages: bool = outer is None or outer.stages
        self.program = Program()
        self.open = True
        self.quiet_depth = 0
        self.rule_depth = 0
        self._captured: dict[int, int] = {}
        self._count = 0

    def number(self, value: Any) -> int:
        """Return a number for a new value."""
        self._count += 1
        layout, nbytes = None if type(value) is Rows else self.library.layout(value), getattr(value, "nbytes", 0)
        self.program.meta[self._count] = Meta(type(value), tuple(value.shape), value.dtype, layout, nbytes)
        return self._count

    def input(self, value: Any) -> Symbol:
        """Return an argument of the program."""
        number = self.number(value)
        self.program.inputs.append(number)
        return Symbol(self, number, value, known=False)

    def capture(self, value: Any) -> int:
        """Return the number of a plain array that the function has from outside, or made by means that are not recorded."""
        if self.outer is not None:
            return self._adopt(value, (id(value), 0))
        number = self._captured.get(id(value))
        if number is None:
            number = self._captured[id(value)] = self.number(value)
            self.program.captured[number] = value  # which also keeps the identity from being used again
        return number

    def example(self, x: Any) -> Any:
        """Return the array that a symbol of this recording stands for in the recorded run; anything else as it is."""
        if type(x) is Symbol:
            recorder: Recorder | None = self
            while recorder is not x.recorder:
                if recorder is None:
                    raise LeakedTracerError(LEAKED)
                recorder = recorder.outer
            return x.example
        return x

    def encode(self, x: Any) -> Any:
        """Return one argument of a call as the program holds it."""
        if type(x) is Symbol:
            value = self.example(x)
            return Ref(x.number if x.recorder is self else self._adopt(x, (id(x), x.number), value))
        return Ref(self.capture(x)) if isinstance(x, self.library.array_types) else x

    def _adopt(self, x: Any, key: tuple[int, int], value: Any = None) -> int:
        number = self._adopted.get(key)
        if number is None:
            number = self._adopted[key] = self.number(x if value is None else value)
            self.adopted[key] = x
        return number

    def adopted_numbers(self) -> list[int]:
        """Return the numbers of what is adopted."""
        return list(self._adopted.values())

    def record(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Evaluate a call on the example and note it; arrays in the result come back as symbols."""
        if not self.open:
            raise LeakedTracerError(LEAKED)
        if not kwargs and self._are_own(args):
            examples = [x.example if type(x) is Symbol else x for x in args]
            result = function(*examples)
            if isinstance(result, self.values):
                known = all(x.known for x in args if type(x) is Symbol)
                if not known:
                    _check_shape(name, args)
                encoded = tuple([Ref(x.number) if type(x) is Symbol else x for x in args])
                return Symbol(self, self._note(name, function, encoded, {}, result), result, known=known)
        else:
            result = function(*replaced(args, self.example), **replaced(dict(kwargs), self.example))
        if not _has_arrays(result, self.values):
            return result
        types = self.library.array_types
        known = _known(args, types) and _known(kwargs, types)
        if not known:
            _check_shape(name, args)
        number = self._note(name, function, replaced(args, self.encode), replaced(dict(kwargs), self.encode), result)
        return self._symbols(result, number, known)

    def _are_own(self, args: tuple[Any, ...]) -> bool:
        """Whether arguments are symbols of this recording and Python numbers, as those of most calls are."""
        return all([x.recorder is self if type(x) is Symbol else type(x) in SCALARS for x in args])  # noqa: C419  # it costs less

    def _note(self, name: str, function: Callable[..., Any], args: Any, kwargs: Any, result: Any) -> int:
        if isinstance(result, self.values):
            number = self.number(result)
        else:
            self._count += 1
            number = self._count
            self.program.meta[number] = Meta(type(result))
        self.program.nodes.append(Node(name, function, args, kwargs, number, self._quiet()))
        return number

    def _quiet(self) -> Any:
        return self.quiet_depth > 0 or self.library.error_state() or False

    def _symbols(self, result: Any, number: int, known: bool) -> Any:
        if isinstance(result, self.values):
            return Symbol(self, number, result, known=known)
        items = []
        for place, item in enumerate(result):
            if _has_arrays(item, self.values):
                inner = self._note(ITEM, operator.getitem, (Ref(number), place), {}, item)
                items.append(self._symbols(item, inner, known))
            else:
                items.append(item)
        return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)

    def update(self, name: str, x: Symbol, key: Any, value: Any, change: Callable[[Any, Any, Any], None]) -> None:
        """Note the change of an array in place: the symbol stands for the changed array from now on."""
        if not self.open:
            raise LeakedTracerError(LEAKED)
        if x.recorder is not self:
            raise InPlaceError(
                "the body of a loop or branch under unidiff.jit changes an array from outside of it in place. Carry the array"
                " through the loop, or change a copy."
            )
        args = (Ref(x.number), replaced(key, self.encode), self.encode(value))
        if x.known:  # its example may be kept as a constant
            x.example, x.known = self.library.xp.asarray(x.example, copy=True), False
        change(x.example, replaced(key, self.example), self.example(value))
        x.number = self._note(name, change, args, {}, x.example)

    def guard(self, x: Symbol, convert: Callable[[Any], Any], purpose: str = "", *, chosen: bool = False) -> Any:
        """Return a Python number for a symbol: of a constant, or one that each run of the program checks.

        Rules of the engine may have such numbers, and where the user asked for a branch (``chosen``) its condition.
        """
        if x.known:
            return convert(x.example)
        if not (self.rule_depth or chosen):
            raise TracedConversionError(_CONVERTED.format(purpose))
        expected = convert(self.example(x))
        self._count += 1
        self.program.meta[self._count] = Meta(type(None))
        self.program.nodes.append(Node(GUARD, convert, (self.encode(x), expected), {}, self._count, quiet=True))
        return expected


def _has_arrays(x: Any, array_types: tuple[type, ...]) -> bool:
    if isinstance(x, array_types):
        return True
    return isinstance(x, (tuple, list)) and any(_has_arrays(item, array_types) for item in x)


def _known(x: Any, array_types: tuple[type, ...]) -> bool:
    """Whether nothing in the arguments differs between runs."""
    kind = type(x)
    if kind is Symbol:
        return bool(x.known)
    if kind in SCALARS:
        return True
    if isinstance(x, array_types):
        return False
    if isinstance(x, slice):
        x = (x.start, x.stop, x.step)
    if isinstance(x, (tuple, list, Mapping)):
        for item in x.values() if isinstance(x, Mapping) else x:
            if not _known(item, array_types):
                return False
    return True


def _check_shape(name: str, args: tuple[Any, ...]) -> None:
    """Raise for a call whose result has a shape that depends on values."""
    if name in _DATA_SHAPED:
        raise TracedConversionError(_SIZED.format(f"xp.{name}"))
    if name == "repeat" and len(args) > 1 and not isinstance(args[1], int):
        raise TracedConversionError(_SIZED.format("xp.repeat with an array of counts"))
    if name == PART and any(_is_mask(part) for part in (args[1] if isinstance(args[1], tuple) else (args[1],))):
        raise TracedConversionError(_SIZED.format("x[mask]"))


def _is_mask(part: Any) -> bool:
    return hasattr(part, "dtype") and "bool" in str(part.dtype) and not (type(part) is Symbol and part.known)


def recorder_of(x: Symbol) -> Recorder:
    """Return the recording that notes what is done to a symbol: that of the part that is being recorded."""
    return current.get() or x.recorder


class Symbol:
    """A plain array while a function is recorded."""

    __slots__ = ("added", "example", "known", "number", "origin", "recorder")

    # A plain NumPy array on the left of an operator gives way to the reflected operator of what declares this.
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]  # as for arrays: == is elementwise

    def __init__(self, recorder: Recorder, number: int, example: Any, *, known: bool) -> None:
        self.recorder = recorder
        self.number = number
        self.example = example
        self.known = known
        self.origin: tuple[Symbol, int, Any] | None = None
        self.added: tuple[Symbol, int, Any, Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.example.shape  # type: ignore[no-any-return]  # arrays are foreign types

    @property
    def dtype(self) -> Any:
        """Data type of the elements."""
        return self.example.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.example.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.example.size  # type: ignore[no-any-return]  # arrays are foreign types

    @property
    def device(self) -> Any:
        """Device of the array."""
        return self.example.device

    @property
    def T(self) -> Any:
        """Transpose of a matrix."""
        return recorder_of(self).record("T", operator.attrgetter("T"), (self,), {})

    @property
    def mT(self) -> Any:
        """Transpose of the last two axes."""
        return recorder_of(self).record("mT", operator.attrgetter("mT"), (self,), {})

    def __getitem__(self, key: Any) -> Any:
        part = recorder_of(self).record(PART, operator.getitem, (self, key), {})
        part.origin = self, self.number, key
        return part

    def __setitem__(self, key: Any, value: Any) -> None:
        base, number, part_key, values = getattr(value, "added", None) or (None, 0, None, None)
        if base is self and number == self.number and part_key is key:
            recorder_of(self).update(ADD_PART, self, key, values, _add_part)
        else:
            recorder_of(self).update(ASSIGN, self, key, value, operator.setitem)

    def __iadd__(self, other: Any) -> Any:
        """Add; in ``x[key] += y`` that is what the assignment which follows asks for."""
        result = _ordered_sum(self, other)
        if self.origin is not None:
            result.added = (*self.origin, other)
        return result

    def __unidiff_holds__(self) -> bool:
        """Whether a condition of `unidiff.cond` or `unidiff.while_loop` held in the recorded run; each run checks it."""
        return bool(recorder_of(self).guard(self, bool, chosen=True))

    def __bool__(self) -> bool:
        return bool(recorder_of(self).guard(self, bool, "bool()"))

    def __int__(self) -> int:
        return int(recorder_of(self).guard(self, int, "int()"))

    def __float__(self) -> float:
        return float(recorder_of(self).guard(self, float, "float()"))

    def __complex__(self) -> complex:
        return complex(recorder_of(self).guard(self, complex, "complex()"))

    def __index__(self) -> int:
        return int(recorder_of(self).guard(self, operator.index, "an index"))

    def __len__(self) -> int:
        return len(self.example)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Symbol(%{self.number}, shape={tuple(self.shape)}, dtype={self.dtype})"


def _ordered_sum(x: Symbol, other: Any) -> Any:
    """Return a sum whose elements are in the order of the first operand, which is that of a sum in place."""
    result = x + other
    layout, recorder = x.recorder.library.layout, recorder_of(x)
    if type(result) is not Symbol or result.shape != x.shape or layout(recorder.example(result)) == layout(x.example):
        return result
    return recorder.record("iadd", _added, (x, other), {})


def _added(x: Any, other: Any) -> Any:
    total = x.copy(order="K") if hasattr(x, "strides") else x
    total += other
    return total


def _add_part(x: Any, key: Any, values: Any) -> None:
    x[key] += values


def add_at_of(library: Library) -> Callable[[Any, Any, Any], None] | None:
    """Return the library's scatter-add for symbols, None where it has none."""
    plain = library.scatter_add
    if plain is None:
        return None

    def scatter_add(buffer: Any, key: Any, values: Any) -> None:
        if type(buffer) is Symbol:
            buffer.recorder.update(ADD_AT, buffer, key, values, plain)
        else:
            plain(buffer, key, values)

    return scatter_add


_BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split()
_COMPARISONS = "lt le gt ge eq ne".split()
_UNARY = "neg pos abs invert".split()


def _install() -> None:
    def binary(name: str, function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
        def forward(self: Symbol, other: Any) -> Any:
            if not _is_operand(self, other):
                return NotImplemented
            return recorder_of(self).record(name, function, (self, other), {})

        def reflected(self: Symbol, other: Any) -> Any:
            if not _is_operand(self, other):
                return NotImplemented
            return recorder_of(self).record(name, function, (other, self), {})

        return forward, reflected

    def unary(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self: recorder_of(self).record(name, function, (self,), {})

    for name in (*_BINARY, *_COMPARISONS):
        function = getattr(operator, f"__{name}__")
        forward, reflected = binary(name, function)
        setattr(Symbol, f"__{name}__", forward)
        if name in _BINARY:
            setattr(Symbol, f"__r{name}__", reflected)
    for name in _UNARY:
        setattr(Symbol, f"__{name}__", unary(name, getattr(operator, f"__{name}__")))


def _is_operand(x: Symbol, other: Any) -> bool:
    return type(other) is Symbol or type(other) in SCALARS or isinstance(other, x.recorder.library.array_types)


_install()
