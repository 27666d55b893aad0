"""The interface: records, states, errors, closed forms, and results that are known."""

import dataclasses
import json
import math
from fractions import Fraction

import numpy as np
import pytest

import unidiff as ud

O = ud.optim  # noqa: E741  # the optimizers are what this file is about
METHODS = [
    getattr(O, name)
    for name in (
        "ASGD",
        "Adam",
        "AdamW",
        "AMSGrad",
        "Adamax",
        "NAdam",
        "RAdam",
        "RMSprop",
        "Adagrad",
        "Adadelta",
        "Rprop",
        "Lion",
        "Adafactor",
    )
]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
def test_optimizers_are_frozen_printable_hashable_records(method):
    a, b, c = method(learning_rate=0.1), method(learning_rate=0.1), method(learning_rate=0.2)
    assert a == b
    assert hash(a) == hash(b)
    assert a != c
    assert repr(a).startswith(f"{method.__name__}(learning_rate=0.1")
    with pytest.raises(AttributeError):
        a.learning_rate = 1.0
    assert hash(O.chain(O.clip(1.0), a)) == hash(O.chain(O.clip(1.0), b))


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
def test_descends(method, backend):
    rates = {"Adadelta": 50.0, "Adagrad": 0.5}
    x = {"w": ud.asarray([[1.0, -2.0], [0.5, 3.0]], backend=backend)}
    optimizer = method(learning_rate=rates.get(method.__name__, 0.05))
    state, start = optimizer.init(x), float(ud.array_namespace(x["w"]).sum(x["w"] ** 2))
    for _ in range(25):
        x, state = optimizer.step(x, {"w": x["w"] * 2.0}, state)
    assert float(ud.array_namespace(x["w"]).sum(x["w"] ** 2)) < 0.8 * start


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: O.Adam(-1.0), "learning_rate of Adam must be a number that is not negative or a schedule, but it is -1.0"),
        (lambda: O.Adam(math.nan), "learning_rate"),
        (lambda: O.Adam("fast"), "learning_rate"),
        (lambda: O.Adam(0.1, b1=1.0), "b1 of Adam must be a number in \\[0, 1\\)"),
        (lambda: O.Adam(0.1, eps=-1.0), "eps of Adam"),
        (lambda: O.SGD(0.1, nesterov=True), "nesterov"),
        (lambda: O.SGD(0.1, accumulate="both"), "accumulate"),
        (lambda: O.Rprop(0.1, grow=0.5), "grow"),
        (lambda: O.Muon(0.1, output_axis=2), "output_axis"),
        (lambda: O.clip(0.0), "limit"),
        (lambda: O.chain(), "chain"),
        (lambda: O.chain(lambda g: g), "chain"),
        (lambda: O.accumulate(O.SGD(0.1), 0), "every"),
        (lambda: O.lookahead(O.clip(1.0)), "inner"),
        (lambda: O.average(O.SGD(0.1), 1.0), "decay"),
        (lambda: O.reduce_on_plateau(O.SGD(0.1), 2.0), "factor"),
        (lambda: O.join([0.1, 0.2], []), "boundary"),
        (lambda: O.Step(0.1, 0), "every"),
        (lambda: O.Step(0.1, "3"), "every of Step must be a finite number"),
        (lambda: O.Step(0.1, 1.5), "every of Step must be a whole number"),
        (lambda: O.Step(math.nan, 3), "initial"),
        (lambda: O.Constant("a"), "value"),
        (lambda: O.Constant(math.inf), "value"),
        (lambda: O.PiecewiseConstant(0.1, 3), "pairs"),
        (lambda: O.PiecewiseConstant(0.1, {"a": 0.5}), "pairs"),
        (lambda: O.PiecewiseConstant(0.1, {3.7: 0.5}), "whole number"),
        (lambda: O.Exponential(0.1, 0.5, end=math.nan), "end"),
        (lambda: O.Exponential(0.1, 0.0), "rate"),
        (lambda: O.Polynomial(0.1, 0.0, math.nan), "steps"),
        (lambda: O.Cosine(math.nan, 5), "initial"),
        (lambda: O.Cosine(0.1, "5"), "steps"),
        (lambda: O.CosineRestarts(0.1, 5, math.nan), "factor"),
        (lambda: O.OneCycle(math.nan, 40), "points"),
        (lambda: O.Interpolated([(0, math.nan)]), "points"),
        (lambda: O.Interpolated([0, 1]), "points"),
        (lambda: O.warmup("a", 3), "end"),
        (lambda: O.warmup(0.1, -1), "steps"),
        (lambda: O.join(["a", "b"], [3]), "value"),
        (lambda: O.clip("a"), "limit"),
        (lambda: O.clip_by_norm(1.0, eps=math.nan), "eps"),
        (lambda: O.l2("a"), "coefficient"),
        (lambda: O.scale(math.nan), "factor"),
        (lambda: O.weight_decay(math.nan), "factor"),
        (lambda: O.presets.torch.Adam(betas=(0.9,)), "betas"),
        (lambda: O.SGD(lambda step: None).step(1.0, 1.0, O.SGD(0.1).init(1.0)), "at step 0 is None"),
        (lambda: O.Interpolated([(3, 0.1), (1, 0.2)]), "points"),
        (lambda: O.OneCycle(0.1, 0), "cycle"),
        (lambda: O.partition({}, {1: O.SGD(0.1), "1": O.SGD(0.2)}), "labels"),
        (lambda: O.mask("l2", {}), "mask"),
        (lambda: O.presets.torch.Muon(adjust_lr_fn="best"), "adjust_lr_fn"),
        (lambda: O.Muon(0.1, coefficients=(3.0, -4.0)), "coefficients of Muon must be three numbers, or three for each"),
        (lambda: O.Muon(0.1, coefficients=((3.0, -4.0, 2.0), (3.0, "a", 2.0))), "coefficients"),
        (lambda: O.Muon(0.1, coefficients=()), "coefficients"),
        (lambda: O.Muon(0.1, normalization="nuclear"), "normalization"),
        (lambda: O.Adafactor(0.1, decay_offset=-1), "decay_offset"),
        (lambda: O.maximize(O.clip(1.0)), "maximize turns an optimizer around"),
        (lambda: O.presets.optax.muon(0.1, "dino"), "did you mean 'dion'"),
        (lambda: O.presets.optax.muon(0.1, "dion", ns_steps=3), "5 iterations"),
        (lambda: O.presets.torch.Rprop(etas=(0.5,)), "etas must be a pair"),
        (lambda: O.presets.torch.OneCycleLR(0.1), "total_steps"),
        (lambda: O.presets.torch.OneCycleLR(0.1, 10, anneal_strategy="step"), "anneal_strategy"),
        (lambda: O.presets.torch.ConstantLR(0.1, factor=0.0), "factor"),
        (lambda: O.presets.torch.AdamW(0.1, weight_decay=lambda step: 0.1), "weight_decay of AdamW must be a number"),
    ],
)
def test_bad_hyperparameters_are_refused(make, words):
    with pytest.raises(ud.errors.ArgumentError, match=words):
        make()


