"""The arguments of the presets against those of torch and optax: all are there with their defaults, or a table says why not."""

import inspect

import pytest

import unidiff as ud

P = ud.optim.presets

HANDED_OVER = {"params": "init and step take the parameters"}
KERNELS = dict.fromkeys(
    ("foreach", "fused", "capturable", "differentiable"), "unidiff chooses the kernel, and all differentiate"
)
MOMENTA = dict.fromkeys(("cycle_momentum", "base_momentum", "max_momentum"), "a schedule is for the learning rate alone")
COUNTED = {"optimizer": "a schedule is a function of the step", "last_epoch": "the state of the optimizer counts"}
MEMORY = dict.fromkeys(("mu_dtype", "accumulator_dtype", "dtype_momentum"), "memory is of the dtype of the parameters")
MASKS = dict.fromkeys(("mask", "weight_decay_mask"), "unidiff.optim.mask")
SHAPES = {"muon_weight_dimension_numbers": "only matrices go to Muon"}
OURS = {"lr": "the learning rate of the optimizer, which a schedule of PyTorch finds there"}
ABSENT = {"torch": HANDED_OVER | KERNELS, "schedules": COUNTED | MOMENTA, "optax": MEMORY | MASKS | SHAPES}
"""The arguments that presets do not have, and why."""
NO_PRESETS = {
    "LBFGS": "unidiff.minimize(method='l-bfgs')",
    "SparseAdam": "the standard has no sparse arrays",
    "Optimizer": "the base of all",
}
NO_SCHEDULES = {
    "LRScheduler": "the base of all",
    "LambdaLR": "any function of the step is a schedule",
    "MultiplicativeLR": "any function of the step is a schedule",
    "SequentialLR": "unidiff.optim.join",
    "ChainedScheduler": "any function of the step is a schedule",
    "CyclicLR": "any function of the step is a schedule",
    "ReduceLROnPlateau": "unidiff.optim.reduce_on_plateau",
}


def compare(ours, theirs, absent, added=frozenset()):
    """All arguments are there in their order and with their defaults, but those of which a table says why they are not."""
    found, want = (inspect.signature(f).parameters for f in (ours, theirs))
    assert set(want) - set(found) <= set(absent), set(want) - set(found)
    assert set(found) - set(want) <= set(added)
    for name in set(found) & set(want):
        assert found[name].default == want[name].default, name
    order = [name for name, p in found.items() if p.kind is p.POSITIONAL_OR_KEYWORD and name in want]
    assert order == [name for name in want if name in order]
    # what stands behind an argument that is not there can only be given by name, or stands there, too
    assert not set(absent) & set(found)


def torch_presets():
    return [name for name in P.torch.__all__ if not name.endswith(("LR", "Restarts", "_state"))]


EXCHANGE = {"from_state", "to_state"}


@pytest.mark.parametrize("name", sorted(set(P.torch.__all__) - EXCHANGE))
def test_arguments_of_torch(name):
    torch = pytest.importorskip("torch")
    if name in torch_presets():
        compare(getattr(P.torch, name), getattr(torch.optim, name), ABSENT["torch"])
    else:
        compare(getattr(P.torch, name), getattr(torch.optim.lr_scheduler, name), ABSENT["schedules"], OURS)


@pytest.mark.parametrize("name", sorted(set(P.optax.__all__) - EXCHANGE))
def test_arguments_of_optax(name):
    optax = pytest.importorskip("optax")
    compare(getattr(P.optax, name), getattr(optax, name, None) or getattr(optax.contrib, name), ABSENT["optax"])


def test_optimizers_of_torch_are_all_there():
    torch = pytest.importorskip("torch")
    theirs = {name for name, x in vars(torch.optim).items() if inspect.isclass(x)}
    assert theirs == set(torch_presets()) | set(NO_PRESETS)
    assert set(torch.optim.lr_scheduler.__all__) == set(P.torch.__all__) - EXCHANGE - set(torch_presets()) | set(NO_SCHEDULES)


def test_the_tables_of_what_is_absent_hold_nothing_else():
    torch, optax = pytest.importorskip("torch"), pytest.importorskip("optax")
    schedulers = torch.optim.lr_scheduler
    theirs = {
        "torch": [getattr(torch.optim, name) for name in torch_presets()],
        "schedules": [getattr(schedulers, name) for name in P.torch.__all__ if hasattr(schedulers, name)],
        "optax": [getattr(optax, name, None) or getattr(optax.contrib, name) for name in set(P.optax.__all__) - EXCHANGE],
    }
    for library, functions in theirs.items():
        assert set(ABSENT[library]) <= {name for f in functions for name in inspect.signature(f).parameters}
