"""A scenario on a backend in one dtype: arrays made, results taken apart, errors measured in units of the tolerance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unidiff_conformance.oracles import outputs, pack, to_arrays, unpack
from unidiff_conformance.scenario import Scenario
from unidiff_conformance.vectors import oracle

SECOND_ORDER_FACTOR = 8.0
"""How much more error a second derivative may have than a first one: it is the product rule, applied twice more."""
APPROXIMATION_FACTOR = 1024.0
"""What multiplies ``eps**accuracy`` for a backend that claims less than all digits: the size of higher derivatives."""
_SINGLE = {"float32", "complex64"}


class MismatchError(Exception):
    """A backend did not do what a scenario demands.

    Parameters
    ----------
    kind : str
        What is wrong: "accuracy", "dtype", "shape", "type", "device", "missing", "mutation", "exception", "oracle" or
        "behaviour".
    message : str
        What was expected and what came.
    units : float
        The error in units of the tolerance.
    where, got, want : str
        The worst entry, its value, and the value wanted.
    tolerance : float
        The tolerance of that entry.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        units: float = float("inf"),
        *,
        where: str = "",
        got: str = "",
        want: str = "",
        tolerance: float = 0.0,
    ) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.units = units
        self.where, self.got, self.want, self.tolerance = where, got, want, tolerance


@dataclass(frozen=True, slots=True)
class Expected:
    """What a result has to be: a vector in real coordinates, a tolerance for each entry, and which entries may be anything."""

    value: NDArray[Any]
    tolerance: NDArray[Any]
    undetermined: NDArray[Any] | bool = False


