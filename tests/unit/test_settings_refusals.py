# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate for every input: what is refused, and in which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings import (
    resolve,
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


REPLICAS = "is not allowed: a whole number from 1 to 100, or auto. Set the variable replicas."
PATH = "a path that begins with /, without // and .., of letters, digits and ._~!&()*+,=:@-."


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"replicas": "three"}, f"replicas: 'three' {REPLICAS}"),
        ({"replicas": "automatic"}, f"replicas: 'automatic' {REPLICAS}"),
        ({"replicas": 0}, f"replicas: 0 {REPLICAS}"),
        ({"replicas": -1}, f"replicas: -1 {REPLICAS}"),
        ({"replicas": "-1"}, f"replicas: '-1' {REPLICAS}"),
        ({"replicas": 2.5}, f"replicas: 2.5 {REPLICAS}"),
        ({"replicas": 10000}, f"replicas: 10000 {REPLICAS}"),
        ({"replicas": True}, f"replicas: True {REPLICAS}"),
        ({"replicas": [3]}, f"replicas: [3] {REPLICAS}"),
        (
            {"app_port": 65536},
            "app_port: 65536 is not allowed: a port from 1 to 65535. Set the variable app_port.",
        ),
        (
            {"app_drain_timeout": "10m"},
            "app_drain_timeout: '10m' is not allowed: a whole number of seconds from 1 to 86400. "
            "Set the variable app_drain_timeout.",
        ),
        (
            {"app_cpus": 0},
            "app_cpus: 0 is not allowed: a number from 0.01 to 512. Set the variable app_cpus.",
        ),
        (
            {"app_memory": "1 banana"},
            "app_memory: '1 banana' is not allowed: a size such as 512m or 1g, from 6m to 16t. "
            "Set the variable app_memory.",
        ),
        (
            {"app_memory_reservation": "2g"},
            "app_memory_reservation: '2g' is not allowed: at most app_memory, which is '1g'. "
            "Set the variable app_memory_reservation or app_memory.",
        ),
        (
            {"stack_name": "a;b"},
            "stack_name: 'a;b' is not allowed: 1 to 40 lower-case letters, digits, - and _, "
            "beginning with a letter or a digit. Set the variable stack_name.",
        ),
        (
            {"app_image": "shop:2"},
            "app_image: 'shop:2' is not allowed: an image's name without a tag, such as "
            "registry.example.com/team/name; the tag is app_version. Set the variable app_image.",
        ),
        (
            {"app_version": "1;2"},
            "app_version: '1;2' is not allowed: a tag such as 1.2 or a digest sha256:…. "
            "Set the variable app_version.",
        ),
        (
            {"app_health_path": "/a//b"},
            f"app_health_path: '/a//b' is not allowed: {PATH} Set the variable app_health_path.",
        ),
        (
            {"app_health_interval": 0},
            "app_health_interval: 0 is not allowed: a number from 0.1 to 60. "
            "Set the variable app_health_interval.",
        ),
        (
            {"app_health_timeout": "1s"},
            "app_health_timeout: '1s' is not allowed: a number from 0.1 to 60. "
            "Set the variable app_health_timeout.",
        ),
        (
            {"app_health_rise": 0, "app_health_fall": 21},
            "app_health_rise: 0 is not allowed: a whole number from 1 to 20. "
            "Set the variable app_health_rise.\n"
            "app_health_fall: 21 is not allowed: a whole number from 1 to 20. "
            "Set the variable app_health_fall.",
        ),
        (
            {"app_health_status": "2xx"},
            "app_health_status: '2xx' is not allowed: statuses from 100 to 599 such as 200-399 or "
            "200,204,300-399. Set the variable app_health_status.",
        ),
        (
            {"app_env": {"A B": "secret?"}},
            "app_env: the name 'A B' is not allowed: letters, digits, _, . and -, no digit at the "
            "front. Set the variable app_env.",
        ),
        (
            {"app_env": {"A": ["secret?"]}},
            "app_env: the value of A is not allowed: a text without control characters (other than "
            "newline and tab), a number, true or false. Set the variable app_env.",
        ),
        (
            {"app_secrets": "hush"},
            'app_secrets: this value is not allowed: a mapping such as {"name": "value"}. '
            "Set the variable app_secrets.",
        ),
        (
            {"app_volumes": ["database:/data"]},
            "app_volumes: 'database:/data' is not allowed: a text NAME:/TARGET or "
            "/FOLDER:/TARGET, with :ro when it is only read; not the volume database, not into "
            "/.health or /run/secrets. Set the variable app_volumes.",
        ),
        (
            {"app_volumes": ["a:/data", "/srv:/data/"]},
            "app_volumes: '/data' is not allowed twice: one volume for each folder. "
            "Set the variable app_volumes.",
        ),
        (
            {"app_pre_deploy": "echo 'open"},
            'app_pre_deploy: "echo \'open" is not allowed: a list of texts, or one text with '
            'balanced quotes, such as "serve --port 8000". Set the variable app_pre_deploy.',
        ),
        (
            {"extra_services": {"app": {"image": "x"}}},
            "extra_services: the name 'app' is not allowed: 1 to 40 lower-case letters, digits, - "
            "and _, not app, balancer, database or pre-deploy. Set the variable extra_services.",
        ),
        (
            {"extra_services": {"cache": {"image": "x", "networks": ["edge"]}}},
            "extra_services: the network edge of the service cache is not allowed: data, default "
            "or none at all. Set the variable extra_services.",
        ),
        (
            {"tls_mode": "manual"},
            "tls_mode: 'manual' is not allowed: none, self_signed, provided or acme. "
            "Set the variable tls_mode.",
        ),
        (
            {"balancer_status_port": 80},
            "balancer_status_port: 80 is not allowed: another port than balancer_http_port. "
            "Set the variable balancer_status_port.",
        ),
        (
            {"balancer_http_port": 45536},
            "keeper_port: a value is needed: its default, balancer_http_port + 20000, is above "
            "65535. Set the variable keeper_port.",
        ),
        (
            {"keeper_port": 80},
            "keeper_port: 80 is not allowed: another port than balancer_http_port. "
            "Set the variable keeper_port.",
        ),
        (
            {"balancer_status_port": 20080},
            "keeper_port: 20080 is not allowed: another port than balancer_status_port. "
            "Set the variable keeper_port.",
        ),
        (
            {"keeper_restart_after": 0},
            "keeper_restart_after: 0 is not allowed: a whole number of seconds from 1 to 3600. "
            "Set the variable keeper_restart_after.",
        ),
        (
            {"trusted_proxies": ["10.0.0.0/33"]},
            "trusted_proxies: '10.0.0.0/33' is not allowed: an address or a network such as "
            "192.0.2.7, 10.0.0.0/8 or 2001:db8::/32. Set the variable trusted_proxies.",
        ),
        (
            {"images_source": "archive"},
            "images_archive: '' is not allowed: with images_source=archive the path of an archive "
            "on the controller. Set the variable images_archive.",
        ),
    ],
)
def test_what_is_refused_and_how(values: dict[str, object], text: str) -> None:
    assert fault(**values) == text


