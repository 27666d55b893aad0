"""Backends that bring an operation of their own, and get it wrong: for each of the optional operations one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import unidiff as ud
from unidiff_conformance.mutants.base import Mutant


class WrongBatch(Mutant):
    """Its own vmap returns the slices in reverse order, with the first one spoilt."""

    def vmap(self, f: Callable[..., Any], args: Sequence[Any], batched: Sequence[bool], size: int, **options: Any) -> Any:
        outs = self.good.vmap(f, args, batched, size, **options)
        return tuple(out * (1 + np.arange(size).reshape(-1, *[1] * (out.ndim - 1))) for out in outs)


class BatchLeak(Mutant):
    """Every slice of a batch gets what the first one has."""

    def vmap(self, f: Callable[..., Any], args: Sequence[Any], batched: Sequence[bool], size: int, **options: Any) -> Any:
        outs = self.good.vmap(f, args, batched, size, **options)
        return tuple(np.broadcast_to(out[:1], out.shape).copy() for out in outs)


class WrongCompilation(Mutant):
    """What it compiles keeps the value of the first call."""

    def jit(self, f: Callable[..., Any], **_: Any) -> Any:
        kept: list[Any] = []

        def compiled(*arrays: Any) -> Any:
            kept.append(f(*arrays))
            return kept[0] if len(kept) == 1 else tuple(2 * out for out in kept[0])

        return compiled


class StaleConstant(Mutant):
    """What it compiles takes the arguments of the first call for constants."""

    def jit(self, f: Callable[..., Any], **_: Any) -> Any:
        kept: list[Any] = []

        def compiled(*arrays: Any) -> Any:
            kept.append(kept[0] if kept else f(*arrays))
            return kept[0]

        return compiled


class WrongLinearization(Mutant):
    """Its linear map knows the first tangent only."""

    def linearize(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        outs, linear, *aux = self.good.linearize(f, primals, has_aux=has_aux)
        kept: list[Any] = []

        def once(tangents: Sequence[Any]) -> Any:
            kept.append(kept[0] if kept else linear(tangents))
            return kept[0]

        return outs, once, *aux


class SwappedBranches(Mutant):
    """Differentiates the branch that was not taken."""

    def cond(self, predicate: Any, if_true: Any, if_false: Any, operands: Sequence[Any]) -> Any:
        taken, other = (f(*operands) for f in ((if_true, if_false) if bool(predicate) else (if_false, if_true)))
        stop = self.good.stop_gradient
        return tuple(stop(a) + (b - stop(b)) for a, b in zip(taken, other, strict=True))


class OneStepLess(Mutant):
    """The last step of a loop has no derivative."""

    def while_loop(self, condition: Any, body: Any, init: Sequence[Any]) -> Any:
        before = values = tuple(init)
        while bool(condition(*values)):
            before, values = values, body(*values)
        stop = self.good.stop_gradient
        return tuple(stop(v) + (b - stop(b)) for v, b in zip(values, before, strict=True))


class ForgottenCarry(Mutant):
    """What is carried from step to step carries no derivative."""

    def scan(self, f: Any, init: Sequence[Any], xs: Sequence[Any], length: int, reverse: bool) -> Any:
        step = lambda carry, slices: f(tuple(map(self.good.stop_gradient, carry)), slices)
        return self.good.scan(step, init, xs, length, reverse)


class CutCheckpoint(Mutant):
    """Of what is computed again, the surroundings are constants."""

    def checkpoint(self, f: Callable[..., Any]) -> Callable[..., Any]:
        def cut(*arrays: Any) -> Any:
            frozen = f(*map(self.good.stop_gradient, arrays))
            return tuple(map(self.good.stop_gradient, frozen))

        return cut


class IgnoredForwardRule(Mutant):
    """Differentiates through a function that has a rule."""

    def custom_jvp(self, f: Callable[..., Any], rule: Any) -> Callable[..., Any]:
        del rule
        return f


class IgnoredReverseRule(Mutant):
    """Differentiates through a function that has a rule."""

    def custom_vjp(self, f: Callable[..., Any], forward: Any, backward: Any, push: Any = None) -> Callable[..., Any]:
        del forward, backward, push
        return f


class IgnoredRules(Mutant):
    """Differentiates through a function that has rules."""

    def with_rules(self, f: Callable[..., Any], push: Any, pull: Any) -> Callable[..., Any]:
        del push, pull
        return f


class ConstantMatrix(Mutant):
    """Takes the matrix of a linear system for a constant."""

    def linear_solve(self, matvec: Any, constants: Sequence[Any], rhs: Any, solve: Any) -> Any:
        return self.good.linear_solve(matvec, tuple(map(self.good.stop_gradient, constants)), rhs, solve)


class LeakyStop(Mutant):
    """Stops nothing."""

    def stop_gradient(self, x: Any) -> Any:
        return x


class WrongTaylor(Mutant):
    """Returns derivatives where coefficients are wanted."""

    def taylor(self, f: Any, primals: Any, tangents: Any, order: int, **options: Any) -> Any:
        factorial, found = 1, []
        for k, outs in enumerate(self.good.taylor(f, primals, tangents, order, **options)):
            factorial *= max(k, 1)
            found.append(tuple(factorial * out for out in outs))
        return found


class DependenceByValue(Mutant):
    """Takes a derivative that is zero here for one that is zero everywhere."""

    def dependence(self, f: Any, primals: Sequence[Any]) -> Any:
        outs, jacobian = self.good.jacfwd(f, primals)
        by_input = lambda block, p: np.reshape(block, (-1, p.size)).T
        rows = (np.concatenate(list(map(by_input, row, primals))) for row in jacobian)
        return tuple(np.abs(row).reshape(-1, *out.shape) for row, out in zip(rows, outs, strict=True))


class WrongCallback(Mutant):
    """Answers with what a callback was given."""

    def host_callback(self, f: Any, like: Any, args: Sequence[Any]) -> Any:
        del f, like
        return tuple(args)


class WrongStep(Mutant):
    """Its step of optimizers is ten percent longer."""

    def optimizer_step(self, method: Any, params: Any, grads: Any, slots: Any, scalars: Any, *, donate: bool) -> Any:
        del donate
        moved, kept = [], {name: list(arrays) for name, arrays in slots.items()}
        for k, (p, g) in enumerate(zip(params, grads, strict=True)):
            change, held = method.kernel(
                self.good.namespace(g), g, p, {name: arrays[k] for name, arrays in slots.items()}, scalars
            )
            moved.append(p + 1.1 * change)
            for name, array in held.items():
                kept[name][k] = array
        return moved, kept


class RefusedOperation(Mutant):
    """Brings an operation that raises as if it were not there."""

    def taylor(self, *_args: Any, **_options: Any) -> Any:
        raise ud.errors.UnsupportedOperationError("there is no taylor")
