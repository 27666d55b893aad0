"""Batching equals a loop over the slices, for every kind of function, under and over derivatives."""

import re
from functools import partial

import numpy as np
import pytest
from unidiff_conformance.scenarios import scenarios

from unidiff import errors
from unidiff.engine.batching import BATCHERS, BatchTrace
from unidiff.rules import RULES

GENERATOR = np.random.default_rng(0)
X = GENERATOR.uniform(0.5, 2.0, (4, 3))
M = GENERATOR.uniform(0.5, 2.0, (4, 3, 3)) + 2 * np.eye(3)
S = GENERATOR.uniform(0.5, 2.0, (4,))
C = GENERATOR.uniform(0.5, 2.0, 3)

VECTOR = {
    "elementwise": lambda xp, x: xp.sin(x) * x + 2.0,
    "broadcast": lambda xp, x: xp.expand_dims(x, axis=1) * x + xp.sum(x),
    "unbatched operand": lambda xp, x: x * xp.asarray(C) + xp.atan2(xp.asarray(C), x),
    "scalar": lambda xp, x: x[0] * xp.ones((2, 2)) + x[1],
    "comparison": lambda xp, x: xp.where(x > 1.0, x, -x) + xp.astype(x < 1.5, x.dtype),
    "kinks": lambda xp, x: xp.clip(x, 1.0, 1.5) + xp.abs(x - 1.0) + xp.maximum(x, xp.flip(x)) + xp.sign(x) + xp.floor(x),
    "reductions": lambda xp, x: xp.stack([xp.sum(x), xp.prod(x), xp.mean(x), xp.var(x), xp.std(x), xp.max(x), xp.min(x)]),
    "logical": lambda xp, x: x * xp.astype(xp.all(x > 0.0) & xp.any(x > 1.0), x.dtype),
    "positions": lambda xp, x: xp.astype(xp.argmax(x) + xp.argmin(x) + xp.count_nonzero(x > 1.0), x.dtype) + x,
    "cumulative": lambda xp, x: xp.cumulative_sum(x) * xp.cumulative_prod(x) + xp.diff(x, prepend=x[:1]),
    "sort": lambda xp, x: xp.sort(x) - xp.sort(x, descending=True) + xp.take(x, xp.argsort(x)),
    "shape": lambda xp, x: xp.reshape(xp.permute_dims(xp.broadcast_to(x, (2, 3)), (1, 0)), (-1,)),
    "join": lambda xp, x: xp.concat([x, xp.asarray(C), xp.tile(x, (2,)), xp.repeat(x, 2)]),
    "stack": lambda xp, x: xp.stack([x, xp.asarray(C), xp.roll(x, 1)], axis=1),
    "axes": lambda xp, x: xp.squeeze(xp.moveaxis(xp.expand_dims(x, axis=(0, 2)), 0, 1), axis=(1, 2)),
    "unstack": lambda xp, x: xp.unstack(x)[1] * xp.ones(2) + xp.stack(xp.unstack(x))[0],
    "index": lambda xp, x: x[::-1] * x[0] + x[None, 1:, ...][0, 0],
    "take": lambda xp, x: xp.take(x, xp.asarray([2, 0, 0])) + x[xp.asarray([1, 1, 2])],
    "vector products": lambda xp, x: xp.stack([xp.matmul(x, xp.asarray(C)), xp.vecdot(x, x), xp.tensordot(x, x, axes=1)]),
    "matrix products": lambda xp, x: xp.matmul(xp.asarray(M[0]), x) + xp.matmul(x, xp.asarray(M[1])),
    "norm": lambda xp, x: x / xp.linalg.vector_norm(x) + xp.linalg.vector_norm(x, ord=1),
    "fft": lambda xp, x: xp.real(xp.fft.fft(x + 0j)) + xp.abs(xp.fft.ifft(x + 0j)),
    "assignment": lambda xp, x: _assigned(xp, x),
}  # fmt: skip

MATRIX = {
    "transpose": lambda xp, m: xp.matrix_transpose(m) @ m + m.T,
    "axis reductions": lambda xp, m: xp.sum(m, axis=0) * xp.max(m, axis=-1) + xp.prod(m, axis=(0, 1)),
    "keepdims": lambda xp, m: m / xp.sum(m, axis=1, keepdims=True) - xp.mean(m, axis=(0, 1), keepdims=True),
    "triangles": lambda xp, m: xp.tril(m) - xp.triu(m, k=1),
    "solve": lambda xp, m: xp.linalg.solve(m, m[:, :2]) + xp.linalg.inv(m)[:, :2],
    "solve a vector": lambda xp, m: xp.linalg.solve(m, m[:, 0]),
    "determinant": lambda xp, m: xp.linalg.det(m) * xp.linalg.trace(m) + xp.linalg.slogdet(m)[1],
    "symmetric": lambda xp, m: xp.linalg.eigvalsh(m + m.T) + xp.linalg.svdvals(m),
    "cholesky": lambda xp, m: xp.linalg.cholesky(m @ m.T),
    "decompositions": lambda xp, m: xp.linalg.qr(m)[1] @ xp.linalg.pinv(m),
    "powers": lambda xp, m: xp.linalg.matrix_power(m, 3) + xp.linalg.outer(m[0, :], m[1, :]),
    "rows": lambda xp, m: m[1, ...] * m[:, 0] + m[1:, ::2][0, 1],
}


