"""Fixtures ``unidiff_backend`` and ``unidiff_xp``: a test that asks for one runs once on every backend.

pytest imports this file in every session, so it imports nothing before a test asks for a fixture.
"""

from collections.abc import Iterable
from typing import Any

import pytest

MARKER = "unidiff_backends"
_OPTION = "--unidiff-backends"
_INI = "unidiff_backends"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that chooses backends, and the setting for a whole project."""
    group = parser.getgroup("unidiff")
    group.addoption(
        _OPTION,
        default="",
        metavar="NAMES",
        help="backends for the unidiff fixtures, as in numpy,torch; 'all' for all installed",
    )
    parser.addini(_INI, type="args", default=[], help="backends for the unidiff fixtures where the command line names none")


def pytest_configure(config: pytest.Config) -> None:
    """Describe the marker."""
    config.addinivalue_line(
        "markers", f"{MARKER}(*only, skip={{name: reason}}): the backends on which a test with a unidiff fixture runs"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with one of the fixtures once on every backend."""
    marker = metafunc.definition.get_closest_marker(MARKER)
    if "unidiff_backend" not in metafunc.fixturenames:
        if any(mark.name == MARKER for mark in metafunc.definition.own_markers):  # not those of its class or module
            raise pytest.UsageError(
                f"{metafunc.definition.nodeid} is to run on backends, but takes neither unidiff_backend nor unidiff_xp"
            )
        return
    from unidiff_conformance.environment import prepare

    only, skipped = _read(marker, metafunc.definition.nodeid) if marker else ((), {})
    chosen = _chosen(metafunc.config, only, skipped)
    prepare(chosen)
    parameters = [
        pytest.param(name, marks=[pytest.mark.skip(reason=str(skipped[name]))] if name in skipped else []) for name in chosen
    ]
    if not chosen:
        reason = f"none of the backends that it is for ({', '.join(only) or 'all'}) is installed and chosen"
        parameters = [pytest.param("none", marks=pytest.mark.skip(reason=reason))]
    metafunc.parametrize("unidiff_backend", parameters, indirect=True)


def _read(marker: pytest.Mark, test: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the names and the reasons of a marker, which are the user's to get wrong."""
    skipped = marker.kwargs.get("skip", {})
    unknown = marker.kwargs.keys() - {"skip"}
    if unknown or not isinstance(skipped, dict) or not all(isinstance(name, str) for name in (*marker.args, *skipped)):
        raise pytest.UsageError(
            f"{test}: the marker {MARKER} takes names of backends and skip={{name: reason}}, but it has {marker.args} and "
            f"{dict(marker.kwargs)}"
        )
    return marker.args, skipped


def _chosen(config: pytest.Config, only: tuple[str, ...], skipped: Iterable[str]) -> list[str]:
    import unidiff as ud

    known = ud.backends(installed=False)
    given = [name.strip() for name in config.getoption(_OPTION).split(",") if name.strip()] or config.getini(_INI)
    asked = [] if "all" in given else given
    for name in (*asked, *only, *skipped):
        if name not in known:
            from unidiff_conformance.nearest import meant

            raise pytest.UsageError(f"unidiff knows no backend {name!r}{meant(name, known)}; it knows {', '.join(known)}")
    for name in asked:
        if name not in ud.backends():
            raise pytest.UsageError(f"the backend {name!r} is not installed; {known[name].install}")
    return [name for name in (asked or ud.backends(arrays=True)) if not only or name in only]


@pytest.fixture
def unidiff_backend(request: pytest.FixtureRequest) -> str:
    """Return the name of each installed backend with arrays, in turn."""
    name: str = request.param
    return name


@pytest.fixture
def unidiff_xp(unidiff_backend: str) -> Any:
    """Return the differentiable namespace of each installed backend, in turn."""
    import unidiff as ud

    return ud.namespace(unidiff_backend)
