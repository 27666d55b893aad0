import numpy as np
import pytest

import unidiff as ud
from unidiff.errors import ArgumentError, DTypeError, MixedBackendsError, NotAnArrayError, ShapeError, TreeError

RNG = np.random.default_rng(7)
GENERAL = RNG.normal(size=(5, 5)) + 3 * np.eye(5)
DEFINITE = GENERAL @ GENERAL.T
RHS = RNG.normal(size=5)
SOLVERS = {"cg": (ud.cg, DEFINITE), "gmres": (ud.gmres, GENERAL), "dense": (ud.solve_dense, GENERAL)}


@pytest.mark.parametrize("name", SOLVERS)
def test_solutions(array, check, name):
    solve, matrix = SOLVERS[name]
    a = array(matrix)
    solution = solve(lambda x: a @ x, array(RHS))
    assert solution.converged is True
    assert float(solution.residual) < 1e-9
    assert isinstance(solution.iterations, int)
    check(solution.value, np.linalg.solve(matrix, RHS), rtol=1e-9)


@pytest.mark.parametrize("name", SOLVERS)
def test_pytrees_and_complex_leaves(name):
    """Over a complex leaf an operator need only be real-linear: here z -> 3 z + conj(z), by parts 4 and 2."""
    solve, _ = SOLVERS[name]
    b = {"z": np.asarray([4.0 + 2.0j, 8.0j]), "x": np.asarray(6.0)}
    solution = solve(lambda v: {"z": 3 * v["z"] + np.conj(v["z"]), "x": 2 * v["x"]}, b)
    np.testing.assert_allclose(solution.value["z"], [1.0 + 1.0j, 4.0j], rtol=1e-10)
    np.testing.assert_allclose(solution.value["x"], 3.0, rtol=1e-10)


def test_a_preconditioner_saves_iterations():
    scale = np.geomspace(1.0, 1e4, 40)
    b = np.ones(40)
    plain = ud.cg(lambda x: scale * x, b, maxiter=500)
    better = ud.cg(lambda x: scale * x, b, preconditioner=lambda r: r / scale)
    assert plain.converged
    assert better.converged
    assert better.iterations <= 2 < plain.iterations
    assert ud.gmres(lambda x: scale * x, b, preconditioner=lambda r: r / scale, restart=3).converged


def test_a_start_at_the_solution_needs_no_iteration():
    x = np.linalg.solve(DEFINITE, RHS)
    for solve in (ud.cg, ud.gmres):
        solution = solve(lambda v: DEFINITE @ v, RHS, x)
        assert (solution.iterations, solution.converged) == (0, True)
        assert solution.value is not x


@pytest.mark.parametrize("matrix", [np.diag([1.0, -1.0]), np.zeros((2, 2))], ids=["indefinite", "zero"])
def test_conjugate_gradients_report_what_is_not_positive_definite(matrix):
    assert ud.cg(lambda x: matrix @ x, np.ones(2)).converged is False


def test_too_few_iterations_are_reported():
    solution = ud.cg(lambda x: DEFINITE @ x, RHS, maxiter=2)
    assert solution.converged is False
    assert solution.iterations == 2
    np.testing.assert_allclose(solution.residual, np.linalg.norm(RHS - DEFINITE @ solution.value))


def test_restarts_and_invariant_spaces():
    assert ud.gmres(lambda x: GENERAL @ x, RHS, restart=2, maxiter=200, tol=1e-8).converged
    assert ud.gmres(lambda x: 2 * x, RHS, restart=5).converged
    assert ud.gmres(lambda x: x, np.zeros(3)).value.tolist() == [0.0, 0.0, 0.0]


def test_a_singular_matrix_gives_nan(array):
    a = array([[1.0, 1.0], [1.0, 1.0]])
    solution = ud.solve_dense(lambda x: a @ x, array([1.0, 2.0]))
    assert solution.converged is False
    assert np.all(np.isnan(ud.to_numpy(solution.value)))


