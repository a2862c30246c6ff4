# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stack's certificate is made or ordered by, as the release in force remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CertificateSpec:
    """``names`` are what the certificate is for; ``ca_file`` is on the host, empty for the system's
    own authorities; ``renew_days`` before its end it is renewed.
    """

    mode: str = "none"
    names: tuple[str, ...] = ()
    directory: str = ""
    email: str = ""
    ca_file: str = ""
    renew_days: int = 30

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> CertificateSpec:
        """What :meth:`as_dict` gave; what is missing has its default."""
        known = {key: data[key] for key in cls.__dataclass_fields__ if key in data}
        return cls(**{**known, "names": tuple(known.get("names", ()))})

    def as_dict(self) -> dict[str, Any]:
        """A mapping that JSON can hold."""
        return {**vars(self), "names": list(self.names)}
