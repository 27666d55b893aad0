"""Whole programs: what NumPy computes is what is differentiated, in both modes, and what cannot be right raises."""

import copy
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unidiff as ud
from unidiff import errors

xp = ud.namespace("numpy")
X = np.asarray([0.3, -1.2, 2.1, 0.7, -0.4, 1.6])
C = np.linspace(-1, 1, 6)


def weighed(y):
    """Return a real number that depends on every element."""
    y = xp.asarray(y)
    total = xp.sum(y * xp.reshape(xp.cos(xp.arange(1.0, y.size + 1)), y.shape))
    return xp.real(total) + 0.3 * xp.imag(total) if xp.isdtype(total.dtype, "complex floating") else total


def slope(f, x, t, step=1e-4):
    """Return the central difference of fourth order along ``t``, and an estimate of its error."""

    def difference(h):
        return (8 * (f(x + h * t) - f(x - h * t)) - (f(x + 2 * h * t) - f(x - 2 * h * t))) / (12 * h)

    fine, coarse = difference(step / 2), difference(step)
    return fine, abs(fine - coarse)


def check(f, x, order=2):
    """Compare value, both modes and the second derivatives of ``f`` with plain NumPy, and see that ``x`` is unchanged."""
    kept, t = x.copy(), np.sin(np.arange(1.0, x.size + 1)).reshape(x.shape)
    value, gradient = ud.value_and_grad(f)(x)
    np.testing.assert_allclose(value, f(x.copy()), rtol=1e-10, atol=1e-10)
    assert gradient.shape == x.shape
    assert gradient.dtype == x.dtype
    pushed = ud.jvp(f, (x,), (t,))[1]
    np.testing.assert_allclose(pushed, np.sum(gradient * t), rtol=1e-8, atol=1e-8)
    want, doubt = slope(lambda x: f(x.copy()), x, t)
    if doubt < 1e-5 * (1 + abs(want)):  # no kink nearby
        np.testing.assert_allclose(pushed, want, rtol=1e-4, atol=1e-4)
    if order == 2:
        forward_over_reverse, reverse_over_reverse = ud.hessian(f)(x), ud.jacrev(ud.grad(f))(x)
        np.testing.assert_allclose(forward_over_reverse, reverse_over_reverse, rtol=1e-7, atol=1e-7)
        want, doubt = slope(lambda x: np.sum(ud.grad(f)(x) * np.cos(t)), x, t)
        if doubt < 1e-5 * (1 + abs(want)):
            got = np.sum(np.tensordot(forward_over_reverse, t, axes=t.ndim) * np.cos(t))
            np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(x, kept)


# --- programs that change constants, indices and parts in place


def _list_index(x):
    index = [0, 1, 1]
    y = x[index] * x[index]
    index[:] = [5, 5, 5]
    return y


def _list_index_assigned(x):
    index, y = [0, 1, 1], x * 1.0
    y[index] = x[:3] ** 2
    index[:] = [5, 5, 5]
    return y


def _array_in_tuple_index(x):
    index, y = np.asarray([0, 1]), xp.reshape(x * 1.0, (2, 3))
    part = y[0, index] * 1.0
    y[0, index] = x[2:4] ** 2
    index[:] = 2
    return xp.concat([part, xp.reshape(y, (-1,))])


def _small_constant(x):
    c = C.copy()
    y = x * c + c**2 * xp.sin(x)
    c[:] = 0
    return y


def _view_of_large_constant(x):
    c = np.tile(C, (20000, 2))
    y = xp.mean(c[:, :6] * x, axis=0)
    c[:] = 0
    return y


def _mask_and_condition(x):
    mask = C > 0
    y = xp.concat([x[mask] ** 2, xp.where(mask, x, x**2)])
    mask[:] = False
    return y


def _scalars_are_no_views(x):
    y = x * 1.0
    first, second = y[0], y[1]
    y[0], y[1] = second, first
    first += 1.0
    return xp.concat([y * x, xp.stack([first, second])])


def _rows_change_their_matrix(x):
    y = xp.reshape(x, (2, 3)) * 1.0
    for row in y:
        row *= 2 * row
    return y


def _view_of_view(x):
    y = x * 1.0
    part = y[1:5]
    part = part[::-2]
    part *= x[0]
    return y


def _copies(x):
    y, z = copy.copy(x), copy.deepcopy({"x": x})["x"]
    y += 1.0
    z *= x
    return f"{x[0]:.3f}" and x * y * z


