"""Forward mode through `torch.func`."""

from typing import Any

import torch

from unidiff.errors import InPlaceError
from unidiff_backends._torch.memory import owned
from unidiff_backends._torch.reverse import TensorFunction, Tensors, functorch_active


def jvp(f: TensorFunction, primals: Tensors, tangents: Tensors, *, has_aux: bool = False) -> Any:
    """Return ``(outs, tangents_out)`` or ``(outs, tangents_out, aux)``; see `unidiff.backend.Backend`."""
    primals, tangents = tuple(map(_normal, primals)), tuple(map(_normal, tangents))
    if torch.is_inference_mode_enabled():
        with torch.inference_mode(False):
            outs, tangents_out, aux = _jvp(f, primals, tangents, has_aux)
    else:
        outs, tangents_out, aux = _jvp(f, primals, tangents, has_aux)
    return (outs, tangents_out, aux) if has_aux else (outs, tangents_out)


def _normal(x: torch.Tensor) -> torch.Tensor:
    """Return ``x`` or, if it is a tensor of inference mode, which takes no part in derivatives, a copy of it that does."""
    if not x.is_inference():
        return x
    with torch.inference_mode(False):
        return x.clone()


def _jvp(f: TensorFunction, primals: Tensors, tangents: Tensors, has_aux: bool) -> tuple[Tensors, Tensors, Tensors]:
    versions = [x._version for x in primals]

    def evaluate(*args: torch.Tensor) -> tuple[Tensors, Tensors]:
        result = f(*args)
        outs, aux = result if has_aux else (result, ())
        # `torch.func.jvp` refuses functions without outputs; one more output does no harm.
        return (args[0], *outs), tuple(aux)

    (_, *outs), (_, *tangents_out), aux = torch.func.jvp(evaluate, primals, tangents, has_aux=True)
    if versions != [x._version for x in primals]:
        raise InPlaceError("the function changed its argument in place; let it change a copy: xp.asarray(x, copy=True)")
    if functorch_active():
        return tuple(outs), tuple(tangents_out), aux
    results = owned((*outs, *tangents_out, *aux), primals + tangents)
    return results[: len(outs)], results[len(outs) : 2 * len(outs)], results[2 * len(outs) :]
