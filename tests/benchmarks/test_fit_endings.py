"""How the networks that tell ends are fitted, and on what."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import fit_endings
from benchmarks._made_volumes import make_volume
from benchmarks._slab_volumes import make_slabs
from napari_sam.core import ending, ending_weights


class TestVolumes:
    @pytest.mark.parametrize("kind", ["cords", "nuclei", "organs"])
    def test_each_kind_has_objects_and_is_the_same_twice(self, kind: str) -> None:
        first, second = make_slabs(kind, 4), make_slabs(kind, 4)
        assert first.objects
        assert np.array_equal(first.volume.data, second.volume.data)
        assert all(mask.shape == first.volume.shape for mask in first.objects)

    def test_every_third_is_sharp_and_the_others_mix_planes(self) -> None:
        sharp, made = make_slabs("organs", 3).volume.data, make_volume("organs", 3).volume.data
        assert np.array_equal(sharp, made)
        slabs, made = make_slabs("organs", 4).volume.data, make_volume("organs", 4).volume.data
        assert (
            np.abs(np.diff(slabs.astype(float), axis=0)).mean()
            < np.abs(np.diff(made.astype(float), axis=0)).mean()
        )


class TestFit:
    def test_it_learns_a_rule_that_is_no_plane_and_writes_what_it_learnt(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fit_endings, "STEPS", 400)
        numbers = np.random.default_rng(0).uniform(-1, 1, (2000, 13))
        precision = np.where((numbers[:, 0] > 0) == (numbers[:, 12] > 0), 0.9, 0.1)
        fitted = fit_endings.fit(numbers, precision)
        written: dict[str, np.ndarray] = {}
        exec(fit_endings._as_module(fitted), written)
        for name, value in fitted.items():
            assert np.array_equal(written[name], value)
            monkeypatch.setattr(ending, name, written[name])
        told = ending.expected_precision(numbers)
        assert np.mean((told > 0.5) == (precision > 0.5)) > 0.95

    def test_the_package_has_numbers_of_the_shapes_that_are_fitted(self) -> None:
        n_hidden = fit_endings.N_NETWORKS * fit_endings.N_HIDDEN
        assert ending_weights.HIDDEN.shape == (n_hidden, len(ending.NAMES) + 1)
        assert ending_weights.OUT.shape == (n_hidden + 1,)
        assert ending_weights.MEANS.shape == ending_weights.SPREADS.shape == (len(ending.NAMES),)
