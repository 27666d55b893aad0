"""The engine as a backend: the flat contract of `unidiff.backend` for any array library."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any

from unidiff._typing import Array, Arrays, Device, DType, FlatFunction, Namespace
from unidiff.backend import BackendInfo
from unidiff.engine import control_flow, custom
from unidiff.engine.assembly import build_domain
from unidiff.engine.batching import BatchTrace
from unidiff.engine.capturing import closure_convert
from unidiff.engine.checkpointing import Checkpoint
from unidiff.engine.dependence import DependenceTrace
from unidiff.engine.forward import ForwardTrace
from unidiff.engine.linearity import LinearTrace, Nonlinear, is_zero
from unidiff.engine.passes import CHANGED, Passes, constant
from unidiff.engine.reverse import ReverseTrace, thaw_all
from unidiff.engine.rule import Rule
from unidiff.engine.ruled import with_rules
from unidiff.engine.series import SeriesTrace
from unidiff.engine.shapes import cast
from unidiff.engine.tracing import (
    Library,
    NewLevel,
    TracedArray,
    any_traced,
    open_trace,
    wrap_constant,
)
from unidiff.errors import (
    NONLINEAR,
    DeviceError,
    DTypeError,
    InPlaceError,
    NonlinearRuleError,
    NotAnArrayError,
    TracedConversionError,
    UnidiffError,
)


class EngineBackend(Passes):
    """Derivatives of a library's arrays by the engine.

    Parameters
    ----------
    info : BackendInfo
        What the plugin registered.
    library : Library
        The array library.
    rules : mapping
        The derivative rules, by name of the function.
    """

    def __init__(self, info: BackendInfo, library: Library, rules: Mapping[str, Rule]) -> None:
        super().__init__(library, build_domain(library, rules))
        self.info = info
        self.rules = rules

    # --- arrays

    def namespace(self, *arrays: Array) -> Namespace:
        """Return the differentiable namespace; that of traced arrays where one of the arrays is traced."""
        return self.domain.traced if any_traced(arrays) else self.domain.plain

    @property
    def device(self) -> Callable[[Array], Device]:
        """Return the device of a plain or traced array."""
        return self.library.device_of

    def to_device(self, x: Array, device: Device) -> Array:
        """Return ``x`` on the device; differentiable."""
        return self.domain.plain._to_device(x, device)

    def devices(self) -> Sequence[Device]:
        """Return the library's devices."""
        return tuple(self.library.xp.__array_namespace_info__().devices())

    def asarray(self, obj: Any, *, dtype: Any = None, device: Device | None = None) -> Array:
        """Return ``obj`` as an array of the library; nested sequences of traced arrays keep their derivative."""
        if dtype is not None:
            dtype = self._dtype(dtype)
        try:
            return self.domain.plain.asarray(obj, dtype=dtype, device=device)
        except UnidiffError:
            raise
        except (OverflowError, TypeError, ValueError) as error:
            if device is not None and device not in self.devices():
                known = ", ".join(map(str, self.devices()))
                raise DeviceError(f"{self.info.name} has no device {device!r} here; these exist: {known}") from None
            raise NotAnArrayError(f"{self.info.name} cannot make an array of {type(obj).__qualname__}: {error}") from error

    def _dtype(self, dtype: Any) -> DType:
        xp = self.library.xp
        found = getattr(xp, dtype, None) if isinstance(dtype, str) else dtype
        try:
            known = found is not None and xp.isdtype(found, ("bool", "numeric"))  # NumPy takes None for float64
        except (TypeError, ValueError):
            known = False
        if not known:
            raise DTypeError(f"{self.info.name} has no dtype {dtype!r}; pass one of its own or its name, such as 'float64'")
        return found

    def from_dlpack(self, x: Array, *, device: Device | None = None) -> Array:
        """Return an array that shares the memory of another library's where the devices allow it."""
        return self.library.xp.from_dlpack(x) if device is None else self.library.xp.from_dlpack(x, device=device)

    def to_numpy(self, x: Array) -> Any:
        """Return a plain array as a NumPy array."""
        if isinstance(x, TracedArray):
            if x._trace.level:
                raise TracedConversionError(
                    "a traced array has no NumPy value, since that would cut the derivative: compute with the functions of "
                    "unidiff.array_namespace(x), or return the value as aux"
                )
            x = x._value
        return self.library.to_numpy(x)

    def stop_gradient(self, x: Array) -> Array:
        """Return ``x`` as a constant to all derivatives being taken."""
        return wrap_constant(self.domain, self._stopped(x)) if isinstance(x, TracedArray) else x

    def _stopped(self, x: Array) -> Array:
        """Return the value beneath all derivatives, which keeps the slices of vectorizing maps."""
        if not isinstance(x, TracedArray):
            return x
        value, trace = self._stopped(x._value), x._trace
        return trace.variable(trace.lower(value)) if isinstance(trace, BatchTrace) else value

    # --- derivatives

    def vjp(self, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(outs, pullback)`` or ``(outs, pullback, aux)``."""
        outs, pullback, aux = self._linearized(f, primals, has_aux)
        return (outs, pullback, aux) if has_aux else (outs, pullback)

    def _linearized(
        self, f: FlatFunction, primals: Arrays, has_aux: bool, kind: type[ReverseTrace] = ReverseTrace
    ) -> tuple[Arrays, Callable[[Arrays], tuple[Array, ...]], Arrays]:
        """Return outputs, pullback and auxiliary outputs, from a recording of a kind."""
        primals = tuple(map(self._private, primals))
        trace, outs, aux = self._record(f, primals, has_aux, lasting=True, kind=kind)
        tape = trace.close()
        values, nodes = self._split(trace, outs)

        def pullback(cotangents: Arrays) -> tuple[Array, ...]:
            seeds = [
                (node, cast(trace.xp, ct, value.dtype))
                for node, value, ct in zip(nodes, values, cotangents, strict=True)
                if node is not None and ct is not None  # None is zero
            ]
            return self._finish(self._pull(trace, tape, seeds, primals, consume=False), (*primals, *cotangents))

        return tuple(self._finish(values, primals, always=True)), pullback, aux

    def transposed(
        self, linear: FlatFunction, zeros: Arrays, what: str
    ) -> tuple[Callable[[Arrays], tuple[Array, ...]], Arrays]:
        """Return the transpose of a function that returns ``(outs, aux)``, and ``aux``; raise where it is not linear."""
        try:
            outs, pullback, aux = self._linearized(linear, zeros, True, LinearTrace)
        except Nonlinear as error:
            raise NonlinearRuleError(NONLINEAR.format(what=what, found=f"it takes {error} of them")) from None
        if not all(map(self.is_zero, outs)):
            raise NonlinearRuleError(NONLINEAR.format(what=what, found="it is not zero where they are"))
        return pullback, aux

    def is_zero(self, x: Array) -> bool:
        """Whether an array is zero where it is finite; in the recorded run where it is being recorded."""
        return is_zero(self.domain, x)

    def value_and_grad(self, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(value, grads)`` or ``(value, grads, aux)``; the recording is freed as it is used."""
        trace, outs, aux = self._record(f, primals, has_aux)
        try:
            tape = trace.close()
            (value,), (node,) = self._split(trace, outs)
            one = self.domain.one(value.dtype, self.domain.device(value))
            grads = self._pull(trace, tape, () if node is None else ((node, one),), primals, consume=True)
        finally:
            if trace.thaws:
                trace.release()
        given = (*primals, one) if node is not None else (*primals, one, value)  # a constant may be held elsewhere
        value, *grads = self._finish((value, *grads), given)
        return (value, tuple(grads), aux) if has_aux else (value, tuple(grads))

    def jvp(self, f: FlatFunction, primals: Arrays, tangents: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(outs, tangents_out)`` or ``(outs, tangents_out, aux)``."""
        primals, tangents = tuple(map(self._lift, primals)), tuple(map(self._lift, tangents))
        thaws: list[Callable[[], None]] = []
        with NewLevel() as level:
            trace = open_trace(ForwardTrace, self.domain, level, (*primals, *tangents))
            guarded = self._guarded(primals, thaws)
            try:
                outs, aux = self._call(f, [trace.variable(x, t) for x, t in zip(guarded, tangents, strict=True)], has_aux)
            except BaseException as error:
                refused = bool(thaws) and self.library.refused_write(error)
                with suppress(InPlaceError):
                    thaw_all(thaws)
                if refused:
                    raise InPlaceError(CHANGED) from error
                raise
            finally:
                trace.close()
        thaw_all(thaws)
        values, nodes = self._split(trace, outs)
        tangents_out = [self._zeros_like(y) if t is None else t for y, t in zip(values, nodes, strict=True)]
        given = (*primals, *tangents)
        result = self._finish(values, (*given, *constant(values, nodes)))
        pushed = self._finish(tangents_out, (*given, *result))
        released = self._finish(*self._beside(trace, aux, (*given, *result, *pushed)))
        return (result, pushed, released) if has_aux else (result, pushed)

    def taylor(self, f: FlatFunction, primals: Arrays, tangents: Arrays, order: int, *, has_aux: bool = False) -> Any:
        """Return the coefficients 0 to ``order`` of ``f(primals + t * tangents)`` in powers of t, from one evaluation."""
        primals, tangents = tuple(map(self._lift, primals)), tuple(map(self._lift, tangents))
        with NewLevel() as level:
            trace = open_trace(SeriesTrace, self.domain, level, (*primals, *tangents))
            trace.order = order
            try:
                outs, aux = self._call(f, [trace.variable(x, t) for x, t in zip(primals, tangents, strict=True)], has_aux)
            finally:
                trace.close()
        values, nodes = self._split(trace, outs)
        given, found = (*primals, *tangents), []
        for k in range(order + 1):
            parts = [(y if k == 0 else None) if node is None else node.get(k) for y, node in zip(values, nodes, strict=True)]
            parts = [self._zeros_like(y) if part is None else part for y, part in zip(values, parts, strict=True)]
            found.append(self._finish(parts, given, always=True))
        released = self._finish(*self._beside(trace, aux, given), always=True)
        return (tuple(found), released) if has_aux else tuple(found)

    def vmap(self, f: FlatFunction, args: Arrays, batched: Sequence[bool], size: int, *, has_aux: bool = False) -> Any:
        """Return what ``f`` gives for each slice along the first axis of the batched arguments, stacked along a first axis.

        With ``has_aux`` the auxiliary outputs are returned as they are, None in the place of one that has the batch.
        """
        args = tuple(map(self._lift, args))
        with NewLevel() as level:
            trace = open_trace(BatchTrace, self.domain, level, args)
            trace.size = size
            args = tuple(map(trace.lower, args))
            slices = [trace.variable(x) if flag else self._as_constant(x) for x, flag in zip(args, batched, strict=True)]
            try:
                outs, aux = self._call(f, slices, has_aux)
            finally:
                trace.close()
        values, nodes = self._split(trace, outs)
        stacked = [y if node is not None else self._repeated(y, size) for y, node in zip(values, nodes, strict=True)]
        values, nodes = self._split(trace, aux)
        shared = [y for y, node in zip(values, nodes, strict=True) if node is None]
        results = iter(self._finish([*stacked, *shared], (*args, *shared)))
        outs = tuple(next(results) for _ in stacked)
        return (outs, tuple(next(results) if node is None else None for node in nodes)) if has_aux else outs

    def _as_constant(self, x: Array) -> Array:
        return x if isinstance(x, TracedArray) else wrap_constant(self.domain, x)

    def _repeated(self, x: Array, size: int) -> Array:
        return self.domain.plain.broadcast_to(x, (size, *x.shape))

    def cond(
        self, predicate: Array, if_true: Callable[..., Arrays], if_false: Callable[..., Arrays], operands: Arrays
    ) -> Arrays:
        """Return what one of two functions gives for the operands."""
        return control_flow.cond(self.domain, predicate, if_true, if_false, operands)

    def while_loop(self, condition: Callable[..., Array], body: Callable[..., Arrays], init: Arrays) -> Arrays:
        """Return the last values of a loop."""
        return control_flow.while_loop(self.domain, condition, body, init)

    def scan(self, f: Any, init: Arrays, xs: Arrays, length: int, reverse: bool) -> tuple[Arrays, Arrays]:
        """Return the last carry and the stacked results of a loop over slices."""
        return control_flow.scan(self, f, init, xs, length, reverse)

    def custom_jvp(self, f: Callable[..., Arrays], rule: Callable[..., Any]) -> Callable[..., Arrays]:
        """Return the function with a forward rule of its own."""
        return custom.CustomOperation(self, f, push=rule)

    def custom_vjp(
        self, f: Callable[..., Arrays], forward: Callable[..., Any], backward: Callable[..., Any], push: Any = None
    ) -> Callable[..., Arrays]:
        """Return the function with a reverse rule of its own, and where there is ``push`` also a forward rule."""
        return custom.CustomOperation(self, f, push, forward, backward)

    def checkpoint(self, f: Callable[..., Arrays]) -> Callable[..., Arrays]:
        """Return the function such that a recording keeps its arguments and computes the rest again."""
        return Checkpoint(self, f)

    def host_callback(self, f: Callable[..., Arrays], like: Callable[[], Sequence[Any]], args: Arrays) -> Arrays:  # noqa: ARG002  # only compilers need it
        """Return what a function of plain arrays gives."""
        return custom.host_callback(self, f, args)

    def shown(self, x: Any) -> Any:
        """Return an array as users' functions see it where no transform takes part: never a scalar of the library."""
        return self.library.xp.asarray(x) if isinstance(x, self.library.scalar_types) else x

    def hosted(self, f: Callable[..., Arrays]) -> Callable[..., Arrays]:
        """Return a function of plain arrays as an operation calls it."""
        return lambda *args: f(*(EngineBackend.shown(self, x) for x in args))

    def jacfwd(self, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(outs, jac)`` or ``(outs, jac, aux)`` from one pass that carries a batch of tangents."""
        sizes = [math.prod(x.shape) for x in primals]
        found: list[Any] = []

        def push(*tangents: Array) -> Arrays:
            found[:] = self.jvp(f, primals, tangents, has_aux=has_aux)
            pushed: Arrays = found[1]
            return pushed

        columns = self.vmap(push, self._unit_tangents(primals, sizes), [True] * len(primals), sum(sizes))
        outs, xp = found[0], self.domain.plain
        jac = []
        for y, block in zip(outs, columns, strict=True):
            last = xp.moveaxis(block, 0, -1)
            ends = list(accumulate(sizes))
            parts = [last[..., end - size : end] for end, size in zip(ends, sizes, strict=True)]
            shaped = [xp.reshape(part, (*y.shape, *x.shape)) for part, x in zip(parts, primals, strict=True)]
            jac.append(self._finish(shaped, (), always=True))
        return (outs, tuple(jac), *found[2:])

    def jacrev(self, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(outs, jac)`` or ``(outs, jac, aux)``: one recording, pulled back with a batch of cotangents per output."""
        outs, pullback, *aux = self.vjp(f, primals, has_aux=has_aux)
        xp = self.domain.plain
        jac = []
        for position, y in enumerate(outs):

            def pull(unit: Array, position: int = position) -> Arrays:
                pulled: Arrays = pullback([unit if i == position else None for i in range(len(outs))])
                return pulled

            rows = self.vmap(pull, self._unit_tangents((y,), [math.prod(y.shape)]), [True], math.prod(y.shape))
            shaped = [xp.reshape(row, (*y.shape, *x.shape)) for row, x in zip(rows, primals, strict=True)]
            jac.append(self._finish(shaped, (), always=True))
        return (outs, tuple(jac), *aux)

    def with_rules(self, f: FlatFunction, push: Callable[..., Arrays], pull: Callable[..., Arrays]) -> FlatFunction:
        """Return ``f`` with both derivative rules given; they may be differentiated again."""
        ruled: FlatFunction = with_rules(self, f, push, pull)
        return ruled

    def closure_convert(self, f: FlatFunction, args: Arrays) -> tuple[FlatFunction, Arrays] | None:
        """Return ``f`` as a function of the arrays that it holds and of its arguments, and these; None where all are plain."""
        return closure_convert(self, f, args)

    def dependence(self, f: FlatFunction, primals: Arrays) -> tuple[Array, ...]:
        """Return for each output which elements of the inputs it depends on: positive numbers, stacked along a first axis."""
        sizes = [math.prod(x.shape) for x in primals]

        def follow(*indicators: Array) -> Arrays:
            with NewLevel() as level:
                trace = open_trace(DependenceTrace, self.domain, level, indicators)
                try:
                    outs, _ = self._call(f, [trace.variable(x, t) for x, t in zip(primals, indicators, strict=True)], False)
                finally:
                    trace.close()
            values, nodes = self._split(trace, outs)
            return [self._zeros_like(y) if t is None else t for y, t in zip(values, nodes, strict=True)]

        mapped: tuple[Array, ...] = self.vmap(follow, self._unit_tangents(primals, sizes), [True] * len(primals), sum(sizes))
        return mapped

    def _unit_tangents(self, arrays: Arrays, sizes: Sequence[int]) -> list[Array]:
        """Return for each array a batch of tangents that together are the unit vectors of all arrays."""
        xp, total = self.library.xp, sum(sizes)
        units, start = [], 0
        for x, size in zip(arrays, sizes, strict=True):
            unit = xp.eye(total, size, k=-start, dtype=x.dtype, device=self.domain.device(x))
            units.append(xp.reshape(unit, (total, *x.shape)))
            start += size
        return units
