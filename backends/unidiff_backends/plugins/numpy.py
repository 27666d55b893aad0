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
        tested=("numpy>=2.1,<2.5", "array-api-compat>=1.14,<1.17"),
        install="pip install unidiff-array",
        capabilities=unidiff.Capabilities(
            dtypes=frozenset({"float16", "float32", "float64", "complex64", "complex128"}), vmap=True, jit=True
        ),
    )