class Trial:
    """A scenario on a backend in one dtype.

    Parameters
    ----------
    scenario : Scenario
        What to differentiate.
    backend : object
        A backend with every operation, as `unidiff.get_backend` returns it.
    dtype : str
        Name of a dtype of the scenario; real inputs of a complex scenario get the real dtype of the same precision.

    Attributes
    ----------
    primals, tangents, others : tuple of array
        The point and two directions, as arrays of the backend.
    cotangents : tuple of array
        One for each output.
    inputs, elsewhere : tuple of numpy.ndarray
        The point in extended precision, and another one.
    worst : float
        The largest error found so far, in units of its tolerance.
    """

    def __init__(self, scenario: Scenario, backend: Any, dtype: str) -> None:
        self.scenario, self.backend, self.dtype = scenario, backend, dtype
        self.oracle = oracle(scenario)
        self.eps = float(np.finfo(np.float32 if dtype in _SINGLE else np.float64).eps)
        self.inputs = unpack(self.oracle.point, _like(scenario))
        self.worst = 0.0
        _, columns = self.oracle.jacobian.value.shape
        self.v, self.w = (np.asarray(scenario.direction(role, columns), np.longdouble) for role in ("tangent", "other"))
        self.u = self.oracle.cotangent
        self.primals = self.arrays(self.inputs)
        self.tangents = self.arrays(unpack(self.v, self.inputs))
        self.others = self.arrays(unpack(self.w, self.inputs))
        self.cotangents = self.arrays(unpack(self.u, self.oracle.value))

    @cached_property
    def elsewhere(self) -> tuple[NDArray[Any], ...]:
        """Another point of the same shapes; the same point, where it was chosen by hand."""
        return to_arrays(self.scenario.at(self.scenario.seed + 1).inputs)

    def function(self, *arrays: Any) -> tuple[Any, ...]:
        """Evaluate the scenario's function in the backend's namespace for these arrays."""
        return outputs(self.scenario.function(self.backend.namespace(*arrays), *arrays))

    def weighted(self, *arrays: Any) -> tuple[Any]:
        """Return ``Re <cotangents, f>`` as a 0-d array."""
        outs = self.function(*arrays)
        return (self.inner(self.cotangents, outs),)

    def inner(self, constants: Sequence[Any], arrays: Sequence[Any]) -> Any:
        """Return the real inner product of plain arrays with traced ones."""
        xp = self.backend.namespace(*arrays)
        terms = [xp.sum(xp.real(xp.conj(c) * a) if _is_complex(c) else c * a) for c, a in zip(constants, arrays, strict=True)]
        return sum(terms[1:], start=terms[0])

    def arrays(self, arrays: Sequence[NDArray[Any]]) -> tuple[Any, ...]:
        """Return NumPy arrays as arrays of the backend."""
        return tuple(
            self.backend.asarray(a.astype(np.complex128 if np.iscomplexobj(a) else np.float64), dtype=self.dtype_of(a))
            for a in arrays
        )

    def dtype_of(self, array: NDArray[Any]) -> str:
        """Return the name of the trial's dtype that is real or complex as the array is."""
        single = self.dtype in _SINGLE
        if np.iscomplexobj(array):
            return "complex64" if single else "complex128"
        return "float32" if single else "float64"

    @cached_property
    def value(self) -> Expected:
        """The value of the function."""
        want = pack(self.oracle.value)
        with np.errstate(all="ignore"):
            reach = np.abs(self.oracle.jacobian.value) @ np.abs(self.oracle.point)
        return self.expected(want, np.abs(want) + np.where(np.isfinite(reach), reach, 0), np.zeros_like(want), order=0)

    @cached_property
    def jacobian(self) -> Expected:
        """The Jacobian, in rows."""
        want = self.oracle.jacobian
        return self.expected(want.value.ravel(), np.abs(want.value).ravel(), want.error.ravel())

    @cached_property
    def pushed(self) -> Expected:
        """The Jacobian times the tangents."""
        return self._product(self.oracle.jacobian.value, self.oracle.jacobian.error, self.v)

    @cached_property
    def pulled(self) -> Expected:
        """The transposed Jacobian times the cotangents."""
        return self._product(self.oracle.jacobian.value.T, self.oracle.jacobian.error.T, self.u)

    @cached_property
    def curved(self) -> Expected:
        """The Hessian of ``Re <cotangents, f>`` times the tangents."""
        hessian = self.oracle.hessian
        slope = np.max(np.abs(self.oracle.jacobian.value).T @ np.abs(self.u), initial=0)
        bend = np.max(np.abs(hessian.value) @ np.abs(self.v), initial=0)
        return self.expected(
            hessian.value @ self.v, 1 + slope + bend, hessian.error @ np.abs(self.v), factor=SECOND_ORDER_FACTOR, order=2
        )

    @cached_property
    def curvature(self) -> Expected:
        """The second derivative along the tangents and the other direction."""
        weights = np.abs(self.w)
        return Expected(np.reshape(self.w @ self.curved.value, (1,)), np.reshape(weights @ self.curved.tolerance, (1,)))

    def check(self, results: Sequence[Any], like: Sequence[Any], expected: Expected, what: str) -> NDArray[Any]:
        """Compare results with what is expected of them.

        Parameters
        ----------
        results : sequence of array
            Arrays of the backend.
        like : sequence of numpy.ndarray
            Arrays of the shapes wanted, real or complex as wanted.
        expected : Expected
            The numbers wanted.
        what : str
            Name of the results, for messages.

        Returns
        -------
        numpy.ndarray
            The results as one real vector.

        Raises
        ------
        MismatchError
            If anything differs.
        """
        if len(results) != len(like):
            raise MismatchError("missing", f"{len(like)} {what} expected, {len(results)} came")
        found = pack([self._as_numpy(r, a, f"{what}[{i}]") for i, (r, a) in enumerate(zip(results, like, strict=True))])
        self.compare(found, expected, what)
        return found

    def compare(self, found: NDArray[Any], expected: Expected, what: str) -> None:
        """Raise `MismatchError` if a vector is not what is expected within its tolerance; note the largest error."""
        units = in_units(found, expected)
        self.worst = max(self.worst, float(np.max(units, initial=0)))
        if np.max(units, initial=0) > 1:
            k = int(np.argmax(units))
            tolerance = float(expected.tolerance[k])
            where, got, want = f"entry {k} of the {what}", repr(float(found[k])), repr(float(expected.value[k]))
            raise MismatchError(
                "accuracy",
                f"{where} is {got}, wanted {want}, off by {float(units[k]):.3g} tolerances of {tolerance:.3g}",
                float(units[k]),
                where=where,
                got=got,
                want=want,
                tolerance=tolerance if np.isfinite(tolerance) else 0.0,  # infinities and NaNs have to agree
            )

    def check_unchanged(self) -> None:
        """Raise if an argument was changed."""
        given = (self.inputs, unpack(self.v, self.inputs), unpack(self.u, self.oracle.value))
        for name, arrays, numbers in zip(
            ("primals", "tangents", "cotangents"), (self.primals, self.tangents, self.cotangents), given, strict=True
        ):
            for i, (array, wanted) in enumerate(zip(arrays, numbers, strict=True)):
                if not np.array_equal(self.backend.to_numpy(array), wanted, equal_nan=True):
                    raise MismatchError("mutation", f"{name}[{i}] was changed in place")

    def _as_numpy(self, result: Any, like: NDArray[Any], what: str) -> NDArray[Any]:
        if result is None:
            raise MismatchError("missing", f"{what} is None")
        origin, home = (type(x).__module__.split(".")[0] for x in (result, self.primals[0]))
        if origin != home:
            raise MismatchError("type", f"{what} is a {type(result).__name__} of {origin}, not of {home}")
        array = np.asarray(self.backend.to_numpy(result))
        if array.dtype.name != self.dtype_of(like):
            raise MismatchError("dtype", f"{what} has dtype {array.dtype.name}, wanted {self.dtype_of(like)}")
        if array.shape != like.shape:
            raise MismatchError("shape", f"{what} has shape {array.shape}, wanted {like.shape}")
        device = self.backend.device(self.primals[0])
        if self.backend.device(result) != device:
            raise MismatchError("device", f"{what} is on {self.backend.device(result)}, wanted {device}")
        return array

    def _product(self, matrix: NDArray[Any], error: NDArray[Any], vector: NDArray[Any]) -> Expected:
        size = np.abs(vector)
        with np.errstate(invalid="ignore"):
            product = matrix @ vector
        wanted = self.expected(product, np.abs(matrix) @ size, error @ size)
        # Where infinite derivatives of opposite signs meet, what comes out depends on which of them is faster.
        return replace(wanted, undetermined=np.isnan(product) & ~np.any(np.isnan(matrix), axis=1))

    def expected(self, want: NDArray[Any], scale: Any, error: NDArray[Any], factor: float = 1.0, order: int = 1) -> Expected:
        """Return numbers wanted with the tolerance that goes with their scale and with what the backend claims."""
        accuracy, claim = self.scenario.accuracy, self.backend.info.capabilities.accuracy
        size, eps = accuracy.factor, self.eps
        numerical = order > 0 and claim < 1
        if numerical:
            # What is claimed is a number of digits of the largest of all values and derivatives, which differences mix.
            size, eps = APPROXIMATION_FACTOR, self.eps ** (claim**order)
            scale = np.maximum(np.max(scale, initial=0), self.magnitude)
        if accuracy.spread or numerical:
            # Inputs are numbers of order one, so the terms that were summed are too, even where they cancel.
            scale = np.maximum(np.max(scale, initial=0), 1)
        with np.errstate(invalid="ignore"):
            return Expected(want, factor * size * eps * scale + 2 * np.abs(error))

    @cached_property
    def magnitude(self) -> float:
        """The sum of all values, weighted with the cotangents as a gradient weighs them."""
        values = np.abs(pack(self.oracle.value))
        return float(np.sum(values) * max(1.0, float(np.max(np.abs(self.u), initial=0))))


def in_units(found: NDArray[Any], expected: Expected) -> NDArray[Any]:
    """Return the error of every entry in units of its tolerance; infinities and NaNs have to agree."""
    with np.errstate(all="ignore"):
        same = expected.undetermined | (found == expected.value) | (np.isnan(found) & np.isnan(expected.value))
        units = np.where(same, 0, np.abs(found - expected.value) / expected.tolerance)
    return np.nan_to_num(units, nan=np.inf, posinf=np.inf)


def _like(scenario: Scenario) -> list[NDArray[Any]]:
    return [np.zeros(d.shape, np.complex128 if d.is_complex else np.float64) for d in scenario.inputs]


def _is_complex(array: Any) -> bool:
    return "complex" in str(array.dtype)
