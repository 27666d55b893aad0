"""A call of every public function of NumPy, on an array of six numbers that may be traced."""

import numpy as np

X = np.asarray([1.2, 2.3, 3.1, 0.7, 1.9, 2.8])
GAPS = np.asarray([False, True, False, False, True, False])
B = np.arange(12.0).reshape(4, 3) / 5 + 0.1
I = np.asarray([2, 0, 1])  # noqa: E741  # indices


def m(x):
    """Return a matrix of shape (2, 3)."""
    return x.reshape(2, 3)


def gaps(x):
    """Return the elements with NaN in place of two."""
    return np.where(GAPS, np.nan, x)


def sq(x):
    """Return a regular matrix of shape (2, 2)."""
    return x[:4].reshape(2, 2)


def hermitian(x):
    """Return a symmetric matrix of shape (2, 2)."""
    return sq(x) + sq(x).T


def _filled_diagonal(x):
    y = sq(x) * 1.0
    np.fill_diagonal(y, x[4:])
    return y * y


def _put(x):
    y = x * 1.0
    np.put(y, [0, 7], [x[1] ** 2, 3.0], mode="wrap")
    return y * y


def _copied(x):
    y = np.zeros_like(x)
    np.copyto(y, x * x, where=np.asarray([True, False] * 3))
    return y


def _placed(x):
    y = x * 1.0
    np.place(y, np.asarray([True, False] * 3), x[:2] ** 2)
    return y * x


def _masked(x):
    y = x * 1.0
    np.putmask(y, np.asarray([True, False] * 3), x[:4] ** 2)
    return y * x


def _along_axis(x):
    y = m(x) * 1.0
    np.put_along_axis(y, np.asarray([[0], [2]]), x[:2].reshape(2, 1) ** 2, axis=1)
    return y * y


def _at(x):
    y = x * 1.0
    np.add.at(y, [0, 0, 3], x[:3] ** 2)
    np.subtract.at(y, ([1],), x[2] * x[1])
    return y


