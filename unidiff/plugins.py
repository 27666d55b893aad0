"""Finds plugins and validates what they register; a broken plugin is recorded and never stops the others."""

import os
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pluggy

from unidiff import hookspecs
from unidiff.backend import API_VERSION, BackendInfo, Capabilities
from unidiff.errors import PluginError
from unidiff.requirements import parse

__all__ = ["BrokenPlugin", "Plugins", "Registration", "discover"]

DISTRIBUTION = "unidiff-array"
"""The distribution that this package is part of."""

OLDEST_API_VERSION = 1
"""The oldest version of the contract that still works."""
_HOOK_PREFIX = "unidiff_"


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """What went wrong with one plugin.

    Parameters
    ----------
    name : str
        The name of the entry point, or of the backend where `phase` is "load".
    distribution, version : str
        Where it comes from.
    phase : {"import", "register", "info", "load"}
        When it failed: at the import of its entry module, at the check of its hooks, at its description of a backend, or at
        the first use of a backend.
    error : BaseException
        The exception.
    traceback : str
        Its formatted traceback.
    """

    name: str
    distribution: str
    version: str
    phase: str
    error: BaseException
    traceback: str

    @property
    def origin(self) -> str:
        """The distribution and its version, for messages."""
        return f"{self.distribution} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class Registration:
    """A backend and the plugin and distribution that registered it."""

    info: BackendInfo
    plugin: str
    distribution: str
    version: str

    @property
    def origin(self) -> str:
        """The distribution and its version, for messages."""
        return f"{self.distribution} {self.version}".strip()


@dataclass(slots=True)
class Plugins:
    """What discovery found."""

    manager: pluggy.PluginManager
    registrations: dict[str, Registration] = field(default_factory=dict)
    broken: list[BrokenPlugin] = field(default_factory=list)


