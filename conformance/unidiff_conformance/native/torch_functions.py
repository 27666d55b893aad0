"""PyTorch: ``array_api_compat.torch`` and ``torch.func``."""

from collections.abc import Callable
from typing import Any

import array_api_compat.torch as xp
import torch

from unidiff_conformance.native.adapter import Arrays, Function, Native


class Torch(Native):
    """PyTorch's own derivatives."""

    name = distribution = "torch"

    def namespace(self, *_arrays: Any) -> Any:
        """Return the namespace of array-api-compat."""
        return xp

    def asarray(self, obj: Any, *, dtype: str) -> Any:
        """Return a NumPy array as a tensor."""
        return torch.tensor(obj, dtype=getattr(torch, dtype))

    def to_numpy(self, x: Any) -> Any:
        """Return a tensor as a NumPy array."""
        return x.detach().resolve_conj().resolve_neg().numpy()

    def vjp(self, f: Function, primals: Arrays) -> tuple[tuple[Any, ...], Callable[[Arrays], tuple[Any, ...]]]:
        """Return what ``torch.func.vjp`` does."""
        outs, pullback = torch.func.vjp(f, *primals)
        return outs, lambda cotangents: pullback(tuple(cotangents))

    def jvp(self, f: Function, primals: Arrays, tangents: Arrays) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return what ``torch.func.jvp`` does."""
        outs, pushed = torch.func.jvp(f, tuple(primals), tuple(tangents))
        return outs, pushed
