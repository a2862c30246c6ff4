# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate for every input: what is accepted, and what follows from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings import (
    resolve,
    secret_values,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_fields import (
    FIELDS,
    read_field,
)

ROLE = Path(__file__).resolve().parents[2] / "roles" / "settings"
SPECS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]


def deploy(names: tuple[str, ...] = (), **given_values: Any) -> dict[str, Any]:
    return resolve("deploy", SPECS["deploy"]["options"], given_values, names)


def fault(**given_values: Any) -> str:
    with pytest.raises(LoadBalancingError) as error:
        deploy(**given_values)
    return str(error.value)


def test_every_variable_of_the_contract_has_a_field_of_its_type() -> None:
    options = {name: option for spec in SPECS.values() for name, option in spec["options"].items()}
    assert set(options) == set(FIELDS)
    assert {name: option["type"] for name, option in options.items()} == {
        name: field.kind for name, field in FIELDS.items()
    }
    for name, option in options.items():
        for word in option.get("choices", []):
            assert read_field(name, word) == word
        if "default" in option and option["default"] != "":
            assert read_field(name, option["default"]) == option["default"]


def test_the_role_has_the_defaults_of_the_contract() -> None:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    options = {name: option for spec in SPECS.values() for name, option in spec["options"].items()}
    assert defaults == {
        name: option["default"] for name, option in options.items() if "default" in option
    }


def test_nothing_set_is_the_demo_with_three_replicas() -> None:
    settings = deploy()
    assert settings["stack"] == {
        "stack_name": "chatbot",
        "mode": "production",
        "replicas": 3,
        "images": {"app": "digiz/chatbot:1"},
        "version": "1",
        "port": 8000,
        "health_path": "/health",
        "health_interval": 1.0,
        "health_timeout": 1.0,
        "health_rise": 2,
        "health_fall": 3,
        "health_status": "200-399",
        "environment": {
            "APP_PORT": "8000",
            "SHUTDOWN_TIMEOUT": "25",
            "DATABASE_HOST": "database",
            "DATABASE_NAME": "chatbot",
            "DATABASE_USER": "chatbot",
            "DATABASE_PASSWORD_FILE": "/run/secrets/database_password",
        },
        "secrets": ["database_password"],
        "volumes": [],
        "command": [],
        "pre_deploy": ["python3", "-m", "chatbot.migrate"],
        "user": "",
        "read_only": True,
        "cpus": 1.0,
        "memory": "1g",
        "cpu_reservation": 0.5,
        "memory_reservation": "512m",
        "start_timeout": 60,
        "stop_grace": 30,
        "restart_after": 10,
        "keeper_enabled": True,
        "keeper_port": 20080,
        "database": "embedded",
        "database_memory": "1g",
        "extra_services": {},
        "tls": {
            "mode": "none",
            "names": [],
            "directory": "https://acme-v02.api.letsencrypt.org/directory",
            "email": "",
            "ca_file": "",
            "renew_days": 30,
        },
    }
    assert settings["generated_secrets"] == ["database_password"]
    assert settings["stack_directory"] == "/opt/chatbot"
    assert settings["images"] == [
        {
            "purpose": "app",
            "image": "digiz/chatbot:1",
            "variable": "app_image",
            "build": {
                "context": "../../../demo/chatbot",
                "base": "base",
                "args": {"APP_VERSION": "1"},
            },
        },
        {"purpose": "balancer", "variable": "balancer_image"},
        {"purpose": "database", "variable": "database_image"},
    ]


def test_another_application_gets_nothing_of_the_demo() -> None:
    settings = deploy(app_image="registry.example.com:5000/team/shop", app_version=1.5)
    assert settings["app_reference"] == "registry.example.com:5000/team/shop:1.5"
    assert settings["database"] == "none"
    assert settings["app_pre_deploy"] == []
    assert settings["app_read_only"] is False
    assert settings["app_environment"] == {}
    assert settings["secret_names"] == []
    assert [entry["purpose"] for entry in settings["images"]] == ["app", "balancer"]


def test_another_application_with_the_embedded_database() -> None:
    settings = deploy(
        app_image="shop",
        database="embedded",
        app_secrets={"database_password": "chosen", "key": "k"},
        app_env={"DATABASE_NAME": "shop"},
    )
    assert settings["app_environment"] == {
        "DATABASE_HOST": "database",
        "DATABASE_NAME": "shop",
        "DATABASE_USER": "chatbot",
        "DATABASE_PASSWORD_FILE": "/run/secrets/database_password",
    }
    assert settings["secret_names"] == ["database_password", "key"]
    assert settings["generated_secrets"] == []