RECORDS = [
    *(method(0.1) for method in (O.SGD, *METHODS, O.Muon)),
    *(wrap(O.SGD(0.1)) for wrap in (O.lookahead, O.reduce_on_plateau)),
    *(O.accumulate(O.SGD(0.1), 2), O.average(O.SGD(0.1), 0.9), O.trace(0.9), O.l2(0.1)),
    *(O.clip(1.0), O.clip_by_norm(1.0), O.clip_by_global_norm(1.0)),
    *(O.Constant(0.1), O.Step(0.1, 3), O.Exponential(0.1, 0.9), O.Polynomial(0.1, 0.0, 3), O.Cosine(0.1, 4)),
    *(O.CosineRestarts(0.1, 4), O.Interpolated([(0, 1.0)]), O.PiecewiseConstant(0.1, {1: 0.5})),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_hyperparameter_is_checked(record):
    names = [f.name for f in dataclasses.fields(record) if not isinstance(getattr(record, f.name), bool)]
    assert names
    for name in names:
        for bad in ("a", math.nan, [None], object()):
            with pytest.raises(ud.errors.ArgumentError, match=name):
                dataclasses.replace(record, **{name: bad})


def test_misfits_are_typed_errors_that_name_the_leaf(backend):
    optimizer = O.Adam(0.1)
    x = ud.asarray(np.asarray([1.0, 2.0]), backend=backend)
    params = {"a": x, "b": [x * 1, x * 2]}
    state = optimizer.init(params)
    xp = ud.array_namespace(x)
    cases = [
        ({"a": x}, ud.errors.TreeError, r"params\['b'\]\[0\]"),
        ({"a": x, "b": [x, None]}, ud.errors.TreeError, r"params\['b'\]\[1\] has no grads"),
        (params | {"c": x}, ud.errors.TreeError, r"grads\['c'\]"),
        (None, ud.errors.TreeError, "structure"),
        (
            {"a": x, "b": [x, xp.zeros((2, 1), dtype=x.dtype)]},
            ud.errors.ShapeError,
            r"grads\['b'\]\[1\] has the shape \(2, 1\)",
        ),
        ({"a": x, "b": [xp.astype(x, xp.float32), x]}, ud.errors.DTypeError, r"grads\['b'\]\[0\] has the dtype .*float32"),
        ({"a": x, "b": [x, "g"]}, ud.errors.NotAnArrayError, r"grads\['b'\]\[1\]"),
        ({"a": x, "b": [x, 3]}, ud.errors.DTypeError, r"grads\['b'\]\[1\] is the int 3"),
    ]
    for grads, error, words in cases:
        with pytest.raises(error, match=words):
            optimizer.step(params, grads, state)
        with pytest.raises(error):
            optimizer.update(grads, state, params)
    with pytest.raises(ud.errors.DTypeError, match=r"params\['n'\] has the dtype .*int"):
        optimizer.init({"n": xp.asarray([1, 2])})
    with pytest.raises(ud.errors.ArgumentError, match="keys"):
        optimizer.step(params, params, O.SGD(0.1).init(params))
    with pytest.raises(ud.errors.TreeError, match="state 'm'"):
        optimizer.step(params, params, optimizer.init(x))
    with pytest.raises(ud.errors.ShapeError, match="Muon is for matrices"):
        O.Muon(0.1).init(params)


@pytest.mark.skipif("torch" not in ud.backends(), reason="torch is not installed")
def test_mixed_devices_are_refused():
    torch = pytest.importorskip("torch")
    here, there = torch.ones(2), torch.ones(2, device="meta")
    for optimizer in (O.SGD(0.1), O.Adam(0.1)):
        with pytest.raises(ud.errors.MixedDevicesError, match=r"grads\['w'\] is on meta"):
            optimizer.step({"w": here}, {"w": there}, optimizer.init({"w": here}))
    with pytest.raises(ud.errors.MixedDevicesError, match="meta"):
        ud.minimize(lambda p: (p["a"] ** 2).sum(), {"a": here, "b": there})


@pytest.mark.skipif("torch" not in ud.backends(), reason="torch is not installed")
def test_mixed_libraries_are_refused():
    x = np.ones(2)
    with pytest.raises(ud.errors.MixedBackendsError, match=r"grads\['w'\] is one of 'torch'"):
        O.SGD(0.1).step({"w": x}, {"w": ud.to_backend(x, "torch")}, O.SGD(0.1).init({"w": x}))


def test_complex_parameters(backend, array):
    z = array([1.0 + 2.0j, -0.5j], "complex128")
    for optimizer in (O.Rprop(), O.Adafactor()):
        with pytest.raises(ud.errors.DTypeError, match="complex"):
            optimizer.init(z)
    # With the modulus in the second moment, a method does not depend on the phase of the coordinates.
    phase = np.exp(0.7j)
    for optimizer in (O.SGD(0.1, 0.9), O.Adam(0.1), O.RMSprop(0.1), O.Adagrad(0.1), O.Adadelta(), O.Adamax(0.1), O.Lion(0.1)):
        plain, turned = z, z * complex(phase)
        s, t = optimizer.init(plain), optimizer.init(turned)
        for k in range(3):
            g = plain * (2.0 + k)
            plain, s = optimizer.step(plain, g, s)
            turned, t = optimizer.step(turned, g * complex(phase), t)
        np.testing.assert_allclose(ud.to_numpy(turned), ud.to_numpy(plain) * phase, rtol=1e-13)
        assert all(str(x.dtype).rpartition(".")[2] == "float64" for name, x in s.items() if name in {"v", "u", "sum"})


def test_no_leaves_numbers_none_and_empty(backend):
    optimizer = O.Adam(0.1)
    assert optimizer.step({}, {}, optimizer.init({})) == ({}, {"step": 1, "m": {}, "v": {}})
    x = ud.asarray(np.zeros((0, 2)), backend=backend)
    params = {"a": None, "b": x, "c": ud.asarray(2.0, backend=backend)}
    moved, _ = optimizer.step(params, params, optimizer.init(params))
    assert moved["a"] is None
    assert tuple(moved["b"].shape) == (0, 2)
    assert moved["c"].shape == ()
    assert float(moved["c"]) == pytest.approx(1.9)
    number, _ = O.SGD(0.5).step(1.0, 1.0, O.SGD(0.5).init(1.0))
    assert isinstance(number, np.ndarray)
    assert number == 0.5


def test_the_state_survives_a_file():
    optimizer = O.chain(O.clip_by_global_norm(1.0), O.accumulate(O.NAdam(0.1), 2))
    params = {"w": np.ones((2, 2)), "b": [np.ones(3)]}
    state = optimizer.init(params)
    for _ in range(3):
        params, state = optimizer.step(params, params, state)
    leaves, spec = ud.tree.flatten(state)
    text = json.dumps([x.tolist() if isinstance(x, np.ndarray) else x for x in leaves])
    restored = ud.tree.unflatten(spec, [np.asarray(x) if isinstance(x, list) else x for x in json.loads(text)])
    as_arrays = ud.tree.unflatten(spec, [np.asarray(x) for x in leaves])
    expected = optimizer.step(params, params, state)
    for other in (restored, as_arrays):
        for x, y in zip(ud.tree.leaves(optimizer.step(params, params, other)), ud.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-15)


def test_momentum_in_both_conventions_as_exact_fractions():
    """The recurrences in rational numbers, with a learning rate that changes: where the conventions part."""
    rates, mu, grads = [Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)], Fraction(1, 2), [3, -1, 2]
    expected = {}
    for convention in ("gradients", "steps"):
        x, v = Fraction(1), Fraction(0)
        for rate, g in zip(rates, grads, strict=True):
            v = mu * v + (g if convention == "gradients" else -rate * g)
            x += -rate * v if convention == "gradients" else v
        expected[convention] = float(x)
    assert expected["gradients"] != expected["steps"]
    for convention, value in expected.items():
        optimizer = O.SGD(lambda step: float(rates[step]), 0.5, accumulate=convention)
        x = np.asarray(1.0)
        state = optimizer.init(x)
        for g in grads:
            x, state = optimizer.step(x, np.asarray(float(g)), state)
        assert float(x) == value
    chained = O.chain(O.scale(lambda step: -float(rates[step])), O.trace(0.5))
    x, state = np.asarray(1.0), chained.init(np.asarray(1.0))
    for g in grads:
        x, state = chained.step(x, np.asarray(float(g)), state)
    assert float(x) == expected["steps"]


