"""Walks the imports of all packages and fails on any that points the wrong way."""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {"unidiff": ROOT / "unidiff", "unidiff_backends": ROOT / "backends/unidiff_backends"} | {
    "unidiff_conformance": ROOT / "conformance/unidiff_conformance"
}
FRAMEWORKS = {"torch", "jax", "jaxlib", "dask", "cupy", "tensorflow", "mlx", "ndonnx", "sparse"}
ARRAY_LIBRARIES = FRAMEWORKS | {"numpy", "scipy", "array_api_compat", "array_api_strict"}

# Core from the bottom up: a module may import those of lower rows, and of its own row.
LAYERS = [
    {"_typing", "errors"},
    {"backend", "tree", "requirements"},
    {"derive", "hookspecs", "plugins"},
    {"registry", "differences"},
    {"dispatch", "calls", "arrays"},
    {"first_order", "contraction", "special"},
    {"jacobians", "checking", "matrix_free"},
    {"transforms", "higher_order"},
    {"numerical", "sparse", "testing"},
    {"__init__", "optim"},  # the optimizers are written against the public names alone, which include them
    {"cli", "__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def files(package):
    return sorted(PACKAGES[package].rglob("*.py"))


def module_name(path):
    for package, root in PACKAGES.items():
        if path.is_relative_to(root):
            parts = path.relative_to(root).with_suffix("").parts
            return ".".join((package, *(part for part in parts if part != "__init__")))
    raise AssertionError(path)


MODULES = {module_name(path): path for package in PACKAGES for path in files(package)}


def outermost(tree):
    """Yield the nodes that run when a module is imported: not the bodies of functions, nor what only type checkers read."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            pending += ast.iter_child_nodes(node)


@functools.cache
def imports(path, walk=ast.walk):
    """Return the absolute names of all modules that a file imports, at any depth of its code."""
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            submodules = {f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in MODULES}
            # "from unidiff import tree" imports the module tree, not whatever unidiff/__init__.py gathers.
            found |= submodules
            if len(submodules) < len(node.names):
                found.add(base)
    return found


def within(module, package):
    return module == package or module.startswith(package + ".")


def roots(path):
    return {module.partition(".")[0] for module in imports(path)}


def test_the_walk_sees_every_form_of_import():
    path = ROOT / "unidiff/first_order.py"
    assert {"unidiff.registry", "unidiff.tree", "unidiff.calls", "functools"} <= imports(path)
    assert "importlib.metadata" in imports(ROOT / "unidiff/plugins.py")  # inside a function


@pytest.mark.parametrize("path", files("unidiff"), ids=module_name)
def test_core_imports_no_framework_and_no_plugin(path):
    assert not roots(path) & (FRAMEWORKS | {"unidiff_backends", "unidiff_conformance"})


@pytest.mark.parametrize("path", [p for p in files("unidiff") if "cli" not in p.parts], ids=module_name)
def test_core_imports_no_array_library(path):
    assert not roots(path) & ARRAY_LIBRARIES


def part(module):
    """Return the first name below ``unidiff``: the unit of the layers."""
    return module.split(".")[1] if "." in module else "__init__"


LAYERED = [path for path in files("unidiff") if path.relative_to(ROOT / "unidiff").parts[0] not in {"engine", "rules"}]


@pytest.mark.parametrize("path", LAYERED, ids=module_name)
def test_core_modules_import_downwards(path):
    own = part(module_name(path))
    assert own in LEVEL, f"place {own} in LAYERS"
    for module in imports(path):
        if within(module, "unidiff"):
            assert part(module) in LEVEL, f"{own} imports {module}"
            assert LEVEL[part(module)] <= LEVEL[own], f"{own} imports {module}"


@pytest.mark.parametrize("walk", [outermost, ast.walk], ids=["at import", "anywhere"])
def test_imports_have_no_cycle(walk):
    """Also counting imports inside functions and those for type checkers; "unidiff" itself gathers what its modules define."""
    graph = {
        name: {m for m in imports(path, walk) if m in MODULES and m not in {name, "unidiff"}} for name, path in MODULES.items()
    }
    order = []
    while graph:
        free = [name for name, targets in graph.items() if not targets & graph.keys()]
        assert free, f"a cycle among {sorted(graph)}"
        order += free
        for name in free:
            del graph[name]
    assert len(order) == len(MODULES)


ALLOWED = {
    # package or module: what it may import of the three packages
    "unidiff.special": {"unidiff.special", "unidiff.arrays", "unidiff.errors", "unidiff._typing"},
    "unidiff.optim": {"unidiff.optim", "unidiff", "unidiff.errors", "unidiff._typing"},
    "unidiff.engine": {"unidiff.engine", "unidiff.backend", "unidiff.errors", "unidiff._typing", "unidiff.tree"},
    "unidiff.rules": {"unidiff.rules", "unidiff.engine.extend", "unidiff._typing"},
    "unidiff_backends": {"unidiff_backends", "unidiff.backend", "unidiff.errors", "unidiff.tree", "unidiff._typing"}
    | {"unidiff.engine", "unidiff.rules", "unidiff.differences"},
    "unidiff_backends.plugins": {"unidiff"},
    "unidiff_conformance": {"unidiff_conformance", "unidiff"},
}


@pytest.mark.parametrize(("name", "path"), MODULES.items(), ids=list(MODULES))
def test_parts_import_what_the_layout_allows(name, path):
    rule = max((prefix for prefix in ALLOWED if within(name, prefix)), key=len, default=None)
    if rule is None:
        return
    exact = {"unidiff", "unidiff.engine.extend"}  # these names stand for themselves, not for what is below them
    for module in imports(path):
        if module.partition(".")[0] not in PACKAGES:
            continue
        allowed = any(module == target or (target not in exact and within(module, target)) for target in ALLOWED[rule])
        assert allowed, f"{name} imports {module}"


def test_backends_do_not_import_each_other():
    for path in files("unidiff_backends"):
        own = {name for name in ("numpy", "torch", "jax") if name in module_name(path).replace("_", ".").split(".")}
        for module in imports(path):
            if within(module, "unidiff_backends"):
                other = {name for name in ("numpy", "torch", "jax") if name in module.replace("_", ".").split(".")[2:]}
                assert other <= own, f"{module_name(path)} imports {module}"


def strings(path):
    """Return the strings of a file that are not documentation."""
    module = ast.parse(path.read_text())
    texts = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            texts.add(id(node.value))
    return [
        node.value
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts
    ]


CORE = [path for path in files("unidiff") if "cli" not in path.parts]


@pytest.mark.parametrize("path", CORE, ids=module_name)
def test_core_names_no_framework(path):
    for text in strings(path):
        words = set(text.lower().replace(".", " ").replace("'", " ").replace('"', " ").split())
        assert not words & (FRAMEWORKS - {"sparse"}), text  # which is also the name of a subpackage
