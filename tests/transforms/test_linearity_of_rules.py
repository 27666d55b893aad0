"""A rule that is transposed must be linear: one that is not raises, and one that is passes, however it is written."""

import numpy as np
import pytest

import unidiff as ud
from unidiff.errors import NonlinearRuleError

X = np.asarray([0.7, 1.3])
MATRIX = np.asarray([[1.0, 2.0], [3.0, -1.0]])
WEIGHTS = np.asarray([1.0, -2.0])


def xp_of(x):
    return ud.array_namespace(x)


def with_tangents(rule):
    """Return the function x, with a tangent map of the user's."""

    @ud.custom_jvp
    def ruled(x):
        return 1.0 * x

    ruled.defjvp(lambda primals, tangents: (ruled(*primals), rule(primals[0], tangents[0])))
    return ruled


def with_cotangents(rule):
    """Return the function x, with a cotangent map of the user's."""

    @ud.custom_vjp
    def ruled(x):
        return 1.0 * x

    ruled.defvjp(lambda x: (ruled(x), x), lambda x, ct: (rule(x, ct),))
    return ruled


def total(f, weights=1.0):
    return lambda x: xp_of(x).sum(weights * f(x))


def by_branch(x, t):
    return t if xp_of(t).sum(t) == 0 else 2 * t


@ud.custom_jvp
def square(x):
    return x * x


square.defjvp(lambda p, t: (square(*p), 2 * p[0] * t[0]))

NONLINEAR = {
    "product": lambda x, t: t * t * x,
    "power": lambda x, t: t**2,
    "quotient": lambda x, t: x / t,
    "abs": lambda x, t: xp_of(t).abs(t),
    "sine": lambda x, t: xp_of(t).sin(t),
    "sign": lambda x, t: x * xp_of(t).sign(t),
    "beside a sign": lambda x, t: x * t + xp_of(t).sign(t),
    "where": lambda x, t: xp_of(t).where(t > 0, t, 2 * t),
    "maximum": lambda x, t: xp_of(t).maximum(t, xp_of(t).zeros_like(t)),
    "clip": lambda x, t: xp_of(t).clip(t, -0.5, 0.5),
    "sort": lambda x, t: xp_of(t).sort(t),
    "norm": lambda x, t: x * xp_of(t).linalg.vector_norm(t),
    "remainder": lambda x, t: t % 1.0,
    "inner product": lambda x, t: x * (t @ t),
    "constant": lambda x, t: x,
    "affine": lambda x, t: t + 1.0,
    "another rule": lambda x, t: square(t),
}


@pytest.mark.parametrize("name", NONLINEAR)
def test_a_tangent_map_that_is_not_linear_is_refused_in_reverse_mode(name, array):
    f = with_tangents(NONLINEAR[name])
    with np.errstate(all="ignore"), pytest.raises(NonlinearRuleError, match=r"tangent map of ruled .* must be linear"):
        ud.grad(total(f, array(WEIGHTS)))(array(X))


@pytest.mark.parametrize("transform", ["jit", "vmap", "reverse over reverse", "grad of vmap"])
def test_it_is_refused_in_every_nesting(transform, backend, array):
    gradient = ud.grad(total(with_tangents(NONLINEAR["abs"])))
    many = array(np.stack([X, X]))
    run = {
        "jit": lambda: ud.jit(gradient)(array(X)),
        "vmap": lambda: ud.vmap(gradient)(many),
        "reverse over reverse": lambda: ud.jacrev(gradient)(array(X)),
        "grad of vmap": lambda: ud.grad(total(ud.vmap(with_tangents(NONLINEAR["abs"]))))(many),
    }[transform]
    with pytest.raises(NonlinearRuleError):
        run()


@pytest.mark.parametrize("name", ["constant", "affine"])
def test_what_a_rule_adds_is_seen_where_it_is_compiled(name, array):
    gradient = ud.jit(ud.grad(total(with_tangents(NONLINEAR[name]))))
    with pytest.raises(NonlinearRuleError):
        gradient(array(X))


def test_a_branch_on_a_tangent_is_refused(backend, array):
    if backend == "jax":
        pytest.skip("JAX has no value to branch on")
    with pytest.raises(NonlinearRuleError):
        ud.grad(total(with_tangents(by_branch)))(array(X))


def test_in_forward_mode_it_gives_what_it_gives(array, check):
    for name in ("abs", "product"):
        found = ud.jvp(with_tangents(NONLINEAR[name]), (array(X),), (array(WEIGHTS),))[1]
        check(found, {"abs": np.abs(WEIGHTS), "product": WEIGHTS**2 * X}[name])


@pytest.mark.parametrize("name", ["abs", "clip", "product"])
def test_a_cotangent_map_that_is_not_linear_is_refused_in_forward_mode(name, array, check):
    f = with_cotangents(NONLINEAR[name])
    with pytest.raises(NonlinearRuleError, match="cotangent map of ruled"):
        ud.jvp(f, (array(X),), (array(WEIGHTS),))
    found = ud.grad(total(f, array(WEIGHTS)))(array(X))
    check(found, {"abs": np.abs(WEIGHTS), "clip": np.clip(WEIGHTS, -0.5, 0.5), "product": WEIGHTS**2 * X}[name])


@ud.custom_jvp
def product(m, v):
    return m @ v


product.defjvp(lambda p, t: (product(*p), t[0] @ p[1] + p[0] @ t[1]))


@ud.custom_vjp
def product_back(m, v):
    return m @ v