def test_heavy_ball_cycles_where_it_is_known_to():
    """Lessard, Recht and Packard 2016, equation (4.11): a strongly convex function on which momentum does not converge."""

    def gradient(x):
        return np.where(x < 1, 25 * x, np.where(x < 2, x + 24, 25 * x - 24))

    x, optimizer = np.asarray(3.3), O.SGD(1 / 9, 4 / 9)
    state, seen = optimizer.init(x), []
    for _ in range(300):
        x, state = optimizer.step(x, gradient(x), state)
        seen.append(float(x))
    assert sorted(seen[-3:]) == pytest.approx([-2208 / 1225, 792 / 1225, 2592 / 1225], abs=1e-6)
    x, optimizer = np.asarray(3.3), O.SGD(1 / 25, 2 / 3, nesterov=True)
    state = optimizer.init(x)
    for _ in range(300):
        x, state = optimizer.step(x, gradient(x), state)
    assert abs(float(x)) < 1e-6


def test_adam_goes_wrong_and_amsgrad_does_not_where_it_is_known():
    """Reddi et al. 2018, section 3: the optimum is -1, and Adam is driven to +1."""
    ends = {}
    for method in (O.Adam, O.AMSGrad):
        optimizer = method(lambda step: 0.5 / math.sqrt(step + 1), b1=0.0, b2=0.99)
        x = np.asarray(0.0)
        state = optimizer.init(x)
        for t in range(1, 3001):
            x, state = optimizer.step(x, np.asarray(1010.0 if t % 101 == 1 else -10.0), state)
            x = np.clip(x, -1.0, 1.0)
        ends[method.__name__] = float(x)
    assert ends["Adam"] > 0.8
    assert ends["AMSGrad"] < -0.2


