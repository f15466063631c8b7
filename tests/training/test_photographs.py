"""Generated photographs: things of many parts that are one object, moved in the next frame."""

from __future__ import annotations

import cmath
import math

import pytest
import torch

from napari_sam.training.appearance import paint
from napari_sam.training.crowds import add_crowd
from napari_sam.training.exposures import _compress
from napari_sam.training.grounds import GROUNDS, draw_ground
from napari_sam.training.photographs import THINGS, _hide, _pick_tones, photographs
from napari_sam.training.targets import Roles, find_objects
from napari_sam.training.things.animals import bird
from napari_sam.training.things.easel import Easel, Piece, Stand
from napari_sam.training.things.forms import Bar, Facet, Form, Oval, still
from napari_sam.training.things.looks import Look, draw_look
from napari_sam.training.things.people import person
from napari_sam.training.things.vehicles import motorcycle

MIDDLE = Stand((0j, 0j), (0.0, 0.0), (1.0, 1.0), bend=0.0)
RED = Look((0.8, 0.1, 0.1), (0.8, 0.1, 0.1), grain=0.0, bump=0.0, gloss=0.0)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def areas(form: Form, stand: Stand = MIDDLE) -> list[int]:
    easel = Easel((100, 100), seeded(0))
    easel.set([Piece(form, RED)], stand, 1, {})
    return (easel.labels == 1).sum(dim=(1, 2)).tolist()


def test_the_same_seed_gives_the_same_photograph():
    first, second = (photographs((80, 64), seeded(3)) for _ in range(2))
    assert torch.equal(first.labels, second.labels)
    assert first.image is not None
    assert second.image is not None
    assert torch.equal(first.image, second.image)


@pytest.mark.parametrize("seed", range(12))
def test_a_photograph_is_a_picture_of_two_planes_with_labels_that_have_roles(seed):
    scene = photographs((48 + seed, 90), seeded(seed))
    assert scene.image is not None
    assert scene.image.shape == (2, 3, 48 + seed, 90)
    assert bool(torch.isfinite(scene.image).all())
    assert float(scene.image.min()) >= 0.0
    assert float(scene.image.max()) <= 1.0
    assert set(scene.labels.unique().tolist()) <= {0, *scene.whole}
    assert {*scene.parents, *scene.parents.values()} <= scene.whole


def test_most_objects_are_in_the_second_plane_too_and_some_are_not():
    n_objects, n_gone = 0, 0
    for seed in range(60):
        labels = photographs((64, 64), seeded(seed)).labels
        for label in labels[0].unique().tolist():
            if label and int((labels[0] == label).sum()) > 20:
                n_objects += 1
                n_gone += not bool((labels[1] == label).any())
    assert n_objects > 60
    assert 0.04 < n_gone / n_objects < 0.35


def test_a_thing_with_a_part_of_its_own_is_asked_for_whole_and_its_part_alone():
    n_seen = 0
    for seed in range(80):
        scene = photographs((64, 64), seeded(seed))
        plane = scene.labels[0].numpy()
        found = find_objects(plane, Roles(scene.parents, scene.backdrop, scene.whole, scene.parts), 4)
        for part, thing in scene.parents.items():
            if (plane == part).any() and (plane == thing).any():
                n_seen += 1
                (whole,) = [c.area for c in found if thing in c.names]
                assert whole == ((plane == part) | (plane == thing)).sum(), "never without its part"
                assert (plane == part).sum() < 4 or [c for c in found if c.names == (part,)]
    assert n_seen > 5


@pytest.mark.parametrize("thing", [thing for _, thing in THINGS], ids=lambda f: f.__name__)
def test_a_thing_has_several_pieces_that_stay_near_its_middle(thing):
    for seed in range(5):
        pieces = thing(seeded(seed))
        assert pieces
        places = [place for piece in pieces for place, _ in piece.form.anchors()]
        assert max(abs(p) for place in places for p in place) < 3.0
        easel = Easel((64, 64), seeded(seed))
        easel.set(pieces, MIDDLE, 1, {})
        assert all(n > 20 for n in (easel.labels == 1).sum(dim=(1, 2)).tolist())


@pytest.mark.parametrize("name", [name for _, name, _ in GROUNDS])
def test_every_ground_fills_the_picture(name):
    seed = 0
    while True:  # until it is drawn
        found, ground = draw_ground((40, 56), seeded(seed))
        if found == name:
            break
        seed += 1
    assert ground.shape == (3, 40, 56)
    assert bool(torch.isfinite(ground).all())
    assert float(ground.min()) >= 0.0
    assert float(ground.max()) <= 1.0


def test_forms_have_the_area_that_they_should():
    assert areas(Oval(still(0, 0), 0.5, 0.25)) == [pytest.approx(math.pi * 25 * 12.5, rel=0.03)] * 2
    rim = Oval(still(0, 0), 0.8, 0.8, rim=0.5)
    assert areas(rim) == [pytest.approx(math.pi * (40**2 - 20**2), rel=0.03)] * 2
    bar = Bar(still(-0.5, 0.1), still(0.5, 0.1), 0.1, 0.1)
    assert areas(bar) == [pytest.approx(50 * 10 + math.pi * 25, rel=0.05)] * 2
    corners = still(-0.5, -0.5), still(0.5, -0.5), still(0.5, 0.0), still(-0.5, 0.0)
    assert areas(Facet(corners)) == [50 * 25] * 2
    assert areas(Facet(corners[::-1])) == [50 * 25] * 2


