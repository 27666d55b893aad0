"""Results belong to the caller: writable, and in memory that nothing else uses."""

from collections.abc import Iterable

import torch


def owned(results: Iterable[torch.Tensor], others: Iterable[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Return the results, copied where they share memory with each other, with ``others`` or among their own elements.

    PyTorch hands one tensor on wherever it can: the gradients of ``x + y`` are one and the same tensor, possibly the cotangent
    itself, and that of ``sum(x)`` is a single number expanded to the shape of ``x``.
    """
    taken = {_memory(x) for x in others}
    exclusive: list[torch.Tensor] = []
    for result in results:
        # Zeros may come as a token without memory.
        x = torch.zeros_like(result) if result._is_zerotensor() else result
        memory = _memory(x)
        if memory in taken or x.untyped_storage().nbytes() < x.numel() * x.itemsize:
            exclusive.append(x.clone(memory_format=torch.contiguous_format))
        else:
            exclusive.append(x)
            taken.add(memory)
    return tuple(exclusive)


def _memory(x: torch.Tensor) -> int:
    """Return a number that tensors have in common where they share memory."""
    storage = x.untyped_storage()
    try:
        return int(storage.data_ptr())
    except RuntimeError:  # while a program is recorded, tensors have a storage, but no memory
        return int(storage._cdata)
