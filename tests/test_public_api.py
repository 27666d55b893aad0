import doctest
import importlib
import inspect
import pkgutil

import pytest

import unidiff as ud

NAMES = {
    "array_namespace", "namespace", "backends", "get_backend", "asarray", "to_backend", "to_numpy", "device", "to_device",
    "grad", "value_and_grad", "vjp", "jvp", "linearize", "jacfwd", "jacrev", "jacobian", "hessian", "hvp", "stop_gradient",
    "check_grads", "tree", "errors", "register_backend", "hookimpl", "Backend", "BackendInfo", "Capabilities",
    "ComplexJacobian", "einsum", "special", "vmap", "jit", "trace", "EvaluationTrace", "TraceRow", "cond", "while_loop", "fori_loop", "scan",
    "hessian_diagonal", "hessian_operator", "inverse_hvp", "gauss_newton_operator", "gauss_newton_vp", "fisher_operator", "fisher_vp",
    "Estimate", "estimate_diagonal", "estimate_trace", "LinearSolution", "cg", "gmres", "solve_dense", "Eigenpairs", "lanczos",
    "power_iteration", "taylor", "directional_derivative", "linear_approximation", "quadratic_approximation", "custom_root",
    "custom_fixed_point", "custom_argmin", "numerical", "sparse", "optim",
    "custom_jvp", "custom_vjp", "checkpoint", "checkpoint_sequential", "bridge",
}  # fmt: skip


def test_all_is_exact():
    assert set(ud.__all__) == NAMES
    assert list(ud.__all__) == sorted(ud.__all__)
    assert all(hasattr(ud, name) for name in ud.__all__)


SUBMODULES = {"tree", "errors", "special", "numerical", "sparse", "optim"}


@pytest.mark.parametrize("name", sorted(NAMES - SUBMODULES - {"hookimpl"}))
def test_public_objects_have_documentation_with_an_example(name):
    doc = inspect.getdoc(getattr(ud, name))
    assert doc
    if inspect.isfunction(getattr(ud, name)):
        sections = [line for line in doc.splitlines() if line in ("Parameters", "Returns", "Raises", "Examples")]
        assert "Examples" in sections or name == "register_backend"
        assert "Parameters" in sections
        assert "Returns" in sections or name == "check_grads"


@pytest.mark.parametrize("transform", ["grad", "value_and_grad", "jacfwd", "jacrev", "jacobian", "hessian"])
def test_transforms_keep_the_metadata_of_the_function(transform):
    def loss(w, *, scale=1.0):
        """The loss."""

    transformed = getattr(ud, transform)(loss)
    assert transformed.__name__ == "loss"
    assert transformed.__doc__ == "The loss."
    assert inspect.unwrap(transformed) is loss
    assert str(inspect.signature(transformed)) == "(w, *, scale=1.0)"


def test_errors_are_built_in_types_too():
    expected = {
        "ArgumentError": ValueError, "NotAnArrayError": TypeError, "DTypeError": TypeError, "ShapeError": ValueError,
        "TreeError": ValueError, "NonScalarOutputError": TypeError, "UnknownBackendError": ValueError,
        "BackendLoadError": ImportError, "PluginError": ValueError, "MixedBackendsError": TypeError, "DeviceError": ValueError,
        "MixedDevicesError": ValueError, "UnsupportedOperationError": NotImplementedError,
        "MissingRuleError": NotImplementedError, "NotDifferentiableError": TypeError, "TracedConversionError": TypeError,
        "InPlaceError": RuntimeError, "ImpureFunctionError": RuntimeError, "LeakedTracerError": RuntimeError, "DerivativeMismatchError": AssertionError,
    }  # fmt: skip
    assert {name for name in ud.errors.__all__ if name != "UnidiffError"} == set(expected)
    for name, builtin in expected.items():
        assert issubclass(getattr(ud.errors, name), (ud.errors.UnidiffError, builtin))
        assert issubclass(getattr(ud.errors, name), builtin)


@pytest.mark.parametrize("name", sorted(ud.special.__all__))
def test_special_functions_have_documentation_with_an_example(name):
    doc = inspect.getdoc(getattr(ud.special, name))
    assert all(section in doc.splitlines() for section in ("Parameters", "Returns", "Raises", "Notes", "Examples"))


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in (ud.numerical, ud.sparse) for name in module.__all__], ids=str
)
def test_functions_of_submodules_have_documentation_with_an_example(module, name):
    doc = inspect.getdoc(getattr(module, name)).splitlines()
    wanted = ("Parameters", "Returns", "Examples") if inspect.isfunction(getattr(module, name)) else ("Parameters", "Examples")
    assert all(section in doc for section in wanted)


MODULES = [module.name for module in pkgutil.iter_modules(ud.__path__) if not module.ispkg and module.name != "__main__"]
for package in (ud.special, ud.sparse):
    MODULES += [f"{package.__name__.partition('.')[2]}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]

MODULES += ["optim", *(module.name.partition(".")[2] for module in pkgutil.walk_packages(ud.optim.__path__, "unidiff.optim."))]

WITH_EXAMPLES = {"custom_rules", "compiling", "evaluation_trace", "checkpointing", "bridging", "vectorizing", "control_flow", "first_order", "jacobians", "arrays", "tree", "registry", "checking", "contraction", "__init__"} | {
    "curvature", "estimate", "estimators", "expansions", "hessians", "implicit", "linear_solvers", "numerical", "spectra",
} | {  # fmt: skip

    name for name in MODULES if name.startswith("special.") and name != "special._dispatch"
}


@pytest.mark.parametrize("name", ["__init__", *MODULES])
def test_examples_in_the_documentation_run(name):
    module = ud if name == "__init__" else importlib.import_module(f"unidiff.{name}")
    results = doctest.testmod(module)
    assert results.failed == 0
    if name in WITH_EXAMPLES:
        assert results.attempted > 0
