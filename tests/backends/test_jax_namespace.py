"""The namespace of the JAX backend: what is passed through, what is mended, and its derivatives at kinks and beyond."""

import inspect
import math

import numpy as np
import pytest

import unidiff as ud

jax = pytest.importorskip("jax")
jnp = jax.numpy

inf, nan = math.inf, math.nan


@pytest.fixture(autouse=True)
def _wide_numbers():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def xp():
    return ud.namespace("jax")


MENDED = """
    abs broadcast_arrays clip copysign hypot logaddexp max maximum meshgrid min minimum nextafter permute_dims pow searchsorted
    sign sort std unique_all unique_counts unique_inverse unique_values var
""".split()
STANDARD = """
    e inf nan newaxis pi bool complex64 complex128 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64
    asarray meshgrid tril triu arange empty empty_like eye full full_like linspace ones ones_like zeros zeros_like from_dlpack
    abs acos acosh add asin asinh atan atan2 atanh clip conj copysign cos cosh divide exp expm1 hypot imag log log1p log2 log10
    logaddexp maximum minimum multiply negative positive pow real reciprocal remainder sin sinh square sqrt subtract tan tanh
    ceil floor floor_divide round sign trunc bitwise_and bitwise_left_shift bitwise_invert bitwise_or bitwise_right_shift
    bitwise_xor equal greater greater_equal isfinite isinf isnan less less_equal logical_and logical_not logical_or logical_xor
    not_equal signbit nextafter cumulative_sum cumulative_prod max mean min prod std sum var matmul matrix_transpose tensordot
    vecdot broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape roll squeeze stack tile
    unstack broadcast_shapes where argmax argmin count_nonzero nonzero searchsorted unique_all unique_counts unique_inverse
    unique_values isin sort argsort diff all any take take_along_axis astype can_cast finfo iinfo isdtype result_type
""".split()
LINALG = """
    cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power matrix_transpose outer pinv qr
    slogdet solve svd svdvals tensordot trace vecdot vector_norm matrix_rank
""".split()
FFT = "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftshift ifftshift fftfreq rfftfreq".split()


def test_namespace_is_complete_and_what_agrees_is_untouched(xp):
    assert {name for name in STANDARD if getattr(xp, name) is not getattr(jnp, name)} == set(MENDED)
    changed = {name for name in LINALG if getattr(xp.linalg, name) is not getattr(jnp.linalg, name)}
    assert changed == set("det eig eigh eigvals eigvalsh matrix_norm slogdet svd svdvals vector_norm".split())
    assert all(getattr(xp.fft, name) is getattr(jnp.fft, name) for name in FFT)


def test_namespace_is_a_hashable_module_of_the_newest_standard(xp):
    assert inspect.ismodule(xp)
    assert {xp: 1}[ud.array_namespace(jnp.ones(1))] == 1
    assert xp.__name__ == "unidiff_backends.jax.numpy"
    assert xp.__array_api_version__ == "2025.12"
    info = xp.__array_namespace_info__()
    assert isinstance(info.devices(), tuple)
    assert set(info.devices()) >= set(jax.devices())
    assert info.capabilities()["data-dependent shapes"] is False
    assert info.dtypes()["float64"] == jnp.float64


def test_results_have_the_form_of_the_newest_standard(xp):
    x, y = jnp.ones((2, 1)), jnp.ones((1, 3))
    assert type(xp.broadcast_arrays(x, y)) is tuple
    assert [a.shape for a in xp.meshgrid(jnp.ones(2), jnp.ones(3), indexing="ij")] == [(2, 3), (2, 3)]
    assert type(xp.meshgrid(jnp.ones(2))) is tuple
    assert xp.permute_dims(jnp.ones((2, 3, 4)), (-1, 0, -2)).shape == (4, 2, 3)
    assert xp.expand_dims(x, axis=(0, -1)).shape == (1, 2, 1, 1)
    assert xp.searchsorted(jnp.arange(3.0), jnp.ones(2), side="right").dtype == xp.argsort(jnp.ones(2)).dtype == "int64"


