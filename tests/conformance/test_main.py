"""The command line: exit codes, selection, reports, and what becomes of cases that crash or hang."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from unidiff_conformance.commands import CONFORMANT, ENVIRONMENT, NON_CONFORMANT, USAGE
from unidiff_conformance.documents import SCHEMA, schema
from unidiff_conformance.waivers import WaiverError, read_waivers

from unidiff.cli import main

ONE = ["conformance", "run", "numpy", "-k", "=elementwise.sin.matrix", "--jobs", "0"]
CASE = ["--dtype", "float32", "--mode", "jvp"]
WAIVER = '[[waiver]]\ncases = "{cases}"\nexpect = "accuracy"\nreason = "because"\nlink = "https://example.org"\n'


def waivers(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "waivers.toml"
    file.write_text(text)
    return ["--waivers", str(file)]


def test_a_conformant_backend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ONE, "--profile", "full"]) == CONFORMANT
    out = capsys.readouterr().out
    assert "elementwise  16/16" in out
    assert "Largest errors" in out


def test_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {kind: str(tmp_path / f"report.{kind}") for kind in ("json", "junit", "html")}
    assert main([*ONE, *CASE, *(part for kind, file in names.items() for part in (f"--{kind}", file))]) == CONFORMANT
    content = json.loads(Path(names["json"]).read_text())
    (result,) = content["results"]
    assert (result["dtype"], result["mode"], result["status"]) == ("float32", "jvp", "pass")
    assert result["error_in_tolerances"] < 1
    assert set(content) == set(schema()["required"])
    assert set(result) == set(schema()["properties"]["results"]["items"]["required"])
    assert content["schema"] == SCHEMA == schema()["properties"]["schema"]["const"]
    suite = ET.parse(names["junit"]).getroot()[0]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("numpy", "1", "0")
    page = Path(names["html"]).read_text()
    assert "elementwise.sin.matrix" in page
    assert "/*DATA*/" not in page
    assert main(["conformance", "diff", names["json"], names["json"]]) == CONFORMANT
    assert "0 cases have changed" in capsys.readouterr().out


def test_differences_for_the_worse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    assert main([*ONE, *CASE, "--json", str(before)]) == CONFORMANT
    content = json.loads(before.read_text())
    content["results"][0].update(status="fail", kind="accuracy", message="wrong", error_in_tolerances=None)
    after.write_text(json.dumps(content))
    page = tmp_path / "page.html"
    assert main(["conformance", "diff", str(before), str(after), "--html", str(page)]) == NON_CONFORMANT
    assert "elementwise.sin.matrix:float32:jvp  pass -> fail" in capsys.readouterr().out
    assert '"before":{' in page.read_text()
    drafts = tmp_path / "drafts.toml"
    assert main(["conformance", "update-waivers", str(after), "--backend", "numpy", "--waivers", str(drafts)]) == CONFORMANT
    with pytest.raises(WaiverError, match="non-empty"):
        read_waivers(drafts)


def test_a_waiver_that_is_not_needed_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ONE, *CASE, *waivers(tmp_path, WAIVER.format(cases="elementwise.sin.*:float32:jvp"))]) == NON_CONFORMANT
    out = capsys.readouterr().out
    assert "unexpected pass" in out
    assert "unidiff conformance run numpy --dtype float32 --mode jvp -k '=elementwise.sin.matrix'" in out


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ('when = "numpy<1"\n', CONFORMANT),
        ('when = "numpy>=1"\n', NON_CONFORMANT),
        ('when = "no-such-distribution>=1"\n', CONFORMANT),
        ('expires = "2020-01-01"\n', NON_CONFORMANT),
    ],
)
def test_conditions_and_dates_of_waivers(tmp_path: Path, extra: str, code: int) -> None:
    text = WAIVER.format(cases="elementwise.sin.*:float32:jvp" if "when" in extra else "other.*") + extra
    assert main([*ONE, *CASE, *waivers(tmp_path, text)]) == code


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "-k", "no such scenario"],
        ["run", "numpy", "--profile", "nonesuch"],
        ["explain", "nothing"],
        ["list", "-k", "nothing at all"],
        ["diff", "no-such-file.json", "no-such-file.json"],
    ],
)
def test_misuse(arguments: list[str]) -> None:
    assert main(["conformance", *arguments]) == USAGE


def test_an_unknown_backend_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ONE[:2], "nonesuch", *ONE[2:]]) == ENVIRONMENT
    out = capsys.readouterr().out
    assert "nonesuch: There is no backend 'nonesuch'" in out
    assert "elementwise" in out


@pytest.mark.parametrize(
    "text",
    [
        "[[waiver",
        "other = 1",
        WAIVER.format(cases=""),
        '[[waiver]]\ncases = "*"\n',
        WAIVER.format(cases="*") + 'more = "1"\n',
        WAIVER.format(cases="*").replace("accuracy", "luck"),
        WAIVER.format(cases="*") + 'when = "sometimes"\n',
        WAIVER.format(cases="*") + 'expires = "soon"\n',
    ],
    ids=["syntax", "other", "empty", "lacking", "unknown", "kind", "condition", "date"],
)
def test_a_malformed_file_of_waivers(tmp_path: Path, text: str) -> None:
    options = waivers(tmp_path, text)
    with pytest.raises(WaiverError, match=r"waivers\.toml"):
        read_waivers(Path(options[1]))
    assert main([*ONE, *options]) == ENVIRONMENT


def test_list_explain_and_probe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "list", "-k", "clip"]) == CONFORMANT
    assert "elementwise.clip.at-bounds" in capsys.readouterr().out.splitlines()
    assert main(["conformance", "list", "--profile", "threads"]) == CONFORMANT
    assert capsys.readouterr().out.splitlines()[0] == "behaviour.claim.threads:float64:behaviour"
    assert main(["conformance", "explain", "elementwise.clip.at-both"]) == CONFORMANT
    out = capsys.readouterr().out
    assert "Clause     clip.bound: Where k of array" in out
    assert "Jacobian   [0.3333333333333333]" in out
    assert main(["conformance", "probe", "numpy"]) == CONFORMANT
    assert "vmap=True" in capsys.readouterr().out


PLUGIN = """
import os, time
from dataclasses import replace
import unidiff as ud

