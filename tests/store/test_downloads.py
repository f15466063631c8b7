from __future__ import annotations

import errno
import hashlib
import urllib.error
import urllib.request
from http.client import HTTPMessage, IncompleteRead
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import xxhash

from napari_sam.errors import DownloadFailed, SamError, StoreError, WeightsError
from napari_sam.store import downloads
from napari_sam.store.download_plan import Download, Held, Plan, plan_answer, request_headers
from napari_sam.store.downloads import download, open_url
from tests.fake_server import FakeServer

URL = "https://example.org/w.pth"
CONTENT = bytes(range(100))
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def job(tmp_path: Path) -> Download:
    return Download(URL, tmp_path / "weights" / "w.pth", len(CONTENT), ("sha256", DIGEST))


@pytest.fixture
def server() -> FakeServer:
    return FakeServer(CONTENT)


def assert_done(job: Download) -> None:
    assert job.target.read_bytes() == CONTENT
    assert [path.name for path in job.target.parent.iterdir()] == ["w.pth"]


def refused(job: Download, server: Any, kind: type[SamError] = DownloadFailed) -> str:
    """Download, which fails, and return why; nothing may lie at the target then."""
    with pytest.raises(kind) as caught:
        download(job, server)
    message = str(caught.value)
    assert "\n" not in message
    assert not job.target.exists()
    return message


class TestDeciding:
    def test_nothing_held_asks_for_everything(self) -> None:
        assert "Range" not in request_headers(Held())
        assert request_headers(Held())["Accept-Encoding"] == "identity"

    def test_what_is_held_asks_for_the_rest_of_the_same_file(self) -> None:
        headers = request_headers(Held(40, '"1"', 100))
        assert (headers["Range"], headers["If-Range"]) == ("bytes=40-", '"1"')
        assert "If-Range" not in request_headers(Held(40))

    @pytest.mark.parametrize(
        ("held", "status", "headers", "plan"),
        [
            (Held(), 200, {"Content-Length": "100"}, Plan(0, 100)),
            (Held(), 200, {}, Plan(0, None)),
            (Held(40, "", 100), 200, {"Content-Length": "90"}, Plan(0, 90)),
            (Held(40, "", 100), 206, {"Content-Range": "bytes 40-99/100"}, Plan(40, 100)),
            (Held(40, "", 100), 206, {"Content-Range": "bytes 40-99/*"}, Plan(40, 100)),
            (Held(40), 206, {"Content-Range": "bytes 40-99/100"}, Plan(40, 100)),
            (Held(40, "", 100), 206, {"Content-Range": "bytes 41-99/100"}, None),
            (Held(40, "", 100), 206, {"Content-Range": "bytes 40-99/120"}, None),
            (Held(40, "", 100), 206, {}, None),
            (Held(40, "", None), 416, {"Content-Range": "bytes */30"}, None),
        ],
    )
    def test_an_answer_fits_or_everything_is_asked_for(
        self, held: Held, status: int, headers: dict[str, str], plan: Plan | None
    ) -> None:
        assert plan_answer(held, status, headers) == plan

    @pytest.mark.parametrize("status", [204, 206, 304, 403, 404, 416, 500])
    def test_any_other_status_is_a_refusal(self, status: int) -> None:
        with pytest.raises(DownloadFailed, match=str(status)):
            plan_answer(Held(), status, {})


class TestAWholeDownload:
    def test_it_is_checked_and_moved_into_place(self, job: Download, server: FakeServer) -> None:
        told: list[tuple[int, int]] = []
        download(job, server, lambda done, total: told.append((done, total)))
        assert_done(job)
        assert told[0] == (0, 100)
        assert told[-1] == (100, 100)
        assert told == sorted(told)

    def test_xxh128_is_as_good(self, job: Download, server: FakeServer) -> None:
        download(Download(URL, job.target, None, ("xxh128", xxhash.xxh128_hexdigest(CONTENT))), server)
        assert_done(job)

    def test_without_a_digest_the_length_decides(self, job: Download, server: FakeServer) -> None:
        assert "length is 100, not 99" in refused(Download(URL, job.target, 99), server, WeightsError)
        download(Download(URL, job.target), server)
        assert_done(job)

    def test_a_server_that_tells_no_length(self, job: Download, server: FakeServer) -> None:
        server.tells_length = False
        download(job, server)
        assert_done(job)

    def test_an_older_file_is_replaced_only_at_the_end(self, job: Download, server: FakeServer) -> None:
        job.target.parent.mkdir()
        job.target.write_bytes(b"old")
        server.n_sent = 10
        with pytest.raises(DownloadFailed):
            download(job, server)
        assert job.target.read_bytes() == b"old"
        server.n_sent = None
        download(job, server)
        assert_done(job)