@pytest.mark.parametrize("given_values", [{}, {"fault": ""}, {"fault": None}])
def test_a_drill_needs_a_fault(given_values: dict[str, object]) -> None:
    with pytest.raises(LoadBalancingError) as error:
        resolve("drill", SPECS["drill"]["options"], given_values)
    assert str(error.value) == (
        "fault: a value is needed: crash, stop, hang, sick, network, balancer, keeper or engine. "
        "Set the variable fault."
    )


def test_the_balancers_own_check_is_asked_before_anything_changes() -> None:
    text = fault(rate_limits=[{"path": "/", "rate": "10r/x"}])
    assert text.startswith("rate_limits[0].rate: '10r/x' is not allowed: ")
    assert text.endswith("Set the variable rate_limits.")
    assert fault(balancer_keepalive_timeout=5).startswith("balancer_keepalive_min_timeout: 10 is ")


def test_all_faults_are_told_at_once() -> None:
    lines = fault(replicas=0, mode="test", app_port="x").splitlines()
    assert [line.split(":")[0] for line in lines] == ["mode", "replicas", "app_port"]
    with pytest.raises(LoadBalancingError) as error:
        deploy(names=("app_verison", "app_version", "ansible_host", "api_version"), replicas=0)
    assert str(error.value).splitlines() == [
        f"replicas: 0 {REPLICAS}",
        "unknown variable 'app_verison': did you mean app_version?",
    ]


def test_variables_of_other_software_can_be_declared() -> None:
    assert deploy(names=("app_users",), settings_other_variables=["app_users"])
    assert resolve(
        "deploy", SPECS["deploy"]["options"], {}, ("app_users",), ordinary=("app_users",)
    )


HOSTILE = [
    "a;b",
    "a{b",
    "a}b",
    "a\nb",
    "a$b",
    "$(id)",
    "`id`",
    "a\x00b",
    "a b",
    "../a",
    "'",
    '"',
    "#",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "name",
    [
        "stack_name",
        "app_image",
        "app_version",
        "app_user",
        "balancer_image",
        "database_image",
        "app_memory",
        "balancer_body_size",
        "mode",
    ],
)
def test_names_hold_no_foreign_syntax(name: str, text: str) -> None:
    with pytest.raises(LoadBalancingError, match="is not allowed"):
        read_field(name, text)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("app_health_path", "/{}"),
        ("balancer_stream_paths", ["/{}"]),
        ("balancer_server_names", ["{}.example.com"]),
        ("trusted_proxies", ["10.0.0.{}"]),
        ("app_volumes", ["{}:/data"]),
        ("app_volumes", ["data:/data:{}"]),
        ("app_env", {"{}": "1"}),
        ("app_secrets", {"{}": "1"}),
        ("extra_services", {"{}": {"image": "x"}}),
    ],
)
def test_names_in_structures_hold_no_foreign_syntax(name: str, form: Any, text: str) -> None:
    filled = json.loads(json.dumps(form).replace("{}", json.dumps(text)[1:-1]))
    with pytest.raises(LoadBalancingError, match="is not allowed"):
        read_field(name, filled)


@pytest.mark.parametrize(
    "volume", ["d:/a/../b", "/srv/..:/b", "d:/", "d:b", "/.health", "d:/run/secrets/x"]
)
def test_volumes_stay_in_their_place(volume: str) -> None:
    with pytest.raises(LoadBalancingError):
        read_field("app_volumes", [volume])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(name=st.sampled_from(sorted(FIELDS)), value=ANYTHING)
def test_any_value_is_read_or_refused_with_a_text_on_one_line(name: str, value: object) -> None:
    try:
        typed = read_field(name, value)
    except LoadBalancingError as error:
        text = str(error)
        assert text.startswith((f"{name}: ", f"{name}["))
        assert text.endswith(f"Set the variable {name}.")
        assert "\n" not in text
    else:
        # Typed values are stable: reading them again changes nothing.
        assert read_field(name, typed) == typed
