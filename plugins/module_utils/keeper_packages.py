# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings the Python packages that only the keeper needs, and no module of this collection."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.digiz.load_balancing.plugins.module_utils import apt, programs
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_units import PYTHON

PACKAGES = {
    "prometheus_client": "python3-prometheus-client",
    "waitress": "python3-waitress",
}
"""Name of the import -> package of Debian and Ubuntu."""

_FIND = (
    "import importlib.util, sys\n"
    "print(*(name for name in sys.argv[1:] if importlib.util.find_spec(name) is None))"
)
_FIND_TIMEOUT = 30
_INSTALL_TIMEOUT = 600


def missing() -> list[str]:
    """Packages whose content the Python that runs the keeper does not find.

    :raises LoadBalancingError: if there is no such Python.
    """
    command = [PYTHON, "-c", _FIND, *PACKAGES]
    names = programs.run(command, "looking for the keeper's Python packages", _FIND_TIMEOUT)
    return [PACKAGES[name] for name in names.split()]


def install(packages: Sequence[str]) -> None:
    """Install these.

    :raises LoadBalancingError: if they cannot be had, with apt's last lines.
    """
    complaint = apt.update(_INSTALL_TIMEOUT)
    try:
        apt.install(packages, _INSTALL_TIMEOUT, complaint)
    except LoadBalancingError as error:
        raise _not_to_be_had(packages, str(error)) from error
    still = missing()
    if still:
        raise _not_to_be_had(still, f"They are installed, and yet {PYTHON} does not find them.")


def _not_to_be_had(packages: Sequence[str], reason: str) -> LoadBalancingError:
    return LoadBalancingError(
        f"The keeper needs {' and '.join(packages)}, which cannot be had here. Install what is "
        f"missing for {PYTHON}, or set keeper_enabled=false to deploy without the keeper.\n{reason}"
    )
