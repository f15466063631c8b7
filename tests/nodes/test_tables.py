"""How tables and numbers are laid out."""

from __future__ import annotations

from napari_sam.nodes.tables import format_table, round_floats


def test_markdown_and_text_tables() -> None:
    assert format_table(["kind", "n"], [["cells", 0.5]], markdown=True).splitlines() == [
        "| kind  |     n |",
        "| ----- | ----: |",
        "| cells | 0.500 |",
    ]
    assert format_table(["kind", "n"], [["cells", None]]).splitlines() == ["kind   n", "-----  -", "cells  -"]


def test_floats_are_rounded_at_any_depth() -> None:
    assert round_floats({"a": [(0.123456, 2)]}) == {"a": [[0.1235, 2]]}
