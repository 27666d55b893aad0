"""Registers the Dask backend; Dask itself is imported on first use."""

from collections.abc import Iterator

import unidiff


@unidiff.hookimpl
def unidiff_register_backends() -> Iterator[unidiff.BackendInfo]:
    """Describe the backend: unidiff's own engine over `array_api_compat.dask.array`."""
    yield unidiff.BackendInfo(
        name="dask",
        api_version=1,
        factory="unidiff_backends.dask:DaskBackend",
        arrays=("dask",),
        excludes=("dask.dataframe", "dask.bag", "dask.delayed"),
        library="dask.array",
        requires=("dask>=2025.1", "array-api-compat>=1.14"),
        tested=("dask>=2025.1,<2026.9", "array-api-compat>=1.14,<1.17"),
        install='pip install "unidiff-array[dask]"',
        capabilities=unidiff.Capabilities(vmap=True),
    )
