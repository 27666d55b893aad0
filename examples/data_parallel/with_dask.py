"""Logistic regression on data that fit into no memory: Dask makes the blocks where they are used, on workers of its own.

    python examples/data_parallel/with_dask.py                  # 64 MB
    python examples/data_parallel/with_dask.py --gigabytes 20   # the same memory, more time

The gradient is a graph over the blocks. A worker makes a block, adds what it contributes and forgets it.
"""

import argparse
import resource
import time

import dask
import dask.array as da
import numpy as np
from dask.distributed import Client, LocalCluster

import unidiff as ud

FEATURES = 50


def loss(w, x, y):
    """Return the mean logistic loss."""
    xp = ud.array_namespace(w)
    margins = y * (x @ w)
    return xp.mean(xp.logaddexp(xp.zeros_like(margins), -margins))


def block(rows: int, block_id: tuple[int, ...] = (0, 0)) -> np.ndarray:
    """Return a block of data, one column of labels before the features."""
    rng = np.random.default_rng(block_id[0])
    table = rng.standard_normal((rows, FEATURES + 1))
    table[:, 0] = np.where(table[:, 1:] @ np.linspace(-1, 1, FEATURES) + table[:, 0] > 0, 1.0, -1.0)
    return table


def data(count: int, rows: int):
    """Return features and labels in blocks that are generated when they are needed."""
    table = da.map_blocks(block, rows, chunks=((rows,) * count, (FEATURES + 1,)), dtype=np.float64)
    return table[:, 1:], table[:, 0]


def peak(client: Client) -> float:
    """Return the largest memory in MB that any worker has had."""
    return max(client.run(lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss).values()) / 1024


def main() -> None:
    """Train for a few steps, and compare the gradient on one block with NumPy's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=0.064)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of a block")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    count = max(2, round(args.gigabytes * 1e9 / (8 * FEATURES * args.rows)))
    with (
        LocalCluster(n_workers=args.workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        w = da.zeros(FEATURES)
        sample = block(args.rows)
        (x0, y0), w0 = data(1, args.rows), np.zeros(FEATURES)
        found, wanted = ud.grad(loss)(w, x0, y0).compute(), ud.grad(loss)(w0, sample[:, 1:], sample[:, 0])
        print(f"gradient on a block: largest difference to NumPy {np.max(np.abs(found - wanted)):.1e}")
        x, y = data(count, args.rows)
        adam = ud.optim.Adam(0.1)
        state = adam.init(w)
        print(f"{x.nbytes / 1e9:.2f} GB in {count} blocks on {args.workers} workers")
        for _ in range(args.steps):
            start = time.perf_counter()
            value, grad = ud.value_and_grad(loss)(w, x, y)
            tasks = len(grad.__dask_graph__())
            value, grad = dask.compute(value, grad)
            w, state = adam.step(w, da.from_array(grad), state)
            w, state = dask.persist(w, state)
            seconds = time.perf_counter() - start
            print(f"loss {value:.6f}  {tasks} tasks  {seconds:.1f} s  peak {peak(client):.0f} MB")


if __name__ == "__main__":
    main()
