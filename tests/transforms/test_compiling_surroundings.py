"""Compiled functions and what they read beside their arguments: closures, globals and objects are never stale."""

from argparse import Namespace
from collections import ChainMap, UserDict, UserList, deque
from types import MappingProxyType, SimpleNamespace

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


def a_default(x, k=2.0):
    return k * x


def a_keyword(x, *, k=2.0):
    return k * x


def an_attribute(x):
    return an_attribute.k * x


def the_code(x):
    return 2.0 * x


@ud.custom_vjp
def ruled(x):
    return x


def a_rule(x):
    return ud.grad(lambda y: ruled(y).sum())(x)


def _rule(k):
    return lambda x: (x, x), lambda x, ct: (k * x * ct,)


@pytest.mark.parametrize(
    ("f", "change"),
    [
        (a_default, lambda: setattr(a_default, "__defaults__", (3.0,))),
        (a_keyword, lambda: a_keyword.__kwdefaults__.update(k=3.0)),
        (a_keyword, lambda: setattr(a_keyword, "__kwdefaults__", {"k": 4.0})),
        (an_attribute, lambda: setattr(an_attribute, "k", 3.0)),
        (the_code, lambda: setattr(the_code, "__code__", (lambda x: 3.0 * x).__code__)),
        (a_rule, lambda: ruled.defvjp(*_rule(3.0))),
    ],
)
def test_changes_of_functions_themselves_are_seen(f, change):
    x, an_attribute.k = np.asarray([1.0, 2.0]), 2.0
    ruled.defvjp(*_rule(2.0))
    compiled = ud.jit(lambda x: f(x) + 1.0)
    before = compiled(x)
    same_bits(before, f(x) + 1.0)
    change()
    assert not np.array_equal(f(x) + 1.0, before)
    same_bits(compiled(x), f(x) + 1.0)


def test_changes_around_a_compiled_function_are_seen_where_it_is_part_of_another(monkeypatch):
    x = np.asarray([1.0, 2.0])
    inner = ud.jit(lambda x: factor * x)
    outer = ud.jit(lambda x: inner(x) + 1.0)
    same_bits(outer(x), factor * x + 1.0)
    monkeypatch.setattr(f"{__name__}.factor", 5.0)
    same_bits(outer(x), 5.0 * x + 1.0)


def _in_attribute(holder):
    return lambda x: holder.k * x, lambda: setattr(holder, "k", 3.0)


def _in_item(holder, key, inner=None):
    return lambda x: holder[key] * x, lambda: (holder if inner is None else inner).__setitem__(key, 3.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: _in_attribute(SimpleNamespace(k=2.0)),
        lambda: _in_attribute(Namespace(k=2.0)),
        lambda: _in_item(deque([2.0]), 0),
        lambda: _in_item(UserList([2.0]), 0),
        lambda: _in_item(UserDict(k=2.0), "k"),
        lambda: _in_item(ChainMap({"k": 2.0}), "k"),
        lambda: _in_item(MappingProxyType(held := {"k": 2.0}), "k", held),
    ],
)
def test_changes_in_holders_of_the_standard_library_are_seen(make):
    x, (f, change) = np.asarray([1.0, 2.0]), make()
    compiled = ud.jit(lambda x: f(x) + 1.0)
    same_bits(compiled(x), 2.0 * x + 1.0)
    change()
    same_bits(compiled(x), 3.0 * x + 1.0)
