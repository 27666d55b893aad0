"""The state of an optimizer is a plain tree: written to a file and read again, it goes on along the same path, to the bit."""

import json
import pickle

import numpy as np
import pytest

import unidiff as ud

O = ud.optim  # noqa: E741  # the optimizers are what this file is about
OPTIMIZERS = [
    O.SGD(O.Cosine(0.1, 20), 0.9, nesterov=True),
    O.Adam(0.1),
    O.AdamW(O.warmup(O.Constant(0.1), 3)),
    O.AMSGrad(0.1),
    O.Adamax(0.1),
    O.NAdam(0.1),
    O.RAdam(0.1),
    O.RMSprop(0.1, momentum=0.9, centered=True),
    O.Adagrad(0.1),
    O.Adadelta(),
    O.Rprop(),
    O.Lion(0.01),
    O.ASGD(0.1, begin=2),
    O.Adafactor(),
    O.chain(O.clip_by_global_norm(1.0), O.trace(0.9), O.Adam(0.1), O.weight_decay(0.1, 0.1)),
    O.accumulate(O.Adam(0.1), 3),
    O.lookahead(O.average(O.Adam(0.1), 0.9), 4),
    O.reduce_on_plateau(O.SGD(0.1), 0.5, 0),
    O.partition({"w": 1, "b": 2}, {1: O.Muon(0.1), 2: O.Adam(0.1)}),
    O.chain(O.mask(O.trace(0.9), {"w": True, "b": False}), O.SGD(0.1)),
]


def label(optimizer):
    return type(optimizer).__name__


def start(backend):
    rng = np.random.default_rng(0)
    return {name: ud.asarray(rng.standard_normal(shape), backend=backend) for name, shape in (("w", (3, 2)), ("b", (2,)))}


def go_on(optimizer, params, state, steps):
    for _ in range(steps):
        grads = ud.tree.map(lambda p: p * 2.0, params)
        params, state = optimizer.step(params, grads, state, value=float(ud.to_numpy(params["b"])[0] ** 2))
    return params, state


def plain(state):
    """Return the state as lists and numbers: the structure that JSON has, with the bits of the numbers."""
    return ud.tree.map(lambda x: [str(ud.to_numpy(x).dtype), ud.to_numpy(x).tolist()] if hasattr(x, "dtype") else x, state)


def assert_equal(found, want):
    for x, y in zip(ud.tree.leaves(found), ud.tree.leaves(want), strict=True):
        assert type(x) is type(y)
        np.testing.assert_array_equal(ud.to_numpy(x), ud.to_numpy(y))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=label)
def test_a_state_that_was_pickled_goes_on_to_the_bit(optimizer, backend, tmp_path):
    if backend == "jax" and not isinstance(optimizer, O.Adam):
        pytest.skip("the states are made of the same parts")
    params = start(backend)
    params, state = go_on(optimizer, params, optimizer.init(params), 4)
    path = tmp_path / "checkpoint"
    path.write_bytes(pickle.dumps((optimizer, *([ud.to_numpy(p), ud.to_numpy(s)] for p, s in [(params, state)]))))
    again, (p, s) = pickle.loads(path.read_bytes())
    assert again == optimizer
    to = lambda tree: ud.tree.map(lambda x: ud.asarray(x, backend=backend) if isinstance(x, np.ndarray) else x, tree)
    assert_equal(go_on(again, to(p), to(s), 4), go_on(optimizer, params, state, 4))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=label)
def test_the_structure_of_a_state_is_that_of_json(optimizer):
    params = start("numpy")
    params, state = go_on(optimizer, params, optimizer.init(params), 4)

    def is_plain(tree):
        if isinstance(tree, dict):
            return all(isinstance(key, (str, int)) and is_plain(value) for key, value in tree.items())
        if isinstance(tree, (list, tuple)):
            return all(map(is_plain, tree))
        return tree is None or isinstance(tree, (int, float, np.ndarray))

    assert is_plain(state)
    text = json.dumps(plain(state))  # floats are written with all their digits
    leaves, spec = ud.tree.flatten(state)
    values = iter(json.loads(json.dumps([plain(x) for x in leaves])))
    restored = [np.asarray(v[1], dtype=v[0]) if isinstance(v, list) else v for v in values]
    assert json.loads(text) is not None
    assert_equal(go_on(optimizer, params, ud.tree.unflatten(spec, restored), 4), go_on(optimizer, params, state, 4))
