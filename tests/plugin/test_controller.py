"""The plugin's logic, without Qt, napari or torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import volumes
from napari_sam.core.naming import object_colour
from napari_sam.core.planes import PlaneRef
from napari_sam.core.window import Window
from napari_sam.errors import MissingWeights
from napari_sam.plugin.controller import Controller, ImageSource
from tests.fakes import NestedSegmenter
from volumes import Box, MissingFile

BALL_AREA = 380  # pixels of the ellipse with half axes 10 and 12 in the middle plane


def test_controller_loads_neither_qt_nor_napari_nor_torch():
    code = (
        "import sys, napari_sam.plugin.controller; "
        "print([m for m in ('torch', 'napari', 'qtpy', 'magicgui', 'PyQt6') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_nothing_to_do_without_an_image(desk):
    desk.controller.show()
    assert desk.state.status.startswith("Open an image")
    assert not any(getattr(desk.state, name) for name in vars(desk.state) if name.startswith("can_"))


def test_image_is_read_in_the_background_and_its_window_shown(desk, make_ball_volume):
    volume = make_ball_volume()
    desk.controller.choose_image(ImageSource("a", "image", lambda: volume, Window(0, 300)))
    assert desk.controller.session is None
    assert desk.state.status == "Reading the image…"
    assert desk.state.busy
    desk.background.run()
    assert desk.controller.session.volume is volume
    assert desk.state.window == (0, 300)
    desk.view.show_session.assert_not_called()


def test_image_that_cannot_be_read_says_so_once(desk):
    def read():
        raise MissingFile("ct.nii does not exist; check the path")

    desk.controller.choose_image(ImageSource("a", "image", read))
    desk.background.run()
    desk.view.show_error.assert_called_once_with("image: Ct.nii does not exist; check the path")
    assert desk.state.warning
    assert not desk.state.busy


def test_click_gives_a_mask_and_one_redraw(desk):
    desk.open()
    desk.click()
    assert desk.state.status.startswith("Loading the model")
    desk.background.run()
    session = desk.controller.session
    assert np.count_nonzero(session.labels[4] == 1) == BALL_AREA
    assert np.count_nonzero(session.labels) == BALL_AREA
    assert desk.background.ran == ["open", "load", "segment", "prefetch"]
    desk.view.show_session.assert_called_once_with(session)
    desk.view.redraw_labels.assert_called_once_with()
    assert desk.view.show_prompts.call_args.args[1][0].at == (4, 20, 25)


def test_answer_on_another_plane_is_written_but_not_drawn(desk):
    desk.open()
    desk.click()
    desk.controller.show_plane(PlaneRef(0, 0))
    desk.background.run()
    assert np.count_nonzero(desk.controller.session.labels[4]) == BALL_AREA
    desk.view.redraw_labels.assert_not_called()


def test_newest_of_several_clicks_wins(desk):
    desk.open()
    desk.controller.stage.begin()
    desk.background.run()
    for row in (18, 19, 20):
        desk.click(row)
    desk.background.run()
    assert desk.background.ran.count("segment") == 1
    assert len(desk.segmenter.requests[-1].prompts) == 3


def test_click_before_the_image_is_read_is_answered(desk, make_ball_volume):
    desk.controller.choose_image(ImageSource("a", "image", make_ball_volume))
    desk.controller.show_plane(PlaneRef(0, 4))
    desk.click()
    desk.background.run()
    assert np.count_nonzero(desk.controller.session.labels) == BALL_AREA


def test_click_outside_is_a_message(desk):
    desk.open()
    desk.click(row=400)
    assert desk.state.status == "That is outside the image; click inside it."
    desk.view.show_error.assert_not_called()
    assert not desk.controller.session.objects


def test_of_a_stroke_what_is_outside_is_left_out(desk):
    desk.open()
    desk.controller.prompts.add_stroke([(4, 20, 25), (4, 20, 49.4), (4, 20, 49.5), (4, -1, 25)], True)
    desk.background.run()
    assert [one.at for one in desk.segmenter.requests[-1].prompts] == [(4, 20, 25), (4, 20, 49.4)]


def test_box_is_cut_to_the_image(desk):
    desk.open()
    desk.controller.prompts.add_box(Box((4, -20, -20), (5, 60, 70)))
    desk.background.run()
    assert desk.segmenter.requests[-1].prompts[0].box == Box((4, 0, 0), (5, 40, 50))
    assert np.count_nonzero(desk.controller.session.labels) == BALL_AREA


def test_box_beside_the_image_is_no_prompt(desk):
    desk.open()
    desk.controller.prompts.add_box(Box((4, 50, 60), (5, 60, 70)))
    assert desk.controller.session.objects == {}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_axis_can_be_the_sliced_one(desk, axis):
    desk.open()
    shape = desk.controller.session.volume.shape
    plane = PlaneRef(axis, shape[axis] // 2)
    desk.controller.show_plane(plane)
    height, width = plane.shape_hw(shape)
    desk.click(height // 2, width // 2)
    desk.background.run()
    filled = plane.take(desk.controller.session.labels)
    assert np.array_equal(filled == 1, plane.take(desk.controller.session.volume.data) > 100)
    assert desk.state.n_planes == shape[axis]


def test_model_that_is_missing_is_one_plain_line(desk, segmenter):
    def load(name, weights):
        raise MissingWeights("no weights of sam_vit_b.meta at /x;\n  download them")

    desk.controller = Controller(desk.view, desk.background, desk.files, load)
    desk.open()
    desk.click()
    desk.background.run()
    desk.view.show_error.assert_called_once_with("No weights of sam_vit_b.meta at /x; download them")
    assert desk.state.model_note == "could not be loaded"
    assert not desk.state.busy
    desk.controller.stage.model._load = lambda name, weights: segmenter
    desk.click()
    desk.background.run()
    assert np.count_nonzero(desk.controller.session.labels) == BALL_AREA


def test_other_model_answers_from_the_next_click_on(desk):
    asked = []
    desk.controller.stage.model._load = lambda *chosen: asked.append(chosen) or desk.segmenter
    desk.open()
    desk.controller.choose_model("sam_vit_b.meta", Path("b.pth"))
    assert asked == []
    desk.click()
    desk.background.run()
    assert asked == [("sam_vit_b.meta", Path("b.pth"))]
    desk.controller.choose_model("default")
    desk.background.run()
    assert asked[-1] == ("default", None)


def test_window_changes_what_the_model_is_asked(desk):
    desk.open()
    desk.controller.choose_window("lung")
    desk.background.run()
    assert desk.state.window == (-1350, 150)
    desk.click()
    desk.background.run()
    assert desk.segmenter.requests[-1].window == Window(-1350, 150)


def test_undo_takes_prompt_and_mask_back_and_redo_brings_them(desk):
    desk.open()
    desk.click()
    desk.background.run()
    labels = desk.controller.session.labels.copy()
    desk.controller.objects.undo()
    assert not desk.controller.session.labels.any()
    assert desk.view.show_prompts.call_args.args[1] == ()
    assert not desk.state.can_undo
    desk.controller.objects.redo()
    assert np.array_equal(desk.controller.session.labels, labels)
    assert len(desk.view.show_prompts.call_args.args[1]) == 1


def test_undo_before_the_answer_makes_the_answer_stale(desk):
    desk.open()
    desk.click()
    desk.controller.objects.undo()
    desk.background.run()
    assert not desk.controller.session.labels.any()


def test_accept_locks_and_starts_the_next_object(desk):
    desk.open()
    desk.click()
    desk.background.run()
    assert desk.state.can_accept
    desk.controller.objects.accept()
    assert desk.state.current_id == 2
    assert [(row.id, row.locked) for row in desk.state.objects] == [(1, True), (2, False)]
    assert desk.view.show_prompts.call_args.args[1] == ()
    desk.click()
    desk.background.run()
    assert np.count_nonzero(desk.controller.session.labels == 1) == BALL_AREA
    assert not (desk.controller.session.labels == 2).any()
    desk.controller.objects.select(1)
    assert desk.state.can_reopen
    assert not desk.state.can_accept
    desk.controller.objects.reopen()
    assert not desk.state.can_reopen
    assert desk.state.can_accept


def test_undo_of_accept_goes_back_to_the_object(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.objects.accept()
    desk.controller.objects.undo()
    assert desk.state.current_id == 1
    assert desk.state.can_accept


def test_propagation_fills_the_planes_and_says_where_it_ended(desk):
    desk.open()
    desk.click()
    desk.background.run()
    assert desk.state.can_propagate
    desk.controller.volume.propagate()
    assert desk.state.can_cancel
    assert desk.state.progress == (0, 9)
    desk.view.lock_labels.assert_called_with(True)
    desk.background.run()
    session = desk.controller.session
    filled = np.flatnonzero(session.labels.any(axis=(1, 2)))
    assert filled.tolist() == [2, 3, 4, 5, 6]
    assert desk.state.status.startswith("Planes 2 to 6 are done; it ended at 1 and 7 (")
    desk.view.lock_labels.assert_called_with(False)
    desk.controller.objects.undo()
    assert np.flatnonzero(session.labels.any(axis=(1, 2))).tolist() == [4]


def test_cancel_keeps_the_planes_that_are_done(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.volume.propagate()
    desk.background.run(max_parts=3)
    session = desk.controller.session
    assert np.flatnonzero(session.labels.any(axis=(1, 2))).tolist() == [3, 4, 5]
    assert "cancelled" in desk.state.status
    assert not desk.state.can_cancel


def test_propagation_stays_in_its_range(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.volume.propagate(4, 5)
    desk.background.run()
    assert np.flatnonzero(desk.controller.session.labels.any(axis=(1, 2))).tolist() == [4, 5]


def test_second_propagation_erases_what_it_does_not_reach(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.volume.propagate()
    desk.background.run()
    desk.segmenter.segment = _fail_beyond(desk.segmenter, 5)
    desk.controller.volume.propagate()
    desk.background.run()
    assert np.flatnonzero(desk.controller.session.labels.any(axis=(1, 2))).tolist() == [2, 3, 4, 5]


def _fail_beyond(segmenter, last):
    """Find nothing in the planes after `last`."""
    ask = segmenter.segment

    def segment(request):
        if request.plane.index <= last:
            return ask(request)
        prediction = ask(request)
        empty = type(prediction.masks[0]).of_plane(
            np.zeros(request.plane.shape_hw(request.volume.shape), bool), request.plane, request.volume.shape
        )
        return type(prediction)(request.plane, (empty,) * 3, prediction.scores, prediction.hints)

    return segment


def test_clicks_during_propagation_change_nothing(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.volume.propagate()
    desk.click(5, 5)
    desk.controller.objects.undo()
    desk.controller.objects.accept()
    assert len(desk.controller.session.objects[1].prompts) == 1
    assert not desk.controller.session.objects[1].locked


def test_brush_stroke_is_in_the_history(desk):
    desk.open()
    session = desk.controller.session
    box = Box((4, 0, 0), (5, 2, 2))
    before = session.labels[box.slices()].copy()
    session.labels[box.slices()] = 1
    desk.controller.prompts.painted(box, before, np.ones_like(before))
    assert desk.state.can_undo
    desk.view.redraw_labels.assert_not_called()
    desk.controller.objects.undo()
    assert not session.labels.any()


def test_brush_does_not_eat_an_accepted_object(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.objects.accept()
    session = desk.controller.session
    box = Box((4, 20, 25), (5, 21, 26))
    session.labels[box.slices()] = 2
    desk.controller.prompts.painted(box, np.ones((1, 1, 1), np.uint16), np.full((1, 1, 1), 2, np.uint16))
    assert session.labels[4, 20, 25] == 1
    assert desk.view.redraw_labels.call_count == 2


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


def test_labels_stay_with_their_image(desk, make_ball_volume):
    desk.open(key="a")
    desk.click()
    desk.background.run()
    first = desk.controller.session
    desk.open(make_ball_volume((5, 40, 50)), key="b")
    assert desk.controller.session is not first
    assert desk.state.objects[0].id == 1
    desk.view.show_session.reset_mock()
    desk.controller.choose_image(ImageSource("a", "image a", make_ball_volume))
    assert desk.controller.session is first
    desk.view.show_session.assert_called_once_with(first)


def test_image_that_goes_takes_its_session_along(desk):
    desk.open()
    desk.controller.drop_image("a")
    assert desk.controller.session is None
    assert desk.state.status.startswith("Open an image")


def test_removed_labels_layer_is_shown_again_at_the_next_prompt(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.labels_gone()
    desk.click(21, 26)
    assert desk.view.show_session.call_count == 2


def test_three_dimensional_view_asks_for_the_plane_view(desk):
    desk.open()
    desk.controller.show_plane(None)
    assert "2-D view" in desk.state.status
    assert not desk.state.can_prompt


def test_segmenter_that_breaks_is_told_and_the_next_click_works(desk):
    desk.open()
    answer = desk.segmenter.segment
    desk.segmenter.segment = lambda request: 1 / 0
    desk.click()
    desk.background.run()
    assert "ZeroDivisionError" in desk.view.show_error.call_args.args[0]
    assert not desk.state.busy
    desk.segmenter.segment = answer
    desk.click(21, 26)
    desk.background.run()
    assert np.count_nonzero(desk.controller.session.labels) == BALL_AREA


def test_idle_time_encodes_the_planes_around(desk):
    desk.open()
    desk.click()
    desk.background.run()
    prepared = [plane.index for planes in desk.segmenter.prefetched for plane in planes]
    assert prepared[-8:] == [5, 3, 6, 2, 7, 1, 8, 0]
    assert desk.state.strip.ready == frozenset(range(9))
    desk.segmenter.prefetched.clear()
    desk.controller.show_plane(PlaneRef(0, 2))
    desk.background.run()
    assert desk.segmenter.prefetched == []


def test_another_window_makes_no_plane_ready(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.choose_window("5,150")
    assert desk.state.strip.ready == frozenset(range(9))
    desk.segmenter.prefetched.clear()
    desk.background.run()
    assert sorted(plane.index for planes in desk.segmenter.prefetched for plane in planes) == list(range(9))


def test_each_image_keeps_its_own_window(desk, make_ball_volume):
    desk.open(key="a")
    desk.controller.choose_window("bone")
    desk.background.run()
    desk.open(make_ball_volume((5, 40, 50)), key="b")
    assert desk.state.window_request is None
    assert desk.state.window != (-500, 1300)
    desk.controller.choose_image(ImageSource("a", "image a", make_ball_volume))
    assert (desk.state.window, desk.state.window_request) == ((-500, 1300), "bone")


def test_accepting_before_there_is_anything_does_nothing(desk):
    desk.open()
    desk.click()
    desk.controller.objects.accept()
    assert desk.state.current_id == 1
    desk.background.run()
    assert np.count_nonzero(desk.controller.session.labels) == BALL_AREA


def test_choosing_another_object_keeps_the_answer_that_is_under_way(desk):
    desk.open()
    desk.click()
    desk.controller.objects.start()
    desk.background.run()
    assert desk.state.current_id == 2
    assert np.count_nonzero(desk.controller.session.labels == 1) == BALL_AREA


class TestCandidates:
    @pytest.fixture
    def nested(self, desk):
        """Answer with three discs of radius 4, 8 and 12 around the middle of the ball."""
        nested = NestedSegmenter((20, 25))
        desk.segmenter.segment = nested.segment
        desk.open()
        return nested

    @staticmethod
    def radius(desk) -> int:
        """Radius of the disc that the labels hold in the middle plane."""
        return int(np.count_nonzero(desk.controller.session.labels[4, 20]) - 1) // 2

    def test_they_are_shown_in_turn_with_their_scores(self, desk, nested):
        assert desk.state.candidate is None
        assert not desk.state.can_cycle
        desk.click()
        desk.background.run()
        assert desk.state.candidate == (1, pytest.approx((0.6, 0.9, 0.7)))
        assert desk.state.can_cycle
        assert "(R)" in desk.state.status
        seen = []
        for _ in range(3):
            desk.controller.prompts.next_candidate()
            seen.append((desk.state.candidate[0], self.radius(desk)))
        assert seen == [(2, 12), (0, 4), (1, 8)]
        assert desk.view.redraw_labels.call_count == 4

    def test_cycling_is_one_step_to_undo(self, desk, nested):
        desk.click()
        desk.background.run()
        for _ in range(2):
            desk.controller.prompts.next_candidate()
        desk.controller.objects.undo()
        assert (self.radius(desk), desk.state.candidate[0]) == (8, 1)
        desk.controller.objects.redo()
        assert (self.radius(desk), desk.state.candidate[0]) == (4, 0)
        desk.controller.objects.undo()
        desk.controller.objects.undo()
        assert not desk.controller.session.labels.any()
        assert desk.state.candidate is None

    def test_the_one_shown_is_followed(self, desk, nested):
        desk.click()
        desk.background.run()
        desk.controller.prompts.next_candidate()
        desk.controller.volume.propagate()
        desk.background.run()
        assert np.count_nonzero(desk.controller.session.labels[3, 20]) == 25
        assert np.array_equal(nested.requests[1].hint, nested.segment(nested.requests[0]).hints[2])

    def test_there_are_none_beside_the_prompted_plane_while_asking_or_once_accepted(self, desk, nested):
        desk.click()
        desk.background.run()
        before = desk.controller.session.labels.copy()
        desk.controller.show_plane(PlaneRef(0, 5))
        desk.controller.prompts.next_candidate()
        assert (desk.state.candidate, desk.state.can_cycle) == (None, False)
        assert "no other candidates" in desk.state.status
        desk.controller.show_plane(PlaneRef(0, 4))
        desk.controller.objects.accept()
        desk.controller.objects.select(1)
        desk.controller.prompts.next_candidate()
        assert not desk.state.can_cycle
        desk.controller.objects.reopen()
        assert desk.state.can_cycle
        desk.click(21, 26)
        assert not desk.state.can_cycle
        desk.controller.prompts.next_candidate()
        assert np.array_equal(desk.controller.session.labels, before)
        desk.background.run()
        assert desk.state.can_cycle

    def test_the_key_does_nothing_without_an_image(self, desk):
        desk.controller.prompts.next_candidate()
        desk.controller.show()
        assert desk.state.status.startswith("Open an image")

    def test_a_model_with_one_answer_offers_none(self, desk):
        desk.open()
        desk.click()
        desk.background.run()
        assert (desk.state.candidate, desk.state.can_cycle) == (None, False)


@pytest.mark.parametrize(
    ("n_planes", "end"), [(9, "; then propagate (W) or accept (Q)."), (1, "; then accept (Q).")]
)
def test_what_to_do_after_a_click_suits_the_image(desk, make_ball_volume, n_planes, end):
    desk.segmenter.segment = NestedSegmenter((20, 25)).segment
    desk.open(make_ball_volume((n_planes, 40, 50)))
    desk.click()
    desk.background.run()
    assert desk.state.candidate is not None
    assert desk.state.status.endswith(end)


def test_undo_stays_with_the_object_whose_step_it_takes_back(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.objects.start()
    for object_id in (2, 1):
        box = Box((4, 0, 4 * object_id), (5, 2, 4 * object_id + 2))
        desk.controller.objects.select(object_id)
        before = desk.controller.session.labels[box.slices()].copy()
        desk.controller.prompts.painted(box, before, np.full_like(before, object_id))
    desk.controller.table.rename(2, "other")
    assert desk.state.current_id == 1
    desk.controller.objects.undo()
    assert desk.state.current_id == 2, "it was renamed"
    desk.controller.objects.select(1)
    desk.controller.objects.undo()
    assert desk.state.current_id == 1, "it lost the stroke"
    desk.controller.objects.redo()
    assert desk.state.current_id == 1
    desk.controller.objects.undo()
    desk.controller.objects.undo()
    assert 2 not in desk.controller.session.objects
    assert desk.state.current_id == desk.controller.session.current_id


def test_all_that_are_chosen_are_accepted(desk):
    desk.open()
    desk.click()
    desk.background.run()
    for object_id in (2, 3):
        box = Box((4, 0, 4 * object_id), (5, 2, 4 * object_id + 2))
        before = desk.controller.session.labels[box.slices()].copy()
        desk.controller.prompts.painted(box, before, np.full_like(before, object_id))
    desk.controller.table.choose((1, 2))
    desk.controller.objects.accept()
    assert desk.state.status.startswith("Objects 1 and 2 are accepted.")
    assert [row.locked for row in desk.state.objects] == [True, True, False, False]
    assert desk.state.current_id == 4
    desk.controller.objects.undo()
    assert [row.locked for row in desk.state.objects] == [True, False, False]
    assert desk.state.current_id == 2
