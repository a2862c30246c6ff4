# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes what is sent to a unix datagram socket, as /dev/log is one, into a file.

``python syslog_sink.py SOCKET FILE``: what rsyslog does for HAProxy on Debian, and nothing more.
"""

from __future__ import annotations

import os
import socket
import sys

LONGEST = 65_536
BUFFER = 8 << 20


def main() -> None:
    """Write until the process is ended."""
    path, log = sys.argv[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox, open(log, "ab", 0) as file:
        inbox.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        inbox.bind(path)
        os.chmod(path, 0o666)
        while True:
            file.write(inbox.recv(LONGEST) + b"\n")


if __name__ == "__main__":
    main()