def _assigned(xp, x):
    y = x * 1.0
    y[1] = y[0] * y[2]
    y[::2] = 3.0
    return y * x


PROGRAMS = [
    *(pytest.param(f, X, id=f"vector-{name}") for name, f in VECTOR.items()),
    *(pytest.param(f, M, id=f"matrix-{name}") for name, f in MATRIX.items()),
]


def assert_equal(got, want):
    np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("f", "batch"), PROGRAMS)
def test_batch_equals_stack(engine, xp, f, batch):
    batch = xp.asarray(batch)
    size = batch.shape[0]
    (got,) = engine.vmap(lambda x: (f(xp, x),), (batch,), [True], size)
    want = xp.stack([f(xp, batch[i, ...]) for i in range(size)])
    assert got.dtype == want.dtype
    assert_equal(got, want)


@pytest.mark.parametrize(("f", "batch"), PROGRAMS)
def test_batch_of_gradients_equals_stack(engine, xp, f, batch):
    batch = xp.asarray(batch)
    size = batch.shape[0]

    def gradient(x):
        return engine.value_and_grad(lambda x: (xp.sum(f(xp, x) ** 2),), (x,))[1]

    (got,) = engine.vmap(gradient, (batch,), [True], size)
    assert_equal(got, xp.stack([gradient(batch[i, ...])[0] for i in range(size)]))


@pytest.mark.parametrize(("f", "batch"), PROGRAMS)
def test_gradient_of_a_batch_equals_batch_of_gradients(engine, xp, f, batch):
    batch = xp.asarray(batch)
    size = batch.shape[0]

    def total(batch):
        (out,) = engine.vmap(lambda x: (xp.sum(f(xp, x) ** 2),), (batch,), [True], size)
        return (xp.sum(out),)

    def gradient(x):
        return engine.value_and_grad(lambda x: (xp.sum(f(xp, x) ** 2),), (x,))[1][0]

    assert_equal(engine.value_and_grad(total, (batch,))[1][0], xp.stack([gradient(batch[i, ...]) for i in range(size)]))


@pytest.mark.parametrize(("f", "batch"), PROGRAMS)
def test_jacobians_of_both_modes_agree(engine, xp, f, batch):
    x = xp.asarray(batch[0])
    (forward,), (reverse,) = (jacobian(lambda x: (f(xp, x),), (x,))[1] for jacobian in (engine.jacfwd, engine.jacrev))
    assert_equal(forward[0], reverse[0])


def test_nested_batches_and_unbatched_arguments(engine, xp):
    a, b = xp.asarray(X), xp.asarray(S)

    def inner(x):
        (out,) = engine.vmap(lambda s: (xp.sum(x) * s + xp.sum(xp.asarray(C)),), (b,), [True], 4)
        return (out,)

    (got,) = engine.vmap(inner, (a,), [True], 4)
    assert_equal(got, X.sum(axis=1)[:, None] * S + C.sum())
    (got,) = engine.vmap(lambda x, s: (x * s,), (a, xp.asarray(2.0)), [True, False], 4)
    assert_equal(got, 2 * X)
    (got,) = engine.vmap(lambda x: (xp.asarray(C),), (a,), [True], 4)
    assert_equal(got, np.tile(C, (4, 1)))


def test_an_empty_batch_has_the_shape_of_its_slices(engine, xp):
    (got,) = engine.vmap(lambda x: (xp.cumulative_sum(x),)[:1], (xp.zeros((0, 3)),), [True], 0)
    assert got.shape == (0, 3)


def test_branching_on_a_batched_value_raises(engine, xp):
    with pytest.raises(errors.TracedConversionError, match="where"):
        engine.vmap(lambda x: (x if x[0] > 1.0 else -x,), (xp.asarray(X),), [True], 4)


# --- every scenario of the conformance suite

DATA_DEPENDENT = re.compile(r"\.nonzero\.|set\.unique_|getitem\.mask-(of-values|none)|program\.branch\.|program\.loop\.newton")
"""Scenarios that need the value of a slice, to branch or for the shape of a result."""

