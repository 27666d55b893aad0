"""Fixtures ``unidiff_backend`` and ``unidiff_xp``: a test that asks for one runs once on every backend.

pytest imports this file in every session, so it imports nothing before a test asks for a fixture.
"""

from typing import Any

import pytest

MARKER = "unidiff_backends"
_OPTION = "--unidiff-backends"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that chooses backends."""
    group = parser.getgroup("unidiff")
    group.addoption(
        _OPTION, default="", metavar="NAMES", help="backends for the unidiff fixtures, as in numpy,torch; default all"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Describe the marker."""
    config.addinivalue_line(
        "markers", f"{MARKER}(*only, skip={{name: reason}}): the backends on which a test with a unidiff fixture runs"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with one of the fixtures once on every backend."""
    if "unidiff_backend" not in metafunc.fixturenames:
        return
    from unidiff_conformance.environment import prepare

    marker = metafunc.definition.get_closest_marker(MARKER)
    only, skipped = (marker.args, marker.kwargs.get("skip", {})) if marker else ((), {})
    chosen = _chosen(metafunc.config, only, skipped)
    prepare(chosen)
    parameters = [
        pytest.param(name, marks=[pytest.mark.skip(reason=str(skipped[name]))] if name in skipped else []) for name in chosen
    ]
    metafunc.parametrize("unidiff_backend", parameters, indirect=True)


def _chosen(config: pytest.Config, only: tuple[str, ...], skipped: dict[str, str]) -> list[str]:
    import unidiff as ud

    installed = list(ud.backends(arrays=True))
    known = ud.backends(installed=False)
    asked = [name.strip() for name in config.getoption(_OPTION).split(",") if name.strip()]
    for name in (*asked, *only, *skipped):
        if name not in known:
            raise pytest.UsageError(f"unidiff knows no backend {name!r}; it knows {', '.join(known)}")
    for name in asked:
        if name not in ud.backends():
            raise pytest.UsageError(f"the backend {name!r} is not installed; {known[name].install}")
    return [name for name in (asked or installed) if not only or name in only]


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
