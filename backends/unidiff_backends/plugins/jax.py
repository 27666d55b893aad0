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
        tested=("jax>=0.10,<0.11",),
        install='pip install "unidiff-array[jax]"',
        test_environment=(
            "JAX_ENABLE_X64=1",
            # Tests compile thousands of tiny programs and run each once: not optimizing them saves half of the time.
            (
                "XLA_FLAGS=--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
                " --xla_cpu_use_fusion_emitters=false"
            ),
        ),
        capabilities=unidiff.Capabilities(
            dtypes=frozenset({"bfloat16", "float16", "float32", "float64", "complex64", "complex128"}),
            devices=frozenset({"cpu", "cuda", "rocm", "tpu"}),
            vmap=True,
            jit=True,
            mutation=False,
        ),
    )
