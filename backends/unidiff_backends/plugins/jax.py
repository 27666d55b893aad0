"""Registers the JAX backend; JAX itself is imported on first use."""

from collections.abc import Iterator

import unidiff


@unidiff.hookimpl
def unidiff_register_backends() -> Iterator[unidiff.BackendInfo]:
    """Describe the backend: JAX's own differentiation behind unidiff's contract."""
    yield unidiff.BackendInfo(
        name="jax",
        api_version=1,
        factory="unidiff_backends.jax:JaxBackend",
        arrays=("jax", "jaxlib"),
        excludes=("jax.ShapeDtypeStruct",),
        library="jax",
        requires=("jax>=0.6",),
        install='pip install "unidiff-array[jax]"',
        capabilities=unidiff.Capabilities(
            dtypes=frozenset({"bfloat16", "float16", "float32", "float64", "complex64", "complex128"}),
            devices=frozenset({"cpu", "cuda", "rocm", "tpu"}),
            vmap=True,
            jit=True,
            mutation=False,
        ),
    )
