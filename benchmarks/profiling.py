"""Where the time of a derivative goes, function by function."""

import cProfile
import pstats
import time

from benchmarks.peers import PEERS
from benchmarks.programs import all_programs


def profile(program: str, peer: str = "unidiff", *, lines: int = 30, seconds: float = 2.0) -> None:
    """Print the profile of about ``seconds`` of repeated calls, by own time."""
    thunk = PEERS[peer].prepare(all_programs()[program])
    if thunk is None:
        raise ValueError(f"{peer} has no derivative of {program}")
    thunk()
    start = time.perf_counter()
    thunk()
    calls = max(1, round(seconds / (time.perf_counter() - start)))
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(calls):
        thunk()
    profiler.disable()
    print(f"{peer} on {program}: {calls} derivatives")
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(lines)
