"""What goes wrong: every library names it, or ends without success and keeps the best point."""

import numpy as np
import pytest
import scipy.optimize

import unidiff as ud
from unidiff.errors import (
    ArgumentError,
    DTypeError,
    MixedBackendsError,
    NonScalarOutputError,
    NotAnArrayError,
    ShapeError,
    TracedConversionError,
    TreeError,
)

Status = ud.optim.Status


def square(x):
    return ud.array_namespace(x).sum((x - 1) ** 2)


def other(array):
    """Return an array of another library."""
    name = "numpy" if ud.get_backend(array).name != "numpy" else "array_api_strict"
    return ud.asarray(np.ones(2), backend=name)


REFUSED = {
    "integers": (lambda a: ud.minimize(square, a([3, 4], "int64")), DTypeError, "int64"),
    "an integer leaf": (
        lambda a: ud.minimize(lambda p: square(p["a"]), {"a": a([1.0]), "b": a([1], "int64")}),
        DTypeError,
        "'b'",
    ),
    "complex values": (
        lambda a: ud.minimize(lambda z: ud.array_namespace(z).sum(z * z), a([1j, 2.0], "complex128")),
        NonScalarOutputError,
        "complex",
    ),
    "complex bounds": (
        lambda a: ud.minimize(lambda z: square(ud.array_namespace(z).real(z)), a([1j], "complex128"), bounds=(0, 1)),
        DTypeError,
        "no order",
    ),
    "a vector": (lambda a: ud.minimize(lambda x: x, a([1.0, 2.0])), NonScalarOutputError, r"shape \(2,\)"),
    "nothing": (lambda a: ud.minimize(lambda x: None, a([1.0, 2.0])), NotAnArrayError, "return"),
    "no auxiliary output": (lambda a: ud.minimize(square, a([1.0]), has_aux=True), ArgumentError, "has_aux"),
    "two libraries": (
        lambda a: ud.minimize(lambda p: square(p[0]), (a([1.0]), other(a([1.0])))),
        MixedBackendsError,
        "convert",
    ),
    "bounds of another library": (
        lambda a: ud.minimize(square, a([1.0, 2.0]), bounds=(0.0, other(a([1.0])))),
        MixedBackendsError,
        "one library",
    ),
    "a near name": (lambda a: ud.minimize(square, a([1.0]), method="lbgfs"), ArgumentError, "did you mean 'l-bfgs'"),
    "a near name of scipy": (
        lambda a: ud.minimize(square, a([1.0]), method="scipy:slspq"),
        ArgumentError,
        "did you mean 'slsqp'",
    ),
    "a near name of a root": (lambda a: ud.root(square, a([1.0]), method="newtn"), ArgumentError, "did you mean 'newton'"),
    "a class": (lambda a: ud.minimize(square, a([1.0]), method=ud.optim.Adam), ArgumentError, "an optimizer such as"),
    "constraints of BFGS": (
        lambda a: ud.minimize(square, a([1.0]), method="scipy:bfgs", constraints={"type": "eq", "fun": square}),
        ArgumentError,
        "takes no constraints",
    ),
    "bounds of SciPy's BFGS": (
        lambda a: ud.minimize(square, a([1.0]), method="scipy:bfgs", bounds=(0, 1)),
        ArgumentError,
        "takes no bounds",
    ),
    "no constraint": (
        lambda a: ud.minimize(square, a([1.0]), method="slsqp", constraints="all"),
        ArgumentError,
        "A constraint is",
    ),
    "an unknown type": (
        lambda a: ud.minimize(square, a([1.0]), method="slsqp", constraints={"type": "leq", "fun": square}),
        ArgumentError,
        "'leq'",
    ),
    "a projection of another shape": (
        lambda a: ud.minimize(square, a([1.0, 2.0]), projection=lambda x: x[:1]),
        ShapeError,
        "projection",
    ),
    "no projection": (lambda a: ud.minimize(square, a([1.0]), projection=3), ArgumentError, "projection must be a function"),
    "pairs of bounds": (lambda a: ud.minimize(square, a([1.0, 2, 3]), bounds=[(0, 1)] * 2), ArgumentError, "2 pairs"),
    "pairs or sides": (lambda a: ud.minimize(square, a([1.0, 2]), bounds=[[0, 1]] * 2), ArgumentError, "says which"),
    "bounds with nothing between": (
        lambda a: ud.minimize(square, a([1.0, 2]), bounds=(float("inf"), None)),
        ArgumentError,
        "no number between",
    ),
    "an own constraint of complex values": (
        lambda a: ud.minimize(square, a([1.0, 2]), constraints={"type": "eq", "fun": lambda x: 1j * x}),
        DTypeError,
        "complex",
    ),
    "a name that is no string": (lambda a: ud.root(square, a([1.0]), method=["newton"]), ArgumentError, "known are newton"),
    "no function": (lambda a: ud.fixed_point(3, a([1.0])), ArgumentError, "must be a function"),
    "a line search of words": (lambda a: ud.optim.Armijo(c1="small"), ArgumentError, "c1 must be a number"),
    "a line search without trials": (lambda a: ud.optim.MoreThuente(maxiter=0), ArgumentError, "maxiter must be an integer"),
    "no callback": (lambda a: ud.minimize(square, a([1.0]), callback=3), ArgumentError, "callback must be a function"),
    "options that are no dict": (lambda a: ud.least_squares(square, a([1.0]), options=["maxiter"]), ArgumentError, "a dict"),
    "a near option": (lambda a: ud.minimize(square, a([1.0]), options={"maxit": 1}), ArgumentError, "did you mean 'maxiter'"),
    "an option SciPy does not know": (
        lambda a: ud.minimize(square, a([1.0]), method="scipy:bfgs", options={"maxit": 1}),
        ArgumentError,
        "no option maxit",
    ),
    "an argument SciPy does not know": (
        lambda a: ud.minimize(square, a([1.0]), method="trust-constr", options={"maxit": 1}),
        ArgumentError,
        "no option 'maxit'",
    ),
    "a step of zero": (
        lambda a: ud.minimize(square, a([1.0]), method="gradient-descent", options={"step": a(0.0)}),
        ArgumentError,
        "step must be a positive number",
    ),
    "a container nobody knows": (lambda a: ud.minimize(square, object()), NotAnArrayError, "register_node"),
    "a matrix of another shape": (
        lambda a: ud.minimize(square, a([1.0, 2]), constraints=scipy.optimize.LinearConstraint(np.ones((1, 3)), 1, 1)),
        ShapeError,
        "linear constraint",
    ),
    "a proximal step backwards": (lambda a: ud.optim.proximal.l2(a([1.0]), -1.0), ArgumentError, "not be negative"),
    "the nuclear norm of a vector": (lambda a: ud.optim.proximal.nuclear(a([1.0])), ShapeError, "m, n"),
    "a complex barrier": (lambda a: ud.optim.proximal.log_barrier(a([1j], "complex128")), DTypeError, "complex"),
    "an unknown loss": (lambda a: ud.least_squares(lambda x: x, a([1.0]), loss="hubber"), ArgumentError, "huber"),
    "a negative scale": (
        lambda a: ud.least_squares(lambda x: x, a([1.0]), loss="huber", f_scale=-1.0),
        ArgumentError,
        "f_scale",
    ),
    "a unit of zero": (lambda a: ud.least_squares(lambda x: x, a([1.0]), x_scale=0.0), ArgumentError, "x_scale"),
    "units of another shape": (lambda a: ud.least_squares(lambda x: x, a([1.0]), x_scale=a([1.0, 1.0])), ShapeError, "units"),
    "bounds of lm": (
        lambda a: ud.least_squares(lambda x: x, a([1.0]), method="lm", bounds=(0, 1)),
        ArgumentError,
        "'trf' does",
    ),
    "infeasible bounds of a fit": (
        lambda a: ud.least_squares(lambda x: x, a([1.0]), bounds=(1, 0)),
        ArgumentError,
        "infeasible",
    ),
    "a loss of another shape": (
        lambda a: ud.least_squares(lambda x: x, a([1.0, 2.0]), loss=lambda z: z[:1]),
        ShapeError,
        "loss",
    ),
    "no residuals": (lambda a: ud.least_squares(lambda x: None, a([1.0])), TreeError, "no arrays"),
    "a fixed point of another shape": (lambda a: ud.fixed_point(lambda x: x[:1], a([1.0, 2.0])), ShapeError, "result"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_typed_errors_say_what_is_wrong(name, array):
    call, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        call(array)


METHODS = ["bfgs", "l-bfgs", "cg", "gradient-descent", "newton", "trust-ncg", "trust-exact", "l-bfgs-b", "scipy:slsqp"]
NO_SUCCESS = {
    "NaN at the start": (lambda x, k: square(x), [np.nan, 1.0]),
    "NaN midway": (lambda x, k: square(x) * x[0] ** 2 * (1.0 if k < 4 else float("nan")), [3.0, 4.0]),
    "overflow": (lambda x, k: -1e300 * ud.array_namespace(x).sum(x**3), [3.0, 4.0]),
}


def counted(f):
    calls = [0]

    def g(x):
        calls[0] += 1
        return f(x, calls[0])

    return g


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NO_SUCCESS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_not_finite_is_no_success(name, method, backend, array):
    if not ud.get_backend(backend).nests():
        pytest.skip("has no exact derivatives of derivatives")
    if backend != "numpy" and method not in {"bfgs", "l-bfgs-b"}:
        pytest.skip("the same code")
    if backend == "jax" and (name != "NaN midway" or method != "bfgs"):
        pytest.skip("long to compile")
    if method == "scipy:slsqp" and name == "NaN at the start":
        pytest.skip("SciPy's LAPACK complains on standard output")
    f, start = NO_SUCCESS[name]
    result = ud.minimize(counted(f), array(start), method=method, options={"maxiter": 20})
    assert not result.success
    assert result.status is not Status.CONVERGED
    assert result.message
    if name != "NaN at the start":
        assert np.isfinite(ud.to_numpy(result.x)).all()


@pytest.mark.parametrize(
    "solve",
    [
        lambda x: ud.minimize(square, x),
        lambda x: ud.minimize(square, x, bounds=(0, 1)),
        lambda x: ud.minimize(square, x, projection=ud.optim.projections.nonnegative),
        lambda x: ud.least_squares(lambda x: x, x),
        lambda x: ud.least_squares(lambda x: x, x, bounds=(0, 1)),
        lambda x: ud.root(lambda x: x, x),
        lambda x: ud.fixed_point(lambda x: x, x),
    ],
)
def test_without_unknowns_there_is_nothing_to_do(solve, array):
    result = solve(array(np.zeros(0)))
    assert (result.success, result.nit) == (True, 0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "solve",
    [
        lambda f, x: ud.least_squares(f, x),
        lambda f, x: ud.least_squares(f, x, bounds=(-1, 9)),
        lambda f, x: ud.least_squares(f, x, method="gauss-newton"),
        lambda f, x: ud.root(f, x),
        lambda f, x: ud.root(f, x, method="broyden"),
    ],
)
def test_residuals_and_jacobians_that_are_not_finite(solve, array, backend):
    if not ud.get_backend(backend).nests() or backend == "jax":
        pytest.skip("the same code")
    for f in (lambda x: x * float("nan"), lambda x: ud.array_namespace(x).sqrt(x) - 1):  # the second one at 0
        result = solve(f, array([0.0, 4.0]))
        assert (result.success, result.status) == (False, Status.NOT_FINITE)
        assert ud.to_numpy(result.x)[1] == 4


def test_half_precision_stays(array, backend):
    if not ud.get_backend(backend).nests() or backend in {"array_api_strict", "jax"}:
        pytest.skip("has no such dtype, or is the same code")
    result = ud.minimize(square, array([3.0, 4.0], "float16"))
    assert result.success
    assert str(result.x.dtype).endswith("float16")


def test_an_error_midway_passes_through():
    def f(x, k):
        if k > 2:
            raise KeyError("mine")
        return square(x) * x[0] ** 2

    for method in (*METHODS, "scipy:nelder-mead"):
        with pytest.raises(KeyError, match="mine"):
            ud.minimize(counted(f), np.asarray([3.0, 4.0]), method=method)


def test_infeasible_constraints_are_no_success():
    line = [{"type": "eq", "fun": lambda x, b: x[0] - b, "args": (b,)} for b in (0.0, 1.0)]
    assert not ud.minimize(square, np.ones(2), method="slsqp", constraints=line).success
    assert not ud.minimize(
        square, np.ones(2), method="slsqp", constraints={"type": "eq", "fun": lambda x: x[0] * np.nan}
    ).success


def test_bounds_in_the_form_of_scipy():
    result = ud.minimize(square, np.asarray([3.0, 4.0]), bounds=scipy.optimize.Bounds([0, 0], [0.5, 2]))
    np.testing.assert_allclose(result.x, [0.5, 1], atol=1e-6)
    result = ud.minimize(square, np.asarray([3.0, 4.0]), bounds=(None, [0.5, 2]))
    np.testing.assert_allclose(result.x, [0.5, 1], atol=1e-6)


SOLVERS = {
    "minimize": lambda a: ud.minimize(lambda x, a: ud.array_namespace(x).sum((x - a) ** 2), a, args=(a,)),
    "least_squares": lambda a: ud.least_squares(lambda x, a: x - a, a, args=(a,)),
    "root": lambda a: ud.root(lambda x, a: x**3 - a, a, args=(a,)),
    "fixed_point": lambda a: ud.fixed_point(lambda x, a: (x + a) / 2, a, args=(a,)),
}


@pytest.mark.parametrize("transform", ["vmap", "jit"])
@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_say_that_they_need_values(name, transform, array, backend):
    if transform == "jit" and backend == "torch":
        pytest.skip("compiles only where a compiler is asked for")
    with pytest.raises(TracedConversionError, match=r"solvers decide by values"):
        getattr(ud, transform)(lambda a: SOLVERS[name](a).x)(array([[1.0, 2.0], [3.0, 4.0]]))


@pytest.mark.parametrize("solver", ["minimize", "least_squares", "root", "fixed_point"])
def test_what_a_function_closes_over_is_refused_before_the_iterations(solver, array, backend):
    """On PyTorch solvers run below the levels of its transforms, where what is closed over would be differentiated with x."""
    calls = []

    def solution(a):
        def function(x):
            calls.append(1)
            value = 10.0 * (x[1:] - a * x[:1] ** 2)
            if solver == "minimize":
                return ud.array_namespace(x).sum(value**2) + (1.0 - x[0]) ** 2
            return ud.array_namespace(x).concat([value, a - x[:1]])

        options = {"minimize": {"method": "newton"}, "least_squares": {"method": "gauss-newton"}}.get(solver, {})
        return getattr(ud, solver)(function, array([-1.2, 1.0]), **options).x

    one = array([1.0])
    for derivative in (lambda: ud.jvp(solution, (one,), (one,)), lambda: ud.jacfwd(solution)(one)):
        calls.clear()
        with pytest.raises(ud.errors.ArgumentError, match="closes over a value"):
            derivative()
        assert len(calls) <= 4
