"""Pytrees of arrays as vectors of a real inner product space: what the solvers and estimators compute with.

Every function works on plain and traced arrays. Complex entries count as pairs of real ones: the inner product is Re <u, v>.
"""

from collections.abc import Callable, Collection, Sequence
from operator import index
from typing import TYPE_CHECKING, Any

from unidiff import registry, tree
from unidiff._typing import Array, Tree
from unidiff.derive import CompleteBackend, inner, on_basis, size
from unidiff.dispatch import dtype_name, find_backend, on_one_device
from unidiff.errors import (
    ArgumentError,
    DTypeError,
    MixedBackendsError,
    MixedDevicesError,
    NotAnArrayError,
    ShapeError,
    TreeError,
)

if TYPE_CHECKING:
    from random import Random

__all__ = ["Space", "finite_or_zero", "one_of", "positive_integer", "random_numbers", "real_scalar", "tolerance"]


class Space:
    """The vectors of the structure, shapes and dtypes of a pytree.

    Parameters
    ----------
    like : pytree of array
        Real or complex floating arrays of one backend.
    what : str
        What it is called, for messages.

    Attributes
    ----------
    backend : CompleteBackend
    leaves : list of array
    dimension : int
        The number of real coordinates.
    """

    def __init__(self, like: Tree, what: str) -> None:
        self.backend, self.kind = find_backend((like,), {})
        self.leaves, self.spec = tree.flatten(like)
        b = self.backend
        if not self.leaves:
            raise ArgumentError(f"The {what} has no arrays.")
        self.leaves = [b.asarray(x) if isinstance(x, (float, complex)) else x for x in self.leaves]
        for x, path in zip(self.leaves, tree.paths(self.spec, what), strict=True):
            if not hasattr(x, "dtype"):
                raise NotAnArrayError(f"{path} is {x!r:.200} of type {type(x).__qualname__}, not a floating array.")
            if not b.is_differentiable(x):
                raise DTypeError(f"{path} has the dtype {x.dtype}; vectors are of real or complex floating dtypes.")
        self.dimension = sum(size(x) * (1 + b.is_complex(x)) for x in self.leaves)

    def check(self, vector: Tree, what: str) -> list[Array]:
        """Return the leaves of a vector of this space, or raise what is wrong with it."""
        leaves, spec = tree.flatten(vector)
        if spec != self.spec:
            raise TreeError(f"The {what} has the structure {spec}, but it must have the structure {self.spec}.")
        paths = tree.paths(spec, what)
        return [self._checked(x, y, path) for x, y, path in zip(leaves, self.leaves, paths, strict=True)]

    def _checked(self, x: Any, like: Array, path: str) -> Array:
        b, kind = self.backend, registry.of_type(x)
        if kind is registry.SCALAR and like.shape == () and (b.is_complex(like) or not isinstance(x, complex)):
            return b.asarray(x, dtype=like.dtype, device=b.device(like))
        if kind is registry.SCALAR and not hasattr(x, "shape"):
            raise NotAnArrayError(f"The {path} is the number {x!r}, but it must be an array of the shape {tuple(like.shape)}.")
        if kind is None:
            raise NotAnArrayError(f"The {path} is {x!r:.200} of type {type(x).__qualname__}, not an array.")
        if kind is not self.kind and kind is not b and kind is not registry.SCALAR:
            self._require_one_library(x, like, path)
        if tuple(x.shape) != tuple(like.shape):
            raise ShapeError(f"The {path} has the shape {tuple(x.shape)}, but it must have the shape {tuple(like.shape)}.")
        if x.dtype != like.dtype:
            raise DTypeError(f"The {path} has the dtype {dtype_name(x.dtype)}, but it must have {dtype_name(like.dtype)}.")
        if not on_one_device(b, x, like):
            raise MixedDevicesError(f"The {path} is on {b.device(x)}, but it must be on {b.device(like)}.")
        return x

    def _require_one_library(self, x: Array, like: Array, path: str) -> None:
        try:
            find_backend((x, like), {})  # plain arrays may stand beside traced ones of a backend that works on them
        except MixedBackendsError:
            raise MixedBackendsError(
                f"The {path} is an array of {registry.of_type(x).name!r}, but it must be one of {self.backend.name!r}; "
                f"convert it with unidiff.to_backend(x, {self.backend.name!r})."
            ) from None

    def operator(self, f: Any, what: str) -> Callable[[Sequence[Array]], list[Array]]:
        """Return an operator on pytrees as one on lists of leaves that checks what it returns."""
        if not callable(f):
            raise ArgumentError(f"The {what} must be a function of a vector, but it is {f!r:.200}.")
        return lambda leaves: self.check(f(self.build(leaves)), f"result of the {what}")

    def build(self, leaves: Sequence[Array]) -> Tree:
        """Return the pytree with these leaves."""
        return tree.unflatten(self.spec, leaves)

    def dot(self, xs: Sequence[Array], ys: Sequence[Array]) -> Array:
        """Return the inner product as a 0-d array."""
        parts = [inner(self.backend, x, y) for x, y in zip(xs, ys, strict=True)]
        return sum(parts[1:], start=parts[0])

    def norm(self, xs: Sequence[Array]) -> Array:
        """Return the norm as a 0-d array."""
        square = self.dot(xs, xs)
        return self.backend.namespace(square).sqrt(square)

    def combine(self, a: Any, xs: Sequence[Array], c: Any = 0, ys: Sequence[Array] = ()) -> list[Array]:
        """Return ``a x + c y`` in the dtypes of the space; the factors are real numbers or 0-d arrays."""
        if not ys:
            return [self._cast(a * x, like) for x, like in zip(xs, self.leaves, strict=True)]
        return [self._cast(a * x + c * y, like) for x, y, like in zip(xs, ys, self.leaves, strict=True)]

    def _cast(self, x: Array, like: Array) -> Array:
        b = self.backend
        x = b.asarray(x)  # arithmetic on 0-d arrays of NumPy gives scalars
        return x if x.dtype == like.dtype else b.namespace(x).astype(x, like.dtype)

    def select(self, condition: Array, xs: Sequence[Array], ys: Sequence[Array]) -> list[Array]:
        """Return `xs` where the condition, a 0-d array, holds, else `ys`."""
        b = self.backend
        return [b.asarray(b.namespace(condition, x, y).where(condition, x, y)) for x, y in zip(xs, ys, strict=True)]

    def zeros(self) -> list[Array]:
        """Return the zero vector."""
        return [self.backend.zeros_like(x) for x in self.leaves]

    def copy(self, xs: Sequence[Array]) -> list[Array]:
        """Return the vector in memory of its own."""
        return [self.backend.copy(x) for x in xs]

    def signs(self, bits: Callable[[int], int]) -> list[Array]:
        """Return a vector of signs, 1 or -1, for a complex entry in both parts; ``bits(n)`` makes n random bits."""
        b, vectors = self.backend, []
        for x in self.leaves:
            count = size(x) * (1 + b.is_complex(x))
            text = format(bits(count), f"0{count}b") if count else ""
            signs = [1.0 if digit == "1" else -1.0 for digit in text]
            real = b.asarray(signs, dtype=b.real_dtype(x.dtype), device=b.device(x))
            xp = b.namespace(real)
            values = _from_parts(b, real) if b.is_complex(x) else real
            vectors.append(xp.reshape(xp.astype(values, x.dtype, copy=False), tuple(x.shape)))
        return vectors

    def normal(self, gauss: Callable[[float, float], float]) -> list[Array]:
        """Return a vector of independent normal coordinates; ``gauss(mean, deviation)`` draws one."""
        numbers = [gauss(0.0, 1.0) for _ in range(self.dimension)]
        return self.from_coordinates(real_scalar(self.backend, numbers, self.leaves[0]))

    def coordinates(self, xs: Sequence[Array]) -> Array:
        """Return a vector as one real array of shape (dimension,); a complex entry is two of its elements."""
        b, parts = self.backend, []
        for x in xs:
            real = _in_parts(b, x)
            parts.append(b.namespace(real).reshape(real, (size(real),)))
        return b.namespace(*parts).concat(parts) if len(parts) > 1 else parts[0]

    def from_coordinates(self, coordinates: Array) -> list[Array]:
        """Return the vector with these coordinates; the inverse of `coordinates`."""
        b, xp, start, leaves = self.backend, self.backend.namespace(coordinates), 0, []
        for like in self.leaves:
            count = size(like) * (1 + b.is_complex(like))
            part = coordinates[start : start + count]
            start += count
            if b.is_complex(like):
                part = _from_parts(b, part)
            leaves.append(xp.reshape(self._cast(part, like), tuple(like.shape)))
        return leaves

    def matrix(self, linear: Callable[[Sequence[Array]], Sequence[Array]]) -> Array:
        """Return the matrix of a linear operator in real coordinates; its columns are batched where the backend can."""
        b, columns = self.backend, []
        for k in range(len(self.leaves)):
            stacked = on_basis(b, linear, self.leaves, self.leaves, k)
            rows = []
            for x, like in zip(stacked, self.leaves, strict=True):
                width = size(like) * (1 + b.is_complex(like))
                rows.append(b.namespace(x).reshape(_in_parts(b, x), (x.shape[0], width)))
            columns.append(b.namespace(*rows).concat(rows, axis=1))
        return b.namespace(*columns).concat(columns, axis=0).mT

    def epsilon(self) -> float:
        """Return the machine epsilon of the narrowest dtype among the leaves."""
        finfo = self.backend.namespace().finfo
        return max(float(finfo(x.dtype).eps) for x in self.leaves)


