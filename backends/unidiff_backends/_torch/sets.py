"""The set functions, whose values natively carry no derivative: they are elements of the array, so gathering keeps it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch


class UniqueAll(NamedTuple):
    """What ``unique_all`` returns."""

    values: torch.Tensor
    indices: torch.Tensor
    inverse_indices: torch.Tensor
    counts: torch.Tensor


class UniqueCounts(NamedTuple):
    """What ``unique_counts`` returns."""

    values: torch.Tensor
    counts: torch.Tensor


class UniqueInverse(NamedTuple):
    """What ``unique_inverse`` returns."""

    values: torch.Tensor
    inverse_indices: torch.Tensor


def unique_all(x: torch.Tensor, /) -> UniqueAll:
    """Return the distinct values in order, where each occurs first, which one each element is, and how often each occurs.

    Natively it is not implemented.
    """
    flat = x.reshape(-1)
    ordered, order = torch.sort(flat.detach(), stable=True)
    starts = torch.ones_like(ordered, dtype=torch.bool)
    starts[1:] = ordered[1:] != ordered[:-1]  # a NaN is distinct from all others
    positions = torch.nonzero(starts)[:, 0]
    inverse = torch.empty_like(order).scatter_(0, order, torch.cumsum(starts, 0) - 1)
    counts = torch.diff(positions, append=positions.new_tensor([flat.numel()]))
    indices = order[positions]
    return UniqueAll(flat[indices], indices, inverse.reshape(x.shape), counts)


def unique_counts(x: torch.Tensor, /) -> UniqueCounts:
    """Return the distinct values in order, and how often each occurs. Natively there is no derivative."""
    values, _, _, counts = unique_all(x)
    return UniqueCounts(values, counts)


def unique_inverse(x: torch.Tensor, /) -> UniqueInverse:
    """Return the distinct values in order, and which of them each element is. Natively there is no derivative."""
    values, _, inverse, _ = unique_all(x)
    return UniqueInverse(values, inverse)


def unique_values(x: torch.Tensor, /) -> torch.Tensor:
    """Return the distinct values in order. Natively there is no derivative."""
    return unique_all(x).values


SETS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {function.__name__: function for function in (unique_all, unique_counts, unique_inverse, unique_values)}
)
"""The functions of this module by name."""
