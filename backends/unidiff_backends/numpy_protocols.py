"""NumPy's dispatch protocols on traced arrays, so that code written with ``numpy`` itself differentiates."""

from __future__ import annotations

from typing import Any

from unidiff.errors import InPlaceError, MissingRuleError

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


class NumpyProtocols:
    """Mixin for traced arrays over NumPy."""

    __slots__ = ()

    _domain: Any

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Answer a universal function with the differentiable function of the same meaning."""
        if options.pop("out", None) is not None:
            raise InPlaceError(
                f"numpy.{ufunc.__name__} cannot write a traced array into an out= buffer or into a plain array in place;"
                " use its return value, as in x = x + y"
            )
        name = _UFUNC_NAMES.get(ufunc.__name__, ufunc.__name__)
        function = getattr(self._domain.plain, name, None)
        if method != "__call__" or options or function is None:
            raise MissingRuleError(f"numpy.{ufunc.__name__} ({method}) has no derivative rule for traced arrays")
        return function(*inputs)
