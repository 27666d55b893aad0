"""Trust-region methods: Steihaug's truncated conjugate gradients, and the exact solution of Moré and Sorensen."""

import math
from collections.abc import Callable, Iterator
from numbers import Real

import unidiff as ud
from unidiff._typing import Array
from unidiff.errors import ArgumentError
from unidiff.optim.descent import dot
from unidiff.optim.objective import Objective
from unidiff.optim.result import Iterate, Point, Status, Stop
from unidiff.optim.vector import Layout, read

__all__ = ["trust_exact", "trust_ncg"]

Subproblem = Callable[[Point, float], tuple[Array, float, bool]]
"""Takes a point and a radius; returns a step, the decrease that the model predicts, and whether the step is of full length."""


def trust_ncg(
    objective: Objective,
    start: Array,
    *,
    initial_radius: float = 1.0,
    max_radius: float = 1000.0,
    eta: float = 0.15,
) -> Iterator[Iterate]:
    """Yield the iterates with steps by Steihaug's method (Nocedal & Wright, algorithms 4.1 and 7.2)."""
    held: list[tuple[Point, Callable[[Array], Array]]] = []

    def subproblem(point: Point, radius: float) -> tuple[Array, float, bool]:
        if not held or held[0][0] is not point:
            held[:] = [(point, objective.hvp(point.x))]
        return steihaug(held[0][1], point.gradient, radius, objective.layout)

    return _iterates(objective, start, subproblem, initial_radius, max_radius, eta)


def trust_exact(
    objective: Objective,
    start: Array,
    *,
    initial_radius: float = 1.0,
    max_radius: float = 1000.0,
    eta: float = 0.15,
) -> Iterator[Iterate]:
    """Yield the iterates with steps that minimize the model within the radius, by the eigenvalues of the Hessian."""
    layout = objective.layout
    held: list[tuple[Point, Array, tuple[Array, Array], bool]] = []

    def subproblem(point: Point, radius: float) -> tuple[Array, float, bool]:
        if not held or held[0][0] is not point:
            xp, h = layout.backend.namespace(point.x), objective.hessian(point.x)
            values, vectors = xp.linalg.eigh(h)
            lowest, highest = read(values[0], xp.max(xp.abs(values)))
            held[:] = [(point, h, (values, vectors), abs(lowest) <= 1e3 * layout.dimension * layout.epsilon * highest)]
        _, h, pair, drowned = held[0]
        found = in_its_own_units(h, point.gradient, radius, layout) if drowned else None
        return found or more_sorensen(*pair, point.gradient, radius, layout)

    return _iterates(objective, start, subproblem, initial_radius, max_radius, eta)


def _iterates(
    objective: Objective, start: Array, subproblem: Subproblem, radius: float, longest: float, eta: float
) -> Iterator[Iterate]:
    numbers = all(isinstance(a, Real) for a in (radius, longest, eta))
    if not (numbers and 0 < radius <= longest and 0 <= eta < 0.25):
        raise ArgumentError(
            "0 < initial_radius <= max_radius and 0 <= eta < 1/4 must hold, but initial_radius, max_radius and eta are "
            f"{radius}, {longest} and {eta}."
        )
    point = objective(start)
    small = objective.layout.epsilon
    while True:
        yield Iterate(point, point.size, {"radius": radius})
        step, predicted, full = subproblem(point, radius)
        new = objective(point.x + step)
        if not predicted > 0:
            raise Stop(Status.STALLED)
        rounding = 10 * small * max(abs(point.f), abs(new.f))
        # Where both decreases are rounding errors the model is trusted (Conn, Gould & Toint, section 17.4.2).
        trusted = predicted <= rounding and abs(point.f - new.f) <= rounding and new.size < point.size
        ratio = 1.0 if trusted else (point.f - new.f) / predicted if new.finite else -math.inf
        if ratio < 0.25:
            radius *= 0.25
        elif ratio > 0.75 and full:
            radius = min(2 * radius, longest)
        if ratio > eta and new.finite:
            point = new
        elif radius < small * small:
            raise Stop(Status.STALLED)


