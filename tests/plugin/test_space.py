"""Where voxels lie in napari's world; needs napari's models, but no Qt and no screen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_sam.core.planes import PlaneRef
from napari_sam.plugin._reader import layer_of_volume
from napari_sam.plugin._space import flipped_axes, index_at, is_head_down, plane_shown, space_of_layer
from volumes import Geometry, Provenance, Volume

pytest.importorskip("napari")
pytestmark = pytest.mark.filterwarnings("default")  # napari and its dependencies warn of what is not ours

SHAPE, SPACING_MM = (4, 5, 6), (3.0, 1.5, 0.5)


def geometry(*directions: tuple[float, float, float]) -> Geometry:
    """Make a geometry from the LPS directions of planes, rows and columns."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(directions).T * SPACING_MM
    return Geometry(SHAPE, affine)


AXIAL = geometry((0, 0, 1), (0, 1, 0), (1, 0, 0))
AXIAL_RAS = geometry((0, 0, 1), (0, -1, 0), (-1, 0, 0))
SAGITTAL_UPSIDE_DOWN = geometry((1, 0, 0), (0, 0, 1), (0, 1, 0))
CORONAL = geometry((0, 1, 0), (0, 0, -1), (1, 0, 0))


@pytest.mark.parametrize(
    ("placed", "flipped"),
    [(AXIAL, ()), (AXIAL_RAS, (1, 2)), (SAGITTAL_UPSIDE_DOWN, (1,)), (CORONAL, ())],
)
def test_rows_and_columns_are_mirrored_to_stand_upright(placed, flipped):
    assert flipped_axes(placed) == flipped


def test_oblique_volume_stands_upright_with_its_true_spacing():
    turned = np.array([[1, 0, 0], [0, np.cos(0.3), np.sin(0.3)], [0, -np.sin(0.3), np.cos(0.3)]])
    affine = np.eye(4)
    affine[:3, :3] = turned @ AXIAL.affine[:3, :3]
    volume = Volume(np.zeros(SHAPE, np.int16), Geometry(SHAPE, affine), Provenance("DICOM"))
    _, arguments, _ = layer_of_volume(volume, "oblique")
    assert arguments["scale"] == pytest.approx(SPACING_MM)
    assert np.array_equal(arguments["affine"], np.eye(4))
    assert arguments["units"] == ("mm", "mm", "mm")
    assert np.array_equal(arguments["metadata"]["napari-sam-volumes"]["volume"].geometry.affine, affine)


@pytest.mark.parametrize("placed", [AXIAL, AXIAL_RAS, SAGITTAL_UPSIDE_DOWN, CORONAL])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_viewer_shows_the_plane_that_we_say(placed, order):
    from napari.components import ViewerModel

    data = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    viewer = ViewerModel()
    array, arguments, _ = layer_of_volume(Volume(data, placed, Provenance("DICOM")), "image")
    layer = viewer.add_image(array, **arguments)
    viewer.dims.order = order
    for step in range(SHAPE[order[0]]):
        viewer.dims.set_current_step(order[0], step)
        plane = plane_shown(viewer.dims, layer)
        assert plane is not None
        assert plane.axis == order[0]
        shown = layer._data_view
        assert sorted(shown.ravel()) == sorted(plane.take(data).ravel())


def test_the_slider_counts_planes_as_the_file_does():
    from napari.components import ViewerModel

    viewer = ViewerModel()
    array, arguments, _ = layer_of_volume(
        Volume(np.zeros(SHAPE, np.int16), AXIAL_RAS, Provenance("NIfTI")), "image"
    )
    layer = viewer.add_image(array, **arguments)
    viewer.dims.set_current_step(0, 1)
    assert plane_shown(viewer.dims, layer) == PlaneRef(0, 1)


@pytest.mark.parametrize("placed", [AXIAL, AXIAL_RAS])
def test_labels_lie_exactly_on_the_image(placed):
    from napari.layers import Image, Labels

    array, arguments, _ = layer_of_volume(
        Volume(np.zeros(SHAPE, np.int16), placed, Provenance("NIfTI")), "image"
    )
    image = Image(array, **arguments)
    labels = Labels(np.zeros(SHAPE, np.uint16), **space_of_layer(image))
    for index in itertools.product((0, 3), (0, 4), (0, 5)):
        world = image.data_to_world(index)
        assert index_at(labels, world) == pytest.approx(index)
    assert labels.units == image.units


def test_plane_of_a_flat_image_beside_a_volume():
    from napari.components import ViewerModel

    viewer = ViewerModel()
    viewer.add_image(np.zeros(SHAPE))
    flat = viewer.add_image(np.zeros((5, 6)))
    assert plane_shown(viewer.dims, flat) == PlaneRef(0, 0)
    viewer.dims.order = (1, 0, 2)
    assert plane_shown(viewer.dims, flat) is None
    viewer.dims.ndisplay = 3
    assert plane_shown(viewer.dims, flat) is None


def test_only_side_views_of_a_stack_from_feet_to_head_are_head_down():
    from napari.components import Dims

    assert not is_head_down(Dims(ndim=3), AXIAL)
    assert is_head_down(Dims(ndim=3, order=(1, 0, 2)), AXIAL)
    assert is_head_down(Dims(ndim=3, order=(2, 0, 1)), AXIAL_RAS)
    assert not is_head_down(Dims(ndim=3, order=(1, 0, 2)), CORONAL)
    assert not is_head_down(Dims(ndim=3, order=(1, 0, 2)), geometry((0, 0, -1), (0, 1, 0), (1, 0, 0)))