class TestGoingOn:
    @pytest.fixture(autouse=True)
    def cut(self, job: Download, server: FakeServer) -> None:
        server.n_sent, server.fault = 42, ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        message = refused(job, server)
        assert "Connection reset by peer" in message
        assert "run it again to go on" in message
        assert job.partial.read_bytes() == CONTENT[:42]
        server.n_sent = server.fault = None
        server.asked.clear()

    def test_only_the_rest_is_asked_for(self, job: Download, server: FakeServer) -> None:
        told: list[int] = []
        download(job, server, lambda done, _: told.append(done))
        assert_done(job)
        assert [asked["Range"] for asked in server.asked] == ["bytes=42-"]
        assert told[0] == 42

    def test_a_server_without_ranges_sends_all_again(self, job: Download, server: FakeServer) -> None:
        server.honours_range = False
        download(job, server)
        assert_done(job)
        assert len(server.asked) == 1

    def test_a_file_that_changed_is_taken_whole(self, job: Download, server: FakeServer) -> None:
        server.etag = '"2"'
        download(job, server)
        assert_done(job)
        assert server.asked[0]["If-Range"] == '"1"'

    def test_a_rest_that_does_not_fit_starts_over(self, job: Download, server: FakeServer) -> None:
        server.content = CONTENT + b"more"
        download(Download(URL, job.target, digest=("sha256", _sha256(server.content))), server)
        assert job.target.read_bytes() == server.content
        assert ["Range" in asked for asked in server.asked] == [True, False]

    def test_a_partial_file_longer_than_the_file_starts_over(self, job: Download, server: FakeServer) -> None:
        job.partial.write_bytes(bytes(200))
        download(job, server)
        assert_done(job)

    @pytest.mark.parametrize(
        "note", [None, "", "[]", "{}", '{"url": 1, "validator": "", "total_bytes": 100}']
    )
    def test_a_partial_file_of_unknown_origin_is_not_gone_on_with(
        self, job: Download, server: FakeServer, note: str | None
    ) -> None:
        job.note.unlink() if note is None else job.note.write_text(note)
        download(job, server)
        assert_done(job)
        assert "Range" not in server.asked[0]

    def test_another_address_is_not_gone_on_with(self, job: Download, server: FakeServer) -> None:
        download(Download("https://example.org/x.pth", job.target, None, job.digest), server)
        assert_done(job)
        assert "Range" not in server.asked[0]

    def test_a_whole_partial_file_needs_no_network(self, job: Download, server: FakeServer) -> None:
        job.partial.write_bytes(CONTENT)
        download(job, server)
        assert_done(job)
        assert server.asked == []

    def test_a_partial_file_with_a_wrong_byte_is_found_out(self, job: Download, server: FakeServer) -> None:
        job.partial.write_bytes(b"x" + CONTENT[1:42])
        assert "sha256" in refused(job, server, WeightsError)
        download(job, server)
        assert_done(job)


class TestWithoutAValidator:
    @pytest.fixture
    def server(self) -> FakeServer:
        server = FakeServer(CONTENT, etag=None)
        server.n_sent = 42
        return server

    def test_a_digest_makes_up_for_it(self, job: Download, server: FakeServer) -> None:
        refused(job, server)
        server.n_sent = None
        download(job, server)
        assert_done(job)
        assert server.asked[-1]["Range"] == "bytes=42-"

    def test_with_neither_it_starts_over(self, job: Download, server: FakeServer) -> None:
        plain = Download(URL, job.target)
        refused(plain, server)
        server.n_sent = None
        download(plain, server)
        assert_done(job)
        assert "Range" not in server.asked[-1]


