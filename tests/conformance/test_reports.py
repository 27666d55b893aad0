"""Reports: what a page, JUnit and the terminal say of results of every status."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from unidiff_conformance.documents import document, results_of, schema
from unidiff_conformance.html import write_html
from unidiff_conformance.junit import write_junit
from unidiff_conformance.report import SHOWN, progress, text
from unidiff_conformance.results import Result, Status, from_record

PASSED = Result("numpy", "elementwise.sin.matrix", "float64", "jvp", Status.PASS, units=0.25, seconds=0.001)
FAILED = replace(
    PASSED,
    mode="vjp",
    status=Status.FAIL,
    kind="accuracy",
    message="entry 3 of the input cotangents is 1.0, wanted 2.0</script>\x1b[31m",
    units=math.inf,
    where="entry 3 of the input cotangents",
    got="1.0",
    want="2.0",
    tolerance=1e-14,
    inputs="(2, 3) [1.0]",
    seed=7,
    options=" --waivers 'my waivers.toml'",
)
CRASHED = replace(PASSED, mode="jit", status=Status.CRASH, kind="crash", message="the process died", units=math.inf)
WAIVED = replace(PASSED, dtype="float32", status=Status.WAIVED, kind="dtype", message="because")
OTHERS = (
    replace(PASSED, mode="vmap", status=Status.UNSUPPORTED, message="the backend does not claim vmap"),
    replace(PASSED, mode="value", status=Status.UNEXPECTED_PASS, message="waived, but passes"),
    replace(PASSED, mode="adjoint", status=Status.TIMEOUT, kind="time-out", message="not done after 3 s", units=math.inf),
    replace(PASSED, mode="derived", status=Status.NOT_RUN, message="no such dtype"),
)
RESULTS = (PASSED, FAILED, CRASHED, WAIVED, *OTHERS)
COMMAND = "unidiff conformance run numpy --case elementwise.sin.matrix:float64:vjp --seed 7 --waivers 'my waivers.toml'"


def test_results_of_every_status_survive_the_document():
    content = document(RESULTS, {"numpy": "a claim"}, {"other": ["it is absent"]}, "default")
    jsonschema.validate(json.loads(json.dumps(content, allow_nan=False)), schema())
    assert results_of(content) == list(RESULTS)
    assert {r.status for r in RESULTS} == set(Status)
    assert "lambda xp, *arrays" in content["scenarios"]["elementwise.sin.matrix"]["Function"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "good"}, {"error_in_tolerances": -1}, {"seconds": "1"}, {"dtype": "int8"}, {"kind": "luck"}, {"seed": 1.5},
        {"more": 1}, {"status": "fail", "message": ""}, {"error_in_tolerances": 2.0}, {"id": "no id"}, {"tolerance": None},
    ],
    ids=str,
)  # fmt: skip
def test_the_schema_states_types(change):
    content = document([PASSED], {}, {}, "default")
    content["results"][0].update(change)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema())


@pytest.mark.parametrize(
    "change",
    [{"schema": 2}, {"suite": "one"}, {"problems": [""]}, {"sections": [{}]}, {"backends": {"a": {}}}, {"results": None}],
)
def test_the_schema_states_what_a_run_is(change):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document([PASSED], {}, {}, "default") | change, schema())


def decoded(page: str) -> dict:
    """The runs in a page, read as its program reads them."""
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    runs = json.loads(data)
    for run in filter(None, runs.values()):
        texts = run["texts"]
        run["results"] = [[*(texts[k] for k in row[:5]), *row[5:]] for row in run["results"]]
        run["scenarios"] = {k: {texts[a]: texts[b] for a, b in pairs} for k, pairs in run["scenarios"].items()}
    return runs


def test_the_page_has_every_result_and_what_to_paste(tmp_path: Path):
    file = tmp_path / "page.html"
    content = document(RESULTS, {}, {}, "default")
    write_html(file, content)
    page = file.read_text()
    runs = decoded(page)
    assert runs["before"] is None
    assert [tuple(row[:5]) for row in runs["now"]["results"]] == [
        (r.backend, r.id, r.dtype, r.mode, r.status.value) for r in RESULTS
    ]
    assert runs["now"]["scenarios"] == content["scenarios"]
    _, failed, *_ = runs["now"]["results"]
    assert failed[5] is None  # infinite
    assert {"got": "1.0", "want": "2.0", "where": FAILED.where, "reproduce": COMMAND}.items() <= failed[7].items()
    assert len(runs["now"]["results"][0]) == 7  # nothing more to say of what passed
    assert page.count("</script>") == 2
    assert not re.search(r"https?://", page)  # nothing is loaded from elsewhere


def test_the_page_shows_differences(tmp_path: Path):
    file = tmp_path / "page.html"
    write_html(file, document([FAILED], {}, {}, "default"), document([PASSED], {}, {}, "full"))
    runs = decoded(file.read_text())
    assert runs["before"]["selection"] == "full"
    assert runs["before"]["results"][0][4] == "pass"


def test_junit(tmp_path: Path):
    write_junit(tmp_path / "report.xml", RESULTS)
    (suite,) = ET.parse(tmp_path / "report.xml").getroot()
    assert {k: suite.get(k) for k in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": "numpy", "tests": "8", "failures": "2", "errors": "2", "skipped": "3",
    }  # fmt: skip
    failure = suite.find("testcase[@name='elementwise.sin.matrix:float64:vjp']/failure")
    assert failure.get("type") == "accuracy"
    assert failure.text.splitlines()[-1] == COMMAND


def test_the_terminal_has_a_command_for_each_failure():
    out = text(RESULTS, {"numpy": "a claim"}, {"other": ["it is absent"]})
    assert COMMAND in out
    assert out.count("unidiff conformance run numpy --case") == sum(r.failed for r in RESULTS)
    assert "other: it is absent" in out
    assert out.splitlines()[-1] == "numpy  a claim"


def test_where_everything_fails_the_terminal_has_the_worst_of_each_function():
    functions = [f"elementwise.f{k % 3}.v{k}" for k in range(2 * SHOWN)]
    many = [replace(FAILED, id=name, units=float(k)) for k, name in enumerate(functions)]
    out = text(many, {}, {})
    assert out.count("unidiff conformance run") == 3
    assert all(f"--case elementwise.f{k % 3}.v{k}:" in out for k in range(2 * SHOWN - 3, 2 * SHOWN))
    assert f"and {2 * SHOWN - 3} more failures" in out


def test_failures_are_told_while_the_run_goes_on(capsys):
    with progress("numpy", 2, enabled=True) as advance:
        advance(PASSED.id, [PASSED])
        advance(FAILED.id, [FAILED])
    err = capsys.readouterr().err
    assert COMMAND in err


@pytest.mark.parametrize("record", [{}, {**PASSED.record(), "status": "good"}, {**PASSED.record(), "more": 1}])
def test_what_is_no_record_is_refused(record):
    with pytest.raises(ValueError, match=r"record|Status"):
        from_record(record)
