"""The command line: exit codes, selection, reports."""

import json
from pathlib import Path

import pytest
from unidiff_conformance.__main__ import CONFORMANT, ENVIRONMENT, NON_CONFORMANT, USAGE, main
from unidiff_conformance.waivers import WaiverError, read_waivers

ONE = ["--backend", "numpy", "-k", "=elementwise.sin.matrix"]
WAIVER = '[[waiver]]\ncases = "{cases}"\nexpect = "accuracy"\nreason = "because"\nlink = "https://example.org"\n'


def test_a_conformant_backend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ONE) == CONFORMANT
    out = capsys.readouterr().out
    assert "elementwise" in out
    assert "13/13" in out


def test_a_selection_by_dtype_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    assert main([*ONE, "--dtype", "float32", "--mode", "jvp", "--json", str(file)]) == CONFORMANT
    (result,) = json.loads(file.read_text())["results"]
    assert (result["dtype"], result["mode"], result["status"]) == ("float32", "jvp", "pass")
    assert result["error_in_tolerances"] < 1


def test_a_waiver_that_is_not_needed_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text(WAIVER.format(cases="elementwise.sin.*:float32:jvp"))
    assert main([*ONE, "--waivers", str(file)]) == NON_CONFORMANT
    out = capsys.readouterr().out
    assert "unexpected pass" in out
    assert "python -m unidiff_conformance --backend numpy --dtype float32 --mode jvp -k '=elementwise.sin.matrix'" in out


@pytest.mark.parametrize("arguments", [["-k", "no such scenario"], ["--mode", "sideways"], ["--explain", "nothing"]])
def test_misuse(arguments: list[str]) -> None:
    assert main(arguments) == USAGE


def test_an_unknown_backend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--backend", "nonesuch"]) == ENVIRONMENT
    assert "numpy" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["[[waiver", WAIVER.format(cases=""), '[[waiver]]\ncases = "*"\n', WAIVER.format(cases="*") + 'more = "1"\n'],
    ids=["syntax", "empty", "lacking", "unknown"],
)
def test_a_malformed_file_of_waivers(tmp_path: Path, text: str) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text(text)
    with pytest.raises(WaiverError, match=r"waivers\.toml"):
        read_waivers(file)
    assert main([*ONE, "--waivers", str(file)]) == ENVIRONMENT


def test_list_and_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "-k", "clip"]) == CONFORMANT
    assert "elementwise.clip.at-bounds" in capsys.readouterr().out.splitlines()
    assert main(["--explain", "elementwise.clip.at-both"]) == CONFORMANT
    out = capsys.readouterr().out
    assert "Clause     clip.bound: Where k of array" in out
    assert "Rule       KINK" in out
    assert "Jacobian   [0.3333333333333333]" in out