def test_compiled_and_mapped(backend, array, check):
    if backend == "array_api_strict":
        pytest.skip("the engine is the same as on NumPy")
    a = array(DEFINITE)
    solve = lambda b: ud.cg(lambda x: a @ x, b).value
    many = np.stack([RHS, 2 * RHS])
    check(ud.vmap(solve)(array(many)), np.linalg.solve(DEFINITE, many.T).T, rtol=1e-9)


BAD = {
    "tolerance": (lambda b: ud.cg(lambda x: x, b, tol=-1.0), ArgumentError),
    "iterations": (lambda b: ud.cg(lambda x: x, b, maxiter=0), ArgumentError),
    "restart": (lambda b: ud.gmres(lambda x: x, b, restart=1.5), ArgumentError),
    "operator": (lambda b: ud.cg(b, b), ArgumentError),
    "shape": (lambda b: ud.cg(lambda x: x[:1], b), ShapeError),
    "tree": (lambda b: ud.cg(lambda x: (x, x), b), TreeError),
    "dtype": (lambda b: ud.cg(lambda x: x.astype("float32"), b), DTypeError),
    "no array": (lambda b: ud.cg(lambda x: 3.0, b), NotAnArrayError),
    "start": (lambda b: ud.gmres(lambda x: x, b, b[:1]), ShapeError),
    "integers": (lambda b: ud.cg(lambda x: x, np.arange(3)), DTypeError),
    "empty": (lambda b: ud.cg(lambda x: x, ()), ArgumentError),
    "text": (lambda b: ud.cg(lambda x: x, {"a": "b"}), NotAnArrayError),
    "number": (lambda b: ud.cg(lambda x: 1j, np.asarray(1.0)), NotAnArrayError),
}


@pytest.mark.parametrize(("call", "error"), BAD.values(), ids=BAD)
def test_bad_input(call, error):
    with pytest.raises(error):
        call(np.ones(2))


FOREIGN = {
    "cg": lambda b, other: ud.cg(lambda x: other, b),
    "dense": lambda b, other: ud.solve_dense(lambda x: other, b),
    "start": lambda b, other: ud.gmres(lambda x: x, b, other),
    "power iteration": lambda b, other: ud.power_iteration(lambda x: other, b),
    "trace": lambda b, other: ud.estimate_trace(lambda x: other, b),
    "expansion": lambda b, other: ud.linear_approximation(lambda x: x * x, b)(other),
    "inverse": lambda b, other: ud.inverse_hvp(lambda x: ud.array_namespace(x).sum(x * x), (b,), other),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_vectors_of_another_library_are_refused(backend, array, name):
    other = ud.asarray(np.ones(2), backend="array_api_strict" if backend == "numpy" else "numpy")
    with pytest.raises(MixedBackendsError, match="array"):
        FOREIGN[name](array(np.ones(2)), other)


SLICES = {
    "dense": (lambda a, b: ud.solve_dense(a, b).value, [np.nan, np.nan]),
    "gmres": (lambda a, b: ud.gmres(a, b).value, [0.0, 0.0]),
    "converged": (lambda a, b: ud.array_namespace(b).astype(ud.gmres(a, b).converged, b.dtype), 0.0),
    "lanczos": (lambda a, b: ud.lanczos(a, b, k=1).values, [np.nan]),
}


@pytest.mark.parametrize("name", SLICES)
def test_an_operator_that_is_not_finite_spoils_no_other_slice(array, check, name):
    solve, spoiled = SLICES[name]
    want = {"dense": [0.5, 1.0], "gmres": [0.5, 1.0], "converged": 1.0, "lanczos": [2.0]}[name]
    found = ud.vmap(lambda s, b: solve(lambda v: s * v, b))(array([np.nan, 2.0]), array([[1.0, 2.0], [1.0, 2.0]]))
    check(found, np.asarray([spoiled, want]), rtol=1e-9)


def test_complex_vectors_without_elements(array, check):
    empty = array(np.zeros((0, 2)), "complex128")
    for solve in (ud.cg, ud.gmres, ud.solve_dense):
        check(solve(lambda v: v, empty).value, np.zeros((0, 2), complex))
    check(ud.estimate_trace(lambda v: v, empty).value, np.asarray(0.0))


def test_an_error_of_the_operator_passes_through():
    def broken(x):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        ud.cg(broken, np.ones(2))