CALLS = {
    # reductions
    "sum": [lambda x: np.sum(m(x), 0, None, None, True), lambda x: np.sum(x, where=x > 1, initial=x[0]), lambda x: x.sum()],
    "prod": [lambda x: np.prod(m(x), axis=1, where=m(x) > 1, initial=2.0), lambda x: x.prod(dtype=np.float64)],
    "max": [
        lambda x: np.max(m(x), 1),
        lambda x: np.max(x, initial=x[0] * 9),
        lambda x: m(x).max(0, where=m(x) < 3, initial=0.0),
    ],
    "min": [lambda x: np.min(m(x), (0, 1), keepdims=True), lambda x: np.min(m(x), axis=0, initial=1.0, keepdims=True)],
    "amax": [lambda x: np.amax(x)],
    "amin": [lambda x: np.amin(m(x), axis=-1)],
    "ptp": [lambda x: np.ptp(m(x), axis=1)],
    "mean": [lambda x: np.mean(m(x), 1, where=m(x) > 1), lambda x: x.mean(dtype=np.float64, keepdims=True)],
    "var": [
        lambda x: np.var(m(x), 1, ddof=1),
        lambda x: x.var(where=x > 1),
        lambda x: np.var(x * (1 + 2j)),
        lambda x: np.var(x, mean=x[0]),
    ],
    "std": [lambda x: np.std(m(x), 1, ddof=1), lambda x: np.std(x, where=x > 1, correction=1), lambda x: np.std(x * (1 + 2j))],
    "average": [
        lambda x: np.average(x, weights=x**2),
        lambda x: np.concatenate(np.average(m(x), 1, x[:3], True)),
        lambda x: np.average(m(x), axis=0, keepdims=True),
    ],
    "cumsum": [lambda x: np.cumsum(m(x)), lambda x: np.cumsum(m(x), 1) ** 2],
    "cumprod": [lambda x: np.cumprod(m(x), axis=0), lambda x: x.cumprod()],
    "cumulative_sum": [lambda x: np.cumulative_sum(x, include_initial=True) ** 2],
    "cumulative_prod": [lambda x: np.cumulative_prod(m(x), axis=1)],
    "nansum": [lambda x: np.nansum(m(gaps(x)), 1, keepdims=True)],
    "nanprod": [lambda x: np.nanprod(m(gaps(x)), 0)],
    "nanmean": [lambda x: np.nanmean(m(gaps(x)), 1)],
    "nanvar": [lambda x: np.nanvar(m(gaps(x)), 1, ddof=1), lambda x: np.nanvar(gaps(x) * 1j)],
    "nanstd": [lambda x: np.nanstd(m(gaps(x)), 1)],
    "nanmax": [lambda x: np.nanmax(m(gaps(x)), 1), lambda x: np.nanmax(gaps(x), initial=0.0)],
    "nanmin": [lambda x: np.nanmin(gaps(x))],
    "nancumsum": [lambda x: np.nancumsum(gaps(x)) ** 2],
    "nancumprod": [lambda x: np.nancumprod(m(gaps(x)), axis=1)],
    "median": [lambda x: np.median(x), lambda x: np.median(m(x), axis=1, keepdims=True), lambda x: np.median(m(x), (0, 1))],
    "nanmedian": [lambda x: np.nanmedian(m(gaps(x)), axis=1)],
    "quantile": [
        *(
            lambda x, method=method: np.quantile(m(x), [0.0, 0.2, 0.5, 0.83, 1.0], axis=1, method=method)
            for method in (
                "linear",
                "lower",
                "higher",
                "midpoint",
                "nearest",
                "hazen",
                "weibull",
                "median_unbiased",
                "normal_unbiased",
                "inverted_cdf",
                "averaged_inverted_cdf",
                "closest_observation",
                "interpolated_inverted_cdf",
            )
        ),
        lambda x: np.quantile(B, x / 4, axis=0),
        lambda x: np.quantile(x, x[:2] / 4, method="weibull"),
    ],
    "percentile": [lambda x: np.percentile(x, 30), lambda x: np.percentile(m(x), [[10, 20], [30, 90]], 0, keepdims=True)],
    "nanquantile": [lambda x: np.nanquantile(m(gaps(x)), [0.3, 0.6], axis=1)],
    "nanpercentile": [lambda x: np.nanpercentile(gaps(x), 40, method="hazen")],
    "cov": [
        lambda x: np.cov(m(x)),
        lambda x: np.cov(x, x**2, ddof=0),
        lambda x: np.cov(m(x), fweights=[1, 2, 1], aweights=x[:3]),
        lambda x: np.cov(m(x) * (1 + 2j), rowvar=False, bias=True),
        lambda x: np.cov(x),
    ],
    "corrcoef": [lambda x: np.corrcoef(x, x**2 + x[::-1]), lambda x: np.corrcoef(B.T, m(x)[:1, [0, 1, 2, 0]])],
    "histogram": [
        lambda x: np.histogram(x, 4)[1],
        lambda x: np.histogram(X, [0, 1, 2, 3.1], weights=x**2)[0],
        lambda x: np.histogram(x, 5, density=True)[0],
    ],
    "histogram_bin_edges": [lambda x: np.histogram_bin_edges(x, 3, (x[0], 9.0))],
    "bincount": [lambda x: np.bincount([0, 1, 1, 3, 0, 2], weights=x**2, minlength=6)],
    # products and linear algebra
    "dot": [
        lambda x: np.dot(m(x), B[:3]),
        lambda x: np.dot(x[:3], B.reshape(2, 3, 2)),
        lambda x: x.dot(x),
        lambda x: np.dot(x, 2),
    ],
    "vdot": [lambda x: np.vdot(x * 1j, x * (2 + 1j)).real],
    "inner": [lambda x: np.inner(m(x), B), lambda x: np.inner(x, 2.0)],
    "outer": [lambda x: np.outer(m(x), [1.0, 2.0])],
    "kron": [lambda x: np.kron(m(x), x[:2]), lambda x: np.kron(B, x[:2].reshape(2, 1, 1))],
    "cross": [lambda x: np.cross(m(x), x[:3]), lambda x: np.cross(m(x).T, B.T[:, :2], 0, 0, axisc=0)],
    "tensordot": [lambda x: np.tensordot(m(x), B, ([1], [1])), lambda x: np.tensordot(x, x, 1)],
    "vecdot": [lambda x: np.vecdot(m(x), x[:3])],
    "einsum": [lambda x: np.einsum("ij,kj->ik", m(x), B), lambda x: np.einsum("i,i", x, list(X), optimize=True)],
    "trace": [lambda x: np.trace(m(x), 1), lambda x: np.trace(x.reshape(1, 2, 3), 0, 1, 2) ** 2],
    "diagonal": [lambda x: np.diagonal(m(x), 1), lambda x: x.reshape(1, 2, 3).diagonal(0, 1, 2)],
    "tril": [lambda x: np.tril(m(x), -1)],
    "triu": [lambda x: np.triu(m=m(x), k=1)],
    "diag": [lambda x: np.diag(x, -1) ** 2, lambda x: np.diag(m(x), k=1)],
    "diagflat": [lambda x: np.diagflat(m(x), 1) ** 2],
    "linalg.norm": [
        lambda x: np.linalg.norm(m(x), 1),
        lambda x: np.linalg.norm(m(x), axis=1),
        lambda x: np.linalg.norm(m(x), "nuc"),
        lambda x: np.linalg.norm(x.reshape(1, 2, 3), 2, (1, 2), True),
        lambda x: np.linalg.norm(x, 3),
    ],
    "linalg.vector_norm": [lambda x: np.linalg.vector_norm(m(x), axis=0, ord=3)],
    "linalg.matrix_norm": [lambda x: np.linalg.matrix_norm(m(x), ord=np.inf)],
    "linalg.svd": [
        lambda x: np.linalg.svd(m(x), False)[1],
        lambda x: np.linalg.svd(hermitian(x), compute_uv=False, hermitian=True),
    ],
    "linalg.svdvals": [lambda x: np.linalg.svdvals(m(x))],
    "linalg.qr": [lambda x: np.linalg.qr(m(x))[1], lambda x: np.linalg.qr(m(x).T, "complete")[1] ** 2],
    "linalg.eigh": [lambda x: np.linalg.eigh(hermitian(x), "U")[0]],
    "linalg.eigvalsh": [lambda x: np.linalg.eigvalsh(hermitian(x))],
    "linalg.eig": [lambda x: np.linalg.eig(sq(x) @ sq(x).T)[0]],
    "linalg.eigvals": [lambda x: np.linalg.eigvals(sq(x))],
    "linalg.inv": [lambda x: np.linalg.inv(sq(x))],
    "linalg.pinv": [lambda x: np.linalg.pinv(m(x)), lambda x: np.linalg.pinv(hermitian(x), 1e-9, True)],
    "linalg.solve": [lambda x: np.linalg.solve(sq(x), x[4:]), lambda x: np.linalg.solve([[2.0, 1], [0, 1]], x[:2])],
    "linalg.lstsq": [
        lambda x: np.linalg.lstsq(m(x).T, B[:3, :2])[0] * 1.0,
        lambda x: np.linalg.lstsq(m(x).T, x[:3] ** 2)[1],
        lambda x: np.linalg.lstsq(m(x), x[:2])[0],
        lambda x: np.linalg.lstsq(B, x[:4])[3] * x[0],
    ],
    "linalg.cond": [lambda x: np.linalg.cond(m(x)), lambda x: np.linalg.cond(sq(x), 1), lambda x: np.linalg.cond(sq(x), -2)],
    "linalg.det": [lambda x: np.linalg.det(sq(x))],
    "linalg.slogdet": [lambda x: np.linalg.slogdet(sq(x))[1]],
    "linalg.cholesky": [lambda x: np.linalg.cholesky(m(x) @ m(x).T), lambda x: np.linalg.cholesky(m(x) @ m(x).T, upper=True)],
    "linalg.matrix_power": [lambda x: np.linalg.matrix_power(sq(x), 3), lambda x: np.linalg.matrix_power(sq(x), n=-2)],
    "linalg.multi_dot": [
        lambda x: np.linalg.multi_dot([x[:2], m(x), B.T, B, x[:3]]),
        lambda x: np.linalg.multi_dot([m(x), B.T, B]),
    ],
    "linalg.tensorinv": [lambda x: np.linalg.tensorinv(sq(x).reshape(2, 1, 2), ind=1)],
    "linalg.tensorsolve": [lambda x: np.linalg.tensorsolve(sq(x).reshape(2, 1, 2), x[4:].reshape(2, 1))],
    "linalg.matmul": [lambda x: np.linalg.matmul(m(x), B.T)],
    "linalg.outer": [lambda x: np.linalg.outer(x, x)],
    "linalg.cross": [lambda x: np.linalg.cross(m(x), B[:2])],
    "linalg.diagonal": [lambda x: np.linalg.diagonal(m(x), offset=1)],
    "linalg.trace": [lambda x: np.linalg.trace(m(x), offset=1)],
    "linalg.vecdot": [lambda x: np.linalg.vecdot(m(x), x[:3])],
    "linalg.tensordot": [lambda x: np.linalg.tensordot(m(x), B, axes=((1,), (1,)))],
    "linalg.matrix_transpose": [lambda x: np.linalg.matrix_transpose(m(x))],
    "fft.fft": [lambda x: np.fft.fft(x, 4), lambda x: np.fft.fft(m(x), axis=0, norm="ortho")],
    "fft.ifft": [lambda x: np.fft.ifft(m(x), None, 0)],
    "fft.rfft": [lambda x: np.fft.rfft(x, 5)],
    "fft.irfft": [lambda x: np.fft.irfft(x, 7), lambda x: np.fft.irfft(x * 1j)],
    "fft.hfft": [lambda x: np.fft.hfft(x, n=6)],
    "fft.ihfft": [lambda x: np.fft.ihfft(x)],
    "fft.fft2": [lambda x: np.fft.fft2(m(x), (3, -1))],
    "fft.ifft2": [lambda x: np.fft.ifft2(m(x))],
    "fft.rfft2": [lambda x: np.fft.rfft2(m(x))],
    "fft.irfft2": [lambda x: np.fft.irfft2(m(x), (2, 4), (0, 1))],
    "fft.fftn": [lambda x: np.fft.fftn(x.reshape(1, 2, 3), axes=(1, 2))],
    "fft.ifftn": [lambda x: np.fft.ifftn(m(x), norm="forward")],
    "fft.rfftn": [lambda x: np.fft.rfftn(m(x), (2, 2), (0, 1))],
    "fft.irfftn": [lambda x: np.fft.irfftn(m(x))],
    "fft.fftshift": [lambda x: np.fft.fftshift(m(x), 1)],
    "fft.ifftshift": [lambda x: np.fft.ifftshift(x)],
    # shapes
    "reshape": [
        lambda x: np.reshape(x, (3, 2), "F"),
        lambda x: x.reshape(2, -1, order="F"),
        lambda x: np.reshape(x, shape=(3, -1)),
    ],
    "ravel": [lambda x: np.ravel(m(x), "F")],
    "transpose": [lambda x: np.transpose(x.reshape(1, 2, 3), (2, 0, 1)), lambda x: m(x).transpose(1, 0)],
    "permute_dims": [lambda x: np.permute_dims(m(x))],
    "matrix_transpose": [lambda x: np.matrix_transpose(m(x))],
    "swapaxes": [lambda x: m(x).swapaxes(0, 1)],
    "moveaxis": [lambda x: np.moveaxis(a=x.reshape(1, 2, 3), source=0, destination=-1)],
    "rollaxis": [lambda x: np.rollaxis(x.reshape(1, 2, 3), 2), lambda x: np.rollaxis(x.reshape(1, 2, 3), 0, 2)],
    "expand_dims": [lambda x: np.expand_dims(x, (0, 2))],
    "squeeze": [lambda x: np.squeeze(x.reshape(1, 6, 1)), lambda x: x.reshape(1, 6).squeeze(axis=0)],
    "atleast_1d": [lambda x: np.atleast_1d(x[0])],
    "atleast_2d": [lambda x: np.atleast_2d(x)],
    "atleast_3d": [lambda x: np.atleast_3d(m(x)), lambda x: np.atleast_3d(x)],
    "flip": [lambda x: np.flip(m(x), 1)],
    "fliplr": [lambda x: np.fliplr(m(x))],
    "flipud": [lambda x: np.flipud(m(x))],
    "rot90": [lambda x, k=k: np.rot90(m(x), k) for k in range(-1, 4)],
    "roll": [lambda x: np.roll(m(x), (1, 2), (0, 1)), lambda x: np.roll(m(x), 2)],
    "broadcast_to": [lambda x: np.broadcast_to(x, (2, 6))],
    "broadcast_arrays": [lambda x: np.broadcast_arrays(m(x), x[0])[1]],
    "copy": [lambda x: np.copy(x)],
    "astype": [lambda x: np.astype(x, np.complex128)],
    "unstack": [lambda x: np.unstack(m(x), axis=1)[1]],
    "lib.stride_tricks.sliding_window_view": [lambda x: np.lib.stride_tricks.sliding_window_view(m(x), 2, axis=1)],
    "resize": [lambda x: np.resize(x, (2, 5))],
    "repeat": [lambda x: np.repeat(m(x), 2, axis=1), lambda x: np.repeat(x, [1, 2, 0, 1, 1, 3])],
    "tile": [lambda x: np.tile(m(x), (2, 1))],
    "trim_zeros": [lambda x: np.trim_zeros(np.concatenate([[0.0], x, [0.0]]), "b")],
    "pad": [
        *(
            lambda x, mode=mode: np.pad(m(x), ((1, 2), (4, 3)), mode)
            for mode in (
                "constant",
                "edge",
                "linear_ramp",
                "maximum",
                "mean",
                "median",
                "minimum",
                "reflect",
                "symmetric",
                "wrap",
            )
        ),
        lambda x: np.pad(m(x), (1, 4), "reflect", reflect_type="odd"),
        lambda x: np.pad(x, 2, "symmetric", reflect_type="odd"),
        lambda x: np.pad(m(x), 2, constant_values=((1.0, x[0]), (x[1], 3.0))),
        lambda x: np.pad(x, {0: (1, 2)}, "constant"),
        lambda x: np.pad(m(x), 2, "linear_ramp", end_values=x[1]),
        lambda x: np.pad(x, (3, 1), "mean", stat_length=(2, 3)),
    ],
    # joined and split
    "concatenate": [lambda x: np.concatenate([m(x), B], axis=0), lambda x: np.concatenate((m(x), [1.0]), None, dtype=complex)],
    "concat": [lambda x: np.concat([x, x])],
    "stack": [lambda x: np.stack([x, X], axis=-1)],
    "hstack": [lambda x: np.hstack([m(x), B[:2]]), lambda x: np.hstack([x, x[0]])],
    "vstack": [lambda x: np.vstack([x[:3], B])],
    "dstack": [lambda x: np.dstack([m(x), B[:2]]), lambda x: np.dstack((x, X))],
    "column_stack": [lambda x: np.column_stack([x[:2], m(x)])],
    "append": [lambda x: np.append(m(x), 2.0), lambda x: np.append(m(x), B, axis=0)],
    "block": [lambda x: np.block([[m(x), B[:2]], [B[:1], x[:3]]]), lambda x: np.block([x[0], x])],
    "split": [lambda x: np.split(m(x), 3, axis=1)[2], lambda x: np.split(x, [2, 3])[2]],
    "array_split": [lambda x: np.array_split(x, 4)[1]],
    "hsplit": [lambda x: np.hsplit(m(x), [1])[1], lambda x: np.hsplit(x, 2)[1]],
    "vsplit": [lambda x: np.vsplit(m(x), 2)[1]],
    "dsplit": [lambda x: np.dsplit(x.reshape(1, 2, 3), 3)[1]],
    # chosen
    "where": [lambda x: np.where(x > 1.5, x, [0.0] * 6), lambda x: np.where([1, 0, 1, 1, 0, 0], x**2, 2)],
    "clip": [
        lambda x: np.clip(x, 1, 2),
        lambda x: x.clip(max=2),
        lambda x: np.clip(X, x**2 / 2, None),
        lambda x: np.clip(x, min=1),
    ],
    "select": [lambda x: np.select([x > 2, x > 1], [x**2, x**3], x), lambda x: np.select([X > 2], [x])],
    "choose": [lambda x: np.choose([0, 1, 2, 0, 1, 2], [x, x**2, 3.0]), lambda x: np.choose(I, [x[:3], B[0]], mode="clip")],
    "piecewise": [
        lambda x: np.piecewise(x, [x < 1.5, x > 2.5], [lambda v: v**2, 1.0, lambda v: v**3]),
        lambda x: np.piecewise(x, x > 2, [lambda v, a: v * a, -1], 3.0),
    ],
    "extract": [lambda x: np.extract(m(x) > 2, m(x))],
    "compress": [lambda x: np.compress([True, False, True], m(x), axis=1), lambda x: x.compress([0, 1])],
    "take": [
        lambda x: np.take(m(x), [[0, 4], [5, 5]]),
        lambda x: np.take(m(x), 3, 1, mode="wrap"),
        lambda x: x.take([9], mode="clip"),
    ],
    "take_along_axis": [lambda x: np.take_along_axis(m(x), np.asarray([[2, 0], [1, 1]]), 1)],
    "delete": [
        lambda x: np.delete(m(x), 1, 1),
        lambda x: np.delete(x, slice(None, None, 2)),
        lambda x: np.delete(m(x), [0, 3]),
    ],
    "insert": [
        lambda x: np.insert(m(x), 1, x[:2], axis=1),
        lambda x: np.insert(x, [1, 1, 4], [x[0], 2.0, 3.0]),
        lambda x: np.insert(m(x), 1, 5.0),
        lambda x: np.insert(B, [0, 2], m(x), axis=0),
        lambda x: np.insert(x, slice(0, 2), x[1]),
    ],
    "sort": [lambda x: np.sort(m(x), None), lambda x: np.sort(m(x), 0, "stable"), lambda x: np.sort(m(x), stable=True)],
    "partition": [lambda x: np.partition(x, 2), lambda x: np.partition(m(x), 1, axis=1)],
    "sort_complex": [lambda x: np.sort_complex(x * 1j)],
    "unique": [lambda x: np.unique(np.concatenate([x, x]), True, return_counts=True)[0], lambda x: np.unique(m(x), axis=1)],
    "unique_all": [lambda x: np.unique_all(x)[0]],
    "unique_counts": [lambda x: np.unique_counts(x)[0]],
    "unique_inverse": [lambda x: np.unique_inverse(x)[0]],
    "unique_values": [lambda x: np.sort(np.unique_values(x))],
    "union1d": [lambda x: np.union1d(x, X[:3] + 0.3)],
    "intersect1d": [lambda x: np.intersect1d(x, x[:3]), lambda x: np.intersect1d(x, x[:3], return_indices=True)[0]],
    "setdiff1d": [lambda x: np.setdiff1d(x, x[:3])],
    "setxor1d": [lambda x: np.setxor1d(x[:4], x[3:])],
    "apply_along_axis": [
        lambda x: np.apply_along_axis(lambda v: v * v[0], 0, m(x)),
        lambda x: np.apply_along_axis(np.prod, 1, m(x)),
        lambda x: np.apply_along_axis(np.outer, 1, m(x), [1.0, 2.0]),
    ],
    "apply_over_axes": [lambda x: np.apply_over_axes(np.sum, x.reshape(1, 2, 3), [0, 2])],
    "fill_diagonal": [_filled_diagonal],
    "put": [_put],
    "copyto": [_copied],
    "place": [_placed],
    "putmask": [_masked],
    "put_along_axis": [_along_axis],
    # in a row
    "sinc": [lambda x: np.sinc(x - 1.2)],
    "i0": [lambda x: np.i0(x)],
    "angle": [lambda x: np.angle(x + 1j * x[::-1]), lambda x: np.angle(x * 1j + 1, True)],
    "real": [lambda x: np.real(x * (1 + 2j))],
    "imag": [lambda x: np.imag(x * (1 + 2j))],
    "real_if_close": [lambda x: np.real_if_close(x + 0j), lambda x: np.real_if_close(x * 1j)],
    "nan_to_num": [
        lambda x: np.nan_to_num(gaps(x), nan=2.0),
        lambda x: np.nan_to_num(np.where(GAPS, np.inf, x) + 0j, True, 1.0, 2.0),
    ],
    "diff": [lambda x: np.diff(m(x), 1, 0), lambda x: np.diff(x, prepend=x[:2], append=1.0)],
    "ediff1d": [lambda x: np.ediff1d(m(x), [1.0, 2.0], x[0])],
    "trapezoid": [
        lambda x: np.trapezoid(x, x**2),
        lambda x: np.trapezoid(m(x), dx=2.0, axis=0),
        lambda x: np.trapezoid(B[:2], m(x)),
    ],
    "gradient": [
        lambda x: np.gradient(x),
        lambda x: np.gradient(x, x**2 + x, edge_order=2),
        lambda x: np.gradient(m(x))[0],
        lambda x: np.gradient(B, x[0], x[:3].cumsum())[1],
        lambda x: np.gradient(B * x[:3], 2.0, axis=0, edge_order=2),
    ],
    "unwrap": [
        lambda x: np.unwrap(x * 9),
        lambda x: np.unwrap(m(x) * 9, axis=0, period=x[0] + 2),
        lambda x: np.unwrap(x * 9, 4.0),
    ],
    "interp": [
        lambda x: np.interp(x, [1.0, 2.0, 3.0], [1.0, 4.0, 2.0]),
        lambda x: np.interp([0.5, 1.8, 2.0], np.sort(x), x**2),
        lambda x: np.interp(x, xp=[1.0, 2.0, 2.5], fp=[1.0, 4.0, 2.0], left=x[0], right=7.0),
        lambda x: np.interp(m(x), [0.0, 0.5, 1.0], x[:3], period=1.5),
        lambda x: np.interp(1.3, [1.0, 2.0], x[:2] * 1j),
    ],
    "convolve": [lambda x: np.convolve(x, x[:3], "same"), lambda x: np.convolve([1.0, 2.0], x, mode="valid")],
    "correlate": [
        *(
            lambda x, mode=mode: np.concatenate(
                [
                    np.correlate(x, x[:3] ** 2, mode),
                    np.correlate(x[:4], B[0, :2] * 1j, mode),
                    np.correlate(x[:2], x, mode),
                    np.correlate(x[:3], x, mode),
                ]
            )
            for mode in ("valid", "same", "full")
        ),
    ],
    "linspace": [
        lambda x: np.linspace(x[0], 2.0, 4),
        lambda x: np.linspace(m(x), 1.0, 3, axis=1),
        lambda x: np.linspace(0, x, 5, False, True)[1],
        lambda x: np.linspace(x[0] * 1j, 2.0, 3),
    ],
    "logspace": [lambda x: np.logspace(x[0], 2.0, 4), lambda x: np.logspace(0.0, 1.0, 3, base=x[0])],
    "geomspace": [lambda x: np.geomspace(x[0], x[1], 4), lambda x: np.geomspace(-x, -3.0, 4, axis=1)],
    "meshgrid": [lambda x: np.meshgrid(x, X)[0], lambda x: np.meshgrid(B[0], x[:2], X, sparse=True)[1]],
    "vander": [lambda x: np.vander(x, 3), lambda x: np.vander(x[:3], increasing=True)],
    "full_like": [lambda x: np.full_like(x, x[0]) * x],
    # polynomials
    "polyval": [lambda x: np.polyval(x[:3], m(x)), lambda x: np.polyval([1, 2, 3], x)],
    "polyder": [lambda x: np.polyder(x, 2)],
    "polyint": [lambda x: np.polyint(x, 2, [1.0, 2.0]), lambda x: np.polyint(x, k=3.0)],
    "polyadd": [lambda x: np.polyadd(x, x[:2])],
    "polysub": [lambda x: np.polysub([1.0, 2], x)],
    "polymul": [lambda x: np.polymul(x, x[:2])],
    "polydiv": [lambda x: np.concatenate(np.polydiv(x, x[:3])), lambda x: np.polydiv(x[:2], x)[1]],
    "poly": [lambda x: np.poly(x[:4]), lambda x: np.poly(np.stack([x[0] + 1j, x[0] - 1j]))],
    "roots": [lambda x: np.roots(np.poly(x[:3])), lambda x: np.roots([1.0, x[0] * 9, x[1], 0.0])],
    "polyfit": [
        lambda x: np.polyfit(x, x[::-1], 2),
        lambda x: np.polyfit(X, x, 1, w=x, cov=True)[1],
        lambda x: np.polyfit(x[:4], B, 1),
        lambda x: np.polyfit(x, X**2, 1, cov="unscaled")[1],
    ],
}

