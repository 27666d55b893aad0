"""Products of the main namespace and their aliases in ``linalg``: every combination of shapes, real, complex and mixed."""

import numpy as np
import pytest

C = "complex"
SHAPES = {
    "vector vector": ((3,), (3,)),
    "matrix vector": ((2, 3), (3,)),
    "vector matrix": ((3,), (3, 2)),
    "matrix matrix": ((2, 3), (3, 2)),
    "stack vector": ((2, 2, 3), (3,)),
    "deep stack vector": ((2, 1, 2, 3), (3,)),
    "vector stack": ((3,), (2, 3, 2)),
    "stack matrix": ((2, 2, 3), (3, 2)),
    "matrix stack": ((2, 3), (2, 3, 2)),
    "stack stack": ((2, 2, 3), (2, 3, 1)),
    "broadcast stacks": ((2, 1, 1, 3), (2, 3, 2)),
    "one-matrix stack": ((1, 2, 3), (2, 3, 1)),
    "no rows": ((0, 3), (3, 2)),
    "nothing to sum": ((2, 0), (0, 3)),
}
TENSORDOT = {
    "default": ((2, 3, 2), (3, 2, 2), 2),
    "one": ((2, 3), (3, 2), 1),
    "none": ((2,), (3,), 0),
    "crossed": ((3, 2, 2), (2, 3, 2), ((0, 1), (1, 0))),
    "out of order": ((3, 2, 2), (2, 3, 2), ((2, 0), (0, 1))),
    "negative": ((2, 2, 3), (3, 2), ((-1,), (-2,))),
    "all": ((2, 3), (2, 3), ((1, 0), (1, 0))),
}
VECDOT = {
    "vectors": ((3,), (3,), -1),
    "rows": ((2, 3), (2, 3), -1),
    "columns": ((2, 3), (2, 3), -2),
    "broadcast": ((3,), (2, 3), -1),
    "broadcast both": ((2, 1, 3), (2, 3), -1),
    "broadcast columns": ((2, 3, 1), (3, 2), -2),
}


def kinds(shapes):
    """Give the shapes real, complex and mixed elements."""
    first, second = shapes
    return {
        "real": (first, second),
        "complex": ((C, *first), (C, *second)),
        "real complex": (first, (C, *second)),
        "complex real": ((C, *first), second),
    }


CASES = {
    **{
        f"matmul {name} {kind}": (lambda xp, a, b: xp.matmul(a, b), *inputs)
        for name, shapes in SHAPES.items()
        for kind, inputs in kinds(shapes).items()
        if kind in ("real", "complex") or name in ("matrix matrix", "stack matrix", "matrix stack")
    },
    **{
        f"tensordot {name} {kind}": (lambda xp, a, b, axes=axes: xp.tensordot(a, b, axes=axes), *inputs)
        for name, (first, second, axes) in TENSORDOT.items()
        for kind, inputs in kinds((first, second)).items()
        if kind in ("real", "complex")
    },
    **{
        f"vecdot {name} {kind}": (lambda xp, a, b, axis=axis: xp.vecdot(a, b, axis=axis), *inputs)
        for name, (first, second, axis) in VECDOT.items()
        for kind, inputs in kinds((first, second)).items()
        if kind in ("real", "complex") or name == "rows"
    },
    "matrix_transpose": (lambda xp, x: xp.matrix_transpose(x), (2, 3, 2)),
    "mT": (lambda xp, x: x.mT, (C, 2, 3)),
    "operator": (lambda xp, a, b: a @ b @ a, (2, 3), (3, 2)),
    "same argument twice": (lambda xp, a: xp.matmul(a, a), (C, 2, 2)),
    "linalg.matmul": (lambda xp, a, b: xp.linalg.matmul(a, b), (2, 3), (3, 2)),
    "linalg.matrix_transpose": (lambda xp, x: xp.linalg.matrix_transpose(x), (2, 3)),
    "linalg.tensordot": (lambda xp, a, b: xp.linalg.tensordot(a, b, axes=1), (2, 3), (3, 2)),
    "linalg.vecdot": (lambda xp, a, b: xp.linalg.vecdot(a, b), (C, 2, 3), (C, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_products(name, engine, check, inputs):
    function, *specifications = CASES[name]
    check(engine, function, inputs(*specifications))


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_matmul_under_vmap(engine, derivatives, shapes):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, *shapes[0])), rng.normal(size=(3, *shapes[1]))
    xp = engine.namespace()

    def gradients(a, b):
        return engine.value_and_grad(lambda a, b: (xp.sum(xp.matmul(a, b) ** 2),), (a, b))[1]

    arrays = [engine.asarray(x) for x in (a, b)]
    for batched in ((True, True), (True, False), (False, True)):
        given = [x if flag else x[0, ...] for x, flag in zip(arrays, batched, strict=True)]
        mapped = engine.vmap(gradients, given, batched, 3)
        for k in range(3):
            single = gradients(*(x[k, ...] if flag else x for x, flag in zip(given, batched, strict=True)))
            for got, want in zip(mapped, single, strict=True):
                np.testing.assert_allclose(engine.to_numpy(got)[k], engine.to_numpy(want), rtol=1e-12, atol=1e-14)
