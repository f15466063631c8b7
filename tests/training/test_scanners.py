"""What scanners do: cut frequencies, thick slices, noise with its grain, stripes and metal."""

from __future__ import annotations

import pytest
import torch

from napari_sam.training.scanners import (
    _low_pass,
    _stripes,
    _with_metal,
    scan_ct,
    scan_mr,
    thicken,
)

CPU = torch.device("cpu")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_all_frequencies_leave_a_row_as_it_is_and_few_leave_an_even_one():
    assert torch.allclose(_low_pass(32, 32, 0, CPU), torch.eye(32), atol=1e-5)
    for soft in range(4):
        few = _low_pass(32, 8, soft, CPU)
        assert torch.allclose(few @ torch.ones(32), torch.ones(32), atol=1e-5)
        assert torch.allclose(few, few.T, atol=1e-6)


def test_edges_ring_where_frequencies_are_cut_and_less_so_softly():
    step = (torch.arange(64) >= 32).float()
    hard, soft = (_low_pass(64, 20, softness, CPU) @ step for softness in (0, 3))
    assert 0.05 < float(hard.max()) - 1 < 0.15
    assert float(soft.max()) < float(hard.max())


@pytest.mark.parametrize("seed", range(8))
def test_a_scanned_picture_stays_within_range_and_is_the_same_for_the_same_seed(seed):
    tones = torch.rand(2, 40, 30, generator=seeded(seed))
    first, second = (scan_mr(tones.clone(), seeded(seed)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (2, 40, 30)
    assert 0 <= float(first.min()) <= float(first.max()) <= 1


def test_thick_slices_show_some_of_the_other_plane():
    image = torch.stack([torch.zeros(8, 8), torch.ones(8, 8)])
    seen = [float(thicken(image, seeded(seed))[0, 0, 0]) for seed in range(60)]
    assert 10 < sum(value > 0 for value in seen) < 40
    assert max(seen) < 0.5, "what is gone stays below half of its contrast"


def test_noise_of_ct_has_the_strength_that_is_asked_for():
    spread = [float(scan_ct(torch.zeros(2, 64, 64), 20.0, seeded(seed)).std()) for seed in range(5)]
    assert all(abs(value - 20) < 2 for value in spread)


def test_stripes_run_across_and_metal_is_brightest():
    stripes = _stripes(torch.zeros(2, 48, 48), seeded(1))
    along = (stripes[:, :, 1:] - stripes[:, :, :-1]).abs().mean()
    across = (stripes[:, 1:] - stripes[:, :-1]).abs().mean()
    assert float(along) < 0.6 * float(across)
    seen = _with_metal(torch.zeros(2, 96, 96), seeded(2))
    assert float(seen.max()) == 3000.0
    assert bool(torch.isfinite(seen).all())
