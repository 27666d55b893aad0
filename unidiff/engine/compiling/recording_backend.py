"""The engine over arrays that are being recorded.

For a library there is one more domain, whose plain arrays are symbols. All transforms run in it as they do over the library
itself, with the same rules and the same choices, so a recorded program is the sequence of calls that the transforms make on
plain arrays, and it computes the same bits. Users see the symbols as constants of that domain, which have the whole array
object of the standard.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from typing import Any

from unidiff._typing import Array, Arrays, Device, Namespace
from unidiff.backend import OPTIONAL_OPERATIONS
from unidiff.engine import control_flow
from unidiff.engine.assembly import build_domain
from unidiff.engine.backend import EngineBackend
from unidiff.engine.compiling import reversing, staging
from unidiff.engine.compiling.composition import Unstageable
from unidiff.engine.compiling.recording import Recorder, Symbol, current
from unidiff.engine.compiling.recording_domain import RecordingDomain, complete
from unidiff.engine.compiling.recording_library import marked, ordered_as, recorded, recording_library
from unidiff.engine.compiling.staging import Unsettled
from unidiff.engine.tracing import Library, TracedArray, wrap_constant
from unidiff.errors import InPlaceError, TracedConversionError


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
        rules = {name: marked(rule) for name, rule in plain.rules.items()}
        self.domain = build_domain(self.library, rules, RecordingDomain)
        self.domain.array_class.__unidiff_backend__ = plain.domain.name
        plain.domain.recorded = self.domain
        complete(self.domain, plain.domain)

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
        recorder: Any = current.get()
        attempts = _Attempts(lambda values: staging.while_loop(self, condition, body, values), enabled=recorder.stages)
        return control_flow.while_loop(self.domain, condition, body, init, attempts)

    def scan(self, f: Any, init: Arrays, xs: Arrays, length: int, reverse: bool) -> tuple[Arrays, Arrays]:
        """Return the last carry and the stacked results of a loop; where it is long its body is a part of the program."""
        recorder: Any = current.get()
        steps = recorder.steps
        attempts = _Attempts(
            lambda carry, xs, rows, order: reversing.scan(self, f, carry, xs, rows, order),
            enabled=recorder.stages and steps * length > staging.LONGEST,
        )

        def attempt(*given: Any) -> Any:
            left = len(given[-1])
            found = attempts(*given) if left > 2 else None
            if found is None and attempts.given_up:
                staging.check_length(left * steps)
            return found

        before, recorder.steps = recorder.steps, recorder.steps * max(length, 1)
        try:
            return control_flow.scan(self, f, init, xs, length, reverse, attempt)
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


class _Attempts:
    """Attempts to do what is left of a loop as a part of the program, one before each step for as long as that may help."""

    def __init__(self, attempt: Callable[..., Any], *, enabled: bool) -> None:
        self.attempt, self.left, self.given_up = attempt, staging.UNSETTLED if enabled else 0, False

    def __call__(self, *given: Any) -> Any:
        """Return what the loop gives, None where the next step has to be recorded for itself."""
        if not self.left:
            return None
        try:
            return self.attempt(*given)
        except Unsettled:
            self.left -= 1
        except Unstageable:
            self.left = 0
        self.given_up = not self.left
        return None


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
