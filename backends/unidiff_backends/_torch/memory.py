"""Results belong to the caller: writable, and in memory that nothing else uses."""

from collections.abc import Iterable

import torch


def owned(results: Iterable[torch.Tensor], others: Iterable[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Return the results, copied where they share memory with each other, with ``others`` or among their own elements.

    PyTorch hands one tensor on wherever it can: the gradients of ``x + y`` are one and the same tensor, possibly the cotangent
    itself, and that of ``sum(x)`` is a single number expanded to the shape of ``x``.
    """
    taken = {x.untyped_storage().data_ptr() for x in others}
    exclusive: list[torch.Tensor] = []
    for result in results:
        # Zeros may come as a token without memory.
        x = torch.zeros_like(result) if result._is_zerotensor() else result
        storage = x.untyped_storage()
        if storage.data_ptr() in taken or storage.nbytes() < x.numel() * x.itemsize:
            exclusive.append(x.clone(memory_format=torch.contiguous_format))
        else:
            exclusive.append(x)
            taken.add(storage.data_ptr())
    return tuple(exclusive)
