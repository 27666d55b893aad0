"""Blocks of one library inside a program of another, differentiable from outside."""

from collections.abc import Callable, Sequence
from functools import wraps
from math import prod
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Arrays, Tree
from unidiff.arrays import borrowed, to_backend
from unidiff.calls import not_an_output, pair
from unidiff.derive import CompleteBackend
from unidiff.dispatch import dtype_name, find_backend, scalar_dtype
from unidiff.errors import ArgumentError, TracedConversionError

__all__ = ["bridge"]

_of_type = registry.of_type
_SCALAR = registry.SCALAR


def bridge(f: Callable[..., Any], backend: str, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that evaluates another one with arrays of a backend, whatever arrays it is called with.

    Arguments are converted without copies where the devices allow it (DLPack), and so are results, except between a library
    whose arrays never change, as JAX's, and one whose arrays may: those are copied once. Derivatives are those that the
    backend takes of `f`. So a block written in one framework is part of a program of another, in both modes, to any
    order that both sides allow, under `unidiff.vmap`, and under `unidiff.jit` where the outer framework calls back into Python
    from compiled programs, as JAX does and unidiff on NumPy.

    Parameters
    ----------
    f : callable
        Takes and returns pytrees of arrays of that backend; it must not change those it gets. Derivatives are with respect to
        the arrays that are passed; what it closes over, such as the parameters of a module, is constant. To differentiate by
        those, pass them, as in ``lambda params, x: torch.func.functional_call(module, params, (x,))``.
    backend : str
        The name of the backend that `f` is written for.
    has_aux : bool
        Whether `f` returns a pair ``(out, aux)``, of which ``aux`` is not differentiated. Other leaves than arrays in it are
        passed through as they are.

    Returns
    -------
    callable
        Takes pytrees of arrays, Python numbers and anything else, which is passed through, and returns pytrees of arrays of the
        caller's backend, on the caller's device, with the dtypes that `f` returns. With arrays of `backend` it is `f`.

    Raises
    ------
    unidiff.errors.BackendLoadError, unidiff.errors.UnknownBackendError
        If the backend is not installed.
    unidiff.errors.DTypeError
        If one of the two libraries has no such dtype.
    unidiff.errors.MixedBackendsError, unidiff.errors.NotAnArrayError
        If `f` returns anything but arrays of the backend and numbers.
    unidiff.errors.UnsupportedOperationError
        If the outer backend has no rules of the user's own, or cannot call back from a compiled program.

    Notes
    -----
    `f` is called once where the outer program runs eagerly, and its derivative pulled back along that call. Where the outer
    program is compiled, mapped over or differentiated again, each derivative evaluates `f` anew, and mapped calls are made
    slice by slice. When JAX compiles, `f` is also called once with ones, to learn the shapes of its results.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> norm = ud.bridge(lambda x: ud.array_namespace(x).sum(x**2), backend="numpy")
    >>> float(norm(np.asarray([3.0, 4.0])))
    25.0
    """
    if not callable(f):
        raise ArgumentError(f"The function of a bridge must be callable, but it is {f!r:.200}.")
    inner = registry.named(backend)
    if not inner.info.arrays:
        raise ArgumentError(f"The backend {inner.name!r} has no arrays of its own, so a function cannot be written for it.")

    @wraps(f)
    def bridged(*args: Any, **kwargs: Any) -> Any:
        _, kind = find_backend(args, kwargs)
        if kind is inner or not any(_of_type(x) is kind for x in tree.leaves((args, kwargs))):
            return f(*args, **kwargs)
        call = _Call(f, (args, kwargs), has_aux, inner, kind)
        return call.build(_Block(call.flat, inner, kind)(*call.arrays))

    return bridged


class _Block:
    """A flat function of the inner library as an operation of the outer one.

    Its derivatives are blocks as well, whose functions are the inner library's derivatives, so they nest.
    """

    __slots__ = ("f", "inner", "outer")

    def __init__(self, f: Callable[..., Arrays], inner: CompleteBackend, outer: CompleteBackend) -> None:
        self.f, self.inner, self.outer = f, inner, outer

    def __call__(self, *xs: Array) -> Arrays:
        """Evaluate the block: at once on plain arrays, else as an operation that has rules."""
        plain = self._converted(xs)
        if plain is not None:
            return self._returned(self.f(*plain), plain, xs)
        operation = self.outer.custom_vjp(self._evaluate, self._forward, self._backward, self._push)
        outs: Arrays = operation(*xs)
        return outs

    def _converted(self, xs: Arrays) -> Arrays | None:
        """Return the arrays in the inner library, None where they have no values that could be converted."""
        if any(hasattr(type(x), "__unidiff_backend__") for x in xs):  # stands for values of which there may be others later
            return None
        try:
            return tuple(borrowed(x, self.inner) for x in xs)
        except TracedConversionError:
            return None

    def _returned(self, ys: Arrays, plain: Arrays, xs: Arrays) -> Arrays:
        """Return results of the inner library in the library of the arguments, on their device, in memory of their own."""
        inner, outer = self.inner, registry.get_backend(xs[0]) if xs else self.outer
        results = to_backend(_apart([inner.stop_gradient(y) for y in ys], plain, inner), outer)
        device = outer.device(xs[0]) if xs else None
        return tuple(y if device is None or outer.device(y) == device else outer.to_device(y, device) for y in results)

    def _evaluate(self, *xs: Array) -> Arrays:
        """Evaluate the function on what a transform sees."""
        plain = self._converted(xs)
        if plain is not None:
            return self._returned(self.f(*plain), plain, xs)
        likes = [(tuple(x.shape), dtype_name(x.dtype)) for x in xs]
        outs: Arrays = self.outer.host_callback(self._on_host, lambda: self._shapes(likes), xs)
        return outs

    def _on_host(self, *xs: Array) -> Arrays:
        plain = tuple(borrowed(x, self.inner) for x in xs)
        return self._returned(self.f(*plain), plain, xs)

    def _shapes(self, likes: Sequence[tuple[tuple[int, ...], str]]) -> list[tuple[tuple[int, ...], str]]:
        """Return the shapes and dtypes of the results for arguments of these shapes and dtypes, by a call with ones."""
        xp = self.inner.namespace()
        ys = self.f(*(xp.ones(shape, dtype=getattr(xp, dtype)) for shape, dtype in likes))
        return [(tuple(y.shape), dtype_name(y.dtype)) for y in ys]

    def _floating(self, xs: Arrays) -> list[bool]:
        return [registry.get_backend(x).is_differentiable(x) for x in xs]

    def _split(self, xs: Arrays) -> tuple[Callable[..., tuple[Arrays, Arrays]], Arrays]:
        """Return the function of the floating arguments, in the form that derivatives are taken of, and these arguments.

        Its results are the floating ones and all of them.
        """
        floating = self._floating(xs)

        def split(*primals: Array) -> tuple[Arrays, Arrays]:
            found = iter(primals)
            ys = self.f(*(next(found) if yes else x for x, yes in zip(xs, floating, strict=True)))
            return tuple(y for y, yes in zip(ys, self._floating(ys), strict=True) if yes), tuple(ys)

        return split, tuple(x for x, yes in zip(xs, floating, strict=True) if yes)

    def _forward(self, *xs: Array) -> tuple[Arrays, tuple[Any, ...]]:
        """Evaluate the block, and on plain arrays also keep the inner library's pullback."""
        plain = self._converted(xs)
        if plain is None:
            return self(*xs), (*xs, None)
        split, primals = self._split(plain)
        _, pullback, ys = self.inner.vjp(split, primals, has_aux=True)
        return self._returned(ys, plain, xs), (*xs, pullback)

    def _backward(self, residuals: Sequence[Any], cotangents: Sequence[Array | None]) -> Sequence[Array | None]:
        *xs, pullback = residuals
        floating, cts = self._floating(xs), tuple(ct for ct in cotangents if ct is not None)
        plain = None if pullback is None else self._converted(cts)
        if plain is not None:
            pulled = self._returned(pullback(plain), plain, xs)
        else:

            def pull(*arrays: Array) -> Arrays:
                split, primals = self._split(arrays[: len(xs)])
                grads: Arrays = self.inner.vjp(split, primals, has_aux=True)[1](tuple(arrays[len(xs) :]))
                return grads

            pulled = _Block(pull, self.inner, self.outer)(*xs, *cts)
        found = iter(pulled)
        return [next(found) if yes else None for yes in floating]

    def _push(self, xs: Arrays, tangents: Sequence[Array | None]) -> tuple[Arrays, Sequence[Array | None]]:
        given = tuple(t for t in tangents if t is not None)

        def push(*arrays: Array) -> Arrays:
            split, primals = self._split(arrays[: len(xs)])
            _, pushed, ys = self.inner.jvp(split, primals, tuple(arrays[len(xs) :]), has_aux=True)
            counts[:] = [len(ys)]
            return (*ys, *pushed)

        counts: list[int] = []
        results = _Block(push, self.inner, self.outer)(*xs, *given)
        outs, found = results[: counts[0]], iter(results[counts[0] :])
        return outs, [next(found) if yes else None for yes in self._floating(outs)]


def _apart(ys: Sequence[Array], plain: Arrays, backend: CompleteBackend) -> list[Array]:
    """Return the arrays with copies of those that share memory with an argument or with one before them."""
    if not backend.info.capabilities.mutation:  # what shares memory with them cannot tell
        return list(ys)
    found, taken = [], [_extent(x, backend) for x in plain]
    for y in ys:
        start, stop = extent = _extent(y, backend)
        shared = any(start < end and begin < stop for begin, end in taken)
        found.append(backend.copy(y) if shared else y)
        taken.append(extent)
    return found


def _extent(x: Array, backend: CompleteBackend) -> tuple[int, int]:
    """Return the first address of an array and the one behind its last, as both array interfaces tell them."""
    interface = getattr(x, "__cuda_array_interface__", None) or backend.to_numpy(x).__array_interface__
    shape, strides, size = interface["shape"], interface.get("strides"), int(interface["typestr"][2:])
    start = interface["data"][0]
    if 0 in shape:
        return start, start
    if strides is None:
        return start, start + size * prod(shape)
    steps = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    return start + sum(s for s in steps if s < 0), start + sum(s for s in steps if s > 0) + size


class _Call:
    """One call of a function across libraries, between pytrees and flat sequences of arrays.

    Attributes
    ----------
    arrays : tuple of array
        The arrays of the outer library among the arguments.
    """

    __slots__ = ("arrays", "aux", "aux_out", "f", "has_aux", "inner", "leaves", "out", "outer", "places", "spec")

    def __init__(
        self, f: Callable[..., Any], arguments: Any, has_aux: bool, inner: CompleteBackend, outer: CompleteBackend
    ) -> None:
        self.f, self.has_aux, self.inner, self.outer = f, has_aux, inner, outer
        self.leaves, self.spec = tree.flatten(arguments)
        self.places = [k for k, x in enumerate(self.leaves) if _of_type(x) is outer]
        self.arrays = tuple(self.leaves[k] for k in self.places)
        self.out: Any = None
        self.aux_out: Any = None
        self.aux: list[Any] = []

    def flat(self, *arrays: Array) -> Arrays:
        """Call the function with arrays of the inner library; return its outputs, then the arrays of its auxiliary output."""
        leaves = list(self.leaves)
        for k, x in zip(self.places, arrays, strict=True):
            leaves[k] = x
        args, kwargs = tree.unflatten(self.spec, leaves)
        result, auxiliary = self.f(*args, **kwargs), None
        if self.has_aux:
            result, auxiliary = pair(result)
        found, self.out = tree.flatten(result)
        outs = [self._array(k, x, arrays) for k, x in enumerate(found)]
        others, self.aux_out = tree.flatten(auxiliary)
        self.aux = [None if _of_type(x) is self.inner else (x,) for x in others]
        return (*outs, *(x for x in others if _of_type(x) is self.inner))

    def _array(self, k: int, x: Any, arrays: Arrays) -> Array:
        if _of_type(x) is self.inner:
            return x
        if _of_type(x) is not _SCALAR:
            raise not_an_output(self.inner, x, tree.paths(self.out, "output")[k])
        return self.inner.asarray(x, dtype=scalar_dtype(self.inner, x, arrays))

    def build(self, results: Arrays) -> Tree:
        """Return what the function returned, with these arrays of the outer library."""
        count = self.out.num_leaves
        out = tree.unflatten(self.out, results[:count])
        if not self.has_aux:
            return out
        found = map(self.outer.stop_gradient, results[count:])
        return out, tree.unflatten(self.aux_out, [next(found) if x is None else x[0] for x in self.aux])
