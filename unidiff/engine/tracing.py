"""Traced arrays, traces and their levels.

A *trace* is one run of one transform. A traced array belongs to one trace and holds the value that the trace sees, which is a
plain array or a traced array of an enclosing trace, together with what the trace needs to know about it (its index on the
tape, its tangent, its batch axis). Traces nest: each has a level one above the trace that encloses it, and an operation is
handled by the trace with the highest level among its arguments, to which all other arguments are constants. That comparison
of traces by identity is what keeps perturbations of nested derivatives apart.

Levels live in a `contextvars.ContextVar`, so threads and asynchronous tasks do not see each other's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeVar

from unidiff._typing import Array, Device, DType, Namespace
from unidiff.errors import LeakedTracerError, MixedBackendsError, NotAnArrayError

_level: ContextVar[int] = ContextVar("unidiff_trace_level", default=0)

SCALARS = frozenset({bool, int, float, complex})
"""Python's own numbers, which every function of the standard accepts beside an array."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Library:
    """An array library as the engine sees it.

    Parameters
    ----------
    name : str
        Name of the backend whose arrays these are.
    xp : Namespace
        The library's array API namespace.
    array_types : tuple of type
        Its plain arrays, scalars that its functions return included.
    refused_types : tuple of type
        Subclasses of those that mean something else by the same operations, so that rules would be wrong for them.
    scalar_types : tuple of type
        Those of them that are immutable scalars, where ``x += 1`` makes a new object.
    freeze : callable or None
        ``freeze(x, lasting)`` returns what a recording may keep of a constant operand, so that a later change to it in place
        does not reach the recording, and what to call when the recording is gone, or None. ``lasting`` says that the recording
        outlives the call that made it. None where arrays are immutable.
    refused_write : callable
        Whether an exception says that an array is read-only, as those are that ``freeze`` made so.
    scatter_add : callable or None
        ``scatter_add(buffer, key, values)`` adds in place, repeated indices accumulating. None where the library's arrays
        are not mutable or it has no such function; the engine then uses a slower way made of standard functions.
    mutable : bool
        Whether ``buffer[key] = value`` and ``buffer += value`` change an array in place.
    to_numpy : callable
        Turns a plain array into one of NumPy, for ``__array__`` of constants.
    to_device : callable or None
        Copies a plain array to a device; None where there is only one.
    own : callable or None
        ``own(x, shared)`` returns a result as an array of the caller's own: a copy where ``shared`` says so or where ``x``
        is a view or cannot be written to. With None every result is copied, unless arrays are immutable.
    quiet : callable
        Makes a context in which derivatives are computed without floating-point warnings: an infinite derivative is a result,
        not an accident. The user's own operations run outside of it.
    natives : mapping
        The library's own implementations of unidiff's functions beyond the standard, by name.
    defers : bool
        Whether the operators of a plain array give way to those of a traced one on their right. Where they do not, plain arrays
        inside nested derivatives are wrapped as constants.
    mixin : type or None
        Extra methods for the class of traced arrays, such as the library's dispatch protocols.
    device_of : callable
        ``device_of(x)`` is the device of a plain or traced array, for libraries whose arrays have no attribute ``device``.
    layout : callable
        ``layout(x)`` is what, beside shape and dtype, a compiled program depends on: the device by default, and where that
        differs between arrays of one shape the order of the elements in memory, which decides on rounding.
    into : mapping
        For functions and operators that act element by element: ``into[f](*args, out)``, which computes ``f(*args)`` into an
        array, and without ``out`` into a new one.
    fresh : frozenset of callable
        Functions whose results never share memory with their arguments, beside those of ``into``.
    simplify : callable
        ``simplify(f, operands, kwargs)`` is a cheaper function that computes the same bits as ``f`` for array arguments of
        the ``kind``, ``shape`` and ``dtype`` that each of the operands tells, and these options, or None.
    random_state : callable
        ``random_state(objects)`` is the state of the library's random numbers, its own and those of generators among the
        objects; another one after a function has drawn some.
    silent, error_state, under : callable
        ``silent()`` makes a context in which a function is recorded without floating-point warnings; in it ``error_state()`` is
        how the function itself has asked for errors to be handled, None where it has not; ``under(state)`` makes a context in
        which they are.
    """

    name: str
    xp: Namespace
    array_types: tuple[type, ...]
    to_numpy: Callable[[Array], Any]
    refused_types: tuple[type, ...] = ()
    scalar_types: tuple[type, ...] = ()
    to_device: Callable[[Array, Device], Array] | None = None
    own: Callable[[Array, bool], Array] | None = None
    freeze: Callable[[Array, bool], tuple[Array, Callable[[], None] | None]] | None = None
    refused_write: Callable[[BaseException], bool] = lambda _error: False
    scatter_add: Callable[[Array, Any, Array], None] | None = None
    mutable: bool = True
    quiet: Callable[[], AbstractContextManager[Any]] = nullcontext
    natives: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    defers: bool = False
    mixin: type | None = None
    device_of: Callable[[Array], Device] = attrgetter("device")
    layout: Callable[[Array], Any] = attrgetter("device")
    into: Mapping[Callable[..., Any], Callable[..., Any]] = field(default_factory=dict)
    fresh: frozenset[Callable[..., Any]] = frozenset()
    simplify: Callable[..., Callable[..., Any] | None] = lambda *_: None
    random_state: Callable[[Iterable[object]], Any] = lambda _objects: None
    silent: Callable[[], AbstractContextManager[Any]] = nullcontext
    error_state: Callable[[], Any] = lambda: None
    under: Callable[[Any], AbstractContextManager[Any]] = nullcontext


