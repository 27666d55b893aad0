"""Forward mode through `torch.func`."""

from typing import Any

import torch

from unidiff_backends._torch.reverse import TensorFunction, Tensors


def jvp(f: TensorFunction, primals: Tensors, tangents: Tensors, *, has_aux: bool = False) -> Any:
    """Return ``(outs, tangents_out)`` or ``(outs, tangents_out, aux)``; see `unidiff.backend.Backend`."""

    def evaluate(*args: torch.Tensor) -> tuple[Tensors, Tensors]:
        result = f(*args)
        outs, aux = result if has_aux else (result, ())
        return tuple(outs), tuple(aux)

    if torch.is_inference_mode_enabled():
        with torch.inference_mode(False):
            outs, tangents_out, aux = torch.func.jvp(evaluate, primals, tangents, has_aux=True)
    else:
        outs, tangents_out, aux = torch.func.jvp(evaluate, primals, tangents, has_aux=True)
    return (outs, tangents_out, aux) if has_aux else (outs, tangents_out)
