"""Gauss-Newton and Fisher matrices as operators: the curvature of a loss as far as it is positive semidefinite."""

from collections.abc import Callable, Sequence
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Namespace, Tree
from unidiff.arrays import array_namespace
from unidiff.dispatch import dtype_name
from unidiff.errors import DTypeError, ShapeError
from unidiff.first_order import grad, linearize, sequence, vjp
from unidiff.higher_order.hessians import argument, as_function_of
from unidiff.matrix_free.linear_solvers import Operator
from unidiff.matrix_free.vectors import one_of

__all__ = ["fisher_operator", "fisher_vp", "gauss_newton_operator", "gauss_newton_vp"]


def gauss_newton_operator(
    f: Callable[..., Any],
    loss: Callable[[Any], Any],
    *primals: Tree,
    argnums: int = 0,
    backend: Any = None,
    **kwargs: Any,
) -> Operator:
    """Return the generalized Gauss-Newton matrix of ``loss(f(...))`` at a point as a linear function.

    Parameters
    ----------
    f : callable
        The model; returns a pytree of arrays. It is called twice, however often the operator is applied.
    loss : callable
        Takes what `f` returns; returns one real array of shape (). Convex losses give a positive semidefinite operator.
    *primals : pytree
        The positional arguments of `f`.
    argnums : int
        The argument by which `f` is differentiated.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.
    **kwargs
        Keyword arguments of `f`.

    Returns
    -------
    callable
        ``operator(v) = J* H J v`` with the Jacobian J of `f` and the Hessian H of `loss` at the output.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `unidiff.vjp` and `unidiff.grad`.

    Notes
    -----
    N. Schraudolph, Neural Computation 14 (2002). It equals the Hessian where `f` is linear or the loss is at its minimum in the
    outputs.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> g = ud.gauss_newton_operator(lambda x: x**2, lambda y: (y * y).sum() / 2, np.asarray([1.0, 2.0]))
    >>> g(np.ones(2))
    array([ 4., 16.])
    """
    push, pull, out = _linear(f, primals, argnums, backend, kwargs)
    _, curve = linearize(grad(loss, backend=backend), out, backend=backend)
    return lambda v: pull(curve(push(v)))[0]


def _linear(f: Any, primals: Sequence[Tree], argnums: Any, backend: Any, kwargs: Any) -> tuple[Any, Any, Tree]:
    """Return pushforward, pullback and value of a function of one argument."""
    position = argument(argnums, primals)
    g = as_function_of(f, primals, position, kwargs)
    _, push = linearize(g, primals[position], backend=backend)
    out, pull = vjp(g, primals[position], backend=backend)
    return push, pull, out


def gauss_newton_vp(
    f: Callable[..., Any],
    loss: Callable[[Any], Any],
    primals: Sequence[Tree],
    tangent: Tree,
    argnums: int = 0,
    *,
    backend: Any = None,
    **kwargs: Any,
) -> Tree:
    """Compute the product of the generalized Gauss-Newton matrix of ``loss(f(...))`` with a vector.

    Parameters
    ----------
    f, loss, argnums, backend, **kwargs
        As for `gauss_newton_operator`, which is the way to many products at one point.
    primals : tuple or list of pytree
        The positional arguments of `f`.
    tangent : pytree
        The vector, like the argument of `argnums`.

    Returns
    -------
    pytree
        Like the argument.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `gauss_newton_operator`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.gauss_newton_vp(lambda x: x**2, lambda y: (y * y).sum() / 2, (np.asarray([1.0, 2.0]),), np.ones(2))
    array([ 4., 16.])
    """
    primals = sequence(primals, "primals")
    return gauss_newton_operator(f, loss, *primals, argnums=argnums, backend=backend, **kwargs)(tangent)


def _softmax(xp: Namespace, x: Array) -> Array:
    if x.shape[-1] == 0:
        return x  # of which there is no maximum
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def _categorical(xp: Namespace, logits: Array, v: Array) -> Array:
    p = _softmax(xp, logits)
    return p * (v - xp.sum(p * v, axis=-1, keepdims=True))


def _bernoulli(xp: Namespace, logits: Array, v: Array) -> Array:
    p = 1 / (1 + xp.exp(-xp.abs(logits)))
    return p * (1 - p) * v


