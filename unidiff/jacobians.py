"""Jacobians and Hessians.

The Jacobian with respect to a complex array is taken with respect to its real and its imaginary part: its block is a
`ComplexJacobian`, a pair. That is total, since it also describes functions that are not holomorphic, and it says what it is.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, NamedTuple

from unidiff._typing import Array, Arrays, FlatFunction
from unidiff.calls import Call, Output, checked_argnums
from unidiff.derive import CompleteBackend, derived, size
from unidiff.first_order import check_callable

__all__ = ["ComplexJacobian", "hessian", "jacfwd", "jacobian", "jacrev"]


class ComplexJacobian(NamedTuple):
    """The block of a Jacobian that belongs to a complex primal z = x + iy: the derivatives by x and by y.

    The derivative of f along dz is ``real @ dx + imag @ dy`` (contracted over the axes of z). A function is holomorphic where
    ``imag == 1j * real``, and `real` is its complex derivative there. The gradient of a real function is ``real + 1j * imag``.

    Parameters
    ----------
    real : array
        df/dx, of the shape of the output followed by that of z.
    imag : array
        df/dy, of the same shape.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> block = ud.jacobian(lambda z: z * z)(np.asarray(1.0 + 2.0j))
    >>> block.real[()], block.imag[()]
    (np.complex128(2+4j), np.complex128(-4+2j))
    """

    real: Any
    imag: Any


def jacfwd(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, backend: Any = None
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian by forward mode, the cheaper one for few inputs and many outputs.

    Parameters
    ----------
    f : callable
        Returns a pytree of arrays, or ``(out, aux)`` with `has_aux`.
    argnums : int or sequence of int
        The positional arguments to differentiate, pytrees of real or complex floating arrays.
    has_aux : bool
        Whether `f` returns a pair whose second member is returned as it is.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns a pytree like the output, in which each leaf is a pytree like the argument (a
        tuple of such for a sequence of `argnums`) of blocks; with `has_aux` the pair ``(jacobian, aux)``. The block of an
        output y and a primal x has the shape ``y.shape + x.shape`` and the dtype of x, or the complex dtype of its precision
        where y is complex. For a complex primal it is a `ComplexJacobian` of two such blocks. Outputs of an integer or
        boolean dtype have zero blocks.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `unidiff.vjp`.

    Notes
    -----
    `f` is evaluated once where the backend linearizes or batches, at most once more than there are input elements elsewhere.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.jacfwd(lambda x: x**2)(np.asarray([1.0, 3.0]))
    array([[2., 0.],
           [0., 6.]])
    """
    return _jacobian(f, argnums, has_aux, backend, lambda _call, _flat: "jacfwd")