def test_a_scale_of_the_learning_rate_leaves_what_comes_before_the_optimizer_alone():
    x, g = np.asarray([1.0, -2.0]), np.asarray([3.0, 0.5])
    decay = O.weight_decay(0.5, learning_rate=0.1)
    decayed = O.chain(O.SGD(0.1), decay)
    cases = [
        (decayed, 1.0),
        (O.chain(O.scale(2.0), decayed), 2.0),
        (O.chain(O.chain(O.scale(2.0)), decayed), 2.0),
        (O.chain(O.mask(O.scale(2.0), True), decayed), 2.0),
        (O.chain(O.scale(2.0), O.SGD(0.1), O.mask(decay, True)), 2.0),
        (O.chain(O.scale(2.0), O.partition("one", {"one": O.SGD(0.1), "none": None}), decay), 2.0),
    ]
    for optimizer, factor in cases:
        for scale in (1.0, 0.25):
            state = optimizer.init(x)
            want = x - 0.1 * scale * (g * factor + 0.5 * x)
            for moved in (optimizer.step(x, g, state, scale=scale)[0], x + optimizer.update(g, state, x, scale=scale)[0]):
                np.testing.assert_allclose(moved, want, rtol=1e-14)
    ascent = O.maximize(O.chain(O.trace(0.5), O.SGD(0.1)))
    state = ascent.init(x)
    np.testing.assert_allclose(ascent.step(x, g, state, scale=0.5)[0], x + 0.05 * g, rtol=1e-14)
    ascent = O.maximize(O.chain(O.scale(-0.1), O.trace(0.5)))
    np.testing.assert_allclose(ascent.step(x, g, ascent.init(x), scale=0.5)[0], x + 0.05 * g, rtol=1e-14)


