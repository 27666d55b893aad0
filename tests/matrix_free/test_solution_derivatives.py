"""Derivatives of solutions of linear systems, by right side and by all that the operator uses, against closed forms."""

from functools import partial

import numpy as np
import pytest

import unidiff as ud
from unidiff.errors import ArgumentError, TracedConversionError

DIAGONAL = np.asarray([1.0, 1.0, 2.0])  # a repeated eigenvalue: the iterations end before they have seen the whole space
RHS = np.asarray([1.0, -1.0, 0.5])
WEIGHTS = np.asarray([1.0, 2.0, 3.0])
MANY = np.stack([DIAGONAL, 2 * DIAGONAL])

SOLVERS = {
    "cg": ud.cg,
    "gmres": ud.gmres,
    "dense": ud.solve_dense,
    "preconditioned": lambda a, b: ud.gmres(a, b, 3 * b, preconditioner=lambda r: r / 2),
}


def total(x):
    return ud.array_namespace(x).sum(x)


def objective(solve, array):
    """``sum(w x)`` of the solution of ``d x = b``."""
    weights = array(WEIGHTS)
    return lambda d, b: total(weights * solve(lambda v: d * v, b).value)


def of_many(f, b):
    return lambda many: total(ud.vmap(lambda d: f(d, b))(many))


BY_DIAGONAL, BY_RHS = -WEIGHTS * RHS / DIAGONAL**2, WEIGHTS / DIAGONAL
BY_MANY = -WEIGHTS * RHS / MANY**2
SECOND = 2 * WEIGHTS * RHS / DIAGONAL**3
PROGRAMS = {
    "grad": (lambda f, d, b, m: ud.grad(f, argnums=(0, 1))(d, b), (BY_DIAGONAL, BY_RHS)),
    "jvp": (lambda f, d, b, m: ud.jvp(f, (d, b), (d, b))[1], np.sum(BY_DIAGONAL * DIAGONAL + BY_RHS * RHS)),
    "grad of jit": (lambda f, d, b, m: ud.grad(ud.jit(f), argnums=(0, 1))(d, b), (BY_DIAGONAL, BY_RHS)),
    "jit of grad": (lambda f, d, b, m: ud.jit(ud.grad(f))(d, b), BY_DIAGONAL),
    "vmap of grad": (lambda f, d, b, m: ud.vmap(ud.grad(f), in_axes=(0, None))(m, b), BY_MANY),
    "grad of vmap": (lambda f, d, b, m: ud.grad(of_many(f, b))(m), BY_MANY),
    "jit of grad of vmap": (lambda f, d, b, m: ud.jit(ud.grad(of_many(f, b)))(m), BY_MANY),
    "jvp of vmap": (lambda f, d, b, m: ud.jvp(of_many(f, b), (m,), (m,))[1], np.sum(BY_MANY * MANY)),
    "forward over reverse": (lambda f, d, b, m: ud.jacfwd(ud.grad(f))(d, b), np.diag(SECOND)),
    "reverse over reverse": (
        lambda f, d, b, m: ud.jacrev(ud.grad(f), argnums=(0, 1))(d, b),
        (np.diag(SECOND), np.diag(-WEIGHTS / DIAGONAL**2)),
    ),
    "reverse over forward": (lambda f, d, b, m: ud.jacrev(ud.jacfwd(f))(d, b), np.diag(SECOND)),
    "jit of reverse over reverse": (lambda f, d, b, m: ud.jit(ud.jacrev(ud.grad(f)))(d, b), np.diag(SECOND)),
    "reverse over grad of vmap": (
        lambda f, d, b, m: ud.grad(lambda s: total(ud.grad(of_many(f, b))(s)))(m),
        2 * WEIGHTS * RHS / MANY**3,
    ),
    "checkpoint": (lambda f, d, b, m: ud.grad(ud.checkpoint(lambda d: f(d, b)))(d), BY_DIAGONAL),
    "third": (
        lambda f, d, b, m: ud.grad(lambda d: total(ud.grad(lambda d: total(ud.grad(f)(d, b)))(d)))(d),
        -3 * SECOND / DIAGONAL,
    ),
}
ON_JAX = {  # JAX compiles each of them
    ("cg", "grad"), ("cg", "jit of reverse over reverse"), ("cg", "grad of vmap"), ("gmres", "forward over reverse"),
    ("gmres", "grad of jit"), ("dense", "vmap of grad"), ("dense", "jvp"), ("preconditioned", "jit of grad"),
}  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_derivatives_in_every_nesting(solver, program, backend, array, check):
    if backend == "jax" and (solver, program) not in ON_JAX:
        pytest.skip("other combinations cover it")
    run, want = PROGRAMS[program]
    check(run(objective(SOLVERS[solver], array), array(DIAGONAL), array(RHS), array(MANY)), want, rtol=1e-8)


