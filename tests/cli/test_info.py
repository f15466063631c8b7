"""`info`: what it shows of a file, and what only to those who ask."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import assert_one_line, run


class TestInfo:
    def test_it_shows_the_geometry(self, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, shown, err = run(["info", image], capsys)
        assert (code, err) == (0, "")
        assert "15 × 48 × 64" in shown
        assert "2 × 0.5 × 1.5 mm" in shown
        assert "SPL" in shown

    def test_it_is_json_on_request(self, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, shown, _ = run(["info", image, "--json"], capsys)
        assert code == 0
        assert json.loads(shown)["spacing_mm"] == pytest.approx([2.0, 0.5, 1.5])

    def test_series_are_listed_where_there_are_several(
        self, shared_data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = shared_data / "dicom_zoo" / "series" / "tcia_mr_three_series_mixed"
        code, shown, err = run(["info", folder], capsys)
        assert (code, err) == (0, "")
        assert shown.startswith("3 series")
        code, shown, _ = run(["info", folder, "--json"], capsys)
        key = json.loads(shown)["series"][0]["key"]
        code, shown, _ = run(["info", folder, "--series", key, "--json"], capsys)
        assert code == 0
        assert json.loads(shown)["modality"] == "MR"


class TestPrivacy:
    PATIENT = ("CompressedSamples", "1CT1", "20040119", "1.3.6.1.4.1.5962")

    def test_nothing_names_a_patient_unless_asked(
        self, shared_data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ct = shared_data / "dicom_zoo" / "singles" / "pydicom" / "CT_small.dcm"
        for options in ([], ["--json"]):
            code, shown, err = run(["info", ct, *options], capsys)
            assert (code, err) == (0, "")
            assert not any(value in shown for value in self.PATIENT)

    def test_it_is_shown_to_those_who_ask(
        self, shared_data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ct = shared_data / "dicom_zoo" / "singles" / "pydicom" / "CT_small.dcm"
        code, shown, _ = run(["info", ct, "--patient"], capsys)
        assert code == 0
        assert all(value in shown for value in self.PATIENT)
        assert "because it was asked for" in shown
        record = json.loads(run(["info", ct, "--patient", "--json"], capsys)[1])
        assert record["patient"]["PatientID"] == "1CT1"

    def test_a_file_without_a_patient_says_so(self, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "names none" in run(["info", image, "--patient"], capsys)[1]


def test_info_of_several_files_goes_on_after_a_bad_one(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.nii.gz"
    code, shown, err = run(["info", missing, image], capsys)
    assert_one_line(code, err, str(missing))
    assert "15 × 48 × 64" in shown
    code, shown, _ = run(["info", missing, image, "--json"], capsys)
    assert code == 2
    first, second = json.loads(shown)
    assert (first["input"], "error" in first) == (str(missing), True)
    assert second["shape"] == [15, 48, 64]
