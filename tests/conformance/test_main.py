"""The command line: exit codes, selection, reports, and what becomes of cases that crash or hang."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from unidiff_conformance.commands import CONFORMANT, ENVIRONMENT, EXIT_CODES, LOST, MALFORMED, NON_CONFORMANT, USAGE, run
from unidiff_conformance.documents import schema
from unidiff_conformance.mutants.base import Mutant
from unidiff_conformance.waivers import WaiverError, read_waivers

import unidiff as ud
from unidiff.cli import main

ONE = ["conformance", "run", "numpy", "-k", "=elementwise.sin.matrix", "--jobs", "0"]
ALL_PASSED = re.compile(r"^elementwise +([1-9]\d*)/\1$", re.MULTILINE)
CASE = ["--dtype", "float32", "--mode", "jvp"]
WAIVER = '[[waiver]]\ncases = "{cases}"\nexpect = "accuracy"\nreason = "because"\nlink = "https://example.org"\n'


def waivers(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "waivers.toml"
    file.write_text(text)
    return ["--waivers", str(file)]


def test_a_conformant_backend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ONE, "--profile", "full"]) == CONFORMANT
    out = capsys.readouterr().out
    assert ALL_PASSED.search(out)
    assert "Largest errors" in out


def test_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {kind: str(tmp_path / f"report.{kind}") for kind in ("json", "junit", "html")}
    assert main([*ONE, *CASE, *(part for kind, file in names.items() for part in (f"--{kind}", file))]) == CONFORMANT
    content = json.loads(Path(names["json"]).read_text())
    (result,) = content["results"]
    assert (result["dtype"], result["mode"], result["status"]) == ("float32", "jvp", "pass")
    assert result["error_in_tolerances"] < 1
    jsonschema.validate(content, schema())
    suite = ET.parse(names["junit"]).getroot()[0]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("numpy", "1", "0")
    assert main(["conformance", "diff", names["json"], names["json"]]) == CONFORMANT
    assert "0 cases have changed" in capsys.readouterr().out


def test_differences_for_the_worse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    assert main([*ONE, *CASE, "--json", str(before)]) == CONFORMANT
    content = json.loads(before.read_text())
    content["results"][0].update(status="fail", kind="accuracy", message="wrong", error_in_tolerances=None)
    jsonschema.validate(content, schema())
    after.write_text(json.dumps(content))
    page = tmp_path / "page.html"
    assert main(["conformance", "diff", str(before), str(after), "--html", str(page)]) == NON_CONFORMANT
    out = capsys.readouterr().out
    assert "worse   numpy  elementwise.sin.matrix:float32:jvp  pass -> fail" in out
    assert "unidiff conformance run numpy --case elementwise.sin.matrix:float32:jvp" in out
    assert "1 cases have changed: 1 for the worse" in out
    assert '"before":{' in page.read_text()
    assert main(["conformance", "diff", str(after), str(before)]) == CONFORMANT
    assert "1 for the better" in capsys.readouterr().out
    content["results"] = []
    before.write_text(json.dumps(content))
    assert main(["conformance", "diff", str(before), str(after)]) == NON_CONFORMANT
    assert "worse   numpy  1 case  absent -> fail" in capsys.readouterr().out


def test_drafts_of_waivers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, file = tmp_path / "report.json", tmp_path / "waivers.toml"
    assert main([*ONE, *CASE, "--json", str(report)]) == CONFORMANT
    content = json.loads(report.read_text())
    content["results"][0].update(status="fail", kind="accuracy", message="wrong\nby far", error_in_tolerances=2.0)
    report.write_text(json.dumps(content))
    update = ["conformance", "update-waivers", str(report), "--waivers", str(file)]
    assert main(update) == CONFORMANT
    assert "1 waivers added" in capsys.readouterr().out
    with pytest.raises(WaiverError, match="'reason' must be a non-empty string"):
        read_waivers(file)
    file.write_text(file.read_text().replace('""', '"because"'))
    (waiver,) = read_waivers(file)
    assert (waiver.cases, waiver.expect) == ("elementwise.sin.matrix:float32:jvp", "accuracy")
    assert main(update) == CONFORMANT
    assert "no waiver is needed" in capsys.readouterr().out
    content["results"][0].update(status="fail", kind="dtype", message="waived as accuracy, but: other")
    content["results"].append({**content["results"][0], "mode": "vjp", "status": "unexpected pass", "kind": ""})
    report.write_text(json.dumps(content))
    assert main(update) == CONFORMANT
    out = capsys.readouterr().out
    assert "its waiver does not hold: elementwise.sin.matrix:float32:jvp dtype" in out
    assert "no longer needed, since it passes: elementwise.sin.matrix:float32:vjp" in out
    content["results"][0]["backend"] = "other"
    report.write_text(json.dumps(content))
    assert main(update) == USAGE
    assert main([*update, "--backend", "othr"]) == USAGE
    assert "did you mean 'other'" in capsys.readouterr().err


def test_a_waiver_that_is_not_needed_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ONE, *CASE, *waivers(tmp_path, WAIVER.format(cases="elementwise.sin.*:float32:jvp"))]) == NON_CONFORMANT
    out = capsys.readouterr().out
    assert "unexpected pass" in out
    case, again = out[out.index("    unidiff conformance run") :].split("--waivers ")
    assert case.split()[3:] == ["numpy", "--case", "elementwise.sin.matrix:float32:jvp"]
    assert main(shlex.split(f"{case} --waivers {again.splitlines()[0]} --jobs 0")[1:]) == NON_CONFORMANT
    assert "1 unexpected pass" in capsys.readouterr().out


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
    ("arguments", "message"),
    [
        (["run", "-k", "elementwise.sin.matrx"], "Did you mean elementwise.sin.matrix"),
        (["run", "numpy", "--case", "elementwise.sin.matrx"], "Did you mean elementwise.sin.matrix"),
        (["run", "numpy", "--case", "elementwise.sin.matrix:complex64"], "is run in float64 and float32, not in 'complex64'"),
        (["run", "numpy", "--case", "elementwise.sin.matrix:float64:vjq"], "has the modes value, jvp, vjp"),
        (["run", "numpy", "--profile", "cor"], "did you mean 'core'?"),
        (["run", "numpy", *ONE[3:5], "--mode", "rev-over-rev"], "'--profile full' has them all"),
        (["explain", "elementwise.clp.at-both"], "Did you mean elementwise.clip.at-both"),
        (["explain", "?"], "'unidiff conformance list' shows all ids"),
        (["list", "-k", "nothing at all"], "no case is called"),
        (["list", "--category", "linalgg"], "did you mean 'linalg'?"),
        (["list", "--profile", "threads", "--mode", "jit"], "no case has such"),
    ],
)
def test_misuse(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", *arguments]) == USAGE
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "", "[]", '{"schema": 3}', '{"schema": 1, "results": []}', "\x00"])
def test_what_is_no_report(tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.json"
    if content is not None:
        file.write_text(content)
    assert main(["conformance", "diff", str(file), str(file)]) == MALFORMED
    assert str(file) in capsys.readouterr().err


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["run", "--help"]):
        with pytest.raises(SystemExit):
            main(["conformance", *arguments])
        assert EXIT_CODES in capsys.readouterr().out
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()
    assert all(f"| {line.split()[0]} | {line.split(None, 1)[1]} |" in page for line in EXIT_CODES.splitlines()[1:])


def test_an_unknown_backend_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ONE[:2], "numpi", *ONE[2:]]) == ENVIRONMENT
    out = capsys.readouterr().out
    assert "numpi: There is no backend 'numpi'. Did you mean 'numpy'?" in out
    assert ALL_PASSED.search(out)


BACKEND = """
import unidiff as ud