NEVER_BATCHED = {
    "broadcast_shapes": "has no array among its arguments",
    "repeat": "different counts for the slices make different shapes, so it is batched for common counts only",
    "special.gammasgn": "acts element by element",
}
"""Functions that may be evaluated slice by slice, and why."""


def _inputs(scenario):
    """Return a batch for each input: the point itself, beside it, and its elements in another order where that is one, too."""
    points = [np.asarray(d.values, dtype=complex if d.is_complex else float).reshape(d.shape) for d in scenario.inputs]
    slices = [points, [x * (1 + 1e-3) for x in points], [np.roll(x.reshape(-1), 1).reshape(x.shape) for x in points]]
    return [s for s in slices if _is_ordinary(scenario, s)]


def _is_ordinary(scenario, point):
    return scenario.name not in ("cholesky", "inv", "solve") or point[0].ndim < 2 or np.linalg.cond(point[0]).max() < 1e3


def _flat(engine, scenario, *xs):
    out = scenario.function(engine.namespace(), *xs)
    return tuple(y for y in (out if isinstance(out, (tuple, list)) else (out,)) if engine.domain.kind(y.dtype) != "exact")


def _pulled(engine, f, *xs):
    xp = engine.namespace()
    outs, pullback = engine.vjp(f, xs)
    return pullback([xp.ones_like(y) for y in outs])


def _pushed(engine, f, *xs):
    return engine.jvp(f, xs, [engine.namespace().ones_like(x) for x in xs])[1]


