# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Compose project: what is in it, what changes a revision, and that no text escapes."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.compose import (
    project,
    revision,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.compose_spec import (
    StackSpec,
    compose_text,
    quoted,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.yaml_text import dump

SHOP: dict[str, Any] = {"stack_name": "shop", "images": {"app": "team/shop:2"}, "version": "2"}
DEMO: dict[str, Any] = {
    "stack_name": "chatbot",
    "images": {"app": "digiz/chatbot:1", "database": "postgres:17"},
    "version": "1",
    "secrets": ["database_password"],
    "environment": {"DATABASE_HOST": "database"},
    "read_only": True,
    "database": "embedded",
    "pre_deploy": ["python3", "-m", "chatbot.migrate"],
}
FILES = {"database_password": "secrets/abc/database_password", "key": "/opt/shop/secrets/def/key"}


def rendered(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return project(StackSpec.from_mapping({**base, **changes}), FILES)


def service(base: dict[str, Any], name: str, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = rendered(base, **changes)["services"][name]
    return found


def test_a_plain_application_needs_two_services() -> None:
    found = rendered(SHOP)
    assert found["name"] == "shop"
    assert list(found["services"]) == ["app", "balancer"]
    assert found["networks"] == {"edge": {}}
    assert "volumes" not in found


def test_every_service_carries_its_revision() -> None:
    for one in rendered(DEMO)["services"].values():
        assert one["labels"]["digiz.load_balancing.revision"] == revision(one)


def test_the_replicas() -> None:
    app = service(DEMO, "app")
    assert app.pop("labels") == {
        "digiz.load_balancing.stack": "chatbot",
        "digiz.load_balancing.role": "replica",
        "digiz.load_balancing.version": "1",
        "digiz.load_balancing.revision": revision(service(DEMO, "app")),
    }
    assert app == {
        "image": "digiz/chatbot:1",
        "pull_policy": "never",
        "environment": {"DATABASE_HOST": "database"},
        "volumes": [
            {
                "type": "bind",
                "source": "/opt/chatbot/secrets/abc/database_password",
                "target": "/run/secrets/database_password",
                "read_only": True,
                "bind": {"create_host_path": False},
            },
            {
                "type": "bind",
                "source": "/bin/busybox",
                "target": "/.health/busybox",
                "read_only": True,
                "bind": {"create_host_path": False},
            },
        ],
        "init": True,
        "security_opt": ["no-new-privileges:true"],
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
        "read_only": True,
        "cap_drop": ["ALL"],
        "tmpfs": ["/tmp"],
        "networks": ["edge", "data"],
        "healthcheck": {
            "test": [
                *("CMD", "/.health/busybox", "nc", "-w", "3", "127.0.0.1", "8000", "-e"),
                *("/.health/busybox", "sh", "-c"),
                r'printf "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" "$$0"; '
                "read -t 3 -r protocol status rest; "
                'case "$$status" in [23]??) exit 0;; esac; exit 1',
                "/health",
            ],
            "interval": "5s",
            "timeout": "4s",
            "retries": 3,
            "start_period": "60s",
        },
        "restart": "unless-stopped",
        "stop_grace_period": "30s",
        "deploy": {
            "replicas": 3,
            "resources": {
                "limits": {"cpus": "1", "memory": "1g"},
                "reservations": {"cpus": "0.5", "memory": "512m"},
            },
        },
    }


def test_development_has_one_replica_and_no_limits() -> None:
    services = rendered(DEMO, mode="development", replicas=4)["services"]
    assert services["app"]["deploy"] == {"replicas": 1}
    assert "deploy" not in services["database"]


def test_only_replicas_are_in_the_network_edge() -> None:
    extra = {"cache": {"image": "redis:8"}, "agent": {"image": "a", "network_mode": "host"}}
    found = rendered(DEMO, extra_services=extra)
    assert [
        name for name, one in found["services"].items() if "edge" in one.get("networks", ())
    ] == ["app"]
    assert found["networks"] == {"edge": {}, "data": {"internal": True}}
    assert found["services"]["cache"]["networks"] == ["data", "default"]
    assert "networks" not in found["services"]["agent"]


def test_the_command_before_the_replicas() -> None:
    found = service(DEMO, "pre-deploy")
    assert found["entrypoint"] == ["python3", "-m", "chatbot.migrate"]
    assert found["profiles"] == ["pre-deploy"]
    assert found["labels"]["digiz.load_balancing.role"] == "pre_deploy"
    assert found["volumes"][0]["target"] == "/run/secrets/database_password"
    assert not {"healthcheck", "deploy"} & set(found)
    assert "pre-deploy" not in rendered(DEMO, pre_deploy=[])["services"]


def test_the_balancer_is_read_only_in_the_host_network() -> None:
    balancer = service(SHOP, "balancer")
    assert balancer["network_mode"] == "host"
    assert balancer["image"] == "digiz/nginx:1.30"
    assert balancer["read_only"] is True
    assert balancer["cap_drop"] == ["ALL"]
    assert [(mount["source"], mount["target"]) for mount in balancer["volumes"]] == [
        ("/opt/shop/nginx", "/etc/balancer"),
        ("/opt/shop/logs", "/var/log/balancer"),
    ]


def test_the_database() -> None:
    database = service(DEMO, "database")
    assert database["image"] == "postgres:17"
    assert database["networks"] == ["data"]
    assert database["deploy"] == {"resources": {"limits": {"memory": "1g"}}}
    assert database["read_only"] is True
    assert database["cap_drop"] == ["ALL"]
    assert rendered(DEMO)["volumes"] == {"database": {}}


def test_extra_services_keep_what_they_say() -> None:
    extra = {
        "image": "redis:8",
        "command": "redis-server --save $HOME",
        "labels": ["team=$a", "digiz.load_balancing.role=replica"],
        "volumes": [
            "cache:/data",
            "/srv:/srv",
            {"type": "volume", "source": "more", "target": "/m"},
        ],
        "restart": "no",
    }
    found = rendered(SHOP, extra_services={"cache": extra})
    del found["services"]["cache"]["labels"]["digiz.load_balancing.revision"]
    assert found["services"]["cache"] == {
        "restart": "no",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
        "networks": ["data", "default"],
        "image": "redis:8",
        "command": "redis-server --save $$HOME",
        "labels": {
            "team": "$$a",
            "digiz.load_balancing.stack": "shop",
            "digiz.load_balancing.role": "extra",
        },
        "volumes": extra["volumes"],
    }
    assert found["volumes"] == {"cache": {}, "more": {}}
    assert found["services"]["app"]["networks"] == ["edge", "data"]


def test_volumes_user_and_command() -> None:
    found = rendered(
        SHOP,
        volumes=["uploads:/data", "/srv/files:/files:ro", "scratch:/tmp"],
        user="1000:1000",
        command=["serve", "--name=$x"],
        read_only=True,
    )
    app = found["services"]["app"]
    assert app["volumes"][:3] == ["uploads:/data", "/srv/files:/files:ro", "scratch:/tmp"]
    assert app["user"] == "1000:1000"
    assert app["command"] == ["serve", "--name=$$x"]
    assert "tmpfs" not in app
    assert found["volumes"] == {"scratch": {}, "uploads": {}}


def test_docker_takes_the_same_answers_for_healthy() -> None:
    found = service(SHOP, "app", health_status="200-204,300-399")
    script = found["healthcheck"]["test"][-2]
    assert script.endswith('; case "$$status" in 20[01234]|3??) exit 0;; esac; exit 1')


@pytest.mark.parametrize(
    "change",
    [
        {"images": {"app": "team/shop:3"}},
        {"version": "3"},
        {"environment": {"A": "1"}},
        {"secrets": ["key"]},
        {"memory": "2g"},
        {"port": 9000},
        {"health_path": "/up"},
        {"health_status": "200"},
        {"start_timeout": 61},
        {"command": ["serve"]},
        {"read_only": True},
        {"mode": "development"},
    ],
)
def test_what_changes_a_replica_changes_its_revision(change: dict[str, Any]) -> None:
    assert revision(service(SHOP, "app", **change)) != revision(service(SHOP, "app"))


@pytest.mark.parametrize(
    "change",
    [
        {"replicas": 7},
        {"images": {"app": "team/shop:2", "balancer": "nginx:1.30"}},
        {"pre_deploy": ["migrate"]},
        {"database_memory": "2g"},
        {"health_interval": 5.0, "health_timeout": 5.0, "health_rise": 1, "health_fall": 9},
        {"health_status": "200-299,300-399"},
        {"keeper_enabled": False, "keeper_port": 9000, "restart_after": 60},
    ],
)
def test_what_changes_no_replica_keeps_the_revision(change: dict[str, Any]) -> None:
    assert revision(service(SHOP, "app", **change)) == revision(service(SHOP, "app"))


def test_a_changed_secret_changes_the_revision() -> None:
    spec = StackSpec.from_mapping({**SHOP, "secrets": ["key"]})
    one, other = (project(spec, {"key": f"secrets/{name}/key"}) for name in ("a", "b"))
    assert revision(one["services"]["app"]) != revision(other["services"]["app"])


def test_the_revision_can_be_told_from_the_finished_project() -> None:
    app = service(DEMO, "app")
    label = app["labels"]["digiz.load_balancing.revision"]
    assert len(label) == 12
    assert revision(yaml.safe_load(dump(app))) == label


def test_rendering_changes_nothing_that_it_was_given() -> None:
    given_values = {**DEMO, "extra_services": {"cache": {"image": "redis:8", "labels": {"a": "b"}}}}
    before = copy.deepcopy(given_values)
    assert rendered(given_values) == rendered(given_values)
    assert given_values == before


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ports": 1}, "stack: unknown settings ports. Take the mapping that"),
        ({"images": {}}, "stack: images has no app. Set the variable app_image."),
        ({"replicas": "3"}, "stack: replicas: '3' is not allowed: int."),
        ({"volumes": "a:/b"}, "stack: volumes: 'a:/b' is not allowed: tuple[str, ...]."),
        ({"health_status": "2xx"}, "'2xx' is not allowed: statuses from 100 to 599 such as "),
        ({"secrets": ["other"]}, "app_secrets: other has no file on the host."),
        ({"environment": {"A": "\x1b"}}, "compose.yaml: a text with the character U+001B"),
    ],
)
def test_what_is_no_stack_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(LoadBalancingError) as error:
        rendered(SHOP, **changes)
    assert str(error.value).startswith(text)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(LoadBalancingError, match="missing settings images, version"):
        StackSpec.from_mapping({"stack_name": "shop"})


@given(st.text())
def test_texts_come_out_of_compose_as_they_went_in(text: str) -> None:
    try:
        shown = compose_text(text)
    except LoadBalancingError:
        assert not text.replace("\n", "").replace("\t", "").isprintable()
    else:
        assert "$" not in shown.replace("$$", "")
        assert shown.replace("$$", "$") == text


def test_every_text_is_quoted_at_any_depth() -> None:
    assert quoted({"$k": ["$a", ("$b", {"c": "$d"}), 1, None, True]}) == {
        "$k": ["$$a", ["$$b", {"c": "$$d"}], 1, None, True]
    }
    with pytest.raises(LoadBalancingError):
        quoted({"a\x00": 1})


def test_the_project_is_plain_data() -> None:
    found = rendered(DEMO)
    assert json.loads(json.dumps(found)) == found
    assert yaml.safe_load(dump(found)) == found
