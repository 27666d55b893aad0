"""NumPy: the engine over ``array_api_compat.numpy``."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import copy_context
from functools import partial
from operator import attrgetter
from typing import Any

import array_api_compat.numpy as xp
import numpy as np

from unidiff.engine import EngineBackend, Library
from unidiff.errors import InPlaceError
from unidiff.rules import RULES
from unidiff_backends._numpy import optimizers
from unidiff_backends._numpy.functions import adopt_functions
from unidiff_backends._numpy.in_place import FRESH, INTO, simplify
from unidiff_backends._numpy.natives import NATIVES
from unidiff_backends._numpy.protocols import NumpyProtocols
from unidiff_backends._numpy.scatter import scatter_add
from unidiff_backends.plugins.numpy import unidiff_register_backends
from unidiff_backends.scipy_special import special_functions

(INFO,) = unidiff_register_backends()


def own(x: Any, shared: bool) -> Any:
    """Return a writable array that shares memory with nothing else."""
    if isinstance(x, np.ndarray):
        flags = x.flags
        return x if flags.owndata and flags.writeable and not shared else np.array(x)
    return np.asarray(x)


def freeze(x: Any, lasting: bool) -> tuple[Any, Callable[[], None] | None]:
    """Copy what is small, a view, or for a lasting recording; make any other array read-only for as long as it is recorded.

    A view could still be changed through its base. A large array can be through a view that was made before; that shows in the
    end, by elements that are compared with what they were.
    """
    if x.nbytes <= _COPIED_BYTES or lasting or x.base is not None:
        return x.copy(), None
    if not x.flags.writeable:
        return x, None
    x.flags.writeable = False
    return x, partial(_thaw, x, _sample(x))


def refused_write(error: BaseException) -> bool:
    """Whether an array that `freeze` made read-only was to be changed."""
    return isinstance(error, ValueError) and "read-only" in str(error)


_COPIED_BYTES = 1 << 16


def _thaw(x: Any, sample: bytes) -> None:
    x.flags.writeable = True
    if _sample(x) != sample:
        raise InPlaceError(
            "an array that a derivative needs was changed in place through a view of it while the function ran. Change a copy"
            " instead, for example view.copy()."
        )


def _sample(x: Any) -> bytes:
    """Return some of the elements: to look at all of them would cost as much as to copy the array."""
    flat: Any = x.ravel("K")
    return bytes(flat[:: max(1, flat.size // _SAMPLED)].tobytes())


_SAMPLED = 64


def _ignored(_kind: str, _flag: int) -> None:
    """Stand for the handling of errors that the caller of a function has, while the function is recorded."""


def error_state() -> tuple[tuple[str, str], ...] | None:
    """Return how a function that is being recorded has asked for floating-point errors to be handled."""
    return tuple((kind, how) for kind, how in np.geterr().items() if how != "call") or None  # type: ignore[misc]  # its values are strings


def under(state: Any) -> AbstractContextManager[Any]:
    """Return the context in which errors are handled so."""
    return np.errstate(**dict(state))


def random_state(objects: Iterable[object]) -> list[bytes]:
    """Return the state of NumPy's global random numbers and of the generators among the objects."""
    kinds = (np.random.Generator, np.random.BitGenerator, np.random.RandomState)
    state = np.random.get_state()  # noqa: NPY002  # that generator is the one that is asked about
    return [pickle.dumps(state), *(pickle.dumps(x) for x in objects if isinstance(x, kinds))]


def keep_freed_memory() -> None:
    """Let the C library keep freed memory, up to 64 MiB, for the next arrays.

    Recordings allocate and free the same large arrays over and over. glibc at first gives those back to the system at once,
    and faulting their pages in again takes longer than computing their elements; it keeps blocks up to the size of the largest
    one that a program has freed so far. The block is never written to, so it costs no memory; elsewhere this does nothing.
    """
    np.empty(_LARGEST_KEPT_BYTES, np.uint8)


_LARGEST_KEPT_BYTES = (1 << 25) - (1 << 13)  # just below the most that glibc adapts to, its header included


def quiet_context() -> Callable[[], AbstractContextManager[None]]:
    """Return what makes contexts without floating-point warnings, as ``numpy.errstate(all="ignore")`` at a third of its cost.

    NumPy keeps the error state in a context variable: which one, and the state, is found once and set directly from then on.
    """
    outside = copy_context()
    with np.errstate(all="ignore"):
        found = [(variable, state) for variable, state in copy_context().items() if outside.get(variable) is not state]
    if len(found) != 1:  # it is kept elsewhere
        return partial(np.errstate, all="ignore")
    ((variable, state),) = found

    class Quiet:
        __slots__ = ("token",)

        def __enter__(self) -> None:
            self.token = variable.set(state)

        def __exit__(self, *exception: object) -> None:
            variable.reset(self.token)

    return Quiet


class NumpyBackend(EngineBackend):
    """NumPy arrays, differentiated by unidiff's own engine."""

    def __init__(self) -> None:
        keep_freed_memory()
        library = Library(
            name=INFO.name,
            xp=xp,
            array_types=(np.ndarray, np.generic),
            refused_types=(np.matrix, np.ma.MaskedArray),
            scalar_types=(np.generic,),
            to_numpy=np.asarray,
            own=own,
            mixin=NumpyProtocols,
            natives=NATIVES | special_functions(),
            defers=True,
            freeze=freeze,
            refused_write=refused_write,
            quiet=quiet_context(),
            scatter_add=scatter_add,
            layout=attrgetter("strides"),
            into=INTO,
            fresh=FRESH,
            simplify=simplify,
            random_state=random_state,
            silent=partial(np.errstate, all="call", call=_ignored),
            error_state=error_state,
            under=under,
        )
        super().__init__(INFO, library, RULES)
        for face in (self.domain.plain, self.domain.traced):
            adopt_functions(self.domain.plain, face)

    def optimizer_step(
        self,
        method: Any,
        params: Sequence[Any],
        grads: Sequence[Any],
        slots: Mapping[str, Sequence[Any]],
        scalars: Mapping[str, float],
        *,
        donate: bool,
    ) -> Any:
        """Return ``(params, slots)`` after a step of an optimizer by blocks, or NotImplemented."""
        return optimizers.step(method, params, grads, slots, scalars, donate=donate)
