# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role docker_engine on a host without systemd; molecule/docker_engine has those with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts import running
from tests.hosts.playbook import run_roles

pytestmark = pytest.mark.hosts


def test_a_host_without_systemd_gets_a_running_engine(tmp_path: Path) -> None:
    with running("trixie", systemd=False) as host:
        # Pid files of an earlier run, naming a process that is something else now.
        for path in ("/run/docker.pid", "/run/docker/containerd/containerd.pid"):
            host.write(path, "1")
        first = run_roles(host, ["docker_engine"], tmp_path)
        assert first.status == 0, first.output
        assert host.run("docker", "info", "--format", "{{.LiveRestoreEnabled}}") == "true"
        second = run_roles(host, ["docker_engine"], tmp_path)
        assert (second.status, second.changed) == (0, 0), second.output
