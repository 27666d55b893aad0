"""Thin array API namespaces over the libraries of the peers, so that each runs the programs with its own functions.

They add the standard's names where a library has other ones and wrap nothing else, so no peer pays for a translation layer.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any


@cache
def numpy_namespace() -> Any:
    """Return NumPy itself, which has every name."""
    import numpy as np

    return np


@cache
def autograd_namespace() -> Any:
    """Return ``autograd.numpy`` under the names of the standard."""
    import autograd.numpy as anp

    namespace = SimpleNamespace(**{name: getattr(anp, name) for name in dir(anp) if not name.startswith("_")})
    namespace.concat = anp.concatenate
    namespace.matrix_transpose = lambda x: anp.swapaxes(x, -1, -2)
    return namespace


@cache
def torch_namespace() -> Any:
    """Return ``torch``, whose functions mostly take ``axis`` for ``dim``, under the names of the standard."""
    import torch

    namespace = SimpleNamespace(**{name: getattr(torch, name) for name in dir(torch) if not name.startswith("_")})
    namespace.matrix_transpose = lambda x: x.mT
    namespace.max = lambda x, axis: torch.amax(x, dim=axis)
    namespace.stack = lambda arrays, axis=0: torch.stack(arrays, dim=axis)
    return namespace


@cache
def jax_namespace() -> Any:
    """Return ``jax.numpy``, which has every name."""
    import jax.numpy as jnp

    return jnp
