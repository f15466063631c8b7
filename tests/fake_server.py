"""A server without a socket: answers as one would that has a single file."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPMessage
from types import TracebackType
from typing import Self


class FakeResponse:
    """As `napari_sam.store.download_plan.Response`; `fault` is raised, or data ends, after `n_sent` bytes."""

    def __init__(
        self, status: int, headers: Mapping[str, str], body: bytes, fault: BaseException | None
    ) -> None:
        self.status = status
        self.headers = HTTPMessage()
        for name, value in headers.items():
            self.headers[name] = value
        self._body, self._fault = body, fault

    def read(self, amt: int, /) -> bytes:
        part, self._body = self._body[: min(amt, 7)], self._body[min(amt, 7) :]
        if not part and self._fault is not None:
            raise self._fault
        return part

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class FakeServer:
    """An `Opener`. `asked` holds the headers of every request.

    `n_sent` bytes of an answer arrive, then `fault` is raised, or the connection just ends.
    """

    def __init__(self, content: bytes, *, etag: str | None = '"1"', honours_range: bool = True) -> None:
        self.content, self.etag, self.honours_range = content, etag, honours_range
        self.n_sent: int | None = None
        self.fault: BaseException | None = None
        self.status: int | None = None
        self.tells_length = True
        self.asked: list[dict[str, str]] = []

    def __call__(self, url: str, headers: Mapping[str, str]) -> FakeResponse:
        self.asked.append(dict(headers))
        if self.status is not None:
            return FakeResponse(self.status, {}, b"an error page", None)
        start, total = self._start(headers), len(self.content)
        told = {} if self.etag is None else {"ETag": self.etag}
        if start >= total:
            return FakeResponse(416, {"Content-Range": f"bytes */{total}"}, b"", None)
        if self.tells_length:
            told["Content-Length"] = str(total - start)
        if start:
            told["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        body = self.content[start:] if self.n_sent is None else self.content[start : start + self.n_sent]
        return FakeResponse(206 if start else 200, told, body, self.fault)

    def _start(self, headers: Mapping[str, str]) -> int:
        if "Range" not in headers or not self.honours_range:
            return 0
        if headers.get("If-Range", self.etag) != self.etag:
            return 0
        return int(headers["Range"].removeprefix("bytes=").removesuffix("-"))
