from __future__ import annotations

import importlib.metadata
import logging
import re
import sys
import types
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from napari_sam.errors import SettingsError, UnknownModel
from napari_sam.zoo.entry_points import GROUP, register_third_parties
from napari_sam.zoo.registry import DEFAULT_MODEL, Registry
from tests.tiny_models import spec_of

MODULE = "a_package_of_others"


class _Distribution:
    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """What the other package's module holds."""
    module = types.ModuleType(MODULE)
    monkeypatch.setitem(sys.modules, MODULE, module)
    return module


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make ``importlib.metadata`` know entry points, given as (name, value, distribution)."""

    def known(*entries: tuple[str, str, str]) -> Mock:
        points = []
        for name, value, distribution in entries:
            point = EntryPoint(name, value, GROUP)
            vars(point)["dist"] = _Distribution(distribution)
            points.append(point)
        find = Mock(return_value=points)
        monkeypatch.setattr(importlib.metadata, "entry_points", find)
        return find

    return known


@pytest.fixture
def registry() -> Registry:
    registry = Registry(register_third_parties)
    registry.register(spec_of("own.model"))
    return registry


def test_a_spec_a_callable_and_several(offered: Any, install: Any, registry: Registry) -> None:
    offered.SPEC = spec_of("their.spec")
    offered.one = lambda: spec_of("their.one")
    offered.several = lambda: [spec_of("their.first"), spec_of("their.second")]
    offered.PAIR = (spec_of("their.third"),)
    install(*((name, f"{MODULE}:{name}", "theirs") for name in ("SPEC", "one", "several", "PAIR")))
    assert registry.names() == (
        "own.model", "their.first", "their.one", "their.second", "their.spec", "their.third",
    )  # fmt: skip
    assert registry.get("their.one").name == "their.one"


def test_nobody_is_asked_before_it_is_needed_and_nobody_twice(
    offered: Any, install: Any, registry: Registry
) -> None:
    offered.make = Mock(side_effect=lambda: spec_of("their.model"))
    find = install(("make", f"{MODULE}:make", "theirs"))
    registry.get("own.model")
    registry.register(spec_of("own.second"))
    find.assert_not_called()
    assert registry.get("their.model").name == "their.model"
    registry.names()
    with pytest.raises(UnknownModel, match=r"their\.model"):
        registry.get("no.such")
    find.assert_called_once_with(group=GROUP)
    offered.make.assert_called_once_with()


def _explode() -> None:
    raise RuntimeError("first line\nsecond line")


def _leave() -> None:
    sys.exit("bye")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("no_such_module_anywhere:x", "no_such_module_anywhere"),
        (f"{MODULE}:missing", "missing"),
        (f"{MODULE}:explode", "RuntimeError: first line second line"),
        (f"{MODULE}:leave", "SystemExit: bye"),
        (f"{MODULE}:number", "no ModelSpec"),
        (f"{MODULE}:mixed", "no ModelSpec"),
        (f"{MODULE}:bad_name", "architecture.tag"),
        (f"{MODULE}:taken", "'own.model' is registered already"),
        (f"{MODULE}:alias", "architecture.tag"),
    ],
)
def test_what_is_broken_is_left_out_and_the_rest_stays(
    value: str, told: str, offered: Any, install: Any, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    offered.explode, offered.leave, offered.number = _explode, _leave, 7
    offered.mixed = [spec_of("their.mixed"), "text"]
    offered.bad_name = lambda: spec_of("NoTag")
    offered.alias = lambda: spec_of("default")
    offered.taken, offered.good = spec_of("own.model"), spec_of("their.good")
    own = registry.get("own.model")
    install(("broken", value, "a-broken-package"), ("good", f"{MODULE}:good", "the-good-package"))
    with caplog.at_level(logging.WARNING, logger="napari_sam"):
        assert registry.names() == ("own.model", "their.good")
    (record,) = caplog.records
    message = record.getMessage()
    assert "a-broken-package" in message
    assert told in message
    assert "\n" not in message
    assert registry.get("own.model") is own


def test_of_two_with_one_name_the_first_distribution_wins(
    offered: Any, install: Any, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    offered.a, offered.b = spec_of("their.model", summary="a"), spec_of("their.model", summary="b")
    install(("m", f"{MODULE}:b", "b-package"), ("m", f"{MODULE}:a", "a-package"))
    assert registry.get("their.model").summary == "a"
    assert "b-package" in caplog.text


def test_broken_metadata_breaks_nothing(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(importlib.metadata, "entry_points", Mock(side_effect=ValueError("broken")))
    assert registry.names() == ("own.model",)
    assert "ValueError: broken" in caplog.text


def test_a_third_party_may_ask_for_our_models(offered: Any, install: Any, registry: Registry) -> None:
    offered.make = lambda: spec_of(f"their.of_{len(registry.names())}")
    install(("make", f"{MODULE}:make", "theirs"))
    assert registry.names() == ("own.model", "their.of_1")


def test_the_default_cannot_be_taken() -> None:
    registry = Registry(lambda register: None)
    registry.register(spec_of(DEFAULT_MODEL))
    assert registry.get("default").name == DEFAULT_MODEL
    with pytest.raises(SettingsError):
        registry.register(spec_of(DEFAULT_MODEL))


def test_the_example_of_the_documentation_is_a_model(repository: Path) -> None:
    page = (repository / "docs" / "add-a-model.md").read_text(encoding="utf-8")
    example, _memory = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(example, namespace)
    assert namespace["CELLS"].name == "your_sam.cells"
    assert f'"{GROUP}"' in page
