from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.session import Session
from napari_sam.errors import Cancelled, InvalidPrompt
from napari_sam.nodes.demo import dice
from napari_sam.nodes.object_prompts import ObjectPrompts, box_in_plane, group_prompts
from napari_sam.nodes.report import ObjectReport, StopReport
from napari_sam.nodes.segment import SegmentOptions, SegmentResult, segment_volume
from tests.fakes import FakeSegmenter, NestedSegmenter, labelled_volume
from tests.nodes.conftest import SPACING_MM
from volumes import Volume

LEFT, RIGHT = (7, 24, 16), (7, 24, 48)


def at_point(at: tuple[int, int, int], object_id: int = 1, axis: int = 0) -> ObjectPrompts:
    return group_prompts(object_id, "", [PointPrompt(at)], axis)


def segment(volume: Volume, *objects: ObjectPrompts, **options: object) -> tuple[SegmentResult, Session]:
    session = Session(volume)
    result = segment_volume(session, FakeSegmenter(), objects, SegmentOptions(**options))  # type: ignore[arg-type]
    return result, session


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_point_gives_the_whole_object_along_any_axis(
    volume: Volume, truth: NDArray[np.uint16], axis: int
) -> None:
    session = Session(volume)
    result = segment_volume(session, FakeSegmenter(truth), [at_point(LEFT, axis=axis)])
    assert dice(session.labels == 1, truth == 1) > 0.9  # the fake leaves out parts of the outline
    assert not np.any((session.labels == 1) & (truth != 1))
    assert result.labels is session.labels


def test_the_report_adds_up(volume: Volume) -> None:
    result, session = segment(volume, at_point(LEFT), at_point(RIGHT, 2))
    for report in result.objects:
        written = [record for record in report.planes if record.state != "stopped"]
        n_voxels = int(np.count_nonzero(session.labels == report.id))
        assert report.voxels == sum(record.area_px for record in written) == n_voxels > 0
        assert report.n_planes == sum(record.area_px > 0 for record in written)
        assert report.volume_ml == pytest.approx(n_voxels * np.prod(SPACING_MM) / 1000)
        assert [record.plane for record in report.planes] == sorted(record.plane for record in report.planes)
        for record in written:
            assert record.area_mm2 == pytest.approx(record.area_px * SPACING_MM[1] * SPACING_MM[2])
            assert 0 <= record.overlap <= 1
    assert result.times.first_mask_s > 0
    assert result.times.propagate_s > 0


def states(report: ObjectReport) -> dict[int, str]:
    return {record.plane: record.state for record in report.planes}


def test_plane_only_leaves_the_other_planes_alone(volume: Volume) -> None:
    result, session = segment(volume, at_point(LEFT), plane_only=True)
    assert np.flatnonzero(session.labels.any(axis=(1, 2))).tolist() == [7]
    assert states(result.objects[0]) == {7: "anchor"}
    assert result.objects[0].towards_first == StopReport("plane only", None)


def test_a_range_is_not_left(volume: Volume) -> None:
    result, session = segment(volume, at_point(LEFT), planes=(5, 9))
    assert np.flatnonzero(session.labels.any(axis=(1, 2))).tolist() == [5, 6, 7, 8]
    assert result.objects[0].towards_first == StopReport("end of range", 5)
    assert result.objects[0].towards_last == StopReport("end of range", 8)


def test_a_prompt_at_the_edge_of_the_range_ends_there(volume: Volume) -> None:
    result, _ = segment(volume, at_point(LEFT), planes=(7, 9))
    assert result.objects[0].towards_first == StopReport("end of range", None)


def test_both_directions_say_where_and_why_they_stopped(volume: Volume, truth: NDArray[np.uint16]) -> None:
    filled = np.flatnonzero((truth == 1).any(axis=(1, 2)))
    session = Session(volume)
    report = segment_volume(session, FakeSegmenter(truth), [at_point(LEFT)]).objects[0]
    written = np.flatnonzero(session.labels.any(axis=(1, 2)))
    assert report.towards_first.plane == written[0] - 1
    assert report.towards_last.plane == written[-1] + 1
    assert filled[0] <= written[0] < written[-1] <= filled[-1]
    for stop in (report.towards_first, report.towards_last):
        assert stop.reason in {"empty", "area", "overlap", "score"}
        assert stop.plane is not None
        assert states(report)[stop.plane] == "stopped"


