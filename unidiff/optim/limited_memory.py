"""The limited memory of L-BFGS: the last steps with the changes of the gradient, and the inverse Hessian that they make.

Both forms compute the two loops of Nocedal & Wright, algorithm 7.4. `Pairs` keeps the vectors as the rows of two matrices. The
loops solve a triangular system and its transpose, whose matrix R has the inner products ``s_i.y_j`` of pairs i that are not
newer than j (R. Byrd, J. Nocedal and R. Schnabel, Math. Programming 63 (1994)). Its inverse is kept, to which a new pair adds a
row and a column: a product with the inverse Hessian is six products of a matrix with a vector, whatever the number of pairs.
`RecordedPairs` computes with the vectors one by one, so that the whole product is part of a derivative through the iterations.
"""

from collections.abc import Mapping
from typing import Any

from unidiff._typing import Array
from unidiff.optim.arguments import positive_integer
from unidiff.optim.vector import Layout

__all__ = ["Pairs", "RecordedPairs", "checked_memory"]


def checked_memory(memory: int) -> int:
    """Return the number of pairs to keep, or raise that it is none."""
    return positive_integer(memory, "memory")


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
        self.s, self.y = (_Matrix(layout, (memory, layout.dimension)) for _ in range(2))
        units = layout.backend.namespace().eye(memory, dtype=layout.dtype, device=layout.device)
        self.units = [units[k, :] for k in range(memory)]
        self.clear()

    def clear(self) -> None:
        """Forget all pairs."""
        self.gamma = 1.0
        self.order: list[int] = []  # the places of the pairs, oldest first
        # Rows and columns are in the order of the places; those of places without a pair are zero.
        self.inverse = _Matrix(self.layout, (self.memory, self.memory))
        self.curvatures = _Matrix(self.layout, (1, self.memory))

    def __len__(self) -> int:
        return len(self.order)

    def add(self, s: Array, y: Array, curvature: float, square: float) -> None:
        """Add a pair with the numbers ``s.y`` and ``y.y``; the oldest one makes room for it."""
        place = len(self.order) if len(self.order) < self.memory else self.order.pop(0)
        self.order.append(place)
        self.s.put_row(place, s)
        self.y.put_row(place, y)
        # The oldest pair has the first row and the first column of the triangle. Below the diagonal that column is zero, so
        # that the pair is gone with its row. The newest has the last row and column.
        self.inverse.put_row(place, 0.0)
        column = self.units[place] - self.inverse.array @ (self.s.array @ y)
        self.inverse.put_column(place, column * (1 / curvature))
        self.curvatures.put_column(place, curvature)
        self.gamma = curvature / square

    def direction(self, g: Array) -> Array:
        """Return minus the product of the inverse Hessian with a vector."""
        if not self.order:
            return -1.0 * g
        s, y, inverse = self.s.array, self.y.array, self.inverse.array
        weights = inverse @ (s @ g)
        q = g - weights @ y
        gains = (self.curvatures.array[0, :] * weights - self.gamma * (y @ q)) @ inverse
        return -self.gamma * q - gains @ s

    def state(self) -> Mapping[str, Any]:
        """Return the pairs, oldest first, and the factor of the unit matrix."""
        return {"pairs": tuple((self.s.row(k), self.y.row(k)) for k in self.order), "gamma": self.gamma}


class _Matrix:
    """A matrix of zeros whose rows and columns are replaced: in place where the library can do that."""

    def __init__(self, layout: Layout, shape: tuple[int, int]) -> None:
        self.layout, self.array = layout, layout.full(0.0, shape)
        self.mutable = True
        self.masks: dict[int, list[Array]] = {}

    def put_row(self, place: int, v: Array | float) -> None:
        """Replace a row by a vector, or by a number in all places."""
        if self.mutable:
            try:
                self.array[place, :] = v
            except TypeError:
                self.mutable = False
        if not self.mutable:
            self._put(place, v, 0)

    def put_column(self, place: int, v: Array | float) -> None:
        """Replace a column."""
        if self.mutable:
            try:
                self.array[:, place] = v
            except TypeError:
                self.mutable = False
        if not self.mutable:
            self._put(place, v if isinstance(v, float) else v[:, None], 1)

    def _put(self, place: int, v: Array | float, axis: int) -> None:
        xp = self.layout.backend.namespace(self.array)
        if axis not in self.masks:
            count = self.array.shape[axis]
            numbers = xp.expand_dims(xp.arange(count, device=self.layout.device), axis=1 - axis)
            self.masks[axis] = [numbers == k for k in range(count)]
        self.array = xp.where(self.masks[axis][place], v, self.array)

    def row(self, place: int) -> Array:
        """Return a row in memory of its own."""
        return self.layout.backend.copy(self.array[place, :])


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
