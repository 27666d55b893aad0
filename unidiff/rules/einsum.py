"""Einstein summation, which is beyond the standard.

It is written with functions of the standard, from which its derivatives follow: each pair of operands is one matrix product,
where it sums over anything, so that the intermediate results of a contraction of many are shared by all derivatives.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from unidiff.engine.extend import ArgumentError, Array, Namespace, composite

Labels = tuple[str, ...]


@lru_cache(maxsize=1024)
def parse(subscripts: str, ndims: tuple[int, ...]) -> tuple[tuple[Labels, ...], Labels]:
    """Return the labels of the axes of every operand and of the result; those of an ellipsis are ``"...0"``, from the right."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ArgumentError(f"einsum: {subscripts!r} names {len(terms)} operands, {len(ndims)} were given")
    inputs = tuple(_expand(subscripts, term, ndim) for term, ndim in zip(terms, ndims, strict=True))
    counts = Counter(label for labels in inputs for label in labels)
    dots = tuple(sorted((label for label in counts if label.startswith(".")), key=lambda label: -int(label[3:])))
    if arrow:
        head, ellipsis, tail = right.partition("...")
        _check_letters(subscripts, head + tail)
        output = (*head, *(dots if ellipsis else ()), *tail)
    else:
        output = dots + tuple(sorted(label for label, count in counts.items() if count == 1 and len(label) == 1))
    if len(set(output)) < len(output) or any(label not in counts for label in output):
        raise ArgumentError(f"einsum: the output of {subscripts!r} repeats a label or has one that no operand has")
    return inputs, output


def _check_letters(subscripts: str, letters: str) -> None:
    if letters and not (letters.isalpha() and letters.isascii()):
        raise ArgumentError(
            f"einsum: labels of axes are letters, and one '...' per operand stands for further axes: {subscripts!r}"
        )


def _expand(subscripts: str, term: str, ndim: int) -> Labels:
    head, ellipsis, tail = term.partition("...")
    _check_letters(subscripts, head + tail)
    extra = ndim - len(head) - len(tail)
    if extra < 0 or (extra and not ellipsis):
        raise ArgumentError(f"einsum: {term!r} in {subscripts!r} does not fit an operand with {ndim} axes")
    return (*head, *(f"...{i}" for i in range(extra - 1, -1, -1)), *tail)


