from __future__ import annotations

import numpy as np

from napari_sam.core.naming import PALETTE, algorithm_name, object_colour, object_segments
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.session import Session
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from volumes import Box, Code, Segment


def test_colours_are_the_windows_over_again_after_the_last() -> None:
    assert object_colour(1) == (0x35, 0xB6, 0xFF)
    assert object_colour(len(PALETTE) + 1) == object_colour(1)
    assert len({object_colour(number) for number in range(1, len(PALETTE) + 1)}) == len(PALETTE)


def test_the_algorithm_is_the_package_and_the_model() -> None:
    name = algorithm_name("tiny_sam.v6")
    assert name.startswith("napari-sam-volumes")
    assert name.endswith(", tiny_sam.v6")
    assert algorithm_name("") == ""


def test_what_a_model_drew_says_so_and_what_a_hand_drew_does_not() -> None:
    shape = (5, 24, 32)
    session = Session(labelled_volume(ellipsoid_labels(shape)))
    request = session.prompt(PlaneRef(0, 2), PointPrompt((2, 12, 16)))
    session.apply(FakeSegmenter().segment(request), request)
    session.rename(1, "liver")
    stroke = Box((2, 0, 0), (3, 1, 1))
    session.paint(stroke, np.zeros((1, 1, 1), int), np.full((1, 1, 1), 4))
    older = np.zeros(shape, np.uint8)
    older[0, 0, :3] = 6
    session.adopt(older)
    known = {6: Segment(6, "spleen", (1, 2, 3), kind=Code("1", "SCT", "Spleen"), algorithm="another")}
    liver, painted, spleen = object_segments(session.objects.values(), "ours", known)
    assert (liver.name, liver.algorithm, liver.colour) == ("liver", "ours", object_colour(1))
    assert (painted.value, painted.algorithm) == (4, "")
    assert (spleen.colour, spleen.algorithm, spleen.kind.meaning) == ((1, 2, 3), "another", "Spleen")
