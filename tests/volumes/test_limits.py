from __future__ import annotations

from pathlib import Path

import pytest

from volumes import BrokenFile, UnsupportedImage
from volumes._limits import DEFLATE, check_claim, check_memory


def test_a_header_may_claim_what_its_file_can_hold() -> None:
    check_claim(Path("a"), (2, 3, 4), 2, 48)
    check_claim(Path("a"), (1000, 1000, 1000), 1, 1_000_000, DEFLATE)
    check_claim(Path("a"), (1000, 1000), 1, 100, DEFLATE)  # small and blank


def test_a_header_that_claims_more_is_refused() -> None:
    with pytest.raises(BrokenFile, match=r"2x3x4 values, 48 bytes, and has 47 bytes"):
        check_claim(Path("a"), (2, 3, 4), 2, 47)
    with pytest.raises(BrokenFile, match="complete copy"):
        check_claim(Path("a"), (1000, 1000, 1000), 8, 1000, DEFLATE)


def test_more_than_the_machine_has_is_refused() -> None:
    check_memory(Path("a"), 1 << 20)
    with pytest.raises(UnsupportedImage, match="OME-Zarr"):
        check_memory(Path("a"), 1 << 60)
