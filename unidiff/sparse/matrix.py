"""Patterns of sparse matrices, and matrices in coordinate form."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import index
from typing import Any

from unidiff import registry
from unidiff._typing import Array
from unidiff.errors import ArgumentError, NotAnArrayError, ShapeError

__all__ = ["SparseMatrix", "SparsityPattern"]


@dataclass(frozen=True)
class SparsityPattern:
    """The places where a matrix may have entries that are not zero.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the matrix.
    rows, columns : tuple of int
        The places, in row-major order, each once.

    Raises
    ------
    unidiff.errors.ArgumentError
        If a place lies outside, or comes twice.

    Examples
    --------
    >>> from unidiff import sparse
    >>> pattern = sparse.SparsityPattern.from_dense([[1, 0], [1, 1]])
    >>> pattern.rows, pattern.columns
    ((0, 1, 1), (0, 0, 1))
    """

    shape: tuple[int, int]
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.columns):
            raise ArgumentError(
                f"A pattern has as many rows as columns, but there are {len(self.rows)} and {len(self.columns)}."
            )
        places = list(zip(self.rows, self.columns, strict=True))
        m, n = self.shape
        for i, j in places:
            if not (0 <= i < m and 0 <= j < n):
                raise ArgumentError(f"The place ({i}, {j}) is outside of a matrix of shape {self.shape}.")
        if any(a >= b for a, b in pairwise(places)):
            raise ArgumentError(
                "The places of a pattern must come in row-major order, each once; see SparsityPattern.from_coo."
            )

    @classmethod
    def from_coo(cls, rows: Iterable[int], columns: Iterable[int], shape: tuple[int, int]) -> "SparsityPattern":
        """Make a pattern of places in any order, repeated or not."""
        try:
            rows, columns = [index(i) for i in rows], [index(j) for j in columns]
            m, n = map(index, shape)
        except (TypeError, ValueError):
            raise ArgumentError("A pattern is made of integers: rows, columns, and a shape of two numbers.") from None
        if len(rows) != len(columns):
            raise ArgumentError(f"A pattern has as many rows as columns, but there are {len(rows)} and {len(columns)}.")
        places = sorted(set(zip(rows, columns, strict=True)))
        return cls((m, n), tuple(i for i, _ in places), tuple(j for _, j in places))

    @classmethod
    def from_dense(cls, matrix: Any) -> "SparsityPattern":
        """Make the pattern of a matrix, given as an array of any backend or as nested lists; NaN counts as an entry."""
        backend = registry.of_type(matrix)
        if backend is registry.SCALAR:
            raise ShapeError("A pattern is that of a matrix, not of a number.")
        if backend is not None:
            if len(matrix.shape) != 2:
                raise ShapeError(f"A pattern is that of a matrix, but the array has the shape {tuple(matrix.shape)}.")
            found = backend.to_numpy(matrix)
            rows, columns = ((found != 0) | (found != found)).nonzero()  # noqa: PLR0124  # NaN differs from itself
            return cls(tuple(matrix.shape), tuple(rows.tolist()), tuple(columns.tolist()))
        try:
            entries = [[bool(x) for x in row] for row in matrix]
        except TypeError:
            raise NotAnArrayError(f"A pattern is made of a matrix, not of {type(matrix).__qualname__}.") from None
        width = len(entries[0]) if entries else 0
        if any(len(row) != width for row in entries):
            raise ShapeError("The rows of the matrix differ in length.")
        places = [(i, j) for i, row in enumerate(entries) for j, x in enumerate(row) if x]
        return cls((len(entries), width), tuple(i for i, _ in places), tuple(j for _, j in places))

    @property
    def size(self) -> int:
        """The number of places."""
        return len(self.rows)

    @cached_property
    def by_row(self) -> list[list[int]]:
        """The columns of each row."""
        return _grouped(self.rows, self.columns, self.shape[0])

    @cached_property
    def by_column(self) -> list[list[int]]:
        """The rows of each column."""
        return _grouped(self.columns, self.rows, self.shape[1])


def require_pattern(pattern: Any) -> None:
    """Raise ArgumentError for what is no `SparsityPattern`."""
    if not isinstance(pattern, SparsityPattern):
        raise ArgumentError(f"pattern must be a SparsityPattern, see SparsityPattern.from_dense, but it is {pattern!r:.200}.")


def _grouped(keys: Sequence[int], values: Sequence[int], count: int) -> list[list[int]]:
    groups: list[list[int]] = [[] for _ in range(count)]
    for key, value in zip(keys, values, strict=True):
        groups[key].append(value)
    return groups


@dataclass(frozen=True)
class SparseMatrix:
    """A matrix in coordinate form.

    Parameters
    ----------
    pattern : SparsityPattern
        The places of the entries.
    values : array
        The entries, of shape (number of places,), an array of the caller's library.
    passes : int
        With how many tangents or cotangents it was computed: the number of colors.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.sparse.jacobian(lambda x: x**2)(np.asarray([1.0, 3.0])).todense()
    array([[2., 0.],
           [0., 6.]])
    """

    pattern: SparsityPattern
    values: Array
    passes: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pattern.shape

    @property
    def rows(self) -> Sequence[int]:
        """The row of each value."""
        return self.pattern.rows

    @property
    def columns(self) -> Sequence[int]:
        """The column of each value."""
        return self.pattern.columns

    def todense(self) -> Array:
        """Return the matrix as an array of shape `shape`."""
        m, n = self.shape
        b = registry.get_backend(self.values)
        xp = b.namespace(self.values)
        zero = xp.zeros((1,), dtype=self.values.dtype, device=b.device(self.values))
        places = [self.pattern.size] * (m * n)
        for k, (i, j) in enumerate(zip(self.rows, self.columns, strict=True)):
            places[i * n + j] = k
        padded = xp.concat([self.values, zero])
        return xp.reshape(xp.take(padded, indices(b, places, self.values), axis=0), (m, n))


def indices(b: Any, numbers: Sequence[int], like: Array) -> Array:
    """Return positions as an array of integers on the device of another array."""
    if not numbers:
        return b.namespace().zeros((0,), dtype=b.asarray([0]).dtype, device=b.device(like))
    return b.asarray(list(numbers), device=b.device(like))