product_back.defvjp(lambda m, v: (m @ v, (m, v)), lambda kept, g: (g[:, None] * kept[1][None, :], kept[0].T @ g))


def pushed(f):
    """Return a rule that takes the derivative of another function."""
    return lambda m, x, t: ud.jvp(lambda y: f(xp_of(y), m, y), (x,), (t,))[1]


def real_parts(m, x, t):
    z = (1 + 2j) * t
    return xp_of(t).real(z) + xp_of(t).imag(xp_of(t).conj(z))


LINEAR = {
    "product": lambda m, x, t: 3 * x * t,
    "matmul": lambda m, x, t: m @ t,
    "matmul from the left": lambda m, x, t: t @ m,
    "predicate on the primal": lambda m, x, t: xp_of(x).where(x > 1, t * x, 2 * t),
    "zero in a branch": lambda m, x, t: xp_of(x).where(x > 1, t, xp_of(t).zeros_like(t)),
    "sum": lambda m, x, t: xp_of(t).sum(t) * x + xp_of(t).mean(t),
    "sum of a list": lambda m, x, t: sum([t * x, t]),
    "indices": lambda m, x, t: xp_of(t).stack([t[1], t[0] * x[1]]) + t[:1],
    "concat": lambda m, x, t: xp_of(t).concat([t[1:], t[:1]]),
    "quotient": lambda m, x, t: t / x,
    "cumulative sum": lambda m, x, t: xp_of(t).cumulative_sum(t),
    "solve": lambda m, x, t: xp_of(t).linalg.solve(m * x[0], t[:, None])[:, 0],
    "tensordot": lambda m, x, t: xp_of(t).tensordot(m, t, axes=1) + xp_of(t).linalg.vecdot(t, x),
    "outer": lambda m, x, t: xp_of(t).sum(xp_of(t).linalg.outer(x, t), axis=1),
    "movements": lambda m, x, t: (
        xp_of(t).flip(xp_of(t).roll(-t, 1)) + xp_of(t).squeeze(xp_of(t).expand_dims(t, axis=0), axis=0)
    ),
    "triangle": lambda m, x, t: xp_of(t).sum(xp_of(t).tril(m * t), axis=0),
    "fourier": lambda m, x, t: xp_of(t).fft.irfft(xp_of(t).fft.rfft(t), n=2),
    "complex": real_parts,
    "zeros": lambda m, x, t: xp_of(x).zeros_like(x),
    "zero times": lambda m, x, t: 0 * t,
    "custom_jvp": lambda m, x, t: product(m, t),
    "custom_vjp": lambda m, x, t: product_back(m, t),
    "checkpoint": lambda m, x, t: ud.checkpoint(lambda t: t * x)(t),
    "scan": lambda m, x, t: ud.scan(lambda c, r: (c + r, 2 * c + r), 0.0 * t[0], t)[1],
    "cond": lambda m, x, t: ud.cond(xp_of(x).sum(x) > 1, lambda t: t * x, lambda t: t, t),
    "vjp": lambda m, x, t: ud.vjp(lambda y: xp_of(y).sin(y), x)[1](t)[0],
    "jvp of kinks": pushed(lambda xp, m, y: xp.abs(y) * xp.max(y) + xp.clip(y, 0.0, 1.0) + xp.sort(y)),
    "jvp of norms": pushed(lambda xp, m, y: y * xp.linalg.vector_norm(y) * xp.prod(y)),
    "jvp of determinants": pushed(lambda xp, m, y: xp.linalg.det(m * y) * y),
    "jvp of inverses": pushed(lambda xp, m, y: xp.linalg.inv(m * y) @ y),
    "jvp of singular values": pushed(lambda xp, m, y: xp.linalg.svdvals(m * y)),
    "jvp of eigenvalues": pushed(lambda xp, m, y: xp.linalg.eigh(m.T @ m * y[0])[0]),
}
COMPILED_BY_JAX = {"predicate on the primal", "custom_jvp", "custom_vjp", "complex", "jvp of kinks", "scan", "zeros"}


@pytest.mark.parametrize("name", LINEAR)
def test_rules_that_are_linear_are_transposed(name, backend, array, check):
    if backend == "jax" and name not in COMPILED_BY_JAX:
        pytest.skip("JAX transposes what it can")
    m, x, weights = array(MATRIX), array(X), array(WEIGHTS)
    rule = lambda x, t: LINEAR[name](m, x, t)
    columns = [ud.to_numpy(rule(x, array(unit))) for unit in np.eye(2)]
    want = np.stack(columns) @ WEIGHTS
    f = total(with_tangents(rule), weights)
    check(ud.grad(f)(x), want, rtol=1e-10)
    if backend != "jax":
        check(ud.jit(ud.grad(f))(x), want, rtol=1e-10)
        check(ud.vmap(ud.grad(f))(array(np.stack([X, X]))), np.stack([want, want]), rtol=1e-10)
        check(ud.grad(lambda xs: xp_of(xs).sum(ud.vmap(f)(xs)))(array(np.stack([X, X]))), np.stack([want, want]), rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e150, np.nan, np.inf])
def test_ill_conditioned_and_infinite_rules_pass(scale, array):
    nearly_singular = array(np.linalg.inv([[1.0, 1.0], [1.0, 1.0 + 1e-13]]))
    f = with_tangents(lambda x, t: scale * (xp_of(t).linalg.inv(nearly_singular) @ (nearly_singular @ (nearly_singular @ t))))
    with np.errstate(all="ignore"):
        assert ud.to_numpy(ud.grad(total(f))(array(X))).shape == (2,)
