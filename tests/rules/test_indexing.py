"""Indexing: every kind of index of the standard, item assignment, and gathering."""

import numpy as np
import pytest

from unidiff.errors import InPlaceError, TracedConversionError

C = "complex"


def _ints(xp, values):
    return xp.asarray(values, dtype=xp.int64)


PARTS = {
    "integer": (lambda xp, x: x[1], (3,)),
    "negative integer": (lambda xp, x: x[-1, ...], (2, 3)),
    "integers": (lambda xp, x: x[0, -1], (2, 3)),
    "slice": (lambda xp, x: x[1:3], (4,)),
    "open slice": (lambda xp, x: x[:, 1:], (2, 3)),
    "step": (lambda xp, x: x[::2], (5,)),
    "negative step": (lambda xp, x: x[::-1], (4,)),
    "negative step between": (lambda xp, x: x[4:1:-2], (6,)),
    "negative bounds": (lambda xp, x: x[-3:-1], (5,)),
    "empty slice": (lambda xp, x: x[2:2], (3,)),
    "ellipsis": (lambda xp, x: x[..., 0], (2, 1, 3)),
    "ellipsis between": (lambda xp, x: x[0, ..., 1:], (2, 2, 3)),
    "new axis": (lambda xp, x: x[:, None], (3,)),
    "new axes": (lambda xp, x: x[None, :, None, 1], (2, 2)),
    "whole": (lambda xp, x: x[...], (2, 2)),
    "0-d": (lambda xp, x: x[()], ()),
    "mask": (lambda xp, x: x[xp.asarray([True, False, True, True])], (4,)),
    "matrix mask": (lambda xp, x: x[xp.asarray([[True, False], [True, True]])], (2, 2)),
    "mask of rows": (lambda xp, x: x[xp.asarray([True, False, True])], (3, 2)),
    "mask of values": (lambda xp, x: x[x > 0], (4,)),
    "mask of nothing": (lambda xp, x: x[x > 50], (3,)),
    "integer array": (lambda xp, x: x[_ints(xp, [3, 0, 2])], (4,)),
    "duplicates": (lambda xp, x: x[_ints(xp, [1, 1, 2, 1])], (3,)),
    "integer matrix": (lambda xp, x: x[_ints(xp, [[0, 1], [1, 2]])], (3,)),
    "integer arrays": (lambda xp, x: x[_ints(xp, [0, 1, 0]), _ints(xp, [2, 2, 2])], (2, 3)),
    "broadcast arrays": (lambda xp, x: x[_ints(xp, [[0], [1]]), _ints(xp, [2, 0])], (2, 3)),
    "negative in array": (lambda xp, x: x[_ints(xp, [-1, 0, 2])], (3,)),
    "array and integer": (lambda xp, x: x[_ints(xp, [0, 1, 1]), 1], (2, 3)),
    "integer and array": (lambda xp, x: x[-1, _ints(xp, [0, 1, 1])], (2, 3)),
    "0-d array": (lambda xp, x: x[xp.argmax(x)], (3,)),
    "empty array": (lambda xp, x: x[_ints(xp, [])], (3,)),
    "overlap": (lambda xp, x: x[1:] * x[:-1], (4,)),
    "chain": (lambda xp, x: x[1:, :][0, :] * x[:, 2], (3, 3)),
    "complex": (lambda xp, x: x[1:], (C, 3)),
    "complex duplicates": (lambda xp, x: x[_ints(xp, [1, 1])], (C, 3)),
    "iteration": (lambda xp, x: xp.stack([2 * row * row for row in xp.unstack(x)]), (3, 2)),
}
MIXED = {  # beyond the standard: integer arrays beside slices, and indices shorter than the array
    "row": (lambda xp, x: x[1], (2, 3)),
    "rows": (lambda xp, x: x[[1, 1, 0]], (2, 3)),
    "columns": (lambda xp, x: x[:, np.asarray([2, 0, 2])], (2, 3)),
    "columns and step": (lambda xp, x: x[::-1, np.asarray([2, 2])], (2, 3)),
    "apart": (lambda xp, x: x[np.asarray([0, 1, 1]), :, np.asarray([2, 0, 0])], (2, 2, 3)),
    "column mask": (lambda xp, x: x[:, np.asarray([True, False, True])], (2, 3)),
    "array and new axis": (lambda xp, x: x[None, np.asarray([1, 1])], (2, 3)),
    "list mask": (lambda xp, x: x[[True, False, True]], (3,)),
    "take matrix": (lambda xp, x: xp.take(x, np.asarray([[0, 1], [1, 1]]), axis=1), (2, 3)),
}
GATHERED = {
    "take": (lambda xp, x: xp.take(x, _ints(xp, [2, 0])), (4,)),
    "take duplicates": (lambda xp, x: xp.take(x, _ints(xp, [1, 1, 0, 1])), (3,)),
    "take axis": (lambda xp, x: xp.take(x, _ints(xp, [2, 2]), axis=1), (2, 3)),
    "take negative axis": (lambda xp, x: xp.take(x, _ints(xp, [1, 0, 1]), axis=-2), (2, 2, 3)),
    "take negative index": (lambda xp, x: xp.take(x, _ints(xp, [-1, 0]), axis=0), (3, 2)),
    "take nothing": (lambda xp, x: xp.take(x, _ints(xp, [])), (3,)),
    "take complex": (lambda xp, x: xp.take(x, _ints(xp, [2, 2])), (C, 3)),
    "take of traced indices": (lambda xp, x: xp.take(x, xp.astype(x > 0, xp.int64)), (3,)),
    "take_along_axis rows": (lambda xp, x: xp.take_along_axis(x, _ints(xp, [[2, 0], [1, 1]]), axis=1), (2, 3)),
    "take_along_axis columns": (lambda xp, x: xp.take_along_axis(x, _ints(xp, [[1, 0, 1], [0, 0, 0]]), axis=0), (2, 3)),
    "take_along_axis default": (lambda xp, x: xp.take_along_axis(x, _ints(xp, [[1, 1, 0], [0, 1, 1]])), (2, 2)),
    "take_along_axis middle": (lambda xp, x: xp.take_along_axis(x, xp.argsort(x, axis=1)[:, :1, :], axis=-2), (2, 3, 2)),
    "take_along_axis broadcast": (lambda xp, x: xp.take_along_axis(x, _ints(xp, [[1, 1]]), axis=1), (3, 2)),
    "take_along_axis complex": (lambda xp, x: xp.take_along_axis(x, _ints(xp, [1, 1, 0]), axis=0), (C, 2)),
}


