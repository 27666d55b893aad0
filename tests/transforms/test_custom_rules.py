"""A function with a rule of its own has the derivatives of the same function without one, in every composition."""

from functools import partial

import numpy as np
import pytest

import unidiff as ud


@pytest.fixture
def x(backend):
    if not ud.backends()[backend].arrays:
        pytest.skip("works on arrays of other backends")
    return ud.asarray(np.asarray([0.3, 0.7]), backend=backend)


def ns(x):
    return ud.array_namespace(x)


def plain(x):
    return ns(x).sin(x) * x


@ud.custom_jvp
def forward_rule(x):
    return plain(x)


@forward_rule.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    return forward_rule(x), t * (ns(x).cos(x) * x + ns(x).sin(x))


one_by_one = ud.custom_jvp(lambda x: plain(x))
one_by_one.defjvps(lambda t, ans, x: t * ns(x).cos(x) * x + t * ns(x).sin(x))


@ud.custom_vjp
def reverse_rule(x):
    return plain(x)


reverse_rule.defvjp(
    lambda x: (plain(x), {"x": x, "cos": ns(x).cos(x)}),
    lambda r, g: (g * (r["cos"] * r["x"] + ns(g).sin(r["x"])),),
)

differentiating_rule = ud.custom_vjp(lambda x: plain(x))
differentiating_rule.defvjp(lambda x: (plain(x), x), lambda x, g: ud.vjp(plain, x)[1](g))

RULED = {"custom_jvp": forward_rule, "custom_vjp": reverse_rule, "custom_vjp that differentiates": differentiating_rule}


def total(f):
    return lambda x: ns(x).sum(f(x) ** 2)


COMPOSITIONS = {
    "value": lambda f: f,
    "grad": lambda f: ud.grad(total(f)),
    "jvp": lambda f: lambda x: ud.jvp(f, (x,), (x,)),
    "jacrev": ud.jacrev,
    "jacfwd": ud.jacfwd,
    "hessian": lambda f: ud.hessian(total(f)),
    "reverse over reverse": lambda f: ud.jacrev(ud.grad(total(f))),
    "forward over forward": lambda f: ud.jacfwd(ud.jacfwd(f)),
    "reverse over forward": lambda f: ud.jacrev(ud.jacfwd(f)),
    "vmap of grad": lambda f: ud.vmap(ud.grad(lambda y: f(y) ** 2)),
    "grad of vmap": lambda f: ud.grad(total(ud.vmap(f))),
    "hessian of vmap": lambda f: ud.hessian(total(ud.vmap(f))),
    "jvp of vmap": lambda f: lambda x: ud.jvp(ud.vmap(f), (x,), (x,)),
    "vmap of vmap": lambda f: lambda x: ud.vmap(ud.vmap(f))(ns(x).stack([x, x])),
    "jit of hessian": lambda f: ud.jit(ud.hessian(total(f))),
    "grad of jit": lambda f: ud.grad(ud.jit(total(f))),
    "hessian of jit": lambda f: ud.hessian(ud.jit(total(f))),
    "jit of vmap of grad": lambda f: ud.jit(ud.vmap(ud.grad(lambda y: f(y) ** 2))),
    "grad through scan": lambda f: ud.grad(lambda x: ud.scan(lambda c, y: (c * f(y), c), 0 * x[0] + 1, x)[0]),
}


@pytest.mark.parametrize("composition", COMPOSITIONS)
@pytest.mark.parametrize("ruled", RULED)
def test_a_rule_gives_the_derivatives_of_the_function(ruled, composition, x, check):
    if "jit" in composition and not ud.get_backend(x).info.capabilities.jit:
        pytest.skip("compiles nothing")
    transform = COMPOSITIONS[composition]
    check(transform(RULED[ruled])(x), ud.to_numpy(transform(plain)(x)), rtol=1e-12)


def test_one_rule_for_each_argument(x, check):
    check(ud.hessian(total(one_by_one))(x), ud.to_numpy(ud.hessian(total(plain))(x)), rtol=1e-12)


def test_a_rule_is_used(x, check):
    @ud.custom_jvp
    def identity(x):
        return x

    identity.defjvp(lambda primals, tangents: (primals[0], 5 * tangents[0]))

    @ud.custom_vjp
    def clipped(x):
        return x

    clipped.defvjp(lambda x: (x, None), lambda _, g: (ns(g).clip(g, -1.0, 1.0),))
    check(ud.grad(total(identity))(x), 10 * ud.to_numpy(x))
    check(ud.jvp(identity, (x,), (x,))[1], 5 * ud.to_numpy(x))
    check(ud.grad(total(clipped))(x), np.minimum(2 * ud.to_numpy(x), 1))
    check(identity(x), ud.to_numpy(x))


