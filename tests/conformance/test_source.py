"""The source of a function, as reports and ``explain`` show it."""

from unidiff_conformance.source import source

PAIR = (lambda x: x + 1, lambda x: sorted([x], key=lambda y: y * 2))


def scaled(factor):
    return lambda x: factor * x


def around(f):
    return lambda x: f(x) - 1


def plain(x):
    return x


def test_of_several_lambdas_on_a_line_each_is_itself():
    assert source(PAIR[0]) == "lambda x: x + 1"
    assert source(PAIR[1]) == "lambda x: sorted([x], key=lambda y: y * 2)"


def test_what_is_closed_over_is_told():
    assert source(scaled(3)) == "lambda x: factor * x\nwhere factor = 3"
    assert source(around(scaled(3))) == "lambda x: f(x) - 1\nwhere f = lambda x: factor * x\nwhere factor = 3"
    assert source(around(plain)) == "lambda x: f(x) - 1\nwhere def plain(x):\n    return x"


def test_what_has_no_source_is_named():
    assert source(len) == "<built-in function len>"
    assert source(eval("lambda x: x")).startswith("<function <lambda>")
