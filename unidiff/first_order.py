"""Gradients, Jacobian-vector and vector-Jacobian products."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Tree
from unidiff.calls import Call, Output, checked_argnums, own
from unidiff.dispatch import dtype_name
from unidiff.errors import ArgumentError, NonScalarOutputError, NotAnArrayError, TreeError

__all__ = ["grad", "jvp", "linearize", "value_and_grad", "vjp"]

_of_type = registry.of_type


def grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, backend: Any = None
) -> Callable[..., Any]:
    """Return a function that computes the gradient of a function.

    For a real function of complex arguments the gradient is df/dx + i df/dy, the direction of steepest ascent.

    Parameters
    ----------
    f : callable
        Returns one real array of shape (), or ``(out, aux)`` with `has_aux`. It is called once.
    argnums : int or sequence of int
        The positional arguments to differentiate, pytrees of real or complex floating arrays; negative ones count from the
        end. Other arguments, and all that are passed by keyword, are not differentiated.
    has_aux : bool
        Whether `f` returns a pair whose second member, a pytree of anything, is returned as it is.
    backend : str, optional
        The backend where no array tells it, as with Python floats; "numpy" by default.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns the gradient: a pytree like the argument, or a tuple of such for a sequence of
        `argnums`; with `has_aux` the pair ``(gradient, aux)``. Leaves have the shape, dtype and device of the primals.

    Raises
    ------
    unidiff.errors.NonScalarOutputError
        If the output is not one real array of shape ().
    unidiff.errors.DTypeError
        If an argument to differentiate is of an integer or boolean dtype.
    unidiff.errors.MixedBackendsError, unidiff.errors.MixedDevicesError
        If the arguments belong to several libraries or devices.

    Examples
    --------
    >>> import unidiff as ud
    >>> float(ud.grad(lambda x: x**3)(2.0))
    12.0
    """
    check_callable(f)
    numbers = checked_argnums(argnums)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        call = Call(f, args, kwargs, numbers, backend)
        if has_aux:
            _, grads, aux = _value_and_grad(call, True)
            return grads, aux
        b = call.backend
        _, leaves = b.value_and_grad(_scalar(call), call.primals)
        return call.build(own(b, leaves, call.primals))

    return gradient


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, backend: Any = None
) -> Callable[..., Any]:
    """Return a function that computes the value and the gradient of a function in one evaluation.

    Parameters
    ----------
    f : callable
        As for `grad`.
    argnums : int or sequence of int
        As for `grad`.
    has_aux : bool
        As for `grad`.
    backend : str, optional
        As for `grad`.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns ``(value, gradient)``, or ``((value, aux), gradient)`` with `has_aux`.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `grad`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> value, gradient = ud.value_and_grad(lambda x: (x * x).sum())(np.asarray([1.0, 2.0]))
    >>> float(value), gradient
    (5.0, array([2., 4.]))
    """
    check_callable(f)
    numbers = checked_argnums(argnums)

    @wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        value, grads, aux = _value_and_grad(Call(f, args, kwargs, numbers, backend), has_aux)
        return ((value, aux) if has_aux else value), grads

    return value_and_gradient


def _scalar(call: Call) -> Callable[..., Any]:
    """Return the flat function of a gradient: its output is checked, and the usual one, a bare array, needs no more."""
    f, kind, is_real = call.flat, call.kind, call.backend.is_real

    def flat(*leaves: Array) -> Any:
        y = f(*leaves)
        if _of_type(y) is kind and y.shape == () and is_real(y):
            return (y,)
        output = Output(call, False)
        outs, _ = output.split(y)
        _require_scalar(call, output, outs, leaves)
        return outs

    return flat


def _value_and_grad(call: Call, has_aux: bool) -> tuple[Tree, Tree, Tree]:
    f, b, kind, is_real = call.flat, call.backend, call.kind, call.backend.is_real
    output: Output | None = None

    def flat(*leaves: Array) -> Any:
        nonlocal output
        y = f(*leaves)
        if not has_aux and _of_type(y) is kind and y.shape == () and is_real(y):  # a bare array needs no more
            return (y,), ()
        output = Output(call, has_aux)
        outs, rest = output.split(y)
        _require_scalar(call, output, outs, leaves)
        return outs, rest

    value, grads, rest = b.value_and_grad(flat, call.primals, has_aux=True)
    value, *grads = own(b, (value, *grads), call.primals)
    out, aux = (value, None) if output is None else output.join((value,), rest)
    return out, call.build(grads), aux


def _require_scalar(call: Call, output: Output, outs: Sequence[Array], leaves: Sequence[Array] = ()) -> None:
    remedy = (
        "The gradient is defined for one real array of shape (): reduce the output, for example with xp.sum, "
        "return further outputs as auxiliary with has_aux=True, or use jacobian for all derivatives."
    )
    if output.spec is not None and output.spec != tree.structure(0):
        if output.spec == tree.structure(None):
            raise NotAnArrayError("The function returned None; is its return statement missing?")
        raise NonScalarOutputError(f"The function returned a pytree of structure {output.spec}. {remedy}")
    (y,) = outs
    if y.shape != ():
        raise NonScalarOutputError(f"The function returned an array of shape {tuple(y.shape)}. {remedy}")
    if call.backend.is_complex(y) and not _continued(call, leaves):
        raise NonScalarOutputError(
            f"The function returned an array of dtype {dtype_name(y.dtype)}. The gradient is defined for real outputs: take "
            "xp.real, xp.imag or xp.abs of it, or use jacobian for the derivatives of both parts."
        )


def _continued(call: Call, leaves: Sequence[Array]) -> bool:
    """Say whether a function of real arguments is being evaluated at complex ones, as the complex step does."""
    is_complex = call.backend.is_complex
    return any(is_complex(x) and not is_complex(primal) for x, primal in zip(leaves, call.primals, strict=False))


def vjp(f: Callable[..., Any], *primals: Tree, has_aux: bool = False, backend: Any = None, **kwargs: Any) -> Any:
    """Evaluate a function and return its pullback, which computes vector-Jacobian products.

    The pullback is the adjoint of the derivative in the real inner product: ``Re <ct, J v> == Re <vjp_fn(ct), v>``.

    Parameters
    ----------
    f : callable
        Returns a pytree of arrays, or ``(out, aux)`` with `has_aux`. It is called once.
    *primals : pytree
        The positional arguments, all differentiated: pytrees of real or complex floating arrays.
    has_aux : bool
        Whether `f` returns a pair whose second member is returned as it is.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.
    **kwargs
        Keyword arguments of `f`, not differentiated.

    Returns
    -------
    out : pytree
        What `f` returns, Python numbers as arrays.
    vjp_fn : callable
        ``vjp_fn(cotangent)`` takes a pytree like `out` with the same shapes and dtypes, and returns a tuple with one pytree
        for each primal. It may be called any number of times. Outputs of an integer or boolean dtype have derivative zero:
        their cotangent is of their own dtype and has no effect.
    aux : pytree
        With `has_aux` only.

    Raises
    ------
    unidiff.errors.DTypeError
        If a primal is of an integer or boolean dtype, or a cotangent has another dtype than its output.
    unidiff.errors.TreeError, unidiff.errors.ShapeError
        If a cotangent does not fit its output.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> out, vjp_fn = ud.vjp(lambda x, y: x * y, np.asarray([1.0, 2.0]), np.asarray([3.0, 4.0]))
    >>> vjp_fn(np.asarray([1.0, 10.0]))
    (array([ 3., 40.]), array([ 1., 20.]))
    """
    check_callable(f)
    call = Call(f, primals, kwargs, tuple(range(len(primals))), backend)
    output = Output(call, has_aux)
    outs, pullback, rest = call.backend.vjp(output, call.primals, has_aux=True)
    out, aux = output.join(own(call.backend, outs, call.primals), rest)

    def vjp_fn(cotangent: Tree) -> tuple[Tree, ...]:
        cotangents = output.cotangents(cotangent)
        grads: tuple[Tree, ...] = call.build(own(call.backend, pullback(cotangents), cotangents, call.primals))
        return grads

    return (out, vjp_fn, aux) if has_aux else (out, vjp_fn)


def jvp(
    f: Callable[..., Any],
    primals: Sequence[Tree],
    tangents: Sequence[Tree],
    has_aux: bool = False,
    *,
    backend: Any = None,
    **kwargs: Any,
) -> Any:
    """Evaluate a function and its directional derivative, a Jacobian-vector product.

    Parameters
    ----------
    f : callable
        Returns a pytree of arrays, or ``(out, aux)`` with `has_aux`. It is called once.
    primals : tuple or list of pytree
        The positional arguments, all differentiated: pytrees of real or complex floating arrays.
    tangents : tuple or list of pytree
        The direction, of the structure, shapes and dtypes of the primals.
    has_aux : bool
        Whether `f` returns a pair whose second member is returned as it is.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.
    **kwargs
        Keyword arguments of `f`, not differentiated.

    Returns
    -------
    out : pytree
        What `f` returns, Python numbers as arrays.
    tangent_out : pytree
        The derivative along the tangents, with the structure, shapes and dtypes of `out`; zeros where an output is of an
        integer or boolean dtype.
    aux : pytree
        With `has_aux` only.

    Raises
    ------
    unidiff.errors.DTypeError
        If a primal is of an integer or boolean dtype, or a tangent has another dtype than its primal.
    unidiff.errors.TreeError, unidiff.errors.ShapeError
        If a tangent does not fit its primal.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.jvp(lambda x: x**2, (np.asarray([1.0, 3.0]),), (np.asarray([1.0, 0.5]),))
    (array([1., 9.]), array([2., 3.]))
    """
    check_callable(f)
    primals, tangents = sequence(primals, "primals"), sequence(tangents, "tangents")
    if len(primals) != len(tangents):
        raise TreeError(f"There are {len(primals)} primals, but {len(tangents)} tangents.")
    call = Call(f, primals, kwargs, tuple(range(len(primals))), backend)
    output = Output(call, has_aux)
    flat_tangents = call.tangents(tangents)
    outs, tangents_out, rest = call.backend.jvp(output, call.primals, flat_tangents, has_aux=True)
    owned = own(call.backend, (*outs, *tangents_out), call.primals, flat_tangents)
    out, aux = output.join(owned[: len(outs)], rest)
    tangent_out = output.join_tangents(owned[len(outs) :])
    return (out, tangent_out, aux) if has_aux else (out, tangent_out)


def linearize(f: Callable[..., Any], *primals: Tree, has_aux: bool = False, backend: Any = None, **kwargs: Any) -> Any:
    """Evaluate a function and return its derivative at that point as a linear function.

    Parameters
    ----------
    f : callable
        Returns a pytree of arrays, or ``(out, aux)`` with `has_aux`. It is called once where the backend has reverse mode or a
        linearization of its own, and once more for each tangent where it has forward mode alone.
    *primals : pytree
        The positional arguments, all differentiated.
    has_aux : bool
        Whether `f` returns a pair whose second member is returned as it is.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.
    **kwargs
        Keyword arguments of `f`, not differentiated.

    Returns
    -------
    out : pytree
        What `f` returns, Python numbers as arrays.
    f_jvp : callable
        ``f_jvp(*tangents)`` takes one tangent for each primal and returns the tangent of the output, as `jvp` does.
    aux : pytree
        With `has_aux` only.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `jvp`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> out, f_jvp = ud.linearize(lambda x: x**2, np.asarray([1.0, 3.0]))
    >>> f_jvp(np.asarray([1.0, 0.5]))
    array([2., 3.])
    """
    check_callable(f)
    call = Call(f, primals, kwargs, tuple(range(len(primals))), backend)
    output = Output(call, has_aux)
    outs, push, rest = call.backend.linearize(output, call.primals, has_aux=True)
    out, aux = output.join(own(call.backend, outs, call.primals), rest)

    def f_jvp(*tangents: Tree) -> Tree:
        if len(tangents) != len(primals):
            raise TreeError(f"There are {len(primals)} primals, but {len(tangents)} tangents.")
        flat_tangents = call.tangents(tangents)
        return output.join_tangents(own(call.backend, push(flat_tangents), flat_tangents, call.primals))

    return (out, f_jvp, aux) if has_aux else (out, f_jvp)


def sequence(values: Any, name: str) -> tuple[Any, ...]:
    """Return primals or tangents as a tuple, or raise ArgumentError."""
    if not isinstance(values, (tuple, list)):
        raise ArgumentError(f"{name} must be a tuple with one entry for each argument; for one argument x write (x,).")
    return tuple(values)


def check_callable(f: Any) -> None:
    if not callable(f):
        raise ArgumentError(f"The function to differentiate must be callable, but it is {f!r:.200}.")
