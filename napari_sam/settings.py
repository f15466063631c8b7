"""Settings of one run: argument > ``NAPARI_SAM_*`` variable > settings file > default, resolved once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from napari_sam.errors import SettingsError

__all__ = ["Settings", "settings_file"]

_APPLICATION = "napari-sam"
_VARIABLE_PREFIX = "NAPARI_SAM_"
_SWITCHES = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_UNIT_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_UNIT_BYTES |= {f"{unit}i": 2 ** (10 * power) for power, unit in enumerate("kmgt", start=1)}


@dataclass(frozen=True)
class Settings:
    """What a run needs to know about this machine and this person's wishes.

    Parameters
    ----------
    cache_dir : pathlib.Path
        Disposable folder for weights and embeddings; deleting it loses no work.
    ram_budget_bytes, disk_budget_bytes : int
        How much the embedding cache may hold in memory and on disk; 0 switches that level off.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    model : str
        Name of the model to load when none is asked for.
    precision : str
        ``"auto"``, ``"float32"`` or ``"bfloat16"``; see `napari_sam.engine.precision`.
    sessions_dir : pathlib.Path
        Where the window keeps every session by itself, for the next start and after a crash. Not disposable.
    compile : bool
        Whether encoders are compiled by `torch.compile`: worth its minute on a GPU with many planes.
    """

    cache_dir: Path
    ram_budget_bytes: int
    disk_budget_bytes: int
    device: str = "auto"
    model: str = "default"
    precision: str = "auto"
    compile: bool = False
    sessions_dir: Path = field(default_factory=lambda: _default_sessions_dir())  # noqa: PLW0108 - defined below

    @classmethod
    def resolve(cls, **arguments: object) -> Settings:
        """Settle every field: argument, else ``NAPARI_SAM_<FIELD>``, else settings file, else default.

        Parameters
        ----------
        **arguments : object
            Fields by name; None means "not given". Byte counts may be texts such as ``"4 GB"``.

        Returns
        -------
        Settings
            The settled fields.

        Raises
        ------
        SettingsError
            A name that is no field, a value that cannot be used, or a settings file that is not TOML.
        """
        _refuse_unknown(arguments, "the arguments")
        path = settings_file()
        from_file = _read_settings_file(path)
        settled: dict[str, Any] = {}
        for name, (convert, default) in _FIELDS.items():
            variable = _VARIABLE_PREFIX + name.upper()
            if arguments.get(name) is not None:
                settled[name] = convert(arguments[name], f"the argument {name}")
            elif os.environ.get(variable, "").strip():
                settled[name] = convert(os.environ[variable], f"the environment variable {variable}")
            elif name in from_file:
                settled[name] = convert(from_file[name], f"{name} in {path}")
            else:
                settled[name] = default()
        return cls(**settled)


def settings_file() -> Path:
    """Return where the settings file is looked for; it need not exist."""
    return Path(platformdirs.user_config_dir(_APPLICATION, appauthor=False)) / "settings.toml"


def _read_settings_file(path: Path) -> Mapping[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} cannot be read ({error}); correct it") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"the settings file {path} is not TOML ({error}); correct it") from error
    _refuse_unknown(values, str(path))
    return values


def _refuse_unknown(values: Mapping[str, object], where: str) -> None:
    unknown = sorted(set(values) - set(_FIELDS))
    if unknown:
        raise SettingsError(f"unknown setting {unknown[0]!r} in {where}; known are {', '.join(_FIELDS)}")


def _to_path(value: object, where: str) -> Path:
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise SettingsError(f"{where} is {value!r}, which is no folder; give a path")
    return Path(os.fsdecode(value)).expanduser()


def _to_text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise SettingsError(f"{where} is {value!r}; give a name")
    return value.strip()


def _to_switch(value: object, where: str) -> bool:
    text = str(value).strip().lower()
    if text in _SWITCHES:
        return _SWITCHES[text]
    raise SettingsError(f"{where} is {value!r}; give true or false")


def _to_bytes(value: object, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    text = value.strip().lower() if isinstance(value, str) else ""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", text)
    if match is None or match[2] not in _UNIT_BYTES:
        raise SettingsError(f"{where} is {value!r}; give a number of bytes such as 2000000000 or '2 GB'")
    return int(float(match[1]) * _UNIT_BYTES[match[2]])


def _default_cache_dir() -> Path:
    return Path(platformdirs.user_cache_dir(_APPLICATION, appauthor=False))


def _default_sessions_dir() -> Path:
    return Path(platformdirs.user_data_dir(_APPLICATION, appauthor=False)) / "sessions"


_FIELDS: dict[str, tuple[Callable[[object, str], object], Callable[[], object]]] = {
    "cache_dir": (_to_path, _default_cache_dir),
    "ram_budget_bytes": (_to_bytes, lambda: 2 * 2**30),
    "disk_budget_bytes": (_to_bytes, lambda: 20 * 2**30),
    "device": (_to_text, lambda: "auto"),
    "model": (_to_text, lambda: "default"),
    "precision": (_to_text, lambda: "auto"),
    "compile": (_to_switch, lambda: False),
    "sessions_dir": (_to_path, _default_sessions_dir),
}
