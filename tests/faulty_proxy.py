"""A proxy before an emulated storage, that answers some requests as a bad day on the network would."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import unquote, urlsplit

Kind = Literal["503", "429", "403", "reset", "slow", "truncated", "flipped", "wrong checksum", "lost"]

_PATIENCE = 60.0
"""Seconds until a slow answer is given up, should its client never go away."""
_FOR_ONE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass
class Fault:
    """What happens to the next ``times`` requests of ``method`` whose path, unquoted, holds ``part``.

    "reset": the connection is torn before anything is done. "lost": it is done, then torn. "slow": nothing is answered.
    "truncated": half the answer. "flipped": one bit of the answer, or of what is sent up. "wrong checksum": the answer's.
    """

    kind: Kind
    times: int
    method: str
    part: str


class FaultyProxy(ThreadingHTTPServer):
    """Passes requests on to ``upstream``; ``seen`` are their methods and paths, in order."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str]] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()

    def inject(self, kind: Kind, times: int = 1, method: str = "GET", part: str = "") -> None:
        with self._lock:
            self.faults.append(Fault(kind, times, method, part))

    def count(self, method: str, part: str) -> int:
        """How many requests there were of such a method and path."""
        return sum(seen == method and part in path for seen, path in self.seen)

    def fault_of(self, method: str, path: str) -> Kind | None:
        """What shall happen to this request, which is counted."""
        with self._lock:
            self.seen.append((method, path))
            for fault in self.faults:
                if fault.times > 0 and fault.method == method and fault.part in path:
                    fault.times -= 1
                    return fault.kind
        return None

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that went away are what this is for."""


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """A proxy before the server at ``upstream``, on a port of its own."""
    with FaultyProxy(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.closing.set()
            proxy.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.server.fault_of(self.command, unquote(self.path))
        if kind in ("503", "429", "403"):
            self._reply(int(kind), {}, b"injected")
        elif kind == "reset":
            self._tear()
        elif kind == "slow":
            self.server.closing.wait(_PATIENCE)
        else:
            self._pass_on(_flipped(body) if kind == "flipped" and body else body, kind)

    def _pass_on(self, body: bytes, kind: Kind | None) -> None:
        upstream = HTTPConnection(self.server.upstream)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _FOR_ONE_HOP}
        upstream.request(self.command, self.path, body or None, headers)
        response = upstream.getresponse()
        answer = response.read()
        upstream.close()
        if kind == "lost":
            return self._tear()
        kept = {name: value for name, value in response.getheaders() if name.lower() not in _FOR_ONE_HOP}
        if kind == "wrong checksum":
            kept["X-Goog-Hash"] = "crc32c=AAAAAA==,md5=AAAAAAAAAAAAAAAAAAAAAA=="
        if kind == "flipped" and not body:
            answer = _flipped(answer)
        return self._reply(response.status, kept, answer, cut=kind == "truncated")

    def _reply(self, status: int, headers: dict[str, str], body: bytes, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True

    def _tear(self) -> None:
        """Close at once: what the client gets is a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RD)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer

    def log_message(self, *_: object) -> None:
        """Nothing: tests look at ``seen``."""


def _flipped(data: bytes) -> bytes:
    """One bit of the last quarter, which is content in what is sent up, too."""
    at = len(data) * 3 // 4
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
