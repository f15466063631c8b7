"""Organs that touch: who owns a pixel, where borders run, and what has ended."""

from __future__ import annotations

import torch

from napari_sam.training.canvas import Canvas
from napari_sam.training.neighbours import Neighbours
from napari_sam.training.shapes import LASTING, Lump, Pose, lay_frame


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def flat_canvas(seed: int = 0) -> Canvas:
    rng = seeded(seed)
    return Canvas(lay_frame((60, 60), Pose(bend=0.0), rng), rng)


def ball(x: float, radius: float, n_planes: float = LASTING) -> Lump:
    return Lump(0.0, x, radius, radius, wobble=0.0, n_planes=n_planes, slant=0.0)


def test_two_balls_that_overlap_meet_halfway_and_share_no_pixel():
    others = Neighbours(flat_canvas(), 0.0)
    left, right = others.add(ball(-0.3, 0.5)), others.add(ball(0.3, 0.5))
    inside = []
    for number in (left, right):
        patch = others.patch(number)
        plane = torch.zeros(2, 60, 60, dtype=torch.bool)
        patch.of(plane).copy_(patch.depth > 0)
        inside.append(plane)
    assert not bool((inside[0] & inside[1]).any())
    assert bool(inside[0][:, 30, :30][:, 12:29].all())
    assert bool(inside[1][:, 30, 31:48].all())
    assert not bool(inside[0][:, :, 31:].any())


def test_organs_grow_into_free_room_as_far_as_they_reach():
    apart = {}
    for reach in (0.0, 0.1):
        others = Neighbours(flat_canvas(), reach)
        number = others.add(ball(0.0, 0.4))
        apart[reach] = int((others.patch(number).depth > 0)[0].sum())
    assert abs(apart[0.0] - 3.1416 * 12**2) < 25
    assert abs(apart[0.1] - 3.1416 * 15**2) < 30


def test_an_organ_of_several_lumps_is_one():
    others = Neighbours(flat_canvas(), 0.0)
    number = others.add(ball(-0.3, 0.2), ball(0.3, 0.2))
    patch = others.patch(number)
    plane = torch.zeros(2, 60, 60, dtype=torch.bool)
    patch.of(plane).copy_(patch.depth > 0)
    assert bool(plane[0, 30, 21])
    assert bool(plane[0, 30, 39])
    assert not bool(plane[0, 30, 30])


def test_what_has_ended_does_not_grow():
    n_ended = 0
    for seed in range(40):
        canvas = flat_canvas(seed)
        lump = ball(0.0, 0.3, 3.0)
        state = canvas.rng.get_state()
        deepest = canvas.depth(lump).depth.flatten(1).amax(dim=1)
        canvas.rng.set_state(state)
        others = Neighbours(canvas, 0.2)
        patch = others.patch(others.add(lump))
        for plane in (0, 1):
            if float(deepest[plane]) <= 0:
                n_ended += 1
                assert not bool((patch.depth[plane] > 0).any())
    assert n_ended > 5
