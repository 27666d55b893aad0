"""Functions that move, copy and reshape; creation from arrays; changes of dtype."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from unidiff_conformance.scenario import ARITHMETIC, EXACT, Function, Input, Rule, Scenario, cplx, real, scenario

# name of the function, variant, inputs, function
_TABLE: tuple[tuple[str, tuple[Input, ...], Function], ...] = (
    ("broadcast_arrays.two", (real(2, 1), real(3)), lambda xp, x, y: tuple(xp.broadcast_arrays(x, y))),
    ("broadcast_to.new-axis", (real(3),), lambda xp, x: xp.broadcast_to(x, (2, 3))),
    ("broadcast_to.size-1", (real(2, 1),), lambda xp, x: xp.broadcast_to(x, (3, 2, 2))),
    ("broadcast_to.0-d", (real(),), lambda xp, x: xp.broadcast_to(x, (2, 2))),
    ("broadcast_to.empty", (real(1),), lambda xp, x: xp.broadcast_to(x, (0, 1))),
    ("concat.default", (real(1, 2), real(2, 2)), lambda xp, x, y: xp.concat([x, y])),
    ("concat.axis", (real(2, 1), real(2, 2)), lambda xp, x, y: xp.concat((x, y), axis=-1)),
    ("concat.flattened", (real(2, 2), real(3)), lambda xp, x, y: xp.concat([x, y], axis=None)),
    ("concat.same-array", (real(2),), lambda xp, x: xp.concat([x, x, x])),
    ("concat.with-constant", (real(2),), lambda xp, x: xp.concat([x, xp.ones(1, dtype=x.dtype)])),
    ("concat.with-empty", (real(2), real(0)), lambda xp, x, y: xp.concat([x, y])),
    ("concat.real-complex", (real(2), cplx(2)), lambda xp, x, y: xp.concat([x, y])),
    ("expand_dims.first", (real(3),), lambda xp, x: xp.expand_dims(x, axis=0)),
    ("expand_dims.last", (real(2, 3),), lambda xp, x: xp.expand_dims(x, axis=-1)),
    ("flip.all", (real(2, 3),), lambda xp, x: xp.flip(x)),
    ("flip.axis", (real(2, 3),), lambda xp, x: xp.flip(x, axis=1)),
    ("flip.axes", (real(2, 1, 2),), lambda xp, x: xp.flip(x, axis=(0, -1))),
    ("moveaxis.one", (real(2, 1, 3),), lambda xp, x: xp.moveaxis(x, 0, -1)),
    ("moveaxis.two", (real(2, 1, 3),), lambda xp, x: xp.moveaxis(x, (0, 1), (2, 0))),
    ("permute_dims.cycle", (real(2, 1, 3),), lambda xp, x: xp.permute_dims(x, (2, 0, 1))),
    ("permute_dims.complex", (cplx(2, 2),), lambda xp, x: xp.permute_dims(x, (1, 0))),
    ("repeat.number", (real(3),), lambda xp, x: xp.repeat(x, 2)),
    ("repeat.axis", (real(2, 2),), lambda xp, x: xp.repeat(x, 2, axis=0)),
    ("repeat.array", (real(3),), lambda xp, x: xp.repeat(x, xp.asarray([2, 0, 3]))),
    ("repeat.array-axis", (real(2, 2),), lambda xp, x: xp.repeat(x, xp.asarray([1, 2]), axis=1)),
    ("repeat.flattened", (real(2, 2),), lambda xp, x: xp.repeat(x, 2)),
    ("reshape.matrix", (real(6),), lambda xp, x: xp.reshape(x, (2, 3))),
    ("reshape.inferred", (real(2, 3),), lambda xp, x: xp.reshape(x, (-1,))),
    ("reshape.to-0-d", (real(1, 1),), lambda xp, x: xp.reshape(x, ())),
    ("reshape.copy", (real(2, 2),), lambda xp, x: xp.reshape(x, (4,), copy=True)),
    ("reshape.empty", (real(0, 3),), lambda xp, x: xp.reshape(x, (3, 0))),
    ("roll.flattened", (real(2, 3),), lambda xp, x: xp.roll(x, 2)),
    ("roll.axis", (real(2, 3),), lambda xp, x: xp.roll(x, -1, axis=1)),
    ("roll.axes", (real(2, 3),), lambda xp, x: xp.roll(x, (1, 2), axis=(0, 1))),
    ("squeeze.axis", (real(2, 1, 3),), lambda xp, x: xp.squeeze(x, axis=1)),
    ("squeeze.axes", (real(1, 2, 1),), lambda xp, x: xp.squeeze(x, axis=(0, -1))),
    ("stack.first", (real(3), real(3)), lambda xp, x, y: xp.stack([x, y])),
    ("stack.last", (real(2, 2), real(2, 2)), lambda xp, x, y: xp.stack((x, y), axis=-1)),
    ("stack.0-d", (real(), real()), lambda xp, x, y: xp.stack([x, y, x])),
    ("tile.vector", (real(3),), lambda xp, x: xp.tile(x, (2,))),
    ("tile.matrix", (real(2, 2),), lambda xp, x: xp.tile(x, (2, 1))),
    ("tile.new-axis", (real(2),), lambda xp, x: xp.tile(x, (2, 2))),
    ("tile.short", (real(2, 2),), lambda xp, x: xp.tile(x, (2,))),
    ("unstack.first", (real(2, 3),), lambda xp, x: tuple(xp.unstack(x))),
    ("unstack.axis", (real(2, 3),), lambda xp, x: tuple(xp.unstack(x, axis=-1))),
    ("unstack.one-used", (real(2, 3),), lambda xp, x: xp.unstack(x)[1]),
)
_CREATION: tuple[tuple[str, tuple[Input, ...], Function], ...] = (
    ("asarray.same", (real(3),), lambda xp, x: xp.asarray(x)),
    ("asarray.copy", (real(3),), lambda xp, x: xp.asarray(x, copy=True)),
    ("asarray.dtype", (real(3),), lambda xp, x: xp.asarray(x, dtype=x.dtype)),
    ("asarray.list", (real(2),), lambda xp, x: xp.asarray([x[1], x[0], x[1]])),
    ("asarray.nested-list", (real(2),), lambda xp, x: xp.asarray([[x[0], 2.0], [x[1], x[0]]], dtype=x.dtype)),
    ("meshgrid.xy", (real(3), real(2)), lambda xp, x, y: tuple(xp.meshgrid(x, y))),
    ("meshgrid.ij", (real(3), real(2)), lambda xp, x, y: tuple(xp.meshgrid(x, y, indexing="ij"))),
    ("tril.matrix", (real(3, 3),), lambda xp, x: xp.tril(x)),
    ("tril.offset", (real(2, 3),), lambda xp, x: xp.tril(x, k=1)),
    ("tril.stack", (real(2, 2, 2),), lambda xp, x: xp.tril(x, k=-1)),
    ("triu.matrix", (real(3, 3),), lambda xp, x: xp.triu(x)),
    ("triu.offset", (real(2, 3),), lambda xp, x: xp.triu(x, k=-1)),
    ("triu.complex", (cplx(2, 2),), lambda xp, x: xp.triu(x)),
)


def _complex_of(xp: Any, x: Any) -> Any:
    return xp.complex64 if x.dtype == xp.float32 else xp.complex128


_DTYPES: tuple[tuple[str, tuple[Input, ...], Function], ...] = (
    ("astype.same", (real(3),), lambda xp, x: xp.astype(x, x.dtype)),
    ("astype.there-and-back", (real(3),), lambda xp, x: xp.astype(xp.astype(x, xp.float32), x.dtype)),
    ("astype.wider-and-back", (real(3),), lambda xp, x: xp.astype(xp.astype(x, xp.float64), x.dtype)),
    ("astype.to-complex", (real(3),), lambda xp, x: xp.astype(x, _complex_of(xp, x))),
    ("astype.no-copy", (cplx(3),), lambda xp, x: xp.astype(x, x.dtype, copy=False)),
)


def _creation_inside() -> Iterator[Scenario]:
    """Arrays made inside the function are constants of the right dtype and device."""
    makers: dict[str, Function] = {
        "zeros_like": lambda xp, x: xp.zeros_like(x),
        "ones_like": lambda xp, x: xp.ones_like(x),
        "full_like": lambda xp, x: xp.full_like(x, 3.0),
        "full": lambda xp, x: xp.full(x.shape, 2.0, dtype=x.dtype),
        "zeros": lambda xp, x: xp.zeros(x.shape, dtype=x.dtype),
        "ones": lambda xp, x: xp.ones(x.shape, dtype=x.dtype),
        "arange": lambda xp, x: xp.arange(x.shape[0], dtype=x.dtype),
        "linspace": lambda xp, x: xp.linspace(0.0, 2.0, x.shape[0], dtype=x.dtype),
        "eye": lambda xp, x: xp.eye(x.shape[0], dtype=x.dtype)[1, :],
    }
    for name, maker in makers.items():
        inside = lambda xp, x, maker=maker: maker(xp, x) * x + maker(xp, x)
        yield scenario(f"creation.{name}.inside", inside, real(3), accuracy=ARITHMETIC)
        constant = lambda xp, x, maker=maker: maker(xp, x)
        yield scenario(f"creation.{name}.alone", constant, real(3), accuracy=EXACT, rule=Rule.CONSTANT)


def _table() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=EXACT)
    for category, rows in (("manipulation", _TABLE), ("creation", _CREATION), ("data_type", _DTYPES)):
        for variant, inputs, function in rows:
            yield make(f"{category}.{variant}", function, *inputs)
    square = lambda xp, x: xp.reshape(x, (3, 2)) * xp.permute_dims(x, (1, 0))
    yield scenario("manipulation.reshape.times-transpose", square, real(2, 3), accuracy=ARITHMETIC)


SCENARIOS = (*_table(), *_creation_inside())
