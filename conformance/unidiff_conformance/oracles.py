"""Derivatives to compare with, from nothing but values of the scenario's function in extended precision.

A map of real and complex arrays is taken as a map between real vectors (real parts first, then imaginary parts, array by
array). In these coordinates the VJP is the transposed Jacobian, whatever is complex, as the derivative standard demands.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unidiff_conformance.reference import COMPLEX, EPS, REAL, REFERENCE
from unidiff_conformance.scenario import Data, Function, Scenario

Vector = NDArray[Any]

FIRST_STEP = 1 / 32
"""Half the smallest distance of drawn inputs from a kink, and a power of two: linear functions come out exactly."""
LEVELS = 8


def to_arrays(inputs: Sequence[Data]) -> tuple[Vector, ...]:
    """Return the inputs as NumPy arrays of extended precision."""
    return tuple(np.asarray(d.values, COMPLEX if d.is_complex else REAL).reshape(d.shape) for d in inputs)


def pack(arrays: Sequence[Any]) -> Vector:
    """Return all entries as one real vector."""
    parts = [part.ravel() for a in map(np.asarray, arrays) for part in ((a.real, a.imag) if np.iscomplexobj(a) else (a,))]
    return np.concatenate([np.zeros(0, REAL), *(part.astype(REAL) for part in parts)])


def unpack(vector: Vector, like: Sequence[Any]) -> tuple[Vector, ...]:
    """Undo `pack` for arrays shaped and typed, real or complex, as those in `like`."""
    arrays, start = [], 0
    for a in map(np.asarray, like):
        parts = [vector[start + k * a.size : start + (k + 1) * a.size] for k in range(1 + np.iscomplexobj(a))]
        start += len(parts) * a.size
        entries = parts[0] if len(parts) == 1 else parts[0] + REAL(1) * 1j * parts[1]
        arrays.append(entries.reshape(a.shape))
    return tuple(arrays)


def outputs(result: Any) -> tuple[Any, ...]:
    """Return what a scenario's function returned as a tuple."""
    return tuple(result) if isinstance(result, tuple) else (result,)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A derivative and a bound on its error."""

    value: Vector
    error: Vector


def extrapolate(quotient: Callable[[float], Vector], noise: Callable[[float], Vector]) -> Estimate:
    """Extrapolate a difference quotient to step 0 by Ridders' method, entry by entry.

    Parameters
    ----------
    quotient : callable
        The quotient for a step; its error is a series in even powers of the step.
    noise : callable
        The rounding error of the quotient for a step. It keeps small steps, whose results agree by chance, from being chosen.

    Returns
    -------
    Estimate
        The entries that changed least between orders and between steps, with this change and the noise as error.
    """
    best: Vector | None = None
    error: Vector = np.zeros(0, REAL)
    previous: list[Vector] = []
    for level in range(LEVELS):
        step = FIRST_STEP / 2**level
        row = [quotient(step)]
        for j, older in enumerate(previous, start=1):
            row.append(row[-1] + (row[-1] - older) / (4**j - 1))
            change = np.maximum(np.abs(row[j] - row[j - 1]), np.abs(row[j] - older)) + noise(step)
            if best is None:
                best, error = row[j], change
            better = change < error
            best, error = np.where(better, row[j], best), np.where(better, change, error)
        previous = row
    assert best is not None
    return Estimate(best, error)


class Oracle:
    """Value, Jacobian and Hessian of one scenario, each computed when it is asked for.

    Parameters
    ----------
    scenario : Scenario
        The scenario.
    known : mapping
        Those of the properties that need not be computed.

    Attributes
    ----------
    point : numpy.ndarray
        The inputs as one vector.
    """

    def __init__(self, scenario: Scenario, known: Mapping[str, Any] = MappingProxyType({})) -> None:
        self._scenario = scenario
        self._arrays = to_arrays(scenario.inputs)
        self._function = scenario.reference or scenario.function
        self._model: Function = scenario.like or self._function
        self.point = pack(self._arrays)
        vars(self).update(known)

    @cached_property
    def value(self) -> tuple[Any, ...]:
        """The outputs."""
        with np.errstate(all="ignore"):
            return outputs(self._function(REFERENCE, *self._arrays))

    @cached_property
    def jacobian(self) -> Estimate:
        """The Jacobian in real coordinates, rows by outputs."""
        if self._scenario.jacobian is None:
            return self._differentiate()
        wanted = np.asarray(self._scenario.jacobian, REAL)
        return Estimate(wanted, np.zeros_like(wanted))

    @cached_property
    def cotangent(self) -> Vector:
        """What weighs the outputs."""
        return np.asarray(self._scenario.direction("cotangent", len(pack(self.value))), REAL)

    @cached_property
    def hessian(self) -> Estimate:
        """The Hessian of ``Re <cotangent, f>`` in real coordinates."""
        return self.hessian_along(self.cotangent)

    def hessian_along(self, cotangent: Vector) -> Estimate:
        """Return the Hessian of ``Re <cotangent, f>`` in real coordinates."""
        n = len(self.point)
        units = np.eye(n, dtype=REAL)

        middle = self._evaluate(self.point)
        rounding = 4 * EPS * (np.abs(middle) @ np.abs(cotangent))

        def curvature(direction: Vector) -> Estimate:
            def second_difference(h: float) -> Vector:
                ahead, behind = (self._evaluate(self.point + step * direction) for step in (h, -h))
                return np.asarray(((ahead - middle) - (middle - behind)) @ cotangent / h**2)

            return extrapolate(second_difference, lambda h: rounding / h**2)

        value, error = np.zeros((n, n), REAL), np.zeros((n, n), REAL)
        diagonal = [curvature(units[i]) for i in range(n)]
        for i in range(n):
            value[i, i], error[i, i] = diagonal[i].value, diagonal[i].error
            for j in range(i):
                # Polarization: a mixed derivative from three pure ones.
                both = curvature(units[i] + units[j])
                value[i, j] = value[j, i] = (both.value - diagonal[i].value - diagonal[j].value) / 2
                error[i, j] = error[j, i] = (both.error + diagonal[i].error + diagonal[j].error) / 2
        return Estimate(value, error)

    def _evaluate(self, point: Vector) -> Vector:
        with np.errstate(all="ignore"):
            return pack(outputs(self._model(REFERENCE, *unpack(point, self._arrays))))

    def _differentiate(self) -> Estimate:
        rounding = EPS * np.abs(self._evaluate(self.point))

        def column(direction: Vector) -> Estimate:
            def difference(h: float) -> Vector:
                ahead, behind = (self._evaluate(self.point + step * direction) for step in (h, -h))
                return np.asarray((ahead - behind) / (2 * h))

            return extrapolate(difference, lambda h: rounding / h)

        columns = [column(direction) for direction in np.eye(len(self.point), dtype=REAL)]
        empty = np.zeros((len(pack(self.value)), 0), REAL)
        return Estimate(
            np.column_stack([empty, *(c.value for c in columns)]), np.column_stack([empty, *(c.error for c in columns)])
        )