def _assigned(key, value):
    def function(xp, x, *values):
        y = 3 * x
        y[key(xp, x)] = value(xp, x, *values)
        return y * x

    return function


ASSIGNED = {
    "set integer": (_assigned(lambda xp, x: 1, lambda xp, x: x[0] * x[2]), (3,)),
    "set slice": (_assigned(lambda xp, x: slice(1, None), lambda xp, x: x[:2] * x[:2]), (3,)),
    "set negative step": (_assigned(lambda xp, x: slice(None, None, -2), lambda xp, x: x[:2]), (3,)),
    "set broadcast": (_assigned(lambda xp, x: (slice(None), 1), lambda xp, x: x[0, 0] * x[1, 0]), (2, 2)),
    "set broadcast row": (_assigned(lambda xp, x: (slice(0, 2), ...), lambda xp, x, y: y), (3, 2), (2,)),
    "set number": (_assigned(lambda xp, x: 0, lambda xp, x: 2.0), (3,)),
    "set constant": (_assigned(lambda xp, x: slice(0, 2), lambda xp, x: xp.ones(2, dtype=x.dtype)), (3,)),
    "set mask": (_assigned(lambda xp, x: x > 0, lambda xp, x: 0.5), (3,)),
    "set mask with traced": (_assigned(lambda xp, x: x > 0, lambda xp, x: x[0] * x[1]), (3,)),
    "set ellipsis": (_assigned(lambda xp, x: ..., lambda xp, x, y: y * x), (2, 2), (2, 2)),
    "set complex": (_assigned(lambda xp, x: slice(1, None), lambda xp, x, y: y), (C, 3), (C, 2)),
    "set real into complex": (_assigned(lambda xp, x: slice(1, None), lambda xp, x, y: y), (C, 3), (2,)),
}
ASSIGNED_ARRAYS = {
    "set integer array": (_assigned(lambda xp, x: np.asarray([2, 0]), lambda xp, x, y: y * y), (3,), (2,)),
    "set list with duplicates": (_assigned(lambda xp, x: [2, 0, 2], lambda xp, x, y: y), (3,), (3,)),
    "set rows": (_assigned(lambda xp, x: np.asarray([1, 0]), lambda xp, x, y: y), (2, 3), (3,)),
    "set duplicates": (_assigned(lambda xp, x: np.asarray([2, 0, 2]), lambda xp, x, y: y * y), (3,), (3,)),
    "set broadcast duplicates": (_assigned(lambda xp, x: (np.asarray([1, 1]), slice(0, 2)), lambda xp, x, y: y), (2, 3), (2,)),
}


