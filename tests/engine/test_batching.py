"""Batching equals a loop over the slices, for every kind of function, under and over derivatives."""

import numpy as np
import pytest

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
    from unidiff import errors

    with pytest.raises(errors.TracedConversionError, match="where"):
        engine.vmap(lambda x: (x if x[0] > 1.0 else -x,), (xp.asarray(X),), [True], 4)
