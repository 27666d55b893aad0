"""Registers the PyTorch backend; PyTorch itself is imported on first use."""

from collections.abc import Iterator

import unidiff

INFO = unidiff.BackendInfo(
    name="torch",
    api_version=1,
    factory="unidiff_backends.torch:TorchBackend",
    arrays=("torch",),
    library="torch",
    requires=("torch>=2.6",),
    tested=("torch>=2.13,<2.14",),
    install='pip install "unidiff-array[torch]"',
    capabilities=unidiff.Capabilities(
        dtypes=frozenset({"bfloat16", "float16", "float32", "float64", "complex64", "complex128"}),
        devices=frozenset({"cpu", "cuda", "mps", "xpu"}),
        vmap=True,
        jit=True,
    ),
)


@unidiff.hookimpl
def unidiff_register_backends() -> Iterator[unidiff.BackendInfo]:
    """Describe the backend: PyTorch's own differentiation behind unidiff's contract."""
    yield INFO
