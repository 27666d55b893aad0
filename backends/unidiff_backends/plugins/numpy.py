"""Registers the NumPy backend; imports nothing but unidiff."""

from collections.abc import Iterator

import unidiff


@unidiff.hookimpl
def unidiff_register_backends() -> Iterator[unidiff.BackendInfo]:
    """Describe the backend: unidiff's own engine over `array_api_compat.numpy`."""
    yield unidiff.BackendInfo(
        name="numpy",
        api_version=1,
        factory="unidiff_backends.numpy:NumpyBackend",
        arrays=("numpy",),
        excludes=("numpy.matrix", "numpy.ma"),
        library="numpy",
        requires=("numpy>=2.1", "array-api-compat>=1.14"),
        install="pip install unidiff-array",
        capabilities=unidiff.Capabilities(vmap=True, jit=True),
    )
