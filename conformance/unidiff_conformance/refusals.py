"""Bad input: every misuse raises the same type of error on every backend, in every transform it can be made in."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import unidiff as ud
from unidiff_conformance.trial import MismatchError

Transform = Callable[[Callable[..., Any], Any, str | None], Any]

GRADIENTS: Mapping[str, Transform] = {
    "grad": lambda f, x, name: ud.grad(f, backend=name)(x),
    "value_and_grad": lambda f, x, name: ud.value_and_grad(f, backend=name)(x),
    "hvp": lambda f, x, name: ud.hvp(f, (x,), (x,), backend=name),
}
MAPS: Mapping[str, Transform] = {
    "vjp": lambda f, x, name: ud.vjp(f, x, backend=name),
    "jvp": lambda f, x, name: ud.jvp(f, (x,), (x,), backend=name),
    "linearize": lambda f, x, name: ud.linearize(f, x, backend=name),
    "jacfwd": lambda f, x, name: ud.jacfwd(f, backend=name)(x),
    "jacrev": lambda f, x, name: ud.jacrev(f, backend=name)(x),
    "jacobian": lambda f, x, name: ud.jacobian(f, backend=name)(x),
}
ALL: Mapping[str, Transform] = {**GRADIENTS, **MAPS, "hessian": lambda f, x, name: ud.hessian(f, backend=name)(x)}
WITH_ARGNUMS: Mapping[str, Callable[..., Any]] = {
    "grad": ud.grad,
    "value_and_grad": ud.value_and_grad,
    "jacfwd": ud.jacfwd,
    "jacrev": ud.jacrev,
    "jacobian": ud.jacobian,
    "hessian": ud.hessian,
}
DIRECTIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "jvp": lambda x, direction: ud.jvp(lambda x: x, (x,), (direction,)),
    "linearize": lambda x, direction: ud.linearize(lambda x: x, x)[1](direction),
    "vjp": lambda x, direction: ud.vjp(lambda x: x, x)[1](direction),
}


_NOT_CALLABLE: Any = 3.0


def _total(x: Any) -> Any:
    return ud.array_namespace(x).sum(x)


def _refused(error: type[Exception], what: str, call: Callable[[], Any]) -> None:
    try:
        call()
    except error:
        return
    except Exception as other:
        raise MismatchError(
            "exception", f"{what} raised {type(other).__name__} instead of {error.__name__}: {other}"
        ) from other
    raise MismatchError("exception", f"{what} was accepted; {error.__name__} is what it has to raise")


def _by_input(
    error: type[Exception], make: Callable[[Any, str], Any], transforms: Mapping[str, Transform] = ALL
) -> Callable[[Any, str], None]:
    def check(backend: Any, dtype: str) -> None:
        """Every transform refuses such an argument with the same type of error."""
        x = make(backend, dtype)
        for name, transform in transforms.items():
            _refused(error, name, partial(transform, _total, x, backend.name))

    return check


def _by_output(
    error: type[Exception], f: Callable[[Any, Any], Any], transforms: Mapping[str, Transform]
) -> Callable[[Any, str], None]:
    def check(backend: Any, dtype: str) -> None:
        """Every transform refuses such an output with the same type of error."""
        x = backend.asarray([1.0, 2.0], dtype=dtype)
        function = lambda x: f(ud.array_namespace(x), x)  # noqa: E731 - used in a loop
        for name, transform in transforms.items():
            _refused(error, name, partial(transform, function, x, backend.name))

    return check


def _by_argnums(backend: Any, dtype: str) -> None:
    """Every transform refuses `argnums` that name no argument, or one twice."""
    x = backend.asarray(1.0, dtype=dtype)
    for name, transform in WITH_ARGNUMS.items():
        for argnums in (2, -3, (0, 0), (), "x", 1.5):
            call = partial(_differentiate_product, transform, argnums, x)
            _refused(ud.errors.ArgumentError, f"{name} with argnums={argnums!r}", call)


def _differentiate_product(transform: Callable[..., Any], argnums: Any, x: Any) -> Any:
    return transform(lambda x, y: x * y, argnums)(x, x)


def _by_direction(error: type[Exception], make: Callable[[Any, str], Any]) -> Callable[[Any, str], None]:
    def check(backend: Any, dtype: str) -> None:
        """A tangent or cotangent that does not fit is refused with the same type of error in every transform."""
        x, direction = backend.asarray([1.0, 2.0], dtype=dtype), make(backend, dtype)
        for name, call in DIRECTIONS.items():
            _refused(error, name, partial(call, x, direction))

    return check


def _function(backend: Any, dtype: str) -> None:
    """What cannot be called is refused."""
    x = backend.asarray(1.0, dtype=dtype)
    for name, transform in ALL.items():
        _refused(ud.errors.ArgumentError, name, partial(transform, _NOT_CALLABLE, x, backend.name))


def _two_libraries(backend: Any, dtype: str) -> None:
    """Arrays of two libraries are refused, as two arguments, in one tree, and as an output."""
    own = ud.get_backend(backend.asarray([1.0], dtype=dtype)).name
    others = [name for name in ud.backends(arrays=True) if name != own]
    if not others:
        return
    x, y = backend.asarray([1.0], dtype=dtype), ud.asarray([1.0], backend=others[0])
    error = ud.errors.MixedBackendsError
    _refused(error, "grad of two arguments", lambda: ud.grad(lambda x, _y: _total(x))(x, y))
    for name, transform in ALL.items():
        pair = partial(transform, lambda p: _total(p[0]), [x, y], None)
        _refused(error, f"{name} of a tree", pair)
    for name, transform in MAPS.items():
        constant = partial(transform, lambda _: y, x, backend.name)
        _refused(error, f"{name} of a foreign output", constant)


def _two_devices(backend: Any, dtype: str) -> None:
    """Arguments on two devices are refused, where there are two."""
    devices = list(backend.devices())[:2]
    if len(devices) < 2:
        return
    x, y = (backend.asarray([1.0], dtype=dtype, device=device) for device in devices)
    for name, transform in ALL.items():
        pair = partial(transform, lambda p: _total(p[0]), [x, y], None)
        _refused(ud.errors.MixedDevicesError, name, pair)


def _foreign_view(backend: Any, dtype: str) -> None:
    """Memory that another library could look at cannot carry a derivative: a traced array is not exported, whoever refuses."""
    x = backend.asarray([1.0, 2.0], dtype=dtype)
    exported = lambda x: _total(ud.array_namespace(x).from_dlpack(x) * x)  # noqa: E731 - used twice
    for name in ("grad", "jvp"):
        _refused(Exception, name, partial(ALL[name], exported, x, backend.name))


def _other_precision(backend: Any, dtype: str) -> Any:
    return backend.asarray([1.0, 2.0], dtype="float32" if dtype == "float64" else "float64")


def _half_complex(xp: Any, x: Any) -> Any:
    return xp.sum(xp.astype(x, xp.complex64))


def refusals() -> Iterable[tuple[str, Callable[[Any, str], None]]]:
    """Return each kind of bad input with its check."""
    e = ud.errors
    return (
        ("integer-primal", _by_input(e.DTypeError, lambda b, _: b.asarray([1, 0], dtype="int64"))),
        ("boolean-primal", _by_input(e.DTypeError, lambda b, _: b.asarray([True, False], dtype="bool"))),
        ("integer-number", _by_input(e.DTypeError, lambda _b, _: 1)),
        ("text-primal", _by_input(e.NotAnArrayError, lambda _b, _: "text")),
        ("vector-output", _by_output(e.NonScalarOutputError, lambda _xp, x: x, GRADIENTS)),
        ("size-1-output", _by_output(e.NonScalarOutputError, lambda _xp, x: x[:1], GRADIENTS)),
        ("complex-output", _by_output(e.NonScalarOutputError, _half_complex, GRADIENTS)),
        ("tree-output", _by_output(e.NonScalarOutputError, lambda _xp, x: (x[0], x[1]), GRADIENTS)),
        (
            "none-output",
            _by_output(e.NotAnArrayError, lambda _xp, _x: None, {k: GRADIENTS[k] for k in ("grad", "value_and_grad")}),
        ),
        ("text-output", _by_output(e.NotAnArrayError, lambda _xp, x: (x, "text"), MAPS)),
        ("from_dlpack", _foreign_view),
        ("argnums", _by_argnums),
        ("no-function", _function),
        ("direction-shape", _by_direction(e.ShapeError, lambda b, dtype: b.asarray([1.0], dtype=dtype))),
        ("direction-dtype", _by_direction(e.DTypeError, _other_precision)),
        ("direction-structure", _by_direction(e.TreeError, lambda b, dtype: [b.asarray([1.0, 2.0], dtype=dtype)])),
        ("direction-text", _by_direction(e.NotAnArrayError, lambda _b, _: "text")),
        ("two-libraries", _two_libraries),
        ("two-devices", _two_devices),
    )
