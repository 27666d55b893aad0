"""Dask: derivatives are graphs; nothing is computed while they are made, chunks stay, and schedulers give NumPy's numbers."""

import numpy as np
import pytest
from unidiff_conformance.parametrization import cases

import unidiff as ud

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

from dask.callbacks import Callback  # noqa: E402  # after the check that it is there

RNG = np.random.default_rng(5)
DATA = RNG.normal(size=(60, 4))
LABELS = np.sign(RNG.normal(size=60))
WEIGHTS = RNG.normal(size=4)


@pytest.fixture(autouse=True)
def _dask(clean_registry):
    """Register the backend for the test where the installed metadata does not know it."""
    if "dask" not in ud.backends(installed=False):
        from unidiff_backends.dask import DaskBackend

        ud.register_backend(DaskBackend())
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def computed():
    """Count how often anything is computed."""
    count = []
    with Callback(start=count.append):
        yield count


def loss(w, x, y):
    xp = ud.array_namespace(w)
    margins = y * (x @ w)
    return xp.mean(xp.logaddexp(xp.zeros_like(margins), -margins)) + xp.sum(w**2) / 10


def lazy(rows=10):
    return da.from_array(WEIGHTS, chunks=4), da.from_array(DATA, chunks=(rows, 4)), da.from_array(LABELS, chunks=rows)


def test_a_gradient_is_lazy_and_numpys(computed):
    value, grad = ud.value_and_grad(loss)(*lazy())
    assert isinstance(value, da.Array)
    assert isinstance(grad, da.Array)
    assert not computed
    wanted = ud.value_and_grad(loss)(WEIGHTS, DATA, LABELS)
    np.testing.assert_allclose(value.compute(), wanted[0], rtol=1e-14)
    np.testing.assert_allclose(grad.compute(), wanted[1], rtol=1e-13)


def test_other_derivatives_are_lazy_and_numpys(computed):
    w, x, y = lazy()
    tangent = np.ones(4)
    pushed = ud.jvp(lambda w: loss(w, x, y), (w,), (da.from_array(tangent),))
    product = ud.hvp(lambda w: loss(w, x, y), (w,), (da.from_array(tangent),))
    assert not computed
    np.testing.assert_allclose(
        pushed[1].compute(), ud.jvp(lambda w: loss(w, DATA, LABELS), (WEIGHTS,), (tangent,))[1], rtol=1e-13
    )
    want = ud.hessian(lambda w: loss(w, DATA, LABELS))(WEIGHTS) @ tangent
    np.testing.assert_allclose(ud.to_numpy(ud.tree.leaves(product)[-1]), want, rtol=1e-12)


CHUNKED = {
    "square": (lambda xp, x: xp.sum(x**2), 1e-14),
    "reduction": (lambda xp, x: xp.sum(xp.exp(-xp.sum(x**2, axis=1))), 1e-13),
    "slice": (lambda xp, x: xp.sum(xp.sin(x)[10:40:, ::-1] ** 2), 1e-13),
    "product": (lambda xp, x: xp.sum(xp.tanh(x @ xp.matrix_transpose(x))), 1e-12),
    "where": (lambda xp, x: xp.sum(xp.where(x > 0, x**3, -x)), 1e-14),
    "rows": (lambda xp, x: xp.sum(xp.take(x, xp.asarray([1, 5, 5, 50]), axis=0) ** 2), 1e-14),
    "constant": (lambda xp, x: xp.sum(x[0, :]) * 0.0 + 3.0, 0),
}


@pytest.mark.parametrize("name", CHUNKED)
def test_gradients_of_chunked_arrays(name, computed):
    function, rtol = CHUNKED[name]

    def f(x):
        return function(ud.array_namespace(x), x)

    x = da.from_array(DATA, chunks=(10, 4))
    grad = ud.grad(f)(x)
    assert not computed
    np.testing.assert_allclose(grad.compute(), ud.grad(f)(DATA), rtol=rtol, atol=1e-15)
    if name in ("square", "reduction", "where"):
        assert grad.chunks == x.chunks


