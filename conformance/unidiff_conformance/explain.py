"""What a scenario is about, in words."""

import inspect
import textwrap
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from unidiff_conformance.behaviours import Behaviour
from unidiff_conformance.checks import CHECKS
from unidiff_conformance.scenario import Scenario
from unidiff_conformance.source import source
from unidiff_conformance.standard import clause_of
from unidiff_conformance.vectors import oracle

_ROWS = 12
"""How many rows of a Jacobian are shown."""
_WIDTH = 100


def explain(item: Scenario | Behaviour, dtypes: Sequence[str], modes: Sequence[str]) -> str:
    """Return what a scenario or behaviour demands, and how it is judged.

    Parameters
    ----------
    item : Scenario or Behaviour
        What is explained.
    dtypes, modes : sequence of str
        In what it is run.

    Returns
    -------
    str
        Lines of a label and a text.
    """
    rows = list(describe(item).items())
    if isinstance(item, Scenario):
        rows += [("Wanted", _wanted(item)), ("Tolerance", tolerance(item))]
        rows += [(f"{'Modes' * (not k)}", f"{mode}: {inspect.getdoc(CHECKS[mode])}") for k, mode in enumerate(modes)]
    rows += [("Dtypes", ", ".join(dtypes)), ("Run", f"unidiff conformance run NAME --case {item.id}")]
    return "\n".join([item.id, *(_line(label, text) for label, text in rows)])


def _line(label: str, text: str) -> str:
    indent = "\n" + " " * 11
    wrapped = [
        part for line in text.splitlines() or [""] for part in textwrap.wrap(line, _WIDTH, break_on_hyphens=False) or [""]
    ]
    return f"{label:<11}{indent.join(wrapped)}".rstrip()


@cache
def describe(item: Scenario | Behaviour) -> dict[str, str]:
    """Return what is known of an item without running it, as labels and texts.

    Parameters
    ----------
    item : Scenario or Behaviour

    Returns
    -------
    dict of str to str
    """
    found = {}
    if isinstance(item, Scenario) and item.origin:
        found["Origin"] = f"a scenario of the plugin {item.origin}, and of no clause of the standard"
    else:
        clause = clause_of(item.id)
        found["Clause"] = f"{clause.id}: {clause.text or clause.jvp or ', '.join(clause.factors)}"
    found["Rule"] = f"{item.rule.name}: {item.rule.value}"
    if isinstance(item, Behaviour):
        return {**found, "Demands": inspect.getdoc(item.check) or ""}
    found["Function"] = source(item.function)
    for k, data in enumerate(item.inputs):
        found[f"Input {k}"] = f"shape {data.shape}: {', '.join(map(repr, data.values))}"
    if item.like is not None:
        found["Like"] = source(item.like)
    return {**found, "Oracle": _oracle(item)}


def tolerance(item: Scenario) -> str:
    """Return how large an error of a scenario may be, and why."""
    accuracy = item.accuracy
    if not accuracy.factor:
        return f"none: results are equal ({accuracy.name}). {accuracy.reason}"
    return f"{accuracy.factor:g} eps times the terms summed ({accuracy.name}). {accuracy.reason}"


def _wanted(item: Scenario) -> str:
    found = oracle(item)
    jacobian = found.jacobian
    rows = [f"value {', '.join(_numbers(a) for a in found.value)}", "Jacobian, rows by outputs and columns by inputs"]
    rows[1] += ", real parts before imaginary parts:" if item.is_complex else ":"
    rows += [_numbers(row) for row in jacobian.value[:_ROWS]]
    if len(jacobian.value) > _ROWS:
        rows.append(f"... and {len(jacobian.value) - _ROWS} rows more")
    return "\n".join([*rows, f"known to {float(np.max(jacobian.error, initial=0)):.1e}"])


def _numbers(array: Any) -> str:
    a = np.asarray(array)
    a = a.astype(np.complex128 if np.iscomplexobj(a) else np.float64)
    return np.array2string(a, max_line_width=10**6, threshold=24, formatter={"all": lambda x: f"{x:.17g}"})


def _oracle(item: Scenario) -> str:
    if item.jacobian is not None:
        return "written down by hand from the clause, as limits and derivatives in closed form"
    model = (
        "the function that is like it here" if item.like is not None else "a reference" if item.reference else "the function"
    )
    return f"differences of {model} in extended precision, extrapolated to step 0"