# --- what an operator may hold

RNG = np.random.default_rng(3)
MATRIX, CHANGE = RNG.normal(size=(4, 4)) + 4 * np.eye(4), RNG.normal(size=(4, 4))
VECTOR, OUTER = RNG.normal(size=4), RNG.normal(size=4)
POINT = 0.3


def definite(matrix):
    return matrix.T @ matrix + np.eye(4)


def derivatives(system, t=POINT):
    """First and second derivative of ``w . S^-1 v`` for a symmetric or general matrix ``S(t)`` and its two derivatives."""
    s, first, second = system(t)
    inverse = np.linalg.inv(s)
    x = inverse @ VECTOR
    moved = inverse @ first
    return -OUTER @ moved @ x, OUTER @ (2 * moved @ moved @ x - inverse @ second @ x)


def general_system(t):
    return MATRIX + t * CHANGE, CHANGE, np.zeros((4, 4))


def definite_system(t, shift=0.0):
    m = MATRIX + t * CHANGE
    return definite(m) + shift * np.eye(4), CHANGE.T @ m + m.T @ CHANGE, 2 * CHANGE.T @ CHANGE


class Object:
    def __init__(self, m):
        self.parts = {"matrices": [m]}

    def __call__(self, v):
        return self.parts["matrices"][0] @ v

    def product(self, v):
        return self(v)


class Slotted:
    __slots__ = ("m",)

    def __init__(self, m):
        self.m = m

    def __call__(self, v):
        return self.m @ v


HELD = {}


def with_global(v):
    return HELD["matrix"] @ v


def solve_with_global(m, b):
    HELD["matrix"] = m
    return ud.gmres(with_global, b)


def solve_with_helpers(m, b):
    def helper(v):
        return m @ v

    def operator(v, matrix=m, /, *, scale=0.5):
        return scale * helper(v) + (1 - scale) * (matrix @ v)

    return ud.gmres(operator, b)


def solve_trees(m, b):
    def operator(v):
        product = m @ ud.array_namespace(v["a"]).concat([v["a"], v["b"]])
        return {"a": product[:1], "b": product[1:]}

    solution = ud.gmres(operator, {"a": b[:1], "b": b[1:]})
    xp = ud.array_namespace(solution.value["a"])
    return solution._replace(value=xp.concat([solution.value["a"], solution.value["b"]]))


def solve_complex(m, b):
    """Real and imaginary part of the solution are the same."""
    solution = ud.gmres(lambda z: (m + 0j) @ z, (1 + 1j) * b)
    return solution._replace(value=ud.array_namespace(solution.value).imag(solution.value))


@ud.custom_jvp
def product(m, v):
    return m @ v


product.defjvp(lambda p, t: (product(*p), t[0] @ p[1] + p[0] @ t[1]))


@ud.custom_vjp
def product_back(m, v):
    return m @ v


product_back.defvjp(lambda m, v: (m @ v, (m, v)), lambda kept, g: (g[:, None] * kept[1][None, :], kept[0].T @ g))


def sines(m):
    return lambda x: m @ ud.array_namespace(x).sin(x)


def solve_linearized(m, b):
    return ud.gmres(lambda v: ud.jvp(sines(m), (0 * b,), (v,))[1], b)


