"""The backends: found through plugins, loaded on first use, and looked up by name or by the type of an array."""

import importlib
import threading
import traceback
from functools import cache
from typing import Any

from unidiff.backend import Backend, BackendInfo
from unidiff.derive import CompleteBackend, complete
from unidiff.errors import ArgumentError, BackendLoadError, PluginError, UnknownBackendError
from unidiff.plugins import BrokenPlugin, Contribution, Plugins, check_info, discover, gather
from unidiff.requirements import unmet

__all__ = [
    "backends",
    "broken",
    "contributions",
    "get_backend",
    "named",
    "of_type",
    "plugin_manager",
    "refresh",
    "register_backend",
    "unmet_requirements",
    "untested_versions",
]

DEFAULT = "numpy"
"""The backend of calls in which no array tells one."""

SCALAR = object()
"""What `of_type` says of Python numbers, which never decide the backend."""

_lock = threading.RLock()
_loaded: dict[str, CompleteBackend] = {}
_failed: dict[str, BrokenPlugin] = {}
_made: dict[str, tuple[Any, CompleteBackend]] = {}
_session: dict[str, Backend] = {}
_bound: dict[tuple[CompleteBackend, CompleteBackend], CompleteBackend] = {}
TYPES: dict[type, Any] = {}
"""Each type seen so far: the `CompleteBackend` of its arrays, `SCALAR`, or None for whatever is neither."""


@cache
def _discover_once() -> Plugins:
    return discover()


def _discovered() -> Plugins:
    with _lock:
        return _discover_once()


def plugin_manager() -> Any:
    """Return pluggy's plugin manager with all working plugins registered."""
    return _discovered().manager


def contributions(kind: str) -> list[Contribution]:
    """Return what plugins add to unidiff, described and not yet imported.

    Parameters
    ----------
    kind : {"backends", "commands", "scenarios", "oracles", "report_sections"}
        Which of the hooks ``unidiff_register_...`` to ask.

    Returns
    -------
    list of unidiff.plugins.Contribution
        Each with name, help, factory and origin, and a method `load`. Of a plugin that raises or yields something else there
        is one with its failure, which `load` raises and ``unidiff doctor`` shows.

    Raises
    ------
    unidiff.errors.ArgumentError
        If there is no such hook.

    Examples
    --------
    >>> import unidiff as ud
    >>> "conformance" in [command.name for command in ud.contributions("commands")]
    True
    """
    hook = f"unidiff_register_{kind}"
    if not hasattr(plugin_manager().hook, hook):
        raise ArgumentError(f"There are no contributions of the kind {kind!r}.")
    if kind == "backends":
        found = _discovered().registrations.values()
        return [Contribution(r.info.name, r.info.library, r.info.factory, r.origin) for r in found]
    return gather(_discovered(), hook)


def broken() -> list[BrokenPlugin]:
    """Return a record of each plugin that failed, and of each backend that failed to load.

    Returns
    -------
    list of BrokenPlugin

    Examples
    --------
    >>> [record.name for record in broken()]
    []
    """
    return [*_discovered().broken, *_failed.values()]


def refresh() -> None:
    """Forget what was found and loaded, so that plugins installed since then are seen.

    Backends of `register_backend` stay, and so does a loaded backend whose plugin is unchanged.
    """
    with _lock:
        _discover_once.cache_clear()
        _loaded.clear()
        _failed.clear()
        _bound.clear()
        TYPES.clear()


def unmet_requirements(info: BackendInfo) -> tuple[str, ...]:
    """Return why a backend cannot be used here, one reason for each requirement that is not met.

    Parameters
    ----------
    info : BackendInfo

    Returns
    -------
    tuple of str
    """
    return tuple(reason for reason in map(unmet, info.requires) if reason is not None)


def untested_versions(info: BackendInfo) -> tuple[str, ...]:
    """Return what is installed in a version that the plugin was not tested with, one sentence for each.

    Parameters
    ----------
    info : BackendInfo

    Returns
    -------
    tuple of str
    """
    reasons = map(unmet, info.tested)
    return tuple(reason.replace(" is needed, but", " was tested, but") for reason in reasons if reason is not None)


def backends(*, installed: bool = True, arrays: bool = False) -> dict[str, BackendInfo]:
    """List the backends without importing any framework.

    Parameters
    ----------
    installed : bool
        Whether to leave out backends whose requirements are not met; their ``install`` says what to run.
    arrays : bool
        Whether to leave out backends without arrays of their own, such as "finite", which are chosen by name only.

    Returns
    -------
    dict of str to BackendInfo
        In alphabetical order, the default backend first.

    Examples
    --------
    >>> import unidiff as ud
    >>> ud.backends()["numpy"].library
    'numpy'
    """
    infos = _infos()
    names = sorted(infos, key=lambda name: (name != DEFAULT, name))
    if arrays:
        names = [name for name in names if infos[name].arrays]
    return {name: infos[name] for name in names if not (installed and unmet_requirements(infos[name]))}


