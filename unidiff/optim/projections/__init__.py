"""Projections onto closed sets: the closest point, for ``unidiff.minimize(..., projection=...)``.

All take and return pytrees. Sets that are no products, such as balls and the simplex, are sets of all entries of the pytree
together. Every projection differentiates, by the parameters of the set too. Formulas: N. Parikh and S. Boyd, Proximal
Algorithms, 2014, chapter 6.
"""

from unidiff.optim.projections.balls import l1_ball, l2_ball, l2_sphere
from unidiff.optim.projections.boxes import box, linf_ball, nonnegative
from unidiff.optim.projections.cones import positive_semidefinite, second_order_cone
from unidiff.optim.projections.intersections import intersection
from unidiff.optim.projections.planes import affine, halfspace, hyperplane
from unidiff.optim.projections.plans import birkhoff, kl_transport, transport
from unidiff.optim.projections.polyhedra import polyhedron
from unidiff.optim.projections.simplices import box_section, simplex

__all__ = [
    "affine",
    "birkhoff",
    "box",
    "box_section",
    "halfspace",
    "hyperplane",
    "intersection",
    "kl_transport",
    "l1_ball",
    "l2_ball",
    "l2_sphere",
    "linf_ball",
    "nonnegative",
    "polyhedron",
    "positive_semidefinite",
    "second_order_cone",
    "simplex",
    "transport",
]
