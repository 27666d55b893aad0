"""The derivatives that PyTorch's namespace is mended to have, in every mode, and what passes through untouched."""

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import array_api_compat.torch  # noqa: E402  # after the check that torch is there
from unidiff_backends import torch_namespace as xp  # noqa: E402  # after the check that torch is there
from unidiff_backends._torch.mended import MENDED  # noqa: E402  # after the check that torch is there
from unidiff_backends._torch.rules import FUNCTIONS  # noqa: E402  # after the check that torch is there
from unidiff_backends.torch import TorchBackend  # noqa: E402  # after the check that torch is there

BACKEND = TorchBackend()
INF, NAN = math.inf, math.nan

# name: function, arguments, derivative of the sum of the results with respect to each argument, from the derivative standard
FIRST = {
    "atan2 at the origin": (xp.atan2, (0.0, 0.0), (NAN, NAN)),
    "atan2 elsewhere": (xp.atan2, (3.0, 4.0), (4 / 25, -3 / 25)),
    "atan2 on an axis": (xp.atan2, (0.0, 2.0), (0.5, 0.0)),
    "clip at scalar bounds": (lambda x: xp.clip(x, 0.0, 1.0), ([0.0, 1.0, 0.5, 2.0, -1.0],), ([0.5, 0.5, 1, 0, 0],)),
    "clip at a lower scalar bound": (lambda x: xp.clip(x, min=0), (0.0,), (0.5,)),
    "clip at an upper scalar bound": (lambda x: xp.clip(x, max=0), (0.0,), (0.5,)),
    "clip between scalars that coincide": (lambda x: xp.clip(x, 1, 1), ([0.0, 1.0, 2.0],), ([0, 1 / 3, 0],)),
    "clip at an array bound": (xp.clip, (0.0, 0.0, 1.0), (0.5, 0.5, 0)),
    "clip beyond an array bound": (xp.clip, (2.0, 0.0, 1.0), (0, 0, 1)),
    "clip at an upper array bound": (lambda x, high: xp.clip(x, max=high), (1.0, 1.0), (0.5, 0.5)),
    "clip where all coincide": (xp.clip, (2.0, 2.0, 2.0), (1 / 3, 1 / 3, 1 / 3)),
    "clip at infinity": (xp.clip, (INF, INF, INF), None),
    "clip with broadcasting": (xp.clip, ([[0.0, 3.0]], 0.0, [[1.0], [2.0]]), ([[1.0, 0]], 1.0, [[1], [1]])),
    "copysign at zero": (xp.copysign, (0.0, 1.0), (0, 0)),
    "copysign that flips": (xp.copysign, ([2.0, -2.0], -1.0), ([-1, 1], 0)),
    "floor_divide": (xp.floor_divide, (5.5, 2.0), (0, 0)),
    "full": (lambda x: xp.full((2, 3), x), (2.0,), (6,)),
    "full_like": (lambda x, y: xp.full_like(x, y), ([1.0, 1.0], 2.0), ([0, 0], 2)),
    "hypot at the origin": (xp.hypot, (0.0, 0.0), (0, 0)),
    "hypot elsewhere": (xp.hypot, (3.0, -4.0), (0.6, -0.8)),
    "hypot of large numbers": (xp.hypot, (1e200, 1e200), (0.5**0.5, 0.5**0.5)),
    "linspace": (lambda a, b: xp.linspace(a, b, 3), (1.0, 2.0), (1.5, 1.5)),
    "linspace without end": (lambda a: xp.linspace(a, 2.0, 4, endpoint=False), (1.0,), (2.5,)),
    "logaddexp": (xp.logaddexp, (0.0, math.log(3)), (0.25, 0.75)),
    "logaddexp of minus infinities": (xp.logaddexp, (-INF, -INF), (0.5, 0.5)),
    "logaddexp of infinities": (xp.logaddexp, (INF, INF), (0.5, 0.5)),
    "logaddexp of infinity and a number": (xp.logaddexp, (INF, 0.0), (1, 0)),
    "logaddexp of minus infinity and a number": (xp.logaddexp, (-INF, 0.0), (0, 1)),
    "nextafter": (xp.nextafter, (5.5, 2.0), (1, 0)),
    "nextafter of the same": (xp.nextafter, (5.5, 5.5), (1, 0)),
    "abs of NaN": (xp.abs, (NAN,), (NAN,)),
    "maximum with NaN": (xp.maximum, (NAN, 1.0), (NAN, NAN)),
    "minimum with NaN": (xp.minimum, (1.0, NAN), (NAN, NAN)),
    "clip of NaN": (lambda x: xp.clip(x, 0.0, 1.0), (NAN,), (NAN,)),
    "std of a constant": (xp.std, ([1.0, 1.0, 1.0],), ([0, 0, 0],)),
    "std": (lambda x: xp.std(x, axis=0, keepdims=True), ([1.0, 3.0],), ([-0.5, 0.5],)),
    "asarray of tensors": (lambda x, y: xp.asarray([[x, 1], [2, y]]), (1.0, 2.0), (1, 1)),
    # These are native, and must remain right.
    "maximum in a tie": (xp.maximum, (1.0, 1.0), (0.5, 0.5)),
    "minimum in a tie": (xp.minimum, (1.0, 1.0), (0.5, 0.5)),
    "max in a tie": (lambda x: xp.max(x, axis=0), ([1.0, 1.0, 0.0],), ([0.5, 0.5, 0],)),
    "min over two axes in a tie": (
        lambda x: xp.min(x, axis=(0, 1)),
        ([[1.0, 1.0], [2.0, 1.0]],),
        ([[1 / 3, 1 / 3], [0, 1 / 3]],),
    ),
    "abs at zero": (xp.abs, (0.0,), (0,)),
    "sqrt at zero": (xp.sqrt, (0.0,), (INF,)),
    "power zero at zero": (lambda x: xp.pow(x, 0.0), (0.0,), (0,)),
    "vector_norm at zero": (xp.linalg.vector_norm, ([0.0, 0.0],), ([0, 0],)),
    "prod with a zero": (xp.prod, ([0.0, 2.0, 3.0],), ([6, 0, 0],)),
    "cumulative_prod with a zero": (lambda x: xp.cumulative_prod(x)[-1], ([0.0, 2.0, 3.0],), ([6, 0, 0],)),
    "descending sort with ties": (lambda x: xp.sort(x, descending=True) * xp.arange(3), ([1.0, 1.0, 0.0],), ([0, 1, 2],)),
    "remainder": (xp.remainder, (-5.5, 2.0), (1, 3)),
    "round": (xp.round, (1.5,), (0,)),
}


