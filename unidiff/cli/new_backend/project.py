"""Writes the files of a new plugin from the templates beside this module."""

from __future__ import annotations

import keyword
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from string import Template
from types import ModuleType

from unidiff import registry
from unidiff.backend import API_VERSION
from unidiff.errors import ArgumentError

FILES = {
    "pyproject": "pyproject.toml",
    "readme": "README.md",
    "waivers": "waivers.toml",
    "ci/workflow": ".github/workflows/ci.yml",
    "package/package": "src/{package}/__init__.py",
    "package/plugin": "src/{package}/plugin.py",
    "package/backend": "src/{package}/backend.py",
    "tests/conformance": "tests/test_conformance.py",
}
"""Each template and the path of the file made from it."""
FLOATING = ("bfloat16", "float16", "float32", "float64", "complex64", "complex128")
"""Dtypes that can be differentiated, of which a library has those that its namespace names."""


def write_project(name: str, *, over: str = "array_api_compat.numpy", out: Path | None = None) -> list[Path]:
    """Write a plugin as a project of its own.

    Parameters
    ----------
    name : str
        The name of the backend.
    over : str
        The module that is the library's array API namespace; it has to be importable.
    out : pathlib.Path, optional
        The folder to make, ``unidiff-NAME`` by default. It must not exist, or be empty.

    Returns
    -------
    list of pathlib.Path
        The folder, and the files in it.

    Raises
    ------
    unidiff.errors.ArgumentError
        If the name cannot be one of a new backend, the namespace does not exist, or the folder is in use.
    """
    _check_name(name)
    namespace = _namespace(over)
    folder = Path(f"unidiff-{name.replace('_', '-')}") if out is None else out
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ArgumentError(f"{folder} exists already and is not an empty folder; pass another one with --out")
    values = {
        "name": name,
        "package": f"unidiff_{name}",
        "distribution": f"unidiff-{name.replace('_', '-')}",
        "namespace": over,
        "dtypes": ", ".join(f'"{dtype}"' for dtype in FLOATING if hasattr(namespace, dtype)),
        "api_version": str(API_VERSION),
        "unidiff": _release(),
    }
    templates = files("unidiff.cli.new_backend") / "template"
    written = [folder]
    for template, path in FILES.items():
        target = folder / path.format(**values)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (templates / f"{template}.txt").read_text(encoding="utf-8")
        target.write_text(Template(text).substitute(values), encoding="utf-8")
        written.append(target)
    return written


def _check_name(name: str) -> None:
    if not (name.isascii() and name.isidentifier() and name == name.lower() and name[0] != "_") or keyword.iskeyword(name):
        raise ArgumentError(
            f"{name!r} is no name for a backend: it must be a Python identifier in lower case that does not begin with an "
            "underscore and is no keyword, such as 'mylib'"
        )
    if name in registry.backends(installed=False):
        raise ArgumentError(f"there is a backend {name!r} already; choose another name")


def _namespace(over: str) -> ModuleType:
    if not all(part.isidentifier() for part in over.split(".")):
        raise ArgumentError(f"{over!r} is not the dotted name of a module, such as 'array_api_compat.numpy'")
    try:
        return import_module(over)
    except ImportError as error:
        raise ArgumentError(
            f"the namespace {over!r} cannot be imported here ({error}); install its library, or correct the name"
        ) from error


def _release() -> str:
    try:
        return ".".join(version("unidiff-array").split(".")[:2])
    except PackageNotFoundError:  # a source tree on the path
        return "0"
