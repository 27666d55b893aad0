import collections
import typing

import pytest

import unidiff as ud
from unidiff.errors import ArgumentError, TreeError


class Point(typing.NamedTuple):
    x: object
    y: object


TREES = [
    1.0,
    None,
    (),
    [],
    {},
    (1.0, [2.0, (3.0,)]),
    {"b": 1, "a": [2, 3], "c": None},
    Point(1.0, {"k": 2.0}),
    collections.OrderedDict([("z", 1), ("a", 2)]),
    [{"deep": [[[1]]]}],
]


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_flatten_and_unflatten_are_inverse(tree):
    leaves, structure = ud.tree.flatten(tree)
    rebuilt = ud.tree.unflatten(structure, leaves)
    assert rebuilt == tree
    assert type(rebuilt) is type(tree)
    assert ud.tree.leaves(tree) == leaves
    assert ud.tree.structure(tree) == structure


def test_dictionaries_are_traversed_by_key():
    assert ud.tree.leaves({"b": 1, "a": 2}) == [2, 1]
    assert ud.tree.structure({"b": 0, "a": 0}) == ud.tree.structure({"a": 0, "b": 0})


def test_none_has_no_leaves():
    assert ud.tree.leaves([None, 1, None]) == [1]


def test_map_over_several_trees():
    got = ud.tree.map(lambda a, b, c: a + b * c, {"p": [1, 2]}, {"p": [3, 4]}, {"p": [5, 6]})
    assert got == {"p": [16, 26]}


@pytest.mark.parametrize("other", [[1], [1, 2, 3], (1, 2), {"a": 1, "b": 2}, [1, [2]]], ids=repr)
def test_map_over_trees_that_differ_raises(other):
    with pytest.raises(TreeError, match="differ"):
        ud.tree.map(lambda a, b: a, [1, 2], other)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_unflatten_with_a_wrong_number_of_leaves_raises(count):
    with pytest.raises(TreeError, match="2 leaves"):
        ud.tree.unflatten(ud.tree.structure([0, 0]), range(count))


def test_paths_are_written_as_python():
    tree = {"w": [1.0, Point(2.0, 3.0)]}
    assert ud.tree.paths(ud.tree.structure(tree), "p") == ["p['w'][0]", "p['w'][1].x", "p['w'][1].y"]


def test_registered_classes_are_containers():
    class Pair:
        def __init__(self, left, right):
            self.left, self.right = left, right

    assert ud.tree.register_node(Pair, lambda p: ((p.left, p.right), "meta"), lambda meta, lr: Pair(*lr)) is Pair
    doubled = ud.tree.map(lambda n: 2 * n, Pair(1, [2, 3]))
    assert isinstance(doubled, Pair)
    assert (doubled.left, doubled.right) == (2, [4, 6])
    with pytest.raises(ArgumentError, match="Pair"):
        ud.tree.register_node(Pair, lambda p: ((), None), lambda meta, children: Pair(0, 0))


def test_long_lists_of_leaves_are_as_short_ones():
    leaf, other = object(), [object() for _ in range(100)]
    for _ in range(2):  # at first taken apart one by one
        leaves, structure = ud.tree.flatten(other)
        assert leaves == other
        assert leaves is not other
        assert structure == ud.tree.structure([leaf] * 100) != ud.tree.structure([leaf] * 99)
        assert ud.tree.unflatten(structure, leaves) == other
    assert len(ud.tree.leaves([*other, None, (leaf, leaf)])) == 102


def test_a_class_may_be_registered_after_it_was_a_leaf_of_long_lists():
    class Pair:
        pass

    pairs = [Pair() for _ in range(100)]
    assert ud.tree.leaves(pairs) == ud.tree.leaves(pairs) == pairs
    ud.tree.register_node(Pair, lambda _: ((1.0, 2.0), None), lambda _, __: Pair())
    assert ud.tree.leaves(pairs) == [1.0, 2.0] * 100
