# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another application, by variables only, beside the demo on one host."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from tests.e2e.stack import Stack, assert_nothing_failed, deployed, docker

IMAGE = "lbtest/plain"
DOCKERFILE = """
FROM digiz/debian:trixie
RUN apt-get update && apt-get install -y --no-install-recommends python3-minimal python3 \\
 && rm -rf /var/lib/apt/lists/*
ARG VERSION
RUN mkdir /srv/www && echo "$VERSION" > /srv/www/version && echo plain > /srv/www/index.html
WORKDIR /srv/www
COPY server.py /srv/server.py
ENTRYPOINT ["python3", "/srv/server.py"]
"""
# As `python3 -m http.server 9000`, with room for more than five connections that wait.
SERVER = """
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("", 9000), SimpleHTTPRequestHandler).serve_forever()
"""

pytestmark = pytest.mark.rollout


@pytest.fixture(name="images", scope="module")
def images_fixture(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two versions of a file server that has nothing to do with the demo."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    (folder / "server.py").write_text(SERVER, encoding="utf-8")
    for version in ("1", "2"):
        docker(
            "build", "--build-arg", f"VERSION={version}", "-t", f"{IMAGE}:{version}", str(folder)
        )


@pytest.fixture(name="plain", scope="module")
def plain_fixture(
    images: None, three: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The file server as second stack."""
    folder = tmp_path_factory.mktemp("plain-stack")
    with deployed(
        "lbtest-plain",
        18106,
        folder,
        app_image=IMAGE,
        app_port=9000,
        app_health_path="/index.html",
        app_stop_grace=2,
        app_memory="128m",
        app_memory_reservation="32m",
        replicas=2,
    ) as stack:
        yield stack


def version_of(stack: Stack) -> str:
    """What the file server itself says."""
    with urlopen(f"{stack.url}/version", timeout=10) as answer:
        return str(answer.read().decode().strip())


def test_another_application_is_rolled_and_scaled_and_the_demo_does_not_notice(
    three: Stack, plain: Stack
) -> None:
    """Neither loses a request; the demo's containers and published members stay as they were."""
    assert version_of(plain) == "1"
    assert plain.containers("database") == []
    before = three.state()
    quiet = {"idle": 0, "sse": 0, "websockets": 0}
    with (
        three.traffic(closed=5, think_time=0.05) as demo_traffic,
        plain.traffic(
            closed=5, think_time=0.05, contract="plain", get_path="/version", **quiet
        ) as plain_traffic,
    ):
        plain.must("deploy", app_version=2)
        plain.must("scale", replicas=4)
        plain.must("scale", replicas=1)
        demo_result, plain_result = demo_traffic.stop(), plain_traffic.stop()
    assert_nothing_failed(demo_result)
    assert_nothing_failed(plain_result)
    assert three.state() == before
    assert version_of(plain) == "2"
    assert plain.versions() == ["2"]


def test_the_other_way_round(three: Stack, plain: Stack) -> None:
    """A roll of the demo leaves the other application alone."""
    before = plain.state()
    quiet = {"idle": 0, "sse": 0, "websockets": 0}
    with plain.traffic(
        closed=5, think_time=0.05, contract="plain", get_path="/version", **quiet
    ) as traffic:
        version = three.other_version()
        three.must("deploy", app_version=version)
        result = traffic.stop()
    assert_nothing_failed(result)
    assert plain.state() == before
    assert three.versions() == [version] * 3