# --- values


VALUES = [0.0, -0.0, 1.0, -1.5, 2.0, inf, -inf, nan]
BINARY = ["copysign", "hypot", "logaddexp", "maximum", "minimum", "nextafter", "pow"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("name", BINARY)
def test_values_of_binary_functions_are_those_of_jax(xp, name, dtype):
    x = jnp.asarray(np.nan_to_num(VALUES, posinf=3, neginf=2) if dtype == "int32" else VALUES, dtype=dtype)
    x1, x2 = x[:, None], jnp.abs(x) if dtype == "int32" else x
    for args in ((x1, x2), (x1, 1.5), (0.5, x2), (x1, 2), (x1, x2.astype("float32"))):
        wanted = getattr(jnp, name)(*args)
        actual = getattr(xp, name)(*args)
        assert (actual.dtype, actual.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "bfloat16", "float32", "complex64"])
@pytest.mark.parametrize("name", ["abs", "max", "min", "sign", "std", "var", "sort", "unique_values"])
def test_values_of_unary_functions_are_those_of_jax(xp, name, dtype):
    if (name, dtype) == ("sign", "bool"):
        return  # JAX has no sign of a boolean array
    x = jnp.asarray([[3, 1, 0], [1, 2, 3]], dtype=dtype)
    wanted, actual = getattr(jnp, name)(x), getattr(xp, name)(x)
    assert actual.dtype == wanted.dtype
    np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("bounds", [(), (1, 2), (None, 2.0), (1.0, None), (1.0, "array"), ("array", "array"), (3.0, 1.0)])
@pytest.mark.parametrize("dtype", ["int32", "float32", "float64"])
def test_values_of_clip_are_those_of_jax(xp, bounds, dtype):
    x = jnp.asarray([[0, 1, 2], [3, -1, 5]], dtype=dtype)
    bounds = [jnp.asarray([1, 2, 3], dtype=dtype) if bound == "array" else bound for bound in bounds]
    wanted, actual = jnp.clip(x, *bounds), xp.clip(x, *bounds)
    assert actual.dtype == wanted.dtype
    np.testing.assert_array_equal(actual, wanted)
    np.testing.assert_array_equal(xp.clip(x, **dict(zip(("min", "max"), bounds, strict=False))), wanted)


@pytest.mark.parametrize(("dtype", "keepdims"), [("float32", True), ("float64", False), ("complex128", True)])
@pytest.mark.parametrize("ord", [0, 1, 2, 3, 2.5, inf, -inf])
def test_values_of_vector_norms_are_those_of_jax(xp, ord, keepdims, dtype):
    x = jnp.asarray(np.random.default_rng(0).uniform(-4, 4, (2, 3, 4)), dtype=dtype)
    for axis in (None, -1, (0, 2)):
        wanted = jnp.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
        actual = xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
        assert (actual.dtype, actual.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(actual, wanted, rtol=1e-6)


@pytest.mark.parametrize(("shape", "keepdims"), [((3, 3), False), ((2, 3, 4), True), ((4, 2), False), ((0, 2, 2), True)])
@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, inf, -inf])
def test_values_of_matrix_norms_are_those_of_jax(xp, ord, keepdims, shape):
    x = jnp.asarray(np.random.default_rng(0).normal(size=shape))
    wanted = jnp.linalg.matrix_norm(x, keepdims=keepdims, ord=ord)
    actual = xp.linalg.matrix_norm(x, keepdims=keepdims, ord=ord)
    assert actual.shape == wanted.shape
    np.testing.assert_allclose(actual, wanted, rtol=1e-13)


def test_unknown_order_of_a_norm_raises(xp):
    with pytest.raises(ValueError, match="order"):
        xp.linalg.matrix_norm(jnp.eye(2), ord=7)
    with pytest.raises(ValueError, match="order"):
        xp.linalg.vector_norm(jnp.ones(2), ord="seven")


