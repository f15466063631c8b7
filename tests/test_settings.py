"""Settings: argument > environment > file > default."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from napari_sam.errors import SettingsError
from napari_sam.settings import Settings, settings_file


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file, in a throw-away folder; no variables set."""
    monkeypatch.delenv("NAPARI_SAM_CACHE_DIR", raising=False)
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda *a, **k: str(tmp_path / "config"))
    (tmp_path / "config").mkdir(exist_ok=True)
    return tmp_path / "config" / "settings.toml"


def test_defaults(config: Path) -> None:
    settings = Settings.resolve()
    assert settings.device == "auto"
    assert settings.model == "default"
    assert settings.cache_dir == Path(platformdirs.user_cache_dir("napari-sam", appauthor=False))
    assert settings.ram_budget_bytes > 0
    assert settings.disk_budget_bytes > settings.ram_budget_bytes


def test_argument_beats_variable_beats_file_beats_default(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings.resolve().model == "default"
    config.write_text('model = "from.file"\nram_budget_bytes = "1 GiB"\n')
    assert settings_file() == config
    assert Settings.resolve().model == "from.file"
    monkeypatch.setenv("NAPARI_SAM_MODEL", "from.variable")
    assert Settings.resolve().model == "from.variable"
    assert Settings.resolve(model=None).model == "from.variable"
    assert Settings.resolve(model="from.argument").model == "from.argument"
    assert Settings.resolve().ram_budget_bytes == 2**30


@pytest.mark.parametrize(("text", "is_on"), [("true", True), (True, True), ("0", False), (False, False)])
def test_switches(config: Path, text: str | bool, is_on: bool) -> None:
    assert Settings.resolve(compile=text).compile is is_on


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("0", 0), ("1500", 1500), ("2 GB", 2 * 10**9), ("512MiB", 2**29), ("1.5k", 1500), (4096, 4096)],
)
def test_byte_counts(config: Path, text: str | int, n_bytes: int) -> None:
    assert Settings.resolve(disk_budget_bytes=text).disk_budget_bytes == n_bytes


@pytest.mark.parametrize(
    "arguments",
    [
        {"ram_budget_bytes": "lots"},
        {"ram_budget_bytes": -1},
        {"ram_budget_bytes": True},
        {"ram_budget_bytes": "3 i"},
        {"cache_dir": 5},
        {"cache_dir": ""},
        {"device": " "},
        {"compile": "perhaps"},
        {"modell": "x"},
    ],
)
def test_unusable_arguments_are_named(config: Path, arguments: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(arguments))):
        Settings.resolve(**arguments)


def test_message_names_the_variable(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SAM_DISK_BUDGET_BYTES", "much")
    with pytest.raises(SettingsError, match="NAPARI_SAM_DISK_BUDGET_BYTES is 'much'"):
        Settings.resolve()


@pytest.mark.parametrize("content", ["model = ", "modle = 'x'", "model = 3"])
def test_bad_file_is_named(config: Path, content: str) -> None:
    config.write_text(content)
    with pytest.raises(SettingsError, match=r"settings\.toml"):
        Settings.resolve()


def test_home_is_expanded(config: Path) -> None:
    assert Settings.resolve(cache_dir="~/embeddings").cache_dir == Path.home() / "embeddings"
