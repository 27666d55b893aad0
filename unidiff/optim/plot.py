"""Pictures of optimization: paths over contours, loss and gradient norm by step, and methods side by side.

Needs matplotlib, ``pip install "unidiff-array[plot]"``, which is imported when a picture is drawn. Each function draws into
axes that are given, or makes new ones, and returns them; nothing is shown or saved.
"""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import unidiff as ud
from unidiff._typing import Tree
from unidiff.errors import ArgumentError, ShapeError, UnsupportedOperationError
from unidiff.optim.optimizer import Optimizer
from unidiff.optim.result import Result

__all__ = ["compare", "convergence", "path", "record"]

_STYLES = ("-", "--", "-.", ":")
_MANY = 8
"""More lines have their legend beside the axes."""
_FEW = 30
"""Up to so many values are drawn as points, too."""


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


def record(
    fun: Callable[..., Any], x0: Tree, method: Any, steps: int, *, keep: bool = True, **arguments: Any
) -> dict[str, list[Any]]:
    """Run an optimizer, or a method of `unidiff.minimize`, and return what the pictures show.

    Parameters
    ----------
    fun : callable
        The objective, a function of one pytree.
    x0 : pytree of array
        The start.
    method : Optimizer, str or callable
        An optimizer makes all the steps; what else `unidiff.minimize` takes makes as many until it is done.
    steps : int
    keep : bool, default True
        Whether to keep the iterates.
    **arguments
        Further arguments of `unidiff.minimize`, such as ``bounds=``, for its methods.

    Returns
    -------
    dict of str to list
        ``"x"``, the iterates from the start on, ``"fun"``, the values there, and ``"grad_norm"``, the Euclidean norms of the
        gradients there; each list has ``steps + 1`` entries, or less where the method is done before.

    Raises
    ------
    unidiff.errors.ArgumentError
        If the number of steps is negative.
    unidiff.errors.UnidiffError
        As `unidiff.minimize`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> run = ud.optim.plot.record(lambda x: x**2, np.asarray(1.0), ud.optim.SGD(0.25), 3)
    >>> run["fun"], run["grad_norm"]
    ([1.0, 0.25, 0.0625, 0.015625], [2.0, 1.0, 0.5, 0.25])
    >>> ud.optim.plot.record(lambda x: x**2, np.asarray(1.0), "newton", 3)["fun"]
    [1.0, 0.0]
    """
    if steps < 0:
        raise ArgumentError(f"steps must not be negative, but it is {steps}.")
    value_and_grad = ud.value_and_grad(fun)
    run: dict[str, list[Any]] = {"x": [], "fun": [], "grad_norm": []}
    iterates = _optimized(x0, method, steps) if isinstance(method, Optimizer) else _solved(fun, x0, method, steps, arguments)
    x = next(iterates)
    while x is not None:
        value, grads = value_and_grad(x)
        if keep:
            run["x"].append(x)
        run["fun"].append(float(value))
        run["grad_norm"].append(_norm(grads))
        x = iterates.send((value, grads))
    return run


def _optimized(x: Tree, optimizer: Optimizer, steps: int) -> Generator[Tree, Any, None]:
    """Yield the iterates of an optimizer, which is sent value and gradients, and None at the end."""
    state = optimizer.init(x)
    value, grads = yield x
    for _ in range(steps):
        x, state = optimizer.step(x, grads, state, value=value)
        value, grads = yield x
    yield None


