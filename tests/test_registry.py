import importlib.metadata
import sys
import threading
import types
from dataclasses import dataclass

import numpy as np
import pytest

import unidiff as ud
from unidiff import registry
from unidiff.backend import API_VERSION
from unidiff.errors import BackendLoadError, PluginError, UnknownBackendError
from unidiff.plugins import DISTRIBUTION


@dataclass(frozen=True)
class Distribution:
    name: str
    version: str


class EntryPoint:
    def __init__(self, name, load, distribution="some-plugin", version="1.2"):
        self.name, self.load, self.value = name, load, f"{name}:module"
        self.dist = Distribution(distribution, version)


def info(name="good", **changes):
    fields = {"name": name, "api_version": API_VERSION, "factory": "tests_fake_backend:Fake", "arrays": ()}
    return ud.BackendInfo(**fields | changes)


def plugin(*infos, hook="unidiff_register_backends", mark=True):
    def register():
        yield from infos

    module = types.ModuleType("plugin")
    setattr(module, hook, ud.hookimpl(register) if mark else register)
    return module


def returning(result):
    module = types.ModuleType("plugin")
    module.unidiff_register_backends = ud.hookimpl(lambda: result)
    return module


def raising_midway():
    def register():
        yield info("first")
        raise RuntimeError("half of it")

    return returning_from(register)


def returning_from(register):
    module = types.ModuleType("plugin")
    module.unidiff_register_backends = ud.hookimpl(register)
    return module


def importing(error):
    def load():
        raise error

    return load


class Fake:
    """A backend of a library without arrays: it loads, and that is all these tests need."""

    def namespace(self, *arrays):
        raise AssertionError

    device = to_device = devices = asarray = from_dlpack = to_numpy = vjp = namespace


@pytest.fixture
def install(monkeypatch, clean_registry):
    """Replace all entry points by these."""
    module = types.ModuleType("tests_fake_backend")
    module.Fake = Fake
    monkeypatch.setitem(sys.modules, "tests_fake_backend", module)
    for variable in ("UNIDIFF_LOAD_PLUGINS", "UNIDIFF_STRICT_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)

    def replace(*entry_points):
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entry_points if group == "unidiff" else ())
        registry.refresh()

    return replace


GOOD = EntryPoint("good", lambda: plugin(info("good")), "good-plugin", "3.0")


def test_the_official_backends_come_through_entry_points():
    infos = ud.backends(installed=False)
    assert {"numpy", "torch", "jax"} <= infos.keys()
    assert next(iter(infos)) == "numpy"
    assert all(name == value.name for name, value in infos.items())
    assert registry.broken() == []


@pytest.mark.parametrize(
    ("phase", "entry_point", "message"),
    [
        ("import", EntryPoint("bad", importing(ZeroDivisionError("boom"))), "boom"),
        ("import", EntryPoint("bad", importing(ImportError("no module"))), "no module"),
        ("register", EntryPoint("bad", lambda: plugin(info(), hook="unidiff_register_backend")), "unidiff_register_backends"),
        ("register", EntryPoint("bad", lambda: plugin(info(), mark=False)), "@unidiff.hookimpl"),
        ("info", EntryPoint("bad", lambda: plugin("not a record")), "not a record"),
        ("info", EntryPoint("bad", lambda: plugin(info("no identifier!"))), "identifier"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", api_version=API_VERSION + 1))), "upgrade unidiff"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", api_version=0))), "upgrade the plugin"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", factory="no_colon"))), "package.module:Class"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", arrays="torch"))), "tuple"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", arrays=None))), "arrays"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", arrays=("not a module",)))), "root modules"),
        ("info", EntryPoint("bad", lambda: plugin(info(name=3))), "name"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", api_version="1"))), "api_version"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", factory=Fake))), "factory"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", capabilities=None))), "Capabilities"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", requires="torch"))), "requires"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", install=["pip"]))), "install"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", library=None))), "library"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", requires=("one>=1 | two=2",)))), "comparison"),
        ("info", EntryPoint("bad", lambda: raising_midway()), "half of it"),
        ("info", EntryPoint("bad", lambda: plugin(info("bad", requires=("torch~=2",)))), "comparison"),
        ("info", EntryPoint("bad", lambda: returning(None)), "must yield BackendInfo"),
        ("info", EntryPoint("bad", lambda: returning(info())), "must yield BackendInfo"),
        ("import", EntryPoint("bad", importing(SystemExit("bye"))), "bye"),
        ("info", EntryPoint("zbad", lambda: plugin(info("good")), "clashing", "0.1"), "good-plugin 3.0"),
        ("info", EntryPoint("zbad", lambda: plugin(info("good")), "clashing", "0.1"), "clashing 0.1"),
    ],
)
def test_a_broken_plugin_is_recorded_and_stops_no_other(install, phase, entry_point, message):
    install(entry_point, GOOD)
    assert list(ud.backends()) == ["good"]
    assert isinstance(ud.get_backend("good").backend, Fake)
    (record,) = registry.broken()
    assert (record.name, record.phase) == (entry_point.name, phase)
    assert (record.distribution, record.version) == (entry_point.dist.name, entry_point.dist.version)
    assert message in str(record.error)
    assert type(record.error).__name__ in record.traceback
    with pytest.raises(BackendLoadError, match=record.distribution) as raised:
        ud.get_backend(entry_point.name)
    assert raised.value.__cause__ is record.error


