import numpy as np
import pytest

import unidiff as ud
from unidiff import sparse
from unidiff.errors import (
    ArgumentError,
    DTypeError,
    NonScalarOutputError,
    ShapeError,
    TracedConversionError,
    UnsupportedOperationError,
)

X = np.linspace(0.1, 1.5, 8)


def banded(x):
    xp = ud.array_namespace(x)
    return {"a": xp.sin(x[1:]) * x[:-1], "b": xp.cumulative_sum(x[:2])}


def chain(x):
    xp = ud.array_namespace(x)
    return xp.sum((x[1:] - x[:-1] ** 2) ** 2) + xp.sum(xp.exp(x[:2]))


def dense(tree, width):
    return np.concatenate([ud.to_numpy(leaf).reshape(-1, width) for leaf in ud.tree.leaves(tree)])


@pytest.mark.parametrize("method", ["auto", "trace", "probe"])
def test_patterns_of_jacobians_and_hessians(array, method):
    x = array(X)
    want = sparse.SparsityPattern.from_dense(dense(ud.jacobian(banded)(X), 8))
    assert sparse.jacobian_pattern(banded, x, method=method) == want
    want = sparse.SparsityPattern.from_dense(ud.hessian(chain)(X))
    assert sparse.hessian_pattern(chain, x, method=method) == want


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_jacobians_take_one_pass_for_each_color(backend, array, mode):
    pattern = sparse.SparsityPattern.from_dense(dense(ud.jacobian(banded)(X), 8))
    matrix = sparse.jacobian(banded, pattern, mode=mode)(array(X))
    np.testing.assert_allclose(ud.to_numpy(matrix.todense()), dense(ud.jacobian(banded)(X), 8), rtol=1e-14)
    assert ud.get_backend(matrix.values).name == backend
    assert matrix.passes == {"auto": 2, "forward": 2, "reverse": 3}[mode]
    assert (matrix.shape, matrix.rows, matrix.columns) == ((9, 8), pattern.rows, pattern.columns)


def test_hessians_take_one_product_for_each_color(array):
    pattern = sparse.SparsityPattern.from_dense(ud.hessian(chain)(X))
    matrix = sparse.hessian(chain, pattern)(array(X))
    np.testing.assert_allclose(ud.to_numpy(matrix.todense()), ud.hessian(chain)(X), rtol=1e-13, atol=1e-13)
    assert matrix.passes == 3


class Counting:
    """A backend without batching that counts the tangents and cotangents that pass through it."""

    def __init__(self, host):
        self.host, self.passes = host, 0

    def __getattr__(self, name):
        if name in {"vmap", "jacfwd", "jacrev", "over"}:
            raise AttributeError(name)
        return getattr(self.host, name)

    def _counted(self, linear):
        def apply(arrays):
            self.passes += 1
            return linear(arrays)

        return apply

    def linearize(self, f, primals, *, has_aux=False):
        outs, push, *aux = self.host.linearize(f, primals, has_aux=has_aux)
        return outs, self._counted(push), *aux

    def vjp(self, f, primals, *, has_aux=False):
        outs, pull, *aux = self.host.vjp(f, primals, has_aux=has_aux)
        return outs, self._counted(pull), *aux


@pytest.mark.parametrize(("mode", "passes"), [("forward", 2), ("reverse", 3)])
def test_the_number_of_passes_is_counted(mode, passes):
    from unidiff.derive import complete

    host = ud.get_backend("numpy")
    counting = Counting(host)
    backend = complete(counting, host.info)
    from unidiff.sparse.coloring import column_coloring, row_coloring
    from unidiff.sparse.derivatives import _compress

    pattern = sparse.SparsityPattern.from_dense(dense(ud.jacobian(banded)(X), 8))
    flat = lambda x: tuple(ud.tree.leaves(banded(x)))
    outs, linear = (backend.linearize if mode == "forward" else backend.vjp)(flat, (X,))
    colors = (column_coloring if mode == "forward" else row_coloring)(pattern)
    sources, results = ((X,), outs) if mode == "forward" else (outs, (X,))
    counting.passes = 0
    _compress(backend, linear, sources, results, colors)
    assert counting.passes == passes


def test_trees_and_other_arguments():
    def f(p, scale):
        return [p["u"] * p["v"] * scale, p["v"] ** 2]

    p = {"u": np.asarray([1.0, 2.0, 3.0]), "v": np.asarray([4.0, 5.0, 6.0])}
    matrix = sparse.jacobian(f)(p, 2.0)
    blocks = [np.diag(2 * p["v"]), np.diag(2 * p["u"])], [np.zeros((3, 3)), np.diag(2 * p["v"])]
    np.testing.assert_array_equal(matrix.todense(), np.block(list(blocks)))
    assert matrix.passes == 2


