"""The peers: for each, how it takes the derivative of a program, the way its own users would write it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.namespaces import autograd_namespace, jax_namespace, numpy_namespace, torch_namespace
from benchmarks.program import Floats, Program

Thunk = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to take derivatives.

    Parameters
    ----------
    name : str
        What the command line and the tables call it.
    library : str
        The array library; peers of one library are measured in one process.
    prepare : callable
        Turns a program into a function without arguments that computes its derivative and waits for the result, or into
        None where the peer has no such derivative.
    """

    name: str
    library: str
    prepare: Callable[[Program], Thunk | None]


def as_numpy(result: Any) -> list[Floats]:
    """Return what a peer's thunk returned, one array or a tuple of them, as NumPy arrays."""
    arrays = result if isinstance(result, (tuple, list)) else (result,)
    return [np.asarray(array.detach() if hasattr(array, "detach") else array) for array in arrays]


def _argnums(program: Program) -> Any:
    return tuple(range(len(program.primals))) if program.operator == "grad" else 0


def _closed(program: Program, namespace: Any, data: tuple[Any, ...]) -> Callable[..., Any]:
    """Return the program as a function of its primals alone, in a peer's own namespace."""
    function = program.function

    def of_primals(*primals: Any) -> Any:
        return function(namespace, *primals, *data)

    return of_primals


def _forward(program: Program) -> Thunk:
    f = _closed(program, numpy_namespace(), program.data)
    return lambda: f(*program.primals)


def _by_hand(program: Program) -> Thunk | None:
    gradient = program.by_hand
    return None if gradient is None else lambda: gradient(*program.primals, *program.data)


def _autograd(program: Program) -> Thunk:
    import autograd

    operators = {"grad": autograd.grad, "jacrev": autograd.jacobian, "hessian": autograd.hessian}
    f = _closed(program, autograd_namespace(), program.data)
    derivative = operators[program.operator](f, _argnums(program))
    return lambda: derivative(*program.primals)


def _tensors(arrays: tuple[Floats, ...], *, requires_grad: bool = False) -> tuple[Any, ...]:
    import torch

    return tuple(torch.tensor(array, requires_grad=requires_grad) for array in arrays)


def _torch_tape(program: Program) -> Thunk:
    import torch

    f = _closed(program, torch_namespace(), _tensors(program.data))
    if program.operator == "grad":
        leaves = _tensors(program.primals, requires_grad=True)
        return lambda: torch.autograd.grad(f(*leaves), leaves)
    functional = torch.autograd.functional
    operator = functional.jacobian if program.operator == "jacrev" else functional.hessian
    primal = _tensors(program.primals)[0]
    return lambda: operator(f, primal, vectorize=True)


def _torch_func(program: Program) -> Thunk:
    import torch

    f = _closed(program, torch_namespace(), _tensors(program.data))
    primals = _tensors(program.primals)
    derivative = getattr(torch.func, program.operator)(f, argnums=_argnums(program))
    return lambda: derivative(*primals)


def _jax(program: Program, *, jit: bool) -> Thunk:
    import jax

    f = _closed(program, jax_namespace(), tuple(map(jax.numpy.asarray, program.data)))
    primals = tuple(map(jax.numpy.asarray, program.primals))
    derivative = getattr(jax, program.operator)(f, argnums=_argnums(program))
    if jit:
        derivative = jax.jit(derivative)
    return lambda: jax.block_until_ready(derivative(*primals))


def unidiff_derivative(program: Program, data: tuple[Any, ...]) -> Callable[..., Any]:
    """Return unidiff's derivative as a function of the primals; the program asks its arrays for their namespace."""
    import unidiff as ud

    function, namespace_of = program.function, ud.array_namespace

    def f(*primals: Any) -> Any:
        return function(namespace_of(*primals), *primals, *data)

    derivative: Callable[..., Any] = getattr(ud, program.operator)(f, argnums=_argnums(program))
    return derivative


def _unidiff_numpy(program: Program, *, jit: bool) -> Thunk:
    import unidiff as ud

    derivative = unidiff_derivative(program, program.data)
    if jit:
        derivative = ud.jit(derivative)
    return lambda: derivative(*program.primals)


def _unidiff_loop(program: Program) -> Thunk | None:
    """Return the Jacobian or Hessian by one pass for each row, as one writes it without batched derivatives."""
    if program.operator == "grad":
        return None
    import unidiff as ud

    f = _closed(program, ud.namespace("numpy"), program.data)
    (x,) = program.primals

    def jacobian() -> Any:
        out, pull = ud.vjp(f, x)
        return np.stack([pull(unit)[0] for unit in np.eye(out.size)])

    def hessian() -> Any:
        return np.stack([ud.jvp(ud.grad(f), (x,), (unit,))[1] for unit in np.eye(x.size)])

    return jacobian if program.operator == "jacrev" else hessian


def _unidiff_torch(program: Program) -> Thunk:
    derivative = unidiff_derivative(program, _tensors(program.data))
    primals = _tensors(program.primals)
    return lambda: derivative(*primals)


def _unidiff_jax(program: Program, *, jit: bool) -> Thunk:
    import jax

    import unidiff as ud

    derivative = unidiff_derivative(program, tuple(map(jax.numpy.asarray, program.data)))
    primals = tuple(map(jax.numpy.asarray, program.primals))
    if jit:
        derivative = ud.jit(derivative)
    return lambda: jax.block_until_ready(derivative(*primals))


PEERS = {
    peer.name: peer
    for peer in (
        Peer("unidiff", "numpy", lambda program: _unidiff_numpy(program, jit=False)),
        Peer("unidiff-jit", "numpy", lambda program: _unidiff_numpy(program, jit=True)),
        Peer("unidiff-loop", "numpy", _unidiff_loop),
        Peer("forward", "numpy", _forward),
        Peer("hand", "numpy", _by_hand),
        Peer("autograd", "autograd", _autograd),
        Peer("torch", "torch", _torch_tape),
        Peer("torch-func", "torch", _torch_func),
        Peer("unidiff-torch", "torch", _unidiff_torch),
        Peer("jax", "jax", lambda program: _jax(program, jit=False)),
        Peer("jax-jit", "jax", lambda program: _jax(program, jit=True)),
        Peer("unidiff-jax", "jax", lambda program: _unidiff_jax(program, jit=False)),
        Peer("unidiff-jax-jit", "jax", lambda program: _unidiff_jax(program, jit=True)),
    )
}
"""Every peer by name. ``forward`` is the program itself in NumPy, without a derivative; ``hand`` its gradient by hand;
``unidiff-loop`` the Jacobian or Hessian row by row."""
