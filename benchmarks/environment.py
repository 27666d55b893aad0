"""The conditions of a measurement: one thread, double precision in JAX, and what machine and versions it was."""

import os
import platform
from importlib import metadata

_VARIABLES = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_ENABLE_X64": "1",
    "JAX_PLATFORMS": "cpu",
}
_DISTRIBUTIONS = ("unidiff-array", "numpy", "autograd", "torch", "jax", "jaxlib")


def pin() -> None:
    """Set the environment variables that the libraries read at import; processes started later inherit them."""
    os.environ.update(_VARIABLES)


def describe() -> dict[str, str]:
    """Return the interpreter, the processor and the versions of the peers that are installed."""
    description = {"python": platform.python_version(), "machine": platform.machine(), "cpus": str(os.cpu_count())}
    for distribution in _DISTRIBUTIONS:
        try:
            description[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            description[distribution] = "not installed"
    return description
