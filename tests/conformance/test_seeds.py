"""Other points than those that claims are about: they stay in their regions, and right backends raise no alarm there."""

import numpy as np
import pytest
from unidiff_conformance.results import Status
from unidiff_conformance.runner import run, select
from unidiff_conformance.scenario import Draw
from unidiff_conformance.scenarios import scenarios
from unidiff_conformance.waivers import waivers_of

DRAWN = [item for item in scenarios().values() if not item.hand_picked]
SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_points_move_within_their_regions_and_stay_away_from_kinks(seed: int) -> None:
    for item in DRAWN:
        moved = item.at(seed)
        assert moved.at(seed) is moved
        taken: list[float] = []
        for given, data in zip(item.given, moved.inputs, strict=True):
            numbers = np.asarray(data.values, complex)
            assert data.shape == given.shape
            if isinstance(given, Draw):
                drawn = [*numbers.real, *(numbers.imag if given.is_complex else ())]
                assert all(given.low - 1 / 64 < x < given.high + 1 / 64 for x in drawn), item.id
                assert all(abs(8 * x - round(8 * x)) > 1 / 4 for x in drawn), item.id  # multiples of 1/8 are 1/32 away
                taken += drawn
        assert np.all(np.diff(np.sort(taken)) > 1 / 16), item.id


def test_hand_picked_points_stay_and_directions_move() -> None:
    item = scenarios()["elementwise.clip.at-bounds"]
    assert item.at(5).inputs == item.inputs
    assert item.at(5).direction("tangent", 4) != item.direction("tangent", 4)
    assert item.at(0) is item


@pytest.mark.parametrize("backend", ["numpy", "array_api_strict", "torch"])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_false_alarm(backend: str, seed: int) -> None:
    found = list(run(backend, select()[seed::25], seed=seed, profiles=["default"], waivers=waivers_of(backend)))
    assert [r.reproduce for r in found if r.failed] == []
    assert sum(r.status is Status.PASS for r in found) > 100


def test_the_command_that_reproduces_names_the_seed() -> None:
    (result,) = run("numpy", select("=elementwise.sin.matrix"), seed=7, dtypes=["float64"], modes=["jvp"])
    assert "--seed 7" in result.reproduce
