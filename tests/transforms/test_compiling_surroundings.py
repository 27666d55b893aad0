"""Compiled functions and what they read beside their arguments: closures, globals and objects are never stale."""

import numpy as np
import pytest

import unidiff as ud
from tests.transforms.bits import same_bits
from unidiff import errors

weights = np.arange(3.0)
factor = 2.0


class Model:
    """What a user's object holds: arrays, numbers, containers, and a number of its class."""

    scale = 1.0

    def __init__(self):
        self.weights = np.ones(3)
        self.power = 2
        self.layers = [np.ones(3), {"bias": np.zeros(3)}]

    def __call__(self, x):
        return self.inner(x) * self.scale

    def inner(self, x):
        return x**self.power * self.weights + self.layers[0] + self.layers[1]["bias"]


def _set(target, name, value):
    return lambda: setattr(target, name, value)


def test_changes_of_an_object_are_seen():
    model, x = Model(), np.asarray([1.0, 2.0, 3.0])
    compiled = ud.jit(model)
    changes = [
        lambda: model.weights.__iadd__(1.0),
        _set(model, "weights", np.full(3, 7.0)),
        _set(model, "power", 3),
        lambda: model.layers.__setitem__(0, np.zeros(3)),
        lambda: model.layers[1].__setitem__("bias", np.full(3, 5.0)),
        lambda: model.layers[1]["bias"].fill(4.0),
        _set(Model, "scale", 10.0),
        lambda: model.__dict__.update(inner=lambda x: x),
    ]
    try:
        for change in changes:
            same_bits(compiled(x), model(x))
            before = model(x)
            change()
            assert not np.array_equal(model(x), before)
            same_bits(compiled(x), model(x))
    finally:
        Model.scale = 1.0


def test_changes_of_globals_and_cells_are_seen(monkeypatch):
    x = np.ones(3)
    local = np.ones(3)
    number = 1.0

    def helper(y):
        return y * factor

    def f(x):
        return helper(x) * weights + local * number

    compiled = ud.jit(f)
    for step in range(6):
        same_bits(compiled(x), f(x))
        if step == 0:
            monkeypatch.setitem(globals(), "weights", np.full(3, 9.0))
        elif step == 1:
            weights[:] = 8.0
        elif step == 2:
            monkeypatch.setitem(globals(), "factor", 3.0)
        elif step == 3:
            local = np.full(3, 4.0)
        elif step == 4:
            number = 6.0
    assert compiled(x).tolist() == [48.0, 48.0, 48.0]


def test_arrays_made_outside_the_namespace_follow_what_they_are_made_of():
    data = np.arange(3.0)
    f = ud.jit(lambda x: x * np.flip(data) + np.array([1.0, 2.0, 3.0]))
    assert f(np.ones(3)).tolist() == [3.0, 3.0, 3.0]
    data += 1
    assert f(np.ones(3)).tolist() == [4.0, 4.0, 4.0]


_generator = np.random.default_rng(0)


def _global_array():
    return np.random.random(3)  # noqa: NPY002  # what is tested


def _global_number():
    return np.random.random()  # noqa: NPY002  # what is tested


@pytest.mark.parametrize(
    "draw",
    [_global_array, _global_number, lambda: _generator.normal(), lambda: _generator.normal(size=3),
     lambda: __import__("random").random()],
    ids=["array", "number", "generator", "generator's array", "python"],
)  # fmt: skip
def test_random_numbers_are_refused(draw):
    with pytest.raises(errors.ImpureFunctionError, match="arguments"):
        ud.jit(lambda x: x + draw())(np.ones(3))


def test_a_counter_of_its_own_does_not_make_a_function_impure():
    count = 0

    @ud.jit
    def f(x):
        nonlocal count
        count += 1
        return x + 1

    for _ in range(4):
        f(np.ones(2))
    assert count == 1
