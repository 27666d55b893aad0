"""One pass over a function: how it is called on a trace, how results are pulled back and become the caller's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from unidiff._typing import Array, Arrays, FlatFunction
from unidiff.engine.domain import Domain
from unidiff.engine.placement import beside
from unidiff.engine.pullback import pull_back
from unidiff.engine.reverse import ReverseTrace
from unidiff.engine.tracing import (
    LEAKED,
    Library,
    Trace,
    TracedArray,
    _level,
    open_trace,
)
from unidiff.errors import (
    InPlaceError,
    LeakedTracerError,
)


class Passes:
    """What all derivatives of the engine are made of.

    Parameters
    ----------
    library : Library
        The array library.
    domain : Domain
        The library with its rules.
    """

    def __init__(self, library: Library, domain: Domain) -> None:
        self.library = library
        self.domain = domain

    def _record(
        self, f: FlatFunction, primals: Arrays, has_aux: bool, *, lasting: bool = False, kind: type[ReverseTrace] = ReverseTrace
    ) -> tuple[ReverseTrace, Arrays, Arrays]:
        level = _level.get() + 1
        trace = open_trace(kind, self.domain, level, primals)
        trace.lasting = lasting
        guarded = primals if lasting else self._guarded(primals, trace.thaws)
        token = _level.set(level)
        try:
            outs, aux = self._call(f, [trace.variable(x) for x in guarded], has_aux)
        except BaseException as error:
            refused = bool(trace.thaws) and self.library.refused_write(error)
            with suppress(InPlaceError):
                trace.release()
            if refused:
                raise InPlaceError(CHANGED) from error
            raise
        finally:
            _level.reset(token)
        return trace, outs, self._finish(*self._beside(trace, aux, primals), always=lasting) if aux else aux

    def _call(self, f: FlatFunction, args: Sequence[Any], has_aux: bool) -> tuple[Arrays, Arrays]:
        """Call ``f`` with arrays created beside its arguments; return its outputs and auxiliary outputs."""
        if self.library.to_device is None:
            return f(*args) if has_aux else (f(*args), ())
        with beside(args):
            return f(*args) if has_aux else (f(*args), ())

    def _beside(self, trace: Trace, aux: Arrays, given: Arrays) -> tuple[list[Array], Arrays]:
        """Return the values of auxiliary outputs, and what they may not share memory with: constants of the function, too."""
        values, nodes = self._split(trace, aux)
        return values, (*given, *constant(values, nodes))

    def _split(self, trace: Trace, outs: Arrays) -> tuple[list[Any], list[Any]]:
        """Return the values of outputs, and their nodes, None for those that are constant to the trace."""
        values, nodes = [], []
        for out in outs:
            value = trace.lower(out)
            if trace.base and isinstance(value, TracedArray):
                raise LeakedTracerError(LEAKED)
            values.append(value)
            nodes.append(out._node if isinstance(out, TracedArray) and out._trace is trace else None)
        return values, nodes

    def _pull(self, trace: ReverseTrace, tape: Any, seeds: Any, primals: Arrays, *, consume: bool) -> list[Array]:
        domain = self.domain
        plain = trace.base
        for _, seed in seeds:
            plain = plain and not isinstance(seed, TracedArray)
        if not plain:
            seeds = [(node, domain.beside_traced(seed)) for node, seed in seeds]
        xp = domain.raw if plain else domain.nested
        in_place = plain and self.library.mutable
        with self.library.quiet():
            grads = pull_back(
                domain, tape, seeds, len(primals), xp, in_place=in_place, has_complex=trace.has_complex, consume=consume
            )
        for i, g in enumerate(grads):
            if g is None:
                grads[i] = self._zeros_like(primals[i])
        return grads

    def _zeros_like(self, x: Array) -> Array:
        return self.domain.raw.zeros(tuple(x.shape), dtype=x.dtype, device=self.domain.device(x))

    def _lift(self, x: Array) -> Array:
        """Return what a new trace holds of an argument: constants unwrapped."""
        return x._value if isinstance(x, TracedArray) and x._trace.level == 0 else x

    def _private(self, x: Array) -> Array:
        """Return a copy of a plain array that a recording will outlive the call with; later changes do not reach it."""
        return self.library.xp.asarray(x, copy=True) if not isinstance(x, TracedArray) and self.library.mutable else x

    def _guarded(self, primals: Arrays, thaws: list[Callable[[], None]]) -> Arrays:
        """Return the primals in a form that changes to the caller's arrays while the function runs do not reach."""
        freeze, plain = self.library.freeze, self.library.array_types
        if freeze is None:
            return tuple(map(self._private, primals))
        guarded = []
        for x in primals:
            kept, thaw = freeze(x, False) if isinstance(x, plain) else (x, None)
            guarded.append(kept)
            if thaw is not None:
                thaws.append(thaw)
        return tuple(guarded)

    def _copy(self, x: Array, _shared: bool) -> Array:
        return self.library.xp.asarray(x, copy=True)

    def _finish(self, results: Sequence[Array], given: Sequence[Array], *, always: bool = False) -> tuple[Array, ...]:
        """Make results the caller's own: arrays, not scalars, that share memory with nothing given nor with each other."""
        if not results:
            return ()
        own = self.library.own
        if own is None:
            if not self.library.mutable:
                return tuple(results)
            own = self._copy
        seen = set(map(id, given))
        finished = []
        for x in results:
            mine = x if isinstance(x, TracedArray) else own(x, always or id(x) in seen)
            seen.add(id(mine))
            finished.append(mine)
        return tuple(finished)


CHANGED = (
    "the function changes in place an array that is being differentiated, or a constant that a derivative still needs: such"
    " arrays are read-only while it runs. Change a copy instead, or compute with the function's own argument."
)


def constant(values: Sequence[Array], nodes: Sequence[Any]) -> list[Array]:
    """Return the outputs that do not depend on the trace: arrays that the function got from elsewhere and may still hold."""
    return [y for y, node in zip(values, nodes, strict=True) if node is None]