class Broken:
    def __init__(self):
        self.good = ud.get_backend("numpy")
        self.info = replace(self.good.info, name="broken", arrays=())
        for name in "namespace device to_device devices asarray from_dlpack to_numpy jvp".split():
            setattr(self, name, getattr(self.good, name))

    def vjp(self, f, primals, *, has_aux=False):
        if primals[0].ndim == 2:
            os._exit(11)
        if primals[0].ndim == 0:
            time.sleep(60)
        return self.good.vjp(f, primals, has_aux=has_aux)

@ud.hookimpl
def unidiff_register_backends():
    yield ud.BackendInfo(name="broken", api_version=1, factory="broken_plugin:Broken", arrays=())
"""


def test_crashes_and_time_outs_are_results_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "broken_plugin.py").write_text(PLUGIN)
    metadata = tmp_path / "broken-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[unidiff]\nbroken = broken_plugin\n")
    file = tmp_path / "report.json"
    command = "conformance run broken -k elementwise.sin. --dtype float64 --mode vjp --mode jvp --jobs 1 --timeout 5 --quiet"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    environment.pop("UNIDIFF_LOAD_PLUGINS", None)
    done = subprocess.run(
        [sys.executable, "-m", "unidiff", *command.split(), "--json", str(file)],
        capture_output=True, text=True, env=environment, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == NON_CONFORMANT, done.stdout + done.stderr
    found = {(r["id"], r["mode"]): (r["status"], r["message"]) for r in json.loads(file.read_text())["results"]}
    assert found["elementwise.sin.matrix", "jvp"][0] == "pass"
    status, message = found["elementwise.sin.matrix", "vjp"]
    assert (status, "exit code 11" in message) == ("crash", True)
    assert found["elementwise.sin.scalar", "vjp"] == ("time-out", "not done after 5 s")
    assert found["elementwise.sin.scalar", "jvp"][0] == "pass"
