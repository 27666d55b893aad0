"""The engine over arrays that are being recorded.

For a library there is one more domain, whose plain arrays are symbols. All transforms run in it as they do over the library
itself, with the same rules and the same choices, so a recorded program is the sequence of calls that the transforms make on
plain arrays, and it computes the same bits. Users see the symbols as constants of that domain, which have the whole array
object of the standard.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial, wraps
from types import ModuleType
from typing import Any

from unidiff._typing import Array, Arrays, Device, DType, Namespace
from unidiff.backend import OPTIONAL_OPERATIONS
from unidiff.engine.assembly import build_domain
from unidiff.engine.backend import EngineBackend
from unidiff.engine.compiling import reversing, staging
from unidiff.engine.compiling.program import ADD_AT
from unidiff.engine.compiling.recording import LEAKED, Recorder, Symbol, add_at_of, current, recorder_of
from unidiff.engine.compiling.staging import Unstageable
from unidiff.engine.domain import Domain
from unidiff.engine.indexing import add_at
from unidiff.engine.namespace import SUBMODULES
from unidiff.engine.rule import Pass, Rule
from unidiff.engine.tracing import Library, TracedArray, wrap_constant
from unidiff.errors import InPlaceError, LeakedTracerError, TracedConversionError


class RecordingDomain(Domain):
    """A domain whose plain arrays are symbols."""

    def is_scalar(self, value: Any) -> bool:
        """Whether an immutable scalar is beneath all traces and symbols."""
        while isinstance(value, TracedArray):
            value = value._value
        return isinstance(value.example if type(value) is Symbol else value, self.library.scalar_types)

    def one(self, dtype: DType, device: Device) -> Array:
        """Return the 0-d array that seeds a gradient, anew for each recording."""
        return self.library.xp.ones((), dtype=dtype, device=device)

    def add_at(self, buffer: Array, key: Any, values: Array) -> None:
        """Add into a part of an array; where the library cannot, what stands in for it goes by the indices' values."""
        if type(buffer) is not Symbol or self.library.scatter_add is not None:
            super().add_at(buffer, key, values)
        else:
            buffer.recorder.update(ADD_AT, buffer, key, values, partial(add_at, buffer.recorder.library))


