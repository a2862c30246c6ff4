# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An engine's socket that answers what it is told to."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from pathlib import Path
from typing import Any

import pytest


class _Server(socketserver.ThreadingUnixStreamServer):
    """One thread for each request; a client that hangs up early is nobody's fault."""

    daemon_threads = True

    def handle_error(self, *_unused: object) -> None:
        """Say nothing."""


class EngineSocket:
    """Answers requests for the paths in ``answers`` with a status and a body; others get a 404.

    A body that is text is sent as it is. DOCKER_HOST names the socket until ``patch`` ends.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.path = str(folder / "docker.sock")
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[str] = []
        self._server: _Server | None = None
        patch.setenv("DOCKER_HOST", f"unix://{self.path}")

    def listen(self, **info: Any) -> None:
        """Answer from now on, as an engine with this ``/info``."""
        self.answers.update({"/_ping": (200, "OK"), "/info": (200, info)})
        self._server = _Server(self.path, self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        there = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers one request."""

            def do_GET(self) -> None:
                """Send what the path is answered with."""
                there.asked.append(self.path)
                missing = (404, {"message": "page not found"})
                status, body = there.answers.get(self.path, missing)
                raw = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_unused: object) -> None:
                """Say nothing."""

        return Handler