@ud.hookimpl
def unidiff_register_backends():
    yield ud.BackendInfo(name="sick", api_version={version}, factory="sick_backend:Sick", arrays=(), requires={requires})
"""


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("raise RuntimeError('the entry module is broken')", "the entry module is broken"),
        (BACKEND.format(version=0, requires=()), "upgrade the plugin"),
        (BACKEND.format(version=99, requires=()), "upgrade unidiff"),
        (BACKEND.format(version=1, requires=()), "No module named 'sick_backend'"),
        (BACKEND.format(version=1, requires=("no-such-library>=2",)), "no-such-library>=2 is not installed"),
    ],
    ids=["broken", "too old", "too new", "not loadable", "library missing"],
)
def test_a_plugin_that_cannot_be_used_does_not_stop_the_others(add_distribution, plugin, message, capsys, monkeypatch):
    site = add_distribution("sick", "1.3", {"sick_plugin.py": plugin}, {"sick": "sick_plugin"})
    monkeypatch.setenv("PYTHONPATH", str(site))
    assert main([*ONE[:2], "sick", *ONE[2:]]) == ENVIRONMENT
    out = capsys.readouterr().out
    assert message in out
    assert ALL_PASSED.search(out)
    if "library" not in message:  # which is no fault of the plugin
        assert "sick 1.3" in out


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
    assert main([*ONE, *options]) == MALFORMED


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("reason", "resaon"), "'resaon' is unknown (did you mean 'reason'?); 'reason' is missing"),
        (('link = "https://example.org"', "link = 3"), "'link' must be a non-empty string, not 3"),
        (('link = "https://example.org"', 'link = "x"\nexpires = 2020-01-01'), ""),
    ],
)
def test_what_is_wrong_with_a_waiver_is_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    options = waivers(tmp_path, WAIVER.format(cases="*").replace(*change))
    if message:
        with pytest.raises(WaiverError, match=re.escape(message)):
            read_waivers(Path(options[1]))
    else:
        assert read_waivers(Path(options[1]))[0].expired  # a date of TOML is as good as a string


def test_a_malformed_file_that_comes_with_the_suite_stops_its_backend_only(monkeypatch, capsys) -> None:
    def waivers_of(name):
        if name == "finite":
            raise WaiverError("finite.toml: no good")
        return ()

    monkeypatch.setattr(run, "waivers_of", waivers_of)
    assert main([*ONE[:2], "finite", *ONE[2:]]) == MALFORMED
    out = capsys.readouterr().out
    assert "finite: finite.toml: no good" in out
    assert ALL_PASSED.search(out)


@pytest.mark.parametrize("cases", ["elementwise.sine.*", "elementwise.sin.matrix:int8:*", "elementwise.sin.matrix:*:backwards"])
def test_a_waiver_about_no_case_fails_whatever_is_run(tmp_path: Path, cases: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ONE, *CASE, *waivers(tmp_path, WAIVER.format(cases=cases))]) == NON_CONFORMANT
    assert f"the waiver for {cases} is about no case" in capsys.readouterr().out


def test_list_and_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "list", "-k", "clip"]) == CONFORMANT
    assert "elementwise.clip.at-bounds" in capsys.readouterr().out.splitlines()
    assert main(["conformance", "list", "--profile", "threads"]) == CONFORMANT
    assert capsys.readouterr().out.splitlines()[0] == "behaviour.claim.threads:float64:behaviour"
    assert main(["conformance", "list", "-k", "elementwise.sin.", "--dtype", "float32", "--mode", "jvp"]) == CONFORMANT
    assert "elementwise.sin.matrix:float32:jvp" in capsys.readouterr().out.splitlines()
    assert main(["conformance", "list", "--category", "program", "--count"]) == CONFORMANT
    assert capsys.readouterr().out.splitlines()[-1].endswith("in all")
    assert main(["conformance", "explain", "elementwise.clip.at-both:float64:jvp"]) == CONFORMANT
    out = capsys.readouterr().out
    assert "Clause     clip.bound: Where k of array" in out
    assert "Function   lambda xp, x: xp.clip(x, 1.0, 1.0)\n" in out
    assert "Like       lambda xp, x: x / 3\n" in out
    assert "[0.33333333333333331]" in out
    assert "Modes      jvp: Forward mode" in out
    assert main(["conformance", "explain", "elementwise.sin.matrix"]) == CONFORMANT
    assert "where name = 'sin'" in capsys.readouterr().out


class Shy(Mutant):
    """Claims less and more than it has."""

    def __init__(self) -> None:
        super().__init__()
        wrong = {"dtypes": frozenset({"float32"}), "vmap": True, "accuracy": 0.5, "mutation": False}
        self.info = replace(self.info, capabilities=replace(self.info.capabilities, **wrong))


def test_probe(clean_registry: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "probe", "numpy"]) == CONFORMANT
    out = capsys.readouterr().out
    assert "as it claims" in out
    assert eval(out, {"unidiff": ud}) == ud.get_backend("numpy").info.capabilities
    name = ud.register_backend(Shy()).name
    assert main(["conformance", "probe", name, "numpi", "numpy"]) == ENVIRONMENT
    out = capsys.readouterr().out
    assert "4 claims differ" in out
    assert "accuracy=1.0,  # claimed: 0.5" in out
    assert "mutation=True,  # claimed: False" in out
    assert "as it claims" in out


PLUGIN = """
import ctypes, os, time
from dataclasses import replace
import unidiff as ud

