# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all faults of a drill have in common, and what the keeper says."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_scene import (
    Fault,
    keeper_status,
)
from tests.unit.fakes.drill import FIRST, World


def test_a_fault_of_no_kind(tmp_path: Path) -> None:
    fault = Fault(World(tmp_path).scene, "nobody")
    with pytest.raises(NotImplementedError):
        fault.inject()
    fault.restore()
    fault.watch({})
    assert fault.has_left({FIRST: "10.0.0.1"})
    assert fault.is_mended({})


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, '{"state": "ok"}', {"state": "ok"}),
        (200, "[]", {}),
        (200, "{", {}),
        (503, '{"error": "no round has ended yet"}', {}),
    ],
)
def test_what_the_keeper_says(status: int, body: str, expected: dict[str, Any]) -> None:
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Host"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *words: Any) -> None:
            """Nothing is printed."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        port = server.server_address[1]
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        assert keeper_status(port) == expected
        thread.join()
    assert asked == [("/status.json", f"127.0.0.1:{port}")]
    assert keeper_status(port) == {}
