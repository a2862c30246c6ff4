# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what operators write to one typed mapping that every role reads.

`resolve()` is the whole gate: types, ranges, values against each other, misspelt names. It finds
all faults at once, before anything has changed, and works out the defaults that depend on others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    capacity_settings,
    settings_monitor,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_spec import (
    BalancerSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_keys import parse_keys
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_fields import (
    FIELDS,
    SECRET_FIELDS,
    read_field,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_names import misspelt
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_scaling import (
    check_scaling,
    scaling,
    scaling_timer,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import (
    size_in_bytes,
)

STACKS_FOLDER = "/opt"
DEMO_IMAGE = "digiz/chatbot"
DEMO_CONTEXT = "../../../demo/chatbot"
DATABASE_SECRET = "database_password"
_DEMO_MIGRATION = ["python3", "-m", "chatbot.migrate"]
_DATABASE_ENVIRONMENT = {
    "DATABASE_HOST": "database",
    "DATABASE_NAME": "chatbot",
    "DATABASE_USER": "chatbot",
    "DATABASE_PASSWORD_FILE": f"/run/secrets/{DATABASE_SECRET}",
}
# Fields of BalancerSpec and the variables that they come from.
_BALANCER = {
    "stack_name": "stack_name",
    "http_port": "balancer_http_port",
    "status_port": "balancer_status_port",
    "server_names": "balancer_server_names",
    "ipv6": "balancer_ipv6",
    "health_path": "app_health_path",
    "rate_limits": "rate_limits",
    "rate_limits_enabled": "rate_limits_enabled",
    "connection_limit": "connection_limit",
    "rate_limit_exempt": "rate_limit_exempt",
    "trusted_proxies": "trusted_proxies",
    "keepalive_timeout": "balancer_keepalive_timeout",
    "keepalive_min_timeout": "balancer_keepalive_min_timeout",
    "upstream_keepalive_timeout": "balancer_upstream_keepalive_timeout",
    "drain_timeout": "app_drain_timeout",
    "body_size": "balancer_body_size",
    "read_timeout": "balancer_read_timeout",
    "stream_paths": "balancer_stream_paths",
    "api_paths": "balancer_api_paths",
    "https_port": "balancer_https_port",
    "proxy_protocol": "proxy_protocol",
    "rate_limits_dry_run": "rate_limits_dry_run",
    "api_key_header": "api_key_header",
    "api_key_tiers": "api_key_tiers",
    "paths": "balancer_paths",
    "sticky": "balancer_sticky",
    "sticky_cookie": "balancer_sticky_cookie",
    "tls_mode": "tls_mode",
    "tls_redirect": "tls_redirect",
    "tls_hsts": "tls_hsts",
    "tls_http3": "tls_http3",
    "client_timeout": "balancer_client_timeout",
    "header_size": "balancer_header_size",
    "security_headers": "balancer_security_headers",
}
# How far the keeper's page is from the port of the application, unless it is set.
KEEPER_PORT_OFFSET = 20_000
_LAST_PORT = 65_535
# The demo ends its streams by itself this long before Docker would kill it.
_DEMO_STOP_MARGIN = 5


def resolve(
    playbook: str,
    options: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, object],
    names: Iterable[str] = (),
    ordinary: Collection[str] = (),
) -> dict[str, Any]:
    """Return the typed settings of one run, without any secret value.

    `options` are the playbook's options as argument_specs.yml has them (name: {"default": …}),
    `given` the values of those that are set, `names` all variables that exist (to find misspelt
    ones), `ordinary` those of them that mean what they say. Empty texts count as not set: that is
    how surveys give an optional answer.

    For `deploy` the result also holds the mappings `stack` (compose.StackSpec), `balancer`
    (balancer_config.BalancerSpec) and `images` (what the role images wants),
    for it and for `scale` the mapping `scaling` (scaling_data.Thresholds).

    Raises LoadBalancingError whose text has one line per fault.
    """
    values, faults = _read(options, given)
    ordinary = {*ordinary, *values.get("settings_other_variables", [])}
    faults += [
        f"unknown variable '{name}': did you mean {wanted}?"
        for name, wanted in misspelt(names, FIELDS, ordinary)
    ]
    if values.get("mode") == "development" and "replicas" in values:
        values["replicas"] = 1
    for check in (_check_reservations, _check_balancer, _check_tls, _check_keeper, _check_rest):
        faults += check(options, values)
    faults += check_scaling(values)
    faults += settings_monitor.check(options, values)
    if faults:
        raise LoadBalancingError("\n".join(faults))
    settings = {name: value for name, value in values.items() if name not in SECRET_FIELDS}
    settings["playbook"] = playbook
    settings["stack_directory"] = f"{STACKS_FOLDER}/{values['stack_name']}"
    if "scale_min_replicas" in values:
        settings["scaling"] = scaling(values)
    if "capacity_mean_seconds" in values:
        settings["capacity"] = capacity_settings.demand(values)
        settings["measurement"] = capacity_settings.measurement(values)
    if "app_version" in values:
        settings.update(_derived(values))
        settings["monitor"] = settings_monitor.derived(values)
    return settings


def secret_values(given: object) -> dict[str, str]:
    """Return `app_secrets` as {name: text}, for the one module that writes them to the host.

    Raises LoadBalancingError that shows no value.
    """
    if given is None or given == "":
        return {}
    return cast("dict[str, str]", read_field("app_secrets", given))


def _read(
    options: Mapping[str, Mapping[str, Any]], given: Mapping[str, object]
) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    faults: list[str] = []
    for name, option in options.items():
        value = given.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            value = option.get("default")
        if value is None or value == "":
            if option.get("required"):
                faults.append(
                    f"{name}: a value is needed: {FIELDS[name].allowed}. Set the variable {name}."
                )
            continue
        try:
            values[name] = read_field(name, value)
        except LoadBalancingError as error:
            faults.append(str(error))
    return values, faults


def _check_reservations(
    options: Mapping[str, Mapping[str, Any]], values: dict[str, Any]
) -> list[str]:
    """A reservation above its limit is a fault; one that nobody chose follows the limit."""
    faults = []
    for reserved, limit in (
        ("app_memory_reservation", "app_memory"),
        ("app_cpu_reservation", "app_cpus"),
    ):
        if reserved not in values or limit not in values:
            continue
        if _amount(values[reserved]) <= _amount(values[limit]):
            continue
        if _amount(values[reserved]) == _amount(options[reserved].get("default", 0)):
            values[reserved] = values[limit]
            continue
        faults.append(
            f"{reserved}: {values[reserved]!r} is not allowed: at most {limit}, which is "
            f"{values[limit]!r}. Set the variable {reserved} or {limit}."
        )
    return faults


def _amount(value: object) -> float:
    return float(size_in_bytes(value)) if isinstance(value, str) else float(str(value))


def _check_balancer(options: Mapping[str, Mapping[str, Any]], values: dict[str, Any]) -> list[str]:
    """Ask the balancer's own check, as soon as each value by itself is right."""
    if not values.keys() >= set(_BALANCER.values()) - {"balancer_status_port"}:
        return []
    try:
        spec = BalancerSpec.from_mapping(_balancer(values))
        parse_keys(values.get("api_keys", {}), values["api_key_tiers"])
    except LoadBalancingError as error:
        return [str(error)]
    values["balancer_status_port"] = spec.status_port
    return []


def _check_tls(options: Mapping[str, Mapping[str, Any]], values: dict[str, Any]) -> list[str]:
    """What each way to a certificate needs."""
    mode, names = values.get("tls_mode", "none"), values.get("balancer_server_names", [])
    if mode == "provided":
        return [
            f"{name}: a value is needed with tls_mode=provided: {FIELDS[name].allowed}. "
            f"Set the variable {name}."
            for name in ("tls_certificate", "tls_certificate_key")
            if name not in values
        ]
    if mode != "acme":
        return []
    if not names:
        return [
            "balancer_server_names: a value is needed with tls_mode=acme: the host names that the "
            "certificate is for. Set the variable balancer_server_names."
        ]
    return [
        f"balancer_server_names[{index}]: {name!r} is not allowed with tls_mode=acme: a host name "
        "without a wildcard, which the ACME server reaches by HTTP (http-01). "
        "Set the variable balancer_server_names."
        for index, name in enumerate(names)
        if name == "_" or name.startswith("*.") or name.replace(".", "").isdigit()
    ]


def _check_keeper(options: Mapping[str, Mapping[str, Any]], values: dict[str, Any]) -> list[str]:
    """The keeper's port is set or follows the balancer's, and is none of the balancer's own."""
    if "keeper_port" not in options or "balancer_http_port" not in values:
        return []
    port = values.setdefault("keeper_port", values["balancer_http_port"] + KEEPER_PORT_OFFSET)
    if port > _LAST_PORT:
        return [
            f"keeper_port: a value is needed: its default, balancer_http_port +"
            f" {KEEPER_PORT_OFFSET}, is above {_LAST_PORT}. Set the variable keeper_port."
        ]
    return [
        f"keeper_port: {port} is not allowed: another port than {other}. "
        "Set the variable keeper_port."
        for other in ("balancer_http_port", "balancer_status_port", "balancer_https_port")
        if port == values.get(other)
        and (other != "balancer_https_port" or values.get("tls_mode", "none") != "none")
    ]


def _check_rest(options: Mapping[str, Mapping[str, Any]], values: dict[str, Any]) -> list[str]:
    faults = []
    if values.get("images_source") == "archive" and "images_archive" not in values:
        faults.append(
            "images_archive: '' is not allowed: with images_source=archive the path of an archive "
            "on the controller. Set the variable images_archive."
        )
    targets = [volume.split(":")[1].rstrip("/") for volume in values.get("app_volumes", [])]
    for target in sorted({target for target in targets if targets.count(target) > 1}):
        faults.append(
            f"app_volumes: {target!r} is not allowed twice: one volume for each folder. "
            "Set the variable app_volumes."
        )
    return faults


def _derived(values: dict[str, Any]) -> dict[str, Any]:
    """Return what follows from a deploy's values: dependent defaults, the roles' mappings."""
    image, version = values.get("app_image", DEMO_IMAGE), values["app_version"]
    demo = image == DEMO_IMAGE
    database = values.get("database", "embedded" if demo else "none")
    embedded = database == "embedded"
    environment: dict[str, str] = {}
    if demo:
        grace = max(1, values["app_stop_grace"] - _DEMO_STOP_MARGIN)
        environment = {"APP_PORT": str(values["app_port"]), "SHUTDOWN_TIMEOUT": str(grace)}
        if values["mode"] == "development":
            environment["LOG_FORMAT"] = "text"
    if embedded:
        environment.update(_DATABASE_ENVIRONMENT)
    secrets = set(values["app_secrets"]) | ({DATABASE_SECRET} if embedded else set())
    facts = {
        "app_image": image,
        "app_reference": f"{image}{'@' if ':' in version else ':'}{version}",
        "app_is_demo": demo,
        "app_read_only": values.get("app_read_only", demo),
        "app_pre_deploy": values.get(
            "app_pre_deploy", _DEMO_MIGRATION if demo and embedded else []
        ),
        "app_environment": {**environment, **values["app_env"]},
        "database": database,
        "secret_names": sorted(secrets),
        "generated_secrets": sorted(secrets - set(values["app_secrets"])),
    }
    facts["stack"] = _stack(values, facts)
    facts["balancer"] = _balancer(values)
    facts["images"] = _images(values, facts)
    facts["scaling_timer"] = scaling_timer(values)
    return facts


def _stack(values: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    images = {"app": facts["app_reference"]}
    for purpose in ("balancer", "database"):
        if f"{purpose}_image" in values:
            images[purpose] = values[f"{purpose}_image"]
    return {
        "stack_name": values["stack_name"],
        "mode": values["mode"],
        "replicas": values["replicas"],
        "images": images,
        "version": values["app_version"],
        "port": values["app_port"],
        "health_path": values["app_health_path"],
        "health_interval": values["app_health_interval"],
        "health_timeout": values["app_health_timeout"],
        "health_rise": values["app_health_rise"],
        "health_fall": values["app_health_fall"],
        "health_status": values["app_health_status"],
        "environment": facts["app_environment"],
        "secrets": facts["secret_names"],
        "volumes": values["app_volumes"],
        "command": values.get("app_command", []),
        "pre_deploy": facts["app_pre_deploy"],
        "user": values.get("app_user", ""),
        "read_only": facts["app_read_only"],
        "cpus": values["app_cpus"],
        "memory": values["app_memory"],
        "cpu_reservation": values["app_cpu_reservation"],
        "memory_reservation": values["app_memory_reservation"],
        "start_timeout": values["app_start_timeout"],
        "stop_grace": values["app_stop_grace"],
        "restart_after": values["keeper_restart_after"],
        "keeper_enabled": values["keeper_enabled"],
        "keeper_port": values["keeper_port"],
        "database": facts["database"],
        "database_memory": values["database_memory"],
        "extra_services": values["extra_services"],
        "tls": _tls(values),
    }


def _tls(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a certificate is made or ordered by; remembered on the host for its renewal."""
    return {
        "mode": values["tls_mode"],
        "names": sorted({n.lower() for n in values["balancer_server_names"] if n != "_"}),
        "directory": values["acme_directory"],
        "email": values.get("acme_email", ""),
        "ca_file": values.get("acme_ca_file", ""),
        "renew_days": values["acme_renew_days"],
    }


def _balancer(values: Mapping[str, Any]) -> dict[str, Any]:
    readable = {"readable_log": values.get("mode") == "development"}
    return {**{key: values.get(name) for key, name in _BALANCER.items()}, **readable}


def _images(values: Mapping[str, Any], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the list `images_wanted` of the role images: {purpose, image?, build?, variable?}."""
    app: dict[str, Any] = {
        "purpose": "app",
        "image": facts["app_reference"],
        "variable": "app_image",
    }
    if facts["app_is_demo"]:
        app["build"] = {
            "context": DEMO_CONTEXT,
            "base": "base",
            "args": {"APP_VERSION": values["app_version"]},
        }
    wanted = [app]
    for purpose in ["balancer", *(["database"] if facts["database"] == "embedded" else [])]:
        name = f"{purpose}_image"
        chosen = {"image": values[name]} if name in values else {}
        wanted.append({"purpose": purpose, **chosen, "variable": name})
    for name, service in values["extra_services"].items():
        wanted.append(
            {
                "purpose": f"extra-{name}",
                "image": service["image"],
                "variable": "extra_services",
            }
        )
    return wanted