def test_prompts_in_two_planes_are_two_anchors(volume: Volume) -> None:
    one = group_prompts(1, "", [PointPrompt((6, 24, 16)), PointPrompt((9, 24, 16))])
    result, _ = segment(volume, one)
    assert [record.plane for record in result.objects[0].planes if record.state == "anchor"] == [6, 9]


def test_the_order_of_objects_changes_only_their_numbers(volume: Volume) -> None:
    """Both claim the left one."""
    _, first = segment(volume, at_point(LEFT), group_prompts(2, "", [PointPrompt(LEFT), PointPrompt(RIGHT)]))
    _, second = segment(
        volume, group_prompts(1, "", [PointPrompt(LEFT), PointPrompt(RIGHT)]), at_point(LEFT, 2)
    )
    assert np.array_equal(first.labels == 1, second.labels == 2)
    assert np.array_equal(first.labels == 2, second.labels == 1)


def test_an_object_takes_only_free_voxels(volume: Volume) -> None:
    first = at_point(LEFT)
    second = group_prompts(2, "all", [box_in_plane(0, 7, (0, 0, 48, 64)), PointPrompt(LEFT)])
    alone, _ = segment(volume, first)
    both, session = segment(volume, first, second)
    assert both.objects[0].voxels == alone.objects[0].voxels
    assert both.objects[1].voxels == np.count_nonzero(session.labels == 2)
    assert session.objects[2].name == "all"


def test_nothing_found_is_said_and_is_no_error(volume: Volume, truth: NDArray[np.uint16]) -> None:
    session = Session(volume)
    nothing = FakeSegmenter(np.zeros_like(truth))
    result = segment_volume(session, nothing, [at_point(LEFT)])
    assert result.objects[0].voxels == 0
    assert result.objects[0].towards_last == StopReport("empty", 7)
    assert not session.labels.any()


def test_a_bad_prompt_leaves_everything_as_it_was(volume: Volume) -> None:
    session, fake = Session(volume), FakeSegmenter()
    with pytest.raises(InvalidPrompt):
        segment_volume(session, fake, [at_point(LEFT), at_point((7, 24, 640), 2)])
    assert fake.requests == []
    assert not session.labels.any()


def test_cancelling_keeps_what_was_done(volume: Volume) -> None:
    session, cancel = Session(volume), Cancel()
    seen = []

    def progress(stage: str, n_done: int, n_total: int) -> None:
        seen.append((stage, n_done, n_total))
        if n_done == 4:
            cancel.cancel()

    with pytest.raises(Cancelled):
        segment_volume(session, FakeSegmenter(), [at_point(LEFT)], progress=progress, cancel=cancel)
    assert np.count_nonzero(session.labels.any(axis=(1, 2))) == 4
    assert ("object 1", 4, 15) in seen


@pytest.mark.parametrize("candidate", [0, 1, 2])
def test_the_candidate_that_was_asked_for_is_taken_and_followed(candidate: int) -> None:
    session, segmenter = Session(cylinder()), NestedSegmenter()
    one = replace(at_point((3, 15, 23)), candidate=candidate)
    (report,) = segment_volume(session, segmenter, [one]).objects
    disc = segmenter.segment(segmenter.requests[0]).masks[candidate].to_plane(PlaneRef(0, 3), (7, 32, 48))
    assert np.array_equal(session.labels, np.repeat(disc[None], 7, 0))
    anchor = report.planes[3]
    assert (anchor.state, anchor.candidate) == ("anchor", candidate)
    assert anchor.score == pytest.approx(segmenter.scores[candidate])
    assert anchor.candidate_scores == pytest.approx(segmenter.scores)
    assert all(record.candidate == 0 for record in report.planes if record.state == "propagated")


def test_a_candidate_that_the_model_does_not_have_is_refused(volume: Volume) -> None:
    one = replace(at_point(LEFT), candidate=4)
    with pytest.raises(InvalidPrompt, match="candidate 4 of 3"):
        segment(volume, one)


def cylinder() -> Volume:
    """The same disc in each of seven planes."""
    rows, cols = np.ogrid[:32, :48]
    disc = (rows - 15) ** 2 + (cols - 23) ** 2 <= 64
    return labelled_volume(np.repeat(disc[None], 7, axis=0).astype(np.uint16))
