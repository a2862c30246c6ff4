# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which certificate a stack should have, whether another one is due, and putting it in force."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    certificate_store,
    certificates,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Balancer
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_spec import (
    CertificateSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_store import Stored
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificates import Certificate
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    read_configuration,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack

NONE, SELF_SIGNED, PROVIDED, ACME = "none", "self_signed", "provided", "acme"
PLACEHOLDER = "placeholder"
"""Where a self-signed one comes from that waits for the ACME server's."""

SELF_SIGNED_RENEW_DAYS = 30


@dataclass(frozen=True)
class Outcome:
    """The certificate that is in force now, or would be: ``due`` says why another one is, "" if
    none is.
    """

    changed: bool
    digest: str = ""
    found: Certificate | None = None
    days_left: int | None = None
    due: str = ""
    text: str = ""
    warnings: Sequence[str] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """What the module returns."""
        return {
            "changed": self.changed,
            "digest": self.digest,
            "certificate_names": list(self.found.names) if self.found else [],
            "not_after": f"{self.found.ends.isoformat()}Z" if self.found else "",
            "days_left": self.days_left,
            "due": bool(self.due),
            "reason": self.due,
            "text": self.text,
        }


class CertificateWork:
    """The certificate of one stack; with ``dry`` nothing is changed."""

    def __init__(
        self,
        paths: StackPaths,
        spec: CertificateSpec,
        dry: bool = False,
        clock: Callable[[], datetime.datetime] = certificates.now_utc,
    ) -> None:
        self._paths = paths
        self._spec = spec
        self._dry = dry
        self._now = clock()
        self._digest = read_configuration(paths).certificate or certificate_store.latest(paths)
        self._stored = certificate_store.read(paths, self._digest)

    def look(self) -> Outcome:
        """What is in force, and whether another one is due; changes nothing."""
        return self._outcome(False, self._digest, self._stored)

    def given(self, certificate: str, key: str) -> Outcome:
        """Have this one in force. Raises LoadBalancingError, with nothing changed, if it and its
        key cannot be used.
        """
        if self._dry and not certificates.HAS_CRYPTOGRAPHY:
            note = "the certificate is checked once the host has python3-cryptography"
            return Outcome(True, text="would be put in force", warnings=[note])
        stored = Stored(certificate, key, self._origin(self._spec.mode))
        _found, warnings = certificates.check_pair(certificate, key, self._spec.names, self._now)
        return replace(self._put(stored), warnings=warnings)

    def self_signed(self, renew: bool = False) -> Outcome:
        """Have a self-signed one in force, a new one where it is due."""
        if not renew and not self.look().due:
            return self.look()
        return self._make(SELF_SIGNED)

    def some(self) -> Outcome:
        """Have one in force, whichever: what is there, else a self-signed one."""
        if self._stored:
            return self.look()
        return self._make(PLACEHOLDER)

    def _make(self, mode: str) -> Outcome:
        if self._dry:
            return Outcome(True, due=self._due(None, None), text="a self-signed one would be made")
        pair = certificates.self_signed(self._spec.names, self._now)
        return self._put(Stored(*pair, self._origin(mode)))

    def _origin(self, mode: str) -> dict[str, Any]:
        return {"mode": mode, "directory": self._spec.directory if mode == ACME else ""}

    def _put(self, stored: Stored) -> Outcome:
        """Store it and make nginx serve it; what is not accepted leaves no trace."""
        paths, digest = self._paths, stored.digest
        if self._dry:
            return self._outcome(digest != self._digest, digest, stored)
        was_there = certificate_store.read(paths, digest)
        certificate_store.store(paths, stored)
        changed = digest != self._digest
        stack = self._stack()
        if stack:
            balancer = Balancer.of(stack, DockerHost.connect(paths))
            try:
                changed = balancer.publish(certificate=digest).changed or changed
            except LoadBalancingError:
                if not was_there:
                    certificate_store.discard(paths, digest)
                raise
        certificate_store.point(paths, digest)
        certificate_store.prune(paths, digest)
        return self._outcome(changed, digest, stored)

    def _stack(self) -> Stack | None:
        """The stack, if there is one to publish for; the first configuration takes the latest."""
        if not read_configuration(self._paths).static:
            return None
        try:
            return Stack.read(self._paths)
        except LoadBalancingError:  # of a version before there were certificates
            return None

    def _outcome(self, changed: bool, digest: str, stored: Stored | None) -> Outcome:
        if not stored or not certificates.HAS_CRYPTOGRAPHY:
            return Outcome(changed, digest, due=self._due(stored, None), text="there is none")
        found = certificates.describe(stored.certificate)
        days = found.days_left(self._now)
        text = f"for {', '.join(found.names)}, {days} days left, from {_origin_text(stored)}"
        return Outcome(changed, digest, found, days, self._due(stored, found), text)

    def _due(self, stored: Stored | None, found: Certificate | None) -> str:
        """Why another one is due; the operator's own never is, here."""
        spec = self._spec
        if spec.mode not in (ACME, SELF_SIGNED):
            return ""
        if not stored or not found:
            return "there is none"
        if stored.origin.get("mode") != spec.mode:
            return f"the present one is from {_origin_text(stored)}"
        if spec.mode == ACME and stored.origin.get("directory") != spec.directory:
            return f"the present one is from {stored.origin.get('directory')}"
        wanted = spec.names or ("localhost",)
        if set(found.names) != {name.lower() for name in wanted}:
            return f"the present one is for {', '.join(found.names)}"
        days = found.days_left(self._now)
        limit = min(self._limit(), (found.ends - found.begins).days // 3 or 1)
        return f"the present one has {days} days left" if days < limit else ""

    def _limit(self) -> int:
        return self._spec.renew_days if self._spec.mode == ACME else SELF_SIGNED_RENEW_DAYS


def _origin_text(stored: Stored) -> str:
    names = {
        ACME: str(stored.origin.get("directory") or "an ACME server"),
        PROVIDED: "tls_certificate",
        SELF_SIGNED: "this host itself",
        PLACEHOLDER: "this host itself, until the first order",
    }
    return names.get(str(stored.origin.get("mode")), "an unknown source")
