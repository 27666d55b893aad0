"""Numerical derivatives with estimates of their errors, for any function that can be called.

Difference quotients of any order and accuracy, extrapolated to step 0, and the complex step. The function gets plain arrays, so
it may do anything inside: leave the library, call compiled code, read a table. The same differences without error estimates
are a backend, ``backend="finite"``, which every transform takes.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any

from unidiff._typing import Array, Tree
from unidiff.calls import Call, Output, checked_argnums
from unidiff.derive import CompleteBackend, basis
from unidiff.differences import METHODS, Stencil, complex_step, extrapolated, precision, stencil
from unidiff.errors import ArgumentError, TreeError
from unidiff.first_order import _require_scalar, check_callable, sequence
from unidiff.jacobians import ComplexJacobian
from unidiff.matrix_free.estimate import Estimate

__all__ = ["grad", "jacobian", "jvp"]


def jvp(
    f: Callable[..., Any],
    primals: Sequence[Tree],
    tangents: Sequence[Tree],
    *,
    order: int = 1,
    method: str = "central",
    accuracy: int = 2,
    step: float | None = None,
    backend: Any = None,
    **kwargs: Any,
) -> Estimate:
    """Compute a directional derivative of any order numerically: ``d^k f(x + t v) / dt^k`` at t = 0.

    Parameters
    ----------
    f : callable
        Returns a pytree of arrays or numbers. It is called some dozens of times.
    primals, tangents : tuple or list of pytree
        The point and the direction, real or complex floating arrays of the same structures, shapes and dtypes.
    order : int
        The order of the derivative.
    method : {"central", "forward", "backward", "complex"}
        Where `f` is evaluated: on both sides, on one side (at the border of its domain), or at ``x + i h v``. The complex step
        has all digits of a first derivative, but needs real primals and a holomorphic function.
    accuracy : int
        The power of the step in the error of the first quotient, from which the extrapolation starts.
    step : float, optional
        The largest step, in units of `tangents`; by default one that suits dtype and size of the primals. Give it where `f`
        is rough on a scale of its own, or undefined nearby.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.
    **kwargs
        Keyword arguments of `f`.

    Returns
    -------
    unidiff.Estimate
        The derivative, of the structure, shapes and dtypes of the output, and an estimate of its error.

    Raises
    ------
    unidiff.errors.ArgumentError
        If `order`, `method`, `accuracy` or `step` make no sense.
    unidiff.errors.NotDifferentiableError
        If the complex step meets a complex primal or an output without imaginary part.
    unidiff.errors.UnidiffError
        As `unidiff.jvp`.

    Notes
    -----
    Ridders' extrapolation of Fornberg's difference formulas; W. Squire and G. Trapp, SIAM Rev. 40 (1998), for the complex step.

    Examples
    --------
    >>> import math
    >>> import numpy as np
    >>> from unidiff import numerical
    >>> value, error = numerical.jvp(lambda x: math.sin(float(x)), (np.asarray(1.0),), (np.asarray(1.0),), order=3)
    >>> abs(float(value) + math.cos(1.0)) < float(error) < 1e-6
    True
    """
    check_callable(f)
    primals, tangents = sequence(primals, "primals"), sequence(tangents, "tangents")
    if len(primals) != len(tangents):
        raise TreeError(f"There are {len(primals)} primals, but {len(tangents)} tangents.")
    quotient = _Quotient(method, order, accuracy, step)
    call = Call(f, primals, kwargs, tuple(range(len(primals))), backend)
    output = Output(call, has_aux=False)
    values, errors = quotient(call, output, call.tangents(tangents))
    output.join(*output(*call.primals))
    return Estimate(output.join_tangents(values), _errors(output, errors))


class _Quotient:
    """What to compute for each direction."""

    def __init__(self, method: str, order: int, accuracy: int, step: Any) -> None:
        if step is not None and not (isinstance(step, (int, float)) and step > 0):
            raise ArgumentError(f"step must be a positive number, but it is {step!r:.200}.")
        if method == "complex":
            if order != 1:
                raise ArgumentError(f"The complex step has derivatives of order 1, not {order!r}; use method='central'.")
            self.scheme: Stencil | None = None
        elif method not in METHODS:
            raise ArgumentError(f"method must be one of {', '.join((*METHODS, 'complex'))}, but it is {method!r:.200}.")
        else:
            self.scheme = stencil(method, order, accuracy)
        self.step = step

    def __call__(self, call: Call, output: Output, tangents: Any) -> tuple[Sequence[Array], Sequence[Array]]:
        b = call.backend
        if self.scheme is None:
            values = complex_step(b, lambda *xs: output(*xs)[0], call.primals, tangents)
            eps = 8 * precision(b, call.primals)
            return values, [b.asarray(eps * b.namespace(y).abs(y)) for y in values]
        return extrapolated(b, lambda *xs: output(*xs)[0], call.primals, tangents, self.scheme, self.step)


def _errors(output: Output, errors: Sequence[Array]) -> Tree:
    found, zeros = iter(errors), output.call.backend.zeros_like
    pairs = zip(output.leaves, output.differentiable, strict=True)
    return output.build([next(found) if yes else zeros(x) for x, yes in pairs])


def _directions(b: CompleteBackend, primals: Sequence[Array]) -> Iterator[tuple[int, list[Array]]]:
    """Yield each unit direction of the primals, with the number of the primal that it moves."""
    for j, x in enumerate(primals):
        for unit in basis(b, x):
            yield j, [unit if i == j else b.zeros_like(p) for i, p in enumerate(primals)]


def grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    method: str = "central",
    accuracy: int = 2,
    step: float | None = None,
    backend: Any = None,
) -> Callable[..., Estimate]:
    """Return a function that computes the gradient of a function numerically, with an estimate of its error.

    Parameters
    ----------
    f : callable
        Returns one real array of shape () or a number. It is called some dozens of times for each element.
    argnums : int or sequence of int
        As for `unidiff.grad`.
    method, accuracy, step
        As for `jvp`.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns an `unidiff.Estimate` of two pytrees like the gradient of `unidiff.grad`.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `jvp`, and `unidiff.errors.NonScalarOutputError` as `unidiff.grad`.

    Examples
    --------
    >>> import numpy as np
    >>> from unidiff import numerical
    >>> value, error = numerical.grad(lambda x: float(x[0]) ** 2 * float(x[1]))(np.asarray([1.0, 3.0]))
    >>> bool(np.all(np.abs(value - [6.0, 1.0]) < 1e-9)), bool(np.all(error < 1e-8))
    (True, True)
    """
    check_callable(f)
    numbers, quotient = checked_argnums(argnums), _Quotient(method, 1, accuracy, step)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Estimate:
        call = Call(f, args, kwargs, numbers, backend)
        output = _Scalar(call)
        columns: list[list[Any]] = [[] for _ in call.primals]
        for j, direction in _directions(call.backend, call.primals):
            (value,), (error,) = quotient(call, output, direction)
            columns[j].append((value, error))
        blocks = [_leaf(call.backend, column, x) for column, x in zip(columns, call.primals, strict=True)]
        return Estimate(call.build([v for v, _ in blocks]), call.build([e for _, e in blocks]))

    return gradient


class _Scalar(Output):
    """The output of a function that must return a real scalar, under the complex step a complex one."""

    __slots__ = ()

    def __init__(self, call: Call) -> None:
        super().__init__(call, has_aux=False)
        outs, _ = super().__call__(*call.primals)
        _require_scalar(call, self, outs)


def _leaf(b: CompleteBackend, column: list[Any], x: Array) -> tuple[Array, Array]:
    """Return the derivatives by the coordinates of a primal and their errors in its shape."""
    if not column:
        zeros = b.zeros_like(x)
        return zeros, b.asarray(b.namespace(zeros).abs(zeros))
    values, errors = ([pair[i] for pair in column] for i in (0, 1))
    xp = b.namespace(*values)
    value, error = xp.stack(values), xp.stack(errors)
    if b.is_complex(x):
        value, error = value[0::2] + 1j * value[1::2], error[0::2] + error[1::2]
    shape = tuple(x.shape)
    return xp.reshape(xp.astype(value, x.dtype, copy=False), shape), xp.reshape(error, shape)


def jacobian(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    method: str = "central",
    accuracy: int = 2,
    step: float | None = None,
    backend: Any = None,
) -> Callable[..., Estimate]:
    """Return a function that computes the Jacobian of a function numerically, with an estimate of its error.

    Parameters
    ----------
    f : callable
        Returns a pytree of arrays or numbers. It is called some dozens of times for each element of the arguments.
    argnums : int or sequence of int
        As for `unidiff.jacobian`.
    method, accuracy, step
        As for `jvp`.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns an `unidiff.Estimate` of two pytrees like the result of `unidiff.jacobian`, with
        blocks of the dtypes of the outputs.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `jvp`.

    Examples
    --------
    >>> import numpy as np
    >>> from unidiff import numerical
    >>> value, error = numerical.jacobian(lambda x: np.cumsum(x) ** 2)(np.asarray([1.0, 2.0]))
    >>> np.round(value, 9)
    array([[2., 0.],
           [6., 6.]])
    """
    check_callable(f)
    numbers, quotient = checked_argnums(argnums), _Quotient(method, 1, accuracy, step)

    @wraps(f)
    def jacobian_of_f(*args: Any, **kwargs: Any) -> Estimate:
        call = Call(f, args, kwargs, numbers, backend)
        output = Output(call, has_aux=False)
        columns: list[list[Any]] = [[] for _ in call.primals]
        for j, direction in _directions(call.backend, call.primals):
            columns[j].append(quotient(call, output, direction))
        outs, rest = output(*call.primals)
        output.join(outs, rest)
        found = iter(enumerate(outs))
        rows = [(next(found)[0] if yes else None, y) for y, yes in zip(output.leaves, output.differentiable, strict=True)]
        trees = []
        for part in (0, 1):
            blocks = [
                [_block(call.backend, column, k, part, y, x) for column, x in zip(columns, call.primals, strict=True)]
                for k, y in rows
            ]
            trees.append(output.build([call.build(row) for row in blocks]))
        return Estimate(*trees)

    return jacobian_of_f


def _block(b: CompleteBackend, column: list[Any], k: int | None, part: int, y: Array, x: Array) -> Any:
    """Return the block of an output and a primal, of values (part 0) or errors (part 1); a pair for a complex primal."""
    shape = (*y.shape, *x.shape)
    stacks: list[Array] = []
    for start in range(1 + b.is_complex(x)):
        entries = [] if k is None else [results[part][k] for results in column[start :: 1 + b.is_complex(x)]]
        xp = b.namespace(*entries)
        if entries:
            stacks.append(xp.reshape(xp.stack(entries, axis=-1), shape))
        else:
            stacks.append(xp.zeros(shape, dtype=b.real_dtype(x.dtype), device=b.device(x)))
    return ComplexJacobian(*stacks) if b.is_complex(x) else stacks[0]
