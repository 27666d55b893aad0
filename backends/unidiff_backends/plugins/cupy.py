"""Registers the CuPy backend; CuPy itself is imported on first use."""

from collections.abc import Iterator

import unidiff


@unidiff.hookimpl
def unidiff_register_backends() -> Iterator[unidiff.BackendInfo]:
    """Describe the backend: unidiff's own engine over `array_api_compat.cupy`."""
    yield unidiff.BackendInfo(
        name="cupy",
        api_version=1,
        factory="unidiff_backends.cupy:CupyBackend",
        arrays=("cupy",),
        library="cupy",
        requires=("cupy-cuda12x>=13.3 | cupy-cuda13x>=13.6 | cupy-cuda11x>=13.3 | cupy>=13.3", "array-api-compat>=1.14"),
        install='pip install "unidiff-array[cupy]"',
        capabilities=unidiff.Capabilities(
            dtypes=frozenset({"float16", "float32", "float64", "complex64", "complex128"}),
            devices=frozenset({"cuda"}),
            vmap=True,
        ),
    )
