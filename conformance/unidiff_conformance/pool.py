"""Runs items in worker processes, so that a case that crashes or hangs is one failure and the others go on."""

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from queue import Empty, Queue
from tempfile import TemporaryFile
from threading import Lock, Thread
from typing import Any

from unidiff_conformance.environment import environment_of
from unidiff_conformance.results import Result, Status, from_record

START_SECONDS = 180.0
"""How long a library may take to be imported."""
_TAIL = 2000


class WorkerError(RuntimeError):
    """A backend cannot be run in a worker at all."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to run of an item.

    Parameters
    ----------
    id : str
        The item.
    dtypes, modes, profiles : tuple of str
    seed : int
        See `unidiff_conformance.runner.run`.
    """

    id: str
    dtypes: tuple[str, ...]
    modes: tuple[str, ...]
    profiles: tuple[str, ...]
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """An item is done; its results, before waivers are applied."""

    id: str
    results: tuple[Result, ...]


def run_in_workers(backend: str, requests: Sequence[Request], *, jobs: int, timeout: float) -> Iterator[Finished]:
    """Run items in several processes.

    Parameters
    ----------
    backend : str
        Name of an installed backend.
    requests : sequence of Request
        The items.
    jobs : int
        How many processes.
    timeout : float
        Seconds that one case may take.

    Yields
    ------
    Finished
        In the order in which items are done.

    Raises
    ------
    WorkerError
        If the backend cannot be loaded.
    """
    jobs = max(1, min(jobs, len(requests)))
    todo = _Shares(requests, jobs)
    done: Queue[Finished | BaseException | None] = Queue()
    for number in range(jobs):
        Thread(target=_serve, args=(backend, partial(todo.take, number), done, timeout), daemon=True).start()
    while jobs:
        found = done.get()
        if found is None:
            jobs -= 1
        elif isinstance(found, BaseException):
            raise found
        else:
            yield found


class _Shares:
    """Requests in the order of their items: neighbours are alike, and what a process compiles for one serves the other."""

    def __init__(self, requests: Sequence[Request], jobs: int) -> None:
        size = -(-len(requests) // jobs)
        self.shares = [deque(requests[k * size : (k + 1) * size]) for k in range(jobs)]
        self.lock = Lock()

    def take(self, number: int) -> Request | None:
        """Return the next request of a share, then the last one of the longest share."""
        with self.lock:
            if self.shares[number]:
                return self.shares[number].popleft()
            longest = max(self.shares, key=len)
            return longest.pop() if longest else None


def _serve(
    backend: str, take: Callable[[], Request | None], done: "Queue[Finished | BaseException | None]", timeout: float
) -> None:
    worker: _Worker | None = None
    try:
        while (request := take()) is not None:
            results: list[Result] = []
            while True:
                worker = worker or _Worker(backend)
                lost = worker.run(request, results, timeout)
                if lost is None:
                    break
                worker.stop()
                worker = None
                results.append(replace(lost, seed=request.seed))
            done.put(Finished(request.id, tuple(results)))
    except Exception as error:  # noqa: BLE001 - it is raised in the thread that waits for it
        done.put(error)
    finally:
        if worker is not None:
            worker.stop()
        done.put(None)


class _Worker:
    """One process."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.errors = TemporaryFile()  # noqa: SIM115 - closed when the process is stopped
        environment = environment_of([backend]) | dict(os.environ)
        # The arguments are this interpreter, a module of this package and the name of an installed backend.
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "unidiff_conformance.worker", backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        self.lines: Queue[str | None] = Queue()
        Thread(target=self._read, daemon=True).start()
        first = self._next(START_SECONDS)
        if not isinstance(first, dict) or "ready" not in first:
            reason = first["broken"] if isinstance(first, dict) else self._end("as it was loaded", START_SECONDS, first)
            self.stop()
            raise WorkerError(reason)

    def run(self, request: Request, results: list[Result], timeout: float) -> Result | None:
        """Run what is left of a request, add its results, and return the case in which the process was lost, if any."""
        assert self.process.stdin is not None
        skip = [result.case for result in results]
        message = {**asdict(request), "skip": skip}
        case = (request.id, "", "")
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except OSError:
            return self._lost(case, None)
        while True:
            answer = self._next(timeout)
            if not isinstance(answer, dict):
                return self._lost(case, timeout if answer is Empty else None)
            if "starting" in answer:
                case = tuple(answer["starting"])
            elif "result" in answer:
                results.append(from_record(answer["result"]))
            else:
                return None

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            if stream is not None:
                with suppress(OSError):  # what was not written is of no use to a process that is gone
                    stream.close()

    def _lost(self, case: tuple[str, ...], timeout: float | None) -> Result:
        name, dtype, mode = case
        if not mode:
            answer = None if timeout is None else Empty
            raise WorkerError(self._end(f"before it ran a case of {name}", timeout or 0.0, answer))
        if timeout is not None:
            message = f"not done after {timeout:g} s"
            return Result(self.backend, name, dtype, mode, Status.TIMEOUT, "time-out", message, float("inf"), timeout)
        message = self._end("", 0.0, None)
        return Result(self.backend, name, dtype, mode, Status.CRASH, "crash", message, float("inf"))

    def _end(self, when: str, timeout: float, answer: Any) -> str:
        """Say how the process ended, or that it gives no answer."""
        if answer is Empty:
            return f"the process gave no answer for {timeout:g} s {when}"
        self.process.wait()
        code = f"with exit code {self.process.returncode}: {self._tail()}".rstrip(": ")
        return " ".join(part for part in ("the process died", when, code) if part)

    def _next(self, timeout: float) -> Any:
        """Return the next answer, None if the process has ended, or the class Empty if it takes too long."""
        try:
            line = self.lines.get(timeout=timeout)
        except Empty:
            return Empty
        return None if line is None else json.loads(line)

    def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            for line in self.process.stdout:
                self.lines.put(line)
        except ValueError:  # closed while it was read
            pass
        self.lines.put(None)

    def _tail(self) -> str:
        self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, self.errors.tell() - _TAIL))
        return self.errors.read().decode(errors="replace").strip()
