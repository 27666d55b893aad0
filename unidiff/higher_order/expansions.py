"""Taylor expansions of functions: coefficients along a direction, and models of first and second order."""

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

from unidiff import tree
from unidiff._typing import Arrays, Tree
from unidiff.calls import Call, Output, own
from unidiff.errors import ArgumentError, TreeError
from unidiff.first_order import check_callable, linearize, sequence
from unidiff.matrix_free.vectors import Space

__all__ = ["directional_derivative", "linear_approximation", "quadratic_approximation", "taylor"]


def taylor(
    f: Callable[..., Any],
    primals: Sequence[Tree],
    tangents: Sequence[Tree],
    order: int,
    *,
    backend: Any = None,
    **kwargs: Any,
) -> list[Tree]:
    """Expand a function along a direction: the coefficients of ``f(primals + t * tangents)`` in powers of t.

    Parameters
    ----------
    f : callable
        Returns a pytree of arrays. It is called once.
    primals, tangents : tuple or list of pytree
        The point and the direction: real or complex floating arrays of the same structures, shapes and dtypes.
    order : int
        The highest power, at least 0.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.
    **kwargs
        Keyword arguments of `f`.

    Returns
    -------
    list of pytree
        ``order + 1`` pytrees like the output; entry k is the k-th derivative along the tangents over k!. Outputs of an integer
        or boolean dtype have zeros from entry 1 on.

    Raises
    ------
    unidiff.errors.ArgumentError
        If `order` is not an integer of at least 0.
    unidiff.errors.UnidiffError
        As `unidiff.jvp`.

    Notes
    -----
    Where unidiff's own engine differentiates, as on NumPy, power series are propagated through the function, at a cost that
    grows with the square of `order`. On PyTorch and JAX forward mode is nested, which is right for every function but costs
    about ``2**order`` evaluations or more: up to order 6 or so.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> coefficients = ud.taylor(np.exp, (np.asarray(0.0),), (np.asarray(1.0),), 4)
    >>> [round(float(c), 6) for c in coefficients]
    [1.0, 1.0, 0.5, 0.166667, 0.041667]
    """
    check_callable(f)
    if not isinstance(order, int) or isinstance(order, bool) or order < 0:
        raise ArgumentError(f"order must be an integer of at least 0, but it is {order!r:.200}.")
    primals, tangents = sequence(primals, "primals"), sequence(tangents, "tangents")
    if len(primals) != len(tangents):
        raise TreeError(f"There are {len(primals)} primals, but {len(tangents)} tangents.")
    call = Call(f, primals, kwargs, tuple(range(len(primals))), backend)
    b, output, directions = call.backend, Output(call, has_aux=False), call.tangents(tangents)
    parts, rest = b.taylor(output, call.primals, directions, order, has_aux=True)
    first, *coefficients = _owned(b, parts, (*call.primals, *directions))
    value, _ = output.join(first, rest)
    return [value, *map(output.join_tangents, coefficients)]


def _owned(b: Any, parts: Sequence[Arrays], given: Arrays) -> list[Arrays]:
    """Return arrays that are neither each other's nor any of those given."""
    flat = own(b, [x for part in parts for x in part], given)
    count = len(parts[0])
    return [tuple(flat[k * count : (k + 1) * count]) for k in range(len(parts))]


def directional_derivative(
    f: Callable[..., Any],
    primals: Sequence[Tree],
    tangents: Sequence[Tree],
    order: int = 1,
    *,
    backend: Any = None,
    **kwargs: Any,
) -> Tree:
    """Compute a derivative of any order along a direction: ``d^k f(primals + t * tangents) / dt^k`` at t = 0.

    Parameters
    ----------
    f, primals, tangents, backend, **kwargs
        As for `taylor`.
    order : int
        The order of the derivative.

    Returns
    -------
    pytree
        Like the output.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `taylor`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> float(ud.directional_derivative(lambda x: x[0] ** 2 * x[1], (np.asarray([1.0, 3.0]),), (np.asarray([1.0, 1.0]),), 2))
    10.0
    """
    coefficient = taylor(f, primals, tangents, order, backend=backend, **kwargs)[-1]
    return tree.map(lambda c: factorial(order) * c, coefficient) if order > 1 else coefficient


def _displacement(points: Sequence[Tree], primals: Sequence[Tree]) -> tuple[Tree, ...]:
    if len(points) != len(primals):
        raise TreeError(f"The function was expanded in {len(primals)} arguments, but {len(points)} were given.")
    found = []
    for k, (point, x) in enumerate(zip(points, primals, strict=True)):
        space = Space(x, f"argument {k}")
        found.append(space.build(space.combine(1, space.check(point, f"argument {k}"), -1, space.leaves)))
    return tuple(found)


def linear_approximation(f: Callable[..., Any], *primals: Tree, backend: Any = None, **kwargs: Any) -> Callable[..., Tree]:
    """Return the first-order Taylor polynomial of a function at a point, ``f(x) + f'(x) (y - x)``.

    Parameters
    ----------
    f : callable
        Returns a pytree of floating arrays. It is called once, however often the polynomial is evaluated.
    *primals : pytree
        The point: all positional arguments, differentiated.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.
    **kwargs
        Keyword arguments of `f`.

    Returns
    -------
    callable
        Takes arguments like `primals` and returns a pytree like the output.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `unidiff.linearize`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> model = ud.linear_approximation(lambda x: x**2, np.asarray([1.0, 3.0]))
    >>> model(np.asarray([2.0, 3.0]))
    array([3., 9.])
    """
    value, push = linearize(f, *primals, backend=backend, **kwargs)

    def model(*points: Tree) -> Tree:
        return tree.map(lambda a, c: a + c, value, push(*_displacement(points, primals)))

    return model


def quadratic_approximation(f: Callable[..., Any], *primals: Tree, backend: Any = None, **kwargs: Any) -> Callable[..., Tree]:
    """Return the second-order Taylor polynomial of a function at a point, ``f(x) + f'(x) d + f''(x)[d, d] / 2``, d = y - x.

    Parameters
    ----------
    f : callable
        Returns a pytree of floating arrays. It is called once for each evaluation of the polynomial.
    *primals, backend, **kwargs
        As for `linear_approximation`.

    Returns
    -------
    callable
        Takes arguments like `primals` and returns a pytree like the output.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `unidiff.jvp`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> model = ud.quadratic_approximation(lambda x: x**3, np.asarray([1.0, 3.0]))
    >>> model(np.asarray([2.0, 3.0]))
    array([ 7., 27.])
    """
    check_callable(f)

    def model(*points: Tree) -> Tree:
        terms = taylor(f, primals, _displacement(points, primals), 2, backend=backend, **kwargs)
        return tree.map(lambda a, c, d: a + c + d, *terms)

    return model
