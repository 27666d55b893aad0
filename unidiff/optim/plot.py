"""Pictures of optimization: paths over contours, loss and gradient norm by step, and methods side by side.

Needs matplotlib, ``pip install "unidiff-array[plot]"``, which is imported when a picture is drawn. Each function draws into
axes that are given, or makes new ones, and returns them; nothing is shown or saved.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import unidiff as ud
from unidiff._typing import Tree
from unidiff.errors import ArgumentError, ShapeError, UnsupportedOperationError
from unidiff.optim.optimizer import Optimizer

__all__ = ["compare", "convergence", "path", "record"]

_STYLES = ("-", "--", "-.", ":")


def _axes(axes: Any, rows: int = 1) -> Any:
    if axes is not None:
        return axes
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise UnsupportedOperationError(
            'Pictures need matplotlib, which is not installed: pip install "unidiff-array[plot]".'
        ) from error
    return plt.subplots(rows, 1, figsize=(6.4, 1.6 + 2.6 * rows), sharex=rows > 1, layout="constrained")[1]


def record(fun: Callable[..., Any], x0: Tree, optimizer: Optimizer, steps: int, *, keep: bool = True) -> dict[str, list[Any]]:
    """Run an optimizer and return what the pictures show.

    Parameters
    ----------
    fun : callable
        The objective, a function of one pytree.
    x0 : pytree of array
        The start.
    optimizer : Optimizer
    steps : int
    keep : bool, default True
        Whether to keep the iterates.

    Returns
    -------
    dict of str to list
        ``"x"``, the iterates from the start on, ``"fun"``, the values there, and ``"grad_norm"``, the Euclidean norms of the
        gradients there; each list has ``steps + 1`` entries.

    Raises
    ------
    unidiff.errors.ArgumentError
        If the number of steps is negative.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> run = ud.optim.plot.record(lambda x: x**2, np.asarray(1.0), ud.optim.SGD(0.25), 3)
    >>> run["fun"], run["grad_norm"]
    ([1.0, 0.25, 0.0625, 0.015625], [2.0, 1.0, 0.5, 0.25])
    """
    if steps < 0:
        raise ArgumentError(f"steps must not be negative, but it is {steps}.")
    x, state = x0, optimizer.init(x0)
    value_and_grad = ud.value_and_grad(fun)
    run: dict[str, list[Any]] = {"x": [], "fun": [], "grad_norm": []}
    for step in range(steps + 1):
        value, grads = value_and_grad(x)
        if keep:
            run["x"].append(x)
        run["fun"].append(float(value))
        run["grad_norm"].append(_norm(grads))
        if step < steps:
            x, state = optimizer.step(x, grads, state, value=value)
    return run


def _norm(grads: Tree) -> float:
    squares = (float(ud.array_namespace(g).sum(ud.array_namespace(g).abs(g) ** 2)) for g in ud.tree.leaves(grads))
    return float(sum(squares) ** 0.5)


def _points(iterates: Sequence[Any]) -> list[tuple[float, float]]:
    """Return iterates of two numbers as pairs of floats."""
    points = []
    for x in iterates:
        leaves = [leaf if isinstance(leaf, float) else ud.to_numpy(leaf) for leaf in ud.tree.leaves(x)]
        row = [number for leaf in leaves for number in ([leaf] if isinstance(leaf, float) else leaf.ravel().tolist())]
        if len(row) != 2 or any(isinstance(number, complex) for number in row):
            raise ShapeError(
                f"A path in the plane needs iterates of two real numbers, but there is one of {len(row)}: {x!r:.200}."
            )
        points.append((float(row[0]), float(row[1])))
    return points


def _window(points: Sequence[tuple[float, float]], resolution: int) -> tuple[list[float], list[float]]:
    """Return the coordinates of a grid around points, as long as they are finite."""
    finite = [point for point in points if all(map(math.isfinite, point))] or [(0.0, 0.0)]
    bounds = [(min(xs), max(xs)) for xs in zip(*finite, strict=True)]
    widest = max(1e-3, *(high - low for low, high in bounds))
    grid = []
    for low, high in bounds:
        margin = 0.15 * max(high - low, 0.25 * widest)
        grid.append([low - margin + (high - low + 2 * margin) * k / (resolution - 1) for k in range(resolution)])
    return grid[0], grid[1]


def path(
    fun: Callable[..., Any],
    paths: Mapping[str, Sequence[Any]],
    *,
    axes: Any = None,
    levels: int = 24,
    resolution: int = 120,
    optimum: Sequence[float] | None = None,
) -> Any:
    """Draw paths over the contours of a function of two numbers.

    Parameters
    ----------
    fun : callable
        The objective.
    paths : mapping of str to sequence
        For each name the iterates: arrays of two elements, or pytrees of two numbers.
    axes : matplotlib.axes.Axes, optional
    levels : int, default 24
        The number of contours, spaced such that valleys show.
    resolution : int, default 120
        In how many points along each axis the function is evaluated.
    optimum : pair of float, optional
        A point to mark.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    unidiff.errors.ArgumentError
        If there is no path.
    unidiff.errors.ShapeError
        If iterates are not two real numbers.
    unidiff.errors.UnsupportedOperationError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib, numpy as np, unidiff as ud
    >>> matplotlib.use("agg")
    >>> bowl = lambda x: x[0] ** 2 + 4 * x[1] ** 2
    >>> run = ud.optim.plot.record(bowl, np.asarray([2.0, 1.0]), ud.optim.SGD(0.1), 20)
    >>> ud.optim.plot.path(bowl, {"gradient descent": run["x"]}).get_xlabel()
    'x₁'
    """
    axes = _axes(axes)
    if not paths or not all(len(iterates) for iterates in paths.values()):
        raise ArgumentError("There is no path to draw.")
    lines = {name: _points(iterates) for name, iterates in paths.items()}
    marked = [] if optimum is None else [(float(optimum[0]), float(optimum[1]))]
    first, second = _window([*marked, *(point for points in lines.values() for point in points)], resolution)
    example = next(iter(paths.values()))[0]
    values = [[_value(fun, example, (a, b)) for a in first] for b in second]
    finite = [value for row in values for value in row if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    heights = [low + (high - low) * (k / levels) ** 3 for k in range(1, levels + 1)]
    if high > low:
        axes.contour(first, second, values, levels=heights, colors="0.8", linewidths=0.8, zorder=1)
    for k, (name, points) in enumerate(lines.items()):
        axes.plot(
            *zip(*points, strict=True), _STYLES[k % len(_STYLES)], marker=".", markersize=4, linewidth=1.4, label=name, zorder=3
        )
    axes.plot(*next(iter(lines.values()))[0], "o", color="black", markersize=5, zorder=4)
    for point in marked:
        axes.plot(*point, "*", color="black", markersize=11, zorder=4)
    axes.set(xlabel="x₁", ylabel="x₂", xlim=(first[0], first[-1]), ylim=(second[0], second[-1]))
    axes.legend()
    return axes


def _value(fun: Callable[..., Any], example: Tree, point: tuple[float, float]) -> float:
    """Return the value of a function at a point that is given the form of an example."""
    leaves, spec = ud.tree.flatten(example)
    numbers = iter(point)
    made = []
    for leaf in leaves:
        if isinstance(leaf, float) and not hasattr(leaf, "dtype"):
            made.append(next(numbers))
            continue
        xp = ud.array_namespace(leaf)
        values = [float(next(numbers)) for _ in range(_size(leaf))]
        made.append(xp.reshape(xp.asarray(values, dtype=leaf.dtype, device=ud.device(leaf)), leaf.shape))
    return float(fun(ud.tree.unflatten(spec, made)))


def _size(x: Any) -> int:
    size = 1
    for n in x.shape:
        size *= n
    return size


def convergence(run: Mapping[str, Sequence[float]], *, axes: Any = None, optimum: float | None = None) -> Any:
    """Draw loss and gradient norm of one run by step.

    Parameters
    ----------
    run : mapping
        With ``"fun"`` and ``"grad_norm"``, as `record` returns it.
    axes : sequence of two matplotlib.axes.Axes, optional
    optimum : float, optional
        The least value; the loss is drawn above it.

    Returns
    -------
    array of two matplotlib.axes.Axes

    Raises
    ------
    unidiff.errors.ArgumentError
        If the run lacks one of the two.
    unidiff.errors.UnsupportedOperationError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib, numpy as np, unidiff as ud
    >>> matplotlib.use("agg")
    >>> run = ud.optim.plot.record(lambda x: x**2, np.asarray(1.0), ud.optim.Adam(0.1), 30)
    >>> [axes.get_ylabel() for axes in ud.optim.plot.convergence(run)]
    ['loss', 'gradient norm']
    """
    if not {"fun", "grad_norm"} <= run.keys():
        raise ArgumentError(f"A run has 'fun' and 'grad_norm', as record returns it; this one has {sorted(run)}.")
    upper, lower = axes = _axes(axes, rows=2)
    _curve(upper, run["fun"], optimum, None, "-")
    _curve(lower, run["grad_norm"], 0.0, None, "-")
    upper.set(ylabel=_loss_label(optimum))
    lower.set(ylabel="gradient norm", xlabel="step")
    return axes


def compare(runs: Mapping[str, Mapping[str, Sequence[float]]], *, axes: Any = None, optimum: float | None = None) -> Any:
    """Draw the losses of several runs in one picture.

    Parameters
    ----------
    runs : mapping of str to mapping
        For each name a run with ``"fun"``, as `record` returns it.
    axes : matplotlib.axes.Axes, optional
    optimum : float, optional
        The least value; losses are drawn above it.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    unidiff.errors.ArgumentError
        If there is no run, or one lacks its losses.
    unidiff.errors.UnsupportedOperationError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib, numpy as np, unidiff as ud
    >>> matplotlib.use("agg")
    >>> methods = {"Adam": ud.optim.Adam(0.1), "Lion": ud.optim.Lion(0.1)}
    >>> runs = {name: ud.optim.plot.record(lambda x: x**2, np.asarray(1.0), m, 30) for name, m in methods.items()}
    >>> ud.optim.plot.compare(runs).get_xlabel()
    'step'
    """
    if not runs:
        raise ArgumentError("There is no run to draw.")
    for name, run in runs.items():
        if "fun" not in run:
            raise ArgumentError(f"A run has 'fun', as record returns it; {name!r} has {sorted(run)}.")
    axes = _axes(axes)
    for k, (name, run) in enumerate(runs.items()):
        _curve(axes, run["fun"], optimum, name, _STYLES[k % len(_STYLES)])
    axes.set(xlabel="step", ylabel=_loss_label(optimum))
    axes.legend()
    return axes


def _loss_label(optimum: float | None) -> str:
    return "loss" if optimum is None else "loss above the least"


def _curve(axes: Any, values: Sequence[float], least: float | None, name: str | None, style: str) -> None:
    """Draw values by step, on a logarithmic scale where all of them are positive."""
    shifted = [value - (least or 0.0) for value in values]
    positive = [value for value in shifted if value > 0]
    logarithmic = len(positive) == len(shifted) or (least is not None and len(positive) > 0)
    # What rounding has taken to the least value or below has no logarithm, and leaves a gap.
    axes.plot([value if value > 0 or not logarithmic else float("nan") for value in shifted], style, label=name)
    if logarithmic:
        axes.set_yscale("log")
    axes.grid(visible=True, alpha=0.3)