def _in_parts(b: CompleteBackend, x: Array) -> Array:
    """Return a complex array as a real one with a last axis of real and imaginary parts, a real one as it is."""
    xp = b.namespace(x)
    return xp.stack([xp.real(x), xp.imag(x)], axis=-1) if b.is_complex(x) else x


def _from_parts(b: CompleteBackend, real: Array) -> Array:
    """Return the complex array of shape (n,) whose real and imaginary parts take turns in one of shape (2 n,)."""
    pairs = b.namespace(real).reshape(real, (size(real) // 2, 2))
    return pairs[:, 0] + 1j * pairs[:, 1]


def finite_or_zero(b: CompleteBackend, matrix: Array) -> tuple[Array, Array]:
    """Return a matrix, zero if an entry is infinite or NaN, and whether it is finite.

    Factorizations of a matrix that is not finite end in NaN with some libraries and in errors of their own with others, for the
    sake of one slice of a batch even.
    """
    xp = b.namespace(matrix)
    finite = xp.all(xp.isfinite(matrix))
    return b.asarray(xp.where(finite, matrix, xp.zeros_like(matrix))), finite


def one_of(value: Any, options: Collection[str], name: str) -> str:
    """Return one of some words or raise ArgumentError."""
    if not isinstance(value, str) or value not in options:
        raise ArgumentError(f"{name} must be one of {', '.join(options)}, but it is {value!r:.200}.")
    return value


def random_numbers(seed: Any) -> "Random":
    """Return a generator of the same numbers for the same integer, or raise ArgumentError for what is none."""
    from random import Random  # not needed by `import unidiff`

    try:
        return Random(index(seed))  # noqa: S311  # reproducible, not secret
    except TypeError:
        raise ArgumentError(f"seed must be an integer, but it is {seed!r:.200}.") from None


def positive_integer(value: Any, name: str) -> int:
    """Return an integer of at least 1 or raise ArgumentError."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ArgumentError(f"{name} must be an integer of at least 1, but it is {value!r:.200}.")
    return value


def tolerance(value: Any, name: str) -> float:
    """Return a finite number that is not negative or raise ArgumentError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ArgumentError(f"{name} must be a finite number of at least 0, but it is {value!r:.200}.")
    return float(value)


def real_scalar(b: CompleteBackend, value: Any, like: Array) -> Array:
    """Return a number or a list of them as an array of the precision and on the device of an array."""
    return b.asarray(value, dtype=b.real_dtype(like.dtype), device=b.device(like))