def test_empty_arrays(xp):
    empty = jnp.zeros((0,))
    for f in (xp.abs, xp.sign, lambda x: xp.pow(x, 0.0), lambda x: xp.clip(x, 0, 1), lambda x: xp.sort(x, descending=True)):
        assert ud.grad(lambda x: xp.sum(f(x)))(empty).shape == (0,)
    assert ud.grad(xp.linalg.vector_norm)(empty).shape == (0,)


# --- derivatives at kinks, removable singularities, jumps

W = np.asarray([1.0, 2.0, 3.0])
KINKS = {
    "abs": (lambda xp, x: xp.abs(x), [[0.0, -0.0, 2.0, -3.0]], [[0, 0, 1, -1]]),
    "abs-complex": (lambda xp, z: xp.abs(z), [[0j, 3 + 4j]], [[0, 0.6 + 0.8j]]),
    "sign": (lambda xp, x: xp.sign(x), [[0.0, 2.0]], [[0, 0]]),
    "sign-complex": (lambda xp, z: xp.real(xp.sign(z)), [[0j, 4j]], [[0, 0.25]]),
    "copysign": (lambda xp, x, y: xp.copysign(x, y), [[0.0, 2, -3], [1.0, -1, -1]], [[0, -1, 1], [0, 0, 0]]),
    "hypot": (lambda xp, x, y: xp.hypot(x, y), [[0.0, 3, 0], [0.0, 4, -2]], [[0, 0.6, 0], [0, 0.8, -1]]),
    "atan2": (lambda xp, x, y: xp.atan2(x, y), [[0.0], [0.0]], [[nan], [nan]]),
    "maximum": (lambda xp, x, y: xp.maximum(x, y), [[1.0, 2, 1, nan], [1.0, 1, 2, 1]], [[0.5, 1, 0, nan], [0.5, 0, 1, nan]]),
    "minimum": (lambda xp, x, y: xp.minimum(x, y), [[1.0, 2, 1, nan], [1.0, 1, 2, 1]], [[0.5, 0, 1, nan], [0.5, 1, 0, nan]]),
    "maximum-scalar": (lambda xp, x: xp.maximum(x, 0.0), [[0.0, 1, -1]], [[0.5, 1, 0]]),
    "clip-scalars": (lambda xp, x: xp.clip(x, -1, 1.0), [[-2.0, -1, 0, 1, 2]], [[0, 0.5, 1, 0.5, 0]]),
    "clip-one-scalar": (lambda xp, x: xp.clip(x, max=1), [[0.0, 1, 2]], [[1, 0.5, 0]]),
    "clip-arrays": (
        lambda xp, x, a, b: xp.clip(x, a, b),
        [[-2.0, -1, 0, 1, 2, 0, -1, 1], [-1.0, -1, -1, -1, -1, 0, 0, 0], [1.0, 1, 1, 1, 1, 0, 0, 0]],
        [[0, 0.5, 1, 0.5, 0, 1 / 3, 0, 0], [1, 0.5, 0, 0, 0, 1 / 3, 0.5, 0], [0, 0, 0, 0.5, 1, 1 / 3, 0.5, 1]],
    ),
    "clip-crossed-bounds": (lambda xp, x, a, b: xp.clip(x, a, b), [[0.0], [5.0], [0.0]], [[0], [0], [1]]),
    "clip-nan": (lambda xp, x: xp.clip(x, 0, 1), [[nan, 0.5]], [[nan, 1]]),
    "pow-0": (lambda xp, x: xp.pow(x, 0.0), [[0.0, 2.0]], [[0, 0]]),
    "pow-1": (lambda xp, x: xp.pow(x, 1.0), [[0.0, 2.0]], [[1, 1]]),
    "pow-int": (lambda xp, x: xp.pow(x, 2), [[0.0, -2.0]], [[0, -4]]),
    "pow-negative-base": (lambda xp, x: xp.pow(x, xp.asarray(3.0)), [[-2.0]], [[12]]),
    "pow-base": (lambda xp, x: xp.pow(x, xp.asarray([0.0, 1, 2, 0.5])), [[0.0] * 4], [[0, 1, 0, inf]]),
    "pow-exponent": (lambda xp, y: xp.pow(0.0, y), [[2.0, 0.5, 0, -1]], [[0, 0, nan, -inf]]),
    "logaddexp": (
        lambda xp, x, y: xp.logaddexp(x, y),
        [[0.0, -inf, inf, inf, -inf, 1000], [0.0, -inf, inf, 0, 0, -1000]],
        [[0.5, 0.5, 0.5, 1, 0, 1], [0.5, 0.5, 0.5, 0, 1, 0]],
    ),
    "nextafter": (lambda xp, x, y: xp.nextafter(x, y), [[1.0, 2], [2.0, 1]], [[1, 1], [0, 0]]),
    "floor_divide": (lambda xp, x, y: xp.floor_divide(x, y), [[5.0], [2.0]], [[0], [0]]),
    "remainder": (lambda xp, x, y: xp.remainder(x, y), [[-5.5], [2.0]], [[1], [3]]),
    "std-constant": (lambda xp, x: xp.std(x), [[1.0, 1, 1]], [[0, 0, 0]]),
    "std-complex-constant": (lambda xp, x: xp.std(x), [[1j, 1j]], [[0, 0]]),
    "std-of-one": (lambda xp, x: xp.std(x), [[1.0]], [[0]]),
    "std-undefined": (lambda xp, x: xp.std(x, correction=1), [[1.0]], [[nan]]),
    "var-undefined": (lambda xp, x: xp.var(x, correction=1, axis=0), [[1.0]], [[nan]]),
    "max-tie": (lambda xp, x: xp.max(x), [[1.0, 1, 0]], [[0.5, 0.5, 0]]),
    "min-tie": (lambda xp, x: xp.min(x, axis=-1), [[[1.0, 1], [3, 2]]], [[[0.5, 0.5], [0, 1]]]),
    "max-nan": (lambda xp, x: xp.max(x), [[1.0, nan]], [[nan, nan]]),
    "prod-zero": (lambda xp, x: xp.prod(x), [[0.0, 2, 3]], [[6, 0, 0]]),
    "sort-descending": (lambda xp, x: xp.sort(x, descending=True) * xp.asarray(W), [[1.0, 1, 0]], [[1, 2, 3]]),
    "sort-ascending": (lambda xp, x: xp.sort(x) * xp.asarray(W), [[1.0, 1, 0]], [[2, 3, 1]]),
    "unique_values": (lambda xp, x: xp.unique_values(x) * xp.asarray(W[:2]), [[3.0, 1]], [[2, 1]]),
    "unique_all": (lambda xp, x: xp.unique_all(x).values * xp.asarray(W[:2]), [[3.0, 1]], [[2, 1]]),
    "unique_counts": (lambda xp, x: xp.unique_counts(x).values * xp.asarray(W[:2]), [[3.0, 1]], [[2, 1]]),
    "unique_inverse": (lambda xp, x: xp.unique_inverse(x).values * xp.asarray(W[:2]), [[3.0, 1]], [[2, 1]]),
    "take-outside": (lambda xp, x: xp.take(x, xp.asarray([5, 0])), [[1.0, 2.0]], [[1, 0]]),
}
for order in (1, 2, 2.5, 3, inf, -inf):
    KINKS[f"vector_norm-{order}"] = (
        lambda xp, x, order=order: xp.linalg.vector_norm(x, ord=order),
        [[0.0, 0.0]],
        [[0, 0]],
    )
