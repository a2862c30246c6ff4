# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can become of a request, each in one word, and the exception that carries it."""

from __future__ import annotations

from enum import Enum


class Failure(str, Enum):
    """Why a request, a stream or a WebSocket failed. Each failed one has exactly one of these."""

    REFUSED = "refused"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_ERROR = "connect_error"
    RESET_BEFORE_ANSWER = "reset_before_answer"
    RESET_MID_ANSWER = "reset_mid_answer"
    TRUNCATED = "truncated"
    TIMEOUT = "timeout"
    BAD_STATUS = "bad_status"
    LIMITED = "limited"
    WRONG_ANSWER = "wrong_answer"
    CUT = "cut"
    CLOSED_BY_SERVER = "closed_by_server"

    def __str__(self) -> str:
        return self.value


#: What is meant by "a stream was cut": it had begun and did not come to its proper end.
CUTS = frozenset(
    {
        Failure.RESET_MID_ANSWER,
        Failure.TRUNCATED,
        Failure.CUT,
        Failure.CLOSED_BY_SERVER,
    }
)


class TrafficError(ValueError):
    """A wrong input to the traffic client, or a client process that gave no result."""


class RequestFailedError(Exception):
    """One request has failed.

    `failure` is its kind, `reason` says what was seen, `status` is the HTTP status or the close
    code of a WebSocket where there was one. `request_id` is the balancer's X-Request-ID where there
    was a header: by it the request is found in the access log.
    """

    def __init__(
        self, failure: Failure, reason: str, status: int | None = None, request_id: str = ""
    ) -> None:
        super().__init__(reason)
        self.failure = failure
        self.reason = reason
        self.status = status
        self.request_id = request_id
