"""The array API namespace of the JAX backend: ``jax.numpy``, mended where it deviates from the derivative standard.

Functions that agree with the standard are the very objects of ``jax.numpy``.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import jax.numpy as jnp

from unidiff_backends._jax import decompositions, determinants, elementwise, norms, ordering, shaping, special, statistical

MENDED: dict[str, Any] = {
    name: getattr(module, name)
    for module, names in {
        elementwise: "abs clip copysign hypot logaddexp maximum minimum nextafter pow sign",
        statistical: "max min std var",
        ordering: "searchsorted sort unique_all unique_counts unique_inverse unique_values",
        shaping: "broadcast_arrays meshgrid permute_dims",
    }.items()
    for name in names.split()
}
"""The functions of the main namespace that are not those of ``jax.numpy``; their docstrings say why."""

MENDED_LINALG: dict[str, Any] = {
    name: getattr(module, name)
    for module, names in {
        decompositions: "eig eigh eigvals eigvalsh svd svdvals",
        determinants: "det slogdet",
        norms: "matrix_norm vector_norm",
    }.items()
    for name in names.split()
}
"""The same of the extension ``linalg``."""

_Info: Any = type(jnp.__array_namespace_info__())


class _NamespaceInfo(_Info):  # type: ignore[misc]  # JAX keeps the class private
    def devices(self) -> tuple[Any, ...]:
        """Return the devices as a tuple; None stands for JAX's choice."""
        return tuple(super().devices())


def _module(name: str, original: ModuleType, changes: Mapping[str, Any]) -> ModuleType:
    """Return a module with the public names of another one, some of them changed."""
    module = ModuleType(name, original.__doc__)
    vars(module).update({key: value for key, value in vars(original).items() if not key.startswith("_")}, **changes)
    return module


_NAME = "unidiff_backends.jax.numpy"

numpy = _module(
    _NAME,
    jnp,
    MENDED
    | {
        "absolute": MENDED["abs"],
        "power": MENDED["pow"],
        "einsum": special.einsum,
        "linalg": _module(f"{_NAME}.linalg", jnp.linalg, MENDED_LINALG),
        "special": special.module(f"{_NAME}.special"),
        "__array_namespace_info__": _NamespaceInfo,
        "__array_api_version__": "2025.12",
    },
)