def test_no_plugin_takes_the_name_of_a_backend_that_comes_with_unidiff(install):
    install(
        EntryPoint("aaa", lambda: plugin(info("own")), "other", "1.0"),
        EntryPoint("own", lambda: plugin(info("own")), DISTRIBUTION),
    )
    (record,) = registry.broken()
    assert record.name == "aaa"
    assert isinstance(ud.get_backend("own").backend, Fake)


def test_a_plugin_that_fails_midway_leaves_nothing_behind(install):
    install(EntryPoint("bad", lambda: plugin(info("first"), "wrong")), GOOD)
    assert list(ud.backends()) == ["good"]
    assert len(registry.plugin_manager().get_plugins()) == 1


def test_strict_plugins_raise(install, monkeypatch):
    install(EntryPoint("bad", importing(ZeroDivisionError("boom"))), GOOD)
    monkeypatch.setenv("UNIDIFF_STRICT_PLUGINS", "1")
    with pytest.raises(ZeroDivisionError, match="boom"):
        ud.backends()


@pytest.mark.parametrize(("wanted", "names"), [("good", ["good"]), ("", []), (" other , good ", ["good", "other"])])
def test_plugins_can_be_limited(install, monkeypatch, wanted, names):
    install(GOOD, EntryPoint("other", lambda: plugin(info("other"))), EntryPoint("third", lambda: plugin(info("third"))))
    monkeypatch.setenv("UNIDIFF_LOAD_PLUGINS", wanted)
    assert list(ud.backends()) == names


def test_an_entry_point_listed_twice_counts_once(install):
    install(GOOD, GOOD)
    assert list(ud.backends()) == ["good"]
    assert registry.broken() == []


def test_a_backend_that_fails_to_load_is_recorded_and_raised_by_name_only(install):
    install(EntryPoint("bad", lambda: plugin(info("bad", factory="no_such_module_anywhere:Class"))), GOOD)
    assert list(ud.backends()) == ["bad", "good"]
    assert registry.broken() == []
    with pytest.raises(BackendLoadError) as raised:
        ud.get_backend("bad")
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)
    assert [(r.name, r.phase) for r in registry.broken()] == [("bad", "load")]
    ud.get_backend("good")


@pytest.mark.parametrize("lacks", ["namespace", "to_numpy", "vjp"])
def test_a_backend_without_a_required_method_does_not_load(install, monkeypatch, lacks):
    incomplete = type("Incomplete", (), {name: value for name, value in vars(Fake).items() if name != lacks})
    monkeypatch.setattr(sys.modules["tests_fake_backend"], "Fake", incomplete)
    install(GOOD)
    with pytest.raises(BackendLoadError, match=lacks) as raised:
        ud.get_backend("good")
    assert isinstance(raised.value.__cause__, PluginError)


