"""The evaluation trace: values, local derivatives, tangents and adjoints of every node."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import unidiff as ud
from unidiff import errors


def product_of_sines(x, y):
    xp = ud.array_namespace(x, y)
    return xp.sin(x * y) + xp.exp(x) / y


def test_rows_are_those_of_the_textbook():
    x, y = 1.5, 2.0
    table = ud.trace(product_of_sines)(x, y)
    got = [(row.name, row.expression, *(float(z) for z in (row.value, row.tangent, row.adjoint))) for row in table]
    c, e = np.cos(x * y), np.exp(x)
    want = [
        ("x", "input", x, 1.0, y * c + e / y),
        ("y", "input", y, 1.0, x * c - e / y**2),
        ("v1", "x * y", x * y, x + y, c),
        ("v2", "sin(v1)", np.sin(x * y), (x + y) * c, 1.0),
        ("v3", "exp(x)", e, e, 1 / y),
        ("v4", "v3 / y", e / y, e / y - e / y**2, 1.0),
        ("v5", "v2 + v4", np.sin(x * y) + e / y, (x + y) * c + e / y - e / y**2, 1.0),
    ]
    for row, expected in zip(got, want, strict=True):
        assert row[:2] == expected[:2]
        np.testing.assert_allclose(row[2:], expected[2:], rtol=1e-14)
    partials = {row.name: [float(d) for d in row.partials] for row in table}
    np.testing.assert_allclose(partials["v1"], [y, x])
    np.testing.assert_allclose(partials["v4"], [1 / y, -e / y**2])
    assert [row.name for row in table if row.is_output] == ["v5"]
    assert float(table.out) == float(table["v5"].value)


def network(params, x):
    xp = ud.array_namespace(x)
    h = xp.tanh(params["w"] @ x + params["b"])
    return {"loss": xp.sum(h**2), "first": h[0]}, xp.max(xp.reshape(params["w"], (-1,)))


@pytest.fixture
def network_args():
    rng = np.random.default_rng(5)
    return {"w": rng.normal(size=(2, 3)), "b": rng.normal(size=2)}, rng.normal(size=3)


def test_tangents_and_adjoints_are_those_of_jvp_and_vjp(network_args):
    rng = np.random.default_rng(6)
    tangents = ud.tree.map(lambda x: rng.normal(size=x.shape), network_args)
    out = network(*network_args)
    cotangents = ud.tree.map(lambda y: rng.normal(size=y.shape), out)
    table = ud.trace(network, tangents=tangents, cotangents=cotangents)(*network_args)
    assert ud.tree.structure(table.out) == ud.tree.structure(out)
    _, pushed = ud.jvp(network, network_args, tangents)
    outputs = {float(row.value): float(row.tangent) for row in table if row.is_output}
    for y, t in zip(ud.tree.leaves(out), ud.tree.leaves(pushed), strict=True):
        np.testing.assert_allclose(outputs[float(y)], float(t), rtol=1e-12)
    _, pullback = ud.vjp(network, *network_args)
    adjoints = [row.adjoint for row in table if row.operation == "input"]
    for got, want in zip(adjoints, ud.tree.leaves(pullback(cotangents)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_the_chain_rule_holds_at_every_node(network_args):
    """The tangent is the sum over the operands of local derivative times tangent, and the adjoint over the users likewise."""
    table = ud.trace(network)(*network_args)
    adjoints = {row.name: np.zeros(row.value.shape) for row in table}
    for row in table:
        if row.is_output:
            adjoints[row.name] = adjoints[row.name] + 1
        total = np.zeros(row.value.shape)
        for name, partial in zip(row.operands, row.partials, strict=True):
            operand = table[name]
            full = np.asarray(partial)
            if full.shape == operand.value.shape == row.value.shape:
                full = np.diag(full.reshape(-1)).reshape(row.value.shape + operand.value.shape)
            assert full.shape == row.value.shape + operand.value.shape
            total = total + np.tensordot(full, operand.tangent, operand.value.ndim)
        if row.operands:
            np.testing.assert_allclose(row.tangent, total, rtol=1e-12)
    for row in reversed(table):
        for name, partial in zip(row.operands, row.partials, strict=True):
            operand, full = table[name], np.asarray(partial)
            if full.shape == operand.value.shape == row.value.shape:
                full = np.diag(full.reshape(-1)).reshape(row.value.shape + operand.value.shape)
            adjoints[name] = adjoints[name] + np.tensordot(adjoints[row.name], full, row.value.ndim)
    for row in table:
        np.testing.assert_allclose(row.adjoint, adjoints[row.name], rtol=1e-12, atol=1e-14)


def test_arrays_of_every_backend(array):
    table = ud.trace(product_of_sines)(array(1.5), array(2.0))
    np.testing.assert_allclose(float(table["x"].adjoint), 2 * np.cos(3.0) + np.exp(1.5) / 2, rtol=1e-13)


def test_table_as_text():
    text = str(ud.trace(lambda x, n: ud.array_namespace(x).sum(x[1:] * 2.0) * n)(np.arange(4.0), 3))
    head, rule, *rows = text.splitlines()
    assert [cell.strip() for cell in head.split("|")] == [
        "node",
        "operation",
        "value",
        "local derivative",
        "tangent",
        "adjoint",
    ]
    assert set(rule) == {"-", "+"}
    assert len({line.find("|") for line in (head, *rows)}) == 1
    assert [row.split("|")[1].strip() for row in rows] == ["input", "input", "x[1:]", "v1 * 2.0", "sum(v2)", "v3 * n"]
    assert rows[-1].startswith("v4 (out)")


def test_functions_with_several_results_and_constants():
    matrix = np.asarray([[2.0, 1.0], [1.0, 3.0]])
    table = ud.trace(lambda x: ud.array_namespace(x).linalg.eigh(x + matrix)[0][1])(np.eye(2))
    _, vectors = np.linalg.eigh(np.eye(2) + matrix)
    np.testing.assert_allclose(table["x"].adjoint, np.outer(vectors[:, 1], vectors[:, 1]), rtol=1e-12)
    assert any(row.operation == "constant" for row in table)


def test_graphs():
    table = ud.trace(product_of_sines)(1.5, 2.0)
    dot = table.to_dot()
    assert dot.startswith("digraph")
    assert dot.count("->") == sum(len(row.operands) for row in table)
    root = ET.fromstring(table.to_svg())
    space = "{http://www.w3.org/2000/svg}"
    texts = "".join(node.text or "" for node in root.iter(f"{space}text"))
    for row in table:
        assert row.name in texts
        assert row.operation == "input" or row.expression in texts
    boxes = [node for node in root.iter(f"{space}rect") if node.get("rx")]
    assert len(boxes) == len(table)
    places = [tuple(float(box.get(key)) for key in ("x", "y", "width", "height")) for box in boxes]
    for i, (x, y, w, h) in enumerate(places):
        assert x >= 0 <= y
        assert x + w <= float(root.get("width"))
        assert y + h <= float(root.get("height"))
        assert all(x + w <= u or u + s <= x or y + h <= v or v + t <= y for u, v, s, t in places[i + 1 :])


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: ud.trace(3), errors.ArgumentError),
        (lambda: ud.trace(lambda x: x)("text"), errors.NotAnArrayError),
        (lambda: ud.trace(lambda x: "text")(1.0), errors.NotAnArrayError),
        (lambda: ud.trace(lambda x: x if x > 0 else -x)(1.0), errors.TracedConversionError),
        (lambda: ud.trace(lambda x: x, tangents=(1.0, 2.0))(1.0), errors.ArgumentError),
        (lambda: ud.trace(lambda x: x, tangents=(np.ones(2),))(1.0), errors.ShapeError),
        (lambda: ud.trace(lambda x: x)(1.0)["v9"], KeyError),
    ],
)
def test_misuse(call, error):
    with pytest.raises(error):
        call()
