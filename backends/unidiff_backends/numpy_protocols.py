"""NumPy's dispatch protocols on traced arrays, so that code written with ``numpy`` itself differentiates."""

from __future__ import annotations

import math
import sys
from functools import cache, partial
from typing import Any

import numpy as np

from unidiff.errors import MissingRuleError
from unidiff_backends.numpy_functions import Function, function_table, refuse_buffer

_UFUNC_NAMES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "conjugate": "conj",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
    "true_divide": "divide",
}
"""NumPy's names of functions that the standard calls otherwise."""

_REDUCTIONS = {np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min"}
_DERIVED: dict[np.ufunc, Function] = {
    np.fabs: lambda xp, x: xp.abs(x),
    np.exp2: lambda xp, x: xp.pow(2.0, x),
    np.cbrt: lambda xp, x: xp.special.cbrt(x),
    np.deg2rad: lambda xp, x: xp.multiply(x, np.pi / 180),
    np.rad2deg: lambda xp, x: xp.multiply(x, 180 / np.pi),
    np.logaddexp2: lambda xp, a, b: xp.logaddexp(a * math.log(2), b * math.log(2)) / math.log(2),
    np.float_power: lambda xp, a, b: xp.pow(a, b),
    np.fmod: lambda xp, a, b: a - b * xp.trunc(a / b),
    np.heaviside: lambda xp, a, b: xp.where(a == 0, b, xp.astype(a > 0, xp.result_type(a, b))),
    np.rint: lambda xp, x: xp.round(x),
}
"""Universal functions beyond the standard, by functions of it."""

_METHODS = (
    "all any argmax argmin argsort clip cumprod cumsum diagonal dot max mean min nonzero prod ravel repeat reshape squeeze std"
    " sum swapaxes take trace transpose var"
).split()


class NumpyProtocols:
    """Mixin for traced arrays over NumPy."""

    __slots__ = ()

    _domain: Any
    __array__: Any
    ndim: int
    ravel: Any
    __setitem__: Any

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Answer a universal function with the differentiable function of the same meaning."""
        if method == "__call__" and not options:
            function = _ufuncs(self._domain).get(ufunc) or _special(self._domain, ufunc)
            if function is not None:
                return function(*inputs)
        options = refuse_buffer(options, ufunc.__name__)
        xp = self._domain.plain
        if method == "reduce" and ufunc in _REDUCTIONS:
            return getattr(xp, _REDUCTIONS[ufunc])(*inputs, **{"axis": 0, **options})
        raise MissingRuleError(_missing(f"{ufunc.__name__} ({method}, {sorted(options)})"))

    def __array_function__(self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Answer any other function of NumPy likewise."""
        answer = _functions(self._domain).get(function)
        name = getattr(function, "__name__", repr(function))
        if answer is None:
            raise MissingRuleError(_missing(name))
        try:
            return answer(*args, **refuse_buffer(kwargs, name))
        except TypeError as error:
            if any(sign in str(error) for sign in ("unexpected keyword", "positional argument", "multiple values")):
                raise MissingRuleError(_missing(f"{name} with these options ({error})")) from error
            raise

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

    def astype(self, dtype: Any) -> Any:
        """Convert to another dtype."""
        return self._domain.plain.astype(self, np.dtype(dtype))

    def copy(self) -> Any:
        """Return an array of its own."""
        return self._domain.plain.positive(self)

    def conj(self) -> Any:
        """Complex conjugate."""
        return self._domain.plain.conj(self)

    def flatten(self, order: str = "C") -> Any:
        """Return a copy of the elements in one axis."""
        return self.ravel(order).copy()

    def __round__(self, decimals: int | None = None) -> Any:
        return np.round(self, decimals or 0)

    def round(self, decimals: int = 0) -> Any:
        """Round to the given number of decimals."""
        return np.round(self, decimals)

    def sort(self, axis: int = -1) -> None:
        """Sort in place."""
        self[...] = self._domain.plain.sort(self, axis=axis)

    def fill(self, value: Any) -> None:
        """Set every element to the value."""
        self[...] = value

    def tolist(self) -> Any:
        """Return nested lists of Python numbers; refused where that would cut the derivative."""
        return self.__array__().tolist()

    def item(self) -> Any:
        """Return the only element as a Python number; refused where that would cut the derivative."""
        return self.__array__().item()


def _missing(name: str) -> str:
    return (
        f"numpy.{name} has no derivative rule for traced arrays. Write it with functions of unidiff.array_namespace(x), or"
        " compute it outside of the differentiated function."
    )


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
def _ufuncs(domain: Any) -> dict[np.ufunc, Function]:
    """Return the differentiable function for each universal function of NumPy that has one."""
    xp = domain.plain
    table: dict[np.ufunc, Function] = {ufunc: partial(function, xp) for ufunc, function in _DERIVED.items()}
    for ufunc in {f for f in vars(np).values() if isinstance(f, np.ufunc)} - table.keys():
        name = _UFUNC_NAMES.get(ufunc.__name__, ufunc.__name__)
        if hasattr(xp, name):
            table[ufunc] = getattr(xp, name)
    return table


def _special(domain: Any, ufunc: np.ufunc) -> Function | None:
    """Return the differentiable function for a universal function of `scipy.special`."""
    name = ufunc.__name__
    theirs = getattr(sys.modules.get("scipy.special._ufuncs"), name, None)  # where it is also under SCIPY_ARRAY_API=1
    xp = domain.plain
    return getattr(xp.special, name, None) or getattr(xp, name, None) if theirs is ufunc else None


@cache
def _functions(domain: Any) -> dict[Any, Function]:
    def unwrap(x: Any) -> Any:
        return x._trace.concrete(x, "a comparison") if isinstance(x, domain.array_class) else x

    return function_table(domain.plain, unwrap)
