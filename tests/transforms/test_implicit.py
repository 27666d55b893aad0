"""Derivatives of solvers against closed forms, on every backend, in every mode, to second order."""

import numpy as np
import pytest

import unidiff as ud
from unidiff.errors import ArgumentError, DTypeError, MixedBackendsError, NotAnArrayError, ShapeError, TreeError

MATRIX = np.asarray([[3.0, 1.0, 0.0], [-1.0, 4.0, 1.0], [0.5, 0.0, 2.0]])
POINT = np.asarray([1.0, -0.5, 2.0])


def numbers(x):
    """Return the values of an array that a solver got, whatever is being differentiated around it."""
    return ud.to_numpy(x)


def cubic(x, a):
    """Each component of x + x^3 = a on its own: dx/da = 1 / (1 + 3 x^2)."""
    return x + x**3 - a


def quartic(x, a):
    return ud.array_namespace(x).sum(x**2 / 2 + x**4 / 4 - a * x)


def newton(init, a):
    x, target = np.asarray(numbers(init), float), numbers(a)
    for _ in range(60):
        x = x - (x + x**3 - target) / (1 + 3 * x**2)
    return ud.asarray(x, backend=ud.get_backend(a).name)


solve_cubic = ud.custom_root(cubic)(newton)
SOLVERS = {"root": solve_cubic, "argmin": ud.custom_argmin(quartic)(newton)}


