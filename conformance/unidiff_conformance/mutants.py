"""Backends that are wrong, each in one way, made from the NumPy backend."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import unidiff as ud


class Mutant:
    """The NumPy backend under another name; subclasses spoil its derivatives.

    Only ``vjp`` and ``jvp`` are its own: everything else is derived from them, and so is spoilt too.
    """

    def __init__(self) -> None:
        self.good = ud.get_backend("numpy")
        name = "mutant_" + "".join(f"_{c.lower()}" if c.isupper() else c for c in type(self).__name__).lstrip("_")
        capabilities = replace(self.good.info.capabilities, vmap=False, jit=False)
        self.info = replace(self.good.info, name=name, arrays=(), capabilities=capabilities)
        for operation in ("namespace", "device", "to_device", "devices", "asarray", "from_dlpack", "to_numpy"):
            setattr(self, operation, getattr(self.good, operation))

    def push(self, tangent: Any) -> Any:
        """Return what becomes of an output tangent or input cotangent."""
        return tangent

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        outs, pullback, *aux = self.good.vjp(f, primals, has_aux=has_aux)
        return outs, lambda cotangents: tuple(map(self.push, pullback(cotangents))), *aux

    def jvp(self, f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False) -> Any:
        outs, tangents_out, *aux = self.good.jvp(f, primals, tangents, has_aux=has_aux)
        return outs, tuple(map(self.push, tangents_out)), *aux


class Zeros(Mutant):
    def push(self, tangent: Any) -> Any:
        return 0 * tangent


class SignFlip(Mutant):
    def push(self, tangent: Any) -> Any:
        return -tangent


class FactorTwo(Mutant):
    def push(self, tangent: Any) -> Any:
        return 2 * tangent


class Noise(Mutant):
    def push(self, tangent: Any) -> Any:
        return tangent * (1 + 1e-9)


class SinglePrecision(Mutant):
    """Computes in float32 and returns float64."""

    def push(self, tangent: Any) -> Any:
        xp = self.namespace(tangent)  # type: ignore[attr-defined]  # set in __init__
        if xp.isdtype(tangent.dtype, "complex floating"):
            return tangent
        return xp.astype(xp.astype(tangent, xp.float32), tangent.dtype)


class WrongDtype(Mutant):
    """Returns float64 whatever came."""

    def push(self, tangent: Any) -> Any:
        xp = self.namespace(tangent)  # type: ignore[attr-defined]  # set in __init__
        return tangent if xp.isdtype(tangent.dtype, "complex floating") else xp.astype(tangent, xp.float64)


class WrongShape(Mutant):
    """Leaves an axis of size 1."""

    def push(self, tangent: Any) -> Any:
        return tangent[None]


class ForwardOnlyWrong(Mutant):
    """Forward mode alone is wrong, so that the two are no longer adjoint."""

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        return self.good.vjp(f, primals, has_aux=has_aux)

    def push(self, tangent: Any) -> Any:
        return 3 * tangent


class MissingConjugate(Mutant):
    """Pulls back by the transposed instead of the adjoint Jacobian."""

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        outs, pullback, *aux = self.good.vjp(f, primals, has_aux=has_aux)

        def transposed(cotangents: Sequence[Any]) -> Any:
            conj = lambda x: self.namespace(x).conj(x)  # type: ignore[attr-defined]  # set in __init__
            return tuple(map(conj, pullback(tuple(map(conj, cotangents)))))

        return outs, transposed, *aux


class TransposedJacobian(Mutant):
    """Returns the Jacobian of square problems transposed."""

    def jacrev(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        outs, jacobian, *aux = self.good.jacrev(f, primals, has_aux=has_aux)
        flip = lambda j: j.T if j.ndim == 2 else j
        return outs, tuple(tuple(map(flip, row)) for row in jacobian), *aux


class ForgottenAccumulation(Mutant):
    """Of several outputs that depend on an argument, only the last counts."""

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        outs, pullback, *aux = self.good.vjp(f, primals, has_aux=has_aux)
        return outs, lambda cotangents: pullback((*(0 * c for c in cotangents[:-1]), cotangents[-1])), *aux


class NoneForUnused(Mutant):
    """Returns None where a derivative is zero."""

    def push(self, tangent: Any) -> Any:
        return None if isinstance(tangent, np.ndarray) and not tangent.any() else tangent


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


class CalledTwice(Mutant):
    """Evaluates the function once for the value and once more for the derivative."""

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        f(*primals)
        return self.good.vjp(f, primals, has_aux=has_aux)


class CutBranch(Mutant):
    """Takes the first argument of several for a constant."""

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        outs, pullback, *aux = self.good.vjp(f, primals, has_aux=has_aux)

        def cut(cotangents: Sequence[Any]) -> Any:
            found = tuple(pullback(cotangents))
            return (0 * found[0], *found[1:]) if len(found) > 1 else found

        return outs, cut, *aux


class PerturbationConfusion(Mutant):
    """Takes the complex step, whose imaginary unit is one and the same in every nested derivative."""

    def jvp(self, f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False) -> Any:
        step = 1e-20
        shifted = [p + 1j * step * t for p, t in zip(primals, tangents, strict=True)]
        outs = f(*shifted)
        return tuple(np.real(o) for o in outs), tuple(np.asarray(np.imag(o) / step) for o in outs)


class WrongDevice(Mutant):
    """Returns derivatives on another device than that of the primal."""

    def __init__(self) -> None:
        super().__init__()
        self.device = lambda x: "elsewhere" if id(x) in self.moved else "cpu"
        self.moved: dict[int, Any] = {}

    def push(self, tangent: Any) -> Any:
        self.moved[id(tangent)] = tangent
        return tangent


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


class WrongBatch(Mutant):
    """Its own vmap returns the slices in reverse order, with the first one spoilt."""

    def vmap(self, f: Callable[..., Any], args: Sequence[Any], batched: Sequence[bool], size: int, **options: Any) -> Any:
        outs = self.good.vmap(f, args, batched, size, **options)
        return tuple(out * (1 + np.arange(size).reshape(-1, *[1] * (out.ndim - 1))) for out in outs)


class WrongCompilation(Mutant):
    """What it compiles keeps the value of the first call."""

    def jit(self, f: Callable[..., Any], **_: Any) -> Any:
        kept: list[Any] = []

        def compiled(*arrays: Any) -> Any:
            kept.append(f(*arrays))
            return kept[0] if len(kept) == 1 else tuple(2 * out for out in kept[0])

        return compiled


class WrongInReverseAlone(Mutant):
    """Reverse mode is wrong, which shows in all that is derived from it."""

    def jvp(self, f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False) -> Any:
        return self.good.jvp(f, primals, tangents, has_aux=has_aux)

    def push(self, tangent: Any) -> Any:
        return -tangent
