"""Data-parallel training in torch: each process has its part of the data, and gradients are averaged between them.

torchrun --nproc-per-node 2 examples/data_parallel/with_torch.py
"""

import torch
import torch.distributed as dist

import unidiff as ud


def loss(w, x, y):
    """Return the mean logistic loss."""
    xp = ud.array_namespace(w)
    margins = y * (x @ w)
    return xp.mean(xp.logaddexp(xp.zeros_like(margins), -margins))


def main() -> None:
    """Train with as many processes as were started, or with one."""
    is_alone = not dist.is_torchelastic_launched()
    if not is_alone:
        dist.init_process_group("gloo")
    rank, size = (0, 1) if is_alone else (dist.get_rank(), dist.get_world_size())
    generator = torch.Generator().manual_seed(rank)
    x = torch.randn(4000 // size, 20, generator=generator, dtype=torch.float64)
    y = torch.where(x @ torch.linspace(-1, 1, 20, dtype=torch.float64) > 0, 1.0, -1.0).to(x.dtype)
    w = torch.zeros(20, dtype=torch.float64)
    adam = ud.optim.Adam(0.3)
    state = adam.init(w)
    for step in range(20):
        value, grad = ud.value_and_grad(loss)(w, x, y)
        if not is_alone:
            dist.all_reduce(grad)
        w, state = adam.step(w, grad / size, state)
        if rank == 0 and step % 5 == 0:
            print(f"step {step:2}  loss {float(value):.4f}  in {size} processes")
    if not is_alone:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
