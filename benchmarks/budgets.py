"""The budgets, as data: what is measured, the limit, and how the figure follows from the results."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import exp, log
from typing import TypeAlias

from benchmarks.measure import Result

Results: TypeAlias = Mapping[str, Result]

NATIVE = {"unidiff-torch": ("torch", "torch-func"), "unidiff-jax": ("jax",), "unidiff-jax-jit": ("jax-jit",)}
"""For unidiff on a framework, the framework's own ways to the same derivative."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit that a figure must not exceed; the figure is None where it was not measured."""

    what: str
    limit: float
    unit: str
    figure: Callable[[Results], float | None]


def geometric_mean(values: Iterable[float]) -> float | None:
    """Return the geometric mean, or None of nothing."""
    logarithms = [log(value) for value in values]
    return exp(sum(logarithms) / len(logarithms)) if logarithms else None


def ratios(results: Results, peer: str, group: str) -> list[float]:
    """Return the times of unidiff over those of ``peer`` for the programs of a group."""
    found = [result.ratio("unidiff", peer) for result in results.values() if result.group == group]
    return [ratio for ratio in found if ratio is not None]


def fastest_native(result: Result, ours: str) -> str | None:
    """Return the fastest of the framework's own ways that were measured."""
    return min((peer for peer in NATIVE[ours] if peer in result.samples), key=result.seconds, default=None)


def native_ratio(result: Result, ours: str) -> float | None:
    """Return the time of unidiff on a framework over the framework's fastest own way."""
    native = fastest_native(result, ours)
    return None if native is None else result.ratio(ours, native)


def native_excess(result: Result, ours: str) -> float | None:
    """Return the microseconds that unidiff on a framework takes longer than the framework's fastest own way."""
    native = fastest_native(result, ours)
    excess = None if native is None else result.excess(ours, native)
    return None if excess is None else excess * 1e6


def _mean(peer: str, group: str) -> Callable[[Results], float | None]:
    return lambda results: geometric_mean(ratios(results, peer, group))


def _worst(peer: str, group: str) -> Callable[[Results], float | None]:
    return lambda results: max(ratios(results, peer, group), default=None)


def _of(program: str, figure: Callable[[Result], float | None]) -> Callable[[Results], float | None]:
    return lambda results: figure(results[program]) if program in results else None


def _framework_budgets() -> Iterable[Budget]:
    for ours in ("unidiff-torch", "unidiff-jax"):
        ratio, excess = partial(native_ratio, ours=ours), partial(native_excess, ours=ours)
        for program, what in (("elementwise", "150 operations"), ("elementwise-1e6", "a million elements")):
            yield Budget(f"{ours} over native, {what}", 1.05, "x", _of(program, ratio))
        yield Budget(f"{ours} minus native, one operation", 8.0, "us", _of("single", excess))
    compiled = partial(native_ratio, ours="unidiff-jax-jit")
    yield Budget("unidiff-jax-jit over native, a million elements", 1.05, "x", _of("elementwise-1e6", compiled))


BUDGETS = (
    Budget("overhead programs over autograd, geometric mean", 1 / 5, "x", _mean("autograd", "overhead")),
    Budget("overhead programs over torch's tape, geometric mean", 0.6, "x", _mean("torch", "overhead")),
    Budget("LSTM over autograd", 1 / 8, "x", _of("lstm-l2-c1024", lambda result: result.ratio("unidiff", "autograd"))),
    Budget("MLP 4x512 over the gradient by hand", 1.08, "x", _worst("hand", "size")),
    Budget("gradient over forward at 1e5 elements, worst", 4.0, "x", _worst("forward", "large")),
    *_framework_budgets(),
)
