"""Every file of the zoos reads as it did: no reading changes in silence.

After a change that is meant, ``python -m docs.make_formats_table --data DIR`` writes the table anew; look at
its difference.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from benchmarks._zoo import COLUMNS, ZOOS, expectation, readings

EXPECTATIONS = Path(__file__).with_name("zoo_expectations.tsv")


@pytest.mark.parametrize("zoo", ZOOS)
def test_every_file_reads_as_expected(zoo: str, shared_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with EXPECTATIONS.open(encoding="utf-8", newline="") as stream:
        lines = [tuple(line) for line in csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)]
    assert lines[0] == COLUMNS
    expected = [line for line in lines[1:] if line[0].startswith(zoo)]
    found = [expectation(reading) for reading in readings(shared_data, zoo)]
    assert found == expected
    assert capfd.readouterr() == ("", "")


def test_no_refusal_names_a_folder_of_the_machine_or_an_identifier() -> None:
    text = EXPECTATIONS.read_text(encoding="utf-8")
    assert "/tmp" not in text
    assert "/shared" not in text
    assert not re.search(r"1\.2\.840\.(?!10008)|1\.3\.6\.1\.", text)  # 10008: classes of objects, not objects
