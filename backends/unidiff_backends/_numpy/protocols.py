"""NumPy's dispatch protocols on traced arrays, so that code written with ``numpy`` itself differentiates."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from unidiff.errors import MissingRuleError
from unidiff_backends._numpy.functions import function_table
from unidiff_backends._numpy.table import Function, call, missing
from unidiff_backends._numpy.ufuncs import call_ufunc, functions

_METHODS = (
    "all any argmax argmin argpartition argsort choose clip cumprod cumsum diagonal dot max mean min nonzero prod put"
    " ravel repeat reshape searchsorted squeeze std sum swapaxes take trace transpose var"
).split()

_BY_MEANING = frozenset(
    getattr(np, name)
    for name in (
        "apply_along_axis apply_over_axes argwhere bincount compress copyto delete extract fill_diagonal flatnonzero histogram"
        " histogram_bin_edges insert intersect1d nonzero piecewise place poly polydiv put put_along_axis putmask real_if_close"
        " roots setdiff1d setxor1d trim_zeros union1d unique unique_all unique_counts unique_inverse unique_values"
    ).split()
    if hasattr(np, name)
)
"""Functions whose result has a shape that depends on values, or that change an argument or call a function."""


class NumpyProtocols:
    """Mixin for traced arrays over NumPy."""

    __slots__ = ()

    _domain: Any
    _value: Any
    size: int
    __array__: Any
    ndim: int
    ravel: Any
    __setitem__: Any

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Answer a universal function with the differentiable function of the same meaning."""
        natively = self._domain.natively
        if natively is not None and method != "at":
            function = ufunc if method == "__call__" else getattr(ufunc, method)
            result = natively(function, inputs, options)
            if result is not NotImplemented:
                return result
        if method == "__call__" and not options:
            function = functions(self._domain).get(ufunc)
            if function is not None:
                return function(*inputs)
        return call_ufunc(self._domain, ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Answer any other function of NumPy likewise."""
        meaning = _functions(self._domain).get(function)
        if meaning is None:
            raise MissingRuleError(missing(getattr(function, "__name__", repr(function))))
        natively = self._domain.natively
        if natively is not None and function not in _BY_MEANING and not (function is np.where and len(args) + len(kwargs) < 3):
            result = natively(function, args, kwargs)
            if result is not NotImplemented:
                return result
        return call(function, meaning, args, kwargs)

    @property
    def T(self) -> Any:
        """Transpose, of any number of axes as in NumPy."""
        return self._domain.plain.permute_dims(self, tuple(range(self.ndim))[::-1])

    @property
    def real(self) -> Any:
        """Real part."""
        return self._domain.plain.real(self)

    @property
    def imag(self) -> Any:
        """Imaginary part."""
        return self._domain.plain.imag(self)

    def astype(
        self, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True  # noqa: ARG002  # NumPy's
    ) -> Any:  # fmt: skip
        """Convert to another dtype."""
        return self._domain.plain.astype(self, np.dtype(dtype), copy=copy)

    def copy(self, order: str = "C") -> Any:  # noqa: ARG002  # NumPy's
        """Return an array of its own."""
        return self._domain.plain.positive(self)

    def conj(self) -> Any:
        """Complex conjugate."""
        return self._domain.plain.conj(self)

    conjugate = conj

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(self._value.itemsize)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return int(self.size * self.itemsize)

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """Return the slices where the condition is true."""
        return np.compress(condition, self, axis=axis)

    def flatten(self, order: str = "C") -> Any:
        """Return a copy of the elements in one axis."""
        return self.ravel(order).copy()

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __floor__(self) -> int:
        return int(self._domain.plain.floor(self))

    def __ceil__(self) -> int:
        return int(self._domain.plain.ceil(self))

    def __trunc__(self) -> int:
        return int(self)

    def __round__(self, decimals: int | None = None) -> Any:
        return np.round(self, decimals or 0)

    def round(self, decimals: int = 0) -> Any:
        """Round to the given number of decimals."""
        return np.round(self, decimals)

    def sort(self, axis: int = -1) -> None:
        """Sort in place."""
        self[...] = self._domain.plain.sort(self, axis=axis)

    def partition(self, kth: Any, axis: int = -1) -> None:
        """Partition in place."""
        self[...] = np.partition(self, kth, axis=axis)

    def fill(self, value: Any) -> None:
        """Set every element to the value."""
        self[...] = value

    def tolist(self) -> Any:
        """Return nested lists of Python numbers; refused where that would cut the derivative."""
        return self.__array__().tolist()

    def item(self) -> Any:
        """Return the only element as a Python number; refused where that would cut the derivative."""
        return self.__array__().item()


def _method(name: str) -> Function:
    function = getattr(np, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if name in ("reshape", "transpose") and args and np.ndim(args[0]) == 0 and args[0] is not None:
            args = (args,)
        return self.__array_function__(function, (type(self),), (self, *args), kwargs)

    method.__name__ = name
    method.__doc__ = f"As `numpy.{name}`."
    return method


for _name in _METHODS:
    setattr(NumpyProtocols, _name, _method(_name))


@cache
def _functions(domain: Any) -> dict[Any, Function]:
    def unwrap(x: Any) -> Any:
        return x._trace.concrete(x, "a comparison") if isinstance(x, domain.array_class) else x

    return function_table(domain.plain, unwrap)
