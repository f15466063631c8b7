from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from napari_sam.errors import DownloadFailed, MissingWeights, UnknownModel, WeightsError
from napari_sam.nodes.model_files import download_weights, verify_weights
from napari_sam.settings import Settings
from napari_sam.zoo import registry
from napari_sam.zoo.spec import Weights
from tests.fake_server import FakeServer
from tests.tiny_models import registry_of, spec_of

CONTENT = b"weights" * 30
DIGEST = hashlib.sha256(CONTENT).hexdigest()
URL = "https://example.org/"


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    embedded = tmp_path / "inside.safetensors"
    embedded.write_bytes(b"inside")
    all_weights = {
        "tiny_sam.v6": Weights(embedded.name, "Apache-2.0", "us", embedded=embedded),
        "published.sha": Weights("a.pth", "MIT", "them", DIGEST, URL + "a.pth", len(CONTENT)),
        "published.plain": Weights("b.pth", "MIT", "them", url=URL + "b.pth"),
        "published.nowhere": Weights("c.pth", "MIT", "them of there", "0" * 64),
    }
    known = registry_of(*(spec_of(name, weights=weights) for name, weights in all_weights.items()))
    monkeypatch.setattr(registry, "_registry", known)


@pytest.fixture
def weights_dir() -> Path:
    return Settings.resolve().cache_dir / "weights"


def test_it_is_downloaded_once(weights_dir: Path) -> None:
    server = FakeServer(CONTENT)
    told: list[tuple[str, int, int]] = []
    checked, is_new = download_weights(
        "published.sha", opener=server, progress=lambda *parts: told.append(parts)
    )
    assert (checked.verdict, checked.found, is_new) == ("ok", DIGEST, True)
    assert checked.path == weights_dir / "a.pth"
    assert checked.path.read_bytes() == CONTENT
    assert told[-1] == ("downloading a.pth", len(CONTENT), len(CONTENT))
    assert download_weights("published.sha", opener=server) == (checked, False)
    assert len(server.asked) == 1


def test_a_file_that_differs_is_replaced(weights_dir: Path) -> None:
    weights_dir.mkdir(parents=True)
    (weights_dir / "a.pth").write_bytes(b"half")
    _, is_new = download_weights("published.sha", opener=FakeServer(CONTENT))
    assert is_new
    assert (weights_dir / "a.pth").read_bytes() == CONTENT


def test_without_a_published_hash_the_own_one_is_told() -> None:
    checked, is_new = download_weights("published.plain", opener=FakeServer(CONTENT))
    assert (checked.verdict, checked.expected, checked.found, is_new) == (
        "no published hash", None, DIGEST, True,
    )  # fmt: skip
    assert download_weights("published.plain", opener=FakeServer(b"")) == (checked, False)


def test_what_is_in_the_package_is_never_asked_for() -> None:
    server = FakeServer(CONTENT)
    checked, is_new = download_weights("default", opener=server)
    assert (checked.is_embedded, is_new, server.asked) == (True, False, [])


def test_what_nobody_publishes_says_where_to_put_it(weights_dir: Path) -> None:
    with pytest.raises(MissingWeights) as caught:
        download_weights("published.nowhere", opener=FakeServer(CONTENT))
    assert "them of there" in str(caught.value)
    assert str(weights_dir / "c.pth") in str(caught.value)


def test_failures_leave_no_weights(weights_dir: Path) -> None:
    server = FakeServer(CONTENT)
    server.status = 404
    with pytest.raises(DownloadFailed):
        download_weights("published.sha", opener=server)
    with pytest.raises(WeightsError):
        download_weights("published.sha", opener=FakeServer(b"another file"))
    with pytest.raises(UnknownModel):
        download_weights("no.such", opener=server)
    assert list(weights_dir.iterdir()) == []


def test_everything_is_verified_or_what_is_named(weights_dir: Path) -> None:
    weights_dir.mkdir(parents=True)
    (weights_dir / "a.pth").write_bytes(CONTENT)
    (weights_dir / "c.pth").write_bytes(CONTENT)
    verdicts = {one.name: one.verdict for one in verify_weights()}
    assert verdicts == {
        "published.sha": "ok",
        "published.plain": "not here",
        "published.nowhere": "differs",
        "tiny_sam.v6": "no published hash",
    }
    some = verify_weights(["default", "published.sha", "default"])
    assert [one.name for one in some] == ["tiny_sam.v6", "published.sha"]
    assert some[1].found == DIGEST
