"""Functions whose results have derivative 0, or that have nothing to differentiate: they are used beside a variable."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from unidiff_conformance.scenario import EXACT, Function, Rule, Scenario, real, scenario


def _integers(xp: Any, x: Any) -> Any:
    return xp.astype(x, xp.int64)


_PREDICATES: dict[str, Function] = {
    "isfinite": lambda xp, x: xp.isfinite(x),
    "isinf": lambda xp, x: xp.isinf(x),
    "isnan": lambda xp, x: xp.isnan(x),
    "signbit": lambda xp, x: xp.signbit(x),
    "equal": lambda xp, x: xp.equal(x, x),
    "not_equal": lambda xp, x: xp.not_equal(x, 2 * x),
    "less": lambda xp, x: xp.less(x, 0.0),
    "less_equal": lambda xp, x: xp.less_equal(x, x),
    "greater": lambda xp, x: xp.greater(x, 0.0),
    "greater_equal": lambda xp, x: xp.greater_equal(0.0, x),
    "logical_and": lambda xp, x: xp.logical_and(x > 0, x < 1),
    "logical_or": lambda xp, x: xp.logical_or(x > 0, x < -1),
    "logical_xor": lambda xp, x: xp.logical_xor(x > 0, x < 1),
    "logical_not": lambda xp, x: xp.logical_not(x > 0),
    "bitwise_and": lambda xp, x: xp.bitwise_and(_integers(xp, x), 3),
    "bitwise_or": lambda xp, x: xp.bitwise_or(_integers(xp, x), 1),
    "bitwise_xor": lambda xp, x: xp.bitwise_xor(_integers(xp, x), 1),
    "bitwise_invert": lambda xp, x: xp.bitwise_invert(_integers(xp, x)),
    "bitwise_left_shift": lambda xp, x: xp.bitwise_left_shift(_integers(xp, x), 1),
    "bitwise_right_shift": lambda xp, x: xp.bitwise_right_shift(_integers(xp, x), 1),
}
_COUNTS: dict[str, Function] = {
    "utility.all": lambda xp, x: xp.all(x > -3),
    "utility.any": lambda xp, x: xp.any(x > 0, axis=0),
    "searching.argmax": lambda xp, x: xp.argmax(x),
    "searching.argmin": lambda xp, x: xp.argmin(x),
    "searching.count_nonzero": lambda xp, x: xp.count_nonzero(x),
    "searching.nonzero": lambda xp, x: xp.nonzero(x)[0],
    "searching.searchsorted": lambda xp, x: xp.searchsorted(xp.sort(x), x),
    "sorting.argsort": lambda xp, x: xp.argsort(x),
    "set.isin": lambda xp, x: xp.isin(_integers(xp, x), 1),
    "set.unique_counts": lambda xp, x: xp.unique_counts(x).counts,
    "set.unique_inverse": lambda xp, x: xp.unique_inverse(x).inverse_indices,
    "set.unique_all": lambda xp, x: xp.unique_all(x).indices,
}
# what a variable is multiplied by: functions of dtypes, shapes and numbers
_FACTORS: dict[str, Function] = {
    "manipulation.broadcast_shapes": lambda xp, x: float(len(xp.broadcast_shapes(x.shape, (2, 1)))),
    "creation.empty": lambda xp, x: float(xp.empty((2, 3), dtype=x.dtype).shape[0]),
    "creation.empty_like": lambda xp, x: float(xp.empty_like(x).shape[0]),
    "data_type.can_cast": lambda xp, x: 2.0 if xp.can_cast(xp.float32, x.dtype) else 0.0,
    "data_type.finfo": lambda xp, x: 2.0 if xp.finfo(x.dtype).bits >= 32 else 0.0,
    "data_type.iinfo": lambda xp, x: 1.0 + (xp.iinfo(xp.int8).max == 127),
    "data_type.isdtype": lambda xp, x: 2.0 if xp.isdtype(x.dtype, "real floating") else 0.0,
    "data_type.result_type": lambda xp, x: 2.0 if xp.result_type(x, xp.float32) == x.dtype else 0.0,
    "inspection.__array_namespace_info__": lambda xp, x: float(len(xp.__array_namespace_info__().capabilities()) > 0),
    "fft.fftfreq": lambda xp, x: xp.fft.fftfreq(4, dtype=x.dtype),
    "fft.rfftfreq": lambda xp, x: xp.fft.rfftfreq(6, d=1 / 6, dtype=x.dtype),
}


def _floating(f: Function) -> Function:
    return lambda xp, x: xp.astype(f(xp, x), x.dtype)


def _constants() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=EXACT, rule=Rule.CONSTANT)
    for name, predicate in _PREDICATES.items():
        yield make(f"elementwise.{name}.as-number", _floating(predicate), real(3))
    for name, count in _COUNTS.items():
        yield make(f"{name}.as-number", _floating(count), real(4))
    ranks = lambda xp, a: xp.astype(xp.linalg.matrix_rank(a), a.dtype)
    yield make("linalg.matrix_rank.as-number", ranks, real(2, 2), reference=lambda xp, a: 0 * a[0, 0] + 2)
    yield make("data_type.astype.to-integer", lambda xp, x: xp.astype(xp.astype(x, xp.int64), x.dtype), real(3))
    for name, factor in _FACTORS.items():
        yield scenario(f"{name}.beside", lambda xp, x, factor=factor: x * factor(xp, x), real(4), accuracy=EXACT)
    foreign = lambda xp, x: x * xp.astype(xp.from_dlpack(np.full(3, 2.0)), x.dtype)
    yield scenario("creation.from_dlpack.constant", foreign, real(3), accuracy=EXACT)
    filled = lambda xp, x: xp.full((2, 2), 3.0, dtype=x.dtype) * x
    yield scenario("creation.full.times", filled, real(), accuracy=EXACT)


SCENARIOS = tuple(_constants())
