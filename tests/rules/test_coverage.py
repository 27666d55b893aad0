"""Every function of the array API standard 2025.12 is one the engine knows how to differentiate, or refuses with a reason."""

import pytest

from unidiff.engine.rule import KINDS
from unidiff.rules import RULES

STANDARD = {
    "creation": "arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like tril triu"
    " zeros zeros_like",
    "elementwise": "abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_or"
    " bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor floor_divide greater"
    " greater_equal hypot imag isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp logical_and logical_not"
    " logical_or logical_xor maximum minimum multiply negative nextafter not_equal positive pow real reciprocal remainder round"
    " sign signbit sin sinh sqrt square subtract tan tanh trunc",
    "statistical": "cumulative_prod cumulative_sum max mean min prod std sum var",
    "linear algebra": "matmul matrix_transpose tensordot vecdot",
    "manipulation": "broadcast_arrays broadcast_shapes broadcast_to concat expand_dims flip moveaxis permute_dims repeat"
    " reshape roll squeeze stack tile unstack",
    "searching": "argmax argmin count_nonzero nonzero searchsorted where",
    "sets": "isin unique_all unique_counts unique_inverse unique_values",
    "sorting": "argsort sort",
    "utility": "all any diff",
    "indexing": "take take_along_axis",
    "data type": "astype can_cast finfo iinfo isdtype result_type",
    "inspection": "__array_namespace_info__",
    "linalg": "linalg.cholesky linalg.cross linalg.det linalg.diagonal linalg.eig linalg.eigh linalg.eigvals linalg.eigvalsh"
    " linalg.inv linalg.matmul linalg.matrix_norm linalg.matrix_power linalg.matrix_rank linalg.matrix_transpose linalg.outer"
    " linalg.pinv linalg.qr linalg.slogdet linalg.solve linalg.svd linalg.svdvals linalg.tensordot linalg.trace linalg.vecdot"
    " linalg.vector_norm",
    "fft": "fft.fft fft.fftfreq fft.fftn fft.fftshift fft.hfft fft.ifft fft.ifftn fft.ifftshift fft.ihfft fft.irfft fft.irfftn"
    " fft.rfft fft.rfftfreq fft.rfftn",
}
NAMES = [name for names in STANDARD.values() for name in names.split()]
BUILT_IN = {
    "asarray": "takes nested sequences, so the engine converts them itself",
    "__array_namespace_info__": "has no array among its arguments",
}


def test_the_list_is_that_of_the_standard():
    assert len(NAMES) == len(set(NAMES)) == 175
    assert {name: len(names.split()) for name, names in STANDARD.items()} == {
        "creation": 16, "elementwise": 67, "statistical": 9, "linear algebra": 4, "manipulation": 15, "searching": 6, "sets": 5,
        "sorting": 2, "utility": 3, "indexing": 2, "data type": 6, "inspection": 1, "linalg": 25, "fft": 14,
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_function_of_the_standard_is_classified(name):
    if name in BUILT_IN:
        assert name not in RULES
        return
    rule = RULES[name]
    assert rule.kind in KINDS
    if rule.kind in ("elementwise", "general"):
        assert rule.vjps
        assert len(rule.jvps) == len(rule.vjps)
        assert [push is None for push in rule.jvps] == [pull is None for pull in rule.vjps]
    if rule.kind == "composite":
        assert rule.implementation is not None
    if rule.kind == "nondifferentiable":
        assert rule.reason


@pytest.mark.parametrize("name", NAMES)
def test_every_function_of_the_standard_is_in_the_namespace(name, engine):
    for xp in (engine.namespace(), engine.domain.traced):
        found = xp
        for part in name.split("."):
            found = getattr(found, part)
        assert callable(found)
