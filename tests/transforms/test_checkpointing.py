"""A checkpoint changes no derivative, and lets reverse mode on a chain of n functions do with memory for about sqrt(n)."""

import tracemalloc

import numpy as np
import pytest

import unidiff as ud


@pytest.fixture
def arguments(backend):
    if not ud.backends()[backend].arrays:
        pytest.skip("works on arrays of other backends")
    return tuple(ud.asarray(np.asarray(v), backend=backend) for v in ([0.3, 0.7], [2.0, 3.0]))


def ns(x):
    return ud.array_namespace(x)


def network(checkpoint):
    """Return a function with checkpoints around functions of pytrees that close over traced arrays and a loop's variables."""

    def f(x, w):
        for i in range(3):
            layer = checkpoint(lambda h: {"h": ns(h).sin(h) * w + h * w * i, "i": i})
            x = layer(x)["h"]
        return ns(x).sum(x)

    return f


def sum_over(f):
    def summed(xs, w):
        y = ud.vmap(f, (0, None))(xs, w)
        return ns(y).sum(y)

    return summed


def pair(x):
    return ns(x).stack([x, 2 * x])


def twice(x, pull):
    return pull(0 * x[0, ...] + 1), pull(0 * x[0, ...] + 2)


COMPOSITIONS = {
    "grad": lambda f, x, w: ud.grad(f, (0, 1))(x, w),
    "hessian": lambda f, x, w: ud.hessian(f, (0, 1))(x, w),
    "reverse over reverse": lambda f, x, w: ud.jacrev(ud.grad(f, 1))(x, w),
    "reverse over forward": lambda f, x, w: ud.jacrev(lambda x, w: ud.jvp(f, (x, w), (w, x))[1], (0, 1))(x, w),
    "reverse over batched forward": lambda f, x, w: ud.jacrev(ud.jacfwd(f))(x, w),
    "forward over forward": lambda f, x, w: ud.jacfwd(ud.jacfwd(f))(x, w),
    "two cotangents": lambda f, x, w: twice(x, ud.vjp(f, x, w)[1]),
    "vmap of grad": lambda f, x, w: ud.vmap(ud.grad(f, (0, 1)), (0, None))(pair(x), w),
    "grad of vmap": lambda f, x, w: ud.grad(sum_over(f), (0, 1))(pair(x), w),
    "hessian of vmap": lambda f, x, w: ud.hessian(sum_over(f))(pair(x), w),
    "jit of grad": lambda f, x, w: ud.jit(ud.grad(f, (0, 1)))(x, w),
    "grad of jit": lambda f, x, w: ud.grad(ud.jit(f), (0, 1))(x, w),
    "jit of hessian": lambda f, x, w: ud.jit(ud.hessian(f))(x, w),
}


@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_derivatives_are_those_without_checkpoints(composition, arguments, check):
    if "jit" in composition and not ud.get_backend(arguments[0]).info.capabilities.jit:
        pytest.skip("compiles nothing")
    evaluate = COMPOSITIONS[composition]
    got = evaluate(network(ud.checkpoint), *arguments)
    check(got, ud.to_numpy(evaluate(network(lambda f: f), *arguments)), rtol=1e-12)


def test_a_loop_variable_is_that_of_the_call(arguments, check):
    x, _ = arguments

    def chain(x):
        for factor in (2.0, 3.0, 5.0):
            x = ud.checkpoint(lambda h: ns(h).sin(h) * factor)(x)
        return ns(x).sum(x)

    def plain(x):
        for factor in (2.0, 3.0, 5.0):
            x = ns(x).sin(x) * factor
        return ns(x).sum(x)

    check(ud.grad(chain)(x), ud.to_numpy(ud.grad(plain)(x)), rtol=1e-12)


