"""What a benchmark program is: a function written once against the array API, its inputs, and what to take of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Operator: TypeAlias = Literal["grad", "jacrev", "hessian"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program, the same for every peer.

    Parameters
    ----------
    name : str
        What the command line calls it.
    group : str
        The budget it belongs to: ``overhead``, ``large``, ``size``, ``adbench``, ``higher`` or ``dispatch``.
    function : callable
        ``function(xp, *primals, *data)``, written with the namespace ``xp`` and operators only.
    primals : tuple of ndarray
        The arguments to differentiate with respect to; exactly one unless ``operator`` is ``"grad"``.
    data : tuple of ndarray
        Further arguments, held constant.
    operator : {"grad", "jacrev", "hessian"}
        The derivative to take.
    by_hand : callable, optional
        ``by_hand(*primals, *data)``: the tuple of gradients, derived by hand and written in NumPy.
    skip : mapping of str to str
        Peers that are left out, and why.
    """

    name: str
    group: str
    function: Callable[..., Any]
    primals: tuple[Floats, ...]
    data: tuple[Floats, ...] = ()
    operator: Operator = "grad"
    by_hand: Callable[..., tuple[Floats, ...]] | None = None
    skip: Mapping[str, str] = field(default_factory=dict)