def tensors(values):
    return tuple(torch.tensor(value, dtype=torch.float64) for value in values)


def reverse(f, primals):
    return BACKEND.value_and_grad(lambda *xs: (f(*xs).sum(),), primals)[1]


def forward(f, primals):
    return tuple(block for block in BACKEND.jacfwd(lambda *xs: (f(*xs).sum(),), primals)[1][0])


def batched(f, primals):
    stacked = tuple(torch.stack([x, x]) for x in primals)
    return tuple(g[1] for g in torch.func.vmap(lambda *xs: reverse(f, xs))(*stacked))


@pytest.mark.parametrize("derivative", [reverse, forward, batched])
@pytest.mark.parametrize("name", [name for name, case in FIRST.items() if case[2] is not None])
def test_first_derivative(name, derivative):
    f, arguments, expected = FIRST[name]
    for result, value in zip(derivative(f, tensors(arguments)), expected, strict=True):
        torch.testing.assert_close(result, torch.tensor(value, dtype=torch.float64), rtol=1e-14, atol=0, equal_nan=True)


@pytest.mark.parametrize("modes", list(itertools.product(("jacfwd", "jacrev"), repeat=2)), ids="-".join)
@pytest.mark.parametrize(
    ("f", "arguments", "expected"),
    [
        (lambda x: xp.std(x, correction=0.0), [1.0, 1.0], [[0, 0], [0, 0]]),
        (lambda x: xp.copysign(x[0], x[1]), [0.0, 1.0], [[0, 0], [0, 0]]),
        (lambda x: xp.hypot(x[0], x[1]), [3.0, 4.0], [[16 / 125, -12 / 125], [-12 / 125, 9 / 125]]),
        (lambda x: xp.hypot(x[0], x[1]), [0.0, 0.0], [[0, 0], [0, 0]]),
        (lambda x: xp.logaddexp(x[0], x[1]), [1.0, 1.0], [[0.25, -0.25], [-0.25, 0.25]]),
        (lambda x: xp.logaddexp(x[0], x[1]), [-INF, -INF], [[0, 0], [0, 0]]),
        (lambda x: xp.atan2(x[0], x[1]), [0.0, 2.0], [[0, -0.25], [-0.25, 0]]),
        (lambda x: xp.clip(x, 0, 1).square().sum(), [0.5, 2.0], [[2, 0], [0, 0]]),
    ],
)
def test_second_derivative(f, arguments, expected, modes):
    outer, inner = modes

    def first(x):
        return (getattr(BACKEND, inner)(lambda y: (f(y),), (x,))[1][0][0],)

    ((hessian,),) = getattr(BACKEND, outer)(first, tensors([arguments]))[1]
    torch.testing.assert_close(hessian, torch.tensor(expected, dtype=torch.float64), rtol=1e-13, atol=1e-15)