class RecordingBackend(EngineBackend):
    """The transforms of the engine on symbols; what they are given and return is wrapped for the user's function.

    Parameters
    ----------
    plain : EngineBackend
        The backend of the library.
    """

    def __init__(self, plain: EngineBackend) -> None:
        self.info = plain.info
        self.plain = plain.library
        self.rules = plain.rules
        self.library = recording_library(plain)
        rules = {name: _marked(rule) for name, rule in plain.rules.items()}
        self.domain = build_domain(self.library, rules, RecordingDomain)
        self.domain.array_class.__unidiff_backend__ = plain.domain.name
        plain.domain.recorded = self.domain
        self._install_matmul()

    def _install_matmul(self) -> None:
        """Let ``@`` between plain arrays be the library's own operator, which may round unlike its function."""
        function, operate = self.domain.plain.matmul, recorded("matmul", operator.matmul)

        def matmul(x: Any, y: Any) -> Any:
            if any(isinstance(z, TracedArray) and z._trace.level for z in (x, y)):
                return function(x, y)
            return self.wrapped(operate(self.unwrapped(x), self.unwrapped(y)))

        cls: Any = self.domain.array_class
        cls.__matmul__, cls.__rmatmul__ = matmul, lambda y, x: matmul(x, y)

    def namespace(self, *arrays: Array) -> Namespace:  # noqa: ARG002  # one serves all: users see no plain arrays
        """Return the namespace whose creation functions make constants."""
        return self.domain.traced

    def asarray(self, obj: Any, *, dtype: Any = None, device: Device | None = None) -> Array:
        """Return ``obj`` as a constant."""
        return self.wrapped(super().asarray(obj, dtype=dtype, device=device))

    def to_device(self, x: Array, device: Device) -> Array:
        """Return ``x`` on the device."""
        return self.wrapped(super().to_device(x, device))

    def _private(self, x: Array) -> Array:
        return ordered_as(self.plain, x, partial(self.plain.xp.asarray, copy=True)) if self.plain.mutable else x

    def shown(self, x: Any) -> Any:
        """Return a symbol as a constant, which has the whole array object of the standard."""
        return wrap_constant(self.domain, x)

    def cond(
        self, predicate: Array, if_true: Callable[..., Arrays], if_false: Callable[..., Arrays], operands: Arrays
    ) -> Arrays:
        """Return what one of two functions gives; a branch within a loop that is a part of the program is a part, too."""
        recorder = current.get()
        if recorder is not None and recorder.outer is not None:
            with suppress(Unstageable):
                return staging.cond(self, predicate, if_true, if_false, operands)
        return super().cond(predicate, if_true, if_false, operands)

    def while_loop(self, condition: Callable[..., Array], body: Callable[..., Arrays], init: Arrays) -> Arrays:
        """Return the last values of a loop, whose condition and body are parts of the program."""
        recorder = current.get()
        if recorder is not None and recorder.stages:
            with suppress(Unstageable):
                return staging.while_loop(self, condition, body, init)
        return super().while_loop(condition, body, init)

    def scan(self, f: Any, init: Arrays, xs: Arrays, length: int, reverse: bool) -> tuple[Arrays, Arrays]:
        """Return the last carry and the stacked results of a loop; where it is long its body is a part of the program."""
        recorder: Any = current.get()
        if recorder.stages and recorder.steps * length > staging.LONGEST:
            with suppress(Unstageable):
                return reversing.scan(self, f, init, xs, length, reverse)
        before, recorder.steps = recorder.steps, recorder.steps * max(length, 1)
        try:
            return super().scan(f, init, xs, length, reverse)
        finally:
            recorder.steps = before

    def hosted(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of plain arrays such that its calls are noted; it is called again in each run."""
        plain = super().hosted(f)

        def outside(*args: Any) -> Any:
            token = current.set(None)  # what the function does is not part of the program
            try:
                return plain(*args)
            finally:
                current.reset(token)

        return recorded("host_callback", outside)

    def wrapped(self, x: Any) -> Any:
        """Return symbols, also in tuples, as constants, and functions of symbols as functions of constants."""
        if callable(x) and not isinstance(x, (Symbol, TracedArray)):
            return lambda *args: self.wrapped(x(*map(self.unwrapped, args)))
        if isinstance(x, (tuple, list)):
            return type(x)(map(self.wrapped, x))
        return wrap_constant(self.domain, x)

    def unwrapped(self, x: Any) -> Any:
        """Return constants as the symbols they hold."""
        if isinstance(x, TracedArray):
            return x._value if x._trace.level == 0 and type(x) is self.domain.array_class else x
        if type(x) in (tuple, list):
            return type(x)(map(self.unwrapped, x))
        return x


def _between(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a transform whose arguments are symbols and whose results the user's function sees."""

    @wraps(method)
    def transform(self: RecordingBackend, *args: Any, **kwargs: Any) -> Any:
        return self.wrapped(method(self, *map(self.unwrapped, args), **kwargs))

    return transform


def _returning(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operation that hands arguments on to the user's functions as they are."""

    @wraps(method)
    def operation(self: RecordingBackend, *args: Any, **kwargs: Any) -> Any:
        result = method(self, *args, **kwargs)
        if callable(result) and not isinstance(result, TracedArray):
            return lambda *arrays: self.wrapped(result(*arrays))
        return self.wrapped(result)

    return operation


_TRANSFORMS = frozenset("vjp jvp value_and_grad linearize jacfwd jacrev vmap taylor dependence".split())

for _name in {*_TRANSFORMS, *OPTIONAL_OPERATIONS} - {"jit", "stop_gradient", "cond", "while_loop", "scan"}:
    if hasattr(EngineBackend, _name):
        _adapt = _between if _name in _TRANSFORMS else _returning
        setattr(RecordingBackend, _name, _adapt(getattr(EngineBackend, _name)))


def recording_library(plain: EngineBackend) -> Library:
    """Return a library like that of a backend whose functions record their calls."""
    library = plain.library
    natives = {name: recorded(name, _get(plain.domain.raw, name)) for name in plain.domain.operations}

    def to_numpy(x: Any) -> Any:
        if type(x) is not Symbol:
            return library.to_numpy(x)
        return recorder_of(x).guard(x, library.to_numpy, "numpy.asarray(x)")

    def frozen(x: Any, lasting: bool) -> Any:
        if library.freeze is None:
            return x
        kept, thaw = library.freeze(x, lasting)
        if thaw is not None:
            thaw()
        return kept

    def freeze(x: Any, lasting: bool) -> tuple[Any, None]:
        recorder = current.get()
        if recorder is None or isinstance(x, library.scalar_types):
            return x, None
        if type(x) is not Symbol:
            x = Symbol(recorder, recorder.capture(x), x, known=False)
        return ordered_as(library, x, partial(frozen, lasting=lasting)), None

    def own(x: Any, shared: bool) -> Any:
        given = library.own
        return x if given is None else ordered_as(library, x, lambda y: given(y, shared))

    return replace(
        library,
        name=f"{library.name}_recorded",
        xp=_recording_namespace(library.xp),
        array_types=(Symbol, *library.array_types),
        to_numpy=to_numpy,
        to_device=None if library.to_device is None else recorded("_to_device", library.to_device),
        own=own,
        freeze=freeze,
        scatter_add=add_at_of(library),
        quiet=_quiet,
        natives=natives,
    )


def ordered_as(library: Library, x: Any, copied: Callable[[Any], Any]) -> Any:
    """Return an array, or where a copy that is made without recording has its elements in another order, that copy.

    Nothing that is recorded is changed, so there is no need of copies, but the order decides on how later sums are rounded.
    """
    if type(x) is not Symbol or library.layout(copied(x.example)) == library.layout(x.example):
        return x
    return recorder_of(x).record("copy", copied, (x,), {})


def recorded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that notes its calls in the recording in progress."""

    def call(*args: Any, **kwargs: Any) -> Any:
        recorder = current.get()
        if recorder is not None:
            return recorder.record(name, function, args, kwargs)
        if Symbol in map(type, args):
            raise LeakedTracerError(LEAKED)
        return function(*args, **kwargs)

    call.__name__ = name.rpartition(".")[2]
    call.__doc__ = getattr(function, "__doc__", None)
    return call if isinstance(function, partial) else wraps(function)(call)


def _recorded_asarray(function: Callable[..., Any]) -> Callable[..., Any]:
    def asarray(obj: Any, /, **kwargs: Any) -> Any:
        recorder = current.get()
        if recorder is None:
            return function(obj, **kwargs)
        if type(obj) is Symbol and kwargs.get("dtype") in (None, obj.dtype) and kwargs.get("device") in (None, obj.device):
            return Symbol(recorder, recorder.encode(obj).number, function(obj.example, copy=True), known=obj.known)
        return recorder.record("asarray", function, (obj,), kwargs)

    return asarray


@contextmanager
def _quiet() -> Iterator[None]:
    recorder = current.get()
    if recorder is None:
        yield
        return
    recorder.quiet_depth += 1
    try:
        yield
    finally:
        recorder.quiet_depth -= 1


def _get(namespace: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        namespace = getattr(namespace, part)
    return namespace


def _recording_namespace(xp: Namespace) -> ModuleType:
    module = ModuleType(f"{xp.__name__}_recorded")
    for prefix in (None, *SUBMODULES):
        source = xp if prefix is None else getattr(xp, prefix, None)
        if source is None:
            continue
        target = module if prefix is None else ModuleType(f"{module.__name__}.{prefix}")
        if prefix is not None:
            setattr(module, prefix, target)
        for name in dir(source):
            value = getattr(source, name)
            if isinstance(value, ModuleType) or name in ("__dict__", "__class__", "__name__"):
                continue
            is_function = callable(value) and not isinstance(value, type) and not name.startswith("_")
            dotted = f"{prefix}.{name}" if prefix else name
            if is_function and dotted != "asarray":
                value = recorded(dotted, value)
            setattr(target, name, _recorded_asarray(value) if dotted == "asarray" else value)
    return module


def _marked(rule: Rule) -> Rule:
    """Return the rule with maps that tell the recording that it is they, not the user's function, that branch on values."""
    if rule.kind == "elementwise":
        return rule
    return replace(
        rule,
        jvps=tuple(map(_marking, rule.jvps)),
        vjps=tuple(map(_marking, rule.vjps)),
        implementation=None if rule.implementation is None else _marking(rule.implementation),
    )


def _marking(function: Pass | None) -> Pass | None:
    if function is None:
        return None

    @wraps(function)
    def marked(*args: Any, **kwargs: Any) -> Any:
        recorder = current.get()
        if recorder is None:
            return function(*args, **kwargs)
        recorder.rule_depth += 1
        try:
            return function(*args, **kwargs)
        finally:
            recorder.rule_depth -= 1

    return marked


def record(
    backend: RecordingBackend, library: Library, f: Callable[..., Any], args: Arrays, *, stages: bool = True
) -> tuple[Any, Any]:
    """Run a flat function on symbols of its arguments; return the recording and what the function returned beside arrays.

    The function returns a tuple of arrays and anything else. With ``stages`` loops may be recorded as parts.
    """
    recorder = Recorder(library)
    recorder.stages = stages
    token = current.set(recorder)
    try:
        inputs = [recorder.input(x) for x in args]
        given = [wrap_constant(backend.domain, x) for x in inputs]
        with library.silent():
            outs, aux = f(*given)
        _check_unchanged(given, inputs)
        recorder.program.outputs = [recorder.encode(_plain(backend, y)) for y in outs]
    finally:
        recorder.open = False
        current.reset(token)
    return recorder, aux


def _plain(backend: RecordingBackend, y: Any) -> Any:
    value = backend.unwrapped(y)
    if isinstance(value, TracedArray):
        raise TracedConversionError("the compiled function returned an array of a transform that is not its own.")
    return value


def _check_unchanged(given: list[Any], inputs: list[Symbol]) -> None:
    for position, (x, symbol) in enumerate(zip(given, inputs, strict=True)):
        if x._value is not symbol:
            raise InPlaceError(
                f"argument {position} (counting arrays) was changed in place by a function under unidiff.jit. A compiled"
                " function changes none of its arguments: write x = x + y instead of x += y, and return what is to change."
            )
