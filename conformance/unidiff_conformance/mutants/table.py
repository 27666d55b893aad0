"""Which check catches which wrong backend."""

from dataclasses import dataclass

from unidiff_conformance.mutants import namespaces as names
from unidiff_conformance.mutants import numbers, operations, results
from unidiff_conformance.mutants.base import Mutant
from unidiff_conformance.results import Result
from unidiff_conformance.runner import run, select


@dataclass(frozen=True, slots=True)
class Catch:
    """A wrong backend, the case that is meant for it, and the kind of its failure."""

    mutant: type[Mutant]
    id: str
    mode: str
    kind: str

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes of which the case is run in one."""
        return ("float32",) if self.kind == "dtype" else ("float64", "complex128")

    def result(self, backend: str) -> Result:
        """Run the case on a backend, which has to be registered."""
        (found,) = run(backend, select(f"={self.id}"), dtypes=self.dtypes, modes=[self.mode])
        return found


B = "behaviour"
CAUGHT = (
    Catch(numbers.Zeros, "elementwise.sin.matrix", "jvp", "accuracy"),
    Catch(numbers.Zeros, "elementwise.sin.matrix", "vjp", "accuracy"),
    Catch(numbers.SignFlip, "elementwise.exp.matrix", "vjp", "accuracy"),
    Catch(numbers.FactorTwo, "elementwise.add.same-shape", "jvp", "accuracy"),
    Catch(numbers.FactorTwo, "elementwise.sin.matrix", "fwd-over-rev", "accuracy"),
    Catch(numbers.Noise, "elementwise.sin.matrix", "jvp", "accuracy"),
    Catch(numbers.Noise, "linear_algebra.matmul.matrix-matrix", "vjp", "accuracy"),
    Catch(numbers.RandomNoise, "elementwise.sin.matrix", "vjp", "accuracy"),
    Catch(numbers.SinglePrecision, "elementwise.tanh.matrix", "vjp", "accuracy"),
    Catch(numbers.SinglePrecision, "program.model.mlp", "rev-over-rev", "accuracy"),
    Catch(numbers.ForwardOnlyWrong, "elementwise.sin.matrix", "adjoint", "accuracy"),
    Catch(numbers.WrongInReverseAlone, "program.model.mlp", "derived", "accuracy"),
    Catch(numbers.MissingConjugate, "program.complex.holomorphic", "vjp", "accuracy"),
    Catch(numbers.MissingConjugate, "elementwise.exp.complex", "adjoint", "accuracy"),
    Catch(numbers.TransposedJacobian, "statistical.cumulative_sum.vector", "jacrev", "accuracy"),
    Catch(numbers.ForgottenAccumulation, "program.several.outputs", "vjp", "accuracy"),
    Catch(numbers.ForgottenAccumulation, "program.identity.twice", "adjoint", "accuracy"),
    Catch(numbers.UnsummedBroadcast, "elementwise.multiply.broadcast", "vjp", "accuracy"),
    Catch(numbers.CutBranch, "elementwise.multiply.same-shape", "vjp", "accuracy"),
    Catch(numbers.PerturbationConfusion, "behaviour.perturbation-confusion.forward-over-forward", B, B),
    Catch(numbers.Severed, "behaviour.closure.reverse-over-reverse", B, B),
    Catch(numbers.Severed, "behaviour.closure.forward-over-forward", B, B),
    Catch(numbers.Severed, "program.model.mlp", "fwd-over-rev", "accuracy"),
    Catch(names.FirstOfTies, "elementwise.maximum.tie", "vjp", "accuracy"),
    Catch(names.DividedProduct, "statistical.prod.one-zero", "jvp", "accuracy"),
    Catch(names.LeakOfDtype, "elementwise.sin.matrix", "jvp", "dtype"),
    Catch(results.WrongDtype, "elementwise.sin.matrix", "jvp", "dtype"),
    Catch(results.WrongShape, "elementwise.sin.matrix", "vjp", "shape"),
    Catch(results.WrongType, "elementwise.sin.matrix", "vjp", "type"),
    Catch(results.WrongEmpty, "elementwise.sin.empty", "vjp", "exception"),
    Catch(results.NoneForUnused, "program.unused.argument", "vjp", "missing"),
    Catch(results.WrongDevice, "elementwise.sin.matrix", "vjp", "device"),
    Catch(results.MutatedInput, "elementwise.sin.matrix", "vjp", "mutation"),
    Catch(results.SharedMemory, "behaviour.own-memory.results", B, B),
    Catch(results.StaleCache, "elementwise.multiply.same-shape", "vjp", "accuracy"),
    Catch(results.SwallowedException, "behaviour.exception.reverse", B, "exception"),
    Catch(results.StateAfterException, "behaviour.exception.reverse", B, B),
    Catch(results.CalledTwice, "behaviour.one-call.reverse", B, B),
    Catch(results.OneAtATime, "behaviour.claim.threads", B, B),
    Catch(results.FalseClaim, "behaviour.claim.vmap", B, B),
    Catch(results.HiddenAbility, "behaviour.claim.dtypes", B, B),
    Catch(results.LowOrderClaim, "behaviour.claim.max_order", B, B),
    Catch(operations.WrongBatch, "program.model.mlp", "vmap", "accuracy"),
    Catch(operations.BatchLeak, "program.model.mlp", "vmap", "accuracy"),
    Catch(operations.WrongCompilation, "program.model.mlp", "jit", "accuracy"),
    Catch(operations.StaleConstant, "program.model.mlp", "jit", "accuracy"),
    Catch(operations.WrongLinearization, "behaviour.operation.linearize", B, B),
    Catch(operations.SwappedBranches, "behaviour.operation.cond", B, B),
    Catch(operations.OneStepLess, "behaviour.operation.while_loop", B, B),
    Catch(operations.ForgottenCarry, "behaviour.operation.scan", B, B),
    Catch(operations.CutCheckpoint, "behaviour.operation.checkpoint", B, B),
    Catch(operations.IgnoredForwardRule, "behaviour.operation.custom_jvp", B, B),
    Catch(operations.IgnoredReverseRule, "behaviour.operation.custom_vjp", B, B),
    Catch(operations.IgnoredRules, "behaviour.operation.with_rules", B, B),
    Catch(operations.ConstantMatrix, "behaviour.operation.linear_solve", B, B),
    Catch(operations.LeakyStop, "behaviour.operation.stop_gradient", B, B),
    Catch(operations.WrongTaylor, "behaviour.operation.taylor", B, B),
    Catch(operations.RefusedOperation, "behaviour.operation.taylor", B, B),
    Catch(operations.DependenceByValue, "behaviour.operation.dependence", B, B),
    Catch(operations.WrongCallback, "behaviour.operation.host_callback", B, B),
    Catch(operations.WrongStep, "behaviour.operation.optimizer_step", B, B),
)


def zoo() -> frozenset[type[Mutant]]:
    """Return all wrong backends."""
    found = (value for module in (numbers, names, results, operations) for value in vars(module).values())
    wrong = {value for value in found if isinstance(value, type) and issubclass(value, Mutant)}
    return frozenset(wrong - {Mutant, names.OwnNamespace})
