"""Where a framework's own derivatives deviate from the derivative standard."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unidiff_conformance.checks import modes_of, run_check
from unidiff_conformance.native.adapter import Native
from unidiff_conformance.oracles import pack, unpack
from unidiff_conformance.scenario import Scenario
from unidiff_conformance.scenarios import representatives, scenarios
from unidiff_conformance.standard import clause_of
from unidiff_conformance.trial import MismatchError, Trial

MODES = {"forward": "jvp", "reverse": "vjp", "second order": "fwd-over-rev"}
"""The modes that are looked at, and the check of each."""
ENTRIES = 16
"""The largest Jacobian that is shown."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """A derivative of a framework that is not the standard's.

    Parameters
    ----------
    framework, version : str
        The framework.
    clause : str
        The clause of the standard.
    scenario : str
        The scenario that shows it.
    mode : str
        The mode of differentiation.
    kind : {"differs", "conjugate", "missing"}
        Whether the numbers are others, are the conjugates of those wanted, or there are none, since the framework raises.
    point : list
        The inputs.
    native, standard : list or None
        The derivative of the framework and that of the standard: Jacobians in real coordinates, rows by outputs, or for second
        order Hessians times a vector. None where there is none, or it is too large to show.
    message : str
        What was expected and what came.
    """

    framework: str
    version: str
    clause: str
    scenario: str
    mode: str
    kind: str
    point: list[Any]
    native: list[Any] | None
    standard: list[Any] | None
    message: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found about a framework.

    Parameters
    ----------
    framework, version : str
        The framework.
    deviations : tuple of Deviation
        Where it deviates.
    compared : tuple of str
        The scenarios that it was compared in.
    absent : tuple of str
        The scenarios whose function it does not have, or computes another value of, so that there is nothing to compare.
    """

    framework: str
    version: str
    deviations: tuple[Deviation, ...]
    compared: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses that it deviates from."""
        return tuple(dict.fromkeys(deviation.clause for deviation in self.deviations))


class Conjugated(Native):
    """A framework whose pullbacks are turned into the convention of the standard."""

    def __init__(self, native: Native) -> None:
        self._native = native
        for operation in ("name", "distribution", "namespace", "asarray", "to_numpy", "device", "jvp"):
            setattr(self, operation, getattr(native, operation))

    def vjp(self, f: Any, primals: Any) -> Any:
        """Return the outputs, and the pullback between two conjugations."""
        outs, pullback = self._native.vjp(f, primals)
        return outs, lambda cotangents: self._turned(pullback(self._turned(cotangents)))

    def _turned(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        xp = self._native.namespace()
        return tuple(xp.conj(a) if "complex" in str(a.dtype) else a for a in arrays)


def select(pattern: str = "", *, everything: bool = False) -> list[Scenario]:
    """Return the scenarios to compare: those whose id or clause contains a pattern.

    Parameters
    ----------
    pattern : str
        Part of the id of a scenario or of a clause.
    everything : bool
        Whether to return all of them; otherwise only special points and one of each clause. (One of unidiff's own functions
        is nothing that a framework could be compared in.)
    """
    chosen = scenarios().values() if everything else [item for item in scenarios().values() if item.id in representatives()]
    native = [item for item in chosen if item.category != "special"]
    return [item for item in native if pattern in item.id or pattern in clause_of(item.id).id]


def compare(native: Native, items: Sequence[Scenario]) -> Findings:
    """Compare a framework's derivatives with the standard's.

    Parameters
    ----------
    native : Native
        The framework.
    items : sequence of Scenario
        Where to compare.

    Returns
    -------
    Findings
    """
    version = metadata.version(native.distribution)
    found: list[Deviation] = []
    compared, absent = [], []
    for item in items:
        with quietly():
            trial = Trial(item, native, item.dtypes[0])
            if not _has(trial):
                absent.append(item.id)
                continue
            compared.append(item.id)
            found += [replace(deviation, version=version) for deviation in _examine(native, trial)]
    return Findings(native.name, version, tuple(found), tuple(compared), tuple(absent))


def _has(trial: Trial) -> bool:
    """Say whether the framework has the function, and with the value of the standard."""
    try:
        trial.function(*trial.primals)
    except Exception:  # noqa: BLE001  # whatever a framework raises for what it has not
        return False
    try:
        run_check(trial, "value")
    except MismatchError as error:
        if error.kind == "exception":
            raise
        return False
    return True


@contextmanager
def quietly() -> Iterator[None]:
    """Silence what libraries say about infinities, complex casts, and results that do not depend on the input."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _examine(native: Native, trial: Trial) -> Iterator[Deviation]:
    modes = modes_of(trial.scenario, trial.dtype)
    for mode, check in MODES.items():
        if check not in modes:
            continue
        try:
            run_check(trial, check)
        except MismatchError as error:
            kind = "missing" if error.kind in ("exception", "missing") else "differs"
            if kind == "differs" and native.conjugates and _is_complex(trial):
                kind = _kind_if_conjugated(native, trial, check)
            yield _deviation(native, trial, mode, kind, str(error).removeprefix(f"{error.kind}: "))
            if kind != "conjugate" and mode == "reverse":
                return  # what is built on a wrong derivative is wrong as well


