"""Runs items in worker processes, so that a case that crashes or hangs is one failure and the others go on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from tempfile import TemporaryFile
from threading import Thread
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
        See `unidiff_conformance.runner.run`.
    """

    id: str
    dtypes: tuple[str, ...]
    modes: tuple[str, ...]
    profiles: tuple[str, ...]


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
    todo: Queue[Request] = Queue()
    done: Queue[Finished | BaseException | None] = Queue()
    for request in requests:
        todo.put(request)
    jobs = max(1, min(jobs, len(requests)))
    for _ in range(jobs):
        Thread(target=_serve, args=(backend, todo, done, timeout), daemon=True).start()
    while jobs:
        found = done.get()
        if found is None:
            jobs -= 1
        elif isinstance(found, BaseException):
            raise found
        else:
            yield found


def _serve(backend: str, todo: "Queue[Request]", done: "Queue[Finished | BaseException | None]", timeout: float) -> None:
    worker: _Worker | None = None
    try:
        while True:
            try:
                request = todo.get_nowait()
            except Empty:
                break
            results: list[Result] = []
            while True:
                worker = worker or _Worker(backend)
                lost = worker.run(request, results, timeout)
                if lost is None:
                    break
                worker.stop()
                worker = None
                results.append(lost)
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
            reason = first["broken"] if isinstance(first, dict) else f"its process died at the start: {self._tail()}"
            self.stop()
            raise WorkerError(reason)

    def run(self, request: Request, results: list[Result], timeout: float) -> Result | None:
        """Run what is left of a request, add its results, and return the case in which the process was lost, if any."""
        assert self.process.stdin is not None
        skip = [result.case for result in results]
        message = {
            "id": request.id,
            "dtypes": request.dtypes,
            "modes": request.modes,
            "profiles": request.profiles,
            "skip": skip,
        }
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
            raise WorkerError(f"the process died before it ran a case of {name}: {self._tail()}")
        if timeout is not None:
            message = f"not done after {timeout:g} s"
            return Result(self.backend, name, dtype, mode, Status.TIMEOUT, "time-out", message, float("inf"), timeout)
        self.process.wait()
        message = f"the process died with exit code {self.process.returncode}: {self._tail()}"
        return Result(self.backend, name, dtype, mode, Status.CRASH, "crash", message, float("inf"))

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