def test_no_secret_value_is_in_the_result() -> None:
    settings = deploy(app_secrets={"key": "hush-hush"})
    assert settings["secret_names"] == ["database_password", "key"]
    assert "hush-hush" not in json.dumps(settings)
    assert "app_secrets" not in settings


def test_survey_answers_are_texts() -> None:
    settings = deploy(
        replicas="5",
        app_version=2,
        app_cpus="1.5",
        rate_limits_enabled="no",
        app_env='{"A": 1, "B": true}',
        app_secrets="{'key': 'value'}",
        trusted_proxies="10.0.0.1/8, 2001:db8::1",
        app_pre_deploy="python3 manage.py 'two words'",
        balancer_server_names='["example.com"]',
        app_memory="1.5G",
        database="",
        app_user=None,
    )
    assert settings["replicas"] == 5
    assert settings["app_version"] == "2"
    assert settings["app_cpus"] == 1.5
    assert settings["rate_limits_enabled"] is False
    assert settings["app_env"] == {"A": "1", "B": "true"}
    assert settings["secret_names"] == ["database_password", "key"]
    assert settings["trusted_proxies"] == ["10.0.0.0/8", "2001:db8::1"]
    assert settings["app_pre_deploy"] == ["python3", "manage.py", "two words"]
    assert settings["balancer_server_names"] == ["example.com"]
    assert settings["app_memory"] == "1536m"
    assert settings["database"] == "embedded"


def test_development_is_one_replica() -> None:
    assert deploy(mode="development", replicas=4)["stack"]["replicas"] == 1
    scale = resolve("scale", SPECS["scale"]["options"], {"mode": "development"})
    assert scale["replicas"] == 1


def test_the_number_of_replicas_can_be_left_to_the_load() -> None:
    assert deploy(replicas=" auto ")["stack"]["replicas"] == "auto"
    assert deploy(replicas="auto", mode="development")["stack"]["replicas"] == 1


def test_a_digest_is_a_version() -> None:
    digest = f"sha256:{'a' * 64}"
    assert deploy(app_image="shop", app_version=digest)["app_reference"] == f"shop@{digest}"


def test_the_status_port_is_far_from_the_http_port() -> None:
    assert deploy(balancer_http_port=8080)["balancer"]["status_port"] == 18080
    assert deploy(balancer_status_port=9000)["balancer"]["status_port"] == 9000
    assert fault(balancer_http_port=60000).startswith("balancer_status_port: a value is needed")


def test_the_keepers_port_is_far_from_the_http_port() -> None:
    assert deploy(balancer_http_port=8080)["stack"]["keeper_port"] == 28080
    assert deploy(balancer_http_port=8080)["keeper_port"] == 28080
    assert deploy(keeper_port="9000")["stack"]["keeper_port"] == 9000
    assert deploy(balancer_http_port=45535)["stack"]["keeper_port"] == 65535
    assert deploy(balancer_http_port=45536, keeper_port=45535)["keeper_port"] == 45535


def test_how_health_is_probed() -> None:
    stack = deploy(
        app_health_interval="0.5",
        app_health_timeout=5,
        app_health_rise="1",
        app_health_fall=20.0,
        app_health_status=204,
        keeper_enabled="no",
        keeper_restart_after="60",
    )["stack"]
    health = {key: value for key, value in stack.items() if key.startswith("health_")}
    assert health == {
        "health_path": "/health",
        "health_interval": 0.5,
        "health_timeout": 5.0,
        "health_rise": 1,
        "health_fall": 20,
        "health_status": "204",
    }
    assert (stack["keeper_enabled"], stack["restart_after"]) == (False, 60)


def test_a_drill_is_told_what_to_break() -> None:
    settings = resolve("drill", SPECS["drill"]["options"], {"fault": "hang", "drill_rate": "100"})
    assert settings == {
        "playbook": "drill",
        "stack_name": "chatbot",
        "stack_directory": "/opt/chatbot",
        "mode": "production",
        "fault": "hang",
        "drill_rate": 100,
        "drill_confirm": False,
        "settings_other_variables": [],
    }


def test_a_default_reservation_follows_a_small_limit() -> None:
    stack = deploy(app_memory="256m", app_cpus=0.25)["stack"]
    assert (stack["memory_reservation"], stack["cpu_reservation"]) == ("256m", 0.25)


def test_an_empty_list_is_no_command() -> None:
    assert deploy(app_pre_deploy=[])["app_pre_deploy"] == []


def test_secret_values_are_texts() -> None:
    assert secret_values(None) == secret_values("") == {}
    assert secret_values({"a": 1, "b": True, "c": "x\ny"}) == {"a": "1", "b": "true", "c": "x\ny"}
    with pytest.raises(LoadBalancingError) as error:
        secret_values({"a": "hush\x00"})
    assert "hush" not in str(error.value)
