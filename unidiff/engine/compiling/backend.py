"""Compiled functions: recorded once per signature, made smaller, and replayed.

The signature of a call is the type, shape, dtype and layout of its arrays. What a function uses beside its arguments is
watched, see `unidiff.engine.compiling.surroundings`: where it has changed, the function is recorded anew.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, wraps
from threading import RLock
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.backend import OPTIONAL_OPERATIONS, Lowered
from unidiff.engine.backend import EngineBackend
from unidiff.engine.compiling.optimize_program import optimize
from unidiff.engine.compiling.program import Program
from unidiff.engine.compiling.recording import Recorder, Symbol, current
from unidiff.engine.compiling.recording_backend import RecordingBackend, record
from unidiff.engine.compiling.replay import Compiled, StaleBranch
from unidiff.engine.compiling.staging import UNROLLED
from unidiff.engine.compiling.surroundings import Surroundings
from unidiff.engine.evaluation import Evaluation
from unidiff.engine.tracing import TracedArray, _level
from unidiff.errors import ArgumentError, MixedBackendsError, UnsupportedOperationError

VARIANTS = 32
"""Programs of one signature that are kept: one for each way that branches outside of loops have gone."""

RECORDINGS = 4 * VARIANTS
"""How often a function is recorded for one signature; where it goes another way each time, it runs as it is from then on."""

SIGNATURES = 256
"""Signatures of one function that are kept."""


class CompilingBackend(EngineBackend):
    """The engine as a backend that also compiles; while a function is recorded it hands over to the recording backend."""

    jit_watches = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("namespace", "to_device", "asarray", "to_numpy", "vjp", "jvp", "closure_convert", *OPTIONAL_OPERATIONS):
            if name not in {"jit", "optimizer_step"} and hasattr(self, name):  # the latter refuses arrays that are recorded
                setattr(self, name, self._handing_over(name, getattr(self, name)))

    @cached_property
    def recording(self) -> RecordingBackend:
        """The same backend over arrays that are being recorded."""
        return RecordingBackend(self)

    def _handing_over(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        get = current.get

        @wraps(method)
        def either(*args: Any, **kwargs: Any) -> Any:
            recorder = get()
            if recorder is None:
                return method(*args, **kwargs)
            if recorder.library is not self.library:
                self._refuse_recorded(recorder, args)
                return method(*args, **kwargs)
            return getattr(self.recording, name)(*args, **kwargs)

        return either

    def _refuse_recorded(self, recorder: Recorder, x: Any) -> None:
        """Raise where an array that is recorded for another backend is among the arguments."""
        if isinstance(x, (tuple, list)):
            for item in x:
                self._refuse_recorded(recorder, item)
        elif isinstance(x, TracedArray) and Symbol in x._domain.array_types:
            raise MixedBackendsError(
                f"A function that is compiled for the backend {recorder.library.name!r} uses the backend {self.info.name!r},"
                f" which does not take its arrays. Compile it for that one: unidiff.jit(f, backend={self.info.name!r})."
            )

    def jit(self, f: Callable[..., Any], *, has_aux: bool = False, compiler: str | None = None) -> CompiledFunction:
        """Return the function compiled for each signature it is called with; see `CompiledFunction`."""
        if compiler is not None:
            raise ArgumentError(
                f"The backend {self.info.name!r} has one compiler, unidiff's own; leave compiler={compiler!r} out."
            )
        return CompiledFunction(self, f, has_aux)

    def evaluation(self, f: Callable[..., Any], args: Arrays, tangents: Sequence[Array | None]) -> tuple[Evaluation, Any]:
        """Return the evaluation of a flat function that returns ``(outs, aux)``, and ``aux``."""
        recorder, aux = record(self.recording, self.library, f, args, stages=False)
        return Evaluation(self, recorder.program, args, tangents), aux


class Variant:
    """One program, and the surroundings it was recorded in.

    Attributes
    ----------
    recorded : int
        How many calls were recorded.
    program : Program
        As it is run.
    compiled : Compiled
    aux : object
        What the function returned beside arrays.
    """

    def __init__(self, recorder: Recorder, aux: Any, surroundings: Surroundings) -> None:
        self.recorded = len(recorder.program.nodes)
        self.program: Program = optimize(recorder.program, recorder.library)
        self.compiled = Compiled(self.program, recorder.library)
        self.aux = aux
        self.unchanged = surroundings.unchanged
        self.run = self.compiled.run
        own = _owner(recorder.library)
        # What the caller gets is an array of its own: None where the program sees to that.
        self.finish = [None if owned else own for owned in self.compiled.owned] if own is not None else []
        self.is_finished = not any(self.finish)


def _owner(library: Any) -> Callable[[Array], Array] | None:
    if not library.mutable:
        return None
    own = library.own
    if own is None:
        return lambda x: library.xp.asarray(x, copy=True)
    return lambda x: own(x, not isinstance(x, library.scalar_types))


@contextmanager
def _collecting_no_cycles() -> Iterator[None]:
    """Pause the search for cycles: a program is made of very many small objects, none of which is garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class CompiledFunction:
    """A flat function that is recorded once per signature and then replayed.

    Parameters
    ----------
    backend : CompilingBackend
        The backend of its arrays.
    f : callable
        Takes arrays, returns a tuple of arrays; with `has_aux` a pair of it and anything else, which is returned as it was when
        the program was recorded.
    has_aux : bool
    """

    def __init__(self, backend: CompilingBackend, f: Callable[..., Any], has_aux: bool) -> None:
        self.backend, self.f, self.has_aux = backend, f, has_aux
        self.layout = backend.library.layout
        self.traced = backend.domain.array_class
        self.variants: dict[Any, tuple[Variant, ...]] = {}
        self.recordings: dict[Any, int] = {}
        self.lock = RLock()

    def __call__(self, *args: Array) -> Any:
        """Run the program for such arguments."""
        if _level.get() or current.get() is not None or self.traced in map(type, args):
            return self.f(*args)  # part of another transform or recording, which then sees each operation
        layout = self.layout
        for variant in self.variants.get(tuple([(type(x), x.shape, x.dtype, layout(x)) for x in args]), ()):
            if variant.unchanged():
                try:
                    outs = variant.run(*args)
                    break
                except StaleBranch:
                    continue
        else:
            result = self._compiled(args)
            if result is None:
                return self._as_it_is(args)
            variant, outs = result
        if not variant.is_finished:
            outs = tuple([y if own is None else own(y) for y, own in zip(outs, variant.finish, strict=True)])
        return (outs, variant.aux) if self.has_aux else outs

    def _compiled(self, args: Arrays) -> tuple[Variant, tuple[Array, ...]] | None:
        """Return a new program for such arguments and what it gives.

        None where so many have been recorded that one more would not be of use either.
        """
        if self.recordings.get(key := self._signature(args), 0) >= RECORDINGS:
            return None
        self.recordings[key] = self.recordings.get(key, 0) + 1
        try:
            variant = self.compile(args)
        except StaleBranch:  # a step of a loop goes another way than its first one
            self.recordings[key] = RECORDINGS
            return None
        return variant, variant.run(*args)

    def _as_it_is(self, args: Arrays) -> Any:
        """Call the function without compiling it; what it returns is the caller's own."""
        result = self.f(*args)
        outs, aux = result if self.has_aux else (result, None)
        own = _owner(self.backend.library)
        outs = tuple(outs if own is None else map(own, outs))
        return (outs, aux) if self.has_aux else outs

    def _signature(self, args: Arrays) -> Any:
        return tuple([(type(x), x.shape, x.dtype, self.layout(x)) for x in args])

    def compile(self, args: Arrays) -> Variant:
        """Record the function on these arguments and keep the program; nothing is kept where it raises."""
        with _collecting_no_cycles():
            variant = self._record(args)
        with self.lock:
            key = self._signature(args)
            while key not in self.variants and len(self.variants) >= SIGNATURES:
                del self.variants[next(iter(self.variants))]
            kept = [other for other in self.variants.get(key, ()) if other.unchanged()]
            self.variants[key] = (*kept[-(VARIANTS - 1) :], variant)
        return variant

    def _record(self, args: Arrays) -> Variant:
        before = Surroundings(self.f, self.backend.library)
        f = self.f if self.has_aux else lambda *arrays: (self.f(*arrays), None)

        def run() -> tuple[Recorder, Any]:
            return record(self.backend.recording, self.backend.library, f, args)

        recorder, aux = run()
        before.check_random()
        fresh = before.fresh_arrays(recorder)
        second = run()[0] if fresh else None
        after = Surroundings(self.f, self.backend.library)
        after.forget_changes(before)
        if second is not None:
            after.settle(recorder, fresh, second)
        return Variant(recorder, aux, after)

    def lower(self, *args: Array) -> Lowered:
        """Return the program for these arguments."""
        if self.traced in map(type, args):
            raise UnsupportedOperationError("A program is shown for plain arrays; call lower outside of other transforms.")
        variant = self.variant(args)
        return Lowered(
            text="\n".join(variant.program.lines()),
            source=variant.compiled.source,
            recorded=variant.recorded,
            calls=len(variant.program.nodes),
            reused=variant.compiled.reused,
        )

    def variant(self, args: Arrays) -> Variant:
        """Return the program for these arguments, recorded where there is none yet."""
        try:
            found = self.variants.get(self._signature(args), ())
            return next((v for v in found if v.unchanged()), None) or self.compile(args)
        except StaleBranch:
            raise UnsupportedOperationError(
                "The function runs as it is, and there is no program to show: steps of a loop branch in several ways, and"
                " reverse mode goes through the branch (use xp.where(condition, a, b) instead of unidiff.cond), or reverse mode"
                f" of reverse mode goes through a loop of more than {UNROLLED} steps (use forward mode of reverse mode)."
            ) from None
