# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stack is, as its release remembers it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_spec import (
    CertificateSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    replace_link,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack

STACK = Stack(
    name="shop",
    port=8000,
    health_path="/health",
    health_interval=1.0,
    health_timeout=0.5,
    health_rise=2,
    health_fall=3,
    health_statuses=((200, 299), (304, 304)),
    start_timeout=60.0,
    drain_timeout=600.0,
    stop_grace=30,
    balancer_image="nginx",
    balancer_ports=(80, 443),
    status_port=18080,
    count=3,
    surge=1,
    revision="r",
    image="s:1",
    version="1",
    keeper_enabled=True,
    keeper_port=28080,
    restart_after=10.0,
    tls=CertificateSpec(),
)


def test_a_stack_survives_the_way_through_json() -> None:
    assert Stack.from_mapping(json.loads(json.dumps(STACK.as_dict()))) == STACK
    assert hash(Stack.from_mapping(STACK.as_dict())) == hash(STACK)
    assert Stack.from_mapping({**STACK.as_dict(), "later": "field"}) == STACK


def test_the_stack_of_the_release_in_force(tmp_path: Path) -> None:
    paths = StackPaths("shop", str(tmp_path))
    for number, count in ((1, 3), (2, 5)):
        folder = Path(paths.releases, str(number))
        folder.mkdir(parents=True)
        text = json.dumps({**STACK.as_dict(), "count": count})
        (folder / "stack.json").write_text(text, encoding="utf-8")
    replace_link(paths.release, "2")
    assert Stack.read(paths).count == 5


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_a_stack_that_is_not_there(tmp_path: Path, text: str | None) -> None:
    paths = StackPaths("shop", str(tmp_path))
    if text is not None:
        os.makedirs(paths.release)
        Path(paths.release, "stack.json").write_text(text, encoding="utf-8")
    with pytest.raises(LoadBalancingError) as caught:
        Stack.read(paths)
    assert str(caught.value) == (
        f"There is no stack shop in {paths.root}. "
        "Run the playbook deploy first, or correct stack_name."
    )


def test_a_description_of_another_version_is_told() -> None:
    old = {key: value for key, value in STACK.as_dict().items() if key not in ("surge", "image")}
    with pytest.raises(LoadBalancingError) as caught:
        Stack.from_mapping(old)
    assert str(caught.value) == (
        "The description of the stack lacks surge, image. Run the playbook deploy."
    )
