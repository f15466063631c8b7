"""The tutorials name only buttons, keys and commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import napari_sam.plugin
from napari_sam.cli.main import build_parser
from napari_sam.plugin._bindings import KEYS
from napari_sam.plugin._shortcuts import key_text

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("tutorial-*.md"))


@pytest.fixture(params=PAGES, ids=lambda page: page.stem)
def text(request: pytest.FixtureRequest) -> str:
    return str(request.param.read_text(encoding="utf-8"))


def test_there_is_a_tutorial() -> None:
    assert PAGES


def test_buttons_of_tutorials_exist(text: str) -> None:
    panels = Path(napari_sam.plugin.__file__).parent.glob("_*panel.py")
    source = "\n".join(panel.read_text(encoding="utf-8") for panel in panels)
    named = set(re.findall(r"\*\*(.+?)\*\*", text))
    assert named
    assert {name for name in named if f'"{name}"' not in source} == set()


def test_keys_of_tutorials_exist(text: str) -> None:
    named = set(re.findall(r"`([A-Z]|F\d+|(?:Ctrl|Shift)\+[^`]+)`", text))
    assert named
    assert named <= {key_text(key) for key in KEYS.values()}


def test_commands_of_tutorials_parse(text: str) -> None:
    commands = re.findall(r"^napari-sam (.+)$", text, flags=re.MULTILINE)
    assert commands
    for command in commands:
        build_parser().parse_args(shlex.split(command))


def test_pictures_of_tutorials_are_there(text: str) -> None:
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", text)
    assert pictures
    assert [picture for picture in pictures if not (DOCS / picture).is_file()] == []


def test_every_picture_is_shown_and_all_are_small() -> None:
    pictures = sorted(DOCS.glob("tutorial-*.png"))
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [picture.name for picture in pictures if f"({picture.name})" not in shown] == []
    assert sum(picture.stat().st_size for picture in pictures) < 1_200_000


def test_samples_of_tutorials_are_in_the_menu(text: str) -> None:
    manifest = (Path(napari_sam.plugin.__file__).parents[1] / "napari.yaml").read_text(encoding="utf-8")
    (sample,) = re.findall(r"choose (.+?) under File ▸ Open Sample", text)
    assert f"display_name: {sample}\n" in manifest


def test_links_of_tutorials_lead_somewhere(text: str) -> None:
    for target in re.findall(r"\]\((.+?)\)", text):
        path, _, place = target.partition("#")
        page = (DOCS / path).read_bytes().decode("utf-8", "ignore")
        titles = [line.lstrip("# ") for line in page.splitlines() if line.startswith("#")]
        places = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert not place or place in places


def test_what_the_table_offers_is_named_as_it_is() -> None:
    source = (Path(napari_sam.plugin.__file__).parent / "_object_panel.py").read_text(encoding="utf-8")
    cells = (DOCS / "tutorial-cells.md").read_text(encoding="utf-8")
    for entry in ("Merge", "Split into pieces", "Delete"):
        assert entry in cells
        assert f'"{entry}"' in source
