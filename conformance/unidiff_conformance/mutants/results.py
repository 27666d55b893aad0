"""Backends that are wrong about something besides numbers: types, memory, exceptions, threads, claims."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import sleep
from typing import Any

import numpy as np

from unidiff_conformance.mutants.base import Mutant


class WrongDtype(Mutant):
    """Returns float64 whatever came."""

    def push(self, tangent: Any) -> Any:
        xp = self.namespace(tangent)  # type: ignore[attr-defined]  # set in __init__
        return tangent if xp.isdtype(tangent.dtype, "complex floating") else xp.astype(tangent, xp.float64)


class WrongShape(Mutant):
    """Leaves an axis of size 1."""

    def push(self, tangent: Any) -> Any:
        return tangent[None]


class WrongType(Mutant):
    """Returns lists."""

    def push(self, tangent: Any) -> Any:
        return tangent.tolist()


class WrongEmpty(Mutant):
    """Looks at the first element of arrays that have none."""

    def push(self, tangent: Any) -> Any:
        tangent[(0,) * tangent.ndim]
        return tangent


class NoneForUnused(Mutant):
    """Returns None where a derivative is zero."""

    def push(self, tangent: Any) -> Any:
        return None if isinstance(tangent, np.ndarray) and not tangent.any() else tangent


class WrongDevice(Mutant):
    """Returns derivatives on another device than that of the primal."""

    def __init__(self) -> None:
        super().__init__()
        self.device = lambda x: "elsewhere" if id(x) in self.moved else "cpu"
        self.moved: dict[int, Any] = {}

    def push(self, tangent: Any) -> Any:
        self.moved[id(tangent)] = tangent
        return tangent


class MutatedInput(Mutant):
    """Uses the memory of its first argument for something else."""

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        result = super().vjp(f, primals, has_aux=has_aux)
        if isinstance(primals[0], np.ndarray) and primals[0].size:
            primals[0][...] = 7
        return result


class SharedMemory(Mutant):
    """Returns the primal itself where the function does."""

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        outs, pullback, *aux = self.good.vjp(f, primals, has_aux=has_aux)
        same = lambda out: next((p for p in primals if p.shape == out.shape and np.array_equal(p, out)), out)
        return (tuple(map(same, outs)) if all(isinstance(p, np.ndarray) for p in primals) else outs), pullback, *aux


class StaleCache(Mutant):
    """A second call of a pullback returns what the first one did, doubled."""

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        outs, pullback, *aux = self.good.vjp(f, primals, has_aux=has_aux)
        total: list[Any] = []

        def accumulate(cotangents: Sequence[Any]) -> Any:
            found = pullback(cotangents)
            total[:] = [a + b for a, b in zip(total, found, strict=True)] if total else found
            return tuple(total)

        return outs, accumulate, *aux


class SwallowedException(Mutant):
    """Answers zero where the function raises."""

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        try:
            return self.good.vjp(f, primals, has_aux=has_aux)
        except Exception:  # noqa: BLE001 - this is what is wrong with it
            return tuple(primals), lambda _: tuple(0 * p for p in primals)


class StateAfterException(Mutant):
    """An exception of the function leaves something behind, which spoils what comes next."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        self.depth += 1
        outs, pullback, *aux = self.good.vjp(f, primals, has_aux=has_aux)
        self.depth -= 1
        factor = 2**self.depth
        return outs, lambda cotangents: tuple(factor * g for g in pullback(cotangents)), *aux


class CalledTwice(Mutant):
    """Evaluates the function once for the value and once more for the derivative."""

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        f(*primals)
        return self.good.vjp(f, primals, has_aux=has_aux)


class OneAtATime(Mutant):
    """Keeps what belongs to one derivative where all threads see it."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0

    def jvp(self, f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False) -> Any:
        self.depth += 1
        sleep(1e-3)
        mine = self.depth == 1
        result = self.good.jvp(f, primals, [t if mine else 2 * t for t in tangents], has_aux=has_aux)
        self.depth -= 1
        return result


class FalseClaim(Mutant):
    """Claims a native operation that it has not."""

    def __init__(self) -> None:
        super().__init__()
        self.info = replace(self.info, capabilities=replace(self.info.capabilities, vmap=True))


class HiddenAbility(Mutant):
    """Differentiates dtypes that it does not claim."""

    def __init__(self) -> None:
        super().__init__()
        self.info = replace(self.info, capabilities=replace(self.info.capabilities, dtypes=frozenset({"float64"})))


class LowOrderClaim(Mutant):
    """Claims that one derivative is all it can take, and takes more."""

    def __init__(self) -> None:
        super().__init__()
        self.info = replace(self.info, capabilities=replace(self.info.capabilities, max_order=1))
