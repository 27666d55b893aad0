import json
import subprocess
import sys

import pytest

FRAMEWORKS = ("torch", "jax", "jaxlib", "dask", "cupy", "scipy", "tensorflow", "pandas", "matplotlib", "sklearn")


def modules_after(code):
    program = f"import sys\n{code}\nimport json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import unidiff",
        "import unidiff; unidiff.backends()",
        "import unidiff; unidiff.backends(installed=False)",
        "import unidiff\ntry: unidiff.get_backend('nonesuch')\nexcept unidiff.errors.UnknownBackendError: pass",
    ],
)
def test_listing_backends_imports_no_framework(code):
    modules = modules_after(code)
    assert not modules.intersection(FRAMEWORKS)
    assert "unidiff.engine" not in modules
    assert "unidiff.rules" not in modules
    assert "optree" not in modules  # a good part of the import budget


def test_import_finds_no_plugins_yet():
    assert "importlib.metadata" not in modules_after("import unidiff") - modules_after("import pluggy, dataclasses, typing")


def test_a_backend_imports_its_own_framework_only():
    modules = modules_after("import unidiff as ud; ud.get_backend('numpy')")
    assert not modules.intersection(set(FRAMEWORKS) - {"scipy"})
