# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells whoever started this service that it is ready, alive, or about to end.

The protocol is that of systemd (sd_notify(3)): lines ``NAME=value`` in one datagram to the socket
that ``NOTIFY_SOCKET`` names. Without that variable nobody wants to know, and nothing is sent.
"""

from __future__ import annotations

import os
import socket
import threading

START_SECONDS = 60
"""Without a sign of life for so long a service that has not started yet is given up."""

_MICROSECONDS = 1_000_000
_STARTING = f"EXTEND_TIMEOUT_USEC={START_SECONDS * _MICROSECONDS}"
_started = threading.Event()


def ready(text: str = "") -> None:
    """The service has started. ``text`` is shown as its status."""
    _started.set()
    _send("READY=1", text)


def alive(text: str = "") -> None:
    """A sign of life, due within :func:`watchdog_seconds`; before :func:`ready` it says that the
    start takes longer.
    """
    _send("WATCHDOG=1" if _started.is_set() else f"WATCHDOG=1\n{_STARTING}", text)


def stopping(text: str = "") -> None:
    """The service ends by itself."""
    _send("STOPPING=1", text)


def watchdog_seconds() -> float:
    """Seconds without a sign of life after which the service is killed; 0 if nobody watches."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    try:
        return max(0, int(os.environ.get("WATCHDOG_USEC", "0"))) / _MICROSECONDS
    except ValueError:
        return 0.0


def _send(state: str, text: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # the kernel's way to say "no file": a zero byte first
        address = "\0" + address[1:]
    status = " ".join(text.split())
    message = f"{state}\nSTATUS={status}" if status else state
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        # Whoever listens may be stopped: the service must not wait for it.
        sender.setblocking(False)
        try:
            sender.sendto(message.encode("utf-8", "replace"), address)
        except OSError:
            return  # it may be gone, or slow; the next sign comes soon
