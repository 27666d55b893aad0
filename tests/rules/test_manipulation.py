"""Manipulation functions: every signature."""

import numpy as np
import pytest

C = "complex"
CASES = {
    "broadcast_arrays two": (lambda xp, x, y: xp.broadcast_arrays(x, y), (2, 1), (3,)),
    "broadcast_arrays one": (lambda xp, x: xp.broadcast_arrays(x), (2,)),
    "broadcast_to new axis": (lambda xp, x: xp.broadcast_to(x, (2, 3)), (3,)),
    "broadcast_to size 1": (lambda xp, x: xp.broadcast_to(x, shape=(3, 2, 2)), (2, 1)),
    "broadcast_to 0-d": (lambda xp, x: xp.broadcast_to(x, (2, 2)), ()),
    "broadcast_to empty": (lambda xp, x: xp.broadcast_to(x, (0, 1)), (1,)),
    "broadcast_to complex": (lambda xp, x: xp.broadcast_to(x, (2, 2)), (C, 2, 1)),
    "concat": (lambda xp, x, y: xp.concat([x, y]), (1, 2), (2, 2)),
    "concat tuple axis": (lambda xp, x, y: xp.concat((x, y), axis=-1), (2, 1), (2, 2)),
    "concat flat": (lambda xp, x, y: xp.concat([x, y], axis=None), (2, 2), (3,)),
    "concat flat 0-d": (lambda xp, x, y: xp.concat([x, y, x], axis=None), (), (2,)),
    "concat same": (lambda xp, x: xp.concat([x, x, x]), (2,)),
    "concat constant": (lambda xp, x: xp.concat([xp.ones(1, dtype=x.dtype), x, xp.zeros(2, dtype=x.dtype)]), (2,)),
    "concat empty": (lambda xp, x, y: xp.concat([x, y]), (2,), (0,)),
    "concat real and complex": (lambda xp, x, y: xp.concat([x, y]), (2,), (C, 1)),
    "expand_dims first": (lambda xp, x: xp.expand_dims(x, axis=0), (3,)),
    "expand_dims default": (lambda xp, x: xp.expand_dims(x, 0), (2, 2)),
    "expand_dims last": (lambda xp, x: xp.expand_dims(x, axis=-1), (2, 3)),
    "expand_dims tuple": (lambda xp, x: xp.expand_dims(x, axis=(0, -1)), (2, 3)),
    "flip": (lambda xp, x: xp.flip(x), (2, 3)),
    "flip axis": (lambda xp, x: xp.flip(x, axis=-1), (C, 2, 3)),
    "flip tuple": (lambda xp, x: xp.flip(x, axis=(0, -1)), (2, 1, 2)),
    "moveaxis": (lambda xp, x: xp.moveaxis(x, 0, -1), (2, 1, 3)),
    "moveaxis tuple": (lambda xp, x: xp.moveaxis(x, (0, 1), (2, 0)), (2, 1, 3)),
    "permute_dims": (lambda xp, x: xp.permute_dims(x, (2, 0, 1)), (2, 1, 3)),
    "permute_dims negative": (lambda xp, x: xp.permute_dims(x, axes=(-1, 0, -2)), (2, 1, 3)),
    "permute_dims 0-d": (lambda xp, x: xp.permute_dims(x, ()), ()),
    "repeat number": (lambda xp, x: xp.repeat(x, 2), (3,)),
    "repeat flat": (lambda xp, x: xp.repeat(x, 3), (2, 2)),
    "repeat axis": (lambda xp, x: xp.repeat(x, 2, axis=0), (2, 2)),
    "repeat negative axis": (lambda xp, x: xp.repeat(x, 2, axis=-2), (2, 2, 2)),
    "repeat never": (lambda xp, x: xp.repeat(x, 0, axis=1), (2, 2)),
    "repeat array": (lambda xp, x: xp.repeat(x, xp.asarray([2, 0, 3])), (3,)),
    "repeat array axis": (lambda xp, x: xp.repeat(x, xp.asarray([1, 2]), axis=-1), (2, 2)),
    "repeat array flat": (lambda xp, x: xp.repeat(x, xp.asarray([1, 0, 2, 1])), (2, 2)),
    "repeat array of one": (lambda xp, x: xp.repeat(x, xp.asarray([2]), axis=0), (C, 2, 2)),
    "repeat traced count": (lambda xp, x: xp.repeat(x, xp.astype(x > 0, xp.int64) + 1), (4,)),
    "reshape": (lambda xp, x: xp.reshape(x, (3, 2)), (2, 3)),
    "reshape inferred": (lambda xp, x: xp.reshape(x, shape=(-1,)), (2, 3)),
    "reshape copy": (lambda xp, x: xp.reshape(x, (4,), copy=True), (2, 2)),
    "reshape 0-d": (lambda xp, x: xp.reshape(x, ()), (1, 1)),
    "reshape empty": (lambda xp, x: xp.reshape(x, (3, 0)), (0, 3)),
    "roll flat": (lambda xp, x: xp.roll(x, 2), (2, 3)),
    "roll axis": (lambda xp, x: xp.roll(x, -1, axis=1), (2, 3)),
    "roll tuple": (lambda xp, x: xp.roll(x, (1, -2), axis=(0, -1)), (2, 3)),
    "roll keyword": (lambda xp, x: xp.roll(x, shift=1), (C, 3)),
    "squeeze": (lambda xp, x: xp.squeeze(x, axis=1), (2, 1, 3)),
    "squeeze tuple": (lambda xp, x: xp.squeeze(x, (0, -1)), (1, 2, 1)),
    "stack": (lambda xp, x, y: xp.stack([x, y]), (3,), (3,)),
    "stack last": (lambda xp, x, y: xp.stack((x, y), axis=-1), (2, 2), (2, 2)),
    "stack middle": (lambda xp, x, y: xp.stack([x, y, x], axis=1), (2, 2), (2, 2)),
    "stack 0-d": (lambda xp, x, y: xp.stack([x, y, x]), (), ()),
    "stack constant": (lambda xp, x: xp.stack([x, xp.ones(2, dtype=x.dtype)]), (2,)),
    "stack real and complex": (lambda xp, x, y: xp.stack([x, y]), (2,), (C, 2)),
    "tile vector": (lambda xp, x: xp.tile(x, (2,)), (3,)),
    "tile matrix": (lambda xp, x: xp.tile(x, (2, 3)), (2, 2)),
    "tile new axis": (lambda xp, x: xp.tile(x, (2, 1, 2)), (2,)),
    "tile short": (lambda xp, x: xp.tile(x, (2,)), (2, 2)),
    "tile zero": (lambda xp, x: xp.tile(x, (0, 1)), (2, 2)),
    "tile 0-d": (lambda xp, x: xp.tile(x, (3,)), ()),
    "unstack": (lambda xp, x: xp.unstack(x), (2, 3)),
    "unstack last": (lambda xp, x: xp.unstack(x, axis=-1), (C, 2, 3)),
    "unstack one used": (lambda xp, x: xp.unstack(x, axis=1)[1], (2, 3)),
    "reshape times transpose": (lambda xp, x: xp.reshape(x, (3, 2)) * xp.permute_dims(x, (1, 0)), (2, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_against_differences(name, engine, check, inputs):
    function, *specifications = CASES[name]
    check(engine, function, inputs(*specifications))


def test_broadcast_shapes_is_metadata(engine):
    xp = engine.namespace()
    _, (g,) = engine.value_and_grad(
        lambda x: (xp.sum(xp.broadcast_to(x, xp.broadcast_shapes(x.shape, (2, 1)))),), (engine.asarray([1.0, 2.0]),)
    )
    np.testing.assert_array_equal(engine.to_numpy(g), [2, 2])


def test_many_pieces_cost_memory_in_proportion(numpy_engine):
    """Thousands of pieces are one recording of one list; with a copy of it for each piece this would take gigabytes."""
    xp = numpy_engine.namespace()
    pieces = 20_000

    def loss(x):
        return (xp.sum(xp.stack([x] * pieces)),)

    _, (g,) = numpy_engine.value_and_grad(loss, (np.asarray(1.0),))
    assert g == pieces
