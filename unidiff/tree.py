"""Pytrees: nested tuples, lists, dicts, named tuples and registered classes with arrays as leaves.

``None`` is a tree without leaves. Dictionaries are traversed in the order of their sorted keys and
rebuilt in their own.
"""

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Any

from unidiff._typing import Tree
from unidiff.errors import ArgumentError, TreeError

__all__ = ["flatten", "leaves", "map", "paths", "register_node", "structure", "unflatten"]

NAMESPACE = "unidiff"


@cache
def _optree() -> Any:
    # Imported on first use: calls with bare arrays never need it, and it is a good part of the budget of `import unidiff`.
    import optree

    return optree


def flatten(tree: Tree) -> tuple[list[Any], Any]:
    """Split a pytree into its leaves and its structure.

    Parameters
    ----------
    tree : pytree
        Any pytree; whatever is not a container is a leaf.

    Returns
    -------
    leaves : list
        The leaves in order.
    structure : object
        What `unflatten` needs to build the tree again; comparable with ``==``.

    Examples
    --------
    >>> import unidiff as ud
    >>> leaves, structure = ud.tree.flatten({"b": (1.0, 2.0), "a": 3.0})
    >>> leaves
    [3.0, 1.0, 2.0]
    >>> ud.tree.unflatten(structure, leaves)
    {'b': (1.0, 2.0), 'a': 3.0}
    """
    kinds = {type(x) for x in tree} if type(tree) is list and len(tree) >= _LONG else None
    if kinds and kinds <= _leaf_types:
        return tree.copy(), _structure_of_list(len(tree))
    result: tuple[list[Any], Any] = _optree().tree_flatten(tree, namespace=NAMESPACE)
    if kinds and len(result[0]) == len(tree) and all(x is y for x, y in zip(result[0], tree, strict=True)):
        _leaf_types.update(kinds)
    return result


_LONG = 64
"""From this length on a list of leaves is not taken apart one by one: optimizers flatten four such lists in each step."""
_leaf_types: set[type] = set()
"""Types that were seen to be those of leaves in long lists."""


@lru_cache(maxsize=64)
def _structure_of_list(length: int) -> Any:
    return _optree().tree_structure([0.0] * length, namespace=NAMESPACE)


def unflatten(structure: Any, leaves: Iterable[Any]) -> Tree:
    """Build the tree of this structure with these leaves; the inverse of `flatten`.

    Parameters
    ----------
    structure : object
        What `flatten` or `structure` returned.
    leaves : iterable
        One object per leaf.

    Returns
    -------
    pytree

    Raises
    ------
    unidiff.errors.TreeError
        If the number of leaves does not fit.
    unidiff.errors.ArgumentError
        If `structure` is not a structure.

    Examples
    --------
    >>> import unidiff as ud
    >>> ud.tree.unflatten(ud.tree.structure((0, [0])), "ab")
    ('a', ['b'])
    """
    leaves = tuple(leaves)
    if not hasattr(structure, "num_leaves"):
        raise ArgumentError(f"{structure!r:.200} is not a structure; pass what unidiff.tree.structure or flatten returned.")
    if len(leaves) != structure.num_leaves:
        raise TreeError(f"The structure {structure} has {structure.num_leaves} leaves, but {len(leaves)} were given.")
    return _optree().tree_unflatten(structure, leaves)


def leaves(tree: Tree) -> list[Any]:
    """Return the leaves of a pytree in order.

    Parameters
    ----------
    tree : pytree

    Returns
    -------
    list

    Examples
    --------
    >>> import unidiff as ud
    >>> ud.tree.leaves({"w": [1, 2], "b": None})
    [1, 2]
    """
    result: list[Any] = _optree().tree_leaves(tree, namespace=NAMESPACE)
    return result


