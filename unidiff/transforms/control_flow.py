"""Branches and loops that work under every transform and, compiled, on every backend."""

from collections.abc import Callable
from operator import index
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Arrays, Tree
from unidiff.calls import own, pair
from unidiff.derive import CompleteBackend
from unidiff.dispatch import dtype_name, find_backend
from unidiff.errors import ArgumentError, DTypeError, NotAnArrayError, ShapeError, UnidiffError
from unidiff.transforms.carry import Flow, Leaves

__all__ = ["cond", "fori_loop", "scan", "while_loop"]

_of_type = registry.of_type
_SCALAR = registry.SCALAR


def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Tree, backend: Any = None) -> Tree:
    """Return ``true_fun(*operands)`` if the predicate holds, else ``false_fun(*operands)``.

    Where the predicate is known, as it is unless the program is compiled or mapped over it, only that function is called.
    Under `unidiff.vmap` with a predicate for each slice both are called, and each slice gets the result of its own.

    Parameters
    ----------
    pred : bool or array
        A boolean (or number, which is compared with 0) of shape ().
    true_fun, false_fun : callable
        Take the operands and return pytrees of arrays of one structure, with the same shapes and dtypes.
    *operands : pytree
        Pytrees of arrays and Python numbers.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    pytree

    Raises
    ------
    unidiff.errors.ShapeError
        If the predicate is not of shape (), or the shapes of the results differ.
    unidiff.errors.TreeError, unidiff.errors.DTypeError
        If both functions are evaluated and their results differ in structure or dtype.
    unidiff.errors.NotAnArrayError
        If an operand or a result is not an array.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> f = lambda x: ud.cond(x > 0, lambda x: x**2, lambda x: -x, x)
    >>> ud.vmap(ud.grad(f))(np.asarray([3.0, -3.0]))
    array([ 6., -1.])
    """
    for f in (true_fun, false_fun):
        _check_callable(f, "branch")
    b, kind = find_backend((pred, *operands), {}, backend)
    flow = Flow(b, kind, tree.leaves((pred, operands)))
    inputs = flow.flatten(operands, "operands")
    if _of_type(pred) is _SCALAR:
        branch = true_fun if pred else false_fun
        return flow.build(own(b, flow.branch(branch, inputs.spec)(*inputs.arrays), inputs.arrays))
    if _of_type(pred) not in (kind, b):
        raise NotAnArrayError(f"The predicate is {pred!r:.200} of type {type(pred).__qualname__}, not a boolean.")
    if_true, if_false = flow.branch(true_fun, inputs.spec), flow.branch(false_fun, inputs.spec)
    return flow.build(own(b, b.cond(flow.truth(pred, "predicate"), if_true, if_false, inputs.arrays), inputs.arrays))


