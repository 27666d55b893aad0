"""Pictures: what is drawn, read back from the axes."""

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