@pytest.mark.parametrize("name", PARTS | GATHERED | ASSIGNED)
def test_against_differences(name, engine, check, inputs):
    function, *specifications = (PARTS | GATHERED | ASSIGNED)[name]
    check(engine, function, inputs(*specifications))


@pytest.mark.parametrize("name", MIXED | ASSIGNED_ARRAYS)
def test_beyond_the_standard_against_differences(name, numpy_engine, check, inputs):
    function, *specifications = (MIXED | ASSIGNED_ARRAYS)[name]
    check(numpy_engine, function, inputs(*specifications))


def test_what_a_later_assignment_overwrote_has_no_derivative(numpy_engine, derivatives):
    case = derivatives(numpy_engine, ASSIGNED_ARRAYS["set duplicates"][0], [np.ones(3), np.asarray([1.0, 2.0, 3.0])])
    _, (_, pulled) = case.vjp([np.ones(3)])
    np.testing.assert_array_equal(pulled, [0, 4, 6])


def _augmented(x):
    x[1, :] *= x[0, :]
    x[0, 1:] += 1.0
    return x


def _changed_part(x):
    row = x[1, ...]
    row[0] = x[0, 0] * x[0, 1]
    row += 2.0
    return x * x[1, 0]


def _changed_part_of_part(x):
    row = x[1, ...]
    end = row[1:]
    end *= 3.0 * x[0, 0]
    return x * row


def _changed_by_another_part(x):
    first = x[0, :]
    x[1, :] = first
    first *= x[1, :]
    del first
    x[:, 1:] = x[:, :-1]
    return x * x[0, 0]


CHANGED = {
    "augmented": _augmented,
    "part": _changed_part,
    "part of a part": _changed_part_of_part,
    "by another part": _changed_by_another_part,
}


@pytest.mark.parametrize("name", CHANGED)
def test_change_of_a_part_changes_the_array_as_on_plain_arrays(name, numpy_engine, check, inputs):
    check(numpy_engine, lambda xp, x: CHANGED[name](xp.asarray(x, copy=True)), inputs((2, 3)))


def _sibling(xp, x):
    first, both = x[:1], x[:2]
    first += 1.0
    return both


def _base_of_a_part(xp, x):
    part = x[1:]
    x += 1.0
    return part


def _reshaped(xp, x):
    square = xp.reshape(x, (1, 2))
    square += 1.0
    return x