def test_pytrees_keywords_defaults_integers_and_arguments_without_derivative(x, check):
    @partial(ud.custom_vjp, nondiff_argnums=(0,))
    def f(g, p, n, scale=3.0):
        return {"y": g(p["a"]) * p["b"] * int(n) * scale, "n": n}

    def fwd(g, p, n, scale):
        return f(g, p, n, scale), (p, n, scale)

    def bwd(g, residuals, ct):
        p, n, scale = residuals
        assert tuple(ct["n"].shape) == ()
        y, pull = ud.vjp(g, p["a"])
        return {"a": pull(ct["y"] * p["b"] * int(n) * scale)[0], "b": y * ct["y"] * int(n) * scale}, None, None

    f.defvjp(fwd, bwd)
    n = ud.asarray(2, backend=ud.get_backend(x).name)
    p = {"a": x, "b": 2 * x}
    got = ud.grad(lambda p: ns(x).sum(f(plain, n=n, p=p)["y"]))(p)
    want = ud.grad(lambda p: ns(x).sum(plain(p["a"]) * p["b"] * 6.0))(p)
    check(got, ud.to_numpy(want), rtol=1e-12)
    assert int(f(plain, p, n)["n"]) == 2


def test_a_cotangent_of_none_is_zero_and_python_numbers_have_none(x, check):
    f = ud.custom_vjp(lambda p, c: p[0] * p[1] * c)
    f.defvjp(lambda p, c: (f(p, c), (p, c)), lambda r, g: ((g * r[0][1] * r[1], None), None))
    first, second = ud.grad(lambda p: ns(x).sum(f(p, 2.0)))((x, 3 * x))
    check(first, 6 * ud.to_numpy(x))
    check(second, 0 * ud.to_numpy(x))


def test_rules_are_in_the_convention_of_unidiff(x, backend, check):
    z = ud.asarray(np.asarray([1 + 2j, 3 - 1j]), backend=backend)
    square = ud.custom_vjp(lambda z: z * z)
    square.defvjp(lambda z: (z * z, z), lambda z, g: (2 * ns(z).conj(z) * g,))

    def loss(f):
        return lambda z: ns(z).sum(ns(z).real(f(z) * (1 + 3j)))

    for transform in (ud.grad, lambda f: lambda z: ud.jvp(f, (z,), (1j * z,))[1]):
        check(transform(loss(square))(z), ud.to_numpy(transform(loss(lambda z: z * z))(z)), rtol=1e-12)


def test_the_rule_of_a_method(x, check):
    class Model:
        weight = 2.0

        @partial(ud.custom_jvp, nondiff_argnums=(0,))
        def apply(self, x):
            return self.weight * x

        @apply.defjvp
        def rule(self, primals, tangents):
            return self.weight * primals[0], 7 * tangents[0]

    check(ud.jvp(Model().apply, (x,), (x,))[1], 7 * ud.to_numpy(x))


@pytest.mark.parametrize(
    ("rule", "error", "words"),
    [
        (lambda p, t: (p[0], t[0][:1]), ud.errors.ShapeError, r"tangent_out.*\(1,\).*\(2,\)"),
        (lambda p, t: (p[0], ns(t[0]).astype(t[0], ns(t[0]).float32)), ud.errors.DTypeError, "float32.*float64"),
        (lambda p, t: (p[0], (t[0],)), ud.errors.TreeError, "tangent_out"),
        (lambda p, t: (p[0], None), ud.errors.TreeError, "None"),
        (lambda p, t: (p[0], "t"), ud.errors.NotAnArrayError, "'t'"),
        (lambda p, t: p[0], ud.errors.ArgumentError, "primal_out, tangent_out"),
    ],
)
def test_what_a_forward_rule_returns_is_checked(rule, error, words, x):
    f = ud.custom_jvp(lambda x: x)
    f.defjvp(rule)
    with pytest.raises(error, match=words):
        ud.jvp(f, (x,), (x,))


@pytest.mark.parametrize(
    ("bwd", "error", "words"),
    [
        (lambda _, g: (g["y"][:1],), ud.errors.ShapeError, r"argument 0.*\(1,\).*\(2,\)"),
        (lambda _, g: (ns(g["y"]).astype(g["y"], ns(g["y"]).float32),), ud.errors.DTypeError, "float32.*float64"),
        (lambda _, g: g["y"], ud.errors.TreeError, "tuple of 1"),
        (lambda _, g: (g["y"], g["y"]), ud.errors.TreeError, "tuple of 1.*2 entries"),
        (lambda _, g: ({"y": g["y"]},), ud.errors.TreeError, "argument 0"),
    ],
)
def test_what_a_backward_function_returns_is_checked(bwd, error, words, x):
    f = ud.custom_vjp(lambda x: {"y": x})
    f.defvjp(lambda x: ({"y": x}, None), bwd)
    with pytest.raises(error, match=words):
        ud.grad(lambda x: ns(x).sum(f(x)["y"]))(x)