def while_loop(cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Tree, *, backend: Any = None) -> Tree:
    """Apply a function to a value for as long as a condition of the value holds.

    The meaning is that of ``while cond_fun(val): val = body_fun(val)``. Under `unidiff.vmap` with a condition for each slice
    the loop goes round until no slice goes on; those that are done keep their value. Forward mode goes through the loop,
    reverse mode does not: the steps are not kept.

    Parameters
    ----------
    cond_fun : callable
        Takes the value and returns a boolean of shape ().
    body_fun : callable
        Takes the value and returns the next one, of the same structure, shapes and dtypes.
    init_val : pytree
        The first value: a pytree of arrays and Python numbers, which become arrays.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    pytree
        The last value.

    Raises
    ------
    unidiff.errors.TreeError, unidiff.errors.ShapeError, unidiff.errors.DTypeError
        If `body_fun` returns a value of another structure, shape or dtype; the message names the leaf.
    unidiff.errors.UnsupportedOperationError
        If the result is differentiated in reverse mode.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> halve = lambda x: ud.while_loop(lambda x: x > 1, lambda x: x / 2, x)
    >>> ud.vmap(halve)(np.asarray([10.0, 3.0, 0.5]))
    array([0.625, 0.75 , 0.5  ])
    """
    _check_callable(cond_fun, "condition")
    _check_callable(body_fun, "body")
    b, kind = find_backend((init_val,), {}, backend)
    flow = Flow(b, kind, tree.leaves(init_val))
    carry = flow.carry(init_val)

    def condition(*values: Array) -> Array:
        return flow.truth(cond_fun(tree.unflatten(carry.spec, values)), "condition")

    def body(*values: Array) -> Arrays:
        return flow.next(body_fun(tree.unflatten(carry.spec, values)), carry)

    return tree.unflatten(carry.spec, own(b, b.while_loop(condition, body, carry.arrays), carry.given))


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Tree, *, backend: Any = None) -> Tree:
    """Apply a function to a value and a counter for each number from `lower` to `upper` - 1.

    The meaning is that of ``for i in range(lower, upper): val = body_fun(i, val)``. With bounds that are known beforehand,
    integers or arrays that are neither mapped over nor compiled, it is a `scan`, which has reverse mode; else a `while_loop`,
    which has not.

    Parameters
    ----------
    lower, upper : int or array
        The bounds: integers of shape ().
    body_fun : callable
        ``body_fun(i, val)`` takes the counter, an integer array of shape (), and the value, and returns the next value, of the
        same structure, shapes and dtypes.
    init_val : pytree
        The first value: a pytree of arrays and Python numbers, which become arrays.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    pytree
        The last value.

    Raises
    ------
    unidiff.errors.DTypeError, unidiff.errors.ShapeError
        If a bound is no integer of shape ().
    unidiff.errors.TreeError, unidiff.errors.ShapeError, unidiff.errors.DTypeError
        If `body_fun` returns a value of another structure, shape or dtype; the message names the leaf.
    unidiff.errors.UnsupportedOperationError
        If the bounds are not known and the result is differentiated in reverse mode.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.grad(lambda x: ud.fori_loop(0, 3, lambda i, y: y * x, 1.0))(np.asarray(2.0))
    array(12.)
    """
    _check_callable(body_fun, "body")
    b, _ = find_backend((lower, upper, init_val), {}, backend)
    start, stop = _bound(b, lower, "lower"), _bound(b, upper, "upper")
    device = next((b.device(x) for x in tree.leaves((lower, upper, init_val)) if _of_type(x) is not _SCALAR), None)
    if start is not None and stop is not None:
        counters = b.namespace().arange(start, max(start, stop), device=device)
        return scan(lambda val, i: (body_fun(i, val), None), init_val, counters, backend=backend)[0]
    first, last = (b.asarray(x, device=device) if _of_type(x) is _SCALAR else x for x in (lower, upper))
    if last.dtype != first.dtype:
        last = b.namespace(last).astype(last, first.dtype)

    def going(state: Any) -> Any:
        return state[0] < last

    _, val = while_loop(going, lambda state: (state[0] + 1, body_fun(*state)), (first, init_val), backend=backend)
    return val


def _bound(b: CompleteBackend, x: Any, name: str) -> int | None:
    """Return a bound as a Python integer, None where its value is not known."""
    if _of_type(x) is _SCALAR:
        try:
            return index(x)
        except TypeError:
            raise DTypeError(f"The bound {name} must be an integer, but it is {x!r}.") from None
    if _of_type(x) is None:
        raise NotAnArrayError(f"The bound {name} is {x!r:.200} of type {type(x).__qualname__}, not an integer.")
    if b.kind(x.dtype) != "integral":
        raise DTypeError(f"The bound {name} must be an integer, but its dtype is {dtype_name(x.dtype)}.")
    if tuple(x.shape) != ():
        raise ShapeError(f"The bound {name} must be of shape (), but its shape is {tuple(x.shape)}.")
    try:
        return index(x)
    except (TypeError, RuntimeError, UnidiffError):  # the ways in which libraries say that an array has no value yet
        return None


