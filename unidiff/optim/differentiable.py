"""Solutions as differentiable functions of the arrays of a problem, by the conditions they satisfy."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError, TracedConversionError, UnknownBackendError
from unidiff.optim.leaves import constant
from unidiff.optim.problem import Problem
from unidiff.optim.result import Result
from unidiff.optim.vector import NO_VALUES

__all__ = ["Conditions", "implicit", "refuse_traced"]


class Conditions(Protocol):
    """Equations that a solution satisfies, in it and, where there are constraints, in multipliers."""

    @property
    def unknowns(self) -> Tree:
        """The solution, and whatever else the equations are solved for."""

    def solution(self, unknowns: Tree) -> Tree:
        """Return the solution among the unknowns."""

    def value(self, problem: Problem, x: Tree) -> Any:
        """Return the ``fun`` of the result."""

    def gradient(self, problem: Problem, x: Tree) -> Tree:
        """Return the ``jac`` of the result, None where it is not the gradient of an objective."""

    def residual(self, problem: Problem, unknowns: Tree) -> Tree:
        """Return what is zero, with as many real elements as the unknowns."""

    def sharpened(self, problem: Problem) -> "Conditions":
        """Return the conditions with derivatives at their root, where the solver may have stopped short of it."""


def implicit(
    solve: Callable[[Tree, Problem], Result],
    conditions: Callable[[Problem, Result], Conditions],
    x0: Tree,
    problem: Problem,
) -> Result:
    """Run a solver; ``x``, ``fun``, ``jac`` and ``aux`` of its result are differentiable by the arrays of the problem.

    On a backend that gives functions no rules of their own the solver just runs, and refuses to read what is traced.
    """
    if not all("with_rules" in ud.get_backend(leaf).native for leaf in ud.tree.leaves(x0)):
        return solve(x0, problem)
    found: list[tuple[Result, Conditions]] = []

    def residual(unknowns: Tree, parameters: Tree) -> Tree:
        return found[-1][1].residual(problem.at(parameters), unknowns)

    @ud.custom_root(residual)
    def root(start: Tree, parameters: Tree) -> Tree:
        given = problem.at(parameters)
        result = solve(start, given)
        refuse_traced((result.x, result.fun))
        satisfied = conditions(given, result)
        found.append((result, satisfied.sharpened(given) if wanted else satisfied))
        return found[-1][1].unknowns

    if any(ud.get_backend(leaf).hides_transforms() for leaf in ud.tree.leaves(x0)):
        _refuse_closures(problem, x0)
    try:
        wanted = (bool(problem.constraints) or problem.bounds is not None) and _traced(_arrays(problem.parameters()))
        unknowns = root(x0, problem.parameters())
    except Exception as error:
        _explain(error, problem, x0)
        raise
    result, satisfied = found[-1]
    x = satisfied.solution(unknowns)
    value = satisfied.value(problem, x)
    traced = _traced((x, value))
    if traced or _has_functions(problem):
        _refuse_closures(problem, x)
    if traced:
        slope = satisfied.gradient(problem, x)
        aux = problem.fun(x, *problem.args)[1] if problem.has_aux else None
        result = replace(result, jac=result.jac if slope is None else slope, aux=aux)
    return replace(result, x=x, fun=value if _same_kind(value, result.fun) else result.fun)


def _same_kind(value: Tree, other: Tree) -> bool:
    """Tell whether all leaves are arrays, which numbers of a function that returns constants are not."""
    return all(hasattr(a, "dtype") for a in ud.tree.leaves(value)) and all(hasattr(a, "dtype") for a in ud.tree.leaves(other))


def _has_functions(problem: Problem) -> bool:
    return problem.projection is not None or problem.prox is not None or bool(problem.constraints)


def _traced(tree: Tree) -> bool:
    """Tell whether a derivative is being taken through a leaf."""
    return any(_differentiated(leaf) for leaf in ud.tree.leaves(tree) if hasattr(leaf, "dtype"))


def _arrays(parameters: Tree) -> list[Array]:
    """Return the leaves that have derivatives; any objects may be among the arguments."""
    found = []
    for leaf in ud.tree.leaves(parameters):
        try:
            if hasattr(leaf, "dtype") and ud.get_backend(leaf).is_differentiable(leaf):
                found.append(leaf)
        except UnknownBackendError:
            continue
    return found


def _differentiated(x: Array) -> bool:
    if 0 in x.shape:
        return False
    entry = ud.array_namespace(x).reshape(x, (-1,))[:1] if x.shape else x  # so that little is moved to the host
    try:
        ud.to_numpy(entry)
    except TracedConversionError:
        try:
            ud.to_numpy(constant(ud.get_backend(entry), entry))
        except TracedConversionError as error:  # what is batched or compiled has no value in this either
            raise TracedConversionError(NO_VALUES) from error
        return True
    return False


def refuse_traced(values: Tree) -> None:
    """Raise where a derivative is being taken of what functions of plain arrays returned."""
    if _traced(values):
        raise ArgumentError(
            "A function of the problem closes over a value that a derivative is taken by, which the solution would not see: "
            "pass it with args=, bind it with functools.partial, or ask for differentiate='unrolled'."
        )


def _explain(error: Exception, problem: Problem, x0: Tree) -> None:
    """Raise what a function closes over where that may be the cause of an error, as it is on JAX."""
    if isinstance(error, ArgumentError):
        return
    try:
        _refuse_closures(problem, x0)
    except ArgumentError as explanation:
        raise explanation from error
    except Exception:  # noqa: BLE001  # of the function: the first one is raised
        return


def _refuse_closures(problem: Problem, x: Tree) -> None:
    """Raise where the functions return traced values though all their arguments are plain."""
    plain = problem.at(ud.stop_gradient(problem.parameters()))
    x = ud.stop_gradient(x)
    values: list[Any] = [plain.value(x)]
    if plain.projection is not None:
        values.append(plain.projection(x))
    if plain.prox is not None:
        values.append(plain.prox(x, 1.0))
    values += [c.fun(x, *c.args) for c in plain.constraints]
    refuse_traced(values)