for order in ("fro", "nuc", 1, -1, 2, -2, inf, -inf):
    KINKS[f"matrix_norm-{order}"] = (
        lambda xp, x, order=order: xp.linalg.matrix_norm(x, ord=order),
        [[[0.0, 0.0], [0.0, 0.0]]],
        [[[0, 0], [0, 0]]],
    )
KINKS |= {
    "vector_norm-inf-tie": (lambda xp, x: xp.linalg.vector_norm(x, ord=inf), [[1.0, -1]], [[0.5, -0.5]]),
    "vector_norm-complex": (lambda xp, x: xp.linalg.vector_norm(x), [[0j, 0j]], [[0, 0]]),
    "matrix_norm-nuc-singular": (
        lambda xp, x: xp.linalg.matrix_norm(x, ord="nuc"),
        [[[1.0, 2.0], [2.0, 4.0]]],
        [[[0.2, 0.4], [0.4, 0.8]]],
    ),
    "matrix_norm-2-repeated": (
        lambda xp, x: xp.linalg.matrix_norm(x, ord=2),
        [[[0.6, -0.8], [0.8, 0.6]]],
        [[[0.3, -0.4], [0.4, 0.3]]],
    ),
    "matrix_norm-2-singular-least": (
        lambda xp, x: xp.linalg.matrix_norm(x, ord=-2),
        [[[1.0, 2.0], [2.0, 4.0]]],
        [[[0, 0], [0, 0]]],
    ),
}