DISTRIBUTIONS: dict[str, Callable[[Namespace, Array, Array], Array]] = {
    "gaussian": lambda _xp, _mean, v: v,
    "categorical": _categorical,
    "bernoulli": _bernoulli,
    "poisson": lambda xp, log_rate, v: xp.exp(log_rate) * v,
    "empirical": lambda _xp, _log_likelihood, v: v,
}
"""Products of a vector with the Fisher matrix of the distribution's natural parameters."""


def fisher_operator(
    f: Callable[..., Any],
    *primals: Tree,
    distribution: str,
    argnums: int = 0,
    backend: Any = None,
    **kwargs: Any,
) -> Operator:
    """Return the Fisher information matrix of a model at a point as a linear function.

    Parameters
    ----------
    f : callable
        Returns natural parameters of the distribution, or for "empirical" the log-likelihood of each sample: a pytree of real
        arrays. It is called twice, however often the operator is applied.
    *primals : pytree
        The positional arguments of `f`.
    distribution : {"gaussian", "categorical", "bernoulli", "poisson", "empirical"}
        "gaussian": means of variance 1; "categorical": logits along the last axis; "bernoulli": logits; "poisson": logarithms
        of rates. Their Fisher matrix is an expectation over the model's own distribution. "empirical" sums the outer products
        of the scores of the samples that were observed, or drawn from the model for a Monte Carlo estimate of the same.
    argnums : int
        The argument by which `f` is differentiated.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.
    **kwargs
        Keyword arguments of `f`.

    Returns
    -------
    callable
        ``operator(v) = J* F J v``, summed over all elements of the output; divide by the number of samples for a mean.

    Raises
    ------
    unidiff.errors.ArgumentError
        If the distribution is not known.
    unidiff.errors.DTypeError
        If `f` returns arrays that are not real floating ones.
    unidiff.errors.ShapeError
        If logits of "categorical" have no axis.
    unidiff.errors.UnidiffError
        As `unidiff.vjp`.

    Notes
    -----
    S. Amari, Neural Computation 10 (1998); J. Martens, JMLR 21 (2020), for its equality with the Gauss-Newton matrix of the
    negative log-likelihood.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> x = np.asarray([[1.0, 0.0], [1.0, 1.0]])
    >>> fisher = ud.fisher_operator(lambda w: x @ w, np.zeros(2), distribution="bernoulli")
    >>> fisher(np.ones(2))
    array([0.75, 0.5 ])
    """
    weigh = DISTRIBUTIONS[one_of(distribution, DISTRIBUTIONS, "distribution")]
    push, pull, out = _linear(f, primals, argnums, backend, kwargs)
    _check_parameters(out, distribution)
    return lambda v: pull(tree.map(lambda y, t: weigh(array_namespace(y, t), y, t), out, push(v)))[0]


def _check_parameters(out: Tree, distribution: str) -> None:
    """Raise what is wrong with the natural parameters that a model returned."""
    for y, path in zip(tree.leaves(out), tree.paths(tree.structure(out), "output"), strict=True):
        if not registry.get_backend(y).is_real(y):
            raise DTypeError(
                f"The {path} has the dtype {dtype_name(y.dtype)}, but parameters of a distribution are real floating arrays."
            )
        if distribution == "categorical" and y.ndim == 0:
            raise ShapeError(f"The {path} has the shape (), but logits of a categorical distribution lie along the last axis.")


def fisher_vp(
    f: Callable[..., Any],
    primals: Sequence[Tree],
    tangent: Tree,
    argnums: int = 0,
    *,
    distribution: str,
    backend: Any = None,
    **kwargs: Any,
) -> Tree:
    """Compute the product of the Fisher information matrix of a model with a vector.

    Parameters
    ----------
    f, distribution, argnums, backend, **kwargs
        As for `fisher_operator`, which is the way to many products at one point.
    primals : tuple or list of pytree
        The positional arguments of `f`.
    tangent : pytree
        The vector, like the argument of `argnums`.

    Returns
    -------
    pytree
        Like the argument.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `fisher_operator`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.fisher_vp(lambda w: 2 * w, (np.zeros(2),), np.ones(2), distribution="poisson")
    array([4., 4.])
    """
    primals = sequence(primals, "primals")
    return fisher_operator(f, *primals, distribution=distribution, argnums=argnums, backend=backend, **kwargs)(tangent)
