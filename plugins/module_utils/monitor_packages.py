# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings Prometheus and Alertmanager of Debian and Ubuntu, without their own instances.

The packages start an instance each that listens on every address. A stack has its own, so these
are kept from starting; where a package is there already, its instance is the owner's and stays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    apt,
    engine_state,
    programs,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import write_text

PACKAGES = {
    "prometheus": ("/usr/bin/prometheus", "/usr/bin/promtool"),
    "prometheus-alertmanager": ("/usr/bin/prometheus-alertmanager", "/usr/bin/amtool"),
}
"""Package, which is also the name of its service -> the programs that are needed of it."""

POLICY = "/usr/sbin/policy-rc.d"
"""Asked by Debian's packages before they start a service (invoke-rc.d(8)); 101 forbids it."""

_INSTALL_TIMEOUT = 600
_TIMEOUT = 60


def missing() -> list[str]:
    """Packages whose programs are not on the host."""
    return [
        package
        for package, files in PACKAGES.items()
        if not all(os.access(file, os.X_OK) for file in files)
    ]


def install(packages: Sequence[str]) -> None:
    """Install these.

    :raises LoadBalancingError: if they cannot be had, with apt's last lines.
    """
    complaint = apt.update(_INSTALL_TIMEOUT)
    try:
        with _nothing_starts():
            apt.install(packages, _INSTALL_TIMEOUT, complaint)
        _keep_from_starting(packages)
    except LoadBalancingError as error:
        raise _not_to_be_had(packages, str(error)) from error
    still = missing()
    if still:
        raise _not_to_be_had(still, "They are installed, and yet their programs are not there.")


@contextmanager
def _nothing_starts() -> Iterator[None]:
    """Forbid the start of services meanwhile. A policy of the owner's stays as it is."""
    if os.path.lexists(POLICY):
        yield
        return
    # Should this process be killed, the policy forbids nothing any more.
    lines = ["#!/bin/sh", f"[ -d /proc/{os.getpid()} ] && exit 101", "exit 0", ""]
    write_text(POLICY, "\n".join(lines), 0o755)
    try:
        yield
    finally:
        os.unlink(POLICY)


def _keep_from_starting(packages: Sequence[str]) -> None:
    """Neither now, where a policy allowed it, nor with the host."""
    for service in packages:
        if engine_state.init_system() == "systemd":
            command = ["systemctl", "disable", "--now", f"{service}.service"]
        else:
            command = ["update-rc.d", service, "disable"]
        programs.run(command, " ".join(command), _TIMEOUT)


def _not_to_be_had(packages: Sequence[str], reason: str) -> LoadBalancingError:
    return LoadBalancingError(
        f"Monitoring needs {' and '.join(packages)}, which cannot be had here. Install what is "
        f"missing, or set monitoring=false to deploy without it.\n{reason}"
    )
