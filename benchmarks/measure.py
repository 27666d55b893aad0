"""Paired measurements: the peers take turns, round by round, so that a slow moment of the machine hits all of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from benchmarks.peers import PEERS
from benchmarks.program import Floats, Program
from benchmarks.worker import PeerError, Worker

RTOL = 1e-10
"""Largest difference between the derivatives of two peers, relative to the largest entry."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: seconds per sample and per peer, the least and the greatest number of rounds, and the clock."""

    sample: float = 0.02
    peer: float = 1.0
    least: int = 3
    most: int = 25
    clock: str = "cpu"


@dataclass(frozen=True, slots=True)
class Result:
    """The measurements of one program.

    Parameters
    ----------
    program, group : str
        The program.
    samples : dict of str to list of float
        Seconds per call of each peer, one entry per round; entries of the same round belong together.
    notes : dict of str to str
        Peers without measurement, and why.
    failures : dict of str to str
        Peers that raised or whose derivative was wrong.
    """

    program: str
    group: str
    samples: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def seconds(self, peer: str) -> float:
        """Return the median seconds per call."""
        return median(self.samples[peer])

    def ratio(self, peer: str, base: str) -> float | None:
        """Return the median over the rounds of the time of ``peer`` over that of ``base``; None where one is missing."""
        if peer not in self.samples or base not in self.samples:
            return None
        return median(a / b for a, b in zip(self.samples[peer], self.samples[base], strict=True))

    def excess(self, peer: str, base: str) -> float | None:
        """Return the median over the rounds of the seconds per call that ``peer`` takes longer than ``base``."""
        if peer not in self.samples or base not in self.samples:
            return None
        return median(a - b for a, b in zip(self.samples[peer], self.samples[base], strict=True))


def difference(found: Sequence[Floats], expected: Sequence[Floats]) -> float:
    """Return the largest difference relative to the largest entry of each array; infinite for NaN or other structures."""
    if [array.shape for array in found] != [array.shape for array in expected]:
        return float("inf")
    worst = 0.0
    for a, b in zip(found, expected, strict=True):
        scale = float(np.max(np.abs(b), initial=0.0)) or 1.0
        error = float(np.max(np.abs(a - b), initial=0.0)) / scale
        worst = max(worst, error if np.isfinite(error) else float("inf"))
    return worst


def _prepare(program: Program, peers: Iterable[str], workers: Mapping[str, Worker], result: Result) -> list[str]:
    """Prepare the peers, compare their derivatives and return those that take part."""
    ready: list[str] = []
    expected: Sequence[Floats] | None = None
    for peer in peers:
        if peer in program.skip:
            result.notes[peer] = program.skip[peer]
            continue
        try:
            derivative = workers[PEERS[peer].library].request("prepare", program.name, peer)
        except PeerError as error:
            result.failures[peer] = str(error)
            continue
        if derivative is None:
            continue
        if peer != "forward":
            expected = derivative if expected is None else expected
            if (error_size := difference(derivative, expected)) > RTOL:
                result.failures[peer] = f"its derivative differs from that of the first peer by {error_size:.1e}"
                continue
        ready.append(peer)
    return ready


def measure_program(program: Program, peers: Iterable[str], workers: Mapping[str, Worker], effort: Effort) -> Result:
    """Return the measurements of ``peers`` on one program, after their derivatives were found to agree."""
    result = Result(program.name, program.group)
    ready = _prepare(program, peers, workers, result)

    def sample(peer: str, calls: int) -> float:
        seconds: float = workers[PEERS[peer].library].request("sample", program.name, peer, calls, effort.clock)
        return seconds

    calls, slowest = {}, effort.sample
    for peer in ready:
        seconds = sample(peer, 1)
        if seconds < effort.sample:
            seconds = min(seconds, sample(peer, 3))
        calls[peer] = max(1, round(effort.sample / seconds))
        slowest = max(slowest, seconds)
        result.samples[peer] = []
    for turn in range(min(effort.most, max(effort.least, round(effort.peer / slowest)))):
        for peer in ready[turn % len(ready) :] + ready[: turn % len(ready)]:
            result.samples[peer].append(sample(peer, calls[peer]))
    for worker in workers.values():
        worker.request("forget", program.name)
    return result


def measure(
    programs: Mapping[str, Program],
    peers: Sequence[str],
    effort: Effort,
    *,
    small: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> list[Result]:
    """Return the measurements of all programs, each library in a process of its own."""
    results = []
    with ExitStack() as stack:
        libraries = dict.fromkeys(PEERS[peer].library for peer in peers)
        workers = {library: stack.enter_context(Worker(library, small=small)) for library in libraries}
        for program in programs.values():
            progress(program.name)
            results.append(measure_program(program, peers, workers, effort))
    return results