def _solved(
    fun: Callable[..., Any], x0: Tree, method: Any, steps: int, arguments: Mapping[str, Any]
) -> Generator[Tree, Any, None]:
    """Yield the iterates of a method of `unidiff.minimize`, and None at the end."""
    options = {**(arguments.get("options") or {}), "maxiter": steps, "trajectory": True}
    if steps == 0:
        yield x0
    else:
        found = ud.minimize(fun, x0, method=method, **{**arguments, "options": options})
        for x in found.trajectory or ():  # noqa: UP028  # a list, from which one yields, cannot be sent anything
            yield x
    yield None


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
    largest = max(abs(x) for point in finite for x in point)
    widest = max(high - low for low, high in bounds)
    widest = widest if widest > 1e-9 * largest else largest or 1.0  # around a single point, its distance from zero
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
        For each name the iterates: arrays of two elements, or pytrees of two numbers; or a `unidiff.optim.Result` that has
        them, by the option ``trajectory=True``.
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
    paths = {name: _iterates(name, given) for name, given in paths.items()}
    if not paths or not all(len(iterates) for iterates in paths.values()):
        raise ArgumentError("There is no path to draw.")
    axes = _axes(axes)
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
        style = {"marker": ".", "markersize": 4, "linewidth": 1.3, "alpha": 0.85, "zorder": 3}
        axes.plot(*zip(*points, strict=True), _STYLES[k % len(_STYLES)], label=name, **style)
    for start in dict.fromkeys(points[0] for points in lines.values()):
        axes.plot(*start, "o", color="black", markersize=5, zorder=4)
    for point in marked:
        axes.plot(*point, "*", color="black", markersize=11, zorder=4)
    across, up = _coordinates(example)
    axes.set(xlabel=across, ylabel=up, xlim=(first[0], first[-1]), ylim=(second[0], second[-1]))
    _legend(axes)
    return axes


def _iterates(name: str, given: Any) -> Sequence[Any]:
    """Return the iterates of a path, or raise that a result has none."""
    if not isinstance(given, Result):
        return given  # type: ignore[no-any-return]  # whatever sequence the caller has
    if given.trajectory is None:
        raise ArgumentError(f"The result {name!r} has no iterates: minimize with options={{'trajectory': True}}.")
    return given.trajectory


def _coordinates(example: Tree) -> tuple[str, str]:
    """Return what the two numbers of an iterate are called: by their places where they are of two leaves."""
    leaves, spec = ud.tree.flatten(example)
    if len(leaves) < 2:
        return "x₁", "x₂"
    places = ud.tree.paths(spec)
    return places[0], places[1]


def _legend(axes: Any) -> None:
    """Draw the legend, beside the axes where it would hide much of them."""
    beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if len(axes.get_legend_handles_labels()[1]) > _MANY else {}
    axes.legend(**beside)


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
    _require(run, "The run", "fun", "grad_norm")
    upper, lower = axes = _axes(axes, rows=2)
    _curves(upper, {None: run["fun"]}, optimum)
    _curves(lower, {None: run["grad_norm"]}, 0.0)
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
        _require(run, f"The run {name!r}", "fun")
    axes = _axes(axes)
    _curves(axes, {name: run["fun"] for name, run in runs.items()}, optimum)
    axes.set(xlabel="step", ylabel=_loss_label(optimum))
    _legend(axes)
    return axes


def _loss_label(optimum: float | None) -> str:
    return "loss" if optimum is None else "loss above the least"


def _require(run: Any, what: str, *names: str) -> None:
    """Raise where a run has no lists of these names; results of solvers have the last value alone."""
    had = sorted(run) if isinstance(run, Mapping) else type(run).__name__
    if isinstance(run, Result) or not set(names) <= set(had):
        raise ArgumentError(f"{what} must have the lists {names}, as unidiff.optim.plot.record returns them; this has {had}.")


def _curves(axes: Any, curves: Mapping[Any, Sequence[float]], least: float | None) -> None:
    """Draw values by step, on a logarithmic scale where all that is drawn is positive."""
    for k, (name, values) in enumerate(curves.items()):
        shifted = [float(value) - (least or 0.0) for value in values]
        if least is not None and any(value > 0 for value in shifted):
            # What rounding has taken to the least value or below has no logarithm, and leaves a gap.
            shifted = [value if value > 0 else math.nan for value in shifted]
        marker = "." if len(shifted) <= _FEW else None
        axes.plot(shifted, _STYLES[k % len(_STYLES)], marker=marker, label=name)
    drawn = [float(y) for line in axes.get_lines() for y in line.get_ydata() if math.isfinite(y)]
    axes.set_yscale("log" if drawn and min(drawn) > 0 else "linear")
    axes.grid(visible=True, alpha=0.3)
