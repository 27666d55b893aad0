"""What a scenario is about, in words."""

import inspect

import numpy as np

from unidiff_conformance.behaviours import Behaviour
from unidiff_conformance.checks import CHECKS, modes_of
from unidiff_conformance.oracles import oracle
from unidiff_conformance.scenario import Scenario
from unidiff_conformance.standard import clause_of


def explain(item: Scenario | Behaviour) -> str:
    """Return function, inputs, wanted derivative, tolerance and clause of a scenario, or the rule of a behaviour."""
    clause = clause_of(item.id)
    head = [item.id, f"Clause     {clause.id}: {clause.text or clause.jvp or ', '.join(clause.factors)}"]
    head.append(f"Rule       {item.rule.name}: {item.rule.value}")
    if isinstance(item, Behaviour):
        return "\n".join([*head, f"Demands    {inspect.getdoc(item.check)}"])
    lines = [*head, f"Function   {_source(item.function)}"]
    lines += [f"Input      {data.shape} {list(data.values)}" for data in item.inputs]
    if item.like is not None:
        lines.append(f"Like       {_source(item.like)}")
    wanted = oracle(item).jacobian
    lines += [f"{'Jacobian' * (not i):<10} {[float(x) for x in row]}" for i, row in enumerate(wanted.value)]
    lines.append(f"Oracle     {_oracle(item)}; error at most {float(np.max(wanted.error, initial=0)):.1e}")
    accuracy = item.accuracy
    lines.append(f"Tolerance  {accuracy.factor:g} eps times the terms summed ({accuracy.name}). {accuracy.reason}")
    lines += [f"Modes      {dtype}: {', '.join(modes_of(item, dtype))}" for dtype in item.dtypes]
    lines += [f"           {mode}: {inspect.getdoc(CHECKS[mode])}" for mode in modes_of(item, item.dtypes[0])]
    return "\n".join(lines)


def _oracle(item: Scenario) -> str:
    if item.jacobian is not None:
        return "written down by hand from the clause, as limits and derivatives in closed form"
    model = (
        "the function that is like it here" if item.like is not None else "a reference" if item.reference else "the function"
    )
    return f"differences of {model} in {np.finfo(np.longdouble).nmant + 1}-bit arithmetic, extrapolated to step 0"


def _source(function: object) -> str:
    assert callable(function)
    return " ".join(line.strip() for line in inspect.getsource(function).splitlines())
