"""Pictures: what is drawn, read back from the axes."""

import math

import numpy as np
import pytest

import unidiff as ud

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
pyplot = pytest.importorskip("matplotlib.pyplot")
plot = ud.optim.plot


def bowl(x):
    return x[0] ** 2 + 4 * x[1] ** 2


@pytest.fixture
def runs():
    methods = {"descent": ud.optim.SGD(0.1), "Adam": ud.optim.Adam(0.1)}
    yield {name: plot.record(bowl, np.asarray([2.0, 1.0]), method, 12) for name, method in methods.items()}
    pyplot.close("all")


def test_records_hold_values_and_norms_of_gradients(runs):
    run = runs["descent"]
    x = np.stack(run["x"])
    np.testing.assert_allclose(x, np.asarray([2.0, 1.0]) * np.asarray([0.8, 0.2]) ** np.arange(13)[:, None], rtol=1e-13)
    np.testing.assert_allclose(run["fun"], x[:, 0] ** 2 + 4 * x[:, 1] ** 2, rtol=1e-13)
    np.testing.assert_allclose(run["grad_norm"], np.hypot(2 * x[:, 0], 8 * x[:, 1]), rtol=1e-13)
    assert plot.record(bowl, np.zeros(2), ud.optim.SGD(0.1), 0, keep=False)["x"] == []


def test_paths_lie_over_contours(runs):
    axes = plot.path(bowl, {name: run["x"] for name, run in runs.items()}, resolution=20, optimum=(0.0, 0.0))
    lines = {line.get_label(): line.get_xydata() for line in axes.get_lines()}
    for name, run in runs.items():
        np.testing.assert_allclose(lines[name], np.stack(run["x"]))
    assert len(axes.collections) > 0
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(runs)


def test_pytrees_of_two_numbers_and_paths_that_diverge():
    paths = {"a": [{"u": np.asarray(1.0), "v": np.asarray([2.0])}, {"u": np.asarray(np.inf), "v": np.asarray([0.0])}]}
    axes = plot.path(lambda p: p["u"] ** 2 + p["v"][0] ** 2, paths, resolution=5)
    assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all()
    pyplot.close("all")


def test_convergence_and_comparison(runs):
    upper, lower = plot.convergence(runs["descent"], optimum=0.0)
    np.testing.assert_allclose(upper.get_lines()[0].get_ydata(), runs["descent"]["fun"])
    np.testing.assert_allclose(lower.get_lines()[0].get_ydata(), runs["descent"]["grad_norm"])
    assert upper.get_yscale() == lower.get_yscale() == "log"
    axes = plot.compare(runs)
    assert {line.get_label() for line in axes.get_lines()} == set(runs)
    again = plot.compare({"flat": {"fun": [1.0, 0.0, -1.0]}}, axes=axes)
    assert again is axes
    assert len(axes.get_lines()) == 3


METHODS = {
    "bfgs": {},
    "trust-exact": {},
    "l-bfgs-b": {"bounds": (np.asarray([-3.0, -3.0]), np.asarray([2.5, 2.5]))},
    "fista": {"prox": lambda x, step: x},
    "scipy:bfgs": {},
}


@pytest.mark.parametrize("method", METHODS)
def test_methods_of_minimize_are_recorded_too(method):
    run = plot.record(bowl, np.asarray([2.0, 1.0]), method, 6, **METHODS[method])
    result = ud.minimize(bowl, np.asarray([2.0, 1.0]), method=method, **METHODS[method], options={"maxiter": 6})
    assert len(run["x"]) == len(run["fun"]) == len(run["grad_norm"]) == result.nit + 1 <= 7
    assert run["x"][0].tolist() == [2.0, 1.0]
    assert min(run["fun"]) == pytest.approx(float(result.fun), abs=1e-12)
    assert len(plot.record(bowl, np.asarray([2.0, 1.0]), method, 0, **METHODS[method])["fun"]) == 1


def test_results_with_their_iterates_are_paths(array, backend):
    result = ud.minimize(bowl, array([2.0, 1.0]), options={"trajectory": True})
    axes = plot.path(bowl, {"default": result}, resolution=5)
    np.testing.assert_allclose(axes.get_lines()[0].get_xydata(), [ud.to_numpy(x) for x in result.trajectory])
    with pytest.raises(ud.errors.ArgumentError, match="trajectory"):
        plot.path(bowl, {"default": ud.minimize(bowl, array([2.0, 1.0]))})
    for draw in (lambda: plot.compare({"default": result}), lambda: plot.convergence(result)):
        with pytest.raises(ud.errors.ArgumentError, match="record"):
            draw()
    pyplot.close("all")


def test_each_start_is_marked_and_a_point_alone_has_room():
    starts = [np.asarray([2.0, 1.0]), np.asarray([-1.0, 0.5])]
    axes = plot.path(bowl, {str(k): [x, x * 0.5] for k, x in enumerate(starts)}, resolution=5)
    marks = [line.get_xydata()[0].tolist() for line in axes.get_lines() if line.get_marker() == "o"]
    assert marks == [x.tolist() for x in starts]
    axes = plot.path(bowl, {"alone": starts[:1]}, resolution=5)
    assert np.ptp(axes.get_xlim()) > 0.1
    axes = plot.path(lambda p: p["u"] ** 2 + p["v"] ** 2, {"tree": [{"u": 1.0, "v": 2.0}]}, resolution=5)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("['u']", "['v']")
    pyplot.close("all")


def test_a_scale_suits_all_the_curves_that_are_drawn():
    curves = {
        "positive": {"fun": [1.0, 0.5]},
        "negative": {"fun": [1.0, -3.0]},
        "not finite": {"fun": [2.0, math.nan, math.inf]},
    }
    assert plot.compare(curves).get_yscale() == "linear"
    axes = plot.compare({name: curves[name] for name in ("positive", "not finite")})
    assert axes.get_yscale() == "log"
    assert plot.compare({"negative": curves["negative"]}, axes=axes).get_yscale() == "linear"
    assert plot.compare({"later": curves["positive"]}, axes=axes).get_yscale() == "linear"
    assert plot.compare(curves, optimum=-3.0).get_yscale() == "log"
    assert axes.get_lines()[0].get_marker() == "."  # few values are seen as points
    pyplot.close("all")


def test_the_legend_of_many_curves_hides_none():
    axes = plot.compare({str(k): {"fun": [1.0, 2.0]} for k in range(12)})
    axes.figure.draw_without_rendering()
    assert axes.get_legend().get_window_extent().x0 >= axes.get_window_extent().x1
    pyplot.close("all")


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ud.errors.ArgumentError):
        plot.path(bowl, {})
    with pytest.raises(ud.errors.ArgumentError):
        plot.compare({})
    with pytest.raises(ud.errors.ArgumentError, match="'fun'"):
        plot.compare({"run": {"value": [1.0]}})
    with pytest.raises(ud.errors.ArgumentError):
        plot.convergence({"fun": [1.0]})
    with pytest.raises(ud.errors.ShapeError, match="two real numbers"):
        plot.path(bowl, {"a": [np.zeros(3)]})
    pyplot.close("all")
