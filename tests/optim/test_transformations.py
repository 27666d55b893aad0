"""Transformations, groups and wrappers: closed forms, and optax where it has the same."""

import numpy as np
import pytest

import unidiff as ud

O = ud.optim  # noqa: E741  # the optimizers are what this file is about


def apply(transformation, updates, params=None, **options):
    params = updates if params is None else params
    return transformation.update(updates, transformation.init(params), params, **options)[0]


@pytest.fixture
def grads(array):
    return {"a": array([3.0, -4.0]), "b": array([[12.0]])}


def test_clipping(grads, check):
    check(apply(O.clip(3.5), grads), {"a": np.asarray([3.0, -3.5]), "b": np.asarray([[3.5]])})
    check(apply(O.clip_by_norm(2.5), grads), {"a": np.asarray([1.5, -2.0]), "b": np.asarray([[2.5]])})
    check(apply(O.clip_by_global_norm(6.5), grads), {"a": np.asarray([1.5, -2.0]), "b": np.asarray([[6.0]])})
    check(apply(O.clip_by_global_norm(13.0), grads), {"a": np.asarray([3.0, -4.0]), "b": np.asarray([[12.0]])})
    zeros = {"a": grads["a"] * 0.0, "b": grads["b"] * 0.0}
    check(apply(O.clip_by_global_norm(1.0), zeros), {"a": np.zeros(2), "b": np.zeros((1, 1))})
    check(apply(O.clip_by_norm(1.0, eps=1.0), grads)["a"], np.asarray([3.0, -4.0]) / 6)


def test_clipping_of_complex_and_mixed_precisions(backend, array):
    z = array([3.0 + 4.0j], "complex128")
    assert complex(ud.to_numpy(apply(O.clip_by_norm(1.0), z))[0]) == pytest.approx(0.6 + 0.8j)
    with pytest.raises(ud.errors.DTypeError, match="complex"):
        apply(O.clip(1.0), z)
    mixed = {"f": array([3.0], "float32"), "d": array([4.0], "float64")}
    clipped = apply(O.clip_by_global_norm(1.0), mixed)
    assert [str(clipped[k].dtype).rpartition(".")[2] for k in "fd"] == ["float32", "float64"]
    np.testing.assert_allclose([float(clipped["f"][0]), float(clipped["d"][0])], [0.6, 0.8], rtol=1e-7)


def test_torch_and_optax_clip_alike():
    torch, optax = pytest.importorskip("torch"), pytest.importorskip("optax")
    rng = np.random.default_rng(0)
    grads = [rng.normal(size=5), rng.normal(size=(2, 3))]
    leaves = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in grads]
    for leaf, g in zip(leaves, grads, strict=True):
        leaf.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_(leaves, 1.0)
    theirs, _ = optax.clip_by_global_norm(1.0).update(grads, optax.EmptyState())
    for leaf, ours, exact, other in zip(
        leaves,
        apply(O.clip_by_global_norm(1.0, eps=1e-6), grads),
        apply(O.clip_by_global_norm(1.0), grads),
        theirs,
        strict=True,
    ):
        np.testing.assert_allclose(ours, leaf.grad.numpy(), rtol=1e-14)
        np.testing.assert_allclose(exact, np.asarray(other), rtol=1e-14)


def test_decay_in_its_forms(grads, check):
    params = {"a": grads["a"] * 0.0 + 2.0, "b": grads["b"] * 0.0 + 4.0}
    check(apply(O.l2(0.5), grads, params), {"a": np.asarray([4.0, -3.0]), "b": np.asarray([[14.0]])})
    decayed = O.chain(O.Adam(0.1), O.weight_decay(0.5, 0.1))
    both = [o.step(params, grads, o.init(params))[0] for o in (decayed, O.AdamW(0.1, weight_decay=0.5))]
    check(both[0], ud.to_numpy(both[1]))
    schedule = O.Exponential(1.0, 0.5)
    paper = O.chain(O.Adam(lambda step: 0.1 * schedule(step)), O.weight_decay(0.5, schedule))
    state, x = paper.init(params), params
    held, y = O.Adam(lambda step: 0.1 * schedule(step)).init(params), params
    for k in range(3):
        x, state = paper.step(x, grads, state)
        step, held = O.Adam(lambda step: 0.1 * schedule(step)).update(grads, held, y)
        y = ud.tree.map(lambda p, u, k=k: p + u - 0.5 * 0.5**k * p, y, step)
    check(x, ud.to_numpy(y))


def test_masks_and_groups(grads, check):
    masked = O.mask(O.scale(2.0), {"a": True, "b": False})
    check(apply(masked, grads), {"a": np.asarray([6.0, -8.0]), "b": np.asarray([[12.0]])})
    by_rule = O.mask(O.scale(2.0), lambda path, leaf: path == "['b']" and leaf.ndim == 2)
    check(apply(by_rule, grads), {"a": np.asarray([3.0, -4.0]), "b": np.asarray([[24.0]])})
    groups = O.partition({"a": "fast", "b": "frozen"}, {"fast": O.SGD(1.0), "frozen": None})
    moved, state = groups.step(grads, grads, groups.init(grads))
    check(moved, {"a": np.zeros(2), "b": np.asarray([[12.0]])})
    assert moved["b"] is not grads["b"]
    assert state == {"fast": {"step": 1}, "frozen": {}}
    check(groups.update(grads, state, grads)[0], {"a": np.asarray([-3.0, 4.0]), "b": np.zeros((1, 1))})
    with pytest.raises(ud.errors.ArgumentError, match="label"):
        O.partition(lambda path, leaf: "other", {"fast": O.SGD(1.0)}).init(grads)
    with pytest.raises(ud.errors.TreeError, match="labels"):
        O.partition({"a": "fast"}, {"fast": O.SGD(1.0)}).init(grads)
    with pytest.raises(ud.errors.ArgumentError, match="state"):
        groups.step(grads, grads, {})