CONSTANT = {
    "all": lambda x: np.all(x > 1, where=[True] * 6),
    "any": lambda x: np.any(m(x), 1),
    "allclose": lambda x: np.allclose(x, X),
    "argmax": lambda x: np.argmax(m(x), 1, keepdims=True),
    "argmin": lambda x: x.argmin(),
    "argpartition": lambda x: np.argpartition(x, 2),
    "argsort": lambda x: np.argsort(m(x), None),
    "argwhere": lambda x: np.argwhere(x > 2),
    "around": lambda x: np.around(x, 1),
    "round": lambda x: x.round(1),
    "fix": np.fix,
    "array2string": np.array2string,
    "array_repr": np.array_repr,
    "array_str": np.array_str,
    "array_equal": lambda x: np.array_equal(x, X),
    "array_equiv": lambda x: np.array_equiv(x, X),
    "can_cast": lambda x: np.can_cast(x.dtype, "f8"),
    "common_type": np.common_type,
    "count_nonzero": lambda x: np.count_nonzero(m(x) > 2, axis=1),
    "diag_indices_from": lambda x: np.diag_indices_from(sq(x)),
    "digitize": lambda x: np.digitize(x, [1.0, 2.0], True),
    "einsum_path": lambda x: np.einsum_path("i,i", x, x)[0],
    "empty_like": lambda x: np.empty_like(x).shape,
    "flatnonzero": np.flatnonzero,
    "isclose": lambda x: np.isclose(x, 2.3),
    "iscomplex": np.iscomplex,
    "iscomplexobj": np.iscomplexobj,
    "isin": lambda x: np.isin(x, [2.3]),
    "isneginf": np.isneginf,
    "isposinf": np.isposinf,
    "isreal": np.isreal,
    "isrealobj": np.isrealobj,
    "lexsort": lambda x: np.lexsort((x, x > 2)),
    "linalg.matrix_rank": lambda x: np.linalg.matrix_rank(m(x)),
    "min_scalar_type": lambda x: np.min_scalar_type(x[0]).kind,
    "nanargmax": lambda x: np.nanargmax(gaps(x)),
    "nanargmin": lambda x: np.nanargmin(gaps(x)),
    "ndim": np.ndim,
    "nonzero": lambda x: np.nonzero(x > 2),
    "ones_like": lambda x: np.ones_like(x, shape=3),
    "packbits": lambda x: np.packbits(x > 2),
    "unpackbits": lambda x: np.unpackbits((x > 2).astype(np.uint8)),
    "ravel_multi_index": lambda x: np.ravel_multi_index((np.argmax(x, keepdims=True),), (6,)),
    "result_type": lambda x: np.result_type(x, 1j),
    "searchsorted": lambda x: np.searchsorted(np.sort(x), x, "right", None),
    "shape": np.shape,
    "size": lambda x: np.size(m(x), 1),
    "tril_indices_from": lambda x: np.tril_indices_from(m(x)),
    "triu_indices_from": lambda x: np.triu_indices_from(m(x), 1),
    "unravel_index": lambda x: np.unravel_index(np.argmax(x), (2, 3)),
    "zeros_like": lambda x: np.zeros_like(x, complex),
}

RAISING = {
    "busday_count": lambda x: np.busday_count(x, x),
    "busday_offset": lambda x: np.busday_offset(x, 1),
    "is_busday": lambda x: np.is_busday(x),
    "datetime_as_string": lambda x: np.datetime_as_string(x),
    "histogram2d": lambda x: np.histogram2d(x, x),
    "histogramdd": lambda x: np.histogramdd(m(x)),
    "ix_": lambda x: np.ix_(x),
    "may_share_memory": lambda x: np.may_share_memory(x, X),
    "shares_memory": lambda x: np.shares_memory(x, X),
    "save": lambda x: np.save("unwritten", x),
    "savetxt": lambda x: np.savetxt("unwritten", x),
    "savez": lambda x: np.savez("unwritten", x),
    "savez_compressed": lambda x: np.savez_compressed("unwritten", x),
}
"""Functions of plain arrays; the error names the remedy."""
