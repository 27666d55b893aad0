"""Derivatives of second and higher order: Hessians, curvature matrices and expansions."""