def scan(
    f: Callable[[Any, Any], Any],
    init: Tree,
    xs: Tree = None,
    length: int | None = None,
    reverse: bool = False,
    *,
    backend: Any = None,
) -> tuple[Tree, Tree]:
    """Apply a function to a carry and each slice of some arrays, and stack what it returns.

    The meaning is that of::

        ys = []
        for x in xs:
            carry, y = f(carry, x)
            ys.append(y)
        return carry, stack(ys)

    with pytrees for all of them. It is differentiated in both modes and to any order.

    Parameters
    ----------
    f : callable
        ``f(carry, x) -> (carry, y)``. The carry keeps its structure, shapes and dtypes.
    init : pytree
        The first carry: a pytree of arrays and Python numbers, which become arrays.
    xs : pytree
        Arrays with one first axis to go along, or None to go round `length` times with ``x`` None.
    length : int, optional
        The number of steps, needed only where `xs` has no arrays.
    reverse : bool
        Whether to go from the last slice to the first; the results are stacked in the order of the slices all the same.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    carry : pytree
        The last carry.
    ys : pytree
        What `f` returned beside the carries, with a first axis of `length`. Where `length` is 0, `f` is called once with slices
        of ones, for the shapes of the empty results, on backends that run eagerly.

    Raises
    ------
    unidiff.errors.ShapeError
        If the first axes of `xs` differ in length, or from `length`.
    unidiff.errors.ArgumentError
        If there is neither `xs` nor `length`, or `f` returns no pair.
    unidiff.errors.TreeError, unidiff.errors.ShapeError, unidiff.errors.DTypeError
        If `f` returns a carry of another structure, shape or dtype; the message names the leaf.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.scan(lambda total, x: (total + x, total * x), 0.0, np.asarray([1.0, 2.0, 3.0]))
    (array(6.), array([0., 2., 9.]))
    """
    _check_callable(f, "function")
    b, kind = find_backend((init, xs), {}, backend)
    flow = Flow(b, kind, tree.leaves((init, xs)))
    inputs, carry = flow.flatten(xs, "xs", convert=False), flow.carry(init)
    steps = _steps(inputs, length)

    def step(values: Arrays, slices: Arrays) -> tuple[Arrays, Arrays]:
        after, y = pair_of(f(tree.unflatten(carry.spec, values), tree.unflatten(inputs.spec, slices)))
        return flow.next(after, carry), flow.output(y)

    last, ys = b.scan(step, carry.arrays, inputs.arrays, steps, bool(reverse))
    owned = own(b, (*last, *ys), carry.given, inputs.arrays)
    return tree.unflatten(carry.spec, owned[: len(last)]), flow.build(owned[len(last) :])


def pair_of(result: Any) -> tuple[Any, Any]:
    """Return the carry and the result of a step."""
    try:
        return pair(result)
    except ArgumentError:
        raise ArgumentError(f"The function of scan must return a tuple (carry, y), but it returned {result!r:.200}.") from None


def _steps(inputs: Leaves, length: Any) -> int:
    if length is not None:
        try:
            length = index(length)
        except TypeError:
            raise ArgumentError(f"length must be an integer, but it is {length!r:.200}.") from None
        if length < 0:
            raise ArgumentError(f"length must be at least 0, but it is {length}.")
    lengths: dict[int, int] = {}
    for k, x in enumerate(inputs.arrays):
        if not x.shape:
            raise ShapeError(f"The {inputs.path(k)} is of shape (), so it has no axis to go along.")
        lengths[k] = x.shape[0]
    if length is None and not lengths:
        raise ArgumentError("scan needs xs or length: there is no array whose first axis tells the number of steps.")
    found: set[int] = {*lengths.values(), *(() if length is None else (length,))}
    if len(found) > 1:
        where = "; ".join(f"{inputs.path(k)} has {n}" for k, n in lengths.items())
        raise ShapeError(f"The first axes of xs must be of one length{'' if length is None else f', {length}'}, but {where}.")
    (steps,) = found
    return steps


def _check_callable(f: Any, what: str) -> None:
    if not callable(f):
        raise ArgumentError(f"The {what} must be callable, but it is {f!r:.200}.")