VALUES = [0.0, -0.0, 1.0, -2.5, INF, -INF, NAN, 1e-310, 1e308]


@pytest.mark.parametrize("name", ["atan2", "copysign", "floor_divide", "hypot", "logaddexp", "nextafter"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_values_are_those_of_the_base(name, dtype):
    x = torch.tensor(VALUES, dtype=dtype)
    pairs = [(x[:, None], x), (x, 2.0), (1, x)]
    for x1, x2 in pairs:
        result, expected = getattr(xp, name)(x1, x2), getattr(array_api_compat.torch, name)(x1, x2)
        torch.testing.assert_close(result, expected, rtol=0, atol=0, equal_nan=True)
        finite = ~torch.isnan(expected)
        if name == "logaddexp":
            finite &= expected != 0  # the sign of a sum that cancels says nothing
        assert torch.equal(torch.signbit(result)[finite], torch.signbit(expected)[finite])


INTEGER_BOUNDS = [(None, None), (0, None), (None, 1), (-1, 1), (2, 2)]
FLOAT_BOUNDS = [*INTEGER_BOUNDS, (None, 1.5), (-1.0, 1.0), (-INF, INF)]


@pytest.mark.parametrize(
    ("bounds", "dtype"),
    [*itertools.product(INTEGER_BOUNDS, [torch.int32]), *itertools.product(FLOAT_BOUNDS, [torch.float32, torch.float64])],
    ids=str,
)
def test_values_of_clip(bounds, dtype):
    x = torch.tensor([-3, -1, 0, 1, 2, 5]).to(dtype)
    result = xp.clip(x, *bounds)
    expected = np.clip(x.numpy(), *bounds)
    assert result.dtype == dtype
    assert np.array_equal(result.numpy(), expected.astype(x.numpy().dtype))


def test_clip_keeps_nan_and_infinity():
    result = xp.clip(*tensors([[NAN, INF, -INF], -INF, INF]))
    torch.testing.assert_close(result, *tensors([[NAN, INF, -INF]]), equal_nan=True)
    assert xp.clip(*tensors([INF, INF, INF])).item() == INF


@pytest.mark.parametrize("correction", [0.0, 1.0])
def test_values_of_std(correction):
    x = torch.arange(24.0, dtype=torch.float64).reshape(2, 3, 4) ** 2
    for axis, keepdims in itertools.product((None, 0, (0, 2)), (True, False)):
        expected = np.std(x.numpy(), axis=axis, ddof=correction, keepdims=keepdims)
        np.testing.assert_allclose(xp.std(x, axis=axis, correction=correction, keepdims=keepdims).numpy(), expected, rtol=1e-14)


def test_values_of_creation_functions():
    a, b = tensors([1.0, 3.0])
    assert xp.linspace(a, b, 5).tolist() == np.linspace(1, 3, 5).tolist()
    assert xp.linspace(a, 3, 1).tolist() == [1]
    assert xp.linspace(a, b, 0).shape == (0,)
    assert xp.full(3, a).tolist() == [1, 1, 1]
    assert xp.full((2,), a, dtype=xp.float32).dtype == torch.float32
    assert xp.full((2,), 1).dtype == torch.int64
    assert xp.full_like(a, b).item() == 3
    assert xp.asarray([a, 2]).dtype == torch.float64


def test_integers_and_scalars():
    x = torch.tensor([5, -5])
    assert xp.floor_divide(x, 2).tolist() == [2, -3]
    assert xp.clip(x, 0, 3).dtype == x.dtype
    assert xp.hypot(torch.tensor([3.0]), 4).dtype == torch.float32


def test_whatever_is_not_mended_is_the_very_same_object():
    changed = set()
    for prefix in ("", "linalg", "fft"):
        ours, base = (getattr(module, prefix) if prefix else module for module in (xp, array_api_compat.torch))
        names = [name for name in dir(base) if not name.startswith("_") and name != "linalg"]
        changed |= {f"{prefix}.{name}".lstrip(".") for name in names if getattr(ours, name) is not getattr(base, name)}
    assert changed == set(MENDED) | set(FUNCTIONS) | {"einsum", "special"}


@pytest.mark.parametrize("name", sorted(MENDED))
def test_mended_functions_say_why(name):
    assert MENDED[name].__name__ == name
    assert MENDED[name].__doc__
