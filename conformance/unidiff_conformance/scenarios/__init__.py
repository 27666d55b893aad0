"""All scenarios, by category of the array API standard."""

from functools import cache
from types import MappingProxyType

from unidiff_conformance.scenario import Scenario
from unidiff_conformance.standard import clause_of

DIFFERENTIABLE = frozenset(
    """
    asarray meshgrid tril triu
    abs acos acosh add asin asinh atan atan2 atanh clip conj copysign cos cosh divide exp expm1 hypot imag log log1p log2
    log10 logaddexp maximum minimum multiply negative positive pow real reciprocal remainder sin sinh sqrt square subtract
    tan tanh
    cumulative_sum cumulative_prod max mean min prod std sum var
    matmul matrix_transpose tensordot vecdot
    broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape roll squeeze stack tile
    unstack
    where unique_all unique_counts unique_inverse unique_values sort diff take take_along_axis astype
    linalg.cholesky linalg.cross linalg.det linalg.diagonal linalg.eig linalg.eigh linalg.eigvals linalg.eigvalsh
    linalg.inv linalg.matmul linalg.matrix_norm linalg.matrix_power linalg.matrix_transpose linalg.outer linalg.pinv
    linalg.qr linalg.slogdet linalg.solve linalg.svd linalg.svdvals linalg.tensordot linalg.trace linalg.vecdot
    linalg.vector_norm
    fft.fft fft.ifft fft.fftn fft.ifftn fft.rfft fft.irfft fft.rfftn fft.irfftn fft.hfft fft.ihfft fft.fftshift
    fft.ifftshift
    """.split()
)
"""The functions of the array API standard 2025.12 whose derivative is not zero everywhere."""

PIECEWISE_CONSTANT = frozenset("ceil floor floor_divide round sign trunc".split())
"""The functions with floating-point results that have derivative zero wherever they have one."""


@cache
def scenarios() -> MappingProxyType[str, Scenario]:
    """Return all scenarios by id.

    Raises
    ------
    ValueError
        If two scenarios share an id.
    """
    from unidiff_conformance.scenarios import (
        constants,
        degenerate,
        elementwise,
        fft,
        indexing,
        kinks,
        linalg,
        linear_algebra,
        manipulation,
        options,
        points,
        programs,
        special,
        statistical,
    )

    tables = (
        *(
            elementwise,
            kinks,
            points,
            constants,
            statistical,
            linear_algebra,
            manipulation,
            indexing,
            linalg,
            degenerate,
            fft,
            options,
        ),
        *(special, programs),
    )
    found: dict[str, Scenario] = {}
    for table in tables:
        for item in table.SCENARIOS:
            if item.id in found:
                raise ValueError(f"two scenarios are called {item.id}")
            found[item.id] = item
    return MappingProxyType(found)


def covered() -> frozenset[str]:
    """Return the functions of the standard that have a scenario, with the extension before the dot."""
    extensions = ("linalg", "fft", "special")
    return frozenset(f"{s.category}.{s.name}" if s.category in extensions else s.name for s in scenarios().values())


@cache
def representatives() -> frozenset[str]:
    """Return the ids of what a quick run treats in full: special points, and the first scenario of each clause."""
    return firsts() | {item.id for item in scenarios().values() if item.hand_picked}


@cache
def firsts() -> frozenset[str]:
    """Return the id of the first scenario of each clause.

    unidiff's own functions are left out: they are compositions of the others, and slow to compile.
    """
    first: dict[str, str] = {}
    for item in scenarios().values():
        if item.category != "special":
            first.setdefault(clause_of(item.id).id, item.id)
    return frozenset(first.values())
