"""The pictures of the demo: each function returns one as SVG text. Imports matplotlib, so it is imported on demand."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from unidiff.cli.demo.problems import DOMAIN, DigitsData, DigitsRun, Path, surface
from unidiff.cli.demo.runs import LOSS_TOLERANCE, PARAMETER_TOLERANCE, BackendRun, loss_differences, parameter_differences

INK, MUTED, GRID = "#1f2937", "#6b7280", "#e5e7eb"
SERIES = ("#2563eb", "#d97706", "#059669", "#7c3aed", "#db2777")
VIEW = (-2.6, 12.6)
"""The part of the plane that is drawn, in both coordinates."""
SMALLEST = 1e-17
"""Differences and norms below this, zeros above all, are drawn here on the logarithmic axes."""
KINDS = {
    "minimum": ("o", "#2563eb"),
    "maximum": ("^", "#dc2626"),
    "saddle": ("X", "#f59e0b"),
    "degenerate": ("s", "#6b7280"),
    "not stationary": (".", "#9ca3af"),
}
STYLE = {
    "font.family": "sans-serif",
    "font.size": 10.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "svg.hashsalt": "unidiff",
    "path.simplify_threshold": 0.5,
}


def capital(text: str) -> str:
    """Return the text with its first letter capital."""
    return text[0].upper() + text[1:]


def to_svg(figure: Figure) -> str:
    """Return the figure as SVG text, the same for the same figure."""
    text = io.StringIO()
    figure.savefig(text, format="svg", dpi=160, metadata={"Date": None})
    return text.getvalue()


def draw_landscape(axes: Any) -> Any:
    """Fill contours of the surface around its domain and return what a colour bar needs."""
    line = np.linspace(*VIEW, 161)
    x, y = np.meshgrid(line, line)
    heights, levels = surface(np.stack([x, y], axis=-1)), np.linspace(-2, 2, 17)
    filled = axes.contourf(x, y, heights, levels=levels, cmap="RdYlBu_r", alpha=0.55)
    filled.set_rasterized(True)  # hundreds of polygons would make the report megabytes larger
    axes.contour(x, y, heights, levels=levels, colors="white", linewidths=0.5, alpha=0.8)
    side = DOMAIN[1] - DOMAIN[0]
    axes.add_patch(Rectangle((DOMAIN[0], DOMAIN[0]), side, side, fill=False, linestyle=":", edgecolor=INK))
    axes.set(xlim=VIEW, ylim=VIEW, aspect="equal", xlabel="$x_1$")
    axes.grid(False)
    return filled


def draw_path(axes: Any, path: Path) -> None:
    """Draw the ways of all points and mark where they end, by kind."""
    axes.plot(path.points[:, :, 0], path.points[:, :, 1], color=INK, linewidth=0.9, alpha=0.75)
    axes.scatter(*path.points[0].T, s=10, color="white", edgecolors=INK, linewidths=0.7, zorder=3)
    for kind, (marker, colour) in KINDS.items():
        ends = path.points[-1][[k == kind for k in path.kinds]]
        axes.scatter(*ends.T, marker=marker, s=62, color=colour, edgecolors="white", linewidths=0.9, zorder=4)


def surface_paths(paths: dict[str, Path]) -> str:
    """Draw the paths of every method over the contour lines of the surface, side by side."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.1 * len(paths) + 0.6, 4.9), layout="constrained")
        panels = figure.subplots(1, len(paths), sharey=True, squeeze=False)[0]
        for axes, (name, path) in zip(panels, paths.items(), strict=True):
            filled = draw_landscape(axes)
            draw_path(axes, path)
            axes.set_title(capital(name))
        panels[0].set_ylabel("$x_2$")
        figure.colorbar(filled, ax=panels, label="$f(x)$", shrink=0.8, pad=0.01)
        marks = {"start": ("o", "white")} | {k: KINDS[k] for k in KINDS if any(k in path.kinds for path in paths.values())}
        handles = [
            Line2D([], [], linestyle="", marker=m, color=c, markeredgecolor=INK if c == "white" else c, markersize=7, label=k)
            for k, (m, c) in marks.items()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        return to_svg(figure)


def gradient_norms(paths: dict[str, Path]) -> str:
    """Draw the length of the gradient by iteration: every start faintly, the median of each method in full."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12.9, 4.2), layout="constrained")
        axes = figure.subplots()
        for (name, path), colour in zip(paths.items(), SERIES, strict=False):
            norms = np.maximum(path.gradient_norms, SMALLEST)
            axes.plot(norms, color=colour, linewidth=0.6, alpha=0.13)
            axes.plot(np.median(norms, axis=1), color=colour, linewidth=2, label=name)
        axes.set(yscale="log", xlabel="iteration", title="Length of the gradient")
        axes.legend()
        return to_svg(figure)


def loss_curves(runs: Sequence[BackendRun]) -> str:
    """Draw the training losses of all the backends over one another."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.6, 3.9), layout="constrained")
        axes = figure.subplots()
        for number, run in enumerate(runs):
            if run.digits is not None:
                width = 7 - 5.5 * number / max(len(runs) - 1, 1)  # the first lies widest under the others
                axes.plot(run.digits.losses, color=SERIES[number % len(SERIES)], linewidth=width, label=run.name)
        axes.set(yscale="log", xlabel="step", title="Training loss")
        axes.legend()
        return to_svg(figure)


def training_differences(runs: Sequence[BackendRun]) -> str:
    """Draw by how much losses and parameters differ from the first backend's at every step, under what is allowed."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.6, 3.9), layout="constrained")
        axes = figure.subplots()
        reference = runs[0].digits
        for number, run in enumerate(runs[1:], start=1):
            if run.digits is None or reference is None:
                continue
            colour = SERIES[number % len(SERIES)]
            losses, parameters = loss_differences(run.digits, reference), parameter_differences(run.digits, reference)
            axes.plot(np.maximum(losses, SMALLEST), ".", markersize=4, color=colour, label=f"{run.name}: loss, relative")
            axes.plot(np.maximum(parameters, SMALLEST), color=colour, linewidth=1.4, label=f"{run.name}: parameters")
        for value, name in ((LOSS_TOLERANCE, "allowed: loss"), (PARAMETER_TOLERANCE, "allowed: parameters")):
            axes.axhline(value, color=MUTED, linewidth=1, linestyle="--")
            axes.text(0.99, value, name, transform=axes.get_yaxis_transform(), ha="right", va="bottom", color=MUTED)
        axes.set(yscale="log", ylim=(SMALLEST, 1e-8), xlabel="step", title=f"Difference to {runs[0].name}")
        axes.legend(ncols=2, loc="upper left", fontsize=9)
        return to_svg(figure)


def digit_images(data: DigitsData, run: DigitsRun, shown: int = 30) -> str:
    """Draw held-out images with the class each was given; the wrong ones come first, in red."""
    wrong = run.predictions != data.test_labels
    order = np.argsort(~wrong, kind="stable")[:shown]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12.9, 2.9), layout="constrained")
        for axes, i in zip(figure.subplots(2, shown // 2).flat, order, strict=False):
            axes.imshow(data.test_images[i].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            text = f"{run.predictions[i]} (is {data.test_labels[i]})" if wrong[i] else f"{run.predictions[i]}"
            axes.set_title(text, color="#dc2626" if wrong[i] else INK, loc="center", fontsize=10)
            axes.set_axis_off()
        return to_svg(figure)
