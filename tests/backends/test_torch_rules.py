"""The functions of PyTorch's namespace that get rules of unidiff's own, in every mode, nesting and batch."""

import itertools
import math

import pytest

torch = pytest.importorskip("torch")

import array_api_compat.torch  # noqa: E402  # after the check that torch is there
from unidiff_backends import torch_namespace as xp  # noqa: E402  # after the check that torch is there
from unidiff_backends._torch.rules import COMPOSED, FUNCTIONS, RULED  # noqa: E402  # after the check that torch is there
from unidiff_backends.torch import TorchBackend  # noqa: E402  # after the check that torch is there

BACKEND = TorchBackend()
F64 = torch.float64
INF, NAN = math.inf, math.nan
PAIRS = list(itertools.product(("jacfwd", "jacrev"), repeat=2))

SQUARE = [[2.0, 0.3, -0.4], [0.1, 1.5, 0.7], [-0.6, 0.2, 3.0]]
SINGULAR = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]]
LINE = [1.25, -0.75, 1.75]


def symmetric(a):
    return (a + a.mT) / 2


def of_symmetric(a):
    w, v = xp.linalg.eigh(symmetric(a))
    return (v * xp.exp(w)[None, :]) @ v.mT


def of_singular(a):
    u, s, vh = xp.linalg.svd(a[:, :2], full_matrices=False)
    return (u * xp.sqrt(s)) @ vh


# Functions of one tensor at smooth points, for comparison with finite differences.
SMOOTH = {
    "cumulative_prod": (lambda x: xp.cumulative_prod(x), [0.0, 2.0, -3.0, 0.0, 1.5]),
    "cumulative_prod with start": (lambda x: xp.cumulative_prod(x, axis=1, include_initial=True), [[2.0, -3.0], [0.0, 0.5]]),
    "det": (xp.linalg.det, SQUARE),
    "det of a stack": (xp.linalg.det, [[[1.0, 2.0], [2.0, 4.0]], [[1.0, 2.0], [3.0, 5.0]]]),
    "det of rank 2": (xp.linalg.det, SINGULAR),
    "det of rank 1": (xp.linalg.det, [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [-1.0, -2.0, -3.0]]),
    "det of zero": (xp.linalg.det, [[0.0, 0.0], [0.0, 0.0]]),
    "slogdet": (lambda a: xp.linalg.slogdet(a).logabsdet, SQUARE),
    "solve": (lambda a: xp.linalg.solve(a, a[0, :]), SQUARE),
    "solve for a matrix": (lambda a: xp.linalg.solve(a, a[:, :2]), SQUARE),
    "eigh": (of_symmetric, SQUARE),
    "eigvalsh": (lambda a: xp.linalg.eigvalsh(symmetric(a)), SQUARE),
    "eig": (lambda a: xp.linalg.eig(a)[0].real.square().sum(), SQUARE),
    "eigvals": (lambda a: xp.real(xp.linalg.eigvals(a)).sin().sum(), SQUARE),
    "svd": (of_singular, SQUARE),
    "svdvals": (xp.linalg.svdvals, SQUARE),
    **{
        f"vector_norm of order {order}": (lambda x, order=order: xp.linalg.vector_norm(x, ord=order), LINE)
        for order in (1, 2, 3, 0.5, -1, INF, -INF)
    },
    "vector_norm along an axis": (lambda x: xp.linalg.vector_norm(x, axis=1, keepdims=True), [LINE, [0.5, 2.0, -1.0]]),
    **{
        f"matrix_norm of order {order}": (lambda a, order=order: xp.linalg.matrix_norm(a, ord=order), SQUARE)
        for order in ("fro", "nuc", 1, -1, 2, -2, INF, -INF)
    },
    "matrix_norm with axes kept": (lambda a: xp.linalg.matrix_norm(a, keepdims=True), SQUARE),
    "pow": (lambda x: xp.pow(x[:2], x[1:]), [1.5, 0.5, 2.5]),
    "pow of a number": (lambda x: xp.pow(2.0, x), LINE),
    "pow to constants at 0": (lambda x: xp.pow(x, torch.tensor([1.0, 2.0, 3.0], dtype=F64)), [0.0, 0.0, 0.0]),
    "pow to constants below 0": (lambda x: xp.pow(x, torch.tensor([0.0, 1.0, 2.0], dtype=F64)), [-0.5, -1.5, -2.5]),
    "unique_values": (xp.unique_values, LINE),
    "where of real and complex": (lambda x: xp.abs(xp.where(x > 0, x, (1 + 2j) * x)) ** 2, LINE),
    "remainder of a number": (lambda x: xp.remainder(5.0, x), [1.5, 2.2]),
    "logaddexp": (lambda x: xp.logaddexp(x, xp.flip(x)), [1.0, 1.0, 3.0]),
    "prod with zeros": (lambda x: xp.prod(x, axis=(0, 1)), [[0.0, 2.0], [0.0, 3.0]]),
}


