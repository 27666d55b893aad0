"""Runs a method until it is done: stopping rules, callback, trajectory, progress, and the best point."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from unidiff._typing import Array
from unidiff.errors import ArgumentError
from unidiff.optim.arguments import checked_callback, nonnegative
from unidiff.optim.result import Iterate, Result, Status, Stop
from unidiff.optim.vector import Layout, read

__all__ = ["Progress", "Rules", "default_tolerance", "run"]

Callback = Callable[[Result], Any]
Describe = Callable[[Iterate, int], Result]


@dataclass(frozen=True)
class Rules:
    """When to stop, and what to report on the way.

    Parameters
    ----------
    tol : float
        For the measure of optimality.
    maxiter : int
    maxtime : float or None
        Seconds.
    ftol, xtol : float
        A change of the objective of at most ``ftol * max(|f|, 1)``, or of the point of at most ``xtol * (1 + |x|)``,
        is the end.
    trajectory, progress : bool
    """

    tol: float
    maxiter: int = 1000
    maxtime: float | None = None
    ftol: float = 0.0
    xtol: float = 0.0
    trajectory: bool = False
    progress: bool = False

    def __post_init__(self) -> None:
        for name in ("tol", "ftol", "xtol", "maxtime"):
            if name != "maxtime" or self.maxtime is not None:
                nonnegative(getattr(self, name), name)
        if isinstance(self.maxiter, bool) or not isinstance(self.maxiter, Integral) or self.maxiter < 0:
            raise ArgumentError(f"maxiter must be an integer that is not negative, but it is {self.maxiter!r:.200}.")

    def verdict(self, new: Iterate, old: Iterate | None, layout: Layout) -> Status | None:
        """Return why the iteration is over at a point, or None."""
        if not new.point.finite:
            return Status.NOT_FINITE
        if new.optimality <= self.tol:
            return Status.CONVERGED
        if old is None or not (self.ftol or self.xtol):
            return None
        f, before = new.point.f, old.point.f
        if self.ftol and abs(before - f) <= self.ftol * max(abs(before), abs(f), 1.0):
            return Status.SMALL_CHANGE
        if self.xtol:
            change, length = read(_norm(layout, new.point.x - old.point.x), _norm(layout, new.point.x))
            if change <= self.xtol * (1 + length):
                return Status.SMALL_CHANGE
        return None


def _norm(layout: Layout, z: Array) -> Array:
    xp = layout.backend.namespace(z)
    return xp.sqrt(xp.sum(z * z))


def run(
    iterates: Iterable[Iterate],
    describe: Describe,
    layout: Layout,
    rules: Rules,
    callback: Callback | None = None,
) -> tuple[Iterate, int, Status, str, list[Any] | None]:
    """Return the solution or the best iterate, the number of iterations, the status, its message, and the trajectory."""
    callback = checked_callback(callback)
    progress = Progress(rules) if rules.progress else None
    watch = _Run(describe, layout, rules, callback, progress)
    status, message = Status.STALLED, ""
    try:
        for new in iterates:
            found = watch.judge(new)
            if found is not None:
                status = found
                break
    except Stop as stop:
        status, message = stop.status, str(stop)
    finally:
        if progress is not None:
            progress.close()
    if watch.last is None or watch.best is None:
        raise AssertionError("a method yields its start")
    done = watch.last if status in {Status.CONVERGED, Status.SMALL_CHANGE} else watch.best
    return done, watch.nit, status, message or status.value, watch.path


class _Run:
    """What is kept from iterate to iterate."""

    def __init__(
        self, describe: Describe, layout: Layout, rules: Rules, callback: Callback | None, progress: "Progress | None"
    ) -> None:
        self.describe, self.layout, self.rules, self.callback, self.progress = describe, layout, rules, callback, progress
        self.last: Iterate | None = None
        self.best: Iterate | None = None
        self.path: list[Any] | None = [] if rules.trajectory else None
        self.nit, self.began = 0, time.monotonic()

    def judge(self, new: Iterate) -> Status | None:
        """Take note of an iterate; return why the run is over, or None."""
        self.nit = 0 if self.last is None else self.nit + 1
        found = self.rules.verdict(new, self.last, self.layout)
        self.last = new
        if self.best is None or _better(new, self.best):
            self.best = new
        if self.path is not None:
            self.path.append(self.layout.copied(new.point.x))
        if self.progress is not None:
            self.progress.show(self.nit, new)
        if self.nit and self.callback is not None:
            try:
                self.callback(self.describe(new, self.nit))
            except StopIteration:
                return found or Status.CALLBACK
        return found or self._limit()

    def _limit(self) -> Status | None:
        if self.nit >= self.rules.maxiter:
            return Status.ITERATIONS
        limit = self.rules.maxtime
        return Status.TIME if limit is not None and time.monotonic() - self.began >= limit else None


def _better(new: Iterate, best: Iterate) -> bool:
    if not new.point.finite:
        return False
    return not best.point.finite or not new.monotone or new.point.f <= best.point.f


class Progress:
    """A line with the iteration, the objective and the measure of optimality; needs rich."""

    def __init__(self, rules: Rules) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn()
        )
        self.task = self.bar.add_task("minimizing", total=rules.maxiter)
        self.bar.start()

    def show(self, nit: int, it: Iterate) -> None:
        """Show an iterate."""
        self.bar.update(self.task, completed=nit, description=f"f {it.point.f:.6g}, optimality {it.optimality:.2e}")

    def close(self) -> None:
        """Leave the last line."""
        self.bar.stop()


def default_tolerance(layout: Layout) -> float:
    """Return the cube root of the machine epsilon: 6e-6 in double precision."""
    return math.exp(math.log(layout.epsilon) / 3)
