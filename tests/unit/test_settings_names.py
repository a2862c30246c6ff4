# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Misspelt variables are found, and ordinary ones are left in peace."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_fields import FIELDS
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_names import (
    meant,
    misspelt,
    slips,
)

ORDINARY = [
    "api_version", "app_name", "app_host", "app_hosts", "app_dir", "app_root", "app_home",
    "app_url", "app_domain", "app_debug", "app_key", "app_tag", "app_group", "app_config",
    "app_log", "app_db", "app_path", "app_ports_open", "app_dev", "replica_count", "replica_set",
    "replicaset_name", "replication", "nodes", "node", "model", "mode_t", "modes", "port",
    "ports", "image", "images", "image_tag", "version", "balancer", "balancers", "balancer_port",
    "balancer_ports", "balancer_host", "load_balancer_name", "database_url", "database_name",
    "database_host", "database_port", "database_user", "database_password", "databases_backup",
    "db_image", "tls_cert", "tls_key", "tls", "http_port", "https_port", "rate", "limits",
    "rate_limit_zone", "connection_string", "connections", "proxies", "proxy", "trusted_hosts",
    "docker_version", "docker_users", "docker_engine_version", "docker_packages",
    "pip_install_packages", "timezone", "users", "stack", "stack_id", "stack_file",
    "server_names", "nginx_version", "nginx_conf_template", "postgres_version", "verify_ssl",
    "verify_certs", "lock_file", "remove_old", "extra_packages", "extra_hosts", "rollout_id",
    "hostname", "inventory_dir", "environment_name", "group_names", "groups", "hostvars", "omit",
    "playbook_dir", "role_path", "role_name", "play_hosts", "vars", "inventory_hostname",
    "inventory_hostname_short", "inventory_file", "load_balancing", "settings_playbook",
    "images_wanted", "stack_settings", "stack_secrets", "balancer_settings", "stack_directory",
    "images_resolved", "memory", "cpus", "app_memory_mb",
]  # fmt: skip

SLIPS = {
    "app_verison": "app_version",
    "app_versoin": "app_version",
    "app_vesion": "app_version",
    "appversion": "app_version",
    "appVersion": "app_version",
    "APP_VERSION": "app_version",
    "app_versions": "app_version",
    "replica": "replicas",
    "relicas": "replicas",
    "repilcas": "replicas",
    "Replicas": "replicas",
    "app_imgae": "app_image",
    "app_evn": "app_env",
    "app_secret": "app_secrets",
    "app_healthpath": "app_health_path",
    "app_heath_path": "app_health_path",
    "balancer_htpp_port": "balancer_http_port",
    "balncer_http_port": "balancer_http_port",
    "balancer_http_prt": "balancer_http_port",
    "rate_limit": "rate_limits",
    "rate_limits_enable": "rate_limits_enabled",
    "trusted_proxy": None,
    "trusted_proxie": "trusted_proxies",
    "rollout_serge": "rollout_surge",
    "rolloutsurge": "rollout_surge",
    "app_predeploy": "app_pre_deploy",
    "app_pre_deply": "app_pre_deploy",
    "app_drain_timout": "app_drain_timeout",
    "stackname": "stack_name",
    "conection_limit": "connection_limit",
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_are_left_alone(name: str) -> None:
    assert meant(name, FIELDS) is None


@pytest.mark.parametrize(("name", "wanted"), SLIPS.items())
def test_slips_are_found(name: str, wanted: str) -> None:
    assert meant(name, FIELDS) == wanted


def test_front_variables_are_no_slips_of_each_other() -> None:
    for name in FIELDS:
        assert meant(name, set(FIELDS) - {name}) in (None, *FIELDS)
    assert misspelt(FIELDS, FIELDS, ()) == []


def test_known_names_of_all_kinds_are_left_out() -> None:
    names = ["app_verison", "app_imgae", "ansible_app_verison", "replicas", "app_users"]
    assert misspelt(names, FIELDS, {"app_users"}) == [
        ("app_imgae", "app_image"),
        ("app_verison", "app_version"),
    ]


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [("", "", 0), ("ab", "ba", 1), ("abc", "ab", 1), ("abc", "axc", 1), ("abc", "xyz", 3)],
)
def test_slips_are_counted(one: str, other: str, count: int) -> None:
    assert slips(one, other) == count


WORDS = st.text(string.ascii_lowercase[:4], max_size=8)


@given(WORDS, WORDS)
def test_slips_are_a_distance(one: str, other: str) -> None:
    count, there_and_back = slips(one, other), slips(one=other, other=one)
    assert count == there_and_back
    assert (count == 0) == (one == other)
    assert abs(len(one) - len(other)) <= count <= max(len(one), len(other))
