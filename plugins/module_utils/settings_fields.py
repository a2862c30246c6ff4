# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The front variables: one field each, that is, what an operator may write into it.

Names, defaults and descriptions stand in roles/settings/meta/argument_specs.yml; a test compares
both. `extra_services` and `app_volumes` are read here because their shapes are Compose's own.
"""

from __future__ import annotations

import re

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    capacity_settings,
    settings_monitor,
    stack_names,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    PREFIX as SCALE,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    THRESHOLD_FIELDS,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import (
    Field,
    RefusedError,
    choice,
    command,
    flag,
    list_of,
    mapping_of,
    network,
    number,
    plain,
    seconds,
    show,
    size,
    statuses,
    structure,
    text,
    value_text,
    whole,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_span import (
    MOST_TOP,
    moment_field,
)

OWN_SERVICES = ("app", "balancer", "database", "pre-deploy")
DATABASE_VOLUME = "database"
HEALTH_FOLDER = "/.health"
SECRETS_FOLDER = "/run/secrets"
AUTO = "auto"
"""The number of replicas is left to the load."""

_HOUR, _DAY = 3600, 86400
_PATH_PART = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~!&()*+,=:@-]+(?:/|\Z)"
_HOST_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_IMAGE_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REGISTRY = rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*(?::[0-9]{{1,5}})?/)?"
_IMAGE = rf"(?=.{{1,200}}\Z){_REGISTRY}{_IMAGE_PART}(?:/{_IMAGE_PART})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_ACCOUNT = r"[a-z0-9_][a-z0-9_-]{0,31}"
_FOLDER = r"/[A-Za-z0-9._@+/ -]+"
_VOLUME = re.compile(rf"([a-z0-9][a-z0-9_.-]{{0,63}}|{_FOLDER}):({_FOLDER})(?::([a-zA-Z,]+))?")
_VOLUME_OPTIONS = frozenset({"ro", "rw", "z", "Z", "nocopy"})


def _path() -> Field:
    return text(
        rf"(?=.{{1,200}}\Z)/(?:{_PATH_PART})*",
        "a path that begins with /, without // and .., of letters, digits and ._~!&()*+,=:@-",
    )


def _reference() -> Field:
    return text(
        rf"{_IMAGE}(?::{_TAG})?(?:@{_DIGEST})?",
        "an image reference such as registry.example.com/team/name:1.2",
    )


def _port() -> Field:
    return whole(1, 65535, "a port")


def _volume() -> Field:
    allowed = (
        "a text NAME:/TARGET or /FOLDER:/TARGET, with :ro when it is only read; not the volume "
        f"{DATABASE_VOLUME}, not into {HEALTH_FOLDER} or {SECRETS_FOLDER}"
    )

    def read(value: object) -> str:
        match = _VOLUME.fullmatch(value) if isinstance(value, str) else None
        if not match:
            raise RefusedError(show(value), allowed)
        source, target, options = match.groups()
        parts = [part for part in target.split("/") if part not in ("", ".")]
        folder = "/" + "/".join(parts)
        if (
            source == DATABASE_VOLUME
            or not parts
            or ".." in [*parts, *source.split("/")]
            or folder.startswith((HEALTH_FOLDER, SECRETS_FOLDER))
            or not set((options or "rw").split(",")) <= _VOLUME_OPTIONS
        ):
            raise RefusedError(show(value), allowed)
        return match.group(0)

    return Field("str", allowed, read)


def _mapping(allowed: str) -> Field:
    """A mapping whose content is checked by BalancerSpec, which renders it."""

    def read(value: object) -> object:
        if not isinstance(value, dict):
            raise RefusedError(show(value), allowed)
        return value

    return Field("dict", allowed, read)


def _replicas() -> Field:
    """A number, or `auto`."""
    count = whole(1, 100)
    allowed = f"{count.allowed}, or {AUTO}"

    def read(value: object) -> object:
        if isinstance(value, str) and value.strip() == AUTO:
            return AUTO
        try:
            return count.read(value)
        except RefusedError as refused:
            raise RefusedError(refused.shown, allowed) from None

    return Field("raw", allowed, read)


def _switch() -> Field:
    """`on` or `off`; YAML reads the bare words as true and false."""
    words = choice("on", "off")

    def read(value: object) -> object:
        return words.read({True: "on", False: "off"}[value] if isinstance(value, bool) else value)

    return Field("str", words.allowed, read)


def _file() -> Field:
    return text(r"[^\0]{1,4096}", "the path of a file on the controller")


def _services() -> Field:
    allowed = "a mapping of Compose services, each with an image, that are not in the network edge"

    def read(value: object) -> dict[str, object]:
        given = structure(value)
        if not isinstance(given, dict):
            raise RefusedError(show(value), allowed)
        for key, service in given.items():
            if (
                not isinstance(key, str)
                or not re.fullmatch(stack_names.PATTERN, key)
                or key in OWN_SERVICES
            ):
                raise RefusedError(
                    f"the name {show(key)}",
                    f"{stack_names.CHARACTERS}, not "
                    f"{', '.join(OWN_SERVICES[:-1])} or {OWN_SERVICES[-1]}",
                )
            if not isinstance(service, dict) or not isinstance(service.get("image"), str):
                raise RefusedError(
                    f"the service {key}", "a mapping of Compose's keys with an image"
                )
            # Members' addresses come from edge: a guest there could inherit a replica's address.
            if "edge" in (service.get("networks") or ()):
                raise RefusedError(
                    f"the network edge of the service {key}", "data, default or none at all"
                )
        return given

    return Field("dict", allowed, read)


FIELDS: dict[str, Field] = {
    "stack_name": text(stack_names.PATTERN, stack_names.ALLOWED),
    "mode": choice("production", "development"),
    "replicas": _replicas(),
    "rollout_surge": whole(1, 100),
    "app_image": text(
        _IMAGE,
        "an image's name without a tag, such as registry.example.com/team/name; "
        "the tag is app_version",
    ),
    "app_version": text(rf"{_TAG}|{_DIGEST}", "a tag such as 1.2 or a digest sha256:…"),
    "app_port": _port(),
    "app_health_path": _path(),
    "app_health_interval": number(0.1, 60),
    "app_health_timeout": number(0.1, 60),
    "app_health_rise": whole(1, 20),
    "app_health_fall": whole(1, 20),
    "app_health_status": statuses(),
    "app_env": mapping_of(
        text(
            r"[A-Za-z_][A-Za-z0-9_.-]{0,127}", "letters, digits, _, . and -, no digit at the front"
        ),
        value_text(),
        'a mapping such as {"NAME": "value"}',
    ),
    "app_secrets": mapping_of(
        text(r"[a-z0-9A-Z_][a-z0-9A-Z_.-]{0,63}", "1 to 64 letters, digits, _, . and -"),
        value_text(),
        'a mapping such as {"name": "value"}',
        secret=True,
    ),
    "app_volumes": list_of(_volume(), 'a list such as ["uploads:/data"]'),
    "app_command": command(),
    "app_user": text(
        r"[a-z0-9_][a-z0-9_-]{0,31}(?::[a-z0-9_][a-z0-9_-]{0,31})?", "USER or USER:GROUP"
    ),
    "app_read_only": flag(),
    "app_cpus": number(0.01, 512),
    "app_memory": size("6m", "16t"),
    "app_cpu_reservation": number(0.01, 512),
    "app_memory_reservation": size("6m", "16t"),
    "app_start_timeout": seconds(1, _HOUR),
    "app_drain_timeout": seconds(1, _DAY),
    "app_stop_grace": seconds(1, _HOUR),
    "app_pre_deploy": command(),
    "extra_services": _services(),
    "database": choice("embedded", "none"),
    "database_image": _reference(),
    "database_memory": size("64m", "16t"),
    "tls_mode": choice("none", "self_signed", "provided", "acme"),
    "tls_certificate": _file(),
    "tls_certificate_key": _file(),
    "tls_redirect": flag(),
    "tls_hsts": whole(0, 10 * 366 * _DAY),
    "tls_http3": flag(),
    "acme_directory": text(r"https://[^\s\0]{1,500}", "the URL of an ACME directory, https://…"),
    "acme_email": text(r"[^\s@\0]{1,64}@[^\s@\0]{1,190}", "an address such as ops@example.com"),
    "acme_ca_file": text(r"/[^\0]{1,4000}", "the absolute path of a file on the host"),
    "acme_renew_days": whole(1, 89),
    "acme_timer": flag(),
    "balancer_image": _reference(),
    "balancer_http_port": _port(),
    "balancer_https_port": _port(),
    "balancer_status_port": _port(),
    "balancer_ipv6": flag(),
    "balancer_server_names": list_of(
        text(
            rf"_|(?=.{{1,253}}\Z)(?:\*\.)?{_HOST_LABEL}(?:\.{_HOST_LABEL})*",
            "host names such as example.com or *.example.com",
        ),
        "a list of host names",
    ),
    "balancer_body_size": size("1k", "100g"),
    "balancer_read_timeout": seconds(1, _DAY),
    "balancer_stream_paths": list_of(_path(), "a list of paths"),
    "balancer_api_paths": list_of(_path(), "a list of paths"),
    "balancer_keepalive_timeout": seconds(1, _HOUR),
    "balancer_keepalive_min_timeout": seconds(0, _HOUR),
    "balancer_upstream_keepalive_timeout": seconds(1, _HOUR),
    "balancer_paths": list_of(
        _mapping('a mapping such as {"path": "/upload/", "body_size": "100m"}'), "a list of rules"
    ),
    "balancer_sticky": choice("none", "cookie"),
    "balancer_sticky_cookie": text(r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, _ and -"),
    "balancer_client_timeout": seconds(1, _HOUR),
    "balancer_header_size": size("4k", "256k"),
    "balancer_security_headers": flag(),
    "keeper_enabled": flag(),
    "keeper_port": _port(),
    "keeper_restart_after": seconds(1, _HOUR),
    "rate_limits_enabled": flag(),
    "rate_limits": list_of(
        _mapping('a mapping such as {"path": "/api/", "rate": "30r/s", "burst": 50}'),
        'a list such as [{"path": "/", "rate": "10r/s"}]',
    ),
    "rate_limits_dry_run": flag(),
    "api_key_header": text(
        r"[A-Za-z][A-Za-z0-9-]{0,63}", "the name of a header, such as X-API-Key"
    ),
    "api_key_tiers": mapping_of(
        text(r"[a-z][a-z0-9_]{0,31}", "1 to 32 lower-case letters, digits and _"),
        _mapping('a mapping such as {"rate": "50r/s", "burst": 100}'),
        'a mapping such as {"gold": {"rate": "50r/s", "burst": 100}}',
    ),
    "api_keys": mapping_of(
        text(r"[a-z0-9A-Z_][a-z0-9A-Z_.-]{0,63}", "1 to 64 letters, digits, _, . and -"),
        _mapping('a mapping such as {"key": "…", "tier": "gold"}'),
        'a mapping such as {"partner": {"key": "…", "tier": "gold"}}',
        secret=True,
    ),
    "connection_limit": whole(0, 65_535),
    "rate_limit_exempt": list_of(network(), "a list of addresses and networks"),
    "trusted_proxies": list_of(network(), "a list of addresses and networks"),
    "proxy_protocol": flag(),
    "docker_engine_source": choice("auto", "docker", "distribution", "none"),
    "images_source": choice("auto", "pull", "build", "archive"),
    "images_archive": text(r"[^\0]{1,4096}", "the path of an archive on the controller"),
    "lock_stale_after": seconds(5, _HOUR),
    "verify_requests": whole(1, 100000),
    "scale_auto": flag(),
    "scale_auto_interval": seconds(60, 1800),
    **{f"{SCALE}{name}": field for name, field in THRESHOLD_FIELDS.items()},
    **settings_monitor.FIELDS,
    **capacity_settings.FIELDS,
    "fault": choice("crash", "stop", "hang", "sick", "network", "balancer", "keeper", "engine"),
    "drill_rate": whole(1, 200),
    "drill_path": _path(),
    "drill_confirm": flag(),
    "traffic_since": moment_field(),
    "traffic_until": moment_field(),
    "traffic_top": whole(1, MOST_TOP),
    "baseline": choice("show", "save", "drop"),
    "certificate_renew": flag(),
    "state": _switch(),
    "maintenance_allow": list_of(network(), "a list of addresses and networks"),
    "maintenance_message": text(r"[^\0\r\n]{1,500}", "one line of text"),
    "maintenance_retry_after": seconds(1, _DAY),
    "remove_data": choice("ask", "keep", "delete"),
    "settings_other_variables": list_of(
        text(r"[A-Za-z_][A-Za-z0-9_]*", "names of variables"), "a list of names of variables"
    ),
}
SECRET_FIELDS = settings_monitor.SECRET_FIELDS | {"app_secrets", "api_keys"}


def read_field(name: str, value: object) -> object:
    """Return the typed value of the variable `name`.

    Raises LoadBalancingError: `<name>: <value> is not allowed: <what is>. Set the variable <name>.`
    """
    try:
        return FIELDS[name].read(plain(value))
    except RefusedError as refused:
        advice = refused.advice or f"Set the variable {name}."
        raise LoadBalancingError(
            f"{name}: {refused.shown} is not allowed: {refused.allowed}. {advice}"
        ) from None
