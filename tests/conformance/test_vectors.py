"""What is stored of scenarios is what oracles compute, to more digits than are asked for, and a run needs nothing else."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from unidiff_conformance.oracles import Oracle
from unidiff_conformance.scenarios import scenarios
from unidiff_conformance.vectors import _entries, oracle

EXTENDED = np.finfo(np.longdouble).eps < 1e-18
REMEDY = "run python -m unidiff_conformance.freeze"
DIGITS = 1e-14
"""How well a first derivative is known, relative to the largest entry."""


@pytest.mark.skipif(not EXTENDED, reason="the numbers are computed in an extended precision of 64 bits or more")
@pytest.mark.parametrize(("number", "id"), list(enumerate(scenarios())))
def test_stored_numbers_are_those_of_the_oracle(number: int, id: str) -> None:
    computed, stored = Oracle(scenarios()[id]), oracle(scenarios()[id])
    assert {"value", "jacobian"} <= vars(stored).keys(), REMEDY
    for got, want in zip(stored.value, computed.value, strict=True):
        assert np.shape(got) == np.shape(want)
        assert np.iscomplexobj(got) == np.iscomplexobj(want)
        np.testing.assert_allclose(np.asarray(got, complex), np.asarray(want, complex), rtol=1e-15, err_msg=REMEDY)
    estimates = [("jacobian", DIGITS)]
    if scenarios()[id].max_order > 1:
        assert "hessian" in vars(stored), REMEDY
        estimates += [("hessian", 1e-9)] * (number % 8 == 0)  # those take most of the time
    for name, digits in estimates:
        got, want = getattr(stored, name), getattr(computed, name)
        size = np.max(np.abs(want.value), initial=1, where=np.isfinite(want.value))
        assert np.max(want.error, initial=0) <= digits * size
        finite = np.isfinite(want.value)
        np.testing.assert_array_equal(got.value[~finite], want.value[~finite], err_msg=REMEDY)
        # The error that is stored is at least what rounding took.
        bound = got.error[finite] + 2 * want.error[finite] + 1e-18 * size
        assert np.all(np.abs(got.value[finite] - want.value[finite]) <= bound), REMEDY


def test_nothing_is_stored_of_scenarios_that_are_gone() -> None:
    assert set(_entries()) == set(scenarios()), REMEDY


def test_other_points_are_computed() -> None:
    moved = scenarios()["elementwise.multiply.same-shape"].at(1)
    x, y = oracle(moved).point.reshape(2, -1)
    np.testing.assert_array_equal(oracle(moved).value[0].ravel(), x * y)
    other = replace(scenarios()["elementwise.sin.matrix"], given=scenarios()["elementwise.cos.matrix"].inputs)
    np.testing.assert_array_equal(oracle(other).value[0].ravel(), np.sin(oracle(other).point))


def test_a_run_needs_no_mpmath() -> None:
    code = (
        "import sys; sys.modules['mpmath'] = None\n"
        "from unidiff_conformance.runner import run, select\n"
        "assert all(r.status.value == 'pass' for r in run('numpy', select('special.'), modes=['jvp'], dtypes=['float64']))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
