"""Parts of the generator: shapes that end, cells that fill the plane, borrowed objects, coarse pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional as F

from napari_sam.training.abdomen import paint_hollow
from napari_sam.training.appearance import coarsen, paint
from napari_sam.training.canvas import Canvas
from napari_sam.training.chest import paint_lobe, short_axis
from napari_sam.training.echoes import _paint_ragged
from napari_sam.training.electrons import axons
from napari_sam.training.fields import _cubic_weights, blur, looked_up, noise_pairs, smooth_noise
from napari_sam.training.folds import paint_even_folds
from napari_sam.training.hippocampus import hippocampus
from napari_sam.training.paste import can_paste, paste_pair
from napari_sam.training.pelvis import _paint_bladder, _paint_hip_joint, _paint_wing
from napari_sam.training.photographs import photographs
from napari_sam.training.real_images import LabelledFrames, _by_channel, _LookUp, draw_real_pair
from napari_sam.training.samples import PairSampler, SampleSettings
from napari_sam.training.scenes import SCENES
from napari_sam.training.shapes import LASTING, Lump, Pose, lay_frame
from napari_sam.training.slides import embryo
from napari_sam.training.spine import cord
from napari_sam.training.targets import Roles, find_objects
from napari_sam.training.tessellation import tessellate
from napari_sam.training.tissues import HOUNSFIELD, MR_DARK, MR_LIKE, MR_NAMES, MR_TONES


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def real_item(kind: str = "video (RGB frames)") -> LabelledFrames:
    image = np.full((60, 80, 3), (10, 200, 40), dtype=np.uint8)
    labels = np.zeros((60, 80), dtype=np.int32)
    labels[20:40, 30:55] = 1
    return LabelledFrames((image, image), (labels, labels), kind, "one")


def test_a_lasting_lump_is_an_ellipse_in_both_planes():
    pose = Pose(bend=0.0)
    canvas = Canvas(lay_frame((100, 100), pose, seeded(0)), seeded(1))
    label = canvas.put("liver", Lump(0.0, 0.0, 0.5, 0.25, wobble=0.0, n_planes=LASTING, slant=0.0))
    areas = (canvas.labels == label).sum(dim=(1, 2))
    assert areas[0] == areas[1]
    assert float(areas[0]) == pytest.approx(np.pi * 25 * 12.5, rel=0.02)


def test_a_short_lump_is_there_in_the_first_plane_and_may_end_before_the_second():
    n_ended = 0
    for seed in range(60):
        rng = seeded(seed)
        canvas = Canvas(lay_frame((64, 64), Pose(bend=0.0), rng), rng)
        label = canvas.put("liver", Lump(0.0, 0.0, 0.5, 0.5, wobble=0.0, n_planes=6.0, slant=0.0))
        assert bool((canvas.labels[0] == label).any())
        n_ended += not bool((canvas.labels[1] == label).any())
    assert 5 < n_ended < 45


def test_a_shell_of_one_depth_surrounds_its_core():
    canvas = Canvas(lay_frame((80, 80), Pose(), seeded(3)), seeded(4))
    patch = canvas.depth(Lump(0.1, 0.1, 0.5, 0.4, n_planes=LASTING))
    shell = canvas.fill(patch, canvas.new("compact"))
    core = canvas.fill(patch, canvas.new("marrow", parent=shell), above=0.08)
    inner = canvas.labels[0] == core
    beside = blur(inner.float()[None], 0.6)[0] > 0
    assert set(canvas.labels[0][beside].tolist()) == {shell, core}


def test_a_window_holds_the_whole_lump_wherever_the_body_lies():
    for seed in range(12):
        rng = seeded(seed)
        pose = Pose(1.3, 0.4 * seed, (0.1, -0.2), seed % 2 == 0, 1.1, 0.2)
        frame = lay_frame((70, 90), pose, rng)
        rows, columns = frame.window(0.2, 0.3, 0.3)
        inside = torch.hypot(frame.y - 0.2, frame.x - 0.3) < 0.3
        assert int(inside.sum()) == int(inside[:, rows, columns].sum())


def test_cells_own_every_pixel_and_the_next_is_never_nearer():
    found = tessellate(lay_frame((64, 80), Pose(), seeded(5)), 8.0, seeded(6))
    assert bool((found.depth >= 0).all())
    assert int(found.owner.min()) >= 0
    assert int(found.owner.max()) < found.n_owners
    assert len(found.owner[0].unique()) > 20


def test_noise_of_two_planes_is_alike_and_of_about_unit_variance():
    pair = noise_pairs(3, (90, 120), 8.0, 0.2, seeded(7))
    assert pair.shape == (3, 2, 90, 120)
    assert float(torch.corrcoef(pair.transpose(0, 1).flatten(1))[0, 1]) > 0.9
    assert 0.5 < float(smooth_noise(20, (64, 64), 12.0, seeded(8)).std()) < 1.2


def test_blurring_keeps_the_mean_and_flattens():
    image = torch.zeros(1, 31, 31)
    image[0, 15, 15] = 1.0
    for sigma in (0.5, 2.0):
        blurred = blur(image, sigma)
        assert float(blurred.sum()) == pytest.approx(1.0, abs=1e-4)
        assert float(blurred.max()) < 0.8


@pytest.mark.parametrize("family", [family for _, family in SCENES], ids=lambda f: f.__name__)
def test_every_tissue_has_a_tone_in_ct_and_mr(family):
    for seed in range(3):
        for tissue in family((48, 48), seeded(seed)).tissues:
            assert tissue in HOUNSFIELD
            assert tissue in MR_DARK or MR_LIKE.get(tissue, tissue) in MR_NAMES


def test_every_contrast_names_every_tissue():
    assert {len(row) for row in MR_TONES} == {len(MR_NAMES)}
    assert all(0 <= grey <= 100 for row in MR_TONES for grey in row)


@pytest.mark.parametrize("seed", range(4))
def test_a_borrowed_object_keeps_its_own_colour_and_the_ground_is_another(seed):
    items = [real_item(), real_item("chest X-ray")]
    assert can_paste(items)
    image, labels = paste_pair(items, (60, 60), seeded(seed))
    assert image.shape == (2, 3, 60, 60)
    assert labels.shape == (2, 60, 60)
    assert bool(torch.isfinite(image).all())
    assert 0.0 <= float(image.min()) <= float(image.max()) <= 1.0


def test_no_object_is_borrowed_where_none_is_lent():
    assert not can_paste([real_item("chest X-ray")])
    assert not can_paste([])


def test_coarse_pixels_keep_size_and_labels():
    rng = seeded(9)
    scene = SCENES[0][1]((64, 64), rng)
    image, labels = coarsen(paint(scene, None, rng), scene.labels, rng)
    assert image.shape == (2, 3, 64, 64)
    assert set(labels.unique().tolist()) <= set(scene.labels.unique().tolist())


def test_real_and_generated_pairs_come_from_one_seed():
    sampler = PairSampler(SampleSettings(side=64, real_share=0.7), [real_item(), real_item("chest X-ray")])
    first, again = ([sampler.draw(rng) for _ in range(8)] for rng in (seeded(2), seeded(2)))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.pixels, other.pixels)
        assert torch.equal(one.masks, other.masks)


def test_both_parts_of_the_hippocampus_are_asked_for_and_so_is_the_whole():
    n_both = 0
    for seed in range(12):
        scene = hippocampus((50, 64), seeded(seed))
        halves = [child for child, parent in scene.parents.items() if parent in scene.whole]
        if len(halves) < 2 or not all(bool((scene.labels[0] == half).any()) for half in halves):
            continue
        n_both += 1
        found = find_objects(scene.labels[0].numpy(), Roles(scene.parents, scene.backdrop, scene.whole), 4)
        names = [set(one.names) & set(halves) for one in found]
        assert all(names.count({half}) >= 1 for half in halves)
        assert names.count(set(halves)) == 1
    assert n_both >= 4


def test_the_ribbon_of_grey_matter_is_about_as_thick_everywhere_and_halves_may_part():
    for seed in range(4):
        rng = seeded(seed)
        canvas = Canvas(lay_frame((160, 160), Pose(bend=0.0), rng), rng)
        surface = canvas.depth(Lump(0.0, 0.0, 0.9, 0.75, 0.0, 0.0, n_planes=LASTING, slant=0.0))
        brain = paint_even_folds(canvas, surface)
        tissue = np.array(canvas.tissues)[canvas.labels[0].numpy()]
        assert canvas.scene("brain").parents[brain + 1] == brain
        share = (tissue == "grey").sum() / (tissue != "air").sum()
        assert 0.2 < share < 0.8
        inside = ndimage.distance_transform_edt(tissue == "grey")
        assert inside.max() < 0.13 * 80  # pixels: two ribbons of 0.05, back to back, and their junctions


def test_a_lung_and_its_lobe_are_both_asked_for():
    rng = seeded(1)
    canvas = Canvas(lay_frame((80, 80), Pose(bend=0.0), rng), rng)
    lung = canvas.put("lung", Lump(0.0, 0.44, 0.7, 0.5, wobble=0.0, n_planes=LASTING))
    n_before = int((canvas.labels[0] == lung).sum())
    lobe = paint_lobe(canvas, lung)
    scene = canvas.scene("body")
    found = find_objects(scene.labels[0].numpy(), Roles(scene.parents, scene.backdrop, scene.whole), 4)
    areas = {one.area for one in found}
    assert n_before in areas
    assert int((canvas.labels[0] == lobe).sum()) in areas
    assert 0 < int((canvas.labels[0] == lobe).sum()) < n_before


def test_a_ventricle_is_mostly_whole_and_at_times_the_ring_of_muscle_alone():
    n_whole, n_rings = 0, 0
    for seed in range(40):
        scene = short_axis((64, 64), seeded(seed))
        cavity = scene.tissues.index("blood")
        n_whole += cavity in scene.parents
        n_rings += cavity - 1 not in scene.backdrop  # the muscle was named just before it
    assert 28 < n_whole < 40
    assert 8 < n_rings < 28


def test_grey_matter_of_the_cord_lies_within_it_as_one():
    for seed in range(6):
        scene = cord((64, 64), seeded(seed))
        grey = scene.tissues.index("cord_grey")
        assert grey in scene.whole
        assert scene.tissues[scene.parents[grey]] == "cord"
        found = find_objects(scene.labels[0].numpy(), Roles(scene.parents, scene.backdrop, scene.whole), 1)
        n_grey = int((scene.labels[0] == grey).sum())
        assert [one.area for one in found if one.names == (grey,)] == [n_grey]


def test_a_ragged_tumour_is_one_object_darker_than_what_is_beside_it():
    rng = seeded(2)
    canvas = Canvas(lay_frame((96, 96), Pose(bend=0.0), rng), rng)
    echo = torch.full_like(canvas.frame.y, 0.8)
    _paint_ragged(canvas, echo, 0.1)
    inside = canvas.labels > 0
    assert canvas.scene("ultrasound").whole == {1}
    assert int(inside[0].sum()) > 100
    assert float(echo[inside].mean()) < 0.5 < float(echo[~inside].mean())


def test_gluteal_muscles_lie_on_the_iliac_bone_and_do_not_overlap():
    rng = seeded(4)
    canvas = Canvas(lay_frame((160, 160), Pose(bend=0.0), rng), rng)
    _paint_wing(canvas, 1)
    tissues, plane = np.array(canvas.tissues), canvas.labels[0].numpy()
    muscles = [n for n in np.unique(plane) if tissues[n] == "muscle"]
    bone = np.isin(plane, np.flatnonzero(np.isin(tissues, ("compact", "marrow"))))
    assert len(muscles) == 4
    assert bone.sum() > 100
    middles = [float(np.nonzero(plane == n)[1].mean()) for n in muscles]
    assert middles[0] < float(np.nonzero(bone)[1].mean()) < middles[1] < middles[2]


def test_head_neck_and_trochanter_are_one_bone():
    all_widths = []
    for seed in range(10):
        rng = seeded(seed)
        canvas = Canvas(lay_frame((128, 128), Pose(bend=0.0), rng), rng)
        _paint_hip_joint(canvas, -1)
        scene = canvas.scene("body")
        femur = [n for n, tissue in enumerate(scene.tissues) if tissue == "compact"][-1]
        found = find_objects(scene.labels[0].numpy(), Roles(scene.parents, scene.backdrop, scene.whole), 30)
        widths = [one.columns.stop - one.columns.start for one in found if femur in one.names]
        assert len(widths) == 1
        all_widths += widths
    assert min(all_widths) < 0.3 * 64 < 0.4 * 64 < max(all_widths)


def test_stool_may_be_mottled_with_gas_that_belongs_to_the_bowel():
    n_mottled = 0
    for seed in range(40):
        rng = seeded(seed)
        canvas = Canvas(lay_frame((64, 64), Pose(bend=0.0), rng), rng)
        paint_hollow(canvas, Lump(0.0, 0.0, 0.6, 0.6, n_planes=LASTING), wall=0.03)
        organ = canvas.tissues.index("wall")
        assert set(canvas.scene("body").parents.values()) == {organ}
        n_mottled += "stool" in canvas.tissues and "gas" in canvas.tissues
    assert n_mottled > 3


def test_the_bladder_is_one_object_with_what_has_sunk_in_it():
    n_layered = 0
    for seed in range(30):
        rng = seeded(seed)
        canvas = Canvas(lay_frame((64, 64), Pose(bend=0.0), rng), rng)
        _paint_bladder(canvas)
        scene = canvas.scene("body")
        found = find_objects(scene.labels[0].numpy(), Roles(scene.parents, scene.backdrop, scene.whole), 4)
        if not found:  # it begins in the second plane
            continue
        assert len(found) == 1
        n_layered += "contrast" in scene.tissues
        assert {scene.tissues[n] for n in found[0].names} <= {"wall", "fluid", "contrast"}
    assert 2 < n_layered < 16


def test_sheaths_that_touch_are_at_times_one_net():
    n_nets = sum(int(axons((64, 64), seeded(seed)).labels.max()) == 2 for seed in range(40))
    assert 4 < n_nets < 24


def test_nuclei_are_at_times_dim_and_never_out_of_range():
    brightest = [float(embryo((64, 64), seeded(seed)).image.mean(1).quantile(0.97)) for seed in range(40)]
    assert 0.0 < min(brightest) < 0.35
    assert 0.8 < max(brightest) <= 1.0


def test_real_textures_fit_photographs_that_are_sharper_than_was_asked(monkeypatch):
    monkeypatch.setattr("napari_sam.training.scenes.SCENES", ((1.0, photographs),))
    sampler = PairSampler(SampleSettings(side=96, real_share=0.0), [real_item()])
    for seed in range(12):
        assert sampler.draw(seeded(seed)).pixels.shape == (2, 3, 96, 96)


@pytest.mark.parametrize(("n", "size"), [(2, 50), (5, 64), (40, 90)])
def test_noise_is_enlarged_with_the_weights_of_a_bicubic_interpolation(n, size):
    wanted = F.interpolate(torch.eye(n)[None, None], size=(size, n), mode="bicubic")[0, 0]
    assert torch.allclose(_cubic_weights(n, size, torch.device("cpu")), wanted, atol=1e-5)


def test_labels_are_looked_up_in_a_table():
    labels = torch.randint(0, 5, (2, 7, 9), generator=seeded(1))
    table = torch.rand(5, generator=seeded(2))
    assert torch.equal(looked_up(table, labels), table[labels])


@pytest.mark.parametrize("zoom", [0.3, 1.0, 2.5])
def test_a_picture_is_looked_up_between_its_pixels_and_mirrored_outside(zoom):
    image = torch.randint(0, 256, (40, 60, 3), generator=seeded(3), dtype=torch.uint8).numpy()
    labels = np.arange(40 * 60, dtype=np.int32).reshape(40, 60)
    y, x = zoom * (torch.rand(2, 50, 50, generator=seeded(4)) * 2 - 1)
    at = torch.stack([x, y * 60 / 40], dim=-1)[None]
    pixels = torch.as_tensor(image).permute(2, 0, 1)[None].float() / 255
    wanted = F.grid_sample(pixels, at, padding_mode="reflection", align_corners=False)[0]
    look_up = _LookUp((40, 60), y, x)
    assert torch.allclose(look_up.pixels(image), wanted, atol=1e-4)
    assert torch.allclose(look_up.mean(image), wanted.mean(dim=0), atol=1e-4)
    numbers = torch.as_tensor(labels)[None, None].double()
    nearest = F.grid_sample(numbers, at.double(), "nearest", "reflection", align_corners=False)
    assert float((look_up.labels(labels) == nearest[0, 0].long()).float().mean()) > 0.99


def test_a_grey_picture_is_kept_once_and_gives_equal_channels():
    grey = np.repeat(np.arange(60, dtype=np.uint8)[:, None, None], 3, axis=2).repeat(80, axis=1)
    kept = _by_channel(grey)
    assert np.array_equal(kept, grey)
    assert kept.strides[2] == 0
    labels = np.ones((60, 80), dtype=np.int32)
    drawn = [
        draw_real_pair(LabelledFrames((image,), (labels,), "nuclei", "one"), (50, 40), seeded(6))
        for image in (grey, kept)
    ]
    assert torch.allclose(drawn[0][0], drawn[1][0], atol=1e-5)
    assert torch.equal(drawn[0][1], drawn[1][1])
