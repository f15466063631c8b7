"""Promises made by files that no other test reads: dependencies, the set-up commands, the versions."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

QT = {"pyqt5", "pyqt6", "pyside2", "pyside6", "qtpy"}
GUI = {"napari", "magicgui"} | QT


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w.-]+", text)[0].lower().replace("_", "-") for text in requirements}  # type: ignore[index]


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    with (repository / "pyproject.toml").open("rb") as file:
        return dict(tomllib.load(file)["project"])


def test_no_gui_is_required_and_the_window_chooses_no_qt_binding(project: dict[str, Any]) -> None:
    assert names(project["dependencies"]) & GUI == set()
    assert names(project["optional-dependencies"]["napari"]) & (QT - {"qtpy"}) == set()
    assert not any("[" in text for text in project["optional-dependencies"]["napari"])


def test_every_direct_dependency_is_pinned_for_our_own_installs(
    project: dict[str, Any], repository: Path
) -> None:
    lines = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = names([line for line in lines if "==" in line])
    wanted = names(project["dependencies"]).union(*map(names, project["optional-dependencies"].values()))
    assert wanted - pinned == set()


def test_the_changelog_knows_this_version(project: dict[str, Any], repository: Path) -> None:
    assert f"## {project['version']}" in (repository / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_readme_has_exactly_two_set_up_commands(repository: Path) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"<!-- command: (\w+) -->", text) == ["demo", "test"]


@pytest.mark.parametrize(
    ("name", "end"), [("demo", "napari-sam demo"), ("test", "-m pytest -n 2 --dist loadfile")]
)
def test_ci_runs_what_the_readme_says(name: str, end: str, repository: Path) -> None:
    script = repository / ".ci" / "readme_command.py"
    command = subprocess.run(
        [sys.executable, script, name], capture_output=True, text=True, check=True
    ).stdout
    assert command.startswith("python3 -m venv ")
    assert command.rstrip().endswith(end)
    assert f"readme_command.py {name})" in (repository / ".ci" / "run").read_text(encoding="utf-8")


def test_links_between_our_pages_lead_somewhere(repository: Path) -> None:
    pages = [*repository.glob("*.md"), *(repository / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(repository)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if not target.startswith(("http://", "https://", "mailto:")) and not (page.parent / target).exists()
    ]
    assert broken == []
