"""Operations whose derivatives are the user's own.

A trace hands the user's functions the values it sees, which are plain arrays or those of enclosing traces, so whatever encloses
it differentiates them in turn. The mode that was not given is the transpose of the other one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import factorial
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.engine.batching import BatchTrace
from unidiff.engine.forward import ForwardTrace
from unidiff.engine.linearity import LinearTrace, Nonlinear, is_independent
from unidiff.engine.marking import MarkTrace
from unidiff.engine.operation import Operation
from unidiff.engine.pullback import SLOT, Slots
from unidiff.engine.reverse import ReverseTrace
from unidiff.engine.rule import Rule
from unidiff.engine.series import Series, SeriesTrace
from unidiff.engine.tracing import LEAKED, Trace, TracedArray, dispatch, wrap_constant
from unidiff.errors import CLOSED_OVER, LeakedTracerError, MissingRuleError

Partial = Sequence[Array | None]
"""Tangents or cotangents; None is zero, and stands for all arrays that are not floating."""


class CustomOperation:
    """A flat function with derivatives of its own; at least one of `push` and the pair of `forward` and `backward` is given.

    Parameters
    ----------
    backend : EngineBackend
    call : callable
        ``call(*primals) -> outs``.
    push : callable, optional
        ``push(primals, tangents) -> (outs, tangents_out)``.
    forward, backward : callable, optional
        ``forward(*primals) -> (outs, residuals)`` and ``backward(residuals, cotangents) -> cotangents``, one for each primal.
    """

    __slots__ = ("backend", "backward", "call", "domain", "forward", "push")

    def __init__(self, backend: Any, call: Any, push: Any = None, forward: Any = None, backward: Any = None) -> None:
        self.backend, self.domain = backend, backend.domain
        self.call, self.push, self.forward, self.backward = call, push, forward, backward

    def __call__(self, *args: Array) -> Arrays:
        """Evaluate the function; the innermost transform of the arguments takes its derivative."""
        args = tuple(self._lifted(args))
        trace = top_trace(self.domain, args)
        if trace is None:
            return self._checked(self.call(*self._shown(args)), 1)
        if isinstance(trace, MarkTrace):
            return tuple(trace.call(self, args, {}))
        values = tuple(map(trace.lower, args))
        if isinstance(trace, ReverseTrace):
            if isinstance(trace, LinearTrace):
                self._require_linear(trace, args, values)
            return self._record(trace, args, values)
        if not trace.open:  # type: ignore[attr-defined]  # forward and batching traces say so
            raise LeakedTracerError(LEAKED)
        own = [isinstance(x, TracedArray) and x._trace is trace for x in args]
        if isinstance(trace, BatchTrace):
            return tuple(map(trace.variable, self._batched(own, trace.size)(*values)))
        if isinstance(trace, SeriesTrace):
            return self._expanded(trace, args, values, own)
        if not isinstance(trace, ForwardTrace):
            raise MissingRuleError("a function with a rule of its own has no rule for this transform.")
        tangents = [x._node if mine else None for x, mine in zip(args, own, strict=True)]
        outs, tangents_out = self._pushed(trace, values, tangents)
        return tuple(trace._output(y, t) for y, t in zip(outs, tangents_out, strict=True))

    # --- what users' functions get and return

    def _shown(self, arrays: Partial) -> Arrays:
        return tuple(x if x is None else self.backend.shown(x) for x in arrays)

    def _lifted(self, arrays: Partial) -> Arrays:
        return tuple(map(self.backend._lift, arrays))

    def _checked(self, results: Partial, level: int) -> Arrays:
        """Return results of a user's function, which depend on no trace that its arguments do not depend on."""
        results = self._lifted(results)
        for y in results:
            if isinstance(y, TracedArray) and y._trace.level >= level:
                raise LeakedTracerError(CLOSED_OVER)
        return results

    def _is_floating(self, x: Array) -> bool:
        return bool(self.domain.kind(x.dtype) != "exact")

    def _with_zeros(self, given: Partial, like: Arrays) -> Partial:
        """Return tangents or cotangents with zeros in place of what is absent, but for arrays that are not floating."""
        zeros = self.backend._zeros_like
        return tuple(
            None if not self._is_floating(x) else zeros(x) if t is None else t for t, x in zip(given, like, strict=True)
        )

    # --- forward mode

    def _pushed(self, trace: ForwardTrace, values: Arrays, tangents: Partial) -> tuple[Arrays, Partial]:
        shown, level = self._shown(values), trace.level
        if self.push is not None:
            outs, pushed = self.push(shown, self._shown(self._lifted(self._with_zeros(tangents, values))))
            return self._checked(outs, level), self._checked(pushed, level)
        outs, residuals = self.forward(*shown)
        outs = self._checked(outs, level)
        return outs, self._checked(self._transposed_pull(residuals, outs, values, self._lifted(tangents)), level)

    def _transposed_pull(self, residuals: Any, outs: Arrays, values: Arrays, tangents: Partial) -> Partial:
        """Push tangents forward by the transpose of the cotangent map, which is linear."""
        floating = [self._is_floating(y) for y in outs]
        chosen: list[int] = []

        def pull(*cotangents: Array) -> Arrays:
            given = iter(cotangents)
            pulled = self.backward(residuals, tuple(next(given) if yes else None for yes in floating))
            chosen[:] = [i for i, x in enumerate(values) if self._is_floating(x) and pulled[i] is not None]
            return tuple(pulled[i] for i in chosen)

        zeros = tuple(self.backend._zeros_like(y) for y, yes in zip(outs, floating, strict=True) if yes)
        what = f"The cotangent map of {self.name}"
        pullback, _ = self.backend.transposed(lambda *cotangents: (pull(*cotangents), ()), zeros, what)
        pushed = iter(pullback(tuple(self._with_zeros(tangents, values)[i] for i in chosen)))
        return tuple(next(pushed) if yes else None for yes in floating)

    # --- Taylor mode

    def _expanded(self, trace: SeriesTrace, args: Arrays, values: Arrays, own: Sequence[bool]) -> Arrays:
        """Return the series of the results by nested forward mode: the user's rule gives one derivative at a time."""
        xp, order = self.domain.plain, trace.order
        places = [i for i, mine in enumerate(own) if mine]
        coefficients = {i: [args[i]._node.get(k) for k in range(1, order + 1)] for i in places}

        def curve(*times: Array) -> Arrays:
            moved = list(values)
            for i, t in zip(places, times, strict=True):
                change = None
                for part in reversed(coefficients[i]):
                    change = part if change is None else xp.multiply(change, t) if part is None else xp.add(part, change * t)
                moved[i] = values[i] if change is None else xp.add(values[i], xp.multiply(change, t))
            return self(*moved)

        ones = tuple(self.domain.one(values[i].dtype, self.domain.device(values[i])) for i in places)

        def tower(height: int) -> Callable[..., Arrays]:
            if not height:
                return curve

            def raised(*times: Array) -> Arrays:
                outs, pushed = self.backend.jvp(tower(height - 1), times, ones)
                return (*outs, *pushed[len(outs) - len(outs) // height :])

            return raised

        flat = self._checked(tower(order)(*map(self.backend._zeros_like, ones)), trace.level)
        count = len(flat) // (order + 1)
        series = []
        for i in range(count):
            known = [y if k < 2 else y / factorial(k) for k, y in enumerate(flat[i::count])]
            series.append(Series.of(self._lifted(known)))
        return tuple(trace._output(found.known[0], found) for found in series)

    # --- reverse mode

    def _record(self, trace: ReverseTrace, args: Arrays, values: Arrays) -> Arrays:
        shown, level = self._shown(values), trace.level
        if self.forward is not None:
            outs, residuals = self.forward(*shown)
            kept = tuple(map(trace.frozen, self._checked(residuals, level)))
            pull: Any = partial(self._pull_kept, kept)
            outs = self._checked(outs, level)
        else:
            outs, pull = self._transposed_push(shown, values)
            outs = self._checked(outs, level)
        own = [i for i, x in enumerate(args) if isinstance(x, TracedArray) and x._trace is trace]
        edge: Any = None
        for i in reversed(own):
            edge = (_pick, args[i]._node, i, (values[i].shape, values[i].dtype), edge)
        if edge is None:
            return tuple(wrap_constant(self.domain, tuple(outs)))
        trace.tape.append(edge)
        like = tuple((y.shape, y.dtype, self.domain.device(y)) for y in outs)
        join = partial(self._pulled, pull, like, values)
        return tuple(trace._several(tuple(outs), (join, len(trace.tape) - 1, None, SLOT, None)))

    def _pull_kept(self, kept: tuple[Any, ...], cotangents: Partial) -> Partial:
        pulled: Partial = self.backward(self._shown(kept), cotangents)
        return pulled

    def _pulled(self, pull: Any, like: Any, values: Arrays, xp: Any, g: Partial, _: None) -> Slots:
        """Pull the cotangents of all results back to all arguments, in one call of the user's function."""
        plain = xp is self.domain.raw
        zeros, kind = self.domain.raw.zeros, self.domain.kind
        given = [
            zeros(shape, dtype=dtype, device=device) if ct is None and kind(dtype) != "exact" else ct
            for ct, (shape, dtype, device) in zip(g, like, strict=True)
        ]
        pulled = self._with_zeros(self._lifted(pull(self._shown(self._lifted(given)))), values)
        return Slots([ct if plain or ct is None else self.domain.beside_traced(ct) for ct in pulled])

    def _transposed_push(self, shown: Arrays, values: Arrays) -> tuple[Arrays, Callable[[Partial], Partial]]:
        """Run the rule once on tangents that are recorded; its transpose is their pullback."""
        floating = [self._is_floating(x) for x in values]
        present: list[bool] = []

        def push(*tangents: Array) -> tuple[Arrays, Arrays]:
            given = iter(tangents)
            outs, pushed = self.push(shown, tuple(next(given) if yes else None for yes in floating))
            present[:] = [t is not None for t in pushed]
            return tuple(t for t in pushed if t is not None), tuple(outs)

        zeros = tuple(self.backend._zeros_like(x) for x, yes in zip(values, floating, strict=True) if yes)
        pullback, outs = self.backend.transposed(push, zeros, f"The tangent map of {self.name}")

        def pull(cotangents: Partial) -> Partial:
            found = iter(pullback(self._lifted(tuple(ct for ct, yes in zip(cotangents, present, strict=True) if yes))))
            return tuple(next(found) if yes else None for yes in floating)

        return outs, pull

    def _require_linear(self, trace: LinearTrace, args: Arrays, values: Arrays) -> None:
        """Raise where a linear map takes the function, and its derivative depends on those of its arguments that are mapped."""
        own = [isinstance(x, TracedArray) and x._trace is trace for x in args]
        zeros, ones = self.domain.nested.zeros, self.domain.nested.ones

        def like(x: Array, make: Any) -> Array:
            return make(tuple(x.shape), dtype=x.dtype, device=self.domain.device(x))

        def derivative(marks: MarkTrace) -> Sequence[Any]:
            given = self._shown(tuple(marks.mark(x) if mine else x for x, mine in zip(values, own, strict=True)))
            if self.forward is not None:
                outs, residuals = self.forward(*given)
                pulled = self.backward(residuals, self._with_zeros([like(y, ones) for y in outs], outs))
                return [g for g, mine in zip(pulled, own, strict=True) if mine]

            def moved(*tangents: Array) -> tuple[Arrays, Arrays]:
                found = iter(tangents)
                full = [next(found) if mine else None for mine in own]
                return tuple(t for t in self.push(given, self._with_zeros(full, values))[1] if t is not None), ()

            start = tuple(like(x, zeros) for x, mine in zip(values, own, strict=True) if mine)
            pushed, pullback, _ = self.backend._linearized(moved, start, True)
            pulled_back: Sequence[Any] = pullback(tuple(like(t, ones) for t in pushed))
            return pulled_back

        if not is_independent(self.domain, derivative):
            raise Nonlinear(self.name)

    @property
    def name(self) -> str:
        """What the function is called in messages."""
        return getattr(self.call, "__name__", "the function")

    # --- batching

    def _batched(self, flags: Sequence[bool], size: int) -> CustomOperation:
        """Return the operation on whole batches, with all derivatives batched as ordinary functions."""
        mapped = partial(map_over, self.backend, size)
        sums = self.domain.plain.sum

        def call(*values: Array) -> Arrays:
            return mapped(lambda *xs: tuple(self.call(*xs)), values, flags)

        def push(primals: Arrays, tangents: Partial) -> tuple[Arrays, Partial]:
            def slices(*arrays: Any) -> tuple[Any, ...]:
                outs, pushed = self.push(arrays[: len(flags)], arrays[len(flags) :])
                return (*outs, *pushed)

            both = mapped(slices, (*primals, *tangents), (*flags, *flags))
            return both[: len(both) // 2], both[len(both) // 2 :]

        def forward(*values: Array) -> tuple[Arrays, tuple[Any, ...]]:
            counts: list[int] = []

            def slices(*xs: Array) -> tuple[Any, ...]:
                outs, residuals = self.forward(*xs)
                counts[:] = [len(outs)]
                return (*outs, *residuals)

            results = mapped(slices, values, flags)
            return results[: counts[0]], results[counts[0] :]

        def backward(residuals: tuple[Any, ...], cotangents: Partial) -> Partial:
            count = len(residuals)
            pulled = mapped(
                lambda *xs: tuple(self.backward(xs[:count], xs[count:])),
                (*residuals, *cotangents),
                [True] * (count + len(cotangents)),
            )
            return tuple(g if g is None or flag else sums(g, axis=0) for g, flag in zip(pulled, flags, strict=True))

        call.__name__ = self.name
        with_forward = self.forward is not None
        return CustomOperation(
            self.backend,
            call,
            push if self.push is not None else None,
            forward if with_forward else None,
            backward if with_forward else None,
        )


def map_over(backend: Any, size: int, f: Any, values: Sequence[Any], flags: Sequence[bool]) -> tuple[Any, ...]:
    """Return what a function gives for each slice, stacked; what is no array, in arguments and results, stays as it is."""
    is_array = [isinstance(x, backend.domain.arrays) for x in values]
    results: list[Any] = []

    def slices(*arrays: Array) -> Arrays:
        given = iter(arrays)
        results[:] = f(*(next(given) if yes else x for x, yes in zip(values, is_array, strict=True)))
        return tuple(y for y in results if isinstance(y, backend.domain.arrays))

    arrays = [x for x, yes in zip(values, is_array, strict=True) if yes]
    chosen = [flag for flag, yes in zip(flags, is_array, strict=True) if yes]
    stacked = iter(backend.vmap(slices, arrays, chosen, size))
    return tuple(next(stacked) if isinstance(y, backend.domain.arrays) else y for y in results)


def top_trace(domain: Any, args: Sequence[Any]) -> Trace | None:
    """Return the innermost transform that one of the arrays belongs to, None where all are plain."""
    top: Trace | None = None
    for x in args:
        if isinstance(x, TracedArray) and x._trace.level:
            if type(x) is not domain.array_class or (top is not None and top.level == x._trace.level and top is not x._trace):
                raise LeakedTracerError(LEAKED)
            if top is None or x._trace.level > top.level:
                top = x._trace
    return top


def host_callback(backend: Any, f: Callable[..., Arrays], args: Arrays) -> Arrays:
    """Return what a function of plain arrays gives, slice by slice under a vectorizing map; it has no derivative."""
    rule = Rule(name="host_callback", kind="general", outputs=0)
    operation = Operation(backend.domain, rule, backend.hosted(f))
    operation.function = lambda *xs: dispatch(backend.domain, operation, xs, {})
    results: Arrays = operation.function(*args)
    return results


def _pick(_xp: Any, g: tuple[Any, ...], position: int) -> Any:
    return g[position]
