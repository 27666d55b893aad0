"""Sparse Jacobians and Hessians: the pattern, a coloring of it, and as many passes as there are colors.

Columns of a Jacobian that have no row in common are found by one tangent: their sum. A coloring of the pattern groups columns
(or rows, by reverse mode) in that way, so that a banded Jacobian of any size takes as many passes as the band is wide.
A. Gebremedhin, F. Manne and A. Pothen, "What color is your Jacobian?", SIAM Review 47 (2005).

Inputs and outputs are pytrees of real arrays, whose elements are numbered in the order of the leaves, each in row-major order.
"""

from unidiff.sparse.coloring import column_coloring, row_coloring, star_coloring
from unidiff.sparse.derivatives import hessian, jacobian
from unidiff.sparse.detection import hessian_pattern, jacobian_pattern
from unidiff.sparse.matrix import SparseMatrix, SparsityPattern

__all__ = [
    "SparseMatrix",
    "SparsityPattern",
    "column_coloring",
    "hessian",
    "hessian_pattern",
    "jacobian",
    "jacobian_pattern",
    "row_coloring",
    "star_coloring",
]
