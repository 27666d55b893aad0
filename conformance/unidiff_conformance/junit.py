"""A run as JUnit XML, which continuous integration shows."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from unidiff_conformance.results import Result, Status

_SKIPPED = frozenset({Status.UNSUPPORTED, Status.NOT_RUN, Status.WAIVED})


def write_junit(path: Path, results: Sequence[Result]) -> None:
    """Write one suite for each backend, with one test for each case."""
    root = ET.Element("testsuites", name="unidiff-conformance")
    for backend in dict.fromkeys(result.backend for result in results):
        own = [result for result in results if result.backend == backend]
        suite = ET.SubElement(root, "testsuite", name=backend, tests=str(len(own)))
        suite.set("failures", str(sum(r.status in (Status.FAIL, Status.UNEXPECTED_PASS) for r in own)))
        suite.set("errors", str(sum(r.status in (Status.CRASH, Status.TIMEOUT) for r in own)))
        suite.set("skipped", str(sum(r.status in _SKIPPED for r in own)))
        for result in own:
            _add(suite, result)
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _add(suite: ET.Element, result: Result) -> None:
    case = ET.SubElement(suite, "testcase", classname=f"{result.backend}.{result.category}", name=result.case)
    case.set("time", f"{result.seconds:.4f}")
    if result.failed:
        tag = "error" if result.status in (Status.CRASH, Status.TIMEOUT) else "failure"
        note = ET.SubElement(case, tag, type=result.kind or result.status.value, message=_clean(result.message))
        note.text = _clean(f"{result.message}\n{result.reproduce}")
    elif result.status in _SKIPPED:
        ET.SubElement(case, "skipped", message=_clean(f"{result.status.value}: {result.message}"))


def _clean(text: str) -> str:
    """Leave out characters that XML cannot hold, such as the escapes of coloured messages."""
    return "".join(c for c in text if c in "\t\n\r" or c >= " ")