def _sizes(subscripts: str, inputs: Iterable[Labels], shapes: Iterable[tuple[int, ...]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for labels, shape in zip(inputs, shapes, strict=True):
        for label, n in zip(labels, shape, strict=True):
            known = sizes.setdefault(label, n)
            if known == 1:
                sizes[label] = n
            elif n not in (1, known):
                raise ArgumentError(f"einsum: axis {label!r} of {subscripts!r} has lengths {known} and {n}")
    return sizes


def checked(subscripts: str, shapes: Sequence[tuple[int, ...]]) -> tuple[tuple[Labels, ...], Labels, dict[str, int]]:
    """Return the labels of the operands and of the result, as `parse` does, and their lengths; raise where they do not fit."""
    inputs, output = parse(subscripts, tuple(map(len, shapes)))
    return inputs, output, _sizes(subscripts, inputs, shapes)


def _reduced(xp: Namespace, x: Array, labels: Labels, sizes: dict[str, int], needed: set[str]) -> tuple[Array, Labels]:
    """Take diagonals of repeated labels, drop axes of length 1 that broadcast, and sum over axes that nothing else needs."""
    while len(set(labels)) < len(labels):
        label = next(label for label in labels if labels.count(label) > 1)
        first = labels.index(label)
        second = labels.index(label, first + 1)
        rest = [i for i in range(len(labels)) if i not in (first, second)]
        x = xp.linalg.diagonal(xp.permute_dims(x, (*rest, first, second)))
        labels = (*(labels[i] for i in rest), label)
    narrow = tuple(i for i, label in enumerate(labels) if x.shape[i] == 1 != sizes[label])
    if narrow:
        x, labels = xp.squeeze(x, axis=narrow), tuple(label for i, label in enumerate(labels) if i not in narrow)
    lone = tuple(i for i, label in enumerate(labels) if label not in needed)
    if lone:
        x, labels = xp.sum(x, axis=lone, dtype=x.dtype), tuple(label for i, label in enumerate(labels) if i not in lone)
    return x, labels


def _arranged(xp: Namespace, x: Array, labels: Labels, order: Labels) -> Array:
    return x if labels == order else xp.permute_dims(x, tuple(map(labels.index, order)))


def _shaped(xp: Namespace, x: Array, shape: tuple[int, ...]) -> Array:
    return x if tuple(x.shape) == shape else xp.reshape(x, shape)


def _product(
    xp: Namespace, x1: Array, labels1: Labels, x2: Array, labels2: Labels, sizes: dict[str, int], needed: set[str]
) -> tuple[Array, Labels]:
    """Multiply two operands and sum over the labels of both that nothing else needs."""
    shared = [label for label in labels1 if label in labels2]
    batch = tuple(label for label in shared if label in needed)
    summed = tuple(label for label in shared if label not in needed)
    free1 = tuple(label for label in labels1 if label not in shared)
    free2 = tuple(label for label in labels2 if label not in shared)
    result = batch + free1 + free2

    def extent(labels: Labels) -> tuple[int, ...]:
        return tuple(sizes[label] for label in labels)

    if not summed:
        x1 = _shaped(xp, _arranged(xp, x1, labels1, batch + free1), extent(batch + free1) + (1,) * len(free2))
        x2 = _shaped(xp, _arranged(xp, x2, labels2, batch + free2), extent(batch) + (1,) * len(free1) + extent(free2))
        return x1 * x2, result
    rows, inner, columns = (math.prod(extent(labels)) for labels in (free1, summed, free2))
    lead = extent(batch)
    left = _shaped(xp, _arranged(xp, x1, labels1, batch + free1 + summed), (*lead, rows, inner))
    right = _shaped(xp, _arranged(xp, x2, labels2, batch + summed + free2), (*lead, inner, columns))
    return _shaped(xp, xp.matmul(left, right), extent(result)), result


def _cheapest(terms: Sequence[Labels], output: Labels, sizes: dict[str, int]) -> tuple[int, int]:
    """Return the pair whose product grows the memory least, by the greedy rule of opt_einsum; then the cheaper one."""
    best, pair = (math.inf, math.inf), (0, 1)
    for i, first in enumerate(terms):
        for j in range(i + 1, len(terms)):
            second = terms[j]
            rest = set(output).union(*(labels for k, labels in enumerate(terms) if k not in (i, j)))
            union = set(first) | set(second)
            kept, before = (math.prod(sizes[label] for label in labels) for labels in (union & rest, first))
            growth = kept - before - math.prod(sizes[label] for label in second)
            cost = (growth, math.prod(sizes[label] for label in union))
            if cost < best:
                best, pair = cost, (i, j)
    return pair


def _einsum(xp: Namespace, subscripts: str, /, *operands: Array) -> Array:
    """Evaluate the Einstein summation.

    Parameters
    ----------
    subscripts : str
        Labels of the axes of the operands, separated by commas, and after ``->`` those of the result. A label may be repeated
        within an operand (its diagonal) and ``...`` stands for axes that broadcast. Without ``->`` the result has the axes of
        the ellipsis and the labels that occur once, in alphabetical order.
    *operands : array
        Any number of arrays.

    Returns
    -------
    array
        The products of the operands' elements, summed over all labels that the result does not have.

    Raises
    ------
    ArgumentError
        If the subscripts are malformed or do not fit the operands.
    """
    inputs, output, sizes = checked(subscripts, [x.shape for x in operands])
    terms: list[tuple[Array, Labels]] = []
    for k, (x, labels) in enumerate(zip(operands, inputs, strict=True)):
        others = set(output).union(*(other for m, other in enumerate(inputs) if m != k))
        terms.append(_reduced(xp, x, labels, sizes, others))
    while len(terms) > 1:
        i, j = _cheapest([labels for _, labels in terms], output, sizes) if len(terms) > 2 else (0, 1)
        (x2, labels2), (x1, labels1) = terms.pop(j), terms.pop(i)
        needed = set(output).union(*(labels for _, labels in terms))
        terms.append(_product(xp, x1, labels1, x2, labels2, sizes, needed))
    ((x, labels),) = terms
    return _arranged(xp, x, labels, output)


composite("einsum", _einsum)