def closing_over_jvp(w, x):
    f = ud.custom_jvp(lambda x: x * w)
    f.defjvp(lambda primals, tangents: (primals[0] * w, tangents[0] * w))
    return ns(x).sum(f(x))


def closing_over_vjp(w, x):
    f = ud.custom_vjp(lambda x: x * w)
    f.defvjp(lambda x: (x * w, w), lambda w, g: (g * w,))
    return ns(x).sum(f(x))


CLOSURES = {
    "grad of the closure": lambda f, x: (ud.grad(lambda w: f(w, x))(x), x),
    "grad of both": lambda f, x: (ud.grad(lambda w: f(w, w))(x), 2 * x),
    "jvp of both": lambda f, x: (ud.jvp(lambda w: f(w, w), (x,), (x,))[1], 2 * ns(x).sum(x * x)),
    "vmap of both": lambda f, x: (ud.vmap(lambda w: f(w, w))(x), x * x),
    "vmap of the closure": lambda f, x: (ud.vmap(lambda w: f(w, ns(x).asarray(ns(x).sum(x))))(x), x * ns(x).sum(x)),
    "hessian of both": lambda f, x: (ud.hessian(lambda w: f(w, w))(x), 2 * ns(x).eye(2, dtype=x.dtype)),
}


@pytest.mark.parametrize("case", CLOSURES)
@pytest.mark.parametrize("f", [closing_over_jvp, closing_over_vjp])
def test_closed_over_arrays_are_right_or_refused(f, case, x):
    try:
        got, want = CLOSURES[case](f, x)
    except ud.errors.LeakedTracerError:
        pass
    else:
        np.testing.assert_allclose(ud.to_numpy(got), ud.to_numpy(want))


def test_misuse_says_what_to_do(x):
    f = ud.custom_jvp(lambda x, mode="a": x)
    with pytest.raises(ud.errors.MissingRuleError, match="defjvp"):
        f(x)
    f.defjvp(lambda primals, tangents: (primals[0], tangents[0]))
    with pytest.raises(ud.errors.NotAnArrayError, match=r"argument 1.*nondiff_argnums"):
        f(x)
    with pytest.raises(ud.errors.ArgumentError, match="callable"):
        ud.custom_vjp(3)
    g = ud.custom_vjp(lambda x, *, scale: x, nondiff_argnums=4)
    g.defvjp(lambda x: (x, None), lambda _, g: (g,))
    with pytest.raises(ud.errors.ArgumentError, match="scale"):
        g(x, scale=2.0)
    h = ud.custom_vjp(lambda x: x, nondiff_argnums=4)
    h.defvjp(lambda x: (x, None), lambda _, g: (g,))
    with pytest.raises(ud.errors.ArgumentError, match="out of range"):
        h(x)


@pytest.mark.parametrize("options", [{"nondiff_argnums": "0"}, {"nondiff_argnums": 1.5}, {"nondiff_argnames": 0}], ids=str)
def test_arguments_are_named_by_numbers_and_names(options):
    with pytest.raises(ud.errors.ArgumentError, match=next(iter(options))):
        ud.custom_jvp(lambda x: x, **options)


OTHER_OUTPUTS = {
    "shape": (lambda y: ns(y).sum(y), ud.errors.ShapeError),
    "dtype": (lambda y: ns(y).astype(y, ns(y).float32), ud.errors.DTypeError),
    "tree": (lambda y: {"a": y}, ud.errors.TreeError),
}


@pytest.mark.parametrize("case", OTHER_OUTPUTS)
@pytest.mark.parametrize("mode", ["jvp", "vjp"])
def test_the_output_of_a_rule_is_that_of_the_function_where_both_run(case, mode):
    x = ud.asarray(np.asarray([0.3, 0.7]), backend=pytest.importorskip("torch") and "torch")
    change, error = OTHER_OUTPUTS[case]
    if mode == "jvp":
        f = ud.custom_jvp(lambda x: x)
        f.defjvp(lambda primals, tangents: (change(primals[0]), change(tangents[0])))
    else:
        f = ud.custom_vjp(lambda x: x)
        f.defvjp(lambda x: (change(x), None), lambda _, g: (x,))
    with pytest.raises(error, match="output"):
        ud.jvp(f, (x,), (x,))


def test_calls_are_counted_as_documented(x):
    calls = []
    f = ud.custom_vjp(lambda x: (calls.append("f"), x)[1])
    f.defvjp(lambda x: (calls.append("fwd"), (x, None))[1], lambda _, g: (calls.append("bwd"), (g,))[1])
    f(x)
    assert calls == ["f"]
    calls.clear()
    ud.grad(lambda x: ns(x).sum(f(x)))(x)
    assert calls == ["fwd", "bwd"]
