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
    assert all((DOCS / picture).is_file() for picture in pictures)
