"""The environment variables that the libraries of backends want for tests, as their plugins say."""

import os
from collections.abc import Iterable, MutableMapping

import unidiff as ud


def environment_of(names: Iterable[str]) -> dict[str, str]:
    """Return the environment variables that the plugins of backends ask for."""
    infos = ud.backends(installed=False)
    settings = (setting for name in names if name in infos for setting in infos[name].test_environment)
    return {name: value for name, _, value in (setting.partition("=") for setting in settings)}


def prepare(names: Iterable[str], environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the variables that are not set already; before the libraries are imported, for they read them then."""
    for name, value in environment_of(names).items():
        environment.setdefault(name, value)