def _assigned_with_leading_axis(x):
    y = x * 1.0
    y[0:1] = x[None, 2:3]
    y[1:3] = x[None, None, 3:5] ** 2
    return y


def _indices_apart(x):
    y = xp.reshape(x, (2, 1, 3)) * x[:2, None, None]
    return xp.concat(
        [xp.reshape(y[[0, 1], :, [1, 2]], (-1,)), xp.reshape(y[np.asarray([1, 0, 1]), :, 0], (-1,)), y[0, 0, [1, 1]]]
    )


def _indices_apart_assigned(x):
    y = xp.reshape(x, (2, 1, 3)) * 1.0
    y[[0, 1], :, [1, 2]] = xp.reshape(x[:2] ** 2, (2, 1))
    y[np.asarray([1]), :, 0] *= x[3]
    return y


def _numbers_with_imaginary_part(x):
    return (1 + 2j) ** x + 2 ** (x + 1j) + 1j**x


def _float_condition(x):
    return np.where(x, x**2, 1.0) + xp.where(x > 0, 1.0, x) + np.where(x, 2.0, 3.0)


PROGRAMS = (
    _list_index, _list_index_assigned, _array_in_tuple_index, _small_constant, _view_of_large_constant, _mask_and_condition,
    _scalars_are_no_views, _rows_change_their_matrix, _view_of_view, _copies, _assigned_with_leading_axis, _indices_apart,
    _indices_apart_assigned, _numbers_with_imaginary_part, _float_condition,
)  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__.strip("_"))
def test_programs_mean_what_numpy_means(program):
    check(lambda x: weighed(program(x)), X)


# --- misuse


@pytest.mark.parametrize(
    "constant", [np.ones((1, 2)).view(np.matrix), np.ma.masked_array([1.0, 2.0], [0, 1])], ids=["matrix", "masked"]
)
def test_arrays_with_rules_of_their_own_are_refused(constant):
    x = np.asarray([1.0, 2.0])
    with pytest.raises(errors.NotAnArrayError, match="plain array"):
        ud.grad(lambda x: xp.sum(x * constant))(x)
    with pytest.raises((errors.NotAnArrayError, errors.UnknownBackendError)):
        ud.jvp(xp.sum, (constant,), (constant,))


def test_objects_are_no_numbers():
    with pytest.raises(errors.DTypeError, match="object"):
        ud.grad(lambda x: xp.sum(x * np.asarray([1.0, 2.0], dtype=object)))(X[:2])


@pytest.mark.parametrize("name", ["flip", "tril", "sum", "cumulative_sum"])
def test_options_go_by_keyword(name):
    with pytest.raises(errors.ArgumentError, match="keyword"):
        ud.grad(lambda x: xp.sum(getattr(xp, name)(x, 0)))(X)


def test_outputs_of_another_recording_are_refused():
    leaked = []
    ud.grad(lambda x: (leaked.append(x), xp.sum(x))[1])(X)
    with pytest.raises(errors.LeakedTracerError):
        ud.jvp(lambda _: leaked[0], (X,), (X,))
    with pytest.raises(errors.LeakedTracerError):
        ud.grad(lambda x: (xp.sum(x), leaked[0]), has_aux=True)(X)


# --- random programs