def plain(f):
    return f


def mapped(f):
    """Run a function under jit of vmap with a batch of one."""
    batched = jax.jit(jax.vmap(f))
    return lambda *args: jax.tree.map(lambda a: a[0], batched(*(a[None] for a in args)))


@pytest.mark.parametrize("transform", [plain, mapped])
@pytest.mark.parametrize("case", KINKS)
def test_derivatives_at_kinks(xp, case, transform):
    if transform is mapped and case.startswith("unique"):
        return  # the size of the result depends on the values
    f, args, wanted = KINKS[case]
    args = tuple(map(jnp.asarray, args))

    def function(*args):
        return f(xp, *args)

    def reverse(*args):
        out, pullback = ud.vjp(function, *args)
        return pullback(jnp.ones_like(out))

    for gradient, want in zip(transform(reverse)(*args), wanted, strict=True):
        np.testing.assert_allclose(gradient, want, rtol=1e-12, atol=1e-15)
    for k, want in enumerate(wanted):
        others = args[:k], args[k + 1 :]

        def one(x, others=others):
            return function(*others[0], x, *others[1])

        tangent = jnp.ones_like(args[k])
        pushed = transform(lambda x, one=one, tangent=tangent: ud.jvp(one, (x,), (tangent,))[1])(args[k])
        want = np.sum(np.real(np.conj(np.asarray(want)) * np.asarray(tangent)))
        np.testing.assert_allclose(np.sum(pushed), want, rtol=1e-12, atol=1e-15)


SECOND = {
    "pow-0": (lambda xp, x: xp.pow(x, 0.0), 0.0),
    "pow-1": (lambda xp, x: xp.pow(x, xp.asarray(1.0)), 0.0),
    "pow-2": (lambda xp, x: xp.pow(x, 2.0), 2.0),
    "pow-3": (lambda xp, x: xp.pow(x, 3.0), 0.0),
    "abs": (lambda xp, x: xp.abs(x), 0.0),
    "hypot": (lambda xp, x: xp.hypot(x, 2.0), 0.5),
    "hypot-origin": (lambda xp, x: xp.hypot(x, xp.zeros_like(x)), 0.0),
    "logaddexp": (lambda xp, x: xp.logaddexp(x, 0.0), 0.25),
    "std-constant": (lambda xp, x: xp.std(xp.stack([x, x])), 0.0),
    "vector_norm": (lambda xp, x: xp.linalg.vector_norm(xp.stack([x, 2 * x])), 0.0),
    "clip": (lambda xp, x: xp.clip(x, 0.0, 1.0), 0.0),
}


@pytest.mark.parametrize("outer", ["fwd", "rev"])
@pytest.mark.parametrize("inner", ["fwd", "rev"])
@pytest.mark.parametrize("case", SECOND)
def test_second_derivatives_at_zero(xp, case, inner, outer):
    f, wanted = SECOND[case]
    derivative = {"rev": ud.grad, "fwd": lambda f: lambda x: ud.jvp(f, (x,), (jnp.ones_like(x),))[1]}
    second = derivative[outer](derivative[inner](lambda x: f(xp, x)))(jnp.asarray(0.0))
    np.testing.assert_allclose(second, wanted, atol=1e-15)