def tensor(value, dtype=F64):
    return torch.tensor(value, dtype=dtype)


def derivative(mode, f):
    return lambda x: getattr(BACKEND, mode)(lambda y: (f(y),), (x,))[1][0][0]


def differences(f, x, step):
    """Return the derivative by central differences, of fourth order."""
    columns = []
    for k in range(x.numel()):
        e = torch.zeros(x.numel(), dtype=x.dtype)
        e[k] = step
        e = e.reshape(x.shape)
        columns.append((8 * (f(x + e) - f(x - e)) - (f(x + 2 * e) - f(x - 2 * e))) / (12 * step))
    return torch.stack(columns, dim=-1).reshape((*columns[0].shape, *x.shape))


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev"])
@pytest.mark.parametrize("name", SMOOTH)
def test_first_derivative_is_that_of_the_function(name, mode):
    f, value = SMOOTH[name]
    torch.testing.assert_close(derivative(mode, f)(tensor(value)), differences(f, tensor(value), 1e-3), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("modes", PAIRS, ids="-".join)
@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivative_is_that_of_the_first(name, modes):
    f, value = SMOOTH[name]
    second = derivative(modes[0], derivative(modes[1], f))(tensor(value))
    torch.testing.assert_close(second, differences(derivative("jacrev", f), tensor(value), 1e-3), rtol=1e-8, atol=1e-7)


def scalar(f):
    return lambda x: f(x).sum()


@pytest.mark.parametrize("modes", PAIRS, ids="-".join)
@pytest.mark.parametrize(
    "name", [name for name in SMOOTH if not name.startswith("unique")]
)  # their shape is unknown in a batch
def test_derivatives_in_a_batch_are_those_of_its_elements(name, modes):
    f, value = SMOOTH[name]
    second = derivative(modes[0], derivative(modes[1], scalar(f)))
    x = torch.stack([tensor(value), tensor(value) * 1.125], dim=-1)
    # A matrix of a stack that is close to singular decides how the derivatives of all are computed.
    results = torch.func.vmap(second, in_dims=-1)(x)
    for result, k in zip(results, (0, 1), strict=True):
        torch.testing.assert_close(result, second(x[..., k]), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ["det", "pow", "cumulative_prod", "solve", "vector_norm of order 2", "eigvalsh"])
def test_third_derivatives_of_all_modes_agree(name):
    f, value = SMOOTH[name]
    results = []
    for modes in itertools.product(("jacfwd", "jacrev"), repeat=3):
        g = scalar(f)
        for mode in modes:
            g = derivative(mode, g)
        results.append(g(tensor(value)))
    expected = differences(derivative("jacrev", derivative("jacrev", scalar(f))), tensor(value), 1e-3)
    for result in results:
        torch.testing.assert_close(result, expected, rtol=1e-7, atol=1e-7)


HALF, TWICE, ZERO = [[0.5, 0.0], [0.0, 0.5]], [[2.0, 0.0], [0.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]

# name: function, argument, derivative, second derivative or None; from the derivative standard
KINKS = {
    **{f"vector_norm {p} at 0": (lambda x, p=p: xp.linalg.vector_norm(x, ord=p), [0.0, 0.0], [0, 0], ZERO) for p in (1, 2, 3)},
    "vector_norm inf at 0": (lambda x: xp.linalg.vector_norm(x, ord=INF), [0.0, 0.0], [0, 0], None),
    "vector_norm inf in a tie": (lambda x: xp.linalg.vector_norm(x, ord=INF), [1.0, -1.0], [0.5, -0.5], ZERO),
    "vector_norm of NaN": (xp.linalg.vector_norm, [NAN, 1.0], [NAN, NAN], None),
    **{f"matrix_norm {p} at 0": (lambda a, p=p: xp.linalg.matrix_norm(a, ord=p), ZERO, ZERO, None) for p in ("nuc", 1, 2, INF)},
    "matrix_norm fro at 0": (xp.linalg.matrix_norm, ZERO, ZERO, [[ZERO, ZERO], [ZERO, ZERO]]),
    "matrix_norm 1 in a tie": (lambda a: xp.linalg.matrix_norm(a, ord=1), [[1.0, 1.0], [1.0, 1.0]], [[0.5, 0.5]] * 2, None),
    "matrix_norm 2 repeated": (lambda a: xp.linalg.matrix_norm(a, ord=2), TWICE, HALF, None),
    "matrix_norm nuc repeated": (lambda a: xp.linalg.matrix_norm(a, ord="nuc"), TWICE, [[1, 0], [0, 1]], None),
    "svdvals repeated": (lambda a: xp.linalg.svdvals(a)[1], TWICE, HALF, None),
    "svdvals at 0": (lambda a: xp.linalg.svdvals(a)[0], ZERO, ZERO, None),
    "eigvalsh repeated": (lambda a: xp.linalg.eigvalsh(a)[0], TWICE, HALF, None),
    "eigvals repeated": (lambda a: xp.real(xp.linalg.eigvals(a)[0]), TWICE, HALF, None),
    "slogdet of a singular matrix": (lambda a: xp.linalg.slogdet(a).logabsdet, ZERO, [[NAN, NAN], [NAN, NAN]], None),
    "pow to 0": (lambda x: xp.pow(x, torch.tensor(0.0, dtype=F64)), 0.0, 0, 0),
    "pow to the number 0": (lambda x: xp.pow(x, 0.0), 0.0, 0, 0),
    "pow to the number 1": (lambda x: xp.pow(x, 1.0), 0.0, 1, 0),
    "0 to a power": (lambda x: xp.pow(0.0, x), 2.0, 0, 0),
    "0 to the 0 by the exponent": (lambda x: xp.pow(0.0, x), 0.0, NAN, None),
    "sign of a complex number": (lambda x: xp.imag(xp.sign(xp.astype(x, xp.complex128) + 1j)), 0.0, 0, -1),
    "hypot at infinity": (lambda x: xp.hypot(x[0], x[1]), [-INF, 1.0], [-1, 0], ZERO),
    "hypot of infinities": (lambda x: xp.hypot(x[0], x[1]), [INF, -INF], [0.5, -0.5], ZERO),
    "logaddexp far apart": (lambda x: xp.logaddexp(x[0], x[1]), [1000.0, -1000.0], [1, 0], ZERO),
    "unique_values repeated": (lambda x: xp.unique_values(x)[0], [3.0, 1.0, 1.0], [0, 1, 0], [[0, 0, 0]] * 3),
    "unique_counts": (lambda x: xp.unique_counts(x).values[1], [3.0, 1.0], [1, 0], ZERO),
    "unique_inverse": (lambda x: xp.unique_inverse(x).values[1], [3.0, 1.0], [1, 0], ZERO),
    "real of a scalar product": (lambda x: xp.real((1 + 2j) * xp.sum(x * 1j)), [1.0, 2.0], [-2, -2], ZERO),
}


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev"])
@pytest.mark.parametrize("name", KINKS)
def test_first_derivative_at_a_kink(name, mode):
    f, value, expected, _ = KINKS[name]
    result = derivative(mode, f)(tensor(value))
    torch.testing.assert_close(result, tensor(expected), rtol=1e-14, atol=1e-15, equal_nan=True)


@pytest.mark.parametrize("modes", PAIRS, ids="-".join)
@pytest.mark.parametrize("name", [name for name, case in KINKS.items() if case[3] is not None])
def test_second_derivative_at_a_kink(name, modes):
    f, value, _, expected = KINKS[name]
    second = derivative(modes[0], derivative(modes[1], f))(tensor(value))
    torch.testing.assert_close(second, tensor(expected), rtol=1e-14, atol=1e-15)


def test_an_argument_that_does_not_move_contributes_nothing():
    x, y = tensor(-2.0), tensor(3.0)
    (by_base, by_exponent) = BACKEND.jacfwd(lambda a, b: (xp.pow(a, b),), (x, y))[1][0]
    assert by_base.item() == 12
    assert math.isnan(by_exponent.item())


COMPLEX = {
    "linalg.det": xp.linalg.det,
    "linalg.slogdet": lambda a: xp.linalg.slogdet(a)[0],
    "linalg.solve": lambda a: xp.linalg.solve(a, a[:, 0]),
    "linalg.vector_norm": xp.linalg.vector_norm,
    "linalg.matrix_norm": lambda a: xp.linalg.matrix_norm(a, ord=2),
    "linalg.svdvals": xp.linalg.svdvals,
    "linalg.eigvals": lambda a: xp.sum(xp.linalg.eigvals(a) ** 2),
    "cumulative_prod": lambda a: xp.cumulative_prod(a, axis=0),
    "pow": lambda a: xp.pow(a, a + 1),
    "sign": xp.sign,
}


@pytest.mark.parametrize("dtype", [torch.float32, F64, torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("name", COMPLEX)
def test_modes_are_adjoint_and_keep_the_dtype(name, dtype):
    rng = torch.Generator().manual_seed(1)
    f = COMPLEX[name]
    a, t = (torch.randn(3, 3, dtype=dtype, generator=rng) for _ in range(2))
    a = a + 4 if name == "pow" else a
    (y,), (pushed,) = BACKEND.jvp(lambda x: (f(x),), (a,), (t,))
    _, pullback = BACKEND.vjp(lambda x: (f(x),), (a,))
    g = torch.randn(y.shape, dtype=y.dtype, generator=rng)
    (pulled,) = pullback((g,))
    assert pushed.dtype == y.dtype
    assert pulled.dtype == dtype
    precision = torch.finfo(dtype).eps * 1e3
    left, right = (torch.sum(torch.conj(u) * v).real for u, v in ((g, pushed), (pulled, t)))
    torch.testing.assert_close(left, right, rtol=precision, atol=precision)
    step = torch.finfo(dtype).eps ** 0.25
    difference = (8 * (f(a + step * t) - f(a - step * t)) - (f(a + 2 * step * t) - f(a - 2 * step * t))) / (12 * step)
    torch.testing.assert_close(pushed, difference, rtol=100 * step**3, atol=100 * step**3)


def test_structures_and_values_are_those_of_the_base():
    base = array_api_compat.torch
    a = symmetric(tensor(SQUARE))
    for name in ("eigh", "slogdet", "svd", "eigvalsh", "svdvals", "det"):
        expected, plain = getattr(base.linalg, name)(a), getattr(xp.linalg, name)(a)
        traced = getattr(xp.linalg, name)(a.clone().requires_grad_())
        assert type(expected) is type(plain) is type(traced)
        for x, y, z in zip(*(r if isinstance(r, tuple) else (r,) for r in (expected, plain, traced)), strict=True):
            assert torch.equal(x, y)
            torch.testing.assert_close(x, z.detach(), rtol=1e-13, atol=1e-13)


def test_sets():
    x = tensor([[3.0, 1.0, NAN], [1.0, -0.0, 0.0]])
    values, indices, inverse, counts = xp.unique_all(x)
    torch.testing.assert_close(values, tensor([0.0, 1.0, 3.0, NAN]), equal_nan=True)
    assert indices.tolist() == [4, 1, 0, 2]
    assert inverse.tolist() == [[2, 1, 3], [1, 0, 0]]
    assert counts.tolist() == [2, 2, 1, 1]
    assert xp.unique_counts(torch.tensor([2, 1, 2])).counts.tolist() == [1, 2]
    assert xp.unique_inverse(torch.tensor([True, False])).inverse_indices.tolist() == [1, 0]
    assert xp.unique_all(torch.empty(0)).counts.shape == (0,)


def test_functions_with_rules_say_why():
    assert set(FUNCTIONS) == set(RULED) | set(COMPOSED)
    assert all((RULED | COMPOSED).values())