def exact(a):
    x = a
    for _ in range(200):
        x = x - (x + x**3 - a) / (1 + 3 * x**2)
    slope = 1 / (1 + 3 * x**2)
    return x, slope, -6 * x * slope**3


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev"])
def test_first_derivatives(array, check, mode):
    a = array(POINT)
    check(solve_cubic(array(np.zeros(3)), a), exact(POINT)[0], rtol=1e-12)
    check(getattr(ud, mode)(solve_cubic, argnums=1)(array(np.zeros(3)), a), np.diag(exact(POINT)[1]), rtol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("mode", ["forward-over-reverse", "reverse-over-forward", "reverse-over-reverse"])
def test_second_derivatives(array, check, mode, solver):
    init = array(np.zeros(3))
    f = lambda a: ud.array_namespace(a).sum(SOLVERS[solver](init, a))
    check(ud.hvp(f, (array(POINT),), (array(np.ones(3)),), mode=mode), exact(POINT)[2], rtol=1e-11)


def test_third_derivatives():
    f = lambda a: np.sum(solve_cubic(np.zeros(3), a))
    found = ud.directional_derivative(f, (POINT,), (np.ones(3),), 3)
    x, s, _ = exact(POINT)
    assert float(found) == pytest.approx(np.sum(-6 * s**4 + 108 * x**2 * s**5), rel=1e-10)


@pytest.mark.parametrize(
    "solve",
    ["dense", "gmres", "normal_cg", lambda a, b: ud.gmres(a, b, restart=2)],
    ids=["dense", "gmres", "normal_cg", "callable"],
)
def test_linear_solvers(solve):
    """x = M^-1 (a * b) for a general matrix, with the parameters in a tree."""

    @ud.custom_root(lambda x, p: MATRIX @ x - p["a"] * p["b"][0], solve=solve)
    def linear(init, p):
        return np.linalg.solve(MATRIX, p["a"] * p["b"][0])

    p = {"a": POINT, "b": [np.asarray(2.0)], "n": 3, "k": np.arange(2)}
    f = lambda a, b: linear(None, {**p, "a": a, "b": [b]})
    inverse = np.linalg.inv(MATRIX)
    for transform in (ud.jacfwd, ud.jacrev):
        by_a, by_b = transform(f, argnums=(0, 1))(POINT, np.asarray(2.0))
        np.testing.assert_allclose(by_a, 2 * inverse, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(by_b, inverse @ POINT, rtol=1e-9)


def test_fixed_points(array, check):
    @ud.custom_fixed_point(lambda x, a, b: {"u": a * x["v"] + b, "v": x["u"] / 2})
    def settle(init, a, b):
        u = (numbers(b) / (1 - numbers(a) / 2)).tolist()
        backend = ud.get_backend(a).name
        return {"u": ud.asarray(u, backend=backend, dtype="float64"), "v": ud.asarray(u / 2, backend=backend, dtype="float64")}

    a, b = array(0.5), array(3.0)
    init = {"u": b, "v": b}
    gradient = ud.grad(lambda a, b: settle(init, a, b)["u"], argnums=(0, 1))(a, b)
    # u = b / (1 - a / 2)
    check(gradient, (np.asarray(3.0 / 2 / 0.75**2), np.asarray(1 / 0.75)), rtol=1e-12)


@pytest.mark.parametrize("solve", ["auto", "cg", "dense"])
def test_minimizers(solve):
    """Ridge regression, whose solution is known: the penalty's hypergradient."""
    data, target = MATRIX, POINT

    @ud.custom_argmin(lambda w, penalty: ((data @ w - target) ** 2).sum() + penalty * (w**2).sum(), solve=solve)
    def ridge(init, penalty):
        return np.linalg.solve(data.T @ data + float(penalty) * np.eye(3), data.T @ target)

    penalty = np.asarray(0.7)
    w = ridge(None, penalty)
    want = -np.linalg.solve(data.T @ data + 0.7 * np.eye(3), w)
    np.testing.assert_allclose(ud.jacobian(ridge, argnums=1)(None, penalty), want, rtol=1e-10)
    second = ud.jacfwd(ud.jacrev(ridge, argnums=1), argnums=1)(None, penalty)
    np.testing.assert_allclose(second, -2 * np.linalg.solve(data.T @ data + 0.7 * np.eye(3), want), rtol=1e-9)


def test_complex_solutions(array, check):
    """z^2 = a by a holomorphic equation, solved by parts."""

    @ud.custom_root(lambda z, a: z * z - a)
    def root(init, a):
        return ud.asarray(np.sqrt(numbers(a)), backend=ud.get_backend(a).name)

    a, v = np.asarray([3.0 + 4.0j]), np.asarray([1.0 - 2.0j])
    z = array(a, "complex128")
    pushed = ud.jvp(lambda a: root(z, a), (z,), (array(v, "complex128"),))[1]
    check(pushed, v / (2 * np.sqrt(a)), rtol=1e-12)
    _, pull = ud.vjp(lambda a: root(z, a), z)
    check(pull(array(v, "complex128"))[0], v * np.conj(1 / (2 * np.sqrt(a))), rtol=1e-12)


def test_the_start_has_derivative_zero_and_the_solver_runs_once():
    calls = []

    @ud.custom_root(cubic)
    def solver(init, a, *, note):
        calls.append(note)
        return solve_cubic(init, a)

    by_init, by_a = ud.grad(lambda i, a: solver(i, a, note="kept").sum(), argnums=(0, 1))(np.ones(3), POINT)
    np.testing.assert_array_equal(by_init, np.zeros(3))
    np.testing.assert_allclose(by_a, exact(POINT)[1], rtol=1e-12)
    assert calls == ["kept"]


def test_mapped(backend, array, check):
    if backend == "array_api_strict":
        pytest.skip("the engine is the same as on NumPy")

    @ud.custom_fixed_point(lambda x, a: a * ud.array_namespace(x).cos(x))
    def settle(init, a):
        return ud.fori_loop(0, 80, lambda i, x: a * ud.array_namespace(x).cos(x), init)

    a = np.asarray([0.2, 0.5])
    x = 0 * a
    for _ in range(200):
        x = a * np.cos(x)
    slopes = ud.vmap(ud.grad(lambda a: settle(0 * a, a)))(array(a))
    check(slopes, np.cos(x) / (1 + a * np.sin(x)), rtol=1e-11)


@pytest.mark.parametrize("solve", ["dense", "gmres", "cg"])
def test_a_singular_equation_has_no_derivative(array, solve):
    """x^2 = a at a = 0: the derivative is NaN, in both modes."""

    @ud.custom_root(lambda x, a: x * x - a, solve=solve)
    def root(init, a):
        return 0 * a

    zero = array([0.0])
    for transform in (ud.jacfwd, ud.jacrev):
        assert np.all(np.isnan(ud.to_numpy(transform(lambda a: root(a, a))(zero))))


def solver_of(value):
    return lambda init, a: value


BAD = {
    "optimality": (lambda: ud.custom_root(3), ArgumentError),
    "solver": (lambda: ud.custom_root(cubic)(3), ArgumentError),
    "solve": (lambda: ud.custom_root(cubic, solve="magic"), ArgumentError),
    "objective": (lambda: ud.custom_argmin(None), ArgumentError),
    "text": (lambda: ud.custom_root(cubic)(solver_of("x"))(None, POINT), NotAnArrayError),
    "integers": (lambda: ud.custom_root(cubic)(solver_of(np.arange(3)))(None, POINT), DTypeError),
    "dimension": (
        lambda: ud.grad(lambda a: ud.custom_root(lambda x, a: x[:2])(solver_of(POINT))(None, a).sum())(POINT),
        ShapeError,
    ),
    "result of solve": (
        lambda: ud.grad(lambda a: ud.custom_root(cubic, solve=lambda a, b: b)(solver_of(POINT))(None, a).sum())(POINT),
        ArgumentError,
    ),
}


@pytest.mark.parametrize(("call", "error"), BAD.values(), ids=BAD)
def test_bad_input(call, error):
    with pytest.raises(error):
        call()


def through_root(solver, optimality):
    return lambda a: ud.custom_root(optimality)(solver)(a, a)


RETURNED = {
    "solver nothing": (through_root(lambda x, a: None, lambda x, a: x - a), TreeError, "None"),
    "solver of another library": (
        through_root(lambda x, a: other_library(a), lambda x, a: x - a),
        MixedBackendsError,
        "solution",
    ),
    "residual of another library": (
        through_root(lambda x, a: a, lambda x, a: other_library(a)),
        MixedBackendsError,
        "optimality",
    ),
    "residual text": (through_root(lambda x, a: a, lambda x, a: "text"), NotAnArrayError, "optimality"),
    "fixed point of another shape": (
        lambda a: ud.custom_fixed_point(lambda x, a: ud.array_namespace(x).sum(x))(lambda x, a: a)(a, a),
        ShapeError,
        "fixed_point",
    ),
}


def other_library(a):
    return ud.asarray(np.ones(3), backend="array_api_strict" if ud.get_backend(a).name == "numpy" else "numpy")


@pytest.mark.parametrize("name", RETURNED)
def test_what_the_functions_return_is_checked(array, name):
    f, error, words = RETURNED[name]
    with pytest.raises(error, match=words):
        ud.jacobian(f)(array(POINT))


def test_an_error_of_the_solver_passes_through():
    def broken(init, a):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        ud.grad(lambda a: ud.custom_root(cubic)(broken)(None, a).sum())(POINT)


@pytest.mark.parametrize("loop", ["fori_loop", "while_loop"])
def test_a_solver_that_loops_may_be_compiled(loop, array, check):
    def update(x, a):
        return 0.5 * ud.array_namespace(x, a).sin(x) + a

    @ud.custom_fixed_point(update)
    def solve(start, a):
        if loop == "fori_loop":
            return ud.fori_loop(0, 60, lambda i, x: update(x, a), start)
        xp = ud.array_namespace(start, a)
        return ud.while_loop(lambda x: xp.abs(update(x, a) - x) > 1e-13, lambda x: update(x, a), start)

    start, a = array(0.3), array(0.4)
    solution = 0.7354666165721
    check(ud.jit(solve)(start, a), np.asarray(solution), rtol=1e-10)
    slope = 1 / (1 - 0.5 * np.cos(solution))
    check(ud.jit(ud.grad(solve, argnums=1))(start, a), np.asarray(slope), rtol=1e-10)
    check(ud.grad(ud.jit(solve), argnums=1)(start, a), np.asarray(slope), rtol=1e-10)
