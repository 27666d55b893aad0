"""Two processes: data-parallel gradients summed by gloo, and gradients of a DTensor, equal those of one process."""

import sys

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

import unidiff as ud

rng = np.random.default_rng(0)
X, Y, W = rng.normal(size=(64, 4)), rng.normal(size=64), rng.normal(size=4)


def loss(w, x, y):
    xp = ud.array_namespace(w)
    return xp.mean((x @ w - y) ** 2)


def train(w, grad_of, steps):
    adam = ud.optim.Adam(0.1)
    state = adam.init(w)
    for _ in range(steps):
        w, state = adam.step(w, grad_of(w), state)
    return w


def main() -> None:
    rank, store = int(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    wanted = 2 * X.T @ (X @ W - Y) / 64
    mine = slice(32 * rank, 32 * (rank + 1))
    x, y = torch.asarray(X[mine]), torch.asarray(Y[mine])

    def averaged(w):
        grad = ud.grad(loss)(w, x, y)
        dist.all_reduce(grad)
        return grad / 2

    np.testing.assert_allclose(averaged(torch.asarray(W)), wanted, rtol=1e-12)
    alone = train(W, lambda w: 2 * X.T @ (X @ w - Y) / 64, 3)
    np.testing.assert_allclose(train(torch.asarray(W), averaged, 3), alone, rtol=1e-11)

    mesh = init_device_mesh("cpu", (2,))
    w = distribute_tensor(torch.asarray(W), mesh, [Replicate()])
    xs, ys = (distribute_tensor(torch.asarray(a), mesh, [Shard(0)]) for a in (X, Y))
    value, grad = ud.value_and_grad(loss)(w, xs, ys)
    assert isinstance(value, DTensor)
    assert isinstance(grad, DTensor)
    np.testing.assert_allclose(grad.full_tensor(), wanted, rtol=1e-12)
    of_rows = ud.grad(lambda x: loss(w, x, ys))(xs)
    assert of_rows.placements == (Shard(0),), of_rows.placements
    assert of_rows.to_local().shape == (32, 4)
    np.testing.assert_allclose(of_rows.full_tensor(), np.outer(2 * (X @ W - Y) / 64, W), rtol=1e-12)

    p = distribute_tensor(torch.arange(16, dtype=torch.float64), mesh, [Shard(0)])
    adam = ud.optim.Adam(0.1)
    new, _ = adam.step(p, ud.grad(lambda p: ud.array_namespace(p).sum((p - 3) ** 2))(p), adam.init(p))
    assert new.placements == (Shard(0),), new.placements
    a = np.arange(16.0)
    np.testing.assert_allclose(new.full_tensor(), adam.step(a, 2 * (a - 3), adam.init(a))[0], rtol=1e-12)
    dist.destroy_process_group()
    print("distributed")


if __name__ == "__main__":
    main()
