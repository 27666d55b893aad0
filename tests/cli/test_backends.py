"""``unidiff backends``: what it lists and in which forms."""

import json

import numpy as np
import pytest

import unidiff as ud
from unidiff.cli import main
from unidiff.cli.backends import describe, device_name, library_versions, markdown

ABSENT = ud.BackendInfo(
    name="absent", api_version=1, factory="a.b:C", arrays=(), requires=("no-such-library>=1",), install="pip install it"
)
OLD = ud.BackendInfo(name="old", api_version=1, factory="a.b:C", arrays=(), requires=("numpy>=999",))
PLUGIN = """
import unidiff

@unidiff.hookimpl
def unidiff_register_backends():
    yield unidiff.BackendInfo(name="absent", api_version=1, factory="a.b:C", arrays=("absent",),
                              requires=("no-such-library>=1",), install="pip install it")
    yield unidiff.BackendInfo(name="faulty", api_version=1, factory="no_such_module:C", arrays=("faulty",))
"""


def test_json_describes_every_backend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backends", "--json"]) == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert set(records) == set(ud.backends(installed=False))
    assert records["numpy"]["status"] == "installed"
    assert records["numpy"]["versions"]["numpy"] == np.__version__
    assert "devices" not in records["numpy"]


def test_devices_are_those_of_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backends", "--json", "--devices"]) == 0
    for record in json.loads(capsys.readouterr().out):
        if record["status"] == "installed":
            assert record["devices"] == [device_name(device) for device in ud.get_backend(record["name"]).devices()]
            assert record["devices"]


@pytest.mark.parametrize(("info", "status"), [(ABSENT, "not installed"), (OLD, "wrong version")])
def test_status_of_a_backend_that_cannot_be_used(info: ud.BackendInfo, status: str) -> None:
    record = describe(info, with_devices=True)
    assert record["status"] == status
    assert len(record["unmet"]) == 1
    assert "devices" not in record


def test_versions_are_found_whatever_the_form_of_the_requirement() -> None:
    info = ud.BackendInfo(name="x", api_version=1, factory="a.b:C", arrays=(), requires=("numpy", "pluggy>=1,<9", "nix>=1"))
    versions = library_versions(info)
    assert list(versions) == ["numpy", "pluggy", "nix"]
    assert versions["numpy"] == np.__version__
    assert versions["pluggy"]
    assert versions["nix"] is None


def test_text_says_how_to_install_what_is_missing(add_distribution, plain_console, capsys) -> None:
    add_distribution("extra", "1.0", {"extra_plugin.py": PLUGIN}, {"extra": "extra_plugin"})
    assert main(["backends", "--devices"]) == 0
    text = capsys.readouterr().out
    assert "absent: not installed (no-such-library>=1 is not installed)\n    pip install it" in text
    assert "faulty: broken (load of extra 1.0)" in text


def test_markdown_has_a_column_for_each_backend() -> None:
    capabilities = ud.Capabilities(modes=frozenset({"reverse"}), max_order=2, mutation=False)
    info = ud.BackendInfo(name="one", api_version=1, factory="a.b:C", arrays=(), capabilities=capabilities)
    lines = markdown([info, ABSENT]).splitlines()
    assert lines[0] == "|  | one | absent |"
    assert "| forward mode | derived | native |" in lines
    assert "| highest order of derivative | 2 | any |" in lines
    assert "| item assignment inside the function | no | yes |" in lines
    assert "| exact derivatives | yes | yes |" in lines


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cpu", "cpu"),
        ("cuda:0", "cuda:0"),
        ("<CUDA Device 0>", "<CUDA Device 0>"),
        ("xp.Device('one')", "one"),
        ("f(1)", "f(1)"),
    ],
)
def test_names_of_devices(text: str, name: str) -> None:
    class Device:
        def __str__(self) -> str:
            return text

    assert device_name(Device()) == name


def test_text_tells_backends_that_are_chosen_by_name_and_what_they_are_worth(plain_console, capsys) -> None:
    assert main(["backends"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    for name in ("finite", "zero"):
        assert "by name, arrays of any library" in rows[name]
    assert "errors of the order eps**0.8" in rows["finite"]
    assert "errors of the order 1" in rows["zero"]
    assert "errors" not in rows["numpy"]