@pytest.mark.parametrize("function", [_sibling, _base_of_a_part, _reshaped])
def test_change_that_another_view_would_not_see_is_refused(function, engine):
    xp = engine.namespace()

    def loss(x):
        return (xp.sum(function(xp, x + 0.0)),)

    x = engine.asarray([1.0, 2.0])
    with pytest.raises(InPlaceError, match="shares its memory"):
        engine.value_and_grad(loss, (x,))
    with pytest.raises(InPlaceError, match="shares its memory"):
        engine.jvp(loss, (x,), (x,))


def test_masks_copy(engine):
    xp = engine.namespace()

    def loss(x):
        picked = x[x > 1.5]
        picked *= 3.0
        return (xp.sum(picked * x[1:]),)

    x = engine.asarray([1.0, 2.0])
    value, (g,) = engine.value_and_grad(loss, (x,))
    assert float(engine.to_numpy(value)) == 12
    np.testing.assert_array_equal(engine.to_numpy(g), [0, 12])


def test_index_that_carries_a_derivative_is_refused(engine):
    with pytest.raises((TracedConversionError, IndexError)):
        engine.value_and_grad(lambda x: (x[x[0]],), (engine.asarray([0.0, 1.0]),))


def test_inputs_are_not_changed_by_assignment(engine):
    x = engine.asarray([1.0, 2.0, 3.0])

    def loss(x):
        x[0] = 5.0
        return (x[0] * x[1],)

    value, (g,) = engine.value_and_grad(loss, (x,))
    assert float(engine.to_numpy(value)) == 10
    np.testing.assert_array_equal(engine.to_numpy(g), [0, 5, 0])
    np.testing.assert_array_equal(engine.to_numpy(x), [1, 2, 3])


def test_many_parts_of_one_array_cost_one_buffer(engine):
    """Sum of all overlapping products; the closed form is the sum of the neighbours."""

    def loss(x):
        total = 0.0
        for i in range(49):
            total = total + x[i] * x[i + 1]
        return (total,)

    x = np.arange(50.0)
    _, (g,) = engine.value_and_grad(loss, (engine.asarray(x),))
    np.testing.assert_array_equal(engine.to_numpy(g), np.append(x[1:], 0) + np.insert(x[:-1], 0, 0))


def test_tables_have_distinct_names():
    tables = (PARTS, MIXED, GATHERED, ASSIGNED, ASSIGNED_ARRAYS)
    assert len(set().union(*tables)) == sum(map(len, tables))


BATCHED = {
    "take": lambda xp, x: xp.take(x, xp.argsort(x)[:2], axis=0),
    "take_along_axis": lambda xp, x: xp.take_along_axis(x, xp.argsort(x, descending=True), axis=0),
    "argmax": lambda xp, x: xp.take(x, xp.reshape(xp.argmax(x), (1,))),
    "sort": lambda xp, x: xp.sort(x),
    "integer": lambda xp, x: x[xp.argmin(x)],
    "integers": lambda xp, x: x[xp.argsort(x)],
    "set mask": _assigned(lambda xp, x: x > 0.6, lambda xp, x: x[0] * x[1]),
    "repeat": lambda xp, x: xp.repeat(x, 1 + xp.astype(xp.argsort(x), xp.int64)),
}


@pytest.mark.parametrize("name", BATCHED)
def test_indices_that_differ_between_slices_of_a_batch(name, engine):
    """vmap of a pull-back of a pull-back; the oracle is the loop."""
    f = BATCHED[name]

    def first(x):
        return engine.value_and_grad(lambda x: (engine.namespace(x).sum(f(engine.namespace(x), x) ** 3),), (x,))[1]

    def second(x):
        return engine.value_and_grad(lambda x: (engine.namespace(x).sum(first(x)[0] ** 2),), (x,))[1]

    batch = np.asarray([[1.0, 3.0, 2.0], [5.0, -1.0, 0.5]])
    for function in (first, second):
        (rows,) = engine.vmap(function, (engine.asarray(batch),), (True,), 2)
        expected = [engine.to_numpy(function(engine.asarray(row))[0]) for row in batch]
        np.testing.assert_allclose(engine.to_numpy(rows), expected)
