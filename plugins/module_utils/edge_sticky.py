# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sticky sessions: a client that came once is sent to the same replica again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import Directive, simple
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import not_allowed

MODES = ("none", "cookie")
COOKIE = "replica"

_COOKIE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Sticky:
    """Whether, and by which cookie: empty for none. `secure`: only TLS may carry it."""

    cookie: str = ""
    secure: bool = False

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> Sticky:
        """From the mapping of BalancerSpec: `sticky` (none, cookie), `sticky_cookie`, `tls_mode`.

        Raises LoadBalancingError that names the variable.
        """
        mode = given.get("sticky", "none")
        if mode not in MODES:
            raise not_allowed("balancer_sticky", mode, f"one of {', '.join(MODES)}")
        cookie = given.get("sticky_cookie", COOKIE)
        if not isinstance(cookie, str) or not _COOKIE.fullmatch(cookie):
            allowed = "1 to 64 letters, digits, _ and -"
            raise not_allowed("balancer_sticky_cookie", cookie, allowed)
        if mode == "none":
            return cls()
        return cls(cookie, secure=given.get("tls_mode", "none") != "none")

    def upstream(self) -> tuple[Directive, ...]:
        """Directives of the `upstream` block, after the method and the servers.

        The cookie ends with the browser and holds the number of a slot.
        """
        if not self.cookie:
            return ()
        flags = ("path=/", "httponly", "samesite=lax", *(("secure",) if self.secure else ()))
        return (simple("sticky", "cookie", self.cookie, *flags),)