UNARY = {
    "sin": np.sin,
    "tanh": xp.tanh,
    "square": lambda a: a**2,
    "cube": lambda a: a**3,
    "abs": abs,
    "minus": lambda a: -a,
    "log": lambda a: xp.log(a * a + 1.3),
    "root": lambda a: (a * a + 0.7) ** 0.5,
    "inverse": lambda a: 1 / (a * a + 1),
    "power": lambda a: (a * a + 0.5) ** a,
    "scalar": lambda a: np.float64(0.5) * a - 3,
    "remainder": lambda a: a % 0.73,
    "clip": lambda a: xp.clip(a, -0.51, 0.62),
    "rectified": lambda a: xp.maximum(a, 0.123),
    "masked": lambda a: a * (a > 0),
    "where": lambda a: xp.where(a > 0.1, a * a, np.sin(a)),
    "complex": lambda a: xp.real(xp.exp(1j * a) * (a + 2j)),
    "modulus": lambda a: xp.abs(a + 1j),
    "flip": xp.flip,
    "flat": lambda a: xp.reshape(a, (-1,)),
    "sum": xp.sum,
    "rows": lambda a: xp.sum(a, axis=0),
    "mean": lambda a: a.mean(axis=-1, keepdims=True),
    "product": lambda a: xp.prod(a, axis=-1),
    "std": lambda a: xp.std(a, axis=0, keepdims=True),
    "norm": lambda a: xp.linalg.vector_norm(a, axis=-1),
    "largest": lambda a: xp.max(a, axis=0),
    "cumulative": lambda a: np.cumsum(a),
    "sort": lambda a: xp.sort(a, axis=0, descending=True),
    "softmax": lambda a: xp.special.softmax(a, axis=-1),
    "spread": lambda a: xp.broadcast_to(a, (2, *a.shape)),
    "transpose": lambda a: a.T,
    "outer": lambda a: np.outer(a, a),
    "gather": lambda a: a[..., [0, -1, 0]],
    "part": lambda a: a[1:, ..., ::-1],
    "picked": lambda a: a[a > 0],
    "loop": lambda a: sum(row * row for row in a),
    "product of itself": lambda a: a @ a.T,
    "solve": lambda a: xp.linalg.solve(a @ a.T + np.eye(a.shape[0]), a),
    "det": lambda a: xp.linalg.det(a @ a.T + np.eye(a.shape[0])),
    "fourier": lambda a: xp.abs(xp.fft.fft(a)) ** 2,
    "gradient": lambda a: ud.grad(lambda z: xp.sum(xp.sin(z) * a + z**3))(a),
    "pushed": lambda a: ud.jvp(lambda z: xp.exp(-z * z) * a, (a,), (xp.cos(a),))[1],
}
BINARY = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / (b * b + 1),
    "hypot": xp.hypot,
    "maximum": xp.maximum,
    "logaddexp": xp.logaddexp,
    "atan2": lambda a, b: xp.atan2(a, b * b + 0.5),
    "matmul": lambda a, b: a @ b,
    "pow": lambda a, b: (a * a + 1) ** b,
    "select": lambda a, b: xp.where(a < b, a, b * b),
    "concat": lambda a, b: xp.concat([a, b]),
    "stack": lambda a, b: np.stack([a, np.ones(a.shape), b]),
    "conj": lambda a, b: xp.real((a + 1j * b) * xp.conj(a * b + 2j)),
}


def _in_place(change):
    def program(a, b):
        y = a * 1.0
        change(y, a, b)
        return y

    return program


def _add(y, _a, b):
    y += b


def _assign(y, a, b):
    y[..., :1] = 0.5
    y[0] *= a[-1]
    y[1:] = y[:-1]
    y[-1] = b


def _through_views(y, a, _b):
    part = y[::-1]
    part[0] = a[0] * a[-1]
    part *= 0.5


BINARY |= {"in place": _in_place(_add), "assignment": _in_place(_assign), "views": _in_place(_through_views)}
STEPS = st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 7), st.integers(0, 7))
SHAPES = [(), (1,), (3,), (2, 3), (3, 3), (1, 2), (0, 2), (2, 0)]
PLAIN_ERRORS = (ValueError, IndexError, TypeError, np.linalg.LinAlgError)


def _apply(function, places, values):
    return function(*(values[place] for place in places))


def random_program(x, steps):
    """Return the program of those steps that plain NumPy takes and that keep numbers and sizes moderate."""
    values, taken = [x], []
    for name, i, j in steps:
        i, j = i % len(values), j % len(values)
        step = partial(_apply, UNARY[name], (i,)) if name in UNARY else partial(_apply, BINARY[name], (i, j))
        try:
            y = step(values)
        except PLAIN_ERRORS:
            continue
        if np.size(y) <= 60 and np.all(np.isfinite(y)) and np.all(np.abs(y) < 30):
            taken.append(step)
            values.append(np.asarray(y))

    def program(x):
        results = [x]
        for step in taken:
            results.append(step(results))
        return sum(weighed(y) for y in results)

    return program


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # means of nothing, in NumPy itself, too
@settings(derandomize=True, max_examples=400, deadline=None, database=None)
@given(st.sampled_from(SHAPES), st.integers(0, 1000), st.lists(STEPS, min_size=2, max_size=6))
def test_random_programs_mean_what_numpy_means(shape, seed, steps):
    x = np.random.default_rng(seed).normal(size=shape) * 0.8
    with np.errstate(all="ignore"):
        check(random_program(x, steps), x)
