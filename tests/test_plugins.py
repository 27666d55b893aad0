"""What plugins add besides backends: described, imported on use, and isolated when it is not as the hook asks."""

import sys

import pytest

import unidiff as ud
from unidiff import registry
from unidiff.cli import doctor, main
from unidiff.cli.console import PlainConsole
from unidiff.errors import ArgumentError, PluginError

KINDS = ("commands", "scenarios", "oracles", "report_sections")
PLUGIN = """
import unidiff

@unidiff.hookimpl
def unidiff_register_{kind}():
    {body}
"""
GOOD = "yield ('extra', 'something more', 'extra_things:thing')"


def add(add_distribution, kind, body=GOOD, name="extra", things="def thing(*args): return 'a thing'\n"):
    modules = {f"{name}_plugin.py": PLUGIN.format(kind=kind, body=body), f"{name}_things.py": things}
    return add_distribution(name, "4.2", modules, {name: f"{name}_plugin"})


def of(kind, name="extra"):
    return [c for c in ud.contributions(kind) if c.name == name]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_described_is_imported_on_use_only(add_distribution, kind):
    add(add_distribution, kind)
    (found,) = of(kind)
    assert (found.help, found.origin) == ("something more", "extra 4.2")
    assert "extra_things" not in sys.modules
    assert found.load()() == "a thing"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise RuntimeError('out of order')", "out of order"),
        ("raise SystemExit('bye')", "bye"),
        ("return None", "must yield"),
        ("return 'extra'", "must yield"),
        ("return [('extra', 'two parts only')]", "three strings"),
        ("return [('extra', 'x', print)]", "three strings"),
        ("return [('two words', 'x', 'extra_things:thing')]", "one word"),
        ("return [('extra', 'x', 'extra_things')]", "package.module:function"),
        ("return [('extra', 'x', 'm:f')] * 2", "extra 4.2 has already"),
    ],
)
def test_a_plugin_that_answers_something_else_is_left_out(add_distribution, kind, body, message):
    """As a whole, named with distribution and version; the others are still there, and doctor shows it once."""
    add(add_distribution, kind, body)
    add(add_distribution, kind, GOOD.replace("extra", "other"), "other")
    assert [c.origin for c in of(kind, "other")] == ["other 4.2"]
    (failed,) = of(kind)
    assert message in str(failed.failure)
    with pytest.raises(PluginError, match=r"'extra' of extra 4\.2 failed") as raised:
        failed.load()
    assert raised.value.__cause__ is failed.failure
    of(kind)
    (record,) = registry.broken()
    assert (record.distribution, record.version, record.phase) == ("extra", "4.2", f"unidiff_register_{kind}")
    assert type(failed.failure).__name__ in record.traceback


def test_two_plugins_with_one_name_keep_the_first(add_distribution):
    add(add_distribution, "oracles")
    add(add_distribution, "oracles", GOOD.replace("extra_things", "second_things"), "second")
    (found,) = of("oracles")
    assert found.origin == "extra 4.2"
    assert "'extra', which extra 4.2 has already" in str(of("oracles", "second")[0].failure)


@pytest.mark.parametrize(
    ("things", "message"),
    [
        ("raise ImportError('no such library')", "no such library"),
        ("other = 1", "thing"),
        ("raise SystemExit(3)", "SystemExit"),
    ],
)
def test_what_cannot_be_imported_is_named(add_distribution, things, message, capsys, monkeypatch):
    add(add_distribution, "scenarios", things=things)
    with pytest.raises(PluginError, match=f"'extra' of extra 4.2 cannot be imported.*{message}"):
        of("scenarios")[0].load()
    monkeypatch.setattr(doctor, "make_console", PlainConsole)
    assert main(["doctor", "extra"]) == 1
    assert "wrong   extra: among the scenarios of plugins: 'extra' of extra 4.2 cannot be imported: " in capsys.readouterr().out


def test_strict_plugins_raise(add_distribution, monkeypatch):
    add(add_distribution, "commands", "raise RuntimeError('out of order')")
    monkeypatch.setenv("UNIDIFF_STRICT_PLUGINS", "1")
    with pytest.raises(RuntimeError, match="out of order"):
        ud.contributions("commands")


def test_a_mistyped_hook_is_no_hook(add_distribution):
    add(add_distribution, "scenaros")
    (record,) = registry.broken()
    assert "did you mean 'unidiff_register_scenarios'" in str(record.error)
    assert (record.distribution, record.version, record.phase) == ("extra", "4.2", "register")


@pytest.mark.parametrize("kind", ["scenaros", "", None])
def test_there_are_no_other_kinds(kind):
    with pytest.raises(ArgumentError, match="kind"):
        ud.contributions(kind)


def test_backends_have_an_origin():
    found = {c.name: c for c in ud.contributions("backends")}
    assert found.keys() == ud.backends(installed=False).keys()
    assert found["numpy"].origin.startswith("unidiff-array ")
    assert found["numpy"].factory == ud.backends()["numpy"].factory


def test_what_is_registered_by_hand_has_an_origin_too(clean_registry):
    class Plugin:
        @ud.hookimpl
        def unidiff_register_oracles(self):
            return [("mine", "by hand", "math:sqrt")]

    registry.plugin_manager().register(Plugin())
    (found,) = of("oracles", "mine")
    assert (found.origin, found.load()(4.0)) == ("this session", 2.0)
