"""A process that measures the peers of one library, so that no peer carries the imports, threads or garbage of another."""

import gc
import multiprocessing
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from benchmarks import environment
from benchmarks.peers import PEERS, Thunk, as_numpy
from benchmarks.programs import all_programs

_CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


class PeerError(Exception):
    """A peer failed in its process; the message is the traceback."""


class _Service:
    """What the process does on request; the derivatives that it prepared are its state."""

    def __init__(self, *, small: bool) -> None:
        self._programs = all_programs(small=small)
        self._thunks: dict[tuple[str, str], Thunk] = {}

    def prepare(self, program: str, peer: str) -> Any:
        """Return the derivative as NumPy arrays, or None where the peer has none."""
        thunk = PEERS[peer].prepare(self._programs[program])
        if thunk is None:
            return None
        self._thunks[program, peer] = thunk
        return as_numpy(thunk())

    def sample(self, program: str, peer: str, calls: int, clock: str) -> float:
        """Return the seconds per call, over ``calls`` calls in a row, from a heap without garbage; collection stays on."""
        thunk, now = self._thunks[program, peer], _CLOCKS[clock]
        gc.collect()
        start = now()
        for _ in range(calls):
            thunk()
        return (now() - start) / calls

    def forget(self, program: str) -> None:
        """Drop what was prepared for a program."""
        for key in [key for key in self._thunks if key[0] == program]:
            del self._thunks[key]

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return ``function(*arguments)``: a study that needs a process to itself."""
        return function(*arguments)


def _serve(connection: Connection, library: str, small: bool) -> None:
    if library == "torch":
        import torch

        torch.set_num_threads(1)
    service = _Service(small=small)
    while (request := connection.recv()) is not None:
        method, arguments = request
        try:
            connection.send((True, getattr(service, method)(*arguments)))
        except Exception:  # noqa: BLE001 - whatever a peer raises is reported, not only what is known
            connection.send((False, traceback.format_exc()))


class Worker:
    """The handle of a measuring process; a context manager."""

    def __init__(self, library: str, *, small: bool = False) -> None:
        environment.pin()
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, library, small), daemon=True)
        self._process.start()
        theirs.close()

    def request(self, method: str, *arguments: Any) -> Any:
        """Have the process call a method of its service.

        Raises
        ------
        PeerError
            Where the method raised, or the process ended.
        """
        try:
            self._connection.send((method, arguments))
            succeeded, result = self._connection.recv()
        except (EOFError, BrokenPipeError) as error:
            raise PeerError(f"the measuring process ended while it ran {method}{arguments}") from error
        if not succeeded:
            raise PeerError(result)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.is_alive():
            self._connection.send(None)
            self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.terminate()
        self._connection.close()
