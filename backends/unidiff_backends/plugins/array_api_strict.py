"""Registers the backend of array-api-strict; the library itself is imported on first use."""

from collections.abc import Iterator

import unidiff


@unidiff.hookimpl
def unidiff_register_backends() -> Iterator[unidiff.BackendInfo]:
    """Describe the backend: unidiff's own engine over the strict implementation of the standard."""
    yield unidiff.BackendInfo(
        name="array_api_strict",
        api_version=1,
        factory="unidiff_backends.array_api_strict:StrictBackend",
        arrays=("array_api_strict",),
        library="array-api-strict",
        requires=("array-api-strict>=2.6.1",),
        tested=("array-api-strict>=2.6.1,<2.7",),
        install="pip install array-api-strict",
        capabilities=unidiff.Capabilities(vmap=True, jit=True),
    )
