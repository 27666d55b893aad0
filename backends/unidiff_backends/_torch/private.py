"""PyTorch's private names that the backend relies on, and the check that the installed PyTorch has them.

`torch.func` says in no public way in which transforms a function is being evaluated, and the engine of `torch.autograd` costs
twice as much by its public name.
"""

from importlib import import_module

import torch

NAMES = (
    "torch._C._are_functorch_transforms_active",
    "torch._C._functorch.TransformType",
    "torch._C._functorch._unwrap_for_grad",
    "torch._C._functorch._wrap_for_grad",
    "torch._C._functorch.get_unwrapped",
    "torch._C._functorch.is_batchedtensor",
    "torch._C._functorch.is_functorch_wrapped_tensor",
    "torch._C._functorch.maybe_current_level",
    "torch._C._functorch.maybe_get_bdim",
    "torch._C._functorch.maybe_get_level",
    "torch._C._functorch.peek_interpreter_stack",
    "torch._C._functorch.unwrap_if_dead",
    "torch._functorch.pyfunctorch.retrieve_current_functorch_interpreter",
    "torch.autograd.forward_ad._current_level",
    "torch.autograd.forward_ad._set_fwd_grad_enabled",
    "torch.autograd.graph._engine_run_backward",
)


def absent(names: tuple[str, ...] = NAMES) -> list[str]:
    """Return those of the names that the installed PyTorch does not have."""
    return [name for name in names if not _exists(name)]


def _exists(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    try:
        found = import_module(module)
    except ImportError:
        return False
    return hasattr(found, attribute)


def check(names: tuple[str, ...] = NAMES) -> None:
    """Raise `ImportError` unless the installed PyTorch has all of the names."""
    missing = absent(names)
    if missing:
        raise ImportError(
            f"PyTorch {torch.__version__} lacks {', '.join(missing)}, on which the backend 'torch' relies. Install a version of"
            " PyTorch that this version of unidiff supports, or a newer unidiff."
        )
