"""Indexing, item assignment, gathering, selection, sorting and sets."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from unidiff_conformance.scenario import ARITHMETIC, EXACT, Function, Input, Rule, Scenario, cplx, real, scenario


def _ints(xp: Any, values: Any) -> Any:
    return xp.asarray(values, dtype=xp.int64)


_GETITEM: dict[str, tuple[Input, Function]] = {
    "integer": (real(3), lambda xp, x: x[1]),
    "negative-integer": (real(2, 3), lambda xp, x: x[-1, ...]),
    "integers": (real(2, 3), lambda xp, x: x[0, -1]),
    "slice": (real(4), lambda xp, x: x[1:3]),
    "slice-to-end": (real(2, 3), lambda xp, x: x[:, 1:]),
    "step": (real(5), lambda xp, x: x[::2]),
    "negative-step": (real(4), lambda xp, x: x[::-1]),
    "empty-slice": (real(3), lambda xp, x: x[2:2]),
    "ellipsis": (real(2, 1, 3), lambda xp, x: x[..., 0]),
    "new-axis": (real(3), lambda xp, x: x[:, None]),
    "new-axes": (real(2, 2), lambda xp, x: x[None, :, None, 1]),
    "whole": (real(2, 2), lambda xp, x: x[...]),
    "0-d": (real(), lambda xp, x: x[()]),
    "mask": (real(4), lambda xp, x: x[xp.asarray([True, False, True, True])]),
    "mask-2-d": (real(2, 2), lambda xp, x: x[xp.asarray([[True, False], [True, True]])]),
    "mask-of-values": (real(4), lambda xp, x: x[x > 0]),
    "mask-none": (real(3), lambda xp, x: x[x > 5]),
    "integer-array": (real(4), lambda xp, x: x[_ints(xp, [3, 0, 2])]),
    "duplicates": (real(3), lambda xp, x: x[_ints(xp, [1, 1, 2, 1])]),
    "integer-matrix": (real(3), lambda xp, x: x[_ints(xp, [[0, 1], [1, 2]])]),
    "integer-arrays": (real(2, 3), lambda xp, x: x[_ints(xp, [0, 1, 0]), _ints(xp, [2, 2, 2])]),
    "negative-in-array": (real(3), lambda xp, x: x[_ints(xp, [-1, 0])]),
    "array-and-integer": (real(2, 3), lambda xp, x: x[_ints(xp, [0, 1, 1]), 1]),
    "overlap": (real(4), lambda xp, x: x[1:] * x[:-1]),
    "chain": (real(3, 3), lambda xp, x: x[1:, :][0, ...] * x[:, 2]),
    "complex": (cplx(3), lambda xp, x: x[1:]),
    "iteration": (real(3), lambda xp, x: xp.stack([2 * row for row in x])),
}
_SETITEM: dict[str, tuple[tuple[Input, ...], Function]] = {
    "integer": ((real(3),), lambda xp, y, x: (1, x[0] * x[2])),
    "slice": ((real(3),), lambda xp, y, x: (slice(1, None), x[:2] * x[:2])),
    "number": ((real(3),), lambda xp, y, x: (0, 2.0)),
    "mask": ((real(3),), lambda xp, y, x: (x > 0, 0.5)),
}
_TAKE: dict[str, tuple[Input, Function]] = {
    "vector": (real(4), lambda xp, x: xp.take(x, _ints(xp, [2, 0]))),
    "duplicates": (real(3), lambda xp, x: xp.take(x, _ints(xp, [1, 1, 0, 1]))),
    "axis": (real(2, 3), lambda xp, x: xp.take(x, _ints(xp, [2, 2]), axis=1)),
    "negative-axis": (real(2, 3), lambda xp, x: xp.take(x, _ints(xp, [1, 0, 1]), axis=-2)),
    "complex": (cplx(3), lambda xp, x: xp.take(x, _ints(xp, [2, 2]))),
}
_ALONG: dict[str, tuple[Input, Function]] = {
    "rows": (real(2, 3), lambda xp, x: xp.take_along_axis(x, _ints(xp, [[2, 0], [1, 1]]), axis=1)),
    "columns": (real(2, 3), lambda xp, x: xp.take_along_axis(x, _ints(xp, [[1, 0, 1]]), axis=0)),
    "default-axis": (real(2, 2), lambda xp, x: xp.take_along_axis(x, _ints(xp, [[1, 1], [0, 1]]))),
    "argsort": (real(2, 3), lambda xp, x: xp.take_along_axis(x, xp.argsort(x, axis=-1), axis=-1)),
}


def _indexing() -> Iterator[Scenario]:
    for name, (data, function) in _GETITEM.items():
        accuracy = ARITHMETIC if name in ("overlap", "chain") else EXACT
        yield scenario(f"indexing.getitem.{name}", function, data, accuracy=accuracy)
    for name, (inputs, assignment) in _SETITEM.items():

        def assign(xp: Any, x: Any, assignment: Function = assignment) -> Any:
            y = 3 * x
            index, value = assignment(xp, y, x)
            y[index] = value
            return y * x

        yield scenario(f"indexing.setitem.{name}", assign, *inputs, accuracy=ARITHMETIC, requires=["mutation"])
    for kind, table in (("take", _TAKE), ("take_along_axis", _ALONG)):
        for name, (data, function) in table.items():
            yield scenario(f"indexing.{kind}.{name}", function, data, accuracy=EXACT)


def _searching() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=EXACT)
    mask = [True, False, True]
    where = lambda xp, x, y: xp.where(xp.asarray(mask), x, y)
    yield make("searching.where.vectors", where, real(3), real(3))
    yield make("searching.where.broadcast", where, real(2, 1), real(3))
    yield make("searching.where.0-d", where, real(), real(3))
    yield make("searching.where.complex", where, cplx(3), cplx(3))
    yield make("searching.where.real-complex", where, real(3), cplx(3))
    yield make("searching.where.scalar-right", lambda xp, x: xp.where(x > 0, x, 0.0), real(4))
    yield make("searching.where.scalar-left", lambda xp, x: xp.where(x > 0, 0.5, x), real(4))
    yield make("searching.where.same-array", lambda xp, x: xp.where(x > 0, x, -x), real(4))
    yield make("searching.where.finite-branches", lambda xp, x: xp.where(x > 0, xp.sin(x), x * x), real(4), accuracy=ARITHMETIC)
    live = lambda xp, x: xp.where(x > -3, x, xp.asarray(float("nan"), dtype=x.dtype))
    yield make("searching.where.nan-constant", live, real(3))
    yield make("searching.argmax.as-index", lambda xp, x: xp.take(x, xp.reshape(xp.argmax(x), (1,))), real(4))
    yield make("searching.argmin.as-index", lambda xp, x: x[xp.argmin(x)], real(4))
    yield make("searching.nonzero.as-index", lambda xp, x: x[xp.nonzero(x > 0)[0]], real(4))
    count = lambda xp, x: x * xp.astype(xp.count_nonzero(x > 0), x.dtype)
    yield make("searching.count_nonzero.as-factor", count, real(3), accuracy=ARITHMETIC)


def _sorting() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=EXACT)
    yield make("sorting.sort.vector", lambda xp, x: xp.sort(x), real(4))
    yield make("sorting.sort.descending", lambda xp, x: xp.sort(x, descending=True), real(4))
    yield make("sorting.sort.axis", lambda xp, x: xp.sort(x, axis=0), real(3, 2))
    yield make("sorting.sort.descending-axis", lambda xp, x: xp.sort(x, axis=0, descending=True), real(3, 2))
    yield make("sorting.sort.matrix", lambda xp, x: xp.sort(x), real(2, 3))
    yield make("sorting.sort.empty", lambda xp, x: xp.sort(x), real(0))
    yield make("sorting.sort.weighted", lambda xp, x: xp.sort(x) * xp.sort(x, descending=True), real(3), accuracy=ARITHMETIC)
    up = lambda xp, x: x[[1, 2, 0, 3]]
    yield make("sorting.sort.tie", lambda xp, x: xp.sort(x), [1.0, 0.0, 0.0, 2.0], like=up)
    down = lambda xp, x: x[[0, 1, 3, 2]]
    yield make("sorting.sort.tie-descending", lambda xp, x: xp.sort(x, descending=True), [1.0, 1.0, 0.0, 0.5], like=down)
    yield make("sorting.argsort.as-index", lambda xp, x: xp.take(x, xp.argsort(x, descending=True)), real(4))
    yield make("set.unique_values.distinct", lambda xp, x: xp.sort(xp.unique_values(x)), real(4))
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        values = lambda xp, x, name=name: xp.sort(getattr(xp, name)(x).values)
        yield make(f"set.{name}.distinct", values, real(4))
    first = lambda xp, x: xp.unique_all(x).values
    yield make("set.unique_all.tie", first, [2.0, 1.0, 2.0, 1.0], like=lambda xp, x: xp.stack([x[1], x[0]]), rule=Rule.CONSTANT)


def _differences() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=EXACT)
    yield make("utility.diff.vector", lambda xp, x: xp.diff(x), real(4))
    yield make("utility.diff.twice", lambda xp, x: xp.diff(x, n=2), real(4))
    yield make("utility.diff.axis", lambda xp, x: xp.diff(x, axis=0), real(3, 2))
    yield make("utility.diff.prepend-append", lambda xp, x, y: xp.diff(x, prepend=y, append=2 * y), real(3), real(1))
    yield make("utility.diff.complex", lambda xp, x: xp.diff(x), cplx(3))


SCENARIOS = (*_indexing(), *_searching(), *_sorting(), *_differences())
