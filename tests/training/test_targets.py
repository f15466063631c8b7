"""What is prompted for: objects that can be seen, with and without their parts, and those that end."""

from __future__ import annotations

import numpy as np
import torch

from napari_sam.training.outlines import outline_share, view_of
from napari_sam.training.samples import PairSampler, SampleSettings
from napari_sam.training.targets import VISIBLE_STEP, Roles, choose, find_objects


def seen_share(image, one) -> float:
    return outline_share(view_of(image), (one.rows, one.columns), one.mask, VISIBLE_STEP)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def nested() -> np.ndarray:
    plane = np.zeros((60, 60), dtype=np.int64)
    plane[10:50, 10:50] = 1
    plane[20:40, 20:40] = 2
    plane[25:30, 25:30] = 3
    return plane


def areas(plane, roles) -> list[int]:
    return sorted(c.area for c in find_objects(plane, roles, 10))


def test_an_organ_counts_with_and_without_what_lies_in_it():
    assert areas(nested(), Roles({2: 1, 3: 2})) == [25, 375, 400, 1200, 1600]


def test_backdrop_with_a_parent_always_belongs_to_it():
    assert areas(nested(), Roles({2: 1, 3: 2}, frozenset({3}))) == [400, 1200, 1600]
    assert areas(nested(), Roles({2: 1, 3: 2}, frozenset({2, 3}))) == [1600]


def test_backdrop_without_a_parent_is_no_object():
    assert areas(nested(), Roles({}, frozenset({1}))) == [25, 375]


def test_a_part_is_an_object_that_its_parent_is_never_without():
    assert areas(nested(), Roles({2: 1, 3: 2}, parts=frozenset({2}))) == [25, 375, 400, 1575, 1600]
    assert areas(nested(), Roles({2: 1, 3: 2}, parts=frozenset({2, 3}))) == [25, 400, 1600]


def test_a_pair_of_organs_is_one_object_beside_each_of_them():
    plane = np.zeros((40, 40), dtype=np.int64)
    plane[5:15, 5:15], plane[5:15, 25:35] = 2, 3
    assert areas(plane, Roles({2: 1, 3: 1}, whole=frozenset({1}))) == [100, 100, 200]


def test_the_outline_of_an_invisible_object_is_not_seen():
    labels = np.zeros((40, 40), dtype=np.int64)
    labels[10:30, 10:30] = 1
    (square,) = find_objects(labels, Roles(), 10)
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 40, 40)).astype(np.float32)
    plain = noise + 0.5
    assert seen_share(plain, square) < 0.3
    assert seen_share(plain + 0.3 * labels, square) > 0.9
    half = plain.copy()
    half[:, :20] += 0.3 * labels[:20]
    assert 0.3 < seen_share(half, square) < 0.7


def test_padding_is_neither_in_nor_beside_an_object():
    labels = np.zeros((40, 40), dtype=np.int64)
    labels[10:30, 10:30] = 1
    (square,) = find_objects(labels, Roles(), 10)
    image = np.where(labels == 1, 0.5, np.nan).astype(np.float32)[None]
    assert seen_share(image, square) == 0.0


def test_invisible_objects_are_rarely_chosen():
    labels = np.zeros((2, 40, 40), dtype=np.int64)
    labels[:, 4:16, 4:16], labels[:, 22:36, 22:36] = 1, 2
    image = (0.5 + 0.4 * (labels[0] == 2)).astype(np.float32)[None]
    chosen = [choose(labels, Roles(), (2, 10), seeded(s), image) for s in range(60)]
    n_unseen = sum(int(masks[0, :, 8, 8].any()) for masks in chosen if masks is not None)
    n_seen = sum(int(masks[0, :, 30, 30].any()) for masks in chosen if masks is not None)
    assert n_seen == 60
    assert n_unseen < 8


def test_an_object_that_moved_off_its_place_is_found_by_its_name():
    labels = np.zeros((2, 40, 40), dtype=np.int64)
    labels[0, 4:10, 4:10] = labels[1, 20:26, 20:26] = 7
    masks = choose(labels, Roles(), (1, 10), seeded(0))
    assert masks is not None
    assert masks[1, 0, 22, 22]


def test_many_generated_objects_end_and_as_many_are_near_their_end_and_go_on():
    sampler, rng = PairSampler(SampleSettings(side=128), []), seeded(3)
    pairs = [sampler.draw(rng) for _ in range(120)]
    first, second = torch.cat([p.masks.flatten(2).sum(dim=2) for p in pairs], dim=1).float()
    kept = second / first
    ended, near = kept == 0, (kept > 0) & (kept < 0.75)
    assert 0.12 < float(ended.float().mean()) < 0.28
    assert 0.1 < float(near.float().mean()) < 0.3
    assert float(first[ended].median()) > 0.2 * float(first[~ended].median())
    assert int((first[ended] > first[~ended].median()).sum()) >= 5, "large objects end, too"


def test_objects_that_end_or_shrink_are_rather_chosen():
    labels = np.zeros((2, 40, 60), dtype=np.int64)
    for number, column in enumerate((4, 18, 32, 46), start=1):
        labels[0, 4:14, column : column + 10] = number
    labels[1] = np.where(labels[0] >= 3, labels[0], 0)
    labels[1][labels[0] == 2] = 2
    labels[1, 4:10, 18:28] = 0  # the second shrinks, the first is gone
    n_times = [0, 0, 0, 0]
    for seed in range(300):
        masks = choose(labels, Roles(), (1, 10), seeded(seed))
        assert masks is not None
        n_times[[4, 18, 32, 46].index(int(masks[0, 0].any(dim=0).int().argmax()))] += 1
    assert min(n_times[:2]) > 1.3 * max(n_times[2:])


def test_a_long_outline_is_judged_by_some_of_its_pixels():
    labels = np.zeros((400, 400), dtype=np.int64)
    labels[20:380, 20:380] = 1
    (square,) = find_objects(labels, Roles(), 10)
    image = np.full((1, 400, 400), 0.5, dtype=np.float32)
    image[0, :200] += 0.3 * labels[:200]
    assert abs(seen_share(image, square) - 0.541) < 0.02  # of all its pixels: 0.541
