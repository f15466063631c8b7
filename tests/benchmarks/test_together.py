from __future__ import annotations

import pytest

from benchmarks import together
from benchmarks._made_volumes import make_volume
from benchmarks._worn_truth import WEAR, WornTruth


def test_a_row_a_kind_from_end_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--model", "stub-mild", "--kinds", "vessels", "--seeds", "20", "20"]
    assert together.main(arguments) == 0
    *_, heads, row = capsys.readouterr().out.splitlines()
    assert heads.split()[:4] == ["kind", "objects", "alone", "together"]
    kind, n_objects, alone, all_at_once, *_ = row.split()
    assert (kind, n_objects) == ("vessels", "4")
    assert 0.9 < float(alone) <= float(all_at_once) + 0.01


def test_each_object_is_shown_in_its_middle_plane() -> None:
    made = make_volume("vessels", 20)
    labels = sum(truth * (number + 1) for number, truth in enumerate(made.objects))
    session = together.prompted(made, WornTruth(labels, WEAR["stub-mild"]))
    for number, truth in enumerate(made.objects):
        planes = truth.any(axis=(1, 2)).nonzero()[0]
        (anchor,) = session.objects[number + 1].anchors
        assert anchor.plane.index == planes[len(planes) // 2]