def structure(tree: Tree) -> Any:
    """Return the structure of a pytree, comparable with ``==``.

    Parameters
    ----------
    tree : pytree

    Returns
    -------
    object

    Examples
    --------
    >>> import unidiff as ud
    >>> ud.tree.structure((1, 2)) == ud.tree.structure((3, 4))
    True
    """
    return _optree().tree_structure(tree, namespace=NAMESPACE)


def map(f: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:  # noqa: A001  # the field's name
    """Apply a function to every leaf of one or more trees of one structure.

    Parameters
    ----------
    f : callable
        Takes one leaf of each tree.
    tree, *rest : pytree
        Trees of one structure.

    Returns
    -------
    pytree
        A tree of the same structure with what `f` returned as leaves.

    Raises
    ------
    unidiff.errors.TreeError
        If the structures differ.

    Examples
    --------
    >>> import unidiff as ud
    >>> ud.tree.map(lambda p, g: p - 0.5 * g, {"w": 1.0}, {"w": 4.0})
    {'w': -1.0}
    """
    if not callable(f):
        raise ArgumentError(f"The first argument must be a function of a leaf, but it is {f!r:.200}.")
    flat, spec = flatten(tree)
    columns = [flat]
    for other in rest:
        other_flat, other_spec = flatten(other)
        if other_spec != spec:
            raise TreeError(f"The trees differ: {spec} and {other_spec}.")
        columns.append(other_flat)
    return unflatten(spec, [f(*row) for row in zip(*columns, strict=True)])


def spread(prefix: Tree, tree: Tree, name: str) -> list[Any]:
    """Return for each leaf of a tree the leaf of a prefix of the tree that covers it, where None is a leaf of the prefix.

    The name is what messages call the prefix.
    """
    optree = _optree()
    try:
        covering = optree.broadcast_prefix(prefix, tree, none_is_leaf=True, namespace=NAMESPACE)
    except ValueError:
        (error, *_) = optree.prefix_errors(prefix, tree, none_is_leaf=True, namespace=NAMESPACE)
        raise TreeError(" ".join(str(error(name)).split())) from None
    every = optree.tree_leaves(tree, none_is_leaf=True, namespace=NAMESPACE)
    return [cover for cover, leaf in zip(covering, every, strict=True) if leaf is not None]


def paths(structure: Any, name: str = "") -> list[str]:
    """Return how each leaf of a structure is reached, written as Python, such as ``params['w'][0]``.

    Parameters
    ----------
    structure : object
        What `flatten` or `structure` returned.
    name : str
        What the tree is called.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import unidiff as ud
    >>> ud.tree.paths(ud.tree.structure({"w": [1, 2]}), "params")
    ["params['w'][0]", "params['w'][1]"]
    """
    return [accessor.codify(name) for accessor in structure.accessors()]


def register_node(
    cls: type,
    flatten: Callable[[Any], tuple[Iterable[Tree], Any]],
    unflatten: Callable[[Any, tuple[Tree, ...]], Any],
) -> type:
    """Make instances of a class containers rather than leaves.

    Parameters
    ----------
    cls : type
        The class.
    flatten : callable
        ``flatten(obj) -> (children, metadata)``; the metadata must be hashable and comparable.
    unflatten : callable
        ``unflatten(metadata, children) -> obj``; must not check what the children are.

    Returns
    -------
    type
        `cls`.

    Raises
    ------
    unidiff.errors.ArgumentError
        If the class is registered already, or is no class.

    Examples
    --------
    >>> import unidiff as ud
    >>> class Point:
    ...     def __init__(self, x, y):
    ...         self.x, self.y = x, y
    >>> _ = ud.tree.register_node(Point, lambda p: ((p.x, p.y), None), lambda _, xy: Point(*xy))
    >>> ud.tree.leaves([Point(1.0, 2.0)])
    [1.0, 2.0]
    """
    try:
        _optree().register_pytree_node(cls, flatten, unflatten, namespace=NAMESPACE)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{cls!r:.200} cannot be registered as a pytree node: {error}") from error
    _leaf_types.discard(cls)
    return cls
