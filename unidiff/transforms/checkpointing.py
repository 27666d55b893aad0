"""Memory for time: derivatives in reverse mode that compute intermediate results again instead of keeping them."""

import dis
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, wraps
from itertools import pairwise
from math import isqrt
from operator import index
from types import CellType, CodeType, FunctionType
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Arrays, Tree
from unidiff.calls import not_an_output
from unidiff.dispatch import find_backend, scalar_dtype
from unidiff.errors import ArgumentError

__all__ = ["checkpoint", "checkpoint_sequential"]

_of_type = registry.of_type
_SCALAR = registry.SCALAR


def checkpoint(f: Callable[..., Any], *, backend: Any = None) -> Callable[..., Any]:
    """Return a function with the same results and derivatives of which reverse mode keeps the arguments only.

    Its intermediate results are computed again when the derivative is pulled back, so memory is paid for with time. For chains
    of functions see `checkpoint_sequential`.

    Parameters
    ----------
    f : callable
        Takes and returns pytrees. A pure function, also of what it closes over. It is called once, and once more each time a
        derivative in reverse mode is pulled back through it. JAX records it without values, so that Python control flow cannot
        depend on those.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    callable

    Raises
    ------
    unidiff.errors.ImpureFunctionError
        If `f` does something else when it is called again, where that is noticed.
    unidiff.errors.NotAnArrayError
        If `f` returns something that is neither an array nor a number.

    Notes
    -----
    What is saved depends on who records; ``python -m benchmarks.checkpoints`` measures it. unidiff's engine saves in all modes
    and orders, and under `unidiff.vmap`. PyTorch's tape, on which first derivatives in reverse mode run, saves as well, but its
    transforms (``torch.func``), on which forward mode, `unidiff.vmap` and derivatives of derivatives run, cannot drop what they
    have recorded: within them nothing is saved. On JAX it is ``jax.checkpoint``, whose pullback keeps the arguments only; under
    `unidiff.jit` the compiler decides, and that for CPUs merges what is computed again with what it was computed from, so that
    nothing is saved there. A backend without a recording to drop calls `f` as it is.
    A. Griewank, "Achieving logarithmic growth of temporal and spatial complexity in reverse automatic differentiation", 1992.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> layer = ud.checkpoint(lambda x: np.sin(np.exp(x)))
    >>> bool(ud.grad(layer)(np.asarray(0.0)) == np.cos(1.0))
    True
    """
    if not callable(f):
        raise ArgumentError(f"The function of a checkpoint must be callable, but it is {f!r:.200}.")

    @wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        call = _Call(_as_it_is_now(f), args, kwargs, backend)
        return call.build(call.backend.checkpoint(call.flat)(*call.arrays))

    return checkpointed


def checkpoint_sequential(
    functions: Sequence[Callable[[Any], Any]], segments: int | None = None, *, backend: Any = None
) -> Callable[[Tree], Tree]:
    """Return the composition of functions, with checkpoints such that reverse mode needs memory for few of them.

    Of n functions in s segments of equal length, all but the last under `checkpoint`, reverse mode keeps s arguments and the
    intermediate results of one segment: O(sqrt(n)) with the default number of segments, for one more evaluation of each
    function.

    Parameters
    ----------
    functions : sequence of callable
        Each takes what the one before it returns, a pytree of arrays.
    segments : int, optional
        The number of segments; by default the square root of the number of functions.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    callable
        Takes the argument of the first function and returns what the last one returns.

    Raises
    ------
    unidiff.errors.ArgumentError
        If there are no functions, or `segments` is not between 1 and their number.

    Notes
    -----
    T. Chen et al., "Training deep nets with sublinear memory cost", 2016.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> chain = ud.checkpoint_sequential([np.sin] * 16)
    >>> float(ud.grad(chain)(np.asarray(0.0)))
    1.0
    """
    functions = list(functions) if isinstance(functions, Iterable) else []
    if not functions or not all(map(callable, functions)):
        raise ArgumentError("checkpoint_sequential needs a sequence of functions, at least one.")
    count = len(functions)
    try:
        number = isqrt(count - 1) + 1 if segments is None else index(segments)
    except TypeError:
        number = 0
    if not 1 <= number <= count:
        raise ArgumentError(
            f"segments must be an integer between 1 and the number of functions, {count}, but it is {segments!r:.200}."
        )
    ends = [count * k // number for k in range(number + 1)]
    parts = [_composed(functions[start:end]) for start, end in pairwise(ends)]
    return _composed([*(checkpoint(part, backend=backend) for part in parts[:-1]), parts[-1]])


def _composed(functions: Sequence[Callable[[Any], Any]]) -> Callable[[Tree], Tree]:
    def chain(x: Tree) -> Tree:
        for function in functions:
            x = function(x)
        return x

    return chain


def _as_it_is_now(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with variables of its own for those it closes over, which a loop may change before it is called again.

    One that assigns to them itself is returned as it is.
    """
    if not isinstance(f, FunctionType) or not f.__closure__ or _assigns(f.__code__):
        return f
    try:
        cells = tuple(CellType(cell.cell_contents) for cell in f.__closure__)
    except ValueError:  # a variable that has no value yet
        return f
    copied = FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, cells)
    copied.__kwdefaults__ = f.__kwdefaults__
    return copied


@lru_cache(maxsize=1024)
def _assigns(code: CodeType) -> bool:
    """Say whether code, or a function inside of it, assigns to a variable that it closes over."""
    free = set(code.co_freevars)
    if any(i.opname in ("STORE_DEREF", "DELETE_DEREF") and i.argval in free for i in dis.get_instructions(code)):
        return True
    return any(isinstance(x, CodeType) and _assigns(x) for x in code.co_consts)


class _Call:
    """One call of a function, split into the arrays and the rest."""

    __slots__ = ("arrays", "backend", "f", "kind", "leaves", "out", "places", "spec")

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], backend: Any) -> None:
        self.f = f
        self.backend, self.kind = find_backend(args, kwargs, backend)
        self.leaves, self.spec = tree.flatten((args, kwargs))
        self.places = [k for k, x in enumerate(self.leaves) if _of_type(x) is self.kind]
        self.arrays = tuple(self.leaves[k] for k in self.places)
        for k in self.places:
            self.leaves[k] = None
        self.out: Any = None

    def flat(self, *arrays: Array) -> Arrays:
        """Call the function with these arrays."""
        leaves = list(self.leaves)
        for k, x in zip(self.places, arrays, strict=True):
            leaves[k] = x
        args, kwargs = tree.unflatten(self.spec, leaves)
        found, self.out = tree.flatten(self.f(*args, **kwargs))
        return tuple(self._array(k, x) for k, x in enumerate(found))

    def _array(self, k: int, x: Any) -> Array:
        if _of_type(x) is self.kind:
            return x
        if _of_type(x) is not _SCALAR:
            raise not_an_output(self.backend, x, tree.paths(self.out, "output")[k])
        device = self.backend.device(self.arrays[0]) if self.arrays else None
        return self.backend.asarray(x, dtype=scalar_dtype(self.backend, x, self.arrays), device=device)

    def build(self, outs: Arrays) -> Tree:
        """Return the output that consists of these arrays."""
        return tree.unflatten(self.out, outs)
