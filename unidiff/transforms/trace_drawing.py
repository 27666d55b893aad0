"""Draws evaluation traces: as text for Graphviz, and as SVG with a layout of its own.

The layout is layered: a node lies below all its operands, and within a layer nodes are ordered by the mean place of their
neighbours, up and down in turn, which keeps crossings of edges few (Sugiyama, Tagawa and Toda 1981).
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

__all__ = ["dot", "svg"]

_COLOURS = {"input": "#dbeafe", "constant": "#e5e7eb", "output": "#dcfce7", "node": "#ffffff"}
_CHARACTER, _LINE, _PADDING, _GAP, _LAYER_GAP, _MARGIN, _EDGE_WIDTH = 7.3, 17, 10, 28, 64, 20, 40
_SWEEPS = 9


def _kind(row: Any) -> str:
    return "output" if row.is_output else row.operation if row.operation in ("input", "constant") else "node"


def _lines(row: Any, short: Callable[[Any], str]) -> list[str]:
    """Return what is written in the box of a node."""
    title = row.name if row.expression in ("input", "constant") else f"{row.name} = {row.expression}"
    lines = [title, f"value {short(row.value)}"]
    if row.tangent is not None:
        lines.append(f"tangent {short(row.tangent)}")
    if row.adjoint is not None:
        lines.append(f"adjoint {short(row.adjoint)}")
    return lines


def dot(rows: Sequence[Any], short: Callable[[Any], str]) -> str:
    """Return the graph in the language of Graphviz; edges carry the local derivatives."""

    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'

    lines = ["digraph trace {", "  node [shape=box, style=filled, fontname=monospace];"]
    for row in rows:
        text = quoted("\n".join(_lines(row, short)))
        lines.append(f'  {quoted(row.name)} [label={text}, fillcolor="{_COLOURS[_kind(row)]}"];')
    for row in rows:
        for operand, partial in zip(row.operands, row.partials, strict=True):
            lines.append(f"  {quoted(operand)} -> {quoted(row.name)} [label={quoted(short(partial))}];")
    return "\n".join([*lines, "}", ""])


Name = str | tuple[str, str, int]
"""The name of a node, or a place where an edge that is longer than one layer goes through a layer."""


class _Graph:
    """The nodes of a trace in layers, with a place in every layer for each edge that goes through it."""

    def __init__(self, rows: Sequence[Any]) -> None:
        depth = _depths(rows)
        self.layers: list[list[Name]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
        for row in rows:
            self.layers[depth[row.name]].append(row.name)
        self.paths: dict[tuple[str, str], list[Name]] = {}
        self.above: dict[Name, list[Name]] = {}
        self.below: dict[Name, list[Name]] = {}
        for row in rows:
            for operand in row.operands:
                between: list[Name] = [(operand, row.name, k) for k in range(depth[operand] + 1, depth[row.name])]
                for k, place in enumerate(between, depth[operand] + 1):
                    self.layers[k].append(place)
                path: list[Name] = [operand, *between, row.name]
                self.paths[operand, row.name] = path
                for upper, lower in pairwise(path):
                    self.below.setdefault(upper, []).append(lower)
                    self.above.setdefault(lower, []).append(upper)
        self._order()

    def _order(self) -> None:
        """Order each layer by the mean place of the neighbours, going down and up in turn."""
        for sweep in range(_SWEEPS):
            neighbours = self.above if sweep % 2 == 0 else self.below
            place = {name: (k + 0.5) / len(layer) for layer in self.layers for k, name in enumerate(layer)}
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                mean = {name: _mean([place[other] for other in neighbours.get(name, ())], place[name]) for name in layer}
                layer.sort(key=mean.__getitem__)
                place |= {name: (k + 0.5) / len(layer) for k, name in enumerate(layer)}

    def centres(self, widths: Mapping[Name, float]) -> dict[Name, float]:
        """Return the horizontal middle of everything: near that of its neighbours, without overlaps."""
        centre: dict[Name, float] = {}
        for layer in self.layers:
            left = 0.0
            for name in layer:
                centre[name] = left + widths[name] / 2
                left += widths[name] + _GAP
        for sweep in range(_SWEEPS):
            neighbours = self.above if sweep % 2 == 0 else self.below
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                wanted = [_mean([centre[other] for other in neighbours.get(name, ())], centre[name]) for name in layer]
                centre |= zip(layer, _apart(wanted, [widths[name] for name in layer]), strict=True)
        return centre


def _depths(rows: Sequence[Any]) -> dict[str, int]:
    """Return the layer of each node: below all its operands; constants just above what uses them first."""
    depth: dict[str, int] = {}
    for row in rows:
        depth[row.name] = 1 + max((depth[name] for name in row.operands), default=-1)
    for row in rows:
        users = [depth[other.name] for other in rows if row.name in other.operands]
        if row.operation == "constant" and users:
            depth[row.name] = min(users) - 1
    return depth


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Return places as near to the wanted ones as their order and the widths allow: the mean of pushing right and left."""
    right, left = list(wanted), list(wanted)
    for k in range(1, len(right)):
        right[k] = max(right[k], right[k - 1] + (widths[k - 1] + widths[k]) / 2 + _GAP)
    for k in range(len(left) - 2, -1, -1):
        left[k] = min(left[k], left[k + 1] - (widths[k] + widths[k + 1]) / 2 - _GAP)
    return [(r + s) / 2 for r, s in zip(right, left, strict=True)]


