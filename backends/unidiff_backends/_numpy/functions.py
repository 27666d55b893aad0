"""The function to call for each function of NumPy that may be given a traced array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# Each of these enters its functions into the table as it is imported.
from unidiff_backends._numpy import (  # noqa: F401
    algebra,
    arranging,
    calculus,
    choosing,
    padding,
    polynomials,
    quantiles,
    reductions,
)
from unidiff_backends._numpy.constants import OF_VALUES, of_values
from unidiff_backends._numpy.table import Function, bind_meanings

_SAME = (
    "astype broadcast_arrays broadcast_to can_cast concat cumulative_prod cumulative_sum isdtype matrix_transpose moveaxis"
    " nonzero result_type unique_all unique_counts unique_inverse unique_values unstack"
).split()
_SAME_LINALG = (
    "cholesky cross det diagonal inv matmul matrix_norm matrix_power matrix_transpose outer slogdet solve svdvals"
    " tensordot trace vecdot vector_norm"
).split()


def function_table(xp: Any, unwrap: Callable[[Any], Any]) -> dict[Any, Function]:
    """Return the meaning of every function of NumPy that has one, over the differentiable namespace ``xp``.

    ``unwrap`` gives the plain value of a traced array, for functions whose result carries no derivative.
    """
    standard = {getattr(np, name): getattr(xp, name) for name in _SAME if hasattr(np, name)}
    standard |= {getattr(np.linalg, name): getattr(xp.linalg, name) for name in _SAME_LINALG if hasattr(np.linalg, name)}
    table = bind_meanings(xp, standard)
    return table | {function: of_values(function, unwrap) for function in OF_VALUES}


def adopt_functions(xp: Any, face: Any) -> None:
    """Put NumPy's own functions, which give way to traced arrays, where a namespace has ones without a derivative rule."""
    known = function_table(xp, lambda x: x)
    for module, source in ((face, np), (face.linalg, np.linalg), (face.fft, np.fft)):
        for name, function in vars(source).items():
            if callable(function) and function in known and hasattr(getattr(module, name, None), "unruled"):
                setattr(module, name, function)
