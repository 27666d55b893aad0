"""The benchmark programs, by name."""

from benchmarks.program import Program
from benchmarks.programs import (
    bundle_adjustment,
    elementwise,
    gmm,
    logistic,
    lstm,
    mlp,
    recurrent,
    rosenbrock,
    runge_kutta,
    slices,
    vector_functions,
)

_MODULES = (
    elementwise,
    rosenbrock,
    mlp,
    recurrent,
    logistic,
    runge_kutta,
    slices,
    gmm,
    bundle_adjustment,
    lstm,
    vector_functions,
)


def all_programs(*, small: bool = False) -> dict[str, Program]:
    """Return every program by name; ``small`` shrinks the inputs so that each derivative takes milliseconds on any peer."""
    return {program.name: program for module in _MODULES for program in module.programs(small=small)}
