"""What stands in for Google's services on this machine: a token endpoint, and Dataflow's REST interface."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

JOB_ID = "2026-11-21_00_00_00-123"


class DataflowStandIn:
    """Takes jobs, says that they are done, and keeps what it was told. ``url`` has the word localhost, as Beam asks."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.state = "JOB_STATE_DONE"
        self.metrics: list[dict[str, Any]] = []
        self.paths: list[str] = []
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == "/token":
                    self._answer({"access_token": "not-a-secret", "expires_in": 3600, "token_type": "Bearer"})
                    return
                stand_in.jobs.append(json.loads(body))
                self._answer(stand_in.answer())

            def do_GET(self) -> None:
                stand_in.paths.append(self.path)
                if "/messages" in self.path:
                    self._answer({})
                elif "/metrics" in self.path:
                    self._answer({"metrics": stand_in.metrics})
                else:
                    self._answer(stand_in.answer())

            def _answer(self, content: dict[str, Any]) -> None:
                data = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self._server.server_port}"

    def answer(self) -> dict[str, Any]:
        """The job as the service would describe it."""
        job = self.jobs[-1] if self.jobs else {}
        return {**job, "id": JOB_ID, "projectId": "p", "location": "us-central1", "currentState": self.state}

    @contextmanager
    def serving(self) -> Iterator[DataflowStandIn]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def throw_away_credentials(path: Path, stand_in: DataflowStandIn) -> str:
    """A service account's key file that only the stand-in believes; its private key, to look for where it must not be."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account = {
        "type": "service_account",
        "client_email": "test@example.iam.gserviceaccount.com",
        "private_key": text,
        "token_uri": f"{stand_in.url}/token",
    }
    path.write_text(json.dumps(account))
    return text
