"""Measurements that are no program: growth with the length of a chain, memory of a reverse pass, and import time."""

import gc
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.peers import PEERS, Thunk
from benchmarks.program import Program
from benchmarks.worker import Worker

CHAIN_PEERS = ("unidiff", "autograd", "torch")
MEMORY_PEERS = ("unidiff", "autograd")
"""Peers whose arrays are NumPy's, which `tracemalloc` sees."""


@dataclass(frozen=True, slots=True)
class ChainPoint:
    """Seconds per operation of the gradient of a chain of ``operations`` sines."""

    peer: str
    operations: int
    seconds_per_operation: float


@dataclass(frozen=True, slots=True)
class MemoryPoint:
    """Bytes per operation at the peak of a gradient, and what is left when its result was dropped and garbage collected."""

    peer: str
    operations: int
    array_bytes: int
    peak_per_operation: float
    left_per_operation: float


@dataclass(frozen=True, slots=True)
class ImportTime:
    """CPU seconds of ``import numpy``, alone and with unidiff and ``unidiff.backends()``, and the frameworks that imported."""

    numpy: float
    unidiff: float
    frameworks: tuple[str, ...]


def _sines(xp: Any, x: Any, *, operations: int) -> Any:
    for _ in range(operations):
        x = xp.sin(x)
    return xp.sum(x)


def _sine_gradient(peer: str, operations: int, size: int) -> Thunk:
    program = Program(
        name="sines", group="chain", function=partial(_sines, operations=operations), primals=(np.linspace(0.5, 1.0, size),)
    )
    thunk = PEERS[peer].prepare(program)
    if thunk is None:
        raise ValueError(f"{peer} has no gradient of a chain")
    return thunk


def time_chain(peer: str, operations: int, repeats: int) -> float:
    """Return the median seconds per operation of the gradient of a chain of sines of ten elements."""
    thunk = _sine_gradient(peer, operations, 10)
    samples = []
    for _ in range(repeats):
        gc.collect()
        start = time.process_time()
        thunk()
        samples.append(time.process_time() - start)
    return median(samples) / operations


def trace_memory(peer: str, operations: int, size: int) -> MemoryPoint:
    """Return the memory that one gradient of a chain of sines takes, as `tracemalloc` sees it."""
    thunk = _sine_gradient(peer, operations, size)
    thunk()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    thunk()
    _, peak = tracemalloc.get_traced_memory()
    gc.collect()  # also empties the interpreter's lists of free tuples
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return MemoryPoint(peer, operations, 8 * size, (peak - before) / operations, (after - before) / operations)


def study_chain(peers: Sequence[str], lengths: Sequence[int]) -> list[ChainPoint]:
    """Return the time per operation for every length; a linear engine keeps it level."""
    points = []
    for peer in [peer for peer in CHAIN_PEERS if peer in peers]:
        with Worker(PEERS[peer].library) as worker:
            for operations in lengths:
                repeats = 5 if operations <= 10_000 else 1
                seconds = worker.request("call", time_chain, peer, operations, repeats)
                points.append(ChainPoint(peer, operations, seconds))
    return points


def study_memory(peers: Sequence[str]) -> list[MemoryPoint]:
    """Return the memory per operation for arrays of one and of a thousand elements."""
    points = []
    for peer in [peer for peer in MEMORY_PEERS if peer in peers]:
        with Worker(PEERS[peer].library) as worker:
            points += [worker.request("call", trace_memory, peer, 2_000, size) for size in (1, 1_000)]
    return points


_IMPORT = """\
import sys, time
start = time.process_time()
{statement}
print(time.process_time() - start, *sorted({{"torch", "jax", "scipy", "autograd"}} & set(sys.modules)))
"""


def _time_import(statement: str, cache: str) -> tuple[float, tuple[str, ...]]:
    command = [sys.executable, "-c", _IMPORT.format(statement=statement)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = cache  # bytecode is kept, as it is where packages are installed
    words = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split()
    return float(words[0]), tuple(words[1:])


def study_import(repeats: int) -> ImportTime:
    """Return the least import times of several fresh interpreters, taken in turns; a busy machine only ever adds to them."""
    base, ours = [], []
    frameworks: set[str] = set()
    with TemporaryDirectory() as cache:
        for _ in range(repeats + 1):
            base.append(_time_import("import numpy", cache)[0])
            seconds, imported = _time_import("import numpy, unidiff; unidiff.backends()", cache)
            ours.append(seconds)
            frameworks.update(imported)
    return ImportTime(min(base), min(ours), tuple(sorted(frameworks)))
