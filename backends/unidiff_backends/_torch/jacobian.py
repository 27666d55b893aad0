"""Jacobians by batches of tangents or cotangents under `torch.func.vmap` instead of one pass after the other.

A few things cannot be batched: writing a batched value into an unbatched array, an operation without a batching rule, a
decision that hangs on a batched value. PyTorch then raises a RuntimeError, and the passes are made one by one.
"""

from collections.abc import Callable
from typing import Any

import torch

from unidiff_backends._torch.forward import jvp
from unidiff_backends._torch.reverse import TensorFunction, Tensors, vjp

_CHUNK_ELEMENTS = 1 << 24
"""Batches are cut into chunks of at most about this many elements for each array, to bound the memory they take."""


def jacfwd(f: TensorFunction, primals: Tensors, *, has_aux: bool = False) -> Any:
    """Return ``(outs, jac)`` or ``(outs, jac, aux)``; ``f`` runs once, or once for each chunk or tangent."""
    results: list[Any] = []

    def push(*tangents: torch.Tensor) -> Tensors:
        outs, tangents_out, *aux = jvp(f, primals, tangents, has_aux=has_aux)
        # Neither depends on the tangents, so both may leave the batch.
        results[:] = [outs, *aux]
        return tuple(tangents_out)

    columns = _map_over_basis(push, primals)
    outs, *aux = results
    aux = [tuple(map(_own, part)) for part in aux]
    jac = [
        [_own(block.movedim(0, -1).reshape(y.shape + x.shape)) for block, x in zip(_split(c, primals), primals, strict=True)]
        for c, y in zip(columns, outs, strict=True)
    ]
    return outs, tuple(map(tuple, jac)), *aux


def jacrev(f: TensorFunction, primals: Tensors, *, has_aux: bool = False) -> Any:
    """Return ``(outs, jac)`` or ``(outs, jac, aux)``; ``f`` runs once."""
    outs, pullback, *aux = vjp(f, primals, has_aux=has_aux)
    if not outs:
        return (), (), *aux
    rows = _map_over_basis(lambda *cotangents: pullback(cotangents), outs)
    blocks = zip(*[_split(row, outs) for row in rows], strict=True)
    jac = [
        [_own(block.reshape(y.shape + x.shape)) for block, x in zip(of_y, primals, strict=True)]
        for of_y, y in zip(blocks, outs, strict=True)
    ]
    return outs, tuple(map(tuple, jac)), *aux


def _map_over_basis(function: Callable[..., Tensors], like: Tensors) -> Tensors:
    """Apply a function to the unit vectors of the space of ``like``, and stack its results."""
    basis = _standard_basis(like)
    total = basis[0].shape[0]
    if total == 0:
        return tuple([x.new_empty((0, *x.shape)) for x in function(*[torch.zeros_like(x) for x in like])])
    chunk = max(1, _CHUNK_ELEMENTS // max(1, *[x.numel() for x in like]))
    mapped = torch.func.vmap(function, randomness="same")
    try:
        pieces = [mapped(*[x[k : k + chunk] for x in basis]) for k in range(0, total, chunk)]
    except RuntimeError:
        # Whatever was wrong with the function itself is raised again here.
        pieces = [tuple([x[None] for x in function(*[x[k] for x in basis])]) for k in range(total)]
    return tuple(pieces[0]) if len(pieces) == 1 else tuple([torch.cat(parts) for parts in zip(*pieces, strict=True)])


def _standard_basis(tensors: Tensors) -> Tensors:
    """Return the unit vectors of the product space, stacked along a new first axis."""
    sizes = [x.numel() for x in tensors]
    identity = torch.eye(sum(sizes), dtype=torch.bool, device=tensors[0].device)
    parts = identity.split(sizes, dim=1)
    return tuple([part.reshape(len(identity), *x.shape).to(x) for part, x in zip(parts, tensors, strict=True)])


def _split(stacked: torch.Tensor, like: Tensors) -> Tensors:
    """Cut what is stacked along the standard basis of ``like`` into the parts that belong to each of them."""
    return tuple(torch.split(stacked, [x.numel() for x in like]))


def _own(block: torch.Tensor) -> torch.Tensor:
    return block.clone(memory_format=torch.contiguous_format) if block._is_view() else block
