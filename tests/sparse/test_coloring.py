import itertools

import numpy as np
import pytest

from unidiff import sparse
from unidiff.errors import ArgumentError, NotAnArrayError, ShapeError
from unidiff.sparse.derivatives import _direct

RNG = np.random.default_rng(5)
BAND = np.abs(np.subtract.outer(np.arange(12), np.arange(12))) <= 1
ARROW = np.eye(9, dtype=bool)
ARROW[0] = ARROW[:, 0] = True
RANDOM = [
    RNG.random((n, m)) < density for n, m, density in [(1, 7, 0.5), (15, 9, 0.1), (10, 20, 0.3), (6, 6, 0.9), (4, 3, 0.0)]
]
PATTERNS = [BAND, ARROW, np.ones((3, 5), bool), np.zeros((0, 3), bool), *RANDOM]


@pytest.mark.parametrize("color", [sparse.column_coloring, sparse.row_coloring, sparse.star_coloring])
def test_colorings_refuse_what_is_no_pattern(color):
    with pytest.raises(ArgumentError, match="from_dense"):
        color([[1, 0], [0, 1]])


@pytest.mark.parametrize("matrix", PATTERNS, ids=lambda m: "x".join(map(str, m.shape)))
def test_no_row_has_two_columns_of_a_color(matrix):
    pattern = sparse.SparsityPattern.from_dense(matrix.tolist() if matrix.size else matrix)
    colors = np.asarray(sparse.column_coloring(pattern))
    for row in matrix:
        assert len(set(colors[row])) == np.sum(row)
    colors = np.asarray(sparse.row_coloring(pattern))
    for column in matrix.T:
        assert len(set(colors[column])) == np.sum(column)


SYMMETRIC = [BAND, ARROW, np.kron(BAND[:5, :5], np.ones((2, 2), bool))]
SYMMETRIC += [np.triu(m[:k, :k]) | np.triu(m[:k, :k]).T for m in RANDOM[1:3] for k in (9, 7)]


@pytest.mark.parametrize("matrix", SYMMETRIC, ids=range(len(SYMMETRIC)))
def test_every_entry_can_be_read_from_the_compressed_matrix(matrix):
    pattern = sparse.SparsityPattern.from_dense(matrix)
    colors = sparse.star_coloring(pattern)
    values = RNG.normal(size=matrix.shape)
    values = (values + values.T) * matrix
    seeds = np.asarray([[c == k for c in colors] for k in range(1 + max(colors))], float)
    found = (seeds @ values).ravel()[_direct(pattern, colors)]
    np.testing.assert_array_equal(found, values[matrix])


@pytest.mark.parametrize(
    ("matrix", "columns", "star"), [(BAND, 3, 3), (ARROW, 9, 2), (np.eye(6), 1, 1)], ids=["band", "arrow", "eye"]
)
def test_numbers_of_colors(matrix, columns, star):
    pattern = sparse.SparsityPattern.from_dense(matrix)
    assert 1 + max(sparse.column_coloring(pattern)) == columns
    assert 1 + max(sparse.star_coloring(pattern)) == star


def test_a_path_of_four_is_not_colored_with_two():
    path = sparse.SparsityPattern.from_dense(BAND[:4, :4])
    colors = sparse.star_coloring(path)
    assert len(set(colors)) == 3
    assert all(colors[i] != colors[i + 1] for i in range(3))


def test_a_large_band_takes_moments():
    n = 20000
    rows = [i for i in range(n) for d in (-1, 0, 1) if 0 <= i + d < n]
    columns = [i + d for i in range(n) for d in (-1, 0, 1) if 0 <= i + d < n]
    pattern = sparse.SparsityPattern.from_coo(rows, columns, (n, n))
    assert 1 + max(sparse.column_coloring(pattern)) <= 5
    assert 1 + max(sparse.star_coloring(pattern)) <= 5


def test_patterns(array):
    matrix = array([[0.0, np.nan], [2.0, 0.0]])
    pattern = sparse.SparsityPattern.from_dense(matrix)
    assert (pattern.shape, pattern.rows, pattern.columns, pattern.size) == ((2, 2), (0, 1), (1, 0), 2)
    assert sparse.SparsityPattern.from_coo([1, 0, 1], [0, 1, 0], (2, 2)) == pattern
    assert pattern.by_row == [[1], [0]]


BAD = {
    "outside": (lambda: sparse.SparsityPattern.from_coo([2], [0], (2, 2)), ArgumentError),
    "lengths": (lambda: sparse.SparsityPattern.from_coo([1], [0, 1], (2, 2)), ArgumentError),
    "order": (lambda: sparse.SparsityPattern((2, 2), (1, 0), (0, 0)), ArgumentError),
    "vector": (lambda: sparse.SparsityPattern.from_dense(np.ones(3)), ShapeError),
    "number": (lambda: sparse.SparsityPattern.from_dense(1.0), ShapeError),
    "ragged": (lambda: sparse.SparsityPattern.from_dense([[1], [1, 2]]), ShapeError),
    "nothing": (lambda: sparse.SparsityPattern.from_dense(None), NotAnArrayError),
    "asymmetric": (lambda: sparse.star_coloring(sparse.SparsityPattern.from_dense([[1, 1], [0, 1]])), ShapeError),
    "oblong": (lambda: sparse.star_coloring(sparse.SparsityPattern.from_dense([[1, 1]])), ShapeError),
}


@pytest.mark.parametrize(("call", "error"), BAD.values(), ids=BAD)
def test_bad_input(call, error):
    with pytest.raises(error):
        call()


def test_greedy_is_no_worse_than_the_number_of_neighbours():
    for matrix, transposed in itertools.product(RANDOM, (False, True)):
        m = matrix.T if transposed else matrix
        pattern = sparse.SparsityPattern.from_dense(m)
        neighbours = (m.astype(int).T @ m.astype(int) > 0).sum(axis=0)
        assert max(sparse.column_coloring(pattern), default=0) < max(1, neighbours.max(initial=0))
