"""Forward mode through `torch.func`."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from unidiff.errors import InPlaceError
from unidiff_backends._torch.memory import owned
from unidiff_backends._torch.reverse import TensorFunction, Tensors, forward_thread, functorch_active

_LOCK = threading.RLock()
"""Held during forward mode: the levels of forward mode are one per process in PyTorch, and the thread that leaves first takes
the tangents of all others with it."""


def jvp(f: TensorFunction, primals: Tensors, tangents: Tensors, *, has_aux: bool = False) -> Any:
    """Return ``(outs, tangents_out)`` or ``(outs, tangents_out, aux)``; see `unidiff.backend.Backend`."""
    with _LOCK, _in_this_thread():
        if torch.is_inference_mode_enabled():
            with torch.inference_mode(False), torch.no_grad():
                outs, tangents_out, aux = _jvp(f, primals, tangents, has_aux)
        else:
            outs, tangents_out, aux = _jvp(f, primals, tangents, has_aux)
    return (outs, tangents_out, aux) if has_aux else (outs, tangents_out)


@contextmanager
def _in_this_thread() -> Iterator[None]:
    """Note whose the level of dual numbers is; the caller holds the lock."""
    forward_thread.append(threading.get_ident())
    try:
        yield
    finally:
        forward_thread.pop()


def _jvp(f: TensorFunction, primals: Tensors, tangents: Tensors, has_aux: bool) -> tuple[Tensors, Tensors, Tensors]:
    # The function may write to what it gets, and forward mode then writes to the tangent, too: both are copies. A tensor of
    # inference mode, moreover, takes no part in derivatives, but a copy of it does.
    primals, tangents = tuple([x.clone() for x in primals]), tuple([t.clone() for t in tangents])
    versions = [x._version for x in primals]

    def evaluate(*args: torch.Tensor) -> tuple[Tensors, Tensors]:
        result = f(*args)
        outs, aux = result if has_aux else (result, ())
        # `torch.func.jvp` refuses functions without outputs; one more output does no harm.
        return (args[0], *map(_not_constant, outs)), tuple(map(_not_constant, aux))

    (_, *outs), (_, *tangents_out), aux = torch.func.jvp(evaluate, primals, tangents, has_aux=True)
    if versions != [x._version for x in primals]:
        raise InPlaceError("the function changed its argument in place; let it change a copy: xp.asarray(x, copy=True)")
    if functorch_active():
        return tuple(outs), tuple(tangents_out), aux
    # A view is of something that the function got from elsewhere, or of another result.
    results = owned([x.clone() if x._is_view() else x for x in (*outs, *tangents_out, *aux)], ())
    return results[: len(outs)], results[len(outs) : 2 * len(outs)], results[2 * len(outs) :]


def _not_constant(x: torch.Tensor) -> torch.Tensor:
    """Return ``x``, or a copy if it does not belong to the present level, hence may be in the hands of others."""
    functorch = torch._C._functorch
    return x if functorch.maybe_get_level(x) == functorch.maybe_current_level() else x.clone()


# On its first use PyTorch scripts the decompositions that forward mode needs and warns of its own use of a deprecated function.
# That warning says nothing to a caller, who may have turned warnings into errors.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    torch.func.jvp(torch.neg, (torch.zeros((), device="cpu"),), (torch.zeros((), device="cpu"),))
