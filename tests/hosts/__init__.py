# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fresh hosts for tests: Debian or Ubuntu with systemd as process 1, in containers.

Docker runs inside them as on a real server. Needs root, Docker and mmdebstrap on the machine that
tests run on. A host is named ``lbtest-host-…`` and carries the label
:data:`tests.hosts.host.LABEL`, so that one that was left behind can be found and removed.
"""

from __future__ import annotations

from tests.hosts.host import LABEL, Host, inventory, leftovers, running
from tests.hosts.image import RELEASES, ensure_image

__all__ = ["LABEL", "RELEASES", "Host", "ensure_image", "inventory", "leftovers", "running"]
