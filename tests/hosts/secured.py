# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks on by HTTPS while something is done to the server: for playbooks.

A process of its own: it ends when the file FILE.stop appears or at its limit. What the clients have
seen is in FILE then.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

from tests.load.https import Clients

WARM = 100  # requests before the file FILE.begun appears
POLL = 0.1


def look_on(address: str, name: str, file: Path, limit: float) -> None:
    """Send requests until the file FILE.stop is there."""
    begun, stop = file.with_suffix(".begun"), file.with_suffix(".stop")
    for path in (file, begun, stop):
        path.unlink(missing_ok=True)
    end = time.monotonic() + limit
    with Clients(address, [name]).running() as clients:
        while time.monotonic() < end and not stop.exists():
            if clients.seen.answered >= WARM:
                begun.touch()
            time.sleep(POLL)
    file.write_text(json.dumps(asdict(clients.seen)), encoding="utf-8")