def along_rows(name, **options):
    return lambda xp, x: xp.sum(xp.abs(getattr(xp.fft, name)(x, **options)) ** 2 * 1.5)


WHOLE_AXES = {
    "fft": along_rows("fft", axis=0),
    "irfft": along_rows("irfft", axis=0, n=7),
    "rfftn": along_rows("rfftn"),
    "ifftn": along_rows("ifftn", axes=(0,)),
    "fftn of the last": along_rows("fftn", s=(4,), axes=(-1,)),
    "sort": lambda xp, x: xp.sum(xp.sort(x, axis=0) * xp.arange(12.0)[:, None]),
    "cumulative_sum": lambda xp, x: xp.sum(xp.cumulative_sum(x, axis=0) ** 2),
    "cross": lambda xp, x: xp.sum(xp.linalg.cross(x[:, :3], x[:, 1:]) ** 3),
    "take_along_axis": lambda xp, x: xp.sum(xp.take_along_axis(x, xp.argsort(x, axis=0), axis=0)[0, :] ** 2),
    "where it is defined": lambda xp, x: xp.sum(ud.special.apply_where(x > 0, x, xp.sqrt, lambda x: -x)),
    "special": lambda xp, x: xp.sum(ud.special.erf(x) * ud.special.gammaln(x + 4)),
    "solve": lambda xp, x: xp.sum(xp.linalg.solve(xp.matrix_transpose(x) @ x, xp.ones(4)) ** 2),
}


@pytest.mark.parametrize("name", WHOLE_AXES)
def test_what_needs_whole_axes_of_chunked_arrays_is_lazy_too(name, computed):
    values = DATA[:12]

    def f(x):
        return WHOLE_AXES[name](ud.array_namespace(x), x)

    x = da.from_array(values, chunks=(5, 2))
    grad = ud.grad(f)(x)
    _, pushed = ud.jvp(f, (x,), (da.ones((12, 4), chunks=(5, 2)),))
    assert not computed
    wanted = ud.grad(f)(values)
    np.testing.assert_allclose(grad.compute(), wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(float(pushed), np.sum(wanted), rtol=1e-9, atol=1e-11)


def test_assignment_to_an_argument_or_a_result_reaches_nothing_else():
    x, scale = da.from_array(np.arange(3.0)), da.from_array(np.ones(3))
    out, pullback = ud.vjp(lambda x: x * x * scale, x)
    same = ud.jvp(lambda x: x, (x,), (x,))[0]
    for changed in (x, scale, out):
        changed[0] = 7.0
    same[1] = 9.0
    np.testing.assert_array_equal(pullback(da.ones(3))[0].compute(), [0.0, 2.0, 4.0])
    np.testing.assert_array_equal(x.compute(), [7.0, 1.0, 2.0])


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)], ids=str)
def test_arrays_without_elements(shape):
    def f(x):
        xp = ud.array_namespace(x)
        return xp.sum(xp.sort(x) * 2.0) + xp.sum(xp.reshape(x, (-1,))[:0]) + xp.sum(xp.concat([x, x]))

    grad = ud.grad(f)(da.zeros(shape))
    assert grad.shape == ud.jacfwd(f)(da.zeros(shape)).compute().shape == shape


def test_the_graph_grows_linearly_with_the_chunks():
    counts = []
    for rows in (2, 1):
        _, grad = ud.value_and_grad(loss)(*lazy(rows))
        counts.append(len(grad.__dask_graph__()))
    assert counts[1] < 2.2 * counts[0]


def test_control_flow_computes_what_it_asks_for(computed):
    def f(x):
        xp = ud.array_namespace(x)
        return xp.sum(x**2) if xp.sum(x) > 0 else -xp.sum(x)

    grad = ud.grad(f)(da.from_array(np.abs(DATA), chunks=(10, 4)))
    assert len(computed) == 1
    np.testing.assert_allclose(grad.compute(), 2 * np.abs(DATA), rtol=1e-15)


