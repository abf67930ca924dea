"""How many patches and samples are active, by hand (MODEL §2)."""

import numpy as np
import pytest

from latpred.workloads.densities import active_patches, mean_active_patches, patch_count, whole_samples


@pytest.mark.parametrize(
    ("height", "width", "S", "patches"),
    [(8, 8, 1, 64), (8, 8, 4, 4), (9, 8, 4, 6), (8, 9, 4, 6), (7, 7, 7, 1), (7, 7, 8, 1), (56, 28, 4, 98)],
)
def test_patches_cover_the_map(height, width, S, patches):
    assert patch_count(height, width, S) == patches


@pytest.mark.parametrize(
    ("r", "patches", "active"),
    [
        (0.0, 49, 0),
        (0.01, 49, 1),  # ⌈0.49⌉
        (0.5, 49, 25),  # ⌈24.5⌉
        (0.1, 30, 3),  # 0.1·30 is a hair above 3 in floating point
        (0.07, 100, 7),  # 7.000000000000001
        (1.0, 49, 49),
        (1e-8, 49, 1),  # little, but above the rounding noise
    ],
)
def test_active_patches_round_up(r, patches, active):
    found = active_patches(r, patches)
    assert found == active
    assert not np.signbit(found)


def test_the_mean_of_one_to_n():
    for patches in (1, 4, 49):
        assert mean_active_patches(patches) == pytest.approx(np.mean(range(1, patches + 1)))


@pytest.mark.parametrize(
    ("samples", "parts"),
    [
        (2.25, [(0.75, 2), (0.25, 3)]),
        (3.0, [(1.0, 3), (0.0, 4)]),
        (0.25, [(0.0, 0), (0.25, 1)]),  # in three of four batches nothing runs
        (1.0, [(1.0, 1), (0.0, 2)]),
        (0.7 * 10, [(1.0, 7), (0.0, 8)]),
        (3 - 1e-12, [(1.0, 3), (0.0, 4)]),  # noise below a whole number
        (3 - 1e-6, [(1e-6, 2), (1 - 1e-6, 3)]),
    ],
)
def test_whole_samples_around_a_mean(samples, parts):
    found = [(float(weight), float(count)) for weight, count in whole_samples(samples)]
    assert [count for _, count in found] == [count for _, count in parts]
    assert [weight for weight, _ in found] == pytest.approx([weight for weight, _ in parts], abs=1e-11)


def test_several_means_at_once():
    (low_weight, low), (up_weight, up) = whole_samples(np.array([0.5, 2.25]))
    assert low.tolist() == [0.0, 2.0]
    assert up.tolist() == [1.0, 3.0]
    assert low_weight.tolist() == [0.0, 0.75]
    assert up_weight.tolist() == [0.5, 0.25]
