# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input: one clear error each, before anything is changed."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import Stack

PORT = 18104

# The variables, and what must be on screen: the value, what is allowed, the variable to change.
BAD: list[tuple[dict[str, Any], str]] = [
    ({"replicas": 0}, "replicas: 0 is not allowed"),
    ({"replicas": -1}, "replicas: -1 is not allowed"),
    ({"replicas": 2.5}, "replicas: 2.5 is not allowed"),
    ({"replicas": "three"}, "replicas: 'three' is not allowed"),
    ({"replicas": 10000}, "replicas: 10000 is not allowed"),
    ({"app_verison": "2"}, "did you mean app_version?"),
    ({"rate_limits": [{"path": "/", "rate": "10r/x", "burst": 5}]}, "10r/x"),
    ({"stack_name": "a;b"}, "stack_name: 'a;b' is not allowed"),
    ({"stack_name": "a{b"}, "stack_name: 'a{b' is not allowed"),
    ({"stack_name": "a$b"}, "stack_name: 'a$b' is not allowed"),
    ({"balancer_server_names": ["a;}\nb"]}, "balancer_server_names"),
    ({"app_health_path": "/h$uri"}, "app_health_path"),
    ({"replicas": 60, "app_memory_reservation": "1g"}, "Set the variable"),
    ({"app_cpus": 512}, "app_cpus"),
    ({"replicas": [3]}, "replicas: [3] is not allowed"),
    ({"app_env": "no mapping"}, "app_env"),
]

pytestmark = pytest.mark.failures


@pytest.mark.parametrize(("variables", "text"), BAD, ids=[str(bad[0]) for bad in BAD])
def test_bad_input_is_told_before_anything_changes(
    tmp_path: Path, variables: dict[str, Any], text: str
) -> None:
    """The whole playbook is run; there is no trace of the stack afterwards."""
    stack = Stack("lbtest-bad", PORT, tmp_path)
    done = stack.play("deploy", **variables)
    assert done.status != 0
    assert text in done.output, done.output
    assert not Path("/opt/lbtest-bad").exists()
    assert stack.containers() == []


def test_a_port_in_use_is_told_with_its_holder(tmp_path: Path) -> None:
    """Whoever holds it is named."""
    stack = Stack("lbtest-bad", PORT, tmp_path)
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", PORT))
        holder.listen()
        done = stack.play("deploy")
    assert done.status != 0
    assert f"balancer_http_port: {PORT} is in use by" in done.output, done.output
    assert not Path("/opt/lbtest-bad").exists()


def test_a_number_from_a_survey_may_be_a_text(tmp_path: Path) -> None:
    """AWX hands survey answers over as texts."""
    stack = Stack("lbtest-bad", PORT, tmp_path)
    done = stack.play("deploy", "--check", replicas="3")
    assert done.status == 0, done.output
    assert not Path("/opt/lbtest-bad").exists()
