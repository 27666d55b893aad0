"""Frameworks as they are: their own namespaces and their own automatic differentiation, mended by nobody.

An adapter has the methods of a backend that the checks use, so the scenarios run on it unchanged. What it returns is what a
user of the framework gets, its complex convention included.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from unidiff_conformance.native.adapter import Native

FRAMEWORKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "torch": ("torch", "unidiff_conformance.native.torch_functions:Torch"),
        "jax": ("jax", "unidiff_conformance.native.jax_functions:Jax"),
        "autograd": ("autograd", "unidiff_conformance.native.autograd_functions:Autograd"),
    }
)
"""The distribution and the adapter of each framework."""


def load(name: str) -> Native:
    """Import a framework and return its adapter.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    module, _, kind = FRAMEWORKS[name][1].partition(":")
    adapter: Any = getattr(import_module(module), kind)()
    assert isinstance(adapter, Native)
    return adapter