def test_accumulation_is_one_step_of_the_mean(array, check):
    gradients = [array([float(k), 1.0]) for k in range(6)]
    optimizer = O.accumulate(O.Adam(0.1), 3)
    x = array([1.0, 2.0])
    state, plain, held = optimizer.init(x), x, O.Adam(0.1).init(x)
    for k, g in enumerate(gradients):
        x, state = optimizer.step(x, g, state)
        if k % 3 == 2:
            plain, held = O.Adam(0.1).step(plain, sum(gradients[k - 1 : k + 1], gradients[k - 2]) * (1 / 3), held)
        check(x, ud.to_numpy(plain))
    summed = O.accumulate(O.SGD(1.0), 2, mean=False)
    x, state = array([0.0]), summed.init(array([0.0]))
    for _ in range(2):
        x, state = summed.step(x, array([1.0]), state)
    check(x, np.asarray([-2.0]))


def test_averages_and_lookahead_by_their_recurrences(array, check):
    optimizer = O.average(O.lookahead(O.SGD(0.1), every=2, share=0.25), 0.8)
    plain = O.average(O.SGD(0.1), 0.8, bias_correction=False)
    x = array([1.0, -3.0])
    state, fast, slow, mean = optimizer.init(x), np.asarray([1.0, -3.0]), np.asarray([1.0, -3.0]), np.zeros(2)
    with pytest.raises(ud.errors.ArgumentError, match="before the first step"):
        optimizer.parameters(state)
    check(plain.parameters(plain.init(x)), np.asarray([1.0, -3.0]))
    for k in range(1, 6):
        x, state = optimizer.step(x, x * 2.0, state)
        fast = fast - 0.1 * (fast * 2.0)
        if k % 2 == 0:
            slow = slow + 0.25 * (fast - slow)
            fast = slow
        mean = 0.8 * mean + 0.2 * fast
        check(x, fast)
        check(optimizer.parameters(state), mean / (1 - 0.8**k))
        check(state["inner"]["slow"], slow)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda o: O.accumulate(o, 2),
        lambda o: O.average(o, 0.9),
        lambda o: O.lookahead(o, 2),
        lambda o: O.reduce_on_plateau(o, 0.5, 0),
    ],
    ids=["accumulate", "average", "lookahead", "plateau"],
)
def test_updates_of_wrappers_are_their_steps(wrap, array, check):
    optimizer, x = wrap(O.Adam(0.1)), array([1.0, 2.0])
    y, s, t = x, optimizer.init(x), optimizer.init(x)
    for k in range(4):
        u, t = optimizer.update(y * 2.0, t, y, value=float(k))
        x, s = optimizer.step(x, x * 2.0, s, value=float(k), donate=False)
        y = y + u
        check(y, ud.to_numpy(x))


def test_plateau_needs_a_value_and_takes_arrays(array):
    optimizer = O.reduce_on_plateau(O.SGD(1.0), 0.5, 0)
    x = array([0.0])
    state = optimizer.init(x)
    with pytest.raises(ud.errors.ArgumentError, match="value="):
        optimizer.step(x, x, state)
    for value in (1.0, float("nan"), 0.5):
        _, state = optimizer.step(x, x, state, value=array([value])[0])
    assert state["scale"] == 0.5
    assert state["best"] == 0.5


def test_schedules_count_steps_from_zero_and_work_on_arrays(array):
    schedules = [
        O.Step(0.1, 3),
        O.PiecewiseConstant(0.1, [(4, 0.5)]),
        O.Exponential(0.1, 0.9, end=0.07),
        O.Polynomial(0.1, 0.01, 5, 2.0, 1),
        O.Exponential(0.1, 0.5, 3, staircase=True),
        O.Cosine(0.1, 5),
        O.Cosine(0.1, 5, hold=False, exponent=0.5),
        O.OneCycle(0.1, 8),
        O.CosineRestarts(0.1, 2, 2),
        O.CosineRestarts(0.1, 3),
        O.warmup(O.Cosine(0.1, 4), 3),
        O.join([0.1, 0.2], [3]),
    ]
    for schedule in schedules:
        assert hash(schedule) == hash(schedule)
        for step in range(9):
            on_array = ud.asarray(step, backend=ud.get_backend(array([0.0])).name)
            assert float(schedule(on_array)) == pytest.approx(schedule(step), rel=1e-12, abs=1e-16)
    rates = []
    optimizer = O.SGD(lambda step: rates.append(step) or 0.1)
    x = array([1.0])
    state = optimizer.init(x)
    for _ in range(3):
        x, state = optimizer.step(x, x, state)
    assert rates == [0, 1, 2]


def test_a_schedule_and_a_scale_multiply(array, check):
    optimizer = O.chain(O.clip(10.0), O.SGD(O.Step(1.0, 1, 0.5)))
    x = array([8.0])
    state = optimizer.init(x)
    for expected in (8 - 8 * 0.5, 4 - 4 * 0.25):
        x, state = optimizer.step(x, x * 1.0, state, scale=0.5)
        check(x, np.asarray([expected]))
