"""Statistical functions: every signature, and the clauses on zeros, ties and constants."""

import math

import numpy as np
import pytest

C = "complex"
REDUCTIONS = {
    "all": {},
    "axis": {"axis": 0},
    "negative": {"axis": -1},
    "keepdims": {"axis": 1, "keepdims": True},
    "tuple": {"axis": (0, -1)},
    "tuple keepdims": {"axis": (2, 0), "keepdims": True},
    "all keepdims": {"keepdims": True},
    "every axis": {"axis": (2, 0, 1)},
}
CASES = {
    **{
        f"{name} {variant}": (lambda xp, x, n=name, k=keywords: getattr(xp, n)(x, **k), (2, 3, 2))
        for name in ("max", "mean", "min", "prod", "std", "sum", "var")
        for variant, keywords in REDUCTIONS.items()
    },
    **{
        f"{name} {kind}": (lambda xp, x, n=name: getattr(xp, n)(x), shape)
        for name in ("max", "mean", "min", "prod", "sum", "var")
        for kind, shape in {"0-d": (), "size 1": (1, 1)}.items()
    },
    **{
        f"{name} no axis": (lambda xp, x, n=name: getattr(xp, n)(x, axis=()), (2, 2))
        for name in ("max", "mean", "min", "prod", "sum", "var")
    },
    **{
        f"{name} {variant}": (lambda xp, x, n=name, k=keywords: getattr(xp, n)(x, **k), (3, 2))
        for name in ("std", "var")
        for variant, keywords in {
            "corrected": {"correction": 1},
            "fraction": {"axis": 0, "correction": 0.5, "keepdims": True},
            "negative": {"correction": -1.0},
        }.items()
    },
    **{f"{name} complex": (lambda xp, x, n=name: getattr(xp, n)(x, axis=0), (C, 3, 2)) for name in ("mean", "prod", "sum")},
    "prod complex tuple": (lambda xp, x: xp.prod(x, axis=(0, 2)), (C, 2, 2, 2)),
    **{
        f"{name} dtype": (lambda xp, x, n=name: xp.real(getattr(xp, n)(x, dtype=_complex_of(xp, x)) * (1 + 2j)), (3,))
        for name in ("prod", "sum", "cumulative_sum", "cumulative_prod")
    },
    **{
        f"{name} {variant}": (lambda xp, x, n=name, k=keywords: getattr(xp, n)(x, **k), shape)
        for name in ("cumulative_sum", "cumulative_prod")
        for variant, (keywords, shape) in {
            "vector": ({}, (5,)),
            "axis": ({"axis": 0}, (3, 2)),
            "negative": ({"axis": -2}, (2, 3, 2)),
            "initial": ({"axis": 1, "include_initial": True}, (2, 3)),
            "vector initial": ({"include_initial": True}, (3,)),
            "size 1": ({}, (1,)),
            "complex": ({"axis": -1}, (C, 2, 3)),
            "complex initial": ({"include_initial": True}, (C, 3)),
        }.items()
    },
    **{
        f"{name} zeros {values}": (lambda xp, x, n=name: getattr(xp, n)(x), np.asarray(values))
        for name in ("prod", "cumulative_prod")
        for values in ([1.5, 0.0, -2.0, 0.5], [0.0, 1.5, 0.0, -2.0], [0.0, 0.0, 0.0], [1.5, 0.0])
    },
    "prod zeros by row": (lambda xp, x: xp.prod(x, axis=1), np.asarray([[1.5, 0.0, 2.0], [0.0, 0.0, 3.0]])),
    "prod zeros tuple": (lambda xp, x: xp.prod(x, axis=(0, 1)), np.asarray([[1.5, 0.0], [0.5, 3.0]])),
    "prod complex zero": (lambda xp, x: xp.prod(x), np.asarray([1.5 + 1j, 0j, -2j])),
    "cumulative_prod complex zero": (lambda xp, x: xp.cumulative_prod(x), np.asarray([1.5 + 1j, 0j, -2j])),
    "prod empty": (lambda xp, x: xp.prod(x), (0,)),
    "prod empty axis": (lambda xp, x: xp.prod(x, axis=0), (0, 3)),
    "sum empty": (lambda xp, x: xp.sum(x), (0,)),
    "sum empty axis": (lambda xp, x: xp.sum(x, axis=0), (0, 3)),
    "max empty other axis": (lambda xp, x: xp.max(x, axis=1), (0, 3)),
    "std empty other axis": (lambda xp, x: xp.std(x, axis=1), (0, 3)),
    "cumulative_sum empty": (lambda xp, x: xp.cumulative_sum(x), (0,)),
    "cumulative_sum empty initial": (lambda xp, x: xp.cumulative_sum(x, include_initial=True), (0,)),
    "cumulative_prod empty": (lambda xp, x: xp.cumulative_prod(x), (0,)),
    "cumulative_prod empty initial": (lambda xp, x: xp.cumulative_prod(x, include_initial=True), (0,)),
    "softmax": (lambda xp, x: xp.exp(x) / xp.sum(xp.exp(x), axis=-1, keepdims=True), (2, 3)),
    "centred": (lambda xp, x: x - xp.mean(x, axis=1, keepdims=True), (2, 3)),
}


def _complex_of(xp, x):
    return xp.complex64 if x.dtype == xp.float32 else xp.complex128


@pytest.mark.parametrize("name", CASES)
def test_against_differences(name, engine, check, inputs):
    function, *specifications = CASES[name]
    check(engine, function, inputs(*specifications))


