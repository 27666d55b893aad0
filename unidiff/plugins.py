"""Finds plugins and validates what they register; a broken plugin is recorded and never stops the others."""

import os
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pluggy

from unidiff import hookspecs
from unidiff.backend import API_VERSION, BackendInfo, Capabilities
from unidiff.errors import PluginError
from unidiff.requirements import parse

__all__ = ["BrokenPlugin", "Contribution", "Plugins", "Registration", "discover", "gather"]

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
    phase : str
        When it failed: "import" of its entry module, "register" for the check of its hooks, "info" for its description of a
        backend, "load" at the first use of a backend, or the name of the hook that it does not answer as it should.
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


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a plugin adds to the program or to the conformance suite, described and not yet imported.

    Parameters
    ----------
    name : str
        What it is called.
    help : str
        One line that says what it is.
    factory : str
        ``"package.module:function"``; see the hook for what the function takes and returns.
    origin : str
        The distribution and the version that it comes from.
    failure : BaseException, optional
        Why the plugin of this name adds nothing: it raised, or answered something else than the hook asks for.

    Examples
    --------
    >>> from unidiff.plugins import Contribution
    >>> Contribution("root", "the square root", "math:sqrt", "some-plugin 1.0").load()(4.0)
    2.0
    """

    name: str
    help: str
    factory: str
    origin: str
    failure: BaseException | None = None

    def load(self) -> Any:
        """Import the function.

        Raises
        ------
        unidiff.errors.PluginError
            If the plugin failed, or the function cannot be imported, whatever the reason.
        """
        if self.failure is not None:
            raise PluginError(f"the plugin {self.name!r} of {self.origin} failed: {self.failure!r}") from self.failure
        module, _, attribute = self.factory.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (Exception, SystemExit) as error:
            raise PluginError(f"{self.name!r} of {self.origin} cannot be imported: {error!r}") from error


@dataclass(slots=True)
class Plugins:
    """What discovery found."""

    manager: pluggy.PluginManager
    registrations: dict[str, Registration] = field(default_factory=dict)
    broken: list[BrokenPlugin] = field(default_factory=list)
    origins: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Entry point, distribution and version of each plugin, by the name it is registered under."""


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
        found.origins[name] = (entry_point.name, distribution, version)
        phase = "info"
        for registration in _described(plugin, entry_point.name, distribution, version):
            _add(found.registrations, registration)
    except (Exception, SystemExit) as error:  # a module that exits is broken; an interrupt by the user is not
        if _is_strict():
            raise
        if plugin is not None and found.manager.is_registered(plugin):
            found.manager.unregister(plugin)
        own = (entry_point.name, distribution)
        for name in [n for n, r in found.registrations.items() if (r.plugin, r.distribution) == own]:
            del found.registrations[name]
        text = "".join(traceback.format_exception(error))
        found.broken.append(BrokenPlugin(entry_point.name, distribution, version, phase, error, text))


def _is_strict() -> bool:
    return os.environ.get("UNIDIFF_STRICT_PLUGINS", "") not in ("", "0")


def gather(found: Plugins, hook: str) -> list[Contribution]:
    """Ask every plugin what it adds by a hook; one that raises, or answers something else, adds nothing but its failure.

    Parameters
    ----------
    found : Plugins
        What discovery found; new failures are added to it, each once.
    hook : str
        The name of a hook that yields ``(name, help, factory)``.

    Returns
    -------
    list of Contribution
        In the order in which plugins were found; of two of one name the first.
    """
    taken: dict[str, Contribution] = {}
    failed = []
    for implementation in getattr(found.manager.hook, hook).get_hookimpls():
        entry, distribution, version = found.origins.get(implementation.plugin_name, (implementation.plugin_name, "", ""))
        origin = f"{distribution} {version}".strip() or "this session"
        try:
            answer = implementation.function()
            if isinstance(answer, str) or not isinstance(answer, Iterable):
                raise PluginError(f"{hook} must yield (name, help, factory), but it returned {answer!r:.200}.")
            all_taken = dict(taken)
            for item in answer:
                new = _contribution(hook, item, origin)
                if new.name in all_taken:
                    raise PluginError(f"{hook} yields {new.name!r}, which {all_taken[new.name].origin} has already.")
                all_taken[new.name] = new
            taken = all_taken
        except (Exception, SystemExit) as error:
            if _is_strict():
                raise
            failed.append(Contribution(entry, "", "", origin, error))
            if not any((b.name, b.distribution, b.phase) == (entry, distribution, hook) for b in found.broken):
                text = "".join(traceback.format_exception(error))
                found.broken.append(BrokenPlugin(entry, distribution, version, hook, error, text))
    return [*taken.values(), *failed]


def _contribution(hook: str, item: Any, origin: str) -> Contribution:
    if not (isinstance(item, (tuple, list)) and len(item) == 3 and all(isinstance(part, str) for part in item)):
        raise PluginError(f"{hook} must yield (name, help, factory), three strings, but it yields {item!r:.200}.")
    name, about, factory = item
    if not name.replace("-", "_").isidentifier():
        raise PluginError(f"The name of what {hook} yields must be one word, but it is {name!r}.")
    check_reference(factory, f"The factory of {name!r}", "package.module:function")
    return Contribution(name, about, factory, origin)


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


_FIELDS = {"name": str, "api_version": int, "factory": str, "library": str, "install": str, "capabilities": Capabilities}


def check_info(info: Any) -> None:
    """Raise PluginError for a description of a backend that is not valid."""
    if not isinstance(info, BackendInfo):
        raise PluginError(f"A backend is described by a unidiff.BackendInfo, but this one is by {info!r:.200}.")
    for field_name, kind in _FIELDS.items():
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
    check_reference(info.factory, f"The factory of {info.name!r}", "package.module:Class")


def check_reference(reference: str, what: str, form: str) -> None:
    """Raise PluginError unless a reference names a module and something in it."""
    module, _, attribute = reference.partition(":")
    if not (attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise PluginError(f"{what} must be {form!r}, but it is {reference!r}.")


def _add(registrations: dict[str, Registration], new: Registration) -> None:
    old = registrations.get(new.info.name)
    if old is not None:
        raise PluginError(
            f"Two plugins register a backend {new.info.name!r}: {old.plugin!r} of {old.origin or 'this session'} and "
            f"{new.plugin!r} of {new.origin or 'this session'}. Uninstall one, or limit plugins with UNIDIFF_LOAD_PLUGINS."
        )
    registrations[new.info.name] = new
