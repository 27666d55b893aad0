"""``unidiff conformance probe``: the capabilities that a backend is observed to have."""

import argparse
import sys
from typing import Any

import unidiff as ud
from unidiff_conformance import claims
from unidiff_conformance.commands import CONFORMANT, ENVIRONMENT, NON_CONFORMANT
from unidiff_conformance.environment import prepare

HIGHEST = 4


def execute(options: argparse.Namespace) -> int:
    """Print for each backend what was observed, ready for its plugin, and where its claims differ."""
    prepare(options.backends)
    code = CONFORMANT
    for name in options.backends:
        try:
            backend = ud.get_backend(name)
        except (ud.errors.BackendLoadError, ud.errors.UnknownBackendError) as error:
            print(error, file=sys.stderr)
            code = ENVIRONMENT
            continue
        found = observe(backend)
        claimed = {key: getattr(backend.info.capabilities, key) for key in found}
        print(f"# {name}\nunidiff.Capabilities(\n" + "".join(f"    {k}={_shown(v)},\n" for k, v in found.items()) + ")")
        for key, value in found.items():
            if value != claimed[key]:
                print(f"differs: {key} is claimed as {_shown(claimed[key])}")
                code = code or NON_CONFORMANT
    return code


def observe(backend: Any) -> dict[str, Any]:
    """Return the capabilities that can be observed on this machine; devices that it lacks cannot."""
    dtype = "float32"
    order = next((n - 1 for n in range(1, HIGHEST + 1) if not claims.nests(backend, dtype, n)), None)
    return {
        "modes": claims.native_modes(backend),
        "max_order": order,
        "dtypes": frozenset(name for name in claims.FLOATING if claims.differentiates(backend, name)),
        "vmap": "vmap" in backend.native,
        "jit": "jit" in backend.native,
        "control_flow": claims.branches(backend, dtype),
        "mutation": claims.assigns(backend, dtype),
    }


def _shown(value: Any) -> str:
    return f"frozenset({{{', '.join(map(repr, sorted(value)))}}})" if isinstance(value, frozenset) else repr(value)
