"""Greedy colorings of sparsity patterns."""

from collections.abc import Sequence

from unidiff.errors import ShapeError
from unidiff.sparse.matrix import SparsityPattern, require_pattern

__all__ = ["column_coloring", "row_coloring", "star_coloring"]


def _greedy(groups: Sequence[Sequence[int]], members: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Color vertices such that no two in one group share a color, those with most neighbours first.

    ``groups[v]`` are the groups of a vertex, ``members[g]`` the vertices of a group.
    """
    degree = [sum(len(members[g]) for g in mine) for mine in groups]
    colors = [-1] * len(groups)
    forbidden: list[int] = [-1] * (len(groups) + 1)
    for v in sorted(range(len(groups)), key=lambda v: -degree[v]):
        for g in groups[v]:
            for w in members[g]:
                if colors[w] >= 0:
                    forbidden[colors[w]] = v
        color = 0
        while forbidden[color] == v:
            color += 1
        colors[v] = color
    return tuple(colors)


def column_coloring(pattern: SparsityPattern) -> tuple[int, ...]:
    """Color the columns of a pattern such that no row has two columns of one color.

    Parameters
    ----------
    pattern : SparsityPattern

    Returns
    -------
    tuple of int
        The color of each column, counted from 0.

    Raises
    ------
    unidiff.errors.ArgumentError
        If the argument is no `SparsityPattern`.

    Notes
    -----
    Greedy distance-2 coloring of the bipartite graph, columns with most neighbours first.

    Examples
    --------
    >>> from unidiff import sparse
    >>> sparse.column_coloring(sparse.SparsityPattern.from_dense([[1, 1, 0], [0, 1, 1]]))
    (1, 0, 1)
    """
    require_pattern(pattern)
    return _greedy(pattern.by_column, pattern.by_row)


def row_coloring(pattern: SparsityPattern) -> tuple[int, ...]:
    """Color the rows of a pattern such that no column has two rows of one color.

    Parameters
    ----------
    pattern : SparsityPattern

    Returns
    -------
    tuple of int
        The color of each row, counted from 0.

    Raises
    ------
    unidiff.errors.ArgumentError
        If the argument is no `SparsityPattern`.

    Examples
    --------
    >>> from unidiff import sparse
    >>> sparse.row_coloring(sparse.SparsityPattern.from_dense([[1, 1, 0], [0, 1, 1]]))
    (0, 1)
    """
    require_pattern(pattern)
    return _greedy(pattern.by_row, pattern.by_column)


def star_coloring(pattern: SparsityPattern) -> tuple[int, ...]:
    """Color the columns of a symmetric pattern such that each entry is alone in its row for its color, or its mirror image is.

    Parameters
    ----------
    pattern : SparsityPattern
        A square, symmetric pattern.

    Returns
    -------
    tuple of int
        The color of each column, counted from 0.

    Raises
    ------
    unidiff.errors.ArgumentError
        If the argument is no `SparsityPattern`.
    unidiff.errors.ShapeError
        If the pattern is not symmetric.

    Notes
    -----
    Neighbours differ in color, and so do the ends of any path of four vertices from its other two: A. Gebremedhin, A. Tarafdar,
    F. Manne and A. Pothen, SIAM J. Sci. Comput. 29 (2007), algorithm 4.1, those with most neighbours first.

    Examples
    --------
    >>> from unidiff import sparse
    >>> arrow = sparse.SparsityPattern.from_dense([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]])
    >>> sparse.star_coloring(arrow), sparse.column_coloring(arrow)
    ((0, 1, 1, 1), (0, 1, 2, 3))
    """
    require_pattern(pattern)
    require_symmetric(pattern)
    neighbours = [[w for w in mine if w != v] for v, mine in enumerate(pattern.by_column)]
    n = len(neighbours)
    colors = [-1] * n
    forbidden = [-1] * (n + 1)
    for v in sorted(range(n), key=lambda v: -len(neighbours[v])):
        for w in neighbours[v]:
            if colors[w] >= 0:
                forbidden[colors[w]] = v
            for x in neighbours[w]:
                if x == v or colors[x] < 0:
                    continue
                if colors[w] < 0 or any(y != w and colors[y] == colors[w] for y in neighbours[x]):
                    forbidden[colors[x]] = v
        color = 0
        while forbidden[color] == v:
            color += 1
        colors[v] = color
    return tuple(colors)


def require_symmetric(pattern: SparsityPattern) -> None:
    """Raise ShapeError unless the pattern is square and symmetric."""
    if pattern.shape[0] != pattern.shape[1] or pattern.by_row != pattern.by_column:
        raise ShapeError(f"The pattern of shape {pattern.shape} is not symmetric, as that of a Hessian is.")