SMOOTH = {
    "abs": lambda xp, x: xp.abs(x - 1.2),
    "abs-complex": lambda xp, x: xp.abs(x + 1j * x * x),
    "sign-complex": lambda xp, x: xp.real(xp.sign(x + 1j * x * x)),
    "copysign": lambda xp, x: xp.copysign(x * x, -x),
    "hypot": lambda xp, x: xp.hypot(x, x[::-1]),
    "pow": lambda xp, x: xp.pow(x, x[::-1]),
    "pow-scalar": lambda xp, x: xp.pow(x, 2.5),
    "pow-base": lambda xp, x: xp.pow(1.7, x),
    "pow-complex": lambda xp, x: xp.real(xp.pow(x + 1j, x * 1j)),
    "logaddexp": lambda xp, x: xp.logaddexp(x, x[::-1] ** 2),
    "max": lambda xp, x: xp.max(xp.reshape(x, (2, 2)), axis=0, keepdims=True) ** 2,
    "min": lambda xp, x: xp.min(x * x),
    "maximum": lambda xp, x: xp.maximum(x, x[::-1]) ** 2,
    "clip": lambda xp, x: xp.clip(x**2, 0.5, x[::-1] + 1) ** 2,
    "std": lambda xp, x: xp.std(x, correction=1),
    "var": lambda xp, x: xp.var(x * x),
    "sort": lambda xp, x: xp.sort(x * x, descending=True) * xp.asarray([1.0, 2, 3, 4]),
    "unique_values": lambda xp, x: xp.unique_values(x * x) * xp.asarray([1.0, 2, 3, 4]),
    "vector_norm-2": lambda xp, x: xp.linalg.vector_norm(x),
    "vector_norm-3": lambda xp, x: xp.linalg.vector_norm(x, ord=3),
    "vector_norm-half": lambda xp, x: xp.linalg.vector_norm(x, ord=0.5),
    "vector_norm-minus-2": lambda xp, x: xp.linalg.vector_norm(x, ord=-2),
    "vector_norm-complex": lambda xp, x: xp.linalg.vector_norm(x + 1j * x * x, ord=1),
    "matrix_norm-fro": lambda xp, x: xp.linalg.matrix_norm(xp.reshape(x, (2, 2))),
    "matrix_norm-nuc": lambda xp, x: xp.linalg.matrix_norm(xp.reshape(x, (2, 2)), ord="nuc"),
    "matrix_norm-2": lambda xp, x: xp.linalg.matrix_norm(xp.reshape(x, (2, 2)), ord=2),
    "matrix_norm-minus-2": lambda xp, x: xp.linalg.matrix_norm(xp.reshape(x, (2, 2)), ord=-2),
    "matrix_norm-1": lambda xp, x: xp.linalg.matrix_norm(xp.reshape(x, (2, 2)), ord=1) ** 2,
}


MODES = {"rev": ud.grad, "fwd": lambda f: lambda s: ud.jvp(f, (s,), (jnp.ones_like(s),))[1]}


