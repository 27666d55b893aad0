"""ADBench's bundle adjustment: reprojection residuals of a camera model with radial distortion.

Each residual depends on the 15 numbers of its own observation only, so the sparse Jacobian has the entries of the Jacobian
of the residuals summed over observations: shape (3, observations, 15).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.program import Program


def cross(xp: Any, a: Any, b: Any) -> Any:
    """Return the cross product along the last axis."""
    a0, a1, a2 = a[:, 0], a[:, 1], a[:, 2]
    b0, b1, b2 = b[:, 0], b[:, 1], b[:, 2]
    return xp.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=1)


def rotate(xp: Any, rotation: Any, points: Any) -> Any:
    """Return ``points`` turned by the rotation vectors (Rodrigues' formula)."""
    angle = xp.sqrt(xp.sum(rotation**2, axis=1))[:, None]
    axis = rotation / angle
    cosine, sine = xp.cos(angle), xp.sin(angle)
    along = xp.sum(axis * points, axis=1)[:, None]
    return points * cosine + cross(xp, axis, points) * sine + axis * along * (1.0 - cosine)


def residuals(xp: Any, parameters: Any, features: Any) -> Any:
    """Return the residuals (2, n) and weight residuals (n,) as one array (3, n).

    A row of ``parameters`` (n, 15) is rotation (3), centre (3), focal length, principal point (2), distortion (2), point (3)
    and weight.
    """
    rotation, centre, focal = parameters[:, 0:3], parameters[:, 3:6], parameters[:, 6]
    principal, distortion = parameters[:, 7:9], parameters[:, 9:11]
    points, weight = parameters[:, 11:14], parameters[:, 14]
    turned = rotate(xp, rotation, points - centre)
    projected = turned[:, :2] / turned[:, 2:]
    square = xp.sum(projected**2, axis=1)
    factor = focal * (1.0 + distortion[:, 0] * square + distortion[:, 1] * square**2)
    error = weight[:, None] * (factor[:, None] * projected + principal - features)
    return xp.stack([error[:, 0], error[:, 1], 1.0 - weight**2])


def summed_residuals(xp: Any, parameters: Any, features: Any) -> Any:
    """Return the residuals summed over observations (3,)."""
    return xp.sum(residuals(xp, parameters, features), axis=1)


def programs(*, small: bool) -> Iterator[Program]:
    """Yield the 31,843 observations of ADBench's first problem."""
    random = np.random.default_rng(8)
    count = 4 if small else 31_843
    parameters = random.normal(size=(count, 15))
    parameters[:, 5] -= 20.0  # every point lies well in front of its camera
    parameters[:, 0:3] *= 0.3
    yield Program(
        name="bundle-adjustment",
        group="adbench",
        function=summed_residuals,
        primals=(parameters,),
        data=(random.normal(size=(count, 2)),),
        operator="jacrev",
    )
