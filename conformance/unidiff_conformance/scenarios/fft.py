"""The Fourier transform extension."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from unidiff_conformance.scenario import EXACT, FFT, Function, Input, Scenario, cplx, real, scenario

_ONE: dict[str, Input] = {"fft": cplx(4), "ifft": cplx(4), "rfft": real(4), "irfft": cplx(3), "hfft": cplx(3), "ihfft": real(4)}
_MANY: dict[str, Input] = {"fftn": cplx(2, 2), "ifftn": cplx(2, 2), "rfftn": real(2, 4), "irfftn": cplx(2, 3)}


def _call(name: str, **keywords: Any) -> Function:
    return lambda xp, x: getattr(xp.fft, name)(x, **keywords)


def _transforms() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=FFT)
    for name, data in _ONE.items():
        kind = real if name in ("rfft", "ihfft") else cplx
        yield make(f"fft.{name}.default", _call(name), data)
        for n in (3, 5):  # cut, padded
            yield make(f"fft.{name}.n-{n}", _call(name, n=n), kind(4) if n == 3 else kind(3))
        for norm in ("ortho", "forward"):
            yield make(f"fft.{name}.{norm}", _call(name, norm=norm), data)
        yield make(f"fft.{name}.axis", _call(name, axis=0), kind(3, 2))
    for name, data in _MANY.items():
        kind = real if name == "rfftn" else cplx
        yield make(f"fft.{name}.default", _call(name), data)
        yield make(f"fft.{name}.shape-axes", _call(name, s=(2, 3), axes=(0, 1)), kind(2, 2))
        yield make(f"fft.{name}.ortho", _call(name, norm="ortho"), data)
        yield make(f"fft.{name}.one-axis", _call(name, axes=(0,)), kind(3, 2))
    for name in ("fft", "ifft"):
        complexified = lambda xp, x, name=name: _call(name)(xp, x + 0j)
        yield make(f"fft.{name}.real-input", complexified, real(4))
    for name in ("fftshift", "ifftshift"):
        yield make(f"fft.{name}.all", _call(name), real(2, 3), accuracy=EXACT)
        yield make(f"fft.{name}.axis", _call(name, axes=1), cplx(1, 3), accuracy=EXACT)
    power = lambda xp, x: xp.square(xp.abs(xp.fft.rfft(x)))
    yield make("fft.rfft.power-spectrum", power, real(4))
    convolution = lambda xp, x, y: xp.fft.irfft(xp.fft.rfft(x) * xp.fft.rfft(y), n=4)
    yield make("fft.irfft.convolution", convolution, real(4), real(4))


SCENARIOS = tuple(_transforms())