class Trace:
    """One run of a transform; the base of the forward, reverse and batching traces.

    A trace over plain values (`base`) evaluates and differentiates with the library's own functions; one that encloses
    others does so with the differentiable namespace, which gives the derivatives of derivatives.
    """

    __slots__ = ("base", "domain", "level", "xp")

    knows_values = True
    """Whether an array of this trace has one value."""

    def __init__(self, domain: Any, level: int, base: bool) -> None:
        self.domain = domain
        self.level = level
        self.base = base
        self.xp: Namespace = domain.raw if base else domain.nested

    def process(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Evaluate the operation on arguments of which at least one belongs to this trace."""
        raise NotImplementedError

    def unary(self, op: Any, x: TracedArray) -> Any:
        """`process` for an elementwise function of one array."""
        return self.process(op, (x,), {})

    def both(self, op: Any, x1: TracedArray, x2: TracedArray) -> Any:
        """`process` for an elementwise function of two arrays, both this trace's own."""
        return self.process(op, (x1, x2), {})

    def first(self, op: Any, x: TracedArray, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """`process` for a traced argument of this trace's own before arguments that are not traced."""
        return self.process(op, (x, *args), kwargs)

    def pair(self, op: Any, x1: Any, x2: Any) -> Any:
        """`process` for two operands, each an array of this trace's own or not traced, and nothing else."""
        return self.process(op, (x1, x2), {})

    def part(self, op: Any, x: TracedArray, key: Any) -> Any:
        """`process` for indexing with integers and slices."""
        return self.process(op, (x, key), {})

    def evaluate(self, op: Any, values: list[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return the value of the operation one level down."""
        return (op.raw if self.base else op.function)(*values, **kwargs)

    def lower(self, x: Any) -> Any:
        """Return the value this trace sees in ``x``: its own traced arrays and constants unwrapped, others as they are."""
        if isinstance(x, TracedArray) and (x._trace is self or x._trace.level == 0):
            x = x._value
        return x if self.base else self.domain.beside_traced(x)

    def shape_of(self, x: TracedArray) -> tuple[int, ...]:
        """Return the shape that an array of this trace shows."""
        return x._value.shape  # type: ignore[no-any-return]  # arrays are foreign types

    def concrete(self, x: TracedArray, purpose: str) -> Any:
        """Return the plain value of ``x`` for Python control flow, or raise where there is none."""
        value = x._value
        return value._trace.concrete(value, purpose) if isinstance(value, TracedArray) else value


class ConstantTrace(Trace):
    """The trace of constants: arrays of the differentiable namespace that depend on no traced input."""

    __slots__ = ()

    def process(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Evaluate on plain values and wrap the results again."""
        ans = op.raw(*map(self.lower, args), **kwargs)
        result = wrap_constant(self.domain, ans)
        if op.rule.view and not self.domain.is_scalar(ans):
            share_memory(args[0], result)
        return result


class TracedArray:
    """An array that is being differentiated; `unidiff.engine.array` adds the array object of the standard.

    Every library has its own subclass, so that a test for the exact type also tells the library. The slot ``_memory`` is set
    only on arrays that are views of one another: all of them hold the same object. The slot ``_origin`` is set only on parts
    ``base[key]`` that share the memory of their base, and holds both.
    """

    __slots__ = ("_memory", "_node", "_origin", "_trace", "_value")

    _domain: Any
    _memory: object
    _node: Any
    _origin: tuple[TracedArray, Any]
    _trace: Trace
    _value: Any
    __unidiff_backend__: str

    def __init__(self, value: Any, trace: Trace, node: Any) -> None:
        self._value = value
        self._trace = trace
        self._node = node

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self._trace.shape_of(self)

    @property
    def dtype(self) -> DType:
        """Data type of the elements."""
        return self._value.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._trace.shape_of(self))

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self._trace.shape_of(self))

    @property
    def device(self) -> Device:
        """Device of the array."""
        return self._domain.device(self._value)


def device_of(x: Any) -> Device:
    """Return what rules pass on as the device of ``x``: None, the default, where a library's arrays do not say theirs."""
    return getattr(x, "device", None)


def transposed(x: Any) -> Any:
    """Return ``x.mT``, also of arrays that have no such attribute."""
    try:
        return x.mT
    except AttributeError:
        return x.swapaxes(-1, -2)


def share_memory(base: Any, view: TracedArray) -> None:
    """Note that one array is a view of the other, so that in-place change of either can be refused."""
    if not isinstance(base, TracedArray):
        return
    memory = getattr(base, "_memory", None)
    if memory is None:
        memory = base._memory = object()
    view._memory = memory


class NewLevel:
    """A level above the current one, entered as a context and left whatever happens."""

    __slots__ = ("_token",)

    def __enter__(self) -> int:
        level = _level.get() + 1
        self._token = _level.set(level)
        return level

    def __exit__(self, *exception: object) -> None:
        _level.reset(self._token)


TraceT = TypeVar("TraceT", bound=Trace)


def open_trace(kind: Callable[[Any, int, bool], TraceT], domain: Any, level: int, args: Iterable[Any]) -> TraceT:
    """Make a trace at the level; it is a base trace where nothing encloses it and no argument is traced."""
    trace = kind(domain, level, level == 1 and not any_traced(args))
    if domain.opened is not None:
        domain.opened.append(trace)
    return trace


def any_traced(args: Iterable[Any]) -> bool:
    """Whether one of the arguments is a traced array."""
    for arg in args:  # noqa: SIM110  # a generator for any() costs more than the loop
        if isinstance(arg, TracedArray):
            return True
    return False


def wrap_constant(domain: Any, value: Any) -> Any:
    """Wrap plain arrays of the library (also inside tuples) as constants; leave anything else alone."""
    if isinstance(value, domain.array_types):
        return domain.array_class(value, domain.constant, None)
    if isinstance(value, tuple):
        wrapped = [wrap_constant(domain, item) for item in value]
        return type(value)(*wrapped) if hasattr(value, "_fields") else tuple(wrapped)
    if isinstance(value, list):
        return [wrap_constant(domain, item) for item in value]
    return value


def dispatch(domain: Any, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Hand the operation to the trace with the highest level among the arguments, or evaluate it on plain ones."""
    top: Trace | None = None
    for arg in args:
        if isinstance(arg, TracedArray):
            trace = arg._trace
            if type(arg) is not domain.array_class:
                if arg._domain is domain.recorded:  # a namespace from outside, in a function that is being recorded
                    return arg._domain.operations[op.name].function(*args, **kwargs)
                raise MixedBackendsError(_mixed(domain, arg))
            if top is None or trace.level > top.level:
                top = trace
            elif trace.level == top.level and trace is not top:
                raise LeakedTracerError(LEAKED)
        elif arg is not None and type(arg) not in domain.operands and not domain.accepts(arg):
            check_operand(domain, arg)
    if top is None:
        return op.raw(*args, **kwargs)
    return top.process(op, args, kwargs)


LEAKED = (
    "a traced array was used outside the transform that made it. Return it from the differentiated function (use has_aux=True"
    " for values that are not differentiated) instead of storing it in a variable that outlives the call."
)


def check_operand(domain: Any, x: Any) -> None:
    """Raise unless ``x`` may stand beside traced arrays of the domain."""
    if isinstance(x, TracedArray):
        raise MixedBackendsError(_mixed(domain, x))
    if domain.accepts(x) or isinstance(x, type) or not hasattr(x, "dtype"):
        return
    if hasattr(x, "__array_namespace__") or hasattr(x, "__dlpack__"):
        raise MixedBackendsError(_mixed(domain, x))
    raise NotAnArrayError(f"{type(x).__module__}.{type(x).__qualname__} is not an array of the backend {domain.name!r}")


def _mixed(domain: Any, x: Any) -> str:
    kind = f"{type(x).__module__}.{type(x).__qualname__}"
    return (
        f"an array of type {kind} met a traced array of the backend {domain.name!r}. Convert one of them explicitly with"
        " unidiff.to_backend(...) before the differentiated function is called."
    )