def solve_pulled_back(m, b):
    return ud.gmres(lambda v: ud.vjp(sines(m.T), 0 * b)[1](v)[0], b)


def half_square(m, x):
    return total((m @ x) ** 2) / 2 + total(x * x) / 2


HOLDERS = {
    "closure": lambda m, b: ud.gmres(lambda v: m @ v, b),
    "computed in the operator": lambda m, b: ud.gmres(lambda v: (m + m) @ v / 2, b),
    "dense": lambda m, b: ud.solve_dense(lambda v: m @ v, b),
    "object": lambda m, b: ud.gmres(Object(m), b),
    "method": lambda m, b: ud.gmres(Object(m).product, b),
    "slots": lambda m, b: ud.gmres(Slotted(m), b),
    "partial": lambda m, b: ud.gmres(partial(lambda v, k, *, m: k[0] * (m @ v), k=[1.0], m=m), b),
    "global": solve_with_global,
    "helpers": solve_with_helpers,
    "trees": solve_trees,
    "complex": solve_complex,
    "checkpoint": lambda m, b: ud.gmres(ud.checkpoint(lambda v: m @ v), b),
    "custom_jvp": lambda m, b: ud.gmres(lambda v: product(m, v), b),
    "custom_vjp": lambda m, b: ud.gmres(lambda v: product_back(m, v), b),
    "jvp": solve_linearized,
    "vjp": solve_pulled_back,
    "scan": lambda m, b: ud.gmres(lambda v: ud.scan(lambda c, row: (c, total(row * v)), 0.0, m)[1], b),
    "another solver": lambda m, b: ud.gmres(lambda v: 2 * ud.gmres(lambda u: 2 * u, m @ v).value, b),
}
CURVED = {
    "cg": (lambda m, b: ud.cg(lambda v: m.T @ (m @ v) + v, b), definite_system),
    "hessian": (lambda m, b: ud.cg(ud.hessian_operator(partial(half_square, m), b), b), definite_system),
    "inverse_hvp": (
        lambda m, b: ud.inverse_hvp(half_square, (m, b), b, argnums=1, damping=0.5),
        partial(definite_system, shift=0.5),
    ),
}
HOLDING = {**{name: (solve, general_system) for name, solve in HOLDERS.items()}, **CURVED}
HOLDING_ON_JAX = {"closure", "inverse_hvp"}


@pytest.mark.parametrize("name", HOLDING)
def test_an_operator_may_hold_arrays_anywhere(name, backend, array, check):
    if backend == "jax" and name not in HOLDING_ON_JAX:
        pytest.skip("JAX records the operator, whatever it is made of")
    if backend == "array_api_strict" and name == "another solver":
        pytest.skip("the engine is the same as on NumPy")
    solve, system = HOLDING[name]
    matrix, change, vector, outer = map(array, (MATRIX, CHANGE, VECTOR, OUTER))

    def f(t):
        return total(outer * solve(matrix + t * change, vector).value)

    t, points = array(POINT), array([POINT, 2 * POINT])
    first, second = derivatives(system)
    firsts = np.asarray([first, derivatives(system, 2 * POINT)[0]])
    check(ud.jit(ud.grad(f))(t), np.asarray(first), rtol=1e-7)
    check(ud.jvp(ud.grad(f), (t,), (t / t,))[1], np.asarray(second), rtol=1e-7)
    if backend != "jax":
        check(ud.jvp(f, (t,), (t / t,))[1], np.asarray(first), rtol=1e-7)
        check(ud.grad(ud.grad(f))(t), np.asarray(second), rtol=1e-7)
        check(ud.vmap(ud.grad(f))(points), firsts, rtol=1e-7)
        check(ud.grad(lambda ts: total(ud.vmap(f)(ts)))(points), firsts, rtol=1e-7)


# --- where there is no derivative, and what is constant


