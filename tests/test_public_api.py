import doctest
import enum
import importlib
import inspect
import itertools
import pkgutil
import re
import types

import pytest

import unidiff as ud

NAMES = {
    "array_namespace", "namespace", "backends", "get_backend", "asarray", "to_backend", "to_numpy", "device", "to_device",
    "grad", "value_and_grad", "vjp", "jvp", "linearize", "jacfwd", "jacrev", "jacobian", "hessian", "hvp", "stop_gradient",
    "check_grads", "tree", "errors", "register_backend", "hookimpl", "Backend", "BackendInfo", "Capabilities",
    "ComplexJacobian", "einsum", "special", "vmap", "jit", "trace", "EvaluationTrace", "TraceRow",
    "cond", "while_loop", "fori_loop", "scan",
    "hessian_diagonal", "hessian_operator", "inverse_hvp", "gauss_newton_operator", "gauss_newton_vp", "fisher_operator",
    "fisher_vp",
    "Estimate", "estimate_diagonal", "estimate_trace", "LinearSolution", "cg", "gmres", "solve_dense", "Eigenpairs", "lanczos",
    "power_iteration", "taylor", "directional_derivative", "linear_approximation", "quadratic_approximation", "custom_root",
    "minimize", "least_squares", "root", "fixed_point", "custom_fixed_point", "custom_argmin", "numerical", "sparse", "optim",
    "testing", "contributions",
    "custom_jvp", "custom_vjp", "checkpoint", "checkpoint_sequential", "bridge",
}  # fmt: skip


def test_all_is_exact():
    assert set(ud.__all__) == NAMES
    assert list(ud.__all__) == sorted(ud.__all__)
    assert all(hasattr(ud, name) for name in ud.__all__)


def public(module):
    """Yield the dotted name and the object of everything that a module, and the modules it makes public, say they offer."""
    for name in module.__all__:
        found = getattr(module, name)
        if isinstance(found, types.ModuleType):
            if hasattr(found, "__all__"):
                yield from public(found)
        else:
            yield f"{module.__name__}.{name}", found


PUBLIC = dict(public(ud))
NEVER_RAISE = {
    "unidiff.backends",
    "unidiff.tree.flatten",
    "unidiff.tree.leaves",
    "unidiff.tree.paths",
    "unidiff.tree.structure",
}


def sections(found):
    lines = inspect.getdoc(found).splitlines()
    return {line for line, below in itertools.pairwise(lines) if below and set(below) == {"-"}}


def test_the_walk_sees_every_public_module():
    homes = {name.rpartition(".")[0] for name in PUBLIC}
    assert homes >= {f"unidiff{part}" for part in ("", ".tree", ".errors", ".special", ".numerical", ".sparse", ".optim")}


@pytest.mark.parametrize("name", [name for name, found in PUBLIC.items() if inspect.isfunction(found)])
def test_public_functions_have_documentation(name):
    function, found = PUBLIC[name], sections(PUBLIC[name])
    signature = inspect.signature(function)
    wanted = {"Examples"}
    wanted |= {"Parameters"} if signature.parameters else set()
    wanted |= {"Returns"} if signature.return_annotation not in {None, "None"} else set()
    wanted |= {"Raises"} if name not in NEVER_RAISE else set()
    assert wanted <= found
    if name.startswith("unidiff.special."):
        assert "Notes" in found  # the formula of the derivative


@pytest.mark.parametrize("name", [name for name, found in PUBLIC.items() if inspect.isclass(found)])
def test_public_classes_have_documentation(name):
    cls = PUBLIC[name]
    assert cls.__doc__
    if not issubclass(cls, (Exception, enum.Enum)) and not inspect.isabstract(cls) and not getattr(cls, "_is_protocol", False):
        assert "Examples" in sections(cls)
        assert sections(cls) & {"Parameters", "Attributes"}


@pytest.mark.parametrize("name", [name for name, found in PUBLIC.items() if inspect.isfunction(found)])
def test_parameters_in_the_documentation_are_those_of_the_function(name):
    doc = inspect.getdoc(PUBLIC[name])
    if "Parameters\n----------\n" not in doc:
        return
    section = re.split(r"\n\n\w+\n-+\n", doc.split("Parameters\n----------\n")[1])[0]
    documented = [
        part.strip().lstrip("*")
        for line in section.splitlines()
        if not line.startswith(" ")
        for part in line.split(" : ")[0].split(",")
    ]
    assert {part for part in documented if part} == set(inspect.signature(PUBLIC[name]).parameters)


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
        "TreeError": ValueError, "NonScalarOutputError": TypeError, "NonlinearRuleError": ValueError,
        "UnknownBackendError": ValueError,
        "BackendLoadError": ImportError, "PluginError": ValueError, "MixedBackendsError": TypeError, "DeviceError": ValueError,
        "MixedDevicesError": ValueError, "UnsupportedOperationError": NotImplementedError,
        "MissingRuleError": NotImplementedError, "NotDifferentiableError": TypeError, "TracedConversionError": TypeError,
        "InPlaceError": RuntimeError, "ImpureFunctionError": RuntimeError,
        "LeakedTracerError": RuntimeError, "DerivativeMismatchError": AssertionError,
    }  # fmt: skip
    assert {name for name in ud.errors.__all__ if name != "UnidiffError"} == set(expected)
    for name, builtin in expected.items():
        assert issubclass(getattr(ud.errors, name), (ud.errors.UnidiffError, builtin))
        assert issubclass(getattr(ud.errors, name), builtin)


MODULES = sorted(
    module.name for module in pkgutil.walk_packages(ud.__path__, "unidiff.") if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", ["unidiff", *MODULES])
def test_examples_in_the_documentation_run(clean_registry, name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", [name for name in PUBLIC if "Examples" in sections(PUBLIC[name])])
def test_what_the_documentation_calls_examples_are_some(name):
    (found,) = doctest.DocTestFinder(recurse=False).find(PUBLIC[name], name) or [None]
    assert found.examples
