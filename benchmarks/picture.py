"""The picture: ratios by program, and the time per operation as a chain grows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import Result
from benchmarks.studies import ChainPoint

_PEERS = {"hand": "#555555", "autograd": "#d1495b", "torch": "#edae49", "torch-func": "#b07d2b", "jax-jit": "#00798c"}


def _draw_ratios(axes: Any, results: Sequence[Result]) -> None:
    measured = [result for result in results if "unidiff" in result.samples]
    names = [result.program for result in measured]
    for peer, colour in _PEERS.items():
        points = [(ratio, i) for i, result in enumerate(measured) if (ratio := result.ratio("unidiff", peer)) is not None]
        if points:
            axes.scatter([x for x, _ in points], [y for _, y in points], color=colour, label=peer, s=36, zorder=3)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(axis="x", which="both", alpha=0.25)
    axes.set_xlabel("time of unidiff on NumPy / time of the peer (left of 1: unidiff is faster)")
    if names:
        axes.legend(loc="best", fontsize=8)


def _draw_chain(axes: Any, chain: Sequence[ChainPoint]) -> None:
    colours = {**_PEERS, "unidiff": "#30638e"}
    for peer in dict.fromkeys(point.peer for point in chain):
        points = [point for point in chain if point.peer == peer]
        axes.plot(
            [point.operations for point in points],
            [point.seconds_per_operation * 1e6 for point in points],
            marker="o",
            color=colours.get(peer),
            label=peer,
        )
    axes.set_xscale("log")
    axes.set_ylim(bottom=0.0)
    axes.grid(alpha=0.25)
    axes.set_xlabel("operations in the chain")
    axes.set_ylabel("microseconds per operation")
    axes.legend(fontsize=8)


def draw(path: Path, results: Sequence[Result], chain: Sequence[ChainPoint]) -> bool:
    """Write the picture and return True, or return False where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(12, 1.5 + 0.32 * max(len(results), 10)), layout="constrained")
    if chain:
        left, right = figure.subplots(1, 2, width_ratios=(2, 1))
        _draw_chain(right, chain)
    else:
        left = figure.subplots()
    _draw_ratios(left, results)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return True
