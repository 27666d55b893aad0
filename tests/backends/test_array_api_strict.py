"""The backend of array-api-strict: derivatives under every setting of the library's flags, which stay the user's."""

import warnings

import numpy as np
import pytest
from unidiff_conformance.oracles import outputs
from unidiff_conformance.results import Status
from unidiff_conformance.runner import run
from unidiff_conformance.scenarios import representatives, scenarios
from unidiff_conformance.trial import Trial

import unidiff as ud

strict = pytest.importorskip("array_api_strict")
STRICTEST = {"boolean_indexing": False, "data_dependent_shapes": False}
MODES = ("jvp", "vjp")


@pytest.fixture
def flags():
    before = strict.get_array_api_strict_flags()
    with strict.ArrayAPIStrictFlags(**STRICTEST):
        yield strict.get_array_api_strict_flags()
    assert strict.get_array_api_strict_flags() == before


def evaluates(item):
    """Say whether the library computes the function itself under its present flags."""
    backend = ud.get_backend("array_api_strict")
    trial = Trial(item, backend, item.dtypes[0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs(item.function(strict, *trial.primals))
    except (IndexError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return False
    return True


def test_whatever_the_strictest_flags_let_be_evaluated_can_be_differentiated(flags):
    items = [scenarios()[name] for name in sorted(representatives()) if scenarios()[name].category != "special"]
    able = [item for item in items if evaluates(item)]
    assert len(able) > 0.9 * len(items)
    results = list(run("array_api_strict", able, dtypes=("float64", "complex128"), modes=MODES))
    failed = [f"{r.case}: {r.message}" for r in results if r.status is not Status.PASS]
    assert not failed, "\n".join(failed)
    assert strict.get_array_api_strict_flags() == flags


def test_what_the_flags_forbid_is_refused_by_the_library(flags):
    x = strict.asarray([1.0, -2.0])
    with pytest.raises(RuntimeError, match="boolean_indexing"):
        ud.grad(lambda x: ud.array_namespace(x).sum(x[x > 0]))(x)


@pytest.mark.parametrize(
    "f",
    [
        lambda a, x: a @ x,
        lambda a, x: a * x - a / x,
        lambda a, x: a**2 + x,
        lambda a, x: a - x + (a - x),
        lambda a, x: x @ a,
    ],
    ids=["matmul", "arithmetic", "power", "subtract", "reflected"],
)
def test_plain_arrays_stand_on_either_side_of_traced_ones(f):
    a, x = np.asarray([[1.0, 2.0], [3.0, 5.0]]), np.asarray([0.5, -1.5])
    total = lambda a: lambda x: ud.array_namespace(x).sum(f(a, x))
    got = ud.grad(total(strict.asarray(a)))(strict.asarray(x))
    np.testing.assert_allclose(ud.to_numpy(got), ud.grad(total(a))(x))


def test_plain_operands_of_other_kinds_are_still_refused():
    with pytest.raises(TypeError):
        strict.asarray([1.0]) + np.asarray([1.0])
    with pytest.raises(TypeError):
        strict.asarray([1.0]) + strict.asarray([1])


@pytest.mark.parametrize("device", ["CPU_DEVICE", "device1"])
def test_derivatives_are_on_the_device_of_the_argument(device):
    where = strict.Device(device)
    x = strict.asarray([1.0, 2.0], device=where)
    xp = ud.array_namespace(x)
    value, gradient = ud.value_and_grad(lambda x: xp.sum(ud.special.erf(x) * xp.arange(2, dtype=x.dtype)))(x)
    assert value.device == gradient.device == where
    assert ud.jacobian(lambda x: x * x)(x).device == where


def test_results_share_no_memory():
    x = strict.asarray([1.0, 2.0])
    constant = strict.asarray([3.0, 4.0])
    out, pullback = ud.vjp(lambda x: x * constant, x)
    constant[0], out[0] = 7.0, 8.0
    (first,), (second,) = pullback(x), pullback(x)
    first[0] = 9.0
    np.testing.assert_array_equal(ud.to_numpy(second), [3.0, 8.0])
    np.testing.assert_array_equal(ud.to_numpy(x), [1.0, 2.0])


def test_sequences_of_arrays_are_stacked():
    found = ud.asarray([strict.asarray(1.0), strict.asarray(2.0)])
    assert ud.get_backend(found).name == "array_api_strict"
    np.testing.assert_array_equal(ud.to_numpy(found), [1.0, 2.0])
    nested = ud.asarray([[strict.asarray(1.0), 5.0], [2.0, 3.0]], backend="array_api_strict")
    np.testing.assert_array_equal(ud.to_numpy(nested), [[1.0, 5.0], [2.0, 3.0]])
