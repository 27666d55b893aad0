"""Registers the zero backend, which needs no library of its own."""

from collections.abc import Iterator

import unidiff


@unidiff.hookimpl
def unidiff_register_backends() -> Iterator[unidiff.BackendInfo]:
    """Describe the backend: chosen by name, with no digit right in any derivative."""
    yield unidiff.BackendInfo(
        name="zero",
        api_version=1,
        factory="unidiff_backends.zero:ZeroBackend",
        arrays=(),
        library="any",
        install="pip install unidiff-array",
        capabilities=unidiff.Capabilities(accuracy=0.0),
    )
