"""Versions: what plugins declare, what the package asks for, and what the tests run with agree."""

import importlib.machinery
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

import unidiff as ud
from unidiff.requirements import _padded, _release, parse

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OFFICIAL = ("numpy", "torch", "jax", "array_api_strict", "dask", "cupy")
ASKED = {
    name.lower(): bound
    for each in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for name, bound in (m.groups() for m in (re.fullmatch(r"([\w-]+)(?:\[.*\])?>=([\d.]+)", r) for r in each) if m)
}
PINNED = dict(
    line.lower().replace("_", "-").split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
)


@pytest.fixture(scope="module")
def infos():
    from importlib import import_module

    return {
        name: next(iter(import_module(f"unidiff_backends.plugins.{name}").unidiff_register_backends())) for name in OFFICIAL
    }


def bounds(requirement):
    """Each alternative's name with its lower bound."""
    return {
        name: next(wanted for compare, wanted in clauses if compare.__name__ == "ge") for name, clauses in parse(requirement)
    }


@pytest.mark.parametrize("name", OFFICIAL)
def test_lower_bounds_of_a_plugin_are_those_of_the_package(name, infos):
    for requirement in infos[name].requires:
        for distribution, wanted in bounds(requirement).items():
            if distribution in ASKED:
                assert wanted == _release(ASKED[distribution]), distribution


@pytest.mark.parametrize("name", [name for name in OFFICIAL if name != "cupy"])  # no GPU has tried it
def test_the_versions_that_the_tests_run_with_are_within_the_tested_range(name, infos):
    assert infos[name].tested
    for requirement in infos[name].tested:
        ((distribution, clauses),) = parse(requirement)
        release = _release(PINNED[distribution])
        assert all(compare(*_padded(release, wanted)) for compare, wanted in clauses), requirement
        assert any(compare.__name__ == "lt" for compare, _ in clauses), "a range that was tested has an end"


def script():
    loader = importlib.machinery.SourceFileLoader("versions", str(ROOT / ".ci" / "versions"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("versions", loader))
    loader.exec_module(module)
    return module


def test_the_job_tries_every_library_that_a_plugin_declares(infos):
    versions = script()
    pins = map(versions.lower_bound, versions.requirements(["torch", "jax", "scipy"]))
    tried = {pin.partition("==")[0].partition("[")[0] for pin in pins}
    declared = {distribution for info in infos.values() for r in info.requires for distribution in bounds(r)}
    assert {name for name in declared if not name.startswith("cupy")} <= tried
    assert {"optree", "pluggy", "scipy"} <= tried
    for path in versions.TESTS:
        assert (ROOT / path).is_file(), path
    assert {name for name, _ in versions.SUITES} < set(OFFICIAL)


@pytest.mark.parametrize("alternatives", ["no-such-one>=1 | numpy>=1", "numpy>=1|no-such-one>=1", "numpy>=99 | numpy>=1"])
def test_one_alternative_is_enough(alternatives):
    from unidiff.requirements import unmet

    assert unmet(alternatives) is None


def test_of_alternatives_all_are_named():
    from unidiff.requirements import unmet

    assert "no-such-one>=1 | no-such-two>=2 is not installed" in str(unmet("no-such-one>=1 | no-such-two>=2"))
    assert "version" in str(unmet("no-such-one>=1 | numpy>=99"))
    with pytest.raises(ud.errors.PluginError, match="requirement"):
        unmet("numpy>=1 | ")