@pytest.mark.parametrize("segments", [None, 1, 2, 7])
def test_a_chain_in_segments(segments, arguments, check):
    x, _ = arguments
    functions = [lambda h, k=k: {"h": ns(h["h"]).sin(h["h"]) + k} for k in range(7)]
    chain = ud.checkpoint_sequential(functions, segments)

    def plain(h):
        for function in functions:
            h = function(h)
        return h

    def loss(f):
        return lambda x: ns(x).sum(f({"h": x})["h"])

    check(ud.grad(loss(chain))(x), ud.to_numpy(ud.grad(loss(plain))(x)), rtol=1e-12)


def peak(chain, n, size=20_000):
    """Return the peak of memory of a gradient, in arrays."""
    x = np.ones(size)
    gradient = ud.grad(lambda x: chain([np.sin] * n)(x).sum())
    gradient(x)
    tracemalloc.start()
    try:
        gradient(x)
        return tracemalloc.get_traced_memory()[1] / x.nbytes
    finally:
        tracemalloc.stop()


def test_memory_grows_with_the_square_root_of_the_length():
    def plain(functions):
        return ud.checkpoint_sequential(functions, segments=1)

    small, large = peak(ud.checkpoint_sequential, 64), peak(ud.checkpoint_sequential, 256)
    assert large < 2.6 * small  # sqrt(4) and what does not depend on the length
    assert peak(plain, 256) > 3.4 * peak(plain, 64)
    assert large < peak(plain, 256) / 4


def test_the_function_is_called_once_and_once_more_for_each_pullback(arguments):
    x, _ = arguments
    calls = []

    def f(x):
        calls.append(0)
        return ns(x).sin(x)

    checkpointed = ud.checkpoint(f)
    checkpointed(x)
    assert len(calls) == 1
    if ud.get_backend(x).name == "jax":
        return  # which records the function once and repeats the recording
    ud.grad(lambda x: ns(x).sum(checkpointed(x)))(x)
    assert len(calls) == 3
    _, pull = ud.vjp(checkpointed, x)
    assert len(calls) == 4
    pull(x)
    pull(x)
    assert len(calls) == 6


def test_a_function_that_changes_is_refused():
    x, state = np.asarray([1.0, 2.0]), [0]

    @ud.checkpoint
    def f(x):
        state[0] += 1
        return np.sin(x) if state[0] == 1 else (np.sin(x), x)[0] * kept[0]

    kept = [1.0]

    def loss(x):
        kept[0] = x
        return f(2 * x).sum()

    with pytest.raises(ud.errors.ImpureFunctionError, match="again"):
        ud.grad(loss)(x)


def test_an_array_that_escapes_is_refused():
    stored = []

    @ud.checkpoint
    def f(x):
        y = np.sin(x)
        stored[:] = [y]
        return y * x

    def loss(x):
        return (f(x) + stored[0]).sum()

    with pytest.raises(ud.errors.LeakedTracerError, match="checkpoint"):
        ud.grad(loss)(np.asarray([1.0, 2.0]))


def test_an_argument_that_the_function_assigns_to():
    @ud.checkpoint
    def f(x):
        x *= x
        return x

    np.testing.assert_allclose(ud.grad(lambda x: f(1 * x).sum())(np.asarray([1.0, 2.0])), [2.0, 4.0])


def test_misuse():
    with pytest.raises(ud.errors.ArgumentError, match="callable"):
        ud.checkpoint(3)
    with pytest.raises(ud.errors.ArgumentError, match="at least one"):
        ud.checkpoint_sequential([])
    with pytest.raises(ud.errors.ArgumentError, match="at least one"):
        ud.checkpoint_sequential(3)
    with pytest.raises(ud.errors.ArgumentError, match="an integer between 1 and"):
        ud.checkpoint_sequential([np.sin, np.cos], 1.5)
    with pytest.raises(ud.errors.ArgumentError, match="between 1 and"):
        ud.checkpoint_sequential([np.sin], 2)
    with pytest.raises(ud.errors.NotAnArrayError, match="output"):
        ud.checkpoint(lambda x: "text")(np.ones(2))