def steihaug(product: Callable[[Array], Array], g: Array, radius: float, layout: Layout) -> tuple[Array, float, bool]:
    """Return a step by truncated conjugate gradients, the predicted decrease, and whether the step is of full length."""
    z = ud.array_namespace(g).zeros_like(g)
    hz = z
    r, d = g, -1.0 * g
    (square,) = read(dot(r, r))
    target = square * min(0.25, math.sqrt(square))  # the square of min(1/2, sqrt |g|) |g|
    full = False
    for _ in range(2 * layout.dimension + 10):
        image = product(d)
        curvature, dd, zd, zz = read(dot(d, image), dot(d, d), dot(z, d), dot(z, z))
        alpha = square / curvature if curvature > 0 else math.inf
        if not curvature > 0 or zz + 2 * alpha * zd + alpha * alpha * dd >= radius * radius:
            root = math.sqrt(max(0.0, zd * zd + dd * (radius * radius - zz)))
            alpha = (radius * radius - zz) / (zd + root) if zd + root > 0 else (root - zd) / dd
            z, hz, full = z + alpha * d, hz + alpha * image, True
            break
        z, hz, r = z + alpha * d, hz + alpha * image, r + alpha * image
        (fresh,) = read(dot(r, r))
        if fresh < target:
            break
        d, square = (fresh / square) * d - r, fresh
    (decrease,) = read(-1.0 * (dot(g, z) + 0.5 * dot(z, hz)))
    return z, decrease, full


def more_sorensen(values: Array, vectors: Array, g: Array, radius: float, layout: Layout) -> tuple[Array, float, bool]:
    """Return the minimum of ``g.p + p.H p / 2`` within the radius for a Hessian given by its eigenvalues and eigenvectors.

    The multiplier is the root of ``1 / |p(lambda)| = 1 / radius``, by Newton's method within a bracket. J. Moré and
    D. Sorensen, SIAM J. Sci. Stat. Comput. 4 (1983); in the hard case a multiple of the first eigenvector makes up the length.
    """
    xp = layout.backend.namespace(g)
    c = vectors.mT @ g
    lowest, highest, norm = read(values[0], xp.max(xp.abs(values)), xp.sqrt(dot(g, g)))
    tiny = layout.epsilon * max(highest, layout.epsilon)
    rounding = layout.dimension * layout.epsilon * norm
    # The multiplier is held as its distance from -lowest: near the hard case their difference is below the rounding of either.
    gaps = values - lowest
    c = xp.where((gaps <= layout.dimension * tiny) & (xp.abs(c) <= rounding), xp.zeros_like(c), c)

    def at(distance: float) -> tuple[Array, float, float]:
        divisor = gaps + distance
        divisor = xp.where(divisor > 0, divisor, xp.full_like(divisor, tiny))
        p = -c / divisor
        square, slope = read(dot(p, p), dot(p, p / divisor))
        return p, math.sqrt(square), slope

    low = max(tiny, lowest)
    p, length, slope = at(low)
    full = length > radius or lowest < -layout.dimension * tiny
    if length > radius:
        high, distance = max(low, norm / radius) + tiny, low
        for _ in range(100):
            if abs(length - radius) <= 1e-4 * radius:
                break
            low, high = (distance, high) if length > radius else (low, distance)
            distance += (length / radius - 1) * length * length / slope if slope > 0 else math.inf
            if not low < distance < high:
                distance = math.sqrt(low * high)
            p, length, slope = at(distance)
    elif full:
        (first,) = read(p[0])
        missing = math.sqrt(max(0.0, radius * radius - length * length + first * first)) - abs(first)
        unit = xp.concat([layout.full(math.copysign(missing, first), (1,)), xp.zeros_like(p[1:])])
        p = p + unit
    (decrease,) = read(-1.0 * (dot(c, p) + 0.5 * dot(p, values * p)))
    return vectors @ p, decrease, full


def in_its_own_units(h: Array, g: Array, radius: float, layout: Layout) -> tuple[Array, float, bool] | None:
    """Return what `more_sorensen` returns for a positive definite Hessian, or None for any other one.

    Eigenvalues are exact to the rounding of the largest one, which may be all there is of the lowest where the unknowns are of
    different units. With a diagonal of ones they are as exact as the Hessian is (J. Demmel, On floating point errors in
    Cholesky, LAPACK Working Note 14), so each multiplier on Newton's way up from 0 has eigenvalues of its own.
    """
    xp, eye, multiplier = layout.backend.namespace(h), layout.identity(), 0.0
    for _ in range(50):
        shifted = h + multiplier * eye
        diagonal = xp.linalg.diagonal(shifted)
        unit = 1 / xp.sqrt(xp.where(diagonal > 0, diagonal, xp.ones_like(diagonal)))
        values, vectors = xp.linalg.eigh(unit[:, None] * shifted * unit[None, :])
        if not read(values[0])[0] > layout.dimension * layout.epsilon:
            return None
        c = vectors.mT @ (unit * g)
        p = -1.0 * unit * (vectors @ (c / values))
        image = vectors.mT @ (unit * p)
        square, slope, product = read(dot(p, p), dot(image, image / values), dot(c, c / values))
        length = math.sqrt(square)
        if length <= (1 + 1e-2) * radius:
            return p, 0.5 * (product + multiplier * square), multiplier > 0
        multiplier += (length / radius - 1) * square / slope
    return None
