"""What backends that are wrong are made from: the NumPy backend."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import unidiff as ud


class Mutant:
    """The NumPy backend under another name; subclasses spoil its derivatives.

    Only ``vjp`` and ``jvp`` are its own: everything else is derived from them, and so is spoilt too.
    """

    def __init__(self) -> None:
        self.good = ud.get_backend("numpy")
        name = "mutant_" + "".join(f"_{c.lower()}" if c.isupper() else c for c in type(self).__name__).lstrip("_")
        capabilities = replace(self.good.info.capabilities, vmap=False, jit=False)
        self.info = replace(self.good.info, name=name, arrays=(), capabilities=capabilities)
        for operation in ("namespace", "device", "to_device", "devices", "asarray", "from_dlpack", "to_numpy"):
            setattr(self, operation, getattr(self.good, operation))

    def push(self, tangent: Any) -> Any:
        """Return what becomes of an output tangent or input cotangent."""
        return tangent

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        outs, pullback, *aux = self.good.vjp(f, primals, has_aux=has_aux)
        return outs, lambda cotangents: tuple(map(self.push, pullback(cotangents))), *aux

    def jvp(self, f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False) -> Any:
        outs, tangents_out, *aux = self.good.jvp(f, primals, tangents, has_aux=has_aux)
        return outs, tuple(map(self.push, tangents_out)), *aux