def test_gradient_descent_keeps_its_bound_at_every_step():
    """Strongly convex quadratic with curvatures from 1 to 100 and step 2 / (L + mu): Nesterov 2004, theorem 2.1.15."""
    curvatures = np.geomspace(1.0, 100.0, 6)
    x = np.ones(6)
    optimizer = O.SGD(2.0 / 101.0)
    state, first = optimizer.init(x), float(np.linalg.norm(x))
    for k in range(1, 200):
        x, state = optimizer.step(x, curvatures * x, state)
        assert np.linalg.norm(x) <= (99.0 / 101.0) ** k * first * (1 + 1e-12)


def test_lion_and_muon_by_hand():
    """Two steps of Lion in plain numbers, and Muon's step against a singular value decomposition."""
    x, m, w = 2.0, 0.0, []
    for g in (0.3, -4.0):
        c = 0.9 * m + (1 - 0.9) * g
        x -= 0.1 * (math.copysign(1.0, c) + 0.5 * x)
        m = 0.99 * m + (1 - 0.99) * g
        w.append(x)
    optimizer, y = O.Lion(0.1, weight_decay=0.5), np.asarray(2.0)
    state = optimizer.init(y)
    for g, expected in zip((0.3, -4.0), w, strict=True):
        y, state = optimizer.step(y, np.asarray(g), state)
        assert float(y) == pytest.approx(expected, rel=1e-14)

    g = np.random.default_rng(0).normal(size=(5, 3))
    optimizer = O.Muon(1.0, weight_decay=0.0)
    step, _ = optimizer.update(g, optimizer.init(g), g)
    u, s, vt = np.linalg.svd(g, full_matrices=False)
    s = s / np.linalg.norm(s)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    np.testing.assert_allclose(step, -math.sqrt(5 / 3) * (u * s) @ vt, atol=1e-12)
    assert O.Muon(1.0).update(g * 0, optimizer.init(g), g)[0] == pytest.approx(-0.1 * g)


def test_import_of_unidiff_leaves_the_optimizers_out():
    import subprocess
    import sys

    program = """
import sys, unidiff
assert not [m for m in sys.modules if m.startswith("unidiff.optim")]
unidiff.optim.SGD
assert not {"unidiff.optim.adam_methods", "unidiff.optim.plot", "matplotlib"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_all_is_exact_and_documented():
    assert sorted(O.__all__) == dir(O)
    for name in O.__all__:
        doc = getattr(O, name).__doc__
        assert doc
        # Base classes are made by their subclasses, and modules have their examples function by function.
        if name not in {"LineSearch", "Method", "Optimizer", "Transformation", "plot", "projections", "proximal"}:
            assert ">>>" in doc, name
    with pytest.raises(AttributeError):
        _ = O.nonesuch
