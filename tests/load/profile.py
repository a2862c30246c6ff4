# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the traffic is made of, as plain data, and the guard that keeps it on this machine."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from tests.load.faults import TrafficError

_ALLOWED: Final = tuple(
    ipaddress.ip_network(net)
    for net in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_CONTRACTS: Final = ("chatbot", "plain")


@dataclass(frozen=True, slots=True)
class Target:
    """Where the traffic goes: an address, never a name that someone else resolves."""

    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Target:
        """Read `http://ADDRESS[:PORT]`; loopback and private addresses only."""
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.path not in ("", "/") or parts.query or parts.username:
            raise TrafficError(f"url: {url} is not allowed: http://ADDRESS:PORT. Give such a url.")
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
        try:
            return cls(allowed_address("url", host), parts.port or 80)
        except ValueError as fault:
            raise TrafficError(str(fault)) from None

    @property
    def authority(self) -> str:
        """Host header's value."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def allowed_address(name: str, text: str) -> str:
    """Give the address back if it is of loopback or a private network. Raises TrafficError."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or not any(address in net for net in _ALLOWED):
        raise TrafficError(
            f"{name}: {text or 'nothing'} is not allowed: an address of loopback or of a private "
            "network (127.0.0.0/8, ::1, 10/8, 172.16/12, 192.168/16). "
            "Load tests go to this machine and its containers only."
        )
    return text


@dataclass(frozen=True, slots=True)
class Profile:
    """A mix of clients, all at once. Times are seconds unless the name says otherwise.

    contract `chatbot`: POSTs with unique ids, every reply checked. `plain`: GETs of `get_path`
    that must answer 200, for any other application.

    closed       clients that send the next POST when the last is answered and `think_time`
                 (mean, ±50 %) is over
    open_rate    requests per second on new connections, by the clock, answered or not;
                 the share `open_post_share` of them is POST, the others GET
    idle         clients that rest `idle_min`…`idle_max` between POSTs on one connection
    sse          streams of `stream_tokens` tokens, one each `stream_delay_ms`
    websockets   a message each `ws_interval`, closed by the client after `ws_life`
    duration     ends by itself then; 0: when it is told to. `max_duration` and `max_requests`
                 end it in any case.
    failure_pause  a client waits so long after a failure (a refused connection fails in
                 microseconds: without a pause its failures would drown all figures)
    source_addresses  local addresses that the clients take in turn
    idempotency_key   POSTs carry `Idempotency-Key`, which allows the balancer to send them again
    """

    url: str
    closed: int = 40
    open_rate: float = 50.0
    idle: int = 20
    sse: int = 6
    websockets: int = 4
    duration: float = 0.0
    max_duration: float = 1800.0
    max_requests: int = 2_000_000
    think_time: float = 0.0
    open_post_share: float = 0.5
    contract: str = "chatbot"
    chat_path: str = "/api/chat"
    get_path: str = "/health"
    stream_path: str = "/api/chat/stream"
    ws_path: str = "/ws"
    idle_min: float = 1.0
    idle_max: float = 20.0
    stream_tokens: int = 75
    stream_delay_ms: int = 200
    ws_interval: float = 0.5
    ws_life: float = 12.0
    connect_timeout: float = 5.0
    request_timeout: float = 30.0
    failure_pause: float = 0.05
    idempotency_key: bool = False
    source_addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check everything before anything is sent. Raises TrafficError."""
        Target.parse(self.url)
        for address in self.source_addresses:
            allowed_address("source_addresses", address)
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise TrafficError(
                    f"{name}: {value} is not allowed: from {low:g} to {high:g}. Set {name}."
                )
        if self.contract not in _CONTRACTS:
            raise TrafficError(
                f"contract: {self.contract} is not allowed: {' or '.join(_CONTRACTS)}. "
                "Set contract."
            )
        if self.idle_min > self.idle_max:
            raise TrafficError(
                f"idle_min: {self.idle_min:g} is not allowed: at most idle_max "
                f"({self.idle_max:g}). Set idle_min or idle_max."
            )
        for name in ("chat_path", "get_path", "stream_path", "ws_path"):
            path = getattr(self, name)
            if (
                not path.startswith("/")
                or not path.isascii()
                or not path.isprintable()
                or " " in path
            ):
                raise TrafficError(f"{name}: {path!r} is not allowed: a path. Set {name}.")

    @property
    def stream_seconds(self) -> float:
        """How long one stream lasts when nothing holds it up."""
        return self.stream_tokens * self.stream_delay_ms / 1000

    @property
    def ending_seconds(self) -> float:
        """How long it takes at most from the sign to stop until nothing is open any more."""
        longest = self.stream_seconds if self.sse else 0.0
        return longest + self.connect_timeout + self.request_timeout + 5.0

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """From what `to_json` gave."""
        data: dict[str, Any] = json.loads(text)
        data["source_addresses"] = tuple(data.get("source_addresses", ()))
        return cls(**data)


_RANGES: Final[dict[str, tuple[float, float]]] = {
    "closed": (0, 1000),
    "open_rate": (0, 5000),
    "idle": (0, 1000),
    "sse": (0, 500),
    "websockets": (0, 500),
    "duration": (0, 7200),
    "max_duration": (0.1, 7200),
    "max_requests": (1, 20_000_000),
    "think_time": (0, 60),
    "open_post_share": (0, 1),
    "idle_min": (0, 600),
    "idle_max": (0, 600),
    "stream_tokens": (1, 100_000),
    "stream_delay_ms": (0, 60_000),
    "ws_interval": (0.001, 600),
    "ws_life": (0.1, 3600),
    "connect_timeout": (0.01, 60),
    "request_timeout": (0.01, 600),
    "failure_pause": (0, 60),
}