# What each function's elements depend on: a sound pattern holds them all, and these are exact.
STRUCTURE = {
    "elementwise": (lambda x: np.exp(x) * 2 + x**2, np.eye(4)),
    "zero by chance": (lambda x: (x - x[0]) * (x - x[0]), [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]]),
    "reversal": (lambda x: np.flip(x), np.fliplr(np.eye(4))),
    "prefix sums": (lambda x: np.cumsum(x), np.tril(np.ones((4, 4)))),
    "differences": (lambda x: np.diff(x), np.eye(3, 4) + np.eye(3, 4, 1)),
    "constant matrix": (lambda x: np.asarray([[1.0, 0, -1, 0]]) @ x, [[1, 0, 1, 0]]),
    "matrix of variables": (lambda x: x.reshape(2, 2) @ np.asarray([1.0, -1.0]), [[1, 1, 0, 0], [0, 0, 1, 1]]),
    "selection": (lambda x: np.where(x > 0.7, x, 0.0 * x), np.eye(4)),
    "extremum": (lambda x: np.max(x, keepdims=True), np.ones((1, 4))),
    "reduction of rows": (lambda x: np.std(x.reshape(2, 2), axis=1), [[1, 1, 0, 0], [0, 0, 1, 1]]),
    "softmax": (lambda x: ud.special.softmax(x.reshape(2, 2), axis=-1), np.kron(np.eye(2), np.ones((2, 2)))),
    "inverse": (lambda x: np.linalg.inv(x.reshape(2, 2) + np.eye(2)), np.ones((4, 4))),
    "spectrum": (lambda x: np.abs(np.fft.rfft(x)), np.ones((3, 4))),
    "steps": (lambda x: np.floor(x) + x[:1], np.eye(4)[[0, 0, 0, 0]]),
    "assignment": (lambda x: _assigned(x), [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    "derivative": (lambda x: ud.grad(lambda y: np.sum(y[1:] * y[:-1]))(x), np.eye(4, k=1) + np.eye(4, k=-1)),
    "constant": (lambda x: np.zeros(2), np.zeros((2, 4))),
}


def _assigned(x):
    y = x * 1.0
    y[0] = x[1]
    return y


@pytest.mark.parametrize("name", STRUCTURE)
def test_the_structure_of_a_program(name):
    f, want = STRUCTURE[name]
    found = sparse.jacobian_pattern(f, np.asarray([0.5, 0.9, 0.4, 0.8]), method="trace")
    want = np.asarray(want) != 0
    dense_pattern = np.zeros(found.shape, bool)
    dense_pattern[list(found.rows), list(found.columns)] = True
    np.testing.assert_array_equal(dense_pattern, want)


def test_what_is_zero_at_a_point_is_not_zero_in_the_pattern():
    f = lambda x: np.asarray([0.0, 1.0]) + x * np.flip(x)
    zero = np.zeros(2)
    assert sparse.jacobian_pattern(f, zero).size == 4
    np.testing.assert_array_equal(sparse.jacobian(f)(zero).todense(), np.zeros((2, 2)))


def test_empty_arrays():
    matrix = sparse.jacobian(lambda x: x * 2)(np.zeros(0))
    assert (matrix.shape, matrix.passes, matrix.todense().shape) == ((0, 0), 0, (0, 0))


@pytest.mark.parametrize("method", ["auto", "probe"])
def test_a_pattern_is_found_under_a_derivative(array, check, method):
    def total(x):
        pattern = sparse.jacobian_pattern(lambda x: x[1:] * x[:-1] ** 2, x, method=method)
        matrix = sparse.jacobian(lambda x: x[1:] * x[:-1] ** 2, pattern)(x)
        return ud.array_namespace(x).sum(matrix.values)

    check(ud.grad(total)(array([1.0, 2.0, 3.0])), np.asarray([2 * 1 + 2 * 2, 2 * 1 + 2 * 2 + 2 * 3, 2 * 2.0]), rtol=1e-12)


def test_a_pattern_cannot_be_probed_without_values(array):
    with pytest.raises(TracedConversionError, match="jacobian_pattern"):
        ud.vmap(lambda x: sparse.jacobian_pattern(lambda x: x * x, x, method="probe"))(array(np.ones((2, 3))))


EYE = sparse.SparsityPattern.from_dense(np.eye(3))
BAD = {
    "mode": (lambda: sparse.jacobian(banded, mode="sideways"), ArgumentError),
    "method": (lambda: sparse.jacobian_pattern(banded, X, method="guess"), ArgumentError),
    "argnums": (lambda: sparse.jacobian(banded, argnums=(0,))(X), ArgumentError),
    "shape": (lambda: sparse.jacobian(banded, EYE)(X), ShapeError),
    "no pattern": (lambda: sparse.jacobian(banded, np.eye(3)), ArgumentError),
    "asymmetric": (lambda: sparse.hessian(chain, sparse.SparsityPattern.from_dense([[1, 1], [0, 1]])), ShapeError),
    "complex": (lambda: sparse.jacobian(lambda z: z)(X * 1j), DTypeError),
    "complex output": (lambda: sparse.jacobian(lambda x: x * 1j)(X), DTypeError),
    "integer output": (lambda: sparse.jacobian(lambda x: x > 0)(X), DTypeError),
    "unhashable": (lambda: sparse.jacobian(banded, mode=["forward"]), ArgumentError),
    "places": (lambda: sparse.SparsityPattern.from_coo([0.5], [0], (2, 2)), ArgumentError),
    "length of a shape": (lambda: sparse.SparsityPattern.from_coo([0], [0], (2,)), ArgumentError),
    "no scalar": (lambda: sparse.hessian(banded)(X), NonScalarOutputError),
}


@pytest.mark.parametrize(("call", "error"), BAD.values(), ids=BAD)
def test_bad_input(call, error):
    with pytest.raises(error):
        call()


def test_a_backend_that_cannot_trace_says_so():
    b = ud.get_backend("finite")
    with pytest.raises(UnsupportedOperationError, match="probe"):
        b.dependence(lambda x: (x,), (X,))