def _infos() -> dict[str, BackendInfo]:
    found = {name: registration.info for name, registration in _discovered().registrations.items()}
    return found | {name: backend.info for name, backend in _session.items()}


def register_backend(backend: Backend) -> CompleteBackend:
    """Register a backend for this process, as in a notebook; a package uses an entry point instead.

    Parameters
    ----------
    backend : Backend
        The backend; its ``info`` names it. A backend of the same name that was registered in this way is replaced.

    Returns
    -------
    CompleteBackend
        The backend with every missing operation derived.

    Raises
    ------
    unidiff.errors.PluginError
        If the backend does not satisfy the contract, or an installed plugin has the name.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> class ComplexStep:
    ...     info = ud.BackendInfo(name="complex_step", api_version=1, factory="my_package:ComplexStep", arrays=())
    ...
    ...     def over(self, host):  # the arrays are those of another backend
    ...         bound = ComplexStep()
    ...         bound.host = host
    ...         return bound
    ...
    ...     def __getattr__(self, name):  # and so is all but the derivative
    ...         if name in ("namespace", "device", "to_device", "devices", "asarray", "from_dlpack", "to_numpy"):
    ...             return getattr(self.host, name)
    ...         raise AttributeError(name)
    ...
    ...     def jvp(self, f, primals, tangents, *, has_aux=False):
    ...         outs = f(*(x + 1e-200j * t for x, t in zip(primals, tangents)))
    ...         return tuple(y.real for y in outs), tuple(y.imag / 1e-200 for y in outs)
    >>> _ = ud.register_backend(ComplexStep())
    >>> ud.grad(lambda x: x**3, backend="complex_step")(np.asarray(2.0))
    array(12.)
    """
    check_info(getattr(backend, "info", None))
    completed = _complete(backend)
    with _lock:
        taken = _discovered().registrations.get(completed.name)
        if taken is not None:
            raise PluginError(f"The name {completed.name!r} belongs to a backend of {taken.origin}; choose another one.")
        _session[completed.name] = backend
        _loaded[completed.name] = completed
        TYPES.clear()
    return completed


def get_backend(name_or_array: Any) -> CompleteBackend:
    """Return the backend of this name, or of an array.

    Parameters
    ----------
    name_or_array : str, array or Backend
        The name of a backend, an array of any kind, plain or traced, or a backend, which is returned.

    Returns
    -------
    CompleteBackend

    Raises
    ------
    unidiff.errors.UnknownBackendError
        If no plugin knows the name or the type.
    unidiff.errors.BackendLoadError
        If the backend is registered but cannot be loaded.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.get_backend("numpy").name
    'numpy'
    >>> ud.get_backend(np.zeros(3)).name
    'numpy'
    """
    if isinstance(name_or_array, str):
        found = _loaded.get(name_or_array)
        return _load(name_or_array) if found is None else found
    if isinstance(name_or_array, CompleteBackend):
        return name_or_array
    backend = of_type(name_or_array)
    if backend is SCALAR:
        return get_backend(DEFAULT)
    if backend is None:
        raise unknown_type(type(name_or_array))
    found_by_type: CompleteBackend = backend
    return found_by_type


def named(name: Any) -> CompleteBackend:
    """Return the backend that a ``backend=`` argument means: a name, or a backend itself, but never an array or a number."""
    if isinstance(name, (str, CompleteBackend)):
        return get_backend(name)
    raise _unknown_name(name)


def _load(name: str) -> CompleteBackend:
    with _lock:
        if name in _loaded:
            return _loaded[name]
        if name in _session:
            return _loaded.setdefault(name, _complete(_session[name]))
        registration = _discovered().registrations.get(name)
        if registration is None:
            raise _unknown_name(name)
        reasons = unmet_requirements(registration.info)
        if reasons:
            raise BackendLoadError(f"The backend {name!r} cannot be used: {'; '.join(reasons)}.{_install(registration.info)}")
        try:
            backend = _make(registration.info)
        except (Exception, SystemExit) as error:
            text = "".join(traceback.format_exception(error))
            _failed[name] = BrokenPlugin(name, registration.distribution, registration.version, "load", error, text)
            remedy = _install(registration.info) if isinstance(error, ImportError) else ""
            raise BackendLoadError(
                f"The backend {name!r} of {registration.origin} failed to load: {error!r}.{remedy}"
            ) from error
        _failed.pop(name, None)
        return _loaded.setdefault(name, backend)


