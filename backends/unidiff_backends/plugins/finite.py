"""Registers the backend of finite differences, which needs no library of its own."""

from collections.abc import Iterator

import unidiff


def describe(name: str, accuracy: float) -> unidiff.BackendInfo:
    """Describe the backend: it is chosen by name, and has the accuracy of its difference quotient."""
    return unidiff.BackendInfo(
        name=name,
        api_version=1,
        factory="unidiff_backends.finite:FiniteBackend",
        arrays=(),
        library="any",
        install="pip install unidiff-array",
        capabilities=unidiff.Capabilities(modes=frozenset({"forward"}), accuracy=accuracy),
    )


@unidiff.hookimpl
def unidiff_register_backends() -> Iterator[unidiff.BackendInfo]:
    """Describe the backend with its default, central differences whose error is of the fourth power of the step."""
    yield describe("finite", 4 / 5)
