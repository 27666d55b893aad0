"""The derivative standard: every function has a clause, every clause a scenario, and the document is what the code says."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from unidiff_conformance.behaviours import BEHAVIOURS
from unidiff_conformance.scenario import Rule
from unidiff_conformance.scenarios import scenarios
from unidiff_conformance.standard import clause_of, clauses
from unidiff_conformance.standard.clause import ClauseError, _read, function_of

import unidiff as ud
from tests.rules.test_coverage import NAMES

ROOT = Path(__file__).parents[2]
IDS = (*scenarios(), *BEHAVIOURS)


def test_every_function_has_a_clause():
    functions = {clause.function for clause in clauses().values()}
    assert functions >= set(NAMES)
    assert functions >= {f"special.{name}" for name in ud.special.__all__} | {"special.einsum"}
    known = {*NAMES, "general", "array.getitem", "array.setitem", "special.einsum"}
    assert functions <= known | {f"special.{name}" for name in ud.special.__all__}


def test_every_scenario_has_a_clause_and_every_clause_a_scenario():
    assert {clause_of(case).id for case in IDS} == set(clauses())


@pytest.mark.parametrize("clause", clauses().values(), ids=list(clauses()))
def test_every_pattern_is_about_a_scenario(clause):
    own = [c if clause.function == "general" else c.split(".", 2)[2] for c in IDS if function_of(c) == clause.function]
    for pattern in clause.at:
        assert any(replace(clause, at=(pattern,)).concerns(variant) for variant in own), pattern


def test_every_clause_says_something():
    for clause in clauses().values():
        assert clause.factors or (clause.jvp and clause.vjp) or clause.text, clause.id
        assert clause.id == clause.function or clause.id.startswith(f"{clause.function}.")


def test_every_rule_decides_some_derivative():
    used = {item.rule for item in scenarios().values()} | {item.rule for item in BEHAVIOURS.values()}
    assert used | {clause.rule for clause in clauses().values()} >= set(Rule)


def test_a_scenario_of_an_unknown_function_belongs_to_no_clause():
    with pytest.raises(ClauseError, match="nonsense"):
        clause_of("elementwise.nonsense.matrix")
    with pytest.raises(ClauseError, match="general"):
        clause_of("program.nonsense.matrix")


@pytest.mark.parametrize(
    "table",
    [
        {"formula": "x"},
        {"d": ["x"], "zero-point": {"at": ["x"], "rule": "kink"}},
        {"d": ["x"], "point": {"text": "x", "at": ["x"]}},
    ],
    ids=["unknown key", "no text", "no rule"],
)
def test_malformed_clauses(table):
    with pytest.raises(ClauseError):
        list(_read("elementwise", "abs", table))


def test_the_document_is_up_to_date():
    command = [sys.executable, str(ROOT / "docs/generate_derivative_standard.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
