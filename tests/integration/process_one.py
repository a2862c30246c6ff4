# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Process 1 of a container, as the kernel sees it from outside.

The kernel drops what process 1 is sent and does not handle. `docker start` returns a moment before
the program is there that handles SIGTERM, on a busy machine a long one: who stops the container
then stops nothing.
"""

from __future__ import annotations

import signal
from pathlib import Path

PROC = Path("/proc")


def hears(pid: int, number: signal.Signals) -> bool:
    """Whether it is the container's own program, and handles the signal. docker-init does from
    before it starts another process; what it waits for is in none of the kernel's masks.
    """
    process = PROC / str(pid)
    try:
        program = (process / "exe").readlink().name
        status = (process / "status").read_text(encoding="ascii")
        children = (process / "task" / str(pid) / "children").read_text(encoding="ascii")
    except FileNotFoundError:
        return False  # not there yet
    if "runc" in program:
        return False  # the runtime, which becomes the program
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(children or caught >> (number - 1) & 1)