def test_an_unmet_requirement_names_the_command_that_installs_it(install):
    needy = info("needy", requires=("no-such-distribution>=2",), install="pip install the-thing")
    install(EntryPoint("needy", lambda: plugin(needy)), GOOD)
    assert list(ud.backends()) == ["good"]
    assert list(ud.backends(installed=False)) == ["good", "needy"]
    with pytest.raises(BackendLoadError, match=r"no-such-distribution>=2 is not installed.*pip install the-thing"):
        ud.get_backend("needy")
    with pytest.raises(UnknownBackendError, match=r"Installed: good.*needy \(pip install the-thing\)"):
        ud.get_backend("unheard_of")


def test_unknown_names_and_types():
    with pytest.raises(UnknownBackendError, match="Installed: numpy"):
        ud.get_backend("unheard_of")
    for thing in (object(), [1.0], b"x", None):
        with pytest.raises(UnknownBackendError, match=type(thing).__name__):
            ud.get_backend(thing)


def test_dispatch_by_type(backend, array):
    assert ud.get_backend(backend).name == backend
    assert ud.get_backend(array([1.0])) is ud.get_backend(backend)
    assert ud.get_backend(ud.get_backend(backend)) is ud.get_backend(backend)


@pytest.mark.parametrize("number", [True, 1, 1.0, 1j, np.float64(1.0), np.complex128(1.0)], ids=lambda x: type(x).__name__)
def test_python_numbers_belong_to_the_default_backend(number):
    assert ud.get_backend(number).name == "numpy"
    assert registry.of_type(number) is registry.SCALAR


def test_dispatch_follows_subclasses_and_what_a_type_says(clean_registry):
    class Sub(np.ndarray):
        pass

    assert ud.get_backend(np.zeros(2).view(Sub)).name == "numpy"

    class Says:
        __unidiff_backend__ = "numpy"
        shape, dtype = (), None

    assert ud.get_backend(Says()).name == "numpy"


@pytest.mark.parametrize(
    "thing", [np.dtype("float64"), np.random.default_rng(0), np, np.sin], ids=["dtype", "generator", "module", "ufunc"]
)
def test_objects_of_a_library_that_are_no_arrays_have_no_backend(thing):
    assert registry.of_type(thing) is None


def test_register_backend_for_a_session(clean_registry):
    fake = Fake()
    fake.info = info("notebook", factory="")
    completed = ud.register_backend(fake)
    assert ud.get_backend("notebook") is completed
    assert "notebook" in ud.backends()
    again = ud.register_backend(fake)
    assert ud.get_backend("notebook") is again
    registry.refresh()
    assert ud.get_backend("notebook").backend is fake


@pytest.mark.parametrize("name", ["numpy", "not an identifier"])
def test_register_backend_refuses_a_bad_name(clean_registry, name):
    fake = Fake()
    fake.info = info(name, factory="")
    with pytest.raises(PluginError, match=name):
        ud.register_backend(fake)


def test_register_backend_refuses_what_has_no_info(clean_registry):
    with pytest.raises(PluginError, match="BackendInfo"):
        ud.register_backend(Fake())


def test_two_backends_for_one_type_need_a_choice(clean_registry):
    class Array:
        shape, dtype = (), None

    Array.__module__ = "shared_library.arrays"
    for name in ("one", "two"):
        fake = Fake()
        fake.info = info(name, arrays=("shared_library",))
        ud.register_backend(fake)
    with pytest.raises(PluginError, match="one, two"):
        ud.get_backend(Array())
    fake = Fake()
    fake.info = info("shared_library", arrays=("shared_library",))
    ud.register_backend(fake)
    assert ud.get_backend(Array()).name == "shared_library"


