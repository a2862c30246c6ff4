# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take releases into force: render, compare, test, switch. Nothing here starts or stops a
container.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils import compose
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Balancer
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    NGINX_CONF,
    BalancerSpec,
    render,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_spec import (
    CertificateSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.compose_spec import StackSpec
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    read_configuration,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import (
    REVISION,
    DockerHost,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.key_store import KeyStore
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_keys import (
    keys_file,
    parse_keys,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import (
    COMPOSE,
    DEPLOYED,
    FAILED,
    NGINX,
    STACK,
    Release,
    Releases,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.secret_store import SecretStore
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings import secret_values
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack


@dataclass(frozen=True)
class Inputs:
    """What a release is rendered from: mappings for StackSpec and BalancerSpec, and
    secrets.
    """

    settings: Mapping[str, Any]
    balancer: Mapping[str, Any]
    secrets: Mapping[str, str]
    generated_secrets: Sequence[str]
    surge: int
    api_keys: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """What happened: the release in force, and the files of the one before."""

    number: int
    release: Release
    before: Mapping[str, str]
    changed: bool
    pre_deploy: bool = False

    def diff(self) -> list[dict[str, str]]:
        """What people should see: the Compose project and nginx's configuration, or the description
        of the stack where nothing else changes.
        """
        after = self.release.texts()
        differing = [
            name for name in (COMPOSE, NGINX, STACK) if self.before.get(name) != after[name]
        ]
        return [
            {
                "before_header": name,
                "after_header": name,
                "before": self.before.get(name, ""),
                "after": after[name],
            }
            for name in differing
            if name != STACK or differing == [STACK]
        ]


class ReleaseWork:
    """The releases of one stack, changed under the deploy lock; with ``dry`` nothing is changed."""

    def __init__(self, paths: StackPaths, lock: str | None, dry: bool) -> None:
        self._paths = paths
        self._token = lock or ""
        self._dry = dry
        self._releases = Releases(paths)

    def present(self, inputs: Inputs) -> Change:
        """The release that these inputs describe."""
        if self._dry:
            return self._take(render_release(self._paths, inputs, dry=True))
        with DeployLock(self._paths).held(self._token):
            return self._take(render_release(self._paths, inputs, dry=False))

    def scaled(self, count: int) -> Change:
        """The release in force with another number of replicas."""
        return self._locked(lambda: self._in_force().scaled(count))

    def previous(self) -> Change:
        """The newest deployed release with other replicas, in today's number."""
        today = self._in_force().stack
        number = self._releases.previous()
        if not number:
            raise LoadBalancingError(
                f"The stack {self._paths.name} has no earlier release to go back to: "
                f"all that are kept run {today.image}. "
                "Deploy the version that you want with app_version."
            )
        return self._locked(lambda: self._releases.read(number).scaled(today.count))

    def restored(self) -> Change:
        """The last release that was carried out, after a run that failed."""
        current = self._releases.current()
        before = self._releases.texts(current)
        if self._releases.status(current) == DEPLOYED:
            return Change(current, self._in_force(), before, changed=False)
        number = self._releases.last_deployed()
        if not number:  # the first deploy failed: there is nothing to go back to
            return Change(current, self._in_force(), before, changed=False)
        if not self._dry:
            with DeployLock(self._paths).held(self._token):
                self._releases.mark(current, FAILED)
                self._releases.take_into_force(number)
        return Change(number, self._releases.read(number), before, changed=True)

    def deployed(self) -> Change:
        """Remember that the release in force was carried out."""
        current = self._releases.current()
        change = Change(current, self._in_force(), self._releases.texts(current), changed=False)
        if self._dry or self._releases.status(current) == DEPLOYED:
            return change
        with DeployLock(self._paths).held(self._token):
            self._releases.mark(current, DEPLOYED)
            unused = self._releases.prune()
            if unused:
                DockerHost.connect(self._paths).remove_images(unused)
            used = [
                path for number in self._releases.numbers() for path in self._secret_files(number)
            ]
            SecretStore(self._paths).prune(used)
            texts = [self._releases.texts(number)[NGINX] for number in self._releases.numbers()]
            KeyStore(self._paths).prune([*texts, read_configuration(self._paths).static])
        return change

    def _secret_files(self, number: int) -> Iterable[str]:
        """The paths of secrets that a release uses; none of a damaged one, nobody can go back to
        it.
        """
        try:
            return self._releases.read(number).secret_files.values()
        except LoadBalancingError:
            return ()

    def _in_force(self) -> Release:
        number = self._releases.current()
        if not number:
            raise LoadBalancingError(
                f"There is no stack {self._paths.name} in {self._paths.root}. "
                "Run the playbook deploy first, or correct stack_name."
            )
        return self._releases.read(number)

    def _locked(self, make: Callable[[], Release]) -> Change:
        if self._dry:
            return self._take(make())
        with DeployLock(self._paths).held(self._token):
            return self._take(make())

    def _take(self, release: Release) -> Change:
        """Take a release into force unless the one in force says the same."""
        current = self._releases.current()
        before = self._releases.texts(current) if current else {}
        same = before == release.texts()
        pending = not same or self._releases.status(current) != DEPLOYED
        run_first = pending and self._brings_other_replicas(release)
        if same:
            return Change(current, release, before, changed=False, pre_deploy=run_first)
        if self._dry:
            return Change(current + 1, release, before, changed=True, pre_deploy=run_first)
        number = self._write(release)
        return Change(number, release, before, changed=True, pre_deploy=run_first)

    def _write(self, release: Release) -> int:
        owner = DeployLock(self._paths).owner()
        number = self._releases.add(release, owner.who if owner else "unknown")
        try:
            self._test(release, number)
        except LoadBalancingError:
            self._releases.discard(number)
            raise
        self._releases.take_into_force(number)
        return number

    def _test(self, release: Release, number: int) -> None:
        """Let Compose and nginx read what they will have to run with."""
        host = DockerHost.connect(self._paths)
        host.compose("config", "--quiet", file=self._releases.file(number, COMPOSE))
        Balancer.of(release.stack, host).check(release.nginx)

    def _brings_other_replicas(self, release: Release) -> bool:
        try:
            there = self._releases.read(self._releases.last_deployed()).stack
        except LoadBalancingError:
            return True  # nothing was carried out yet, or nobody can tell what
        return (there.revision, there.image) != (release.stack.revision, release.stack.image)


def render_release(paths: StackPaths, inputs: Inputs, dry: bool) -> Release:
    """A release from what roles hand over. Writes the secrets, unless ``dry``."""
    if not dry:
        paths.create()
    secret_files = SecretStore(paths, dry).store(
        secret_values(inputs.secrets), inputs.generated_secrets
    )
    spec = StackSpec.from_mapping(inputs.settings)
    mapping = balancer_mapping(inputs.balancer)
    keys = parse_keys(dict(inputs.api_keys), mapping.get("api_key_tiers") or {})
    mapping["api_keys_file"] = KeyStore(paths, dry).store(keys_file(keys))
    balancer = BalancerSpec.from_mapping(mapping)
    project = compose.project(spec, {name: f"./{path}" for name, path in secret_files.items()})
    stack = Stack(
        name=paths.name,
        port=spec.port,
        health_path=spec.health_path,
        health_interval=spec.health_interval,
        health_timeout=spec.health_timeout,
        health_rise=spec.health_rise,
        health_fall=spec.health_fall,
        health_statuses=spec.health_statuses,
        start_timeout=float(spec.start_timeout),
        drain_timeout=float(balancer.drain_timeout),
        stop_grace=int(spec.stop_grace),
        balancer_image=str(inputs.settings["images"]["balancer"]),
        balancer_ports=(balancer.http_port, *((balancer.https_port,) if balancer.tls else ())),
        status_port=balancer.status_port,
        count=project["services"]["app"]["deploy"]["replicas"],
        surge=inputs.surge,
        revision=project["services"]["app"]["labels"][REVISION],
        image=str(inputs.settings["images"]["app"]),
        version=str(inputs.settings["version"]),
        keeper_enabled=spec.keeper_enabled,
        keeper_port=spec.keeper_port,
        restart_after=float(spec.restart_after),
        tls=CertificateSpec.from_mapping(spec.tls),
    )
    return Release(project, render(balancer)[NGINX_CONF], stack, secret_files)


def balancer_mapping(given: Mapping[str, Any]) -> dict[str, Any]:
    """The balancer's settings for this host: no IPv6 where the kernel has none."""
    wanted = bool(given.get("ipv6", True))
    return {**given, "ipv6": wanted and os.path.exists("/proc/net/if_inet6")}