def jacrev(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, backend: Any = None
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian by reverse mode, the cheaper one for many inputs and few outputs.

    Parameters
    ----------
    f, argnums, has_aux, backend
        As for `jacfwd`.

    Returns
    -------
    callable
        As for `jacfwd`.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `unidiff.vjp`.

    Notes
    -----
    `f` is evaluated once, and pulled back once for each element of the output.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.jacrev(lambda x: x**2)(np.asarray([1.0, 3.0]))
    array([[2., 0.],
           [0., 6.]])
    """
    return _jacobian(f, argnums, has_aux, backend, lambda _call, _flat: "jacrev")


def jacobian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, backend: Any = None
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian by the cheaper mode.

    Forward mode where the inputs have no more elements than the outputs, else reverse mode.

    Parameters
    ----------
    f, argnums, has_aux, backend
        As for `jacfwd`.

    Returns
    -------
    callable
        As for `jacfwd`.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `unidiff.vjp`.

    Notes
    -----
    `f` is evaluated once without differentiation to count its outputs, unless there is at most one input element or only one
    mode; then as `jacfwd` or `jacrev` does.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> x = np.asarray([1.0, 3.0])
    >>> ud.jacobian(lambda x: x.sum() * x[:1])(x)
    array([[5., 1.]])
    """
    return _jacobian(f, argnums, has_aux, backend, _cheaper)


def _cheaper(call: Call, flat: FlatFunction) -> str:
    b = call.backend
    inputs = sum(size(x) * (1 + b.is_complex(x)) for x in call.primals)
    if inputs <= 1 or not {"vjp", "jvp"} <= b.native:
        return "jacfwd"
    outs, _ = flat(*call.primals)
    return "jacfwd" if inputs <= sum(size(y) for y in outs) else "jacrev"


def _jacobian(
    f: Callable[..., Any],
    argnums: int | Sequence[int],
    has_aux: bool,
    backend: Any,
    choose: Callable[[Call, FlatFunction], str],
) -> Callable[..., Any]:
    check_callable(f)
    numbers = checked_argnums(argnums)

    @wraps(f)
    def jacobian_of_f(*args: Any, **kwargs: Any) -> Any:
        call = Call(f, args, kwargs, numbers, backend)
        output = Output(call, has_aux)
        b, real_outputs = call.backend, _RealOutputs(output)
        mode = choose(call, real_outputs)
        if any(b.is_complex(x) for x in call.primals):
            outs, jac, rest = derived(mode)(b, real_outputs, call.primals, has_aux=True)
        else:
            outs, jac, rest = getattr(b, mode)(real_outputs, call.primals, has_aux=True)
        _, aux = output.join(real_outputs.first(outs), rest)
        rows = iter(real_outputs.rows(jac))
        blocks = [
            [_finish(b, block, x) for block, x in zip(next(rows), call.primals, strict=True)]
            if yes
            else [_zeros(b, y, x) for x in call.primals]
            for y, yes in zip(output.leaves, output.differentiable, strict=True)
        ]
        result = output.build([call.build(row) for row in blocks])
        return (result, aux) if has_aux else result

    return jacobian_of_f


class _RealOutputs:
    """A flat function with its complex outputs split into their parts, and the way back for the rows of its Jacobian."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.complex: list[bool] = []

    def __call__(self, *leaves: Array) -> tuple[Arrays, Arrays]:
        outs, rest = self.output(*leaves)
        b = self.output.call.backend
        self.complex = [b.is_complex(y) for y in outs]
        parts: list[Array] = []
        for y, split in zip(outs, self.complex, strict=True):
            xp = b.namespace(y)
            parts += (xp.real(y), xp.imag(y)) if split else (y,)
        return tuple(parts), rest

    def first(self, parts: Arrays) -> Arrays:
        """Return one part of each output, for its shape."""
        remaining = iter(parts)
        return tuple((next(remaining), split and next(remaining))[0] for split in self.complex)

    def rows(self, jac: Sequence[Any]) -> Iterator[Any]:
        """Yield for each output one block for each primal: an array, or (real, imaginary) of a complex output's arrays."""
        remaining = iter(jac)
        for split in self.complex:
            row = next(remaining)
            yield [_Parts(re, im) for re, im in zip(row, next(remaining), strict=True)] if split else row


class _Parts(NamedTuple):
    """The blocks of the real and of the imaginary part of a complex output."""

    real: Any
    imag: Any


def _finish(b: CompleteBackend, block: Any, x: Array) -> Any:
    """Return a block in its final form: for a complex primal a pair, for a complex output a complex array, in x's precision."""
    if b.is_complex(x):
        by_real, by_imag = zip(*block, strict=True) if isinstance(block, _Parts) else block
        if isinstance(block, _Parts):
            return ComplexJacobian(_precise(b, _Parts(*by_real), x), _precise(b, _Parts(*by_imag), x))
        return ComplexJacobian(_precise(b, by_real, x), _precise(b, by_imag, x))
    return _precise(b, block, x)


def _precise(b: CompleteBackend, block: Any, x: Array) -> Array:
    real = b.real_dtype(x.dtype)
    if isinstance(block, _Parts):
        xp = b.namespace(*block)
        dtype = xp.result_type(real, xp.complex64)
        return xp.astype(block.real, dtype) + 1j * xp.astype(block.imag, dtype)
    return block if block.dtype == real else b.namespace(block).astype(block, real)


def _zeros(b: CompleteBackend, y: Array, x: Array) -> Any:
    def zeros() -> Array:
        shape = tuple(y.shape) + tuple(x.shape)
        return b.namespace().zeros(shape, dtype=b.real_dtype(x.dtype), device=b.device(x))

    return ComplexJacobian(zeros(), zeros()) if b.is_complex(x) else zeros()


def hessian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, backend: Any = None
) -> Callable[..., Any]:
    """Return a function that computes the Hessian, by forward mode over reverse mode.

    Parameters
    ----------
    f : callable
        Returns a real array of shape () or any pytree of arrays, or ``(out, aux)`` with `has_aux`.
    argnums : int or sequence of int
        The positional arguments to differentiate, pytrees of real or complex floating arrays.
    has_aux : bool
        Whether `f` returns a pair whose second member is returned as it is.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns ``jacfwd(jacrev(f))``: a pytree of pytrees of blocks, where the block of an
        output y and primals a and b has the shape ``y.shape + a.shape + b.shape``; with `has_aux` the pair ``(hessian, aux)``.
        For complex primals blocks are nested `ComplexJacobian` pairs, the four second derivatives by real and imaginary part.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `unidiff.vjp`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.hessian(lambda x: x[0] ** 2 * x[1])(np.asarray([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    return jacfwd(jacrev(f, argnums, has_aux, backend=backend), argnums, has_aux, backend=backend)
