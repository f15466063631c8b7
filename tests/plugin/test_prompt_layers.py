"""The layers of the prompts: whatever came before, they show the prompts that there are."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from volumes import Box

pytest.importorskip("napari")
pytest.importorskip("qtpy", exc_type=ImportError)
pytestmark = [pytest.mark.viewer, pytest.mark.filterwarnings("default")]

PLANE = PlaneRef(0, 4)
IN, ALSO_IN, OUT = (
    PointPrompt((4, 10, 20)),
    PointPrompt((4, 12, 22.5)),
    PointPrompt((4, 30, 5), positive=False),
)
BOX, OTHER_BOX = BoxPrompt(Box((4, 5, 6), (5, 20, 30))), BoxPrompt(Box((4, 6, 6), (5, 20, 30)))

STEPS = [
    (IN,),
    (IN, ALSO_IN),
    (IN, ALSO_IN, OUT),
    (IN, OUT),
    (OUT, IN),
    (),
    (OUT,),
    (OUT, ALSO_IN, IN, BOX),
    (BOX,),
    (OTHER_BOX, IN),
    (),
]


@pytest.fixture
def layers():
    from napari.components import ViewerModel

    from napari_sam.plugin._prompt_layers import PromptLayers

    viewer = ViewerModel()
    made = PromptLayers(viewer)
    made.put_on(viewer.add_image(np.zeros((9, 40, 50), np.int16), scale=(3, 1, 1)))
    viewer.dims.set_current_step(0, 4)
    return made


def look_of(points):
    """What is seen of a Points layer: places, colours of face and border, symbols, sizes."""
    symbols = [str(one) for one in points.symbol]
    return (
        *(np.asarray(x).tolist() for x in (points.data, points.face_color, points.border_color, points.size)),
        symbols,
    )


def test_points_look_the_same_whatever_was_shown_before(layers):
    from napari_sam.plugin._prompt_layers import PromptLayers

    for prompts in STEPS:
        layers.show(PLANE, prompts)
        fresh = PromptLayers(layers._viewer)
        fresh.put_on(layers._viewer.layers[0])
        fresh.show(PLANE, prompts)
        points = [one for one in prompts if isinstance(one, PointPrompt)]
        assert layers.points.data.tolist() == [list(one.at) for one in points]
        green = layers.points.face_color[:, 1] > layers.points.face_color[:, 0]
        assert green.tolist() == [one.positive for one in points]
        assert look_of(layers.points) == look_of(fresh.points)
        assert not layers.points.selected_data
        assert len(layers.boxes.data) == len(fresh.boxes.data) == len(prompts) - len(points)
        for drawn, again in zip(layers.boxes.data, fresh.boxes.data, strict=True):
            assert np.array_equal(drawn, again)
        fresh.remove()


def test_a_point_more_leaves_the_boxes_alone_and_is_drawn_once(layers):
    layers.show(PLANE, (BOX, IN))
    told = []
    layers.boxes.events.data.connect(lambda event: told.append("boxes"))
    layers.points.events.set_data.connect(lambda event: told.append("points"))
    layers.show(PLANE, (BOX, IN, OUT))
    assert told == ["points"]


def test_prompts_of_the_same_places_on_another_plane_are_moved_there(layers):
    layers.show(PLANE, (BOX, IN))
    other = BoxPrompt(Box((5, 5, 6), (6, 20, 30)))
    layers.show(PlaneRef(0, 5), (other, PointPrompt((5, 10, 20))))
    assert layers.points.data.tolist() == [[5, 10, 20]]
    assert set(np.asarray(layers.boxes.data[0])[:, 0]) == {5}


def test_a_box_that_is_drawn_goes_when_it_is_not_kept(layers):
    layers.show(PLANE, (BOX,))
    layers.preview_box(OTHER_BOX.box)
    assert len(layers.boxes.data) == 2
    layers.show(PLANE, (BOX, IN))
    assert len(layers.boxes.data) == 1
    layers.preview_path(np.array([[1.0, 1], [5, 5]]))
    assert len(layers.boxes.data) == 2
    layers.show(PLANE, (IN,))
    assert len(layers.boxes.data) == 0
