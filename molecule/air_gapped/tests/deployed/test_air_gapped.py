# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stack on a host that reaches nothing but its clients."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.hosts.deployed import Deployed, results
from tests.hosts.runs import read
from tests.load.process import TrafficProcess
from tests.load.profile import Profile

SECONDS = 5.0


def test_the_host_is_cut_off(stack: Deployed) -> None:
    assert "default" not in stack.there.check_output("ip route show")
    assert stack.there.run("docker pull registry.invalid/team/shop:1").rc != 0


def test_the_images_are_those_of_the_archive(stack: Deployed) -> None:
    archive = results().parent / "images.tar"
    packed = ["tar", "--extract", "--to-stdout", "--file", str(archive), "manifest.json"]
    said = subprocess.run(packed, capture_output=True, check=True, text=True).stdout
    manifest: list[dict[str, Any]] = json.loads(said)
    wanted = {tag for image in manifest for tag in image["RepoTags"]}
    form = "{{.Repository}}:{{.Tag}}"
    found = stack.there.check_output("docker image ls --format %s", form).split()
    assert sorted(found) == sorted(wanted)
    assert len(found) == 4


def test_nothing_of_the_archive_is_left(stack: Deployed) -> None:
    assert stack.there.check_output("find /var/tmp -name 'load-balancing*'") == ""


def test_the_images_were_loaded_once(stack: Deployed) -> None:
    """By the deploy, and not by the one after it, which has changed nothing."""
    first, second = read(results().parent / "air_gapped.log", "Deploy or update a stack")[-2:]
    assert "images : Load the images of the archive" in first.changed(stack.name)
    assert second.changed(stack.name) == []


def test_three_replicas_serve_clients_elsewhere(stack: Deployed) -> None:
    assert stack.versions() == ["1"] * 3
    assert stack.keeper()["state"] == "ok"
    url = f"http://{stack.address}"
    profile = Profile(url, closed=10, think_time=0.05, sse=2, stream_tokens=10, duration=SECONDS)
    with TrafficProcess(profile) as traffic:
        result = traffic.join()
    assert result.failed == 0, result.table()
    assert len(result.instances) == 3