@pytest.mark.parametrize("solve", [ud.cg, ud.gmres, ud.solve_dense], ids=["cg", "gmres", "dense"])
def test_a_system_for_a_derivative_without_solution_gives_nan(array, solve):
    """The right side is in the range of the operator, the cotangent is not."""
    flat = array([1.0, 0.0])
    found = ud.grad(lambda b: total(solve(lambda v: flat * v, b).value))(array([1.0, 0.0]))
    assert np.all(np.isnan(ud.to_numpy(found)))


def test_iterations_that_were_cut_off_have_the_derivative_of_the_solution(array, check):
    scale = array([1.0, 2.0, 5.0, 9.0])
    solve = lambda b: ud.cg(lambda v: scale * v, b, maxiter=2, atol=1e3)
    b = array(np.ones(4))
    check(ud.grad(lambda b: total(solve(b).value))(b), 1 / np.asarray([1.0, 2.0, 5.0, 9.0]), rtol=1e-9)
    assert solve(b).iterations == 0


def test_the_rest_of_a_solution_is_constant(array, check):
    b = array(RHS)
    seen = []

    def f(d):
        solution = ud.cg(lambda v: d * v, b)
        seen.append(solution)
        return total(solution.value) * (1 + solution.residual)

    check(ud.grad(f)(array(DIAGONAL)), -RHS / DIAGONAL**2, rtol=1e-9)
    assert seen[-1].converged is True
    assert isinstance(seen[-1].iterations, int)


def test_start_and_preconditioner_have_no_derivative(array, check):
    a, b, s = array(DIAGONAL), array(RHS), array([2.0, 2.0, 2.0])
    both = lambda s: total(ud.cg(lambda v: a * v, b, s * b, preconditioner=lambda r: r / s).value)
    check(ud.grad(both)(s), np.zeros(3))
    check(ud.grad(lambda s: total(ud.gmres(lambda v: a * v, b, s * b).value))(s), np.zeros(3))


def test_operators_over_mapped_vectors_alone(array, check):
    """Only the operator differs between the slices, so the first steps have a value that the later ones lack."""
    b = array(RHS)
    check(ud.vmap(lambda d: ud.cg(lambda v: d * v, b).value)(array(MANY)), RHS / MANY, rtol=1e-9)


def test_single_precision(backend, array, check):
    if backend == "jax":
        pytest.skip("double precision covers the programs")
    f = objective(ud.gmres, lambda values: array(values, "float32"))
    check(ud.grad(f)(array(DIAGONAL, "float32"), array(RHS, "float32")), BY_DIAGONAL, "float32", rtol=1e-3)


def test_an_array_changed_between_evaluation_and_pullback_is_as_it_was():
    scale = np.asarray([2.0, 4.0])
    _, pull = ud.vjp(lambda d: ud.cg(lambda v: scale * d * v, np.ones(2)).value, np.ones(2))
    scale *= 100
    np.testing.assert_allclose(pull(np.ones(2))[0], [-0.5, -0.25])


def test_a_tensor_that_requires_a_gradient_in_a_global(backend):
    if backend != "torch":
        pytest.skip("a tape of the user's own")
    import torch

    HELD["matrix"] = torch.tensor(MATRIX, requires_grad=True)
    ud.gmres(with_global, torch.tensor(VECTOR)).value.sum().backward()
    inverse = np.linalg.inv(MATRIX)
    want = -np.outer(inverse.T @ np.ones(4), inverse @ VECTOR)
    np.testing.assert_allclose(HELD["matrix"].grad.numpy(), want, rtol=1e-8)


def test_a_branch_on_a_value_in_an_operator(backend, array, check):
    a = array(2.0)
    f = lambda d: ud.cg(lambda v: (d if d > 1 else -d) * v, a).value
    if backend == "jax":
        with pytest.raises(TracedConversionError, match="operator"):
            ud.grad(f)(a)
    else:
        check(ud.grad(f)(a), np.asarray(-0.5))


def test_bad_options_are_refused_within_derivatives(array):
    with pytest.raises(ArgumentError):
        ud.grad(lambda d: total(ud.cg(lambda v: d * v, d, tol=-1.0).value))(array(DIAGONAL))