def test_discovery_is_done_once_whatever_the_threads(install):
    loads = []

    def load():
        loads.append(1)
        return plugin(info("good"))

    install(EntryPoint("good", load))
    results = []
    threads = [threading.Thread(target=lambda: results.append(ud.get_backend("good"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len({id(result) for result in results}) == 1
    registry.refresh()
    assert ud.get_backend("good") is results[0]  # the plugin is looked for again, but what it makes is unchanged
    assert len(loads) == 2


@pytest.mark.parametrize(
    ("requirement", "installed", "met"),
    [
        ("lib", "0.1", True),
        ("lib>=2.4", "2.4.0", True),
        ("lib>=2.4", "2.13.0+cpu", True),
        ("lib>=2.4", "2.3.9", False),
        ("lib>=2.4,<3", "3.0.0rc1", False),
        ("lib==1.0", "1.0.0", True),
        ("lib!=1.0", "1", False),
        ("lib <= 1.2 , > 1.0", "1.1", True),
    ],
)
def test_requirements(monkeypatch, requirement, installed, met):
    from unidiff.requirements import unmet

    monkeypatch.setattr(importlib.metadata, "version", lambda name: installed)
    assert (unmet(requirement) is None) is met


@pytest.mark.parametrize("requirement", ["", ">=1", "lib>=", "lib~=1.0", "lib>=x"])
def test_malformed_requirements(requirement):
    from unidiff.requirements import unmet

    with pytest.raises(PluginError, match="requirement"):
        unmet(requirement)


@pytest.mark.parametrize("error", [ImportError("no library"), OSError("no driver"), SystemExit(3)], ids=repr)
def test_a_backend_that_fails_to_load_says_how_to_install_what_is_missing(install, monkeypatch, error):
    def fail():
        raise error

    install(EntryPoint("bad", lambda: plugin(info("bad", install="pip install bad"))), GOOD)
    monkeypatch.setattr(sys.modules["tests_fake_backend"], "Fake", fail)
    with pytest.raises(BackendLoadError, match="failed to load") as raised:
        ud.get_backend("bad")
    assert ("pip install bad" in str(raised.value)) == isinstance(error, ImportError)


@pytest.mark.parametrize("name", [3, None, 1.5, b"numpy", ["numpy"], np.ones(2), "tensorflow"], ids=repr)
def test_only_a_name_names_a_backend(name):
    uses = [ud.namespace, lambda b: ud.to_backend(1.0, b)]
    if name is not None:  # which leaves the choice to the arrays
        uses += [lambda b: ud.asarray([1.0], backend=b), lambda b: ud.grad(lambda x: x, backend=b)(1.0)]
        uses += [lambda b: ud.jvp(lambda x: x, (np.ones(2),), (np.ones(2),), backend=b)]
    for use in uses:
        with pytest.raises(UnknownBackendError, match="Installed: numpy"):
            use(name)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_classes_that_are_no_arrays_of_the_standard_belong_to_no_backend():
    x = np.asarray([1.0, 2.0])
    for other in (np.matrix([[1.0, 2.0]]), np.ma.masked_array(x, [0, 1])):
        with pytest.raises(UnknownBackendError, match=type(other).__name__):
            ud.grad(lambda x: (x * x).sum())(other)
        with pytest.raises(UnknownBackendError, match=type(other).__name__):
            ud.array_namespace(other)
        assert ud.grad(lambda x, other=other: ((x * x).sum(), other), has_aux=True)(x)[1] is other
    assert ud.get_backend(x.view(np.recarray)).name == "numpy"


@pytest.mark.parametrize(("tested", "said"), [(("numpy>=1,<1.5",), "was tested, but version"), (("numpy>=1",), "")])
def test_versions_outside_the_tested_range_are_told(tested, said):
    assert [said in reason for reason in registry.untested_versions(info(tested=tested))] == ([True] if said else [])


def test_a_malformed_tested_range_is_refused(install):
    install(EntryPoint("bad", lambda: plugin(info(tested=("numpy=1",)))))
    assert "comparison" in str(registry.broken()[0].error)


def test_namespaces_outlive_a_refresh(clean_registry):
    xp = ud.namespace("numpy")
    registry.refresh()
    assert ud.namespace("numpy") is xp
    assert float(ud.grad(lambda x: xp.sum(xp.stack([x[0], x[1]])))(xp.ones(2))[1]) == 1.0