def svg(rows: Sequence[Any], short: Callable[[Any], str]) -> str:
    """Return the graph as an SVG document."""
    texts = {row.name: _lines(row, short) for row in rows}
    graph = _Graph(rows)
    widths: dict[Name, float] = {name: float(_EDGE_WIDTH) for layer in graph.layers for name in layer}
    widths |= {name: max(map(len, lines)) * _CHARACTER + 2 * _PADDING for name, lines in texts.items()}
    heights = {name: len(lines) * _LINE + 2 * _PADDING for name, lines in texts.items()}
    boxes, width, height = _placed(graph, widths, heights)
    partials = {(operand, row.name): d for row in rows for operand, d in zip(row.operands, row.partials, strict=True)}
    body = [_edge([boxes[name] for name in path], short(partials[ends])) for ends, path in graph.paths.items()]
    body += [_box(boxes[row.name], texts[row.name], _COLOURS[_kind(row)]) for row in rows]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="12">'
    )
    return "\n".join([head, _TIP, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>", ""])


_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 L8 4 L0 8 z" fill="#475569"/></marker></defs>'
)

Box = tuple[float, float, float, float]


def _placed(graph: _Graph, widths: Mapping[Name, float], heights: Mapping[Any, float]) -> tuple[dict[Name, Box], float, float]:
    """Return the boxes as left, top, width and height, and the size of the picture."""
    centre = graph.centres(widths)
    start = min((centre[name] - widths[name] / 2 for name in centre), default=0.0) - _MARGIN
    stop = max((centre[name] + widths[name] / 2 for name in centre), default=0.0) + _MARGIN
    boxes: dict[Name, Box] = {}
    top = float(_MARGIN)
    for layer in graph.layers:
        tallest = max(heights.get(name, 0.0) for name in layer)
        for name in layer:
            boxes[name] = (centre[name] - widths[name] / 2 - start, top, widths[name], heights.get(name, tallest))
        top += tallest + _LAYER_GAP
    return boxes, stop - start, top - _LAYER_GAP + _MARGIN


def _box(box: Box, lines: list[str], colour: str) -> str:
    left, top, width, height = box
    text = "".join(
        f'<text x="{left + _PADDING:.1f}" y="{top + _PADDING + (k + 0.75) * _LINE:.1f}"'
        f"{' font-weight=' + chr(34) + 'bold' + chr(34) if k == 0 else ''}>{escape(line)}</text>"
        for k, line in enumerate(lines)
    )
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" fill="{colour}"'
        f' stroke="#475569"/>{text}'
    )


def _edge(boxes: Sequence[Box], label: str) -> str:
    """Return a curve from the lower side of the first box to the upper side of the last, with the local derivative on it."""
    left, top, width, height = boxes[0]
    x, y = left + width / 2, top + height
    path = f"M{x:.1f} {y:.1f}"
    for k, (left, top, width, height) in enumerate(boxes[1:], 2):
        to_x, to_y = left + width / 2, top - 1
        bend = (to_y - y) / 2
        path += f" C{x:.1f} {y + bend:.1f} {to_x:.1f} {to_y - bend:.1f} {to_x:.1f} {to_y:.1f}"
        last = (0.4 * x + 0.6 * to_x, to_y - 0.4 * (to_y - y))
        x, y = to_x, to_y
        if k < len(boxes):
            y += height + 1
            path += f" L{x:.1f} {y:.1f}"
    line = f'<path d="{path}" fill="none" stroke="#475569" marker-end="url(#tip)"/>'
    if not label:
        return line
    wide = len(label) * _CHARACTER
    return (
        f'{line}<rect x="{last[0] - wide / 2:.1f}" y="{last[1] - 11:.1f}" width="{wide:.1f}" height="15" fill="white"/>'
        f'<text x="{last[0]:.1f}" y="{last[1]:.1f}" fill="#b91c1c" text-anchor="middle">{escape(label)}</text>'
    )
