"""What is wanted of every scenario at the points of seed 0, stored: a run computes no oracle, and all machines judge alike.

The numbers are those of `unidiff_conformance.oracles`, computed where an extended precision is at hand and rounded to double;
what the rounding takes is added to their error. Other seeds and scenarios without an entry are computed when they are run.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import numpy as np

from unidiff_conformance.oracles import Estimate, Oracle, pack, to_arrays
from unidiff_conformance.reference import REAL
from unidiff_conformance.scenario import Scenario

FILE = "vectors.json"


@cache
def oracle(scenario: Scenario) -> Oracle:
    """Return the oracle of a scenario; one is enough for all backends, dtypes and modes."""
    found = _entries().get(scenario.id)
    if not found or found["point"] != _digest(scenario):
        return Oracle(scenario)
    return Oracle(scenario, _read(found, len(pack(to_arrays(scenario.inputs)))))


def entry(scenario: Scenario) -> dict[str, Any]:
    """Return what is stored of a scenario, newly computed."""
    computed = Oracle(scenario)
    return {
        "point": _digest(scenario),
        "value": [_array(a) for a in computed.value],
        **_estimate("jacobian", computed.jacobian),
        **(_estimate("hessian", computed.hessian) if scenario.max_order > 1 else {}),
    }


def text(scenarios: Iterable[Scenario]) -> str:
    """Return the content of the file: an object with a line for each scenario."""
    lines = (f"{json.dumps(item.id)}: {json.dumps(entry(item), separators=(',', ':'))}" for item in scenarios)
    return "{\n" + ",\n".join(lines) + "\n}\n"


@cache
def _entries() -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads((files("unidiff_conformance") / FILE).read_text(encoding="utf-8"))
    return found


def _digest(scenario: Scenario) -> str:
    """Identify all numbers that enter: the point, and the key that the cotangent is drawn from."""
    return sha256(repr((scenario.key, scenario.inputs)).encode()).hexdigest()[:12]


def _array(a: Any) -> dict[str, Any]:
    a = np.asarray(a)
    parts = {"real": a.real, "imag": a.imag} if np.iscomplexobj(a) else {"real": a}
    return {"shape": a.shape, **{name: part.astype(np.float64).ravel().tolist() for name, part in parts.items()}}


def _estimate(name: str, estimate: Estimate) -> dict[str, Any]:
    rounded = estimate.value.astype(np.float64)
    with np.errstate(invalid="ignore"):
        lost = np.where(rounded == estimate.value, 0, np.abs(estimate.value - rounded))
    error = np.nan_to_num(estimate.error + lost, nan=0.0)
    # Two digits of an error are enough, if they are not rounded down.
    return {name: rounded.tolist(), f"{name}_error": [[float(f"{1.05 * e:.1e}") for e in row] for row in error]}


def _read(found: Mapping[str, Any], columns: int) -> dict[str, Any]:
    value = tuple(map(_to_array, found["value"]))
    known: dict[str, Any] = {"value": value}
    for name, rows in (("jacobian", len(pack(value))), ("hessian", columns)):
        if name in found:
            both = (np.asarray(found[key], REAL).reshape(rows, columns) for key in (name, f"{name}_error"))
            known[name] = Estimate(*both)
    return known


def _to_array(record: Mapping[str, Any]) -> Any:
    parts = [np.asarray(record[name], REAL).reshape(record["shape"]) for name in ("real", "imag") if name in record]
    return parts[0] if len(parts) == 1 else parts[0] + REAL(1) * 1j * parts[1]
