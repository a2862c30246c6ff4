# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Compose project of a stack, as plain data (docs/decisions/0001-rooms-and-contracts.md).

Secrets are bind-mounted by path instead of Compose's `secrets:` (which does the same on one host):
so the path, which changes with the secret, is part of the service and thereby of its revision.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.compose_spec import (
    StackSpec,
    quoted,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.statuses import shell_patterns

LABEL = "digiz.load_balancing"
REVISION_LABEL = f"{LABEL}.revision"
APP, BALANCER, DATABASE, PRE_DEPLOY = "app", "balancer", "database", "pre-deploy"
DATABASE_SECRET = "database_password"
DATABASE_CONNECTIONS = 500
# Nobody can connect while nginx ends what it has and is made anew.
BALANCER_GRACE = "10s"
BUSYBOX_ON_HOST, BUSYBOX = "/bin/busybox", "/.health/busybox"
_REVISION_DIGITS = 12
# Standard input and output are the connection; $0 is the path.
_ASK = (
    r'printf "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" "$0"; '
    r"read -t 3 -r protocol status rest; "
)
_LOGGING = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
_NO_NEW_PRIVILEGES = ["no-new-privileges:true"]


def project(spec: StackSpec, secret_files: Mapping[str, str]) -> dict[str, Any]:
    """Return the Compose project of `spec`, ready for yaml_text.dump().

    `secret_files` maps each name of spec.secrets to its file, absolute or in the stack's folder.
    Raises LoadBalancingError for a secret without a file and for texts that Compose cannot hold.
    """
    missing = sorted(set(spec.secrets) - set(secret_files))
    if missing:
        raise LoadBalancingError(
            f"app_secrets: {', '.join(missing)} has no file on the host. "
            "Set the variable app_secrets."
        )
    services = {APP: _app(spec, secret_files)}
    if spec.pre_deploy:
        services[PRE_DEPLOY] = _pre_deploy(spec, secret_files)
    services[BALANCER] = _balancer(spec)
    if spec.embedded_database:
        services[DATABASE] = _database(spec, secret_files)
    for name, service in spec.extra_services.items():
        services[name] = _extra(spec, service)
    result: dict[str, Any] = {"name": spec.stack_name, "services": services}
    result["networks"] = {"edge": {}, **({"data": {"internal": True}} if _has_data(spec) else {})}
    volumes = _named_volumes(spec)
    if volumes:
        result["volumes"] = {name: {} for name in volumes}
    result = quoted(result)
    for service in result["services"].values():
        service["labels"][REVISION_LABEL] = revision(service)
    return result


def revision(service: Mapping[str, Any]) -> str:
    """Return the fingerprint of a service: 12 hexadecimal digits.

    The number of replicas and the label that holds the fingerprint do not count, so it can be
    told from the finished project, too.
    """
    deploy = {key: value for key, value in service.get("deploy", {}).items() if key != "replicas"}
    labels = {k: v for k, v in service.get("labels", {}).items() if k != REVISION_LABEL}
    counted = {**service, "deploy": deploy, "labels": labels}
    text = json.dumps(counted, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_REVISION_DIGITS]


def _labels(spec: StackSpec, role: str) -> dict[str, str]:
    return {f"{LABEL}.stack": spec.stack_name, f"{LABEL}.role": role}


def _has_data(spec: StackSpec) -> bool:
    return spec.embedded_database or bool(spec.extra_services)


def _bind(source: str, target: str, read_only: bool = True) -> dict[str, Any]:
    """A folder or file of the host; a missing one is an error rather than an empty new folder."""
    return {
        "type": "bind",
        "source": source,
        "target": target,
        "read_only": read_only,
        "bind": {"create_host_path": False},
    }


def _secret_mounts(
    spec: StackSpec, names: tuple[str, ...], files: Mapping[str, str]
) -> list[dict[str, Any]]:
    paths = {name: posixpath.join(spec.directory, files[name]) for name in names}
    return [_bind(paths[name], f"/run/secrets/{name}") for name in sorted(names)]


def _image_and_settings(spec: StackSpec, files: Mapping[str, str]) -> dict[str, Any]:
    """What the replicas and the command before them have in common."""
    service: dict[str, Any] = {
        "image": spec.images["app"],
        # The role images provides it; a moving tag must not change between two replicas.
        "pull_policy": "never",
        "environment": dict(sorted(spec.environment.items())),
        "volumes": [*spec.volumes, *_secret_mounts(spec, spec.secrets, files)],
        "init": True,
        "security_opt": list(_NO_NEW_PRIVILEGES),
        "logging": _LOGGING,
    }
    if spec.user:
        service["user"] = spec.user
    if spec.read_only:
        service.update({"read_only": True, "cap_drop": ["ALL"]})
        if not any(volume.split(":")[1].rstrip("/") == "/tmp" for volume in spec.volumes):
            service["tmpfs"] = ["/tmp"]
    return service


def _app(spec: StackSpec, files: Mapping[str, str]) -> dict[str, Any]:
    service = _image_and_settings(spec, files)
    if spec.command:
        service["command"] = list(spec.command)
    service["volumes"].append(_bind(BUSYBOX_ON_HOST, BUSYBOX))
    service["networks"] = ["edge", *(["data"] if _has_data(spec) else [])]
    service["labels"] = {**_labels(spec, "replica"), f"{LABEL}.version": spec.version}
    service["healthcheck"] = {
        "test": _health_test(spec),
        "interval": "5s",
        "timeout": "4s",
        "retries": 3,
        "start_period": f"{spec.start_timeout}s",
    }
    service["restart"] = "unless-stopped"
    service["stop_grace_period"] = f"{spec.stop_grace}s"
    service["deploy"] = {"replicas": spec.wanted_replicas}
    if spec.limited:
        service["deploy"]["resources"] = {
            "limits": {"cpus": f"{spec.cpus:g}", "memory": spec.memory},
            "reservations": {
                "cpus": f"{spec.cpu_reservation:g}",
                "memory": spec.memory_reservation,
            },
        }
    return service


def _health_test(spec: StackSpec) -> list[str]:
    """Return the check that Docker runs in a replica: one process of the host's static busybox.

    Not `wget`: it looks the port of "http" up, for which glibc, even a static one, loads libraries
    of the image, and crashes if they are of another version (seen: bookworm's in a forky image).
    """
    connect = [BUSYBOX, "nc", "-w", "3", "127.0.0.1", str(spec.port), "-e"]
    judge = f'case "$status" in {shell_patterns(spec.health_statuses)}) exit 0;; esac; exit 1'
    return ["CMD", *connect, BUSYBOX, "sh", "-c", _ASK + judge, spec.health_path]


def _pre_deploy(spec: StackSpec, files: Mapping[str, str]) -> dict[str, Any]:
    """The command is a whole one, so it replaces the image's entrypoint, too.

    It is not in `edge`, where only replicas may get addresses; `default` is its way out.
    """
    return {
        **_image_and_settings(spec, files),
        "profiles": [PRE_DEPLOY],
        "entrypoint": list(spec.pre_deploy),
        "networks": ["default", *(["data"] if _has_data(spec) else [])],
        "labels": {**_labels(spec, "pre_deploy"), f"{LABEL}.version": spec.version},
        "restart": "no",
    }


def _balancer(spec: StackSpec) -> dict[str, Any]:
    configuration = "/etc/balancer/current/nginx.conf"
    return {
        "image": spec.images["balancer"],
        "pull_policy": "never",
        # -e: nginx complains about its compiled-in log file before it reads any configuration.
        "entrypoint": ["nginx", "-e", "stderr", "-c", configuration, "-g", "daemon off;"],
        "network_mode": "host",
        "volumes": [
            _bind(f"{spec.directory}/nginx", "/etc/balancer"),
            _bind(f"{spec.directory}/logs", "/var/log/balancer", read_only=False),
        ],
        "labels": _labels(spec, "balancer"),
        "restart": "unless-stopped",
        "stop_signal": "SIGQUIT",
        "stop_grace_period": BALANCER_GRACE,
        "read_only": True,
        "tmpfs": ["/tmp", "/run"],
        "cap_drop": ["ALL"],
        # Ports below 1024, workers of another user, signals to them, their temporary folders, and
        # a log that belongs to them after its rotation.
        "cap_add": ["CHOWN", "DAC_OVERRIDE", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"],
        "security_opt": list(_NO_NEW_PRIVILEGES),
        "logging": _LOGGING,
    }


def _database(spec: StackSpec, files: Mapping[str, str]) -> dict[str, Any]:
    service: dict[str, Any] = {
        "image": spec.images["database"],
        "pull_policy": "never",
        # Room for the pools of many replicas; an unused connection costs next to nothing.
        "command": ["postgres", "-c", f"max_connections={DATABASE_CONNECTIONS}"],
        "environment": {
            "PGDATA": "/var/lib/postgresql/data/pgdata",
            "POSTGRES_DB": "chatbot",
            "POSTGRES_PASSWORD_FILE": f"/run/secrets/{DATABASE_SECRET}",
            "POSTGRES_USER": "chatbot",
        },
        "volumes": [
            "database:/var/lib/postgresql/data",
            *_secret_mounts(spec, (DATABASE_SECRET,), files),
        ],
        # Process 1 hears no signal before it has a handler; an entrypoint has none at first.
        "init": True,
        "networks": ["data"],
        "labels": _labels(spec, "database"),
        "healthcheck": {
            # By address: while the first start creates the database, only the socket answers.
            "test": [
                "CMD",
                "pg_isready",
                "-q",
                "-h",
                "127.0.0.1",
                "-U",
                "chatbot",
                "-d",
                "chatbot",
            ],
            "interval": "5s",
            "timeout": "4s",
            "retries": 3,
            "start_period": "60s",
        },
        "restart": "unless-stopped",
        "stop_grace_period": "60s",
        "shm_size": "256m",
        "read_only": True,
        "tmpfs": ["/tmp", "/run/postgresql"],
        "cap_drop": ["ALL"],
        # Its entrypoint gives the folder to postgres and becomes postgres; process 1, which stays
        # root, hands signals on.
        "cap_add": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"],
        "security_opt": list(_NO_NEW_PRIVILEGES),
        "logging": _LOGGING,
    }
    if spec.limited:
        service["deploy"] = {"resources": {"limits": {"memory": spec.database_memory}}}
    return service


def _extra(spec: StackSpec, service: Mapping[str, Any]) -> dict[str, Any]:
    """An operator's own service as it is, with our labels and with defaults for what it omits."""
    labels = service.get("labels") or {}
    if not isinstance(labels, Mapping):
        labels = dict(str(label).partition("=")[::2] for label in labels)
    defaults: dict[str, Any] = {"restart": "unless-stopped", "logging": _LOGGING}
    if "network_mode" not in service:
        defaults["networks"] = ["data", "default"]
    return {**defaults, **service, "labels": {**labels, **_labels(spec, "extra")}}


def _named_volumes(spec: StackSpec) -> list[str]:
    """Return the volumes to declare: the database's, the replicas', those of extra services."""
    found = {"database"} if spec.embedded_database else set()
    found |= {volume.split(":")[0] for volume in spec.volumes}
    for service in spec.extra_services.values():
        for volume in service.get("volumes") or ():
            if isinstance(volume, Mapping):
                found.add(str(volume.get("source", "")) if volume.get("type") == "volume" else "")
            elif ":" in str(volume):
                found.add(str(volume).split(":", maxsplit=1)[0])
    return sorted(name for name in found if name and name[0] not in "/.~")