class TestFailures:
    def test_another_file_is_refused_and_dropped(self, job: Download) -> None:
        message = refused(job, FakeServer(b"<html>sign in</html>"), WeightsError)
        for part in (URL, DIGEST, "deleted", str(job.target)):
            assert part in message
        assert list(job.target.parent.iterdir()) == []

    @pytest.mark.parametrize("status", [403, 404, 503])
    def test_a_refusal_says_the_status_and_what_else_to_do(
        self, job: Download, server: FakeServer, status: int
    ) -> None:
        server.status = status
        message = refused(job, server)
        assert f"status {status}" in message
        assert f"put it at {job.target}" in message
        assert list(job.target.parent.iterdir()) == []

    @pytest.mark.parametrize(
        "error",
        [
            urllib.error.URLError(OSError(-2, "Name or service not known")),
            TimeoutError("Name or service not known"),
        ],
    )
    def test_no_network(self, job: Download, error: OSError) -> None:
        def nobody(url: str, headers: object) -> Any:
            raise error

        message = refused(job, nobody)
        assert "cannot be reached (Name or service not known)" in message
        assert f"put it at {job.target}" in message

    def test_a_connection_that_just_ends(self, job: Download, server: FakeServer) -> None:
        server.n_sent = 60
        assert "ended early after 0.0 MB of 0.0 MB" in refused(job, server)
        server.fault = IncompleteRead(b"", 40)
        server.n_sent = 10
        assert "ended early" in refused(job, server)
        assert job.partial.read_bytes() == CONTENT[:70]

    def test_ctrl_c_keeps_what_came(self, job: Download, server: FakeServer) -> None:
        server.n_sent, server.fault = 30, KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            download(job, server)
        assert not job.target.exists()
        assert job.partial.read_bytes() == CONTENT[:30]
        server.n_sent = server.fault = None
        download(job, server)
        assert_done(job)
        assert server.asked[-1]["Range"] == "bytes=30-"

    def test_a_disk_without_room_is_found_out_before(
        self, job: Download, server: FakeServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = type("Usage", (), {"free": 10})
        monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: usage)
        message = refused(job, server, StoreError)
        assert "too full for w.pth" in message
        assert "NAPARI_SAM_CACHE_DIR" in message
        assert list(job.target.parent.iterdir()) == []

    def test_a_disk_that_fills_up_keeps_what_is_there(
        self, job: Download, server: FakeServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        really_open = Path.open

        def open_on_a_small_disk(path: Path, *arguments: Any, **options: Any) -> Any:
            file = really_open(path, *arguments, **options)
            return _SmallDisk(file) if path.suffix == ".part" else file

        with monkeypatch.context() as small:
            small.setattr(Path, "open", open_on_a_small_disk)
            message = refused(job, server, StoreError)
        assert "No space left on device" in message
        assert "what came so far is kept" in message
        assert job.partial.read_bytes() == CONTENT[:49]
        download(job, server)
        assert_done(job)
        assert server.asked[-1]["Range"] == "bytes=49-"

    def test_a_folder_that_is_a_file(self, job: Download, server: FakeServer) -> None:
        job.target.parent.touch()
        with pytest.raises(StoreError, match="cannot write"):
            download(job, server)

    @pytest.mark.parametrize("url", ["http://example.org/w.pth", "file:///etc/passwd", "ftp://example.org/w"])
    def test_only_https_is_asked(self, job: Download, server: FakeServer, url: str) -> None:
        assert "no https address" in refused(Download(url, job.target), server)
        assert server.asked == []


class TestTheRealOpener:
    """`open_url` with the sockets taken out from under it."""

    def _answering(self, monkeypatch: pytest.MonkeyPatch, *answers: tuple[int, dict[str, str]]) -> list[Any]:
        left, seen = list(answers), []

        def answer(handler: Any, request: Any) -> Any:
            seen.append(request)
            status, told = left.pop(0)
            headers = HTTPMessage()
            for name, value in told.items():
                headers[name] = value
            response = urllib.request.addinfourl(BytesIO(CONTENT), headers, request.full_url, status)
            response.msg = "told"  # type: ignore[attr-defined]
            return response

        monkeypatch.setattr(urllib.request.HTTPSHandler, "https_open", answer)
        return seen

    def test_headers_go_out_and_bytes_come_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = self._answering(monkeypatch, (206, {"Content-Range": "bytes 5-9/10"}))
        with open_url(URL, {"Range": "bytes=5-"}) as response:
            assert response.status == 206
            assert response.headers.get("content-range") == "bytes 5-9/10"
            assert response.read(3) == CONTENT[:3]
        assert seen[0].get_header("Range") == "bytes=5-"

    def test_a_refusal_is_an_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._answering(monkeypatch, (404, {}))
        with open_url(URL, {}) as response:
            assert response.status == 404

    def test_a_redirection_keeps_the_range(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = self._answering(monkeypatch, (302, {"Location": "https://cdn.example.org/w"}), (200, {}))
        with open_url(URL, {"Range": "bytes=5-"}) as response:
            assert response.status == 200
        assert seen[1].full_url == "https://cdn.example.org/w"
        assert seen[1].get_header("Range") == "bytes=5-"

    def test_a_redirection_away_from_https_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, job: Download
    ) -> None:
        self._answering(monkeypatch, (302, {"Location": "http://example.org/w"}))
        assert "http://example.org/w, which is not https" in refused(job, open_url)


class _SmallDisk:
    """A file on a disk that holds 50 bytes."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, part: bytes) -> int:
        if self._file.tell() + len(part) > 50:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self._file.write(part))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
