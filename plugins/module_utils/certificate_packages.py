# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings Python's cryptography, which only stacks with TLS need."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ansible_collections.digiz.load_balancing.plugins.module_utils import apt, programs
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

PACKAGE = "python3-cryptography"
_FIND = "import importlib.util; print(importlib.util.find_spec('cryptography') is not None)"
_FIND_TIMEOUT = 30
_INSTALL_TIMEOUT = 600


def missing() -> list[str]:
    """The package, where the Python that runs the modules does not find cryptography; asked of a
    new process, which sees what was installed meanwhile.
    """
    command = [sys.executable, "-c", _FIND]
    said = programs.run(command, "looking for Python's cryptography", _FIND_TIMEOUT)
    return [] if said.strip() == "True" else [PACKAGE]


def install(packages: Sequence[str]) -> None:
    """Install these. Raises LoadBalancingError, with apt's last lines, if it cannot be had."""
    complaint = apt.update(_INSTALL_TIMEOUT)
    try:
        apt.install(packages, _INSTALL_TIMEOUT, complaint)
        if missing():
            raise LoadBalancingError(f"It is installed, and yet {sys.executable} finds none.")
    except LoadBalancingError as error:
        raise LoadBalancingError(
            f"TLS needs {PACKAGE}, which cannot be had here. Install cryptography for "
            f"{sys.executable}, or set the variable tls_mode to none.\n{error}"
        ) from error
