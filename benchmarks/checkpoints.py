"""The memory of checkpoints on NumPy, PyTorch and JAX: ``python -m benchmarks.checkpoints``.

Every figure is memory of a derivative of a chain of layers, in arrays of the argument. On NumPy it is the peak of what Python
allocates; on PyTorch the peak of the storages of all tensors that are alive, also within torch.func; on JAX what the pullback
keeps between both passes, and what XLA plans for the compiled derivative.
"""

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

import unidiff as ud

LENGTHS = (64, 256)
SHAPE = (500, 40)


def chain(functions: int, segments: int | None) -> Callable[[Any], Any]:
    """Return the sum of a chain of layers as a scalar function; one segment is a chain without checkpoints.

    The products with a matrix keep XLA from making one loop of the chain, which would keep nothing in the first place.
    """

    def loss(x: Any) -> Any:
        xp = ud.array_namespace(x)
        weights = xp.eye(SHAPE[-1], dtype=x.dtype)
        return xp.sum(ud.checkpoint_sequential([lambda h: xp.sin(h @ weights)] * functions, segments)(x))

    return loss


Programs = dict[str, Callable[[Callable[[Any], Any]], Callable[[Any], Any]]]

DERIVATIVES: Programs = {
    "gradient": ud.grad,
    "gradients of a batch": lambda f: lambda x: ud.vmap(ud.grad(f))(x[None, ...]),
    "Hessian-vector product": lambda f: lambda x: ud.hvp(f, (x,), (x,)),
}

DIFFERENTIATED: Programs = {
    "gradient": lambda f: f,
    "gradients of a batch": lambda f: lambda x: ud.vmap(f)(x[None, ...])[0],
    "Hessian-vector product": lambda f: lambda x: ud.jvp(f, (x,), (x,))[1],
}
"""Functions whose pullback is the derivative of the same name."""


def peak_on_numpy(function: Callable[[Any], Any]) -> float:
    """Return the peak of memory of a call, in arrays of its argument."""
    x = np.ones(SHAPE)
    function(x)
    tracemalloc.start()
    try:
        function(x)
        return tracemalloc.get_traced_memory()[1] / x.nbytes
    finally:
        tracemalloc.stop()


def peak_on_torch(function: Callable[[Any], Any]) -> float:
    """Return the peak of memory of a call, in arrays of its argument."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Storages(TorchDispatchMode):
        """Counts the bytes of the storages that operations make, for as long as they live."""

        def __init__(self) -> None:
            super().__init__()
            self.alive = self.peak = 0
            self.known: set[int] = set()

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            for tensor in torch.utils._pytree.tree_leaves(out):
                if isinstance(tensor, torch.Tensor) and not tensor._is_zerotensor():
                    self.add(tensor.untyped_storage())
            return out

        def add(self, storage: Any) -> None:
            key, count = storage._cdata, storage.nbytes()
            if key in self.known:
                return
            self.known.add(key)
            self.alive += count
            self.peak = max(self.peak, self.alive)
            weakref.finalize(storage, self.drop, key, count)

        def drop(self, key: int, count: int) -> None:
            self.known.discard(key)
            self.alive -= count

    x = torch.ones(SHAPE, dtype=torch.float64)
    function(x)
    with Storages() as storages:
        function(x)
    return storages.peak / x.nbytes


def kept_on_jax(function: Callable[[Any], Any]) -> float:
    """Return the memory that a pullback keeps for the time between both passes, in arrays of the argument."""
    import jax

    x = jax.numpy.ones(SHAPE)
    gc.collect()
    before = sum(array.nbytes for array in jax.live_arrays())
    _out, _pull = ud.vjp(function, x)
    gc.collect()
    return (sum(array.nbytes for array in jax.live_arrays()) - before) / x.nbytes  # type: ignore[no-any-return]  # of JAX


def planned_on_jax(function: Callable[[Any], Any]) -> float:
    """Return the memory that XLA plans for a compiled derivative beside its argument, in arrays of that."""
    import jax

    x = jax.numpy.ones(SHAPE)
    memory = jax.jit(function).lower(x).compile().memory_analysis()
    return (memory.temp_size_in_bytes + memory.output_size_in_bytes) / x.nbytes  # type: ignore[no-any-return]  # of XLA


STUDIES: list[tuple[str, str, Callable[[Callable[[Any], Any]], float], Programs]] = [
    ("numpy", "peak", peak_on_numpy, DERIVATIVES),
    ("torch", "peak", peak_on_torch, DERIVATIVES),
    ("jax", "kept for the pullback", kept_on_jax, DIFFERENTIATED),
    ("jax", "planned by XLA", planned_on_jax, DERIVATIVES),
]


def main() -> None:
    """Print the memory with and without checkpoints and the ratio."""
    for name, what, measure, programs in STUDIES:
        if name not in ud.backends():
            continue
        for program, change in programs.items():
            for functions in LENGTHS:
                plain, checkpointed = (measure(change(chain(functions, segments))) for segments in (1, None))
                print(
                    f"{name}, {what}, {program}, chain of {functions}: {plain:.0f} arrays without checkpoints, "
                    f"{checkpointed:.0f} with, ratio {checkpointed / plain:.2f}"
                )


if __name__ == "__main__":
    main()