@pytest.mark.parametrize("case", SMOOTH)
def test_derivatives_of_mended_functions_at_smooth_points(xp, case):
    """First and second derivatives in every combination of modes against finite differences."""
    x, direction = jnp.asarray([0.6, 1.1, 1.7, 0.9]), jnp.asarray([0.3, -0.8, 0.5, 1.0])

    def f(x):
        return xp.sum(xp.sin(SMOOTH[case](xp, x)))

    def along(s):
        return f(x + s * direction)

    def derivatives(s):
        first = {mode: MODES[mode](along) for mode in MODES}
        second = [MODES[outer](first[inner]) for outer in MODES for inner in MODES]
        return ud.grad(f)(x + s * direction), [d(s) for d in first.values()], [d(s) for d in second]

    compiled = plain if case.startswith("unique") else jax.jit  # the size of the result depends on the values
    f = compiled(f)
    derivatives = compiled(derivatives)
    zero = jnp.asarray(0.0)
    gradient, first, second = derivatives(zero)
    np.testing.assert_allclose(gradient, differences(f, x), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(first, np.dot(gradient, direction), rtol=1e-12)
    wanted = differences(lambda s: derivatives(s[0])[1][0], zero[None])
    np.testing.assert_allclose(second, np.broadcast_to(wanted, (4,)), rtol=1e-6, atol=1e-7)


def differences(f, x, h=1e-4):
    """Return central differences of fourth order along each coordinate."""
    columns = []
    for unit in np.eye(x.size) * h:
        near, far = (np.asarray(f(x + k * unit)) - np.asarray(f(x - k * unit)) for k in (1, 2))
        columns.append((8 * near - far) / (12 * h))
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", ["abs", "pow", "clip", "hypot", "maximum", "std", "logaddexp", "vector_norm"])
def test_derivatives_keep_the_dtype(xp, name, dtype):
    calls = {
        "pow": lambda x: xp.pow(x, 1.5),
        "clip": lambda x: xp.clip(x, 0, 1.5),
        "hypot": lambda x: xp.hypot(x, 2.0),
        "maximum": lambda x: xp.maximum(x, 1),
        "logaddexp": lambda x: xp.logaddexp(0.5, x),
        "vector_norm": xp.linalg.vector_norm,
    }
    f = calls.get(name) or getattr(xp, name)
    x = jnp.asarray([0.5, 1.0, 2.0], dtype=dtype)
    assert ud.grad(lambda x: xp.sum(f(x)))(x).dtype == dtype
    assert ud.jvp(f, (x,), (x,))[1].dtype == dtype


def test_constant_arguments_cost_nothing_and_bring_no_nan(xp):
    """The logarithm of a negative base is wanted only for the derivative with respect to the exponent."""
    x = jnp.asarray([-2.0, -1.0])
    exponent = jnp.asarray([2.0, 3.0])
    np.testing.assert_allclose(ud.grad(lambda x: xp.sum(xp.pow(x, exponent)))(x), [-4.0, 3.0])
    tangent = ud.jvp(lambda x: xp.pow(x, exponent), (x,), (jnp.ones(2),))[1]
    np.testing.assert_allclose(tangent, [-4.0, 3.0])
    program = str(jax.make_jaxpr(ud.grad(lambda x: xp.sum(xp.pow(x, exponent))))(x))
    assert " log " not in program


@pytest.mark.parametrize("rank", [2, 3, 4])
def test_second_derivative_of_the_determinant_at_any_rank(xp, rank):
    basis = np.random.default_rng(0).normal(size=(4, 4))
    a = basis @ np.diag([1.0, 2.0, -3.0, 0.5] * (np.arange(4) < rank)) @ basis.T
    wanted = differences(lambda a: differences(np_det, a.reshape(-1), 1e-1), a.reshape(-1), 1e-1)  # a polynomial of degree 4
    for outer in (ud.jacfwd, ud.jacrev):
        hessian = jax.jit(outer(ud.grad(xp.linalg.det)))(jnp.asarray(a))
        np.testing.assert_allclose(np.reshape(hessian, (16, 16)), wanted, rtol=1e-9, atol=1e-9)


def np_det(a):
    return np.linalg.det(a.reshape(4, 4))


def test_power_zero_is_constant_everywhere(xp):
    x = jnp.asarray([0.0, -0.0, inf, -inf, nan, 2.0])
    for exponent in (0, 0.0, jnp.zeros(6)):
        np.testing.assert_array_equal(ud.grad(lambda x, e=exponent: xp.sum(xp.pow(x, e)))(x), np.zeros(6))


def test_jacobians_of_arrays_sharded_over_explicit_axes(xp):
    mesh = jax.make_mesh((1,), ("a",), axis_types=(jax.sharding.AxisType.Explicit,))
    with jax.set_mesh(mesh):
        x = jax.device_put(jnp.arange(3.0), jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("a")))
        f = lambda x: xp.sum(x**3)
        np.testing.assert_allclose(ud.hessian(f)(x), np.diag(6 * np.arange(3.0)))
        np.testing.assert_allclose(ud.jacfwd(f)(x), 3 * np.arange(3.0) ** 2)
