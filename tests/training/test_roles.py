"""What is asked for in generated pictures: wholes rather than rims, and how often things end."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from scipy import ndimage

from napari_sam.training.abdomen import abdomen
from napari_sam.training.canvas import Canvas
from napari_sam.training.chest import short_axis
from napari_sam.training.dense import dense_nuclei
from napari_sam.training.electrons import axons
from napari_sam.training.prostate import prostate
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import LASTING, Lump, Pose, lay_frame
from napari_sam.training.spine import spine
from napari_sam.training.targets import Roles, find_objects
from napari_sam.training.viscera import viscera


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def roles_of(scene: Scene) -> Roles:
    return Roles(scene.parents, scene.backdrop, scene.whole, scene.parts)


def tissues_of(scene: Scene) -> Iterable[tuple[set[str], set[str]]]:
    """Give what each object of the first plane is made of, and what it has along its outline."""
    for one in find_objects(scene.labels[0].numpy(), roles_of(scene), 12):
        here = scene.labels[0, one.rows, one.columns].numpy()
        outline = one.mask & ~ndimage.binary_erosion(one.mask)
        yield tuple({scene.tissues[n] for n in np.unique(here[mask])} for mask in (one.mask, outline))


def test_the_whole_ventricle_is_asked_for_more_often_than_the_ring_of_muscle():
    n_rings, n_wholes = 0, 0
    for seed in range(60):
        kinds = list(tissues_of(short_axis((64, 64), seeded(seed))))
        n_rings += any(tissues == {"myocardium"} for tissues, _ in kinds)
        n_wholes += ({"myocardium", "blood"}, {"myocardium"}) in kinds
    assert n_wholes > 1.1 * n_rings
    assert n_rings > 5


def test_a_rim_is_never_asked_for_without_its_core():
    rng = seeded(0)
    canvas = Canvas(lay_frame((50, 50), Pose(bend=0.0), rng), rng)
    patch = canvas.depth(Lump(0.0, 0.0, 0.6, 0.6, wobble=0.0, n_planes=LASTING))
    for _ in range(20):
        canvas.labels.zero_()
        rim = canvas.fill(patch, canvas.new("lesion_bright"))
        core = canvas.core(patch, rim, 0.2)
        scene = canvas.scene("body")
        found = find_objects(scene.labels[0].numpy(), roles_of(scene), 10)
        assert scene.tissues[core] != "lesion_bright"
        assert max(one.area for one in found) == int((scene.labels[0] > 0).sum())
        assert all(one.names != (rim,) for one in found)


def test_vertebrae_end_in_some_spines():
    n_ended, n_there = 0, 0
    for seed in range(30):
        scene = spine((64, 64), seeded(seed))
        bones = [n for n, name in enumerate(scene.tissues) if name == "compact" and n not in scene.backdrop]
        there = [[bool((plane == n).any()) for n in bones] for plane in scene.labels]
        n_ended += sum(first and not second for first, second in zip(*there, strict=True))
        n_there += sum(there[0])
    assert 0.01 < n_ended / n_there < 0.3


def test_axons_hardly_end():
    n_ended, n_there = 0, 0
    for seed in range(20):
        first, second = (set(plane.unique().tolist()) for plane in axons((64, 64), seeded(seed)).labels)
        n_ended, n_there = n_ended + len(first - second), n_there + len(first)
    assert n_ended < 0.15 * n_there


def test_a_prostate_is_one_whole_whatever_is_in_it():
    n_zoned = 0
    for seed in range(20):
        scene = prostate((72, 72), seeded(seed))
        plane = scene.labels[0].numpy()
        (gland,) = [n for n in scene.whole if scene.tissues[n] == "zone"]
        found = [one for one in find_objects(plane, roles_of(scene), 12) if gland in one.names]
        assert len(found) <= 1
        n_zoned += sum(above == gland for above in scene.parents.values() if above not in scene.backdrop) > 1
    assert n_zoned > 5


def test_organs_of_the_viscera_touch_more_often_than_those_in_fat():
    def touching(family) -> float:
        shares = []
        for seed in range(12):
            scene = family((80, 80), seeded(seed))
            organs = torch.tensor([name in ("liver", "spleen", "wall", "cortex") for name in scene.tissues])
            mine = organs[scene.labels[0]]
            left, right = scene.labels[0][:, :-1], scene.labels[0][:, 1:]
            edge = (left != right) & (mine[:, :-1] | mine[:, 1:])
            both = edge & mine[:, :-1] & mine[:, 1:]
            shares.append(float(both.sum()) / max(1, int(edge.sum())))
        return sum(shares) / len(shares)

    assert touching(viscera) > 1.3 * touching(abdomen)


def test_each_nucleus_of_a_dense_layer_is_an_object_of_its_own():
    for seed in range(6):
        scene = dense_nuclei((72, 72), seeded(seed))
        assert not scene.parents
        assert not scene.backdrop
        numbers = set(scene.labels.unique().tolist()) - {0}
        assert numbers == set(range(1, max(numbers) + 1))
