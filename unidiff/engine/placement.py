"""Where creation functions put their arrays inside a differentiated function: beside its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import wraps
from typing import Any

from unidiff._typing import Device
from unidiff.engine.tracing import TracedArray

_home: ContextVar[tuple[Any, Device] | None] = ContextVar("unidiff_creation_device", default=None)


def beside(args: Sequence[Any]) -> AbstractContextManager[None]:
    """Make a context in which arrays are created on the device of the first traced argument."""
    for x in args:
        if isinstance(x, TracedArray):
            domain = x._domain
            return nullcontext() if domain.library.to_device is None else _at(domain, x.device)
    return nullcontext()


@contextmanager
def _at(domain: Any, device: Device) -> Any:
    token = _home.set((domain, device))
    try:
        yield
    finally:
        _home.reset(token)


def placed(domain: Any, function: Callable[..., Any], *, converts: bool = False) -> Callable[..., Any]:
    """Return a creation function whose default device is the context's; one that converts leaves arrays where they are."""
    if domain.library.to_device is None:
        return function

    @wraps(function)
    def creates(*args: Any, **kwargs: Any) -> Any:
        home = _home.get()
        stays = converts and args and isinstance(args[0], (TracedArray, *domain.array_types))
        if home is not None and home[0] is domain and kwargs.get("device") is None and not stays:
            kwargs["device"] = home[1]
        return function(*args, **kwargs)

    return creates
