"""The documents: their examples run and give what they promise, and their links lead somewhere."""

import doctest
import inspect
import re
from pathlib import Path

import pytest

import unidiff as ud

ROOT = Path(__file__).parent.parent
DOCUMENTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.glob("*.md")} | {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.glob("[!.]*/*.md")
}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CODE = {name: [found for found in BLOCK.findall(text) if found[0] in {"python", "pycon"}] for name, text in DOCUMENTS.items()}
FRAMEWORKS = {"torch", "jax"}


def test_the_guides_have_examples():
    assert {"README.md", "docs/transforms.md", "docs/second-order.md", "docs/optimizers.md"} <= {
        n for n, c in CODE.items() if c
    }


@pytest.mark.parametrize("name", [name for name, code in CODE.items() if code])
def test_examples_run_in_the_order_of_the_page(name, capsys, clean_registry):
    space, missing = {}, FRAMEWORKS - ud.backends().keys()
    for language, source in CODE[name]:
        if any(re.search(rf"\b{framework}\b", source) for framework in missing):
            continue
        if language == "python":
            exec(compile(source, name, "exec"), space)
            continue
        test = doctest.DocTestParser().get_doctest(source, space, name, name, 0)
        assert test.examples, source
        report = []
        results = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(
            test, out=report.append, clear_globs=False
        )
        assert results.failed == 0, "".join(report)
        space.update(test.globs)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_to_files_lead_somewhere(name):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", DOCUMENTS[name]):
        assert (ROOT / name).parent.joinpath(target).exists(), target


@pytest.mark.parametrize("name", ["README.md", *(n for n in DOCUMENTS if n.startswith("docs/"))])
def test_names_of_the_package_in_the_text_exist(name):
    for path in set(re.findall(r"`(?:ud|unidiff)\.([A-Za-z_][\w.]*)", DOCUMENTS[name])):
        found = ud
        for part in path.rstrip(".").split("."):
            if not hasattr(found, part):
                __import__(f"unidiff.{path.rpartition('.')[0] or path}")
            found = getattr(found, part)


GUIDES = "".join(text for name, text in DOCUMENTS.items() if name == "README.md" or name.startswith("docs/"))
FUNCTIONS = [name for name in ud.__all__ if inspect.isfunction(getattr(ud, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_names_stand_in_a_guide(name):
    assert re.search(rf"\b{name}\b", GUIDES)


@pytest.mark.parametrize("name", ud.optim.__all__)
def test_public_names_of_the_optimizers_stand_in_their_guide(name):
    assert re.search(rf"\b{name}\b", DOCUMENTS["docs/optimizers.md"])
