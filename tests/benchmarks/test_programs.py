"""Every benchmark program runs with every peer, and all derivatives agree with the complex step or a closed form."""

import importlib.util
import warnings
from contextlib import nullcontext

import numpy as np
import pytest

from benchmarks.measure import RTOL, difference
from benchmarks.peers import PEERS, as_numpy
from benchmarks.programs import all_programs, bundle_adjustment, gmm

PROGRAMS = all_programs(small=True)
DERIVATIVE_PEERS = [name for name in PEERS if name != "forward"]


def double_precision(library):
    """JAX computes in double precision only on request."""
    if library != "jax":
        return nullcontext()
    import jax

    return jax.enable_x64(True)


def derivative(program, peer):
    """Return the derivative, or skip where the library is missing or there is no such derivative."""
    library = PEERS[peer].library
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    with double_precision(library), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)  # torch.func itself uses it
        thunk = PEERS[peer].prepare(program)
        if thunk is None:
            pytest.skip("no gradient by hand")
        return as_numpy(thunk())


def complex_step(program, directions):
    """Return the derivative of the program's output along ``directions``."""
    step = 1e-30
    primals = [primal + 1j * step * direction for primal, direction in zip(program.primals, directions, strict=True)]
    return np.imag(program.function(np, *primals, *program.data)) / step


@pytest.mark.parametrize("peer", DERIVATIVE_PEERS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_derivative_is_right(name, peer):
    program = PROGRAMS[name]
    found = derivative(program, peer)
    if program.operator == "hessian":
        assert difference(found, program.by_hand(*program.primals, *program.data)) < RTOL
        return
    random = np.random.default_rng(0)
    directions = [random.normal(size=primal.shape) for primal in program.primals]
    along = sum(np.tensordot(part, direction, axes=direction.ndim) for part, direction in zip(found, directions, strict=True))
    np.testing.assert_allclose(along, complex_step(program, directions), rtol=1e-9)


@pytest.mark.parametrize("name", PROGRAMS)
def test_forward_runs_the_program_itself(name):
    program = PROGRAMS[name]
    np.testing.assert_array_equal(PEERS["forward"].prepare(program)(), program.function(np, *program.primals, *program.data))


def test_small_and_full_sets_have_the_same_names():
    assert list(PROGRAMS) == list(all_programs(small=False))


def test_gaussian_mixture_matches_the_value_that_adbench_publishes():
    alphas = np.asarray([-0.649014, 1.181166, -0.758453])
    means = np.asarray([[0.092339, 0.186260], [0.345561, 0.396767], [0.538817, 0.419195]])
    icf = np.asarray([[0.586443, -0.851887, 0.800321], [-1.509405, 0.875874, -0.242790], [0.166813, -1.965419, -1.270071]])
    points = np.asarray([[1.175171, 2.029160]])
    found = gmm.log_likelihood(np, alphas, means, icf, points, np.zeros((3, 2)), gamma=1.0, m=0)
    np.testing.assert_allclose(found, 8.07380408004975791, rtol=1e-12)


def test_bundle_adjustment_matches_the_residuals_that_adbench_publishes():
    pose = [1.797201, 0.590697, -0.635786, 90.859550, 29.361415, 28.777534]
    lens = [211.628116, -0.284531, -14.762924, 0.058931, 0.069976]
    parameters = np.asarray([[*pose, *lens, 4.173048, 5.586898, 1.403869, 0.417022]])
    found = bundle_adjustment.residuals(np, parameters, np.asarray([[-525.672849, 161.811929]]))
    expected = [[-2.69048849235189402e-01], [2.59944792677901881e-01], [8.26092651515999976e-01]]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
