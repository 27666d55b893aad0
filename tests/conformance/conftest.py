"""Runs JAX, which compiles whatever it runs, by its primitives."""

from collections.abc import Iterator

import pytest


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