def discover() -> Plugins:
    """Load the entry points of the group ``unidiff`` and collect the backends that they describe.

    The environment variable ``UNIDIFF_LOAD_PLUGINS`` limits the entry points to a comma-separated list of names (empty: none);
    ``UNIDIFF_STRICT_PLUGINS=1`` raises what goes wrong instead of recording it, for the development of a plugin.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    found = Plugins(manager)
    for entry_point, distribution, version in _entry_points():
        _load(found, entry_point, distribution, version)
    return found


def _entry_points() -> Iterator[tuple[Any, str, str]]:
    """Yield the entry points with the name and the version of their distribution, which are slow to read."""
    from importlib.metadata import entry_points  # slow to import, and needed only when plugins are

    wanted = os.environ.get("UNIDIFF_LOAD_PLUGINS")
    names = None if wanted is None else {name.strip() for name in wanted.split(",")}
    found = list(entry_points(group=hookspecs.PROJECT))
    distributions = {id(entry_point.dist): entry_point.dist for entry_point in found}
    origins = {key: ("", "") if dist is None else (dist.name, dist.version) for key, dist in distributions.items()}
    seen = set()

    def order(entry_point: Any) -> tuple[bool, str, str]:
        # What comes with unidiff goes first, so that no other plugin can take the name of one of its backends.
        return origins[id(entry_point.dist)][0] != DISTRIBUTION, entry_point.name, entry_point.value

    for entry_point in sorted(found, key=order):
        # A distribution that is installed twice on the path, as editable installs can be, lists its entry points twice.
        distribution, version = origins[id(entry_point.dist)]
        key = (entry_point.name, entry_point.value, distribution)
        if key not in seen and (names is None or entry_point.name in names):
            seen.add(key)
            yield entry_point, distribution, version


def _load(found: Plugins, entry_point: Any, distribution: str, version: str) -> None:
    phase = "import"
    plugin = None
    try:
        plugin = entry_point.load()
        phase = "register"
        check_hook_names(plugin)
        name = f"{distribution}:{entry_point.name}"
        found.manager.register(plugin, name=name)
        phase = "info"
        for registration in _described(plugin, entry_point.name, distribution, version):
            _add(found.registrations, registration)
    except (Exception, SystemExit) as error:  # a module that exits is broken; an interrupt by the user is not
        if os.environ.get("UNIDIFF_STRICT_PLUGINS", "") not in ("", "0"):
            raise
        if plugin is not None and found.manager.is_registered(plugin):
            found.manager.unregister(plugin)
        own = (entry_point.name, distribution)
        for name in [n for n, r in found.registrations.items() if (r.plugin, r.distribution) == own]:
            del found.registrations[name]
        text = "".join(traceback.format_exception(error))
        found.broken.append(BrokenPlugin(entry_point.name, distribution, version, phase, error, text))


def check_hook_names(plugin: Any) -> None:
    """Raise PluginError for a function that looks like a hook and is none: a misspelt name, or a missing marker."""
    known = [name for name in vars(hookspecs) if name.startswith(_HOOK_PREFIX)]
    for name in [name for name in dir(plugin) if name.startswith(_HOOK_PREFIX)]:
        attribute = getattr(plugin, name)
        if not callable(attribute):
            continue
        if name not in known:
            from difflib import get_close_matches

            nearest = get_close_matches(name, known, n=1, cutoff=0)
            raise PluginError(f"There is no hook {name!r}; did you mean {nearest[0]!r}?")
        if not hasattr(attribute, f"{hookspecs.PROJECT}_impl"):
            raise PluginError(f"The function {name!r} is not marked as a hook; decorate it with @unidiff.hookimpl.")


def _described(plugin: Any, name: str, distribution: str, version: str) -> Iterator[Registration]:
    hook = getattr(plugin, "unidiff_register_backends", None)
    infos = () if hook is None else hook()
    if not isinstance(infos, Iterable):
        raise PluginError(f"unidiff_register_backends must yield BackendInfo, but it returned {infos!r:.200}.")
    for info in infos:
        check_info(info)
        check_factory(info)
        yield Registration(info, name, distribution, version)


def check_info(info: Any) -> None:
    """Raise PluginError for a description of a backend that is not valid."""
    if not isinstance(info, BackendInfo):
        raise PluginError(f"A backend is described by a unidiff.BackendInfo, but this one is by {info!r:.200}.")
    for field_name, kind in (("name", str), ("api_version", int), ("factory", str), ("capabilities", Capabilities)):
        value = getattr(info, field_name)
        if not isinstance(value, kind):
            raise PluginError(f"{field_name} of {info.name!r} must be of type {kind.__name__}, but it is {value!r:.200}.")
    for field_name in ("arrays", "excludes", "requires", "tested", "test_environment"):
        value = getattr(info, field_name)
        if not (isinstance(value, (tuple, list)) and all(isinstance(item, str) for item in value)):
            raise PluginError(f"{field_name} of {info.name!r} must be a tuple of strings, but it is {value!r:.200}.")
    if not info.name.isidentifier():
        raise PluginError(f"The name of a backend must be a Python identifier, but it is {info.name!r}.")
    if info.api_version > API_VERSION:
        raise PluginError(
            f"The backend {info.name!r} was written for version {info.api_version} of the contract, but this unidiff has "
            f"version {API_VERSION}: upgrade unidiff with 'pip install --upgrade unidiff-array'."
        )
    if info.api_version < OLDEST_API_VERSION:
        raise PluginError(
            f"The backend {info.name!r} was written for version {info.api_version} of the contract, but this unidiff needs "
            f"version {OLDEST_API_VERSION} or newer: upgrade the plugin."
        )
    if not all(root.isidentifier() for root in info.arrays):
        raise PluginError(f"The arrays of {info.name!r} must be a tuple of names of root modules, not {info.arrays!r}.")
    for requirement in (*info.requires, *info.tested):
        parse(requirement)


def check_factory(info: BackendInfo) -> None:
    """Raise PluginError unless the factory is of the form "package.module:Class"."""
    module, _, attribute = info.factory.partition(":")
    if not (attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise PluginError(f"The factory of {info.name!r} must be 'package.module:Class', but it is {info.factory!r}.")


def _add(registrations: dict[str, Registration], new: Registration) -> None:
    old = registrations.get(new.info.name)
    if old is not None:
        raise PluginError(
            f"Two plugins register a backend {new.info.name!r}: {old.plugin!r} of {old.origin or 'this session'} and "
            f"{new.plugin!r} of {new.origin or 'this session'}. Uninstall one, or limit plugins with UNIDIFF_LOAD_PLUGINS."
        )
    registrations[new.info.name] = new