def test_elementwise_functions_of_unknown_lengths_are_lazy(computed):
    x = da.from_array(DATA[:, 0], chunks=10)
    value, pushed = ud.jvp(lambda x: ud.array_namespace(x).sum(x[x > 0] ** 2), (x,), (da.ones(60, chunks=10),))
    assert not computed
    positive = DATA[:, 0][DATA[:, 0] > 0]
    np.testing.assert_allclose([float(value), float(pushed)], [np.sum(positive**2), 2 * np.sum(positive)], rtol=1e-13)


def test_unknown_lengths_are_refused_and_said():
    x = da.from_array(DATA[:, 0], chunks=10)
    with pytest.raises(ud.errors.UnsupportedOperationError, match="compute_chunk_sizes"):
        ud.grad(lambda x: ud.array_namespace(x).sum(x[x > 0] ** 2))(x)
    with pytest.raises(ud.errors.UnsupportedOperationError, match="compute_chunk_sizes"):
        ud.grad(lambda x: ud.array_namespace(x).sum(x**2))(x[x > 0]).compute()


def test_what_dask_lacks_is_a_typed_error():
    x = da.from_array(DATA, chunks=(10, 4))
    with pytest.raises(ud.errors.UnsupportedOperationError, match=r"dask\.array cannot do"):
        ud.grad(lambda x: ud.array_namespace(x).sum(x[x > 0][:, None] * x))(x)


@pytest.mark.parametrize("name", ["inv", "det", "eigvalsh", "cholesky", "svdvals"])
def test_linear_algebra_of_blocks(name, computed):
    matrices = DATA[:12].reshape(3, 4, 4)
    matrices = matrices @ np.swapaxes(matrices, -1, -2) + np.eye(4)

    def f(x):
        xp = ud.array_namespace(x)
        return xp.sum(getattr(xp.linalg, name)(x) ** 2)

    grad = ud.grad(f)(da.from_array(matrices, chunks=(1, 4, 4)))
    assert not computed or name == "det"  # whose derivative has another formula where a matrix is singular
    np.testing.assert_allclose(grad.compute(), ud.grad(f)(matrices), rtol=1e-9, atol=1e-10)


def test_devices():
    x = da.from_array(DATA, chunks=(10, 4))
    assert ud.device(x) == "cpu"
    with pytest.raises(ud.errors.DeviceError, match="cuda"):
        ud.asarray([1.0], backend="dask", device="cuda")


def test_two_workers_train_with_an_optimizer_and_agree_with_numpy():
    def train(w, x, y, settle):
        adam = ud.optim.Adam(0.1)
        state = adam.init(w)
        for _ in range(3):
            w, state = ud.tree.map(settle, adam.step(w, ud.grad(loss)(w, x, y), state))
        return w

    wanted = train(WEIGHTS, DATA, LABELS, lambda x: x)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
        dask.config.set(scheduler=client),
    ):
        found = train(*lazy(), lambda x: x.persist() if isinstance(x, da.Array) else x)
        np.testing.assert_allclose(found.compute(), wanted, rtol=1e-12)


def test_an_unknown_dtype_is_refused():
    with pytest.raises(ud.errors.DTypeError, match="float16"):  # array-api-compat has no such name for Dask
        ud.asarray([1.0], backend="dask", dtype="float16")


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunks of two"])
def test_a_part_of_the_conformance_suite(chunked, monkeypatch):
    backend = type(ud.get_backend("dask").backend)
    whole = backend.asarray

    def in_chunks(self, obj, **options):
        x = whole(self, obj, **options)
        divides = isinstance(x, da.Array) and x.ndim and x.size and not np.isnan(x.size)
        return x.rechunk(2) if divides else x

    if chunked:
        monkeypatch.setattr(backend, "asarray", in_chunks)
    failures = []
    for case in cases("dask", profiles=["default"])[12 * chunked :: 24]:
        try:
            case.run()
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n".join(failures)


def test_eigenvalues_of_a_real_matrix_are_complex():
    x = da.from_array(np.asarray([[0.0, 2.0], [-3.0, 4.0]]), chunks=1)
    values = ud.namespace("dask").linalg.eigvals(x)
    assert values.dtype == np.complex128
    np.testing.assert_allclose(values.compute(), [2 + 2**0.5 * 1j, 2 - 2**0.5 * 1j])