@pytest.mark.parametrize(
    "form",
    [
        Bar(still(-0.3, 0.2), still(0.4, 0.0), 0.1, 0.05),
        Oval(still(0.2, 0.1), 0.2, 0.3),
        Facet((still(0, 0), still(0.5, 0), still(0, 0.5))),
    ],
)
def test_a_form_moved_to_half_its_size_has_a_quarter_of_its_area(form):
    whole_area = areas(form, Stand((0j, 0j), (0.3, 0.3), (1.4, 1.4), bend=0.0))[0]
    half = areas(form.moved(still(0.1, -0.1), 0.5), Stand((0j, 0j), (0.3, 0.3), (1.4, 1.4), bend=0.0))[0]
    assert half == pytest.approx(whole_area / 4, rel=0.1)


def test_a_stand_moves_turns_and_ends_a_thing():
    moved = Stand((0j, 0.4 + 0.2j), (0.0, math.pi / 2), (1.0, 1.0), flip=True, bend=0.0)
    seen = moved.place(still(0.5, 0.0))
    assert seen[0] == pytest.approx(-0.5)
    assert cmath.isclose(seen[1], 0.4 - 0.3j, abs_tol=1e-9)
    gone = Stand((0j, 0j), (0.0, 0.0), (1.0, 1.0), bend=0.0, lasting=False)
    assert areas(Oval(still(0, 0), 0.5, 0.5), gone)[1] == 0


def test_light_from_above_brightens_the_upper_side_of_a_ball():
    easel = Easel((60, 60), seeded(1))
    easel.set([Piece(Oval(still(0, 0), 0.8, 0.8), RED)], MIDDLE, 1, {})
    ground = torch.full((2, 3, 60, 60), 0.5)
    image = easel.paint(ground, (-0.8, 0.0, 0.6), 0.2)
    assert float(image[0, 0, 12, 30]) > 1.5 * float(image[0, 0, 48, 30])
    assert torch.equal(image[:, :, 0, 0], ground[:, :, 0, 0])


def test_a_hidden_thing_has_nearly_the_colours_of_its_ground():
    ground = torch.full((2, 3, 8, 8), 0.25)
    tones = _pick_tones(ground, seeded(0))
    assert tones == ((0.25, 0.25, 0.25), (0.25, 0.25, 0.25))
    (hidden,) = _hide([Piece(Oval(still(0, 0), 0.5, 0.5), RED)], tones, 0.9)
    assert hidden.look.first == pytest.approx((0.305, 0.235, 0.235))
    assert hidden.look.gloss == RED.gloss


def test_an_empty_easel_leaves_the_ground():
    ground = torch.rand(2, 3, 20, 20, generator=seeded(2))
    easel = Easel((20, 20), seeded(3))
    easel.set([Piece(Oval(still(9, 9), 0.1, 0.1), draw_look(seeded(4)))], MIDDLE, 1, {})
    assert torch.equal(easel.paint(ground, (0.0, 0.0, 1.0), 0.5), ground)


def test_compression_keeps_an_even_picture_and_its_size():
    image = torch.full((2, 3, 21, 30), 0.5)
    packed = _compress(image, 0.02)
    assert packed.shape == image.shape
    assert float((packed - image).abs().max()) < 0.01
    busy = torch.rand(2, 3, 24, 24, generator=seeded(5))
    assert float((_compress(busy, 1e-4) - busy).abs().max()) < 0.01
    assert float((_compress(busy, 0.1) - busy).abs().mean()) > 0.01


def test_a_real_texture_is_laid_over_a_photograph():
    scene = photographs((40, 40), seeded(6))
    assert scene.image is not None
    texture = torch.randn(1, 40, 40, generator=seeded(7))
    covered = paint(scene, texture, seeded(8))
    assert not torch.equal(covered, scene.image)
    assert 0.0 <= float(covered.min()) <= float(covered.max()) <= 1.0
    assert torch.equal(paint(scene, None, seeded(8)), scene.image)


def test_a_crowd_is_seen_and_is_no_object():
    for seed in range(6):
        easel = Easel((60, 100), seeded(seed))
        add_crowd(easel, person, 0.02 + 0j)
        assert int(easel.labels.max()) == 0
        assert int((easel.forms > 0)[0].sum()) > 50
        assert len(easel.forms.unique()) > 10


def test_a_motorcycle_carries_somebody_mostly():
    riders = [any(piece.part == "rider" for piece in motorcycle(seeded(seed))) for seed in range(40)]
    assert 20 < sum(riders) < 40


def test_a_swimming_bird_may_hold_its_head_high():
    tops = []
    for seed in range(40):
        places = [place[0].imag for piece in bird(seeded(seed)) for place, _ in piece.form.anchors()]
        tops.append(min(places))
    assert 3 < sum(top < -0.6 for top in tops) < 30