class Broken:
    def __init__(self):
        self.good = ud.get_backend("numpy")
        self.info = replace(self.good.info, name="broken", arrays=())
        for name in "namespace device to_device devices asarray from_dlpack to_numpy jvp".split():
            setattr(self, name, getattr(self.good, name))

    def vjp(self, f, primals, *, has_aux=False):
        if len(primals) == 2:
            raise LookupError("two are too many")
        if primals[0].shape == (2, 3):
            os._exit(11)
        if primals[0].shape == (0, 3):
            ctypes.string_at(0)
        if primals[0].shape == ():
            time.sleep(60)
        return self.good.vjp(f, primals, has_aux=has_aux)

@ud.hookimpl
def unidiff_register_backends():
    yield ud.BackendInfo(name="broken", api_version=1, factory="broken_plugin:Broken", arrays=())
    yield ud.BackendInfo(name="dead", api_version=1, factory="dead_backend:Dead", arrays=())
"""


def test_crashes_and_time_outs_are_results_and_the_run_goes_on(add_distribution, tmp_path: Path) -> None:
    modules = {"broken_plugin.py": PLUGIN, "dead_backend.py": "import os\nos._exit(7)\n"}
    site = add_distribution("broken", "1", modules, {"broken": "broken_plugin"})
    file = tmp_path / "report.json"
    ids = ["sin.matrix", "sin.scalar", "sin.empty", "add.same-shape", "sin.complex"]
    cases = [f"elementwise.{name}:{'complex128' if 'complex' in name else 'float64'}" for name in ids]
    arguments = [part for case in cases for mode in ("vjp", "jvp") for part in ("--case", f"{case}:{mode}")]
    environment = {**os.environ, "PYTHONPATH": str(site), "UNIDIFF_LOAD_PLUGINS": "numpy,conformance,broken"}
    command = [sys.executable, *"-m unidiff conformance run dead broken numpy --jobs 1 --timeout 3".split()]
    done = subprocess.run(
        [*command, "--quiet", "--json", str(file), *arguments],
        capture_output=True, text=True, env=environment, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == LOST, done.stdout + done.stderr
    content = json.loads(file.read_text())
    jsonschema.validate(content, schema())
    assert content["backends"]["numpy"]["totals"]["pass"] == len(arguments) // 2
    assert content["backends"]["dead"]["problems"] == [
        "the backend 'dead' of broken 1: the process died as it was loaded with exit code 7"
    ]
    results = [r for r in content["results"] if r["backend"] == "broken"]
    assert all(r["status"] == "pass" for r in results if r["mode"] == "jvp" or "complex" in r["id"])
    found = {r["id"].split(".", 1)[1]: r for r in results if r["mode"] == "vjp"}
    outcomes = {name: (found[name]["status"], found[name]["kind"]) for name in ids}
    assert outcomes == {
        "sin.matrix": ("crash", "crash"),
        "sin.scalar": ("time-out", "time-out"),
        "sin.empty": ("crash", "crash"),
        "add.same-shape": ("fail", "exception"),
        "sin.complex": ("pass", ""),
    }
    assert "exit code 11" in found["sin.matrix"]["message"]
    assert "exit code -11" in found["sin.empty"]["message"]
    assert found["sin.scalar"]["message"] == "not done after 3 s"
    assert found["add.same-shape"]["message"] == "LookupError: two are too many"
    assert 'raise LookupError("two are too many")' in found["add.same-shape"]["traceback"]
    again = "unidiff conformance run broken --case elementwise.sin.scalar:float64:vjp --timeout 3"
    assert again in done.stdout
