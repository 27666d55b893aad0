import math

import mpmath
import numpy as np
import pytest

import unidiff as ud
from unidiff import numerical
from unidiff.differences import stencil
from unidiff.errors import (
    ArgumentError,
    MixedBackendsError,
    NonScalarOutputError,
    NotDifferentiableError,
    ShapeError,
    TreeError,
)

POINTS = [0.7, -1.3]


def exp_sin(x):
    xp = ud.array_namespace(x)
    return xp.exp(xp.sin(x))


def derivative(order):
    with mpmath.workdps(40):
        return [float(mpmath.diff(lambda t: mpmath.exp(mpmath.sin(t)), mpmath.mpf(x), order)) for x in POINTS]


@pytest.mark.parametrize("accuracy", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("method", ["central", "forward", "backward"])
def test_stencils_are_exact_for_polynomials(method, order, accuracy):
    found = stencil(method, order, accuracy)
    assert found.accuracy == accuracy + (accuracy % 2 if method == "central" else 0)
    for degree in range(order + found.accuracy):
        value = math.fsum(w * o**degree for w, o in zip(found.weights, found.offsets, strict=True))
        assert value == pytest.approx(math.factorial(order) if degree == order else 0.0, abs=1e-9 * 8**degree)


def test_known_stencils():
    assert (stencil("central").offsets, stencil("central").weights) == ((-1, 1), (-0.5, 0.5))
    assert stencil("central", 2).weights == (1.0, -2.0, 1.0)
    assert stencil("forward", 1, 2).weights == (-1.5, 2.0, -0.5)
    assert stencil("central", 1, 4).weights == (1 / 12, -2 / 3, 2 / 3, -1 / 12)


# The order of the derivative, and how large its error may be.
BOUNDS = {("central", 1): 1e-10, ("central", 2): 1e-8, ("central", 3): 1e-6, ("central", 4): 1e-4}
BOUNDS |= {("forward", 1): 1e-9, ("backward", 1): 1e-9, ("forward", 2): 1e-6, ("complex", 1): 1e-14}


@pytest.mark.parametrize(("method", "order"), BOUNDS, ids=str)
def test_directional_derivatives_and_their_errors(backend, array, method, order):
    x, v = array(POINTS), array([1.0, 1.0])
    value, error = numerical.jvp(exp_sin, (x,), (v,), method=method, order=order)
    assert ud.get_backend(value).name == ud.get_backend(error).name == backend
    deviation = np.abs(ud.to_numpy(value) - derivative(order))
    assert np.all(deviation <= ud.to_numpy(error))
    assert np.all(ud.to_numpy(error) < BOUNDS[method, order])


def test_functions_that_leave_the_library(backend, array):
    def opaque(x, scale=1.0):
        return scale * math.prod(math.sin(float(t)) for t in ud.to_numpy(x))

    x = array(POINTS)
    value, error = numerical.grad(opaque)(x, scale=2.0)
    want = 2 * np.cos(POINTS) * np.sin(POINTS[::-1])
    assert np.all(np.abs(ud.to_numpy(value) - want) <= ud.to_numpy(error))
    assert ud.get_backend(value).name == backend


def test_pytrees_argnums_and_integer_outputs(array, check):
    def f(p, q):
        return {"y": p["a"] * q, "n": ud.array_namespace(q).astype(q > 0, q.dtype), "k": 3}

    p, q = {"a": array([2.0, 3.0])}, array([1.0, -1.0])
    value, error = numerical.jacobian(f, argnums=(0, 1))(p, q)
    check(value["y"], ({"a": np.diag([1.0, -1.0])}, np.diag([2.0, 3.0])), rtol=1e-9)
    check(value["n"], ({"a": np.zeros((2, 2))}, np.zeros((2, 2))))
    assert ud.tree.structure(value) == ud.tree.structure(error)
    pushed, _ = numerical.jvp(lambda q: {"y": q * q, "k": 3}, (q,), (q,))
    check(pushed, {"y": np.asarray([2.0, 2.0]), "k": np.asarray(0)}, rtol=1e-9)


def test_complex_primals_follow_the_convention(array, check):
    z = array([1.0 + 2.0j, -0.5j], "complex128")

    def f(z):
        xp = ud.array_namespace(z)
        return xp.sum(xp.real(z * z * xp.conj(z)))

    value, error = numerical.grad(f)(z)
    np.testing.assert_allclose(ud.to_numpy(value), ud.to_numpy(ud.grad(f)(z)), rtol=0, atol=1e-9)
    assert np.all(ud.to_numpy(error) < 1e-7)
    block = numerical.jacobian(lambda z: z * z)(z).value
    np.testing.assert_allclose(ud.to_numpy(block.imag), 1j * ud.to_numpy(block.real), rtol=0, atol=1e-9)


@pytest.mark.parametrize("distance", [1e-4, 1e-5])
def test_an_error_near_a_kink_is_noticed(distance):
    value, error = numerical.grad(lambda x: abs(float(x)))(np.asarray(distance))
    assert abs(value - 1.0) <= error


@pytest.mark.parametrize(
    ("call", "error"),
    {
        "method": (lambda x: numerical.jvp(exp_sin, (x,), (x,), method="sideways"), ArgumentError),
        "order": (lambda x: numerical.jvp(exp_sin, (x,), (x,), order=0), ArgumentError),
        "accuracy": (lambda x: numerical.jvp(exp_sin, (x,), (x,), accuracy=1.5), ArgumentError),
        "points": (lambda x: numerical.jvp(exp_sin, (x,), (x,), accuracy=80), ArgumentError),
        "step": (lambda x: numerical.grad(exp_sin, step=-1.0), ArgumentError),
        "complex order": (lambda x: numerical.jvp(exp_sin, (x,), (x,), method="complex", order=2), ArgumentError),
        "real under complex step": (
            lambda x: numerical.jvp(lambda x: ud.array_namespace(x).real(x), (x,), (x,), method="complex"),
            NotDifferentiableError,
        ),
        "complex primal": (lambda x: numerical.jvp(exp_sin, (x * 1j,), (x * 1j,), method="complex"), NotDifferentiableError),
        "no scalar": (lambda x: numerical.grad(exp_sin)(x), NonScalarOutputError),
        "shape": (lambda x: numerical.jvp(exp_sin, (x,), (x[:1],)), ShapeError),
        "count": (lambda x: numerical.jvp(exp_sin, (x,), ()), TreeError),
        "callable": (lambda x: numerical.grad(3), ArgumentError),
    }.values(),
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_bad_input(call, error):
    with pytest.raises(error):
        call(np.asarray(POINTS))


# --- the backends that are chosen by name


@pytest.mark.parametrize("transform", ["grad", "jacfwd", "jacrev", "hessian"])
def test_finite_works_in_every_transform_on_every_library(backend, array, transform):
    def f(x):
        xp = ud.array_namespace(x)
        return xp.sum(xp.sin(x) * x**2)

    x = array(POINTS)
    found = getattr(ud, transform)(f, backend="finite")(x)
    assert ud.get_backend(found).name == backend
    want = ud.to_numpy(getattr(ud, transform)(f)(x))
    np.testing.assert_allclose(ud.to_numpy(found), want, rtol=0, atol=1e-6 if transform == "hessian" else 1e-10)


def test_finite_sees_through_what_no_differentiation_can(backend, array):
    def f(x):
        return float(np.sum(np.sin(ud.to_numpy(x)) ** 2))

    x = array(POINTS)
    np.testing.assert_allclose(ud.to_numpy(ud.grad(f, backend="finite")(x)), np.sin(2 * np.asarray(POINTS)), atol=1e-10)
    (value, aux), _ = ud.value_and_grad(lambda x: (f(x), "aux"), has_aux=True, backend="finite")(x)
    assert (float(value), aux) == (f(x), "aux")
    assert float(ud.grad(math.sin, backend="finite")(1.0)) == pytest.approx(math.cos(1.0), abs=1e-10)


def test_auxiliary_output_is_that_of_the_point():
    seen = ud.jvp(lambda x: (x * x, float(x)), (np.asarray(3.0),), (np.asarray(1.0),), has_aux=True, backend="finite")[2]
    assert seen == 3.0


def test_finite_inside_of_a_native_derivative(array):
    def outer(x):
        return ud.grad(lambda y: ud.array_namespace(y).sum(y**3), backend="finite")(x)

    x = array(POINTS)
    found = ud.jvp(outer, (x,), (array([1.0, 0.0]),))[1]
    np.testing.assert_allclose(ud.to_numpy(found), [6 * POINTS[0], 0.0], atol=1e-7)


@pytest.mark.parametrize(("method", "accuracy", "bound"), [("forward", 1, 1e-6), ("backward", 2, 1e-8), ("complex", 1, 1e-15)])
def test_a_finite_backend_of_another_method(clean_registry, method, accuracy, bound):
    from unidiff_backends.finite import FiniteBackend

    other = ud.register_backend(FiniteBackend(method=method, accuracy=accuracy, name="other"))
    x = np.asarray(POINTS)
    for name in ("other", other):
        found = ud.grad(lambda x: ud.array_namespace(x).sum(exp_sin(x)), backend=name)(x)
        np.testing.assert_allclose(found, derivative(1), rtol=0, atol=bound)


def test_zero_has_derivatives_that_are_exactly_zero(backend, array, check):
    x = {"w": array(POINTS), "b": array(1.0, "float32")}

    def f(x):
        return ud.array_namespace(x["w"]).sum(x["w"] ** 2)

    calls = []
    value, gradient = ud.value_and_grad(lambda x: calls.append(1) or f(x), backend="zero")(x)
    check(gradient, {"w": np.zeros(2), "b": np.zeros((), np.float32)})
    assert len(calls) == 1
    assert float(value) == pytest.approx(float(f(x)))
    check(ud.hessian(lambda w: f({"w": w}), backend="zero")(x["w"]), np.zeros((2, 2)))
    check(ud.jvp(lambda w: (w, w * 2), (x["w"],), (x["w"],), backend="zero")[1], (np.zeros(2), np.zeros(2)))


@pytest.mark.parametrize("name", ["finite", "zero"])
def test_a_backend_chosen_by_name_claims_no_arrays(backend, array, name):
    assert ud.backends()[name].arrays == ()
    assert name not in ud.backends(arrays=True)
    x = array(POINTS)
    assert ud.get_backend(x).name == backend
    with pytest.raises(ArgumentError, match="callable"):
        ud.grad(1, backend=name)
    other = next(b for b in ud.backends(arrays=True) if b != backend)
    with pytest.raises(MixedBackendsError):
        ud.jvp(lambda a, b: a, (x, ud.asarray(np.asarray(POINTS), backend=other)), (x, x), backend=name)


@pytest.mark.parametrize("name", ["finite", "zero"])
def test_results_of_a_backend_chosen_by_name_are_the_callers_own(name):
    x = np.asarray(POINTS)
    out, pullback = ud.vjp(lambda x: x[:], x, backend=name)
    out[0] = 7.0
    (gradient,) = pullback(np.ones(2))
    gradient[0] = 7.0
    assert x.tolist() == POINTS
    assert pullback(np.ones(2))[0][0] != 7.0
