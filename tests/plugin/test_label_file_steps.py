"""Labels are saved and read, without a window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import volumes
from napari_sam.core.naming import object_colour
from tests.plugin.conftest import BALL_AREA


def test_save_writes_a_copy_in_the_background(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.label_files.save(Path("labels.nii.gz"))
    assert desk.state.status == "Saving the labels…"
    desk.controller.objects.undo()
    desk.files.run()
    ((path, labels, volume, segments),) = desk.saved
    assert path == Path("labels.nii.gz")
    assert [(one.value, one.name, one.colour) for one in segments] == [(1, "object 1", object_colour(1))]
    assert segments[0].algorithm.endswith(", threshold.test")
    assert np.count_nonzero(labels) == BALL_AREA
    assert volume is desk.controller.session.volume
    assert desk.state.status == "Saved labels.nii.gz."


class TestLabelsOfAFile:
    @pytest.fixture
    def in_file(self, monkeypatch):
        """Two objects of which one is named, as a file has them; or what reading it raises."""
        data = np.zeros((9, 40, 50), np.uint8)
        data[0, :2, :3], data[8, 39, 49] = 1, 7
        segments = (volumes.Segment(1, "liver", (9, 8, 7), algorithm="by another"),)
        geometry = volumes.Geometry.from_spacing(data.shape, (3.0, 1.0, 1.0))
        found = [volumes.LabelVolume(data, geometry, segments)]

        def read_labels(path, **_):
            if isinstance(found[0], Exception):
                raise found[0]
            return found[0]

        monkeypatch.setattr(volumes, "read_labels", read_labels, raising=False)
        return found

    def test_its_objects_are_kept_beside_those_there_are(self, desk, in_file):
        desk.open()
        desk.click()
        desk.background.run()
        ball = desk.controller.session.labels == 1
        desk.controller.label_files.load(Path("older.seg.dcm"))
        assert desk.state.status == "Reading the labels…"
        assert not desk.state.can_save
        desk.files.run()
        objects = desk.controller.session.objects
        assert [(one.id, one.name, one.locked) for one in objects.values()] == [
            (1, "object 1", False),
            (7, "object 7", True),
            (8, "liver", True),
        ]
        assert np.array_equal(desk.controller.session.labels == 1, ball)
        assert "Read 2 objects from older.seg.dcm" in desk.state.status
        assert desk.controller.stage.case.current_id == 9
        desk.view.show_session.assert_called_once()
        desk.controller.label_files.save(Path("o.seg.dcm"))
        desk.files.run()
        liver = desk.saved[0][3][-1]
        assert (liver.value, liver.name, liver.colour, liver.algorithm) == (
            8,
            "liver",
            (9, 8, 7),
            "by another",
        )

    def test_it_is_shown_where_nothing_was(self, desk, in_file):
        desk.open()
        desk.controller.label_files.load(Path("older.nii.gz"))
        desk.files.run()
        desk.view.show_session.assert_called_once()
        assert desk.controller.session.labels[8, 39, 49] == 7

    def test_what_cannot_be_read_is_one_sentence(self, desk, in_file):
        in_file[0] = volumes.UnsupportedImage("of another image")
        desk.open()
        desk.controller.label_files.load(Path("older.nii.gz"))
        desk.files.run()
        assert desk.state.status == "Of another image"
        assert desk.state.warning
        assert desk.state.can_load

    def test_nothing_is_read_without_an_image(self, desk, in_file):
        desk.controller.label_files.load(Path("older.nii.gz"))
        desk.controller.label_files.save(Path("o.nii.gz"))
        desk.files.run()
        assert desk.files.ran == []
