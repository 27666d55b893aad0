"""Settings for JAX, which compiles whatever it runs: double precision, and as little compiled as possible."""

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


@pytest.fixture(autouse=True)
def _evaluate_by_primitives(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let scenarios on JAX share compiled primitives, since each of its own functions would be compiled anew for each."""
    callspec = getattr(request.node, "callspec", None)
    if callspec is None or callspec.params.get("backend") != "jax":
        yield
        return
    import jax

    with jax.disable_jit():
        yield
