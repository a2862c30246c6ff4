# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One line of the balancer's access log, as balancer_config_http.py lets nginx write it. Pure.

Whoever sends a request chooses its path, host and User-Agent, and nginx passes bytes that are no
UTF-8 on as they are. So any bytes are read: what is no line of that format gives None, never an
exception, and no field is longer than FIELD characters.

Entry is a named tuple rather than a dataclass: a report reads millions of them.
"""

from __future__ import annotations

import json
import re
from operator import itemgetter
from typing import Any, NamedTuple, NoReturn

LONGEST_LINE = 1 << 21
"""Bytes: a path and a User-Agent of 256 KiB each, the most that balancer_header_size allows, twice
as long with escapes."""
FIELD = 1024
"""Characters of a text that are kept."""

_LATEST = 1e11  # seconds since 1970: the year 5138
_LONGEST = 1e9  # seconds that a request may last
_HIGHEST = 1 << 63
_HIGHEST_STATUS = 999
_STATUS = re.compile(r"[0-9]{3}")
_MOST_ATTEMPTS = 32
_GROUPS = " : "  # between the attempts of two upstreams, see $upstream_addr
_ATTEMPTS = ", "  # between those of one
_TEXTS = (
    "request_id",
    "client",
    "method",
    "host",
    "uri",
    "protocol",
    "upstream_addr",
    "upstream_status",
    "upstream_connect_time",
    "upstream_header_time",
    "upstream_response_time",
    "version",
    "user_agent",
    "limit_req",
    "limit_conn",
)
_KEY_TEXTS = ("key", "tier", "key_client")
_texts = itemgetter(*_TEXTS)


class Attempt(NamedTuple):
    """One try of a request at one replica. Times are seconds from the begin of this attempt; None
    where nginx has none: no connection, no header, no answer.
    """

    address: str  # host:port; the upstream's name if no replica could be tried
    status: int | None
    connect: float | None
    first_byte: float | None
    seconds: float | None


class Entry(NamedTuple):
    """One request. Texts are those of the log's keys, empty where nginx has nothing to say."""

    time: float  # when it ended, seconds since 1970
    status: int  # 0: the connection ended before there was a status
    seconds: float  # from the first byte of the request to the last one of the answer
    bytes: int  # sent to the client
    generation: int  # of the configuration
    request_id: str
    client: str
    method: str
    host: str
    uri: str  # without the query string
    protocol: str
    upstream_addr: str
    upstream_status: str
    upstream_connect_time: str
    upstream_header_time: str
    upstream_response_time: str
    version: str
    user_agent: str
    limit_req: str  # PASSED, DELAYED, REJECTED, …_DRY_RUN
    limit_conn: str
    key: str = ""
    tier: str = ""
    key_client: str = ""

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The replicas that were tried, in this order; the last one answered. At most 32, of which
        the last ones count.
        """
        addresses = split(self.upstream_addr)[-_MOST_ATTEMPTS:]
        count = len(addresses)
        statuses = _padded(self.upstream_status, count)
        columns = (
            _padded(self.upstream_connect_time, count),
            _padded(self.upstream_header_time, count),
            _padded(self.upstream_response_time, count),
        )
        return tuple(
            Attempt(address, _status(statuses[at]), *(seconds_of(one[at]) for one in columns))
            for at, address in enumerate(addresses)
        )

    @property
    def replica(self) -> str:
        """Address and port of the replica that answered, the last one tried; empty if none was."""
        return last_of(self.upstream_addr)

    @property
    def retried(self) -> bool:
        """Whether more than one replica was tried."""
        return _ATTEMPTS in self.upstream_addr or _GROUPS in self.upstream_addr

    @property
    def first_byte(self) -> float | None:
        """Seconds until the header of the answer came from a replica, failed attempts included,
        counted from when the first attempt began; None if no header came.
        """
        if not self.retried:
            return seconds_of(self.upstream_header_time)
        *failed, last = self.attempts
        if last.first_byte is None:
            return None
        return last.first_byte + sum(one.seconds or 0.0 for one in failed)

    @property
    def refused(self) -> bool:
        """Whether a limit of the balancer refused it."""
        return self.limit_req == "REJECTED" or self.limit_conn == "REJECTED"


def parse_line(line: bytes) -> Entry | None:
    """Return the request that a line tells of, None if the line is damaged. Never raises.

    A text field that is missing is empty, so that lines of other versions can be read; one that is
    no text, or a time, a status or a duration that is none, damages the line.
    """
    if len(line) > LONGEST_LINE:
        return None
    try:
        data = _decode(line.decode("utf-8", "replace"))
        return _entry(data) if isinstance(data, dict) else None
    except (ValueError, TypeError, RecursionError):
        return None


def split(listed: str) -> list[str]:
    """The elements of one of nginx's lists about attempts; none for an empty text."""
    if not listed:
        return []
    return listed.replace(_GROUPS, _ATTEMPTS).split(_ATTEMPTS)


def last_of(listed: str) -> str:
    """The last element of one of nginx's lists about attempts; empty for an empty text."""
    if " " not in listed:
        return listed
    return split(listed)[-1]


def seconds_of(text: str) -> float | None:
    """A duration of nginx in seconds; None for "-" and whatever else is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= _LONGEST else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_decode = json.JSONDecoder(parse_constant=_refuse).decode


def _entry(data: dict[str, Any]) -> Entry | None:
    time = _number(data.get("msec"), _LATEST)
    seconds = _number(data.get("request_time"), _LONGEST)
    status = _whole(data.get("status"), _HIGHEST_STATUS)
    sent = _whole(data.get("bytes", 0), _HIGHEST)
    generation = _whole(data.get("generation", 0), _HIGHEST)
    if time is None or seconds is None or status is None or sent is None or generation is None:
        return None
    try:
        texts = _texts(data)
    except KeyError:
        texts = tuple(data.get(key, "") for key in _TEXTS)
    if "key" in data:
        texts += tuple(data.get(key, "") for key in _KEY_TEXTS)
    # join() raises TypeError unless all of them are texts.
    if len("".join(texts)) > FIELD:
        texts = tuple(text[:FIELD] for text in texts)
    return Entry(time, status, seconds, sent, generation, *texts)


def _number(value: Any, most: float) -> float | None:
    """A number from 0 to `most`; None for true, for what is not finite, and for no number."""
    if type(value) not in (float, int) or not 0 <= value <= most:
        return None
    return float(value)


def _whole(value: Any, most: int) -> int | None:
    """The same for whole numbers."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        return None
    return value


def _padded(listed: str, count: int) -> list[str]:
    """The last `count` elements; where the list is shorter, "-" for the first ones."""
    found = split(listed)[-count:]
    return ["-"] * (count - len(found)) + found


def _status(text: str) -> int | None:
    return int(text) if _STATUS.fullmatch(text) else None
