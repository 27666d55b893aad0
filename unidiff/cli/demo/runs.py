"""The problems of the demo on one backend after another, and what the backends differ by."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

import unidiff as ud
from unidiff.backend import BackendInfo
from unidiff.cli.backends import device_name
from unidiff.cli.demo import problems

GRADIENT_TOLERANCE = 1e-12
"""Allowed absolute error of the gradient of the surface against the one derived by hand."""
PATH_TOLERANCE = 1e-9
"""Allowed absolute difference of the points along the paths of descent, between two backends."""
LOSS_TOLERANCE = 1e-12
"""Allowed relative difference of the losses along the training, between two backends."""
PARAMETER_TOLERANCE = 1e-10
"""Allowed absolute difference of the parameters along the training, between two backends."""


@dataclass(frozen=True)
class Settings:
    """How much the demo does."""

    surface_steps: int
    starts_per_side: int
    digits_steps: int

    def steps(self, *, with_digits: bool) -> int:
        """Return the number of steps that one backend takes in all, for progress bars."""
        return sum(min(self.surface_steps, method.most_steps) for method in problems.METHODS) + with_digits * self.digits_steps


@dataclass(frozen=True)
class BackendRun:
    """What one backend gave; ``digits`` is None where there was no data."""

    name: str
    library: str
    device: str
    surface: problems.SurfaceRun
    surface_seconds: float
    digits: problems.DigitsRun | None
    digits_seconds: float


@dataclass(frozen=True)
class Failure:
    """A backend that did not finish, and the error it raised."""

    name: str
    error: Exception

    @property
    def message(self) -> str:
        """The error in one line."""
        lines = str(self.error).strip().splitlines()
        return f"{type(self.error).__name__}: {lines[0] if lines else ''}"


@dataclass(frozen=True)
class Difference:
    """A measured difference beside what is allowed."""

    backend: str
    quantity: str
    value: float
    tolerance: float

    @property
    def within(self) -> bool:
        """Whether the difference is allowed; NaN is not."""
        return self.value <= self.tolerance


def library_version(info: BackendInfo) -> str:
    """Return the library of a backend with its version, such as ``"torch 2.13.0"``."""
    library = info.library or info.name
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return library


def run_backend(
    info: BackendInfo, settings: Settings, data: problems.DigitsData | None, on_step: Callable[[], None]
) -> BackendRun | Failure:
    """Run both problems in float64 on one backend; an error becomes a `Failure`, so that the other backends still run."""

    def put(array: Any) -> Any:
        return ud.asarray(array, backend=info.name, dtype="float64")

    try:
        begin = time.perf_counter()
        x = put(problems.starts(settings.starts_per_side))
        device = device_name(ud.device(x))
        surface = problems.run_surface(x, settings.surface_steps, on_step)
        middle = time.perf_counter()
        digits = problems.run_digits(data, put, settings.digits_steps, on_step) if data is not None else None
        end = time.perf_counter()
    except Exception as error:  # noqa: BLE001  # a third-party backend may raise anything and must not stop the others
        return Failure(info.name, error)
    return BackendRun(info.name, library_version(info), device, surface, middle - begin, digits, end - middle)


def largest(a: Any, b: Any) -> float:
    """Return the largest absolute difference of two arrays of one shape."""
    return float(np.max(np.abs(a - b)))


def loss_differences(run: problems.DigitsRun, reference: problems.DigitsRun) -> Any:
    """Return the relative differences of the losses, one per step."""
    return np.abs(run.losses - reference.losses) / np.abs(reference.losses)


def parameter_differences(run: problems.DigitsRun, reference: problems.DigitsRun) -> Any:
    """Return the largest absolute differences of the parameters, one per step."""
    return np.max(np.abs(run.parameters - reference.parameters), axis=1)


def path_difference(run: problems.SurfaceRun, reference: problems.SurfaceRun) -> float:
    """Return the largest difference of the points of all paths."""
    return float(np.max([largest(path.points, reference.paths[name].points) for name, path in run.paths.items()]))


def differences(runs: Sequence[BackendRun]) -> list[Difference]:
    """Compare every run with the gradient derived by hand and with the first run."""
    found = [
        Difference(run.name, "gradient against the one derived by hand", run.surface.gradient_error, GRADIENT_TOLERANCE)
        for run in runs
    ]
    for run in runs[1:]:
        reference = runs[0]
        found.append(
            Difference(run.name, "points along the paths", path_difference(run.surface, reference.surface), PATH_TOLERANCE)
        )
        if run.digits is not None and reference.digits is not None:
            losses = float(np.max(loss_differences(run.digits, reference.digits)))
            parameters = float(np.max(parameter_differences(run.digits, reference.digits)))
            found.append(Difference(run.name, "losses along the training, relative", losses, LOSS_TOLERANCE))
            found.append(Difference(run.name, "parameters along the training", parameters, PARAMETER_TOLERANCE))
    return found