def _kind_if_conjugated(native: Native, trial: Trial, check: str) -> str:
    try:
        run_check(Trial(trial.scenario, Conjugated(native), trial.dtype), check)
    except MismatchError:
        return "differs"
    return "conjugate"


def _is_complex(trial: Trial) -> bool:
    return trial.scenario.is_complex or any(np.iscomplexobj(out) for out in trial.oracle.value)


def _deviation(native: Native, trial: Trial, mode: str, kind: str, message: str) -> Deviation:
    item = trial.scenario
    own: list[Any] | None = None
    wanted: list[Any] | None = None
    if mode == "second order":
        wanted = numbers(trial.curved.value)
    elif trial.oracle.jacobian.value.size <= ENTRIES:
        wanted = numbers(trial.oracle.jacobian.value)
        own = numbers(_jacobian(native, trial, mode)) if kind != "missing" else None
        own = None if repr(own) == repr(wanted) else own  # another direction shows it; the message says what came
    point = [_nested(data.values, data.shape) for data in item.inputs]
    return Deviation(native.name, "", clause_of(item.id).id, item.id, mode, kind, point, own, wanted, message)


def _jacobian(native: Native, trial: Trial, mode: str) -> NDArray[Any]:
    """Return the framework's Jacobian by one mode, in real coordinates."""
    rows, columns = trial.oracle.jacobian.value.shape
    if mode == "forward":
        units = [trial.arrays(unpack(unit, trial.inputs)) for unit in np.eye(columns, dtype=np.longdouble)]
        pushed = [native.jvp(trial.function, trial.primals, unit)[1] for unit in units]
        return np.column_stack([_packed(native, tangents, trial.oracle.value) for tangents in pushed])
    _, pullback = native.vjp(trial.function, trial.primals)
    units = [trial.arrays(unpack(unit, trial.oracle.value)) for unit in np.eye(rows, dtype=np.longdouble)]
    return np.stack([_packed(native, pullback(unit), trial.inputs) for unit in units])


def _packed(native: Native, arrays: Sequence[Any], like: Sequence[Any]) -> NDArray[Any]:
    """Return arrays in real coordinates; a real array where a complex one is wanted has imaginary part 0."""
    found = [np.asarray(native.to_numpy(a)) for a in arrays]
    return pack([a + 0j if np.iscomplexobj(b) else a.real for a, b in zip(found, map(np.asarray, like), strict=True)])


def numbers(array: NDArray[Any]) -> list[Any]:
    """Return an array as nested lists of floats of seven digits, without negative zeros and rounding errors of zero."""
    small = 1e-12 * np.max(np.abs(array), initial=0, where=np.isfinite(array))
    rounded = [[float(f"{float(x):.7g}") + 0.0 if not abs(x) <= small else 0.0 for x in row] for row in np.atleast_2d(array)]
    return rounded if array.ndim == 2 else rounded[0]


def _nested(values: Sequence[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return values[0]
    size = len(values) // shape[0] if shape[0] else 0
    return [_nested(values[i * size : (i + 1) * size], shape[1:]) for i in range(shape[0])]
