"""The linear algebra functions of the main namespace, which the extension repeats."""

from collections.abc import Iterator
from functools import partial

from unidiff_conformance.scenario import ARITHMETIC, EXACT, Input, Scenario, cplx, real, scenario

_MATMUL: dict[str, tuple[Input, Input]] = {
    "matrix-matrix": (real(2, 3), real(3, 2)),
    "matrix-vector": (real(2, 3), real(3)),
    "vector-matrix": (real(3), real(3, 2)),
    "vector-vector": (real(3), real(3)),
    "stack-stack": (real(2, 1, 3), real(2, 3, 2)),
    "stack-matrix": (real(2, 2, 2), real(2, 2)),
    "matrix-stack": (real(2, 2), real(2, 2, 2)),
    "stack-vector": (real(2, 2, 3), real(3)),
    "vector-stack": (real(3), real(2, 3, 2)),
    "broadcast-stacks": (real(1, 2, 2), real(2, 1, 2, 1)),
    "empty-inner": (real(2, 0), real(0, 3)),
    "complex": (cplx(2, 2), cplx(2, 2)),
    "real-complex": (real(2, 2), cplx(2)),
}
_TENSORDOT: dict[str, tuple[Input, Input, int | tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "default": (real(2, 1, 2), real(1, 2, 3), 2),
    "one-axis": (real(2, 2), real(2, 3), 1),
    "outer": (real(2), real(3), 0),
    "pairs": (real(2, 1, 3), real(3, 2), ((0, 2), (1, 0))),
    "negative-axes": (real(2, 3), real(2, 3), ((-1,), (-1,))),
    "complex": (cplx(2, 2), cplx(2, 2), 1),
}
_VECDOT: dict[str, tuple[Input, Input, int]] = {
    "vectors": (real(3), real(3), -1),
    "rows": (real(2, 3), real(2, 3), -1),
    "broadcast": (real(2, 3), real(3), -1),
    "axis": (real(2, 3), real(2, 3), -2),
    "complex": (cplx(3), cplx(3), -1),
}


def _tables() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=ARITHMETIC)
    for prefix, get in (("linear_algebra", lambda xp: xp), ("linalg", lambda xp: xp.linalg)):
        for variant, (a, b) in _MATMUL.items():
            if prefix == "linear_algebra" or variant == "matrix-matrix":
                yield make(f"{prefix}.matmul.{variant}", lambda xp, x, y, get=get: get(xp).matmul(x, y), a, b)
        for variant, (a, b, axes) in _TENSORDOT.items():
            if prefix == "linear_algebra" or variant == "pairs":
                dot = lambda xp, x, y, get=get, axes=axes: get(xp).tensordot(x, y, axes=axes)
                yield make(f"{prefix}.tensordot.{variant}", dot, a, b)
        for variant, (a, b, axis) in _VECDOT.items():
            if prefix == "linear_algebra" or variant == "rows":
                inner = lambda xp, x, y, get=get, axis=axis: get(xp).vecdot(x, y, axis=axis)
                yield make(f"{prefix}.vecdot.{variant}", inner, a, b)
        transpose = lambda xp, x, get=get: get(xp).matrix_transpose(x)
        yield scenario(f"{prefix}.matrix_transpose.stack", transpose, real(2, 1, 3), accuracy=EXACT)


def _operators() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=ARITHMETIC)
    yield make("linear_algebra.matmul.operator", lambda xp, x, y: x @ y, real(2, 3), real(3, 2))
    yield make("linear_algebra.matmul.gram", lambda xp, x: x.T @ x, real(3, 2))
    yield make("linear_algebra.matmul.square", lambda xp, x: x @ x, real(2, 2))
    yield make(
        "linear_algebra.matmul.constant", lambda xp, x: x @ xp.asarray([[1.0, 2.0], [3.0, 4.0]], dtype=x.dtype), real(2, 2)
    )
    yield scenario("linear_algebra.matrix_transpose.attribute-mT", lambda xp, x: x.mT, real(2, 1, 3), accuracy=EXACT)
    yield scenario("linear_algebra.matrix_transpose.attribute-T", lambda xp, x: x.T, cplx(2, 3), accuracy=EXACT)


SCENARIOS = (*_tables(), *_operators())
