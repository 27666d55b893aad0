"""Every installed backend passes every scenario, apart from what its waivers say, which is exactly what fails."""

import os

import pytest
from unidiff_conformance.behaviours import Behaviour
from unidiff_conformance.results import Status
from unidiff_conformance.runner import run, select
from unidiff_conformance.scenario import Scenario
from unidiff_conformance.waivers import waivers_of

import unidiff as ud

QUICK = os.environ.get("UNIDIFF_CONFORMANCE", "quick") != "full"
ITEMS = select()
CASES = [
    pytest.param(name, item, id=f"{name}-{item.id}")
    for name, info in ud.backends().items()
    for k, item in enumerate(ITEMS)
    # Backends without arrays of their own know no function from another: a part of the scenarios says as much as all.
    if info.arrays or not QUICK or isinstance(item, Behaviour) or k % 8 == 0
]


@pytest.mark.parametrize(("backend", "item"), CASES)
def test_scenario(backend: str, item: Scenario | Behaviour) -> None:
    results = list(run(backend, [item], waivers=waivers_of(backend), quick=QUICK))
    assert results
    failed = [f"{r.case} {r.status.value} {r.kind}: {r.message}\n  {r.reproduce}" for r in results if r.failed]
    assert not failed, "\n".join(failed)
    idle = [r for r in results if r.status is Status.NOT_RUN]
    assert not idle, f"{idle[0].case}: {idle[0].message}"


@pytest.mark.parametrize("backend", list(ud.backends()))
def test_every_waiver_is_about_a_scenario(backend: str) -> None:
    for waiver in waivers_of(backend):
        assert any(waiver.concerns(item.id) for item in ITEMS), f"{waiver.cases} is about no scenario"
