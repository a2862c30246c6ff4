# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper counts of one request: from a line of the access log to the few facts that load,
charts and metrics are made of. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Optional

from ansible_collections.digiz.load_balancing.plugins.module_utils.access_log import (
    Entry,
    seconds_of,
)

CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx", "429", "499")
"""Classes of status. 429, refused by a limit, and 499, the client went away, are classes of their
own: they say nothing of how well the application works.
"""

ERROR = CLASSES.index("5xx")
LIMITED, GONE = CLASSES.index("429"), CLASSES.index("499")

STREAM_AFTER = 1.0
"""Seconds for which a replica goes on to send after the header of its answer: then it is a stream.
The access log does not tell what a client asked for.
"""

_UPGRADED = 101


class Request(NamedTuple):
    """One request that has ended. ``status`` is an index of CLASSES; ``replica`` the name of the
    one that answered, empty if none did or nobody knows it; times are seconds, ``first_byte`` None
    if no header came from a replica.
    """

    status: int
    replica: str
    seconds: float
    first_byte: Optional[float]  # noqa: UP045 - evaluated by NamedTuple on Python 3.9
    stream: bool
    retried: bool

    @property
    def timed(self) -> bool:
        """Whether its duration tells how fast the application answers."""
        return self.status < LIMITED


def request_of(entry: Entry, names: Mapping[str, str]) -> Request | None:
    """What is counted of a line; None for a connection that ended before there was a status.

    :param names: of the replicas by their addresses, without ports.
    """
    status = entry.status
    if status < 100:  # noqa: PLR2004 - the smallest status of HTTP
        return None
    if status == 429:  # noqa: PLR2004
        kind = LIMITED
    elif status == 499:  # noqa: PLR2004 - nginx's own, the client went away
        kind = GONE
    else:
        kind = min(status // 100, 5) - 1
    address = entry.replica
    return Request(
        kind,
        names.get(address.rpartition(":")[0], "") if address else "",
        entry.seconds,
        entry.first_byte if address else None,
        is_stream(entry),
        entry.retried,
    )


def is_stream(entry: Entry) -> bool:
    """Whether an answer was a stream: a WebSocket, or one that its replica sent for a while."""
    if entry.status == _UPGRADED:
        return True
    if entry.seconds < STREAM_AFTER or not entry.upstream_addr:
        return False
    if entry.retried:
        last = entry.attempts[-1]
        whole, header = last.seconds, last.first_byte
    else:
        whole = seconds_of(entry.upstream_response_time)
        header = seconds_of(entry.upstream_header_time)
    return whole is not None and header is not None and whole - header >= STREAM_AFTER