def _make(info: BackendInfo) -> CompleteBackend:
    """Make the backend, or return the one that was made before, so that its namespace and arrays outlive `refresh`."""
    module, _, attribute = info.factory.partition(":")
    factory = getattr(importlib.import_module(module), attribute)
    made = _made.get(info.name)
    if made is None or made[0] is not factory or made[1].info != info:
        made = _made[info.name] = (factory, _complete(factory(), info))
    return made[1]


def _complete(backend: Any, info: BackendInfo | None = None) -> CompleteBackend:
    """Return the backend with every missing operation derived; one that works on arrays of any library over the default one."""
    if hasattr(backend, "over"):
        return complete(backend.over(get_backend(DEFAULT)))
    return complete(backend, info)


def over(backend: CompleteBackend, host: CompleteBackend) -> CompleteBackend:
    """Return a backend that was chosen by name, bound to the backend of the arrays of a call where it takes those of any."""
    bind = getattr(backend.backend, "over", None)
    if bind is None:
        return backend
    with _lock:
        found = _bound.get((backend, host))
        return found if found is not None else _bound.setdefault((backend, host), complete(bind(host)))


def _excludes(info: BackendInfo, cls: type) -> bool:
    name = f"{cls.__module__}.{cls.__qualname__}"
    return any(name == excluded or name.startswith(f"{excluded}.") for excluded in info.excludes)


def _install(info: BackendInfo) -> str:
    return f" Install it with: {info.install}" if info.install else ""


def _unknown_name(name: Any) -> Exception:
    from difflib import get_close_matches  # needed for this message only

    plugins = _discovered()
    for record in plugins.broken:
        if record.name == name:
            error = BackendLoadError(f"The plugin {name!r} of {record.origin} is broken ({record.phase}): {record.error!r}")
            error.__cause__ = record.error
            return error
    usable = backends()
    near = get_close_matches(name, usable, n=1) if isinstance(name, str) else []
    meant = f" Did you mean {near[0]!r}?" if near else ""
    lines = [f"There is no backend {name!r:.200}.{meant} Use one of these or install a plugin that provides it."]
    lines.append(f"Installed: {', '.join(usable) or 'none'}.")
    for other, info in backends(installed=False).items():
        if other not in usable:
            lines.append(f"Not installed: {other} ({info.install})." if info.install else f"Not installed: {other}.")
    if plugins.broken:
        lines.append(f"Broken: {', '.join(record.name for record in plugins.broken)}; see 'unidiff doctor'.")
    return UnknownBackendError(" ".join(lines))


def unknown_type(cls: type) -> UnknownBackendError:
    """Return the error for arrays that no backend knows."""
    return UnknownBackendError(
        f"No backend knows {cls.__module__}.{cls.__qualname__}; the installed ones are {', '.join(backends()) or 'none'}. "
        "Install a plugin for its library, or pass arrays of an installed one."
    )


def of_type(x: Any) -> Any:
    """Return the `CompleteBackend` of an array, `SCALAR` for a Python number, or None for anything else; cached per type."""
    cls = type(x)
    try:
        return TYPES[cls]
    except KeyError:
        pass
    if isinstance(x, (int, float, complex)):
        return TYPES.setdefault(cls, SCALAR)
    if not (hasattr(x, "shape") and hasattr(x, "dtype")):
        return TYPES.setdefault(cls, None)
    name = _name_of(cls)
    return TYPES.setdefault(cls, None if name is None else get_backend(name))


def of_scalar(x: Any) -> CompleteBackend | None:
    """Return the backend of the library that a Python number comes from, as NumPy's ``float64`` does; None for any other."""
    name = _name_of(type(x)) if hasattr(x, "dtype") else None
    return None if name is None else get_backend(name)


def _name_of(cls: type) -> str | None:
    """Return the name of the backend for arrays of a type: what the type says, else by the root modules of its bases."""
    named: str | None = getattr(cls, "__unidiff_backend__", None)
    if named is not None:
        return named
    infos = _infos()
    for base in cls.__mro__:
        root = base.__module__.partition(".")[0]
        owners = {name: info for name, info in infos.items() if root in info.arrays}
        if any(_excludes(info, base) for info in owners.values()):
            return None
        candidates = list(owners)
        if len(candidates) > 1 and root not in candidates:
            raise PluginError(f"The backends {', '.join(candidates)} all claim arrays of {root!r}; pass backend= to choose.")
        if candidates:
            return root if root in candidates else candidates[0]
    return None
