from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from napari_sam.settings import Settings
from napari_sam.store import downloads
from napari_sam.zoo import registry
from napari_sam.zoo.spec import Weights
from tests.cli.running import assert_one_line, run
from tests.fake_server import FakeServer
from tests.tiny_models import registry_of, spec_of

CONTENT = b"weights" * 30
DIGEST = hashlib.sha256(CONTENT).hexdigest()
DOWNLOAD = ["models", "download", "published.sha"]


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """What stands behind every address; the only models are the default and a published one."""
    weights = Weights("a.pth", "MIT", "them", DIGEST, "https://example.org/a.pth", len(CONTENT))
    published = spec_of("published.sha", weights=weights)
    monkeypatch.setattr(registry, "_registry", registry_of(registry.get("default"), published))
    server = FakeServer(CONTENT)
    monkeypatch.setattr(downloads, "open_url", server)
    return server


@pytest.fixture
def target() -> Path:
    return Settings.resolve().cache_dir / "weights" / "a.pth"


def test_a_download_says_where_and_that_it_is_the_right_file(
    target: Path, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown, err = run(DOWNLOAD, capsys)
    assert (code, err) == (0, "")
    assert shown == f"published.sha: downloaded to {target} (sha256 {DIGEST}, as published)\n"
    code, shown, err = run([*DOWNLOAD, "default"], capsys)
    assert (code, err) == (0, "")
    assert shown.splitlines() == [
        f"published.sha: there already, {target} (sha256 {DIGEST}, as published)",
        "tiny_sam.v6: the weights are part of the package; there is nothing to download",
    ]
    assert len(server.asked) == 1


def test_failures_are_one_line(target: Path, server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.status = 404
    code, shown, err = run(DOWNLOAD, capsys)
    assert_one_line(code, err, "https://example.org/a.pth", "404", str(target))
    server.status, server.content = None, b"another"
    code, shown, err = run(DOWNLOAD, capsys)
    assert_one_line(code, err, DIGEST, "another file")
    code, shown, err = run([*DOWNLOAD, "no.such"], capsys)
    assert_one_line(code, err, "'no.such'", "published.sha")
    assert shown == ""
    assert list(target.parent.iterdir()) == []


def test_ctrl_c_is_no_error_and_keeps_what_came(
    target: Path, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.n_sent, server.fault = 50, KeyboardInterrupt()
    code, _, err = run(DOWNLOAD, capsys)
    assert_one_line(code, err, "the same command goes on", expected=130)
    assert [path.name for path in sorted(target.parent.iterdir())] == ["a.pth.part", "a.pth.part.json"]
    server.n_sent = server.fault = None
    assert run(DOWNLOAD, capsys)[0] == 0
    assert server.asked[-1]["Range"] == "bytes=50-"
    assert target.read_bytes() == CONTENT


def test_verify_ends_with_2_only_where_something_differs(
    target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown, err = run(["models", "verify"], capsys)
    assert (code, err) == (0, "")
    assert [line.split()[:3] for line in shown.splitlines()] == [
        ["published.sha", "not", "here"],
        ["tiny_sam.v6", "no", "published"],
    ]
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    code, shown, err = run(["models", "verify", "published.sha"], capsys)
    assert (code, err) == (0, "")
    assert shown.split() == ["published.sha", "ok", "sha256", DIGEST, str(target)]
    target.write_bytes(CONTENT[1:])
    code, shown, err = run(["models", "verify", "--json"], capsys)
    assert_one_line(code, err, "1 of 2", str(target), "`napari-sam models download published.sha`")
    verdicts = {one["name"]: one["verdict"] for one in json.loads(shown)}
    assert verdicts == {"published.sha": "differs", "tiny_sam.v6": "no published hash"}


def test_lists_and_records_as_json(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(["models", "list", "--json"], capsys)
    assert code == 0
    assert [one["name"] for one in json.loads(shown)] == ["published.sha", "tiny_sam.v6"]
    code, shown, _ = run(["models", "show", "published.sha", "--json"], capsys)
    record = json.loads(shown)
    assert (record["sha256"], record["is_here"], record["weights"]) == (DIGEST, False, str(target))
    code, shown, _ = run(["models", "show", "published.sha"], capsys)
    assert "napari-sam models download published.sha" in shown


def test_weights_that_are_missing_name_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], image: Path
) -> None:
    arguments = ["segment", image, "-o", tmp_path / "o.nii.gz", "--point", "7,24,16"]
    code, _, err = run([*arguments, "--model", "published.sha"], capsys)
    assert_one_line(code, err, "`napari-sam models download published.sha`", DIGEST, "--weights")


def test_a_broken_package_of_others_is_a_note(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.metadata import EntryPoint

    from napari_sam.zoo.entry_points import GROUP, register_third_parties

    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: [EntryPoint("m", "no_such_module_here:x", GROUP)]
    )
    known = registry.Registry(register_third_parties)
    known.register(registry.get("default"))
    monkeypatch.setattr(registry, "_registry", known)
    code, shown, err = run(["models", "list"], capsys)
    assert code == 0
    assert shown.startswith("tiny_sam.v6")
    assert err.startswith("napari-sam: note: models of ")
    assert "no_such_module_here" in err