MODES = {
    "value": lambda engine, f: f,
    "pullback": lambda engine, f: partial(_pulled, engine, f),
    "pushforward": lambda engine, f: partial(_pushed, engine, f),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # what NumPy says of infinities and empty slices is not the subject
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("category", sorted({s.category for s in scenarios().values()}))
def test_batch_equals_stack_in_every_scenario(category, mode, numpy_engine, monkeypatch):
    sliced, evaluate = set(), BatchTrace._slice_by_slice
    process = BatchTrace.process

    def spy(trace, op, args, kwargs):
        with monkeypatch.context() as patch:
            patch.setattr(BatchTrace, "_slice_by_slice", lambda *rest: (sliced.add(op.name), evaluate(*rest))[1])
            return process(trace, op, args, kwargs)

    monkeypatch.setattr(BatchTrace, "process", spy)
    wrong = []
    for name, scenario in scenarios().items():
        if scenario.category != category:
            continue
        f = MODES[mode](numpy_engine, partial(_flat, numpy_engine, scenario))
        slices = _inputs(scenario)
        batch = [np.stack(column) for column in zip(*slices, strict=True)]
        try:
            got = numpy_engine.vmap(f, batch, [True] * len(batch), len(slices))
        except errors.TracedConversionError:
            if not DATA_DEPENDENT.search(name):
                raise
            continue
        rows = [f(*point) for point in slices]
        for y, *expected in zip(got, *rows, strict=True):
            if not np.allclose(y, np.stack(expected), rtol=1e-9, atol=1e-9, equal_nan=True):
                wrong.append(name)
    assert not wrong
    assert sliced <= NEVER_BATCHED.keys()


def test_every_function_has_a_batching_rule():
    without = {name for name, rule in RULES.items() if rule.kind in ("general", "zero") and name not in BATCHERS}
    assert without <= NEVER_BATCHED.keys()


# --- indices and masks that differ from slice to slice

PLACES = GENERATOR.integers(0, 3, (4, 2))
KEYS = {
    "vector": lambda i: i,
    "0-d": lambda i: i[0],
    "with slice": lambda i: (slice(1, None), i),
    "before slice": lambda i: (i, slice(None, None, 2)),
    "two arrays": lambda i: (i, i[::-1]),
    "apart": lambda i: (i, slice(None), i),
    "with integer": lambda i: (1, i),
    "with ellipsis": lambda i: (..., i),
    "with new axis": lambda i: (None, i, ..., None),
    "with common array": lambda i: (i, np.asarray([2, 0])),
    "with common mask": lambda i: (np.asarray([True, False, True]), i),
    "negative": lambda i: -1 - i,
    "column": lambda i: (i[:, None], i),
}


@pytest.mark.parametrize("name", KEYS)
def test_parts_with_indices_of_each_slice(name, numpy_engine):
    key = KEYS[name]
    x = GENERATOR.uniform(size=(4, 3, 3, 3))

    def weighted(x, i):
        part = x[key(i)]
        return numpy_engine.namespace().sum(part * part)

    (got,) = numpy_engine.vmap(lambda x, i: (x[key(i)],), (x, PLACES), [True, True], 4)
    np.testing.assert_array_equal(got, np.stack([x[b][key(PLACES[b])] for b in range(4)]))
    (common,) = numpy_engine.vmap(lambda x, i: (x[key(i)],), (x[0], PLACES), [False, True], 4)
    np.testing.assert_array_equal(common, np.stack([x[0][key(PLACES[b])] for b in range(4)]))
    gradient = lambda x, i: numpy_engine.value_and_grad(lambda x: (weighted(x, i),), (x,))[1]
    (grads,) = numpy_engine.vmap(gradient, (x, PLACES), [True, True], 4)
    np.testing.assert_allclose(grads, np.stack([gradient(x[b], PLACES[b])[0] for b in range(4)]))


@pytest.mark.parametrize("value", ["number", "row", "whole"])
@pytest.mark.parametrize("name", sorted(set(KEYS) - {"with new axis"}))
def test_assignment_at_indices_of_each_slice(name, value, numpy_engine):
    key = KEYS[name]
    x = GENERATOR.uniform(size=(4, 3, 3, 3))

    def assigned(x, i):
        y = x * 1.0
        part = y[key(i)] * 1.0
        y[key(i)] = {"number": 2.0, "row": y[0, 0], "whole": part * part}[value] if value != "row" or part.ndim else 1.0
        return y

    def gradient(x, i):
        return numpy_engine.value_and_grad(lambda x: (numpy_engine.namespace().sum(assigned(x, i) ** 2),), (x,))[1]

    if value == "row" and x[0][key(PLACES[0])].shape[-1:] != (3,):
        value = "number"
    (got,) = numpy_engine.vmap(lambda x, i: (assigned(x, i),), (x, PLACES), [True, True], 4)
    np.testing.assert_allclose(got, np.stack([assigned(x[b], PLACES[b]) for b in range(4)]))
    (grads,) = numpy_engine.vmap(gradient, (x, PLACES), [True, True], 4)
    np.testing.assert_allclose(grads, np.stack([gradient(x[b], PLACES[b])[0] for b in range(4)]))


SEARCHES = {
    "searchsorted": lambda xp, x, y: xp.searchsorted(xp.sort(x), y),
    "searchsorted right": lambda xp, x, y: xp.searchsorted(xp.sort(x), y, side="right"),
    "searchsorted with a sorter": lambda xp, x, y: xp.searchsorted(x, y, sorter=xp.argsort(x)),
    "isin": lambda xp, x, y: xp.isin(y, x),
    "not in": lambda xp, x, y: xp.isin(y, x, invert=True),
    "argmax": lambda xp, x, y: xp.argmax(x, axis=0, keepdims=True),
    "argmin of all": lambda xp, x, y: xp.argmin(y * 1.0),
    "take": lambda xp, x, y: xp.take(x, xp.argsort(y)[:2]),
    "take along": lambda xp, x, y: xp.take_along_axis(x, xp.argsort(x), axis=0),
}


@pytest.mark.parametrize("flags", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("name", SEARCHES)
def test_searches(name, flags, numpy_engine):
    x = np.asarray([[1.0, 3.0, 2.0, 2.0], [np.nan, 0.0, 5.0, 1.0], [4.0, 4.0, 4.0, 4.0]])
    y = np.asarray([[2.0, 0.5, np.nan], [5.0, 7.0, 0.0], [4.0, 3.0, -1.0]])
    args = [a if flag else a[0] for a, flag in zip((x, y), flags, strict=True)]
    f = lambda a, b: (SEARCHES[name](numpy_engine.namespace(), a, b),)
    (got,) = numpy_engine.vmap(f, args, flags, 3)
    rows = [[a[k] if flag else a for a, flag in zip(args, flags, strict=True)] for k in range(3)]
    np.testing.assert_array_equal(got, np.stack([f(*row)[0] for row in rows]))


def test_masks_of_each_slice(numpy_engine):
    xp = numpy_engine.namespace()

    def assigned(x):
        y = x * 1.0
        y[x > 1.2] = x[0]
        y[0] *= 2.0
        return y

    (got,) = numpy_engine.vmap(lambda x: (assigned(x),), (X,), [True], 4)
    np.testing.assert_allclose(got, np.stack([assigned(x) for x in X]))
    apply = lambda x: (xp.special.apply_where(x > 1.0, x, xp.log, xp.exp),)
    (got,) = numpy_engine.vmap(apply, (X,), [True], 4)
    np.testing.assert_allclose(got, np.where(X > 1, np.log(X), np.exp(X)))
    with pytest.raises(errors.TracedConversionError, match="where"):
        numpy_engine.vmap(lambda x: (x[x > 1.0],), (X,), [True], 4)
    with pytest.raises(errors.TracedConversionError, match="where"):
        numpy_engine.vmap(lambda x: (x.__setitem__(x > 1.0, xp.ones(2)),), (X,), [True], 4)
    with pytest.raises(errors.TracedConversionError, match="shape"):
        numpy_engine.vmap(lambda x: (xp.repeat(x, xp.astype(x > 1.2, xp.int64)),), (X,), [True], 4)