def test_complex_variance_is_real(numpy_engine, check, inputs):
    check(numpy_engine, lambda xp, x: xp.var(x, axis=0, correction=1), inputs((C, 3, 2)))


TIES = {
    "vector": ({}, [1.0, 3.0, 3.0, 2.0], [0, 0.5, 0.5, 0]),
    "all tied": ({}, [1.0, 1.0, 1.0], [1 / 3, 1 / 3, 1 / 3]),
    "rows": ({"axis": 1}, [[2.0, 2.0, 1.0], [0.0, 2.0, 2.0]], [[0.5, 0.5, 0], [0, 0.5, 0.5]]),
    "all axes": ({}, [[2.0, 2.0, 1.0], [0.0, 2.0, 2.0]], [[0.25, 0.25, 0], [0, 0.25, 0.25]]),
    "tuple": ({"axis": (1, 0), "keepdims": True}, [[2.0, 2.0], [0.0, 2.0]], [[1 / 3, 1 / 3], [0, 1 / 3]]),
    "signed zeros": ({}, [0.0, -0.0], [0.5, 0.5]),
    "infinities": ({}, [math.inf, 0.0, math.inf], [0.5, 0, 0.5]),
    "NaN": ({}, [1.0, math.nan], [math.nan, math.nan]),
    "NaN in a row": ({"axis": 1}, [[1.0, math.nan], [1.0, 2.0]], [[math.nan, math.nan], [0, 1]]),
}


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize(("name", "sign"), [("max", 1.0), ("min", -1.0)])
def test_tied_extrema_share_equally_in_both_modes(tie, name, sign, engine, derivatives):
    keywords, values, shares = TIES[tie]
    case = derivatives(engine, lambda xp, x: getattr(xp, name)(x, **keywords), [sign * np.asarray(values)])
    np.testing.assert_array_equal(case.gradient(), shares)
    tangent = np.arange(1.0, 1.0 + np.size(values)).reshape(np.shape(values))
    _, (pushed,) = case.jvp([tangent])
    axis = keywords.get("axis")
    np.testing.assert_allclose(pushed, np.sum(np.asarray(shares) * tangent, axis=axis, keepdims="keepdims" in keywords))


CONSTANTS = {
    "constant": ({}, [1.5, 1.5, 1.5], [0, 0, 0]),
    "constant with rounded mean": ({}, [0.1, 0.1, 0.1], [0, 0, 0]),
    "constant row": ({"axis": 1}, [[0.1, 0.1, 0.1], [1.0, 1.0, 1.0]], [[0, 0, 0], [0, 0, 0]]),
    "one row of two": ({"axis": 1}, [[1.0, 1.0], [1.0, 3.0]], [[0, 0], [-0.5, 0.5]]),
    "single": ({}, [2.0], [0]),
    "0-d": ({}, 2.0, 0),
    "no degree of freedom": ({"correction": 1}, [2.0], [math.nan]),
    "NaN": ({}, [2.0, math.nan], [math.nan, math.nan]),
}


@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.filterwarnings("ignore:(Degrees of freedom|invalid value):RuntimeWarning")
def test_deviation_of_a_constant_has_derivative_zero(constant, engine, derivatives):
    keywords, values, gradient = CONSTANTS[constant]
    case = derivatives(engine, lambda xp, x: xp.std(x, **keywords), [np.asarray(values)])
    np.testing.assert_array_equal(case.gradient(), gradient)
    tangent = np.arange(1.0, 1.0 + np.size(values)).reshape(np.shape(values))
    _, (pushed,) = case.jvp([tangent])
    np.testing.assert_allclose(pushed, np.sum(np.asarray(gradient) * tangent, axis=keywords.get("axis")))


@pytest.mark.filterwarnings("ignore:(Degrees of freedom|invalid value):RuntimeWarning")
def test_variance_without_degrees_of_freedom_is_nan_in_both_modes(numpy_engine, derivatives):
    case = derivatives(numpy_engine, lambda xp, x: xp.var(x, correction=1), [np.asarray([2.0])])
    assert np.isnan(case.gradient()).all()
    assert np.isnan(case.jvp([np.ones(1)])[1][0])


def test_product_has_every_order_at_zeros(engine):
    """d^3/dx dy dz of xyz is 1, also where all three are 0."""
    xp = engine.namespace()
    units = [engine.asarray([float(i == k) for i in range(3)]) for k in range(3)]

    def along(f, unit):
        return lambda x: (engine.jvp(f, (x,), (unit,))[1][0],)

    for product in (lambda x: (xp.prod(x),), lambda x: (xp.cumulative_prod(x)[-1],)):
        f = along(along(product, units[0]), units[1])
        _, (g,) = engine.value_and_grad(f, (engine.asarray([0.0, 0.0, 0.0]),))
        np.testing.assert_array_equal(engine.to_numpy(g), [0, 0, 1])


def test_long_cumulative_product_against_the_recurrence(numpy_engine, derivatives):
    """The halved recurrences reach every distance, in both modes; the oracle is the plain loop."""
    rng = np.random.default_rng(5)
    x, t = rng.uniform(-1.5, 1.5, 67), rng.normal(size=67)
    x[20] = 0.0
    y, s, expected = 1.0, 0.0, []
    for factor, tangent in zip(x, t, strict=True):
        s, y = s * factor + y * tangent, y * factor
        expected.append(s)
    case = derivatives(numpy_engine, lambda xp, x: xp.cumulative_prod(x), [x])
    np.testing.assert_allclose(case.jvp([t])[1][0], expected, rtol=1e-12, atol=1e-15)
