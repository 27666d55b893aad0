"""The limited memory of L-BFGS: the last steps with the changes of the gradient, and the inverse Hessian that they make.

Both forms compute the two loops of Nocedal & Wright, algorithm 7.4. `Pairs` keeps the vectors as the rows of two matrices and
their inner products as numbers on the host: a product with the inverse Hessian is five products of a matrix with a vector,
whatever the number of pairs, and all else is arithmetic of a few numbers. `RecordedPairs` computes with the vectors one by
one, on the device alone, so that the whole product is part of a derivative through the iterations.
"""

from collections.abc import Mapping, Sequence
from operator import mul
from typing import Any

from unidiff._typing import Array
from unidiff.errors import ArgumentError
from unidiff.optim.vector import Layout

__all__ = ["Pairs", "RecordedPairs", "checked_memory"]


def checked_memory(memory: int) -> int:
    """Return the number of pairs to keep, or raise that it is none."""
    if isinstance(memory, bool) or not isinstance(memory, int) or memory < 1:
        raise ArgumentError(f"memory must be an integer of at least 1, but it is {memory!r:.200}.")
    return memory


class Pairs:
    """The last pairs ``(s, y)``, and the product of the inverse Hessian with a vector.

    Parameters
    ----------
    layout : Layout
    memory : int
        How many pairs are kept.
    """

    def __init__(self, layout: Layout, memory: int) -> None:
        self.layout, self.memory = layout, memory
        self.s, self.y = _Rows(layout, memory), _Rows(layout, memory)
        self.clear()

    def clear(self) -> None:
        """Forget all pairs."""
        self.gamma = 1.0
        self.order: list[int] = []  # the places of the pairs, oldest first
        self.rho: list[float] = [0.0] * self.memory
        # Inner products by the places of s and y, and of y and s. Those of an s with an older y are whatever was there: each
        # is multiplied by a weight that is still 0.
        self.sy = [[0.0] * self.memory for _ in range(self.memory)]
        self.ys = [[0.0] * self.memory for _ in range(self.memory)]

    def __len__(self) -> int:
        return len(self.order)

    def add(self, s: Array, y: Array, curvature: float, square: float) -> None:
        """Add a pair with the numbers ``s.y`` and ``y.y``; the oldest one makes room for it."""
        place = len(self.order) if len(self.order) < self.memory else self.order.pop(0)
        self.s.put(place, s)
        self.y.put(place, y)
        products = self.s.dots(y)
        for row, product in zip(self.sy, products, strict=True):
            row[place] = product
        self.ys[place] = products
        self.rho[place], self.gamma = 1 / curvature, curvature / square
        self.order.append(place)

    def direction(self, g: Array) -> Array:
        """Return minus the product of the inverse Hessian with a vector."""
        if not self.order:
            return -1.0 * g
        rho, gamma = self.rho, self.gamma
        products, weights = self.s.dots(g), [0.0] * self.memory
        for k in reversed(self.order):
            weights[k] = rho[k] * (products[k] - sum(map(mul, self.sy[k], weights)))
        q = g - self.y.combination(weights)
        products, gains = self.y.dots(q), [0.0] * self.memory
        for k in self.order:
            gains[k] = weights[k] - rho[k] * (gamma * products[k] + sum(map(mul, self.ys[k], gains)))
        return -gamma * q - self.s.combination(gains)

    def state(self) -> Mapping[str, Any]:
        """Return the pairs, oldest first, and the factor of the unit matrix."""
        return {"pairs": tuple((self.s.copy(k), self.y.copy(k)) for k in self.order), "gamma": self.gamma}


class _Rows:
    """Vectors as the rows of a matrix."""

    def __init__(self, layout: Layout, count: int) -> None:
        self.layout, self.count = layout, count
        self.matrix: Any = None
        self.masks: list[Array] | None = None
        self.mutable = True

    def put(self, place: int, v: Array) -> None:
        """Put a vector into a row."""
        if self.matrix is None:
            self.matrix = self.layout.full(0.0, (self.count, self.layout.dimension))
        if self.mutable:
            try:
                self.matrix[place, :] = v
            except TypeError:
                self.mutable = False
        if not self.mutable:
            xp = self.layout.backend.namespace(v)
            if self.masks is None:
                numbers = xp.reshape(xp.arange(self.count, device=self.layout.device), (self.count, 1))
                self.masks = [numbers == k for k in range(self.count)]
            self.matrix = xp.where(self.masks[place], v, self.matrix)

    def dots(self, v: Array) -> list[float]:
        """Return the inner products of the rows with a vector."""
        found: list[float] = self.layout.backend.to_numpy(self.matrix @ v).tolist()
        return found

    def combination(self, weights: Sequence[float]) -> Array:
        """Return the sum of the rows, each times its weight."""
        return self.layout.vector(weights) @ self.matrix

    def copy(self, place: int) -> Array:
        """Return a vector in memory of its own."""
        return self.layout.backend.copy(self.matrix[place, :])


class RecordedPairs:
    """What `Pairs` is, for iterations that are differentiated."""

    def __init__(self, layout: Layout, memory: int) -> None:
        self.layout, self.memory = layout, memory
        self.clear()

    def clear(self) -> None:
        """Forget all pairs."""
        self.pairs: list[tuple[Array, Array, Array]] = []
        self.gamma: Any = 1.0

    def __len__(self) -> int:
        return len(self.pairs)

    def add(self, s: Array, y: Array, curvature: float, square: float) -> None:
        """Add a pair; the numbers are computed once more, as arrays."""
        del curvature, square
        product = s @ y
        self.pairs.append((s, y, 1 / product))
        if len(self.pairs) > self.memory:
            del self.pairs[0]
        self.gamma = product / (y @ y)

    def direction(self, g: Array) -> Array:
        """Return minus the product of the inverse Hessian with a vector."""
        weights = []
        for s, y, rho in reversed(self.pairs):
            weights.append(rho * (s @ g))
            g = g - weights[-1] * y
        g = self.gamma * g
        for (s, y, rho), weight in zip(self.pairs, reversed(weights), strict=True):
            g = g + (weight - rho * (y @ g)) * s
        return -1.0 * g

    def state(self) -> Mapping[str, Any]:
        """Return the pairs, oldest first, and the factor of the unit matrix."""
        return {"pairs": tuple((s, y) for s, y, _ in self.pairs), "gamma": self.gamma}
