"""Where the time of unidiff's derivative on NumPy goes, function by function."""

import cProfile
import pstats
import time

from benchmarks.peers import PEERS
from benchmarks.programs import all_programs


def profile(program: str, *, lines: int = 30, seconds: float = 2.0) -> None:
    """Print the profile of about ``seconds`` of repeated calls, by own time."""
    thunk = PEERS["unidiff"].prepare(all_programs()[program])
    assert thunk is not None
    thunk()
    start = time.perf_counter()
    thunk()
    calls = max(1, round(seconds / (time.perf_counter() - start)))
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(calls):
        thunk()
    profiler.disable()
    print(f"{program}: {calls} derivatives")
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(lines)
