"""Backends whose derivatives are other numbers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from unidiff_conformance.mutants.base import Mutant


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


class RandomNoise(Mutant):
    """Returns other last digits at each call."""

    def __init__(self) -> None:
        super().__init__()
        self.random = np.random.default_rng(0)

    def push(self, tangent: Any) -> Any:
        return tangent * (1 + 1e-9 * self.random.uniform(0.5, 1.0))


class SinglePrecision(Mutant):
    """Computes in float32 and returns float64."""

    def push(self, tangent: Any) -> Any:
        xp = self.namespace(tangent)  # type: ignore[attr-defined]  # set in __init__
        if xp.isdtype(tangent.dtype, "complex floating"):
            return tangent
        return xp.astype(xp.astype(tangent, xp.float32), tangent.dtype)


class ForwardOnlyWrong(Mutant):
    """Forward mode alone is wrong, so that the two are no longer adjoint."""

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        return self.good.vjp(f, primals, has_aux=has_aux)

    def push(self, tangent: Any) -> Any:
        return 3 * tangent


class WrongInReverseAlone(Mutant):
    """Reverse mode is wrong, which shows in all that is derived from it."""

    def jvp(self, f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False) -> Any:
        return self.good.jvp(f, primals, tangents, has_aux=has_aux)

    def push(self, tangent: Any) -> Any:
        return -tangent


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


class UnsummedBroadcast(Mutant):
    """Of the copies of an argument that was broadcast, only one has a part in its cotangent."""

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        outs, pullback, *aux = self.good.vjp(f, primals, has_aux=has_aux)
        copies: Callable[[Any], int] = lambda p: max(1, outs[0].size // max(1, p.size))
        return outs, lambda cts: tuple(g / copies(p) for g, p in zip(pullback(cts), primals, strict=True)), *aux


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


class Severed(Mutant):
    """What it returns is a constant to every differentiation around it."""

    def push(self, tangent: Any) -> Any:
        return self.good.stop_gradient(tangent)
