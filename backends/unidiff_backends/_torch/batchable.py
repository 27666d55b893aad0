"""Functions that `torch.func.vmap` natively refuses, evaluates slice by slice with a warning, or gets wrong."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import array_api_compat.torch as xp
import torch

from unidiff_backends._torch.reverse import functorch_active

Operand: TypeAlias = torch.Tensor | complex | bool


def conj(x: torch.Tensor, /) -> torch.Tensor:
    """Conjugate. Natively that of a batch, also of cotangents, is formed slice by slice."""
    if not (x.is_complex() and (functorch_active() or (x.requires_grad and torch.is_grad_enabled()))):
        return xp.conj(x)
    if functorch_active():
        x = x.clone()  # its parts are views, which forward mode refuses to take of products if the tangent is that of a scalar
    return torch.complex(torch.real(x), -torch.imag(x))


def isin(x1: Operand, x2: Operand, /, *, invert: bool = False) -> torch.Tensor:
    """Say which elements are among others. Natively each slice of a batch is searched by itself."""
    if not functorch_active():
        return xp.isin(x1, x2, invert=invert)
    device = next(x.device for x in (x1, x2) if isinstance(x, torch.Tensor))
    elements, choices = (torch.as_tensor(x, device=device) for x in (x1, x2))
    found = (elements[..., None] == choices.reshape(-1)).any(-1)
    return torch.logical_not(found) if invert else found


def moveaxis(x: torch.Tensor, source: int | tuple[int, ...], destination: int | tuple[int, ...], /) -> torch.Tensor:
    """Move axes. Natively there is no batching rule for single ones; there is for the same function's other name."""
    return torch.movedim(x, source, destination)


def unstack(x: torch.Tensor, /, *, axis: int = 0) -> tuple[torch.Tensor, ...]:
    """Split along an axis; natively it needs `moveaxis`."""
    return tuple(torch.unbind(x, axis))


def vecdot(x1: torch.Tensor, x2: torch.Tensor, /, *, axis: int = -1) -> torch.Tensor:
    """Dot product along an axis; natively it needs `moveaxis`."""
    if not functorch_active():
        return xp.vecdot(x1, x2, axis=axis)
    x1, x2 = torch.movedim(x1, axis, -1), torch.movedim(x2, axis, -1)
    if x1.shape[-1] != x2.shape[-1]:
        raise ValueError("x1 and x2 must have the same size along the given axis")
    return xp.sum(conj(x1) * x2, axis=-1, dtype=xp.result_type(x1, x2))


def solve(x1: torch.Tensor, x2: torch.Tensor, /) -> torch.Tensor:
    """Solve a linear system. Natively a batch of stacks of matrices with fewer right-hand sides is paired up wrongly."""
    if not functorch_active():
        return xp.linalg.solve(x1, x2)
    dtype = xp.result_type(x1, x2)
    vector = x2.ndim == 1
    x1, x2 = x1.to(dtype), (x2[:, None] if vector else x2).to(dtype)
    stack = torch.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    ans = torch.linalg.solve(x1.expand(*stack, *x1.shape[-2:]), x2.expand(*stack, *x2.shape[-2:]))
    return ans[..., 0] if vector else ans


BATCHABLE: Mapping[str, Callable[..., object]] = MappingProxyType(
    {"conj": conj, "isin": isin, "moveaxis": moveaxis, "unstack": unstack, "vecdot": vecdot}
)
"""The functions of this module that replace others, by name."""
