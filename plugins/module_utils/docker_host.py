# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that talks to Docker: the engine through the ``docker`` SDK, Compose through its
command.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.programs import capture, tail
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    HEALTHY,
    ILL,
    STARTING,
    STOPPED,
    Replica,
)


def _keep_setuptools_out(loaded: Mapping[str, Any], version: tuple[Any, ...]) -> None:
    """Have distutils be Python's own, as long as Python has one.

    The SDK of Debian 12 asks distutils for one function. Debian's setuptools puts a distutils of
    its own before Python's, and all of setuptools with it: 0.25 s for each task of a playbook.
    """
    stand_in = loaded.get("_distutils_hack")
    if stand_in is not None and version < (3, 12):
        stand_in.remove_shim()


_keep_setuptools_out(sys.modules, sys.version_info)

try:
    import docker
    import docker.errors

    HAS_DOCKER = True
except ImportError:  # told in a sentence by connect(): a virgin host has no SDK yet
    HAS_DOCKER = False

LABEL = "digiz.load_balancing"
STACK, ROLE, REVISION, VERSION = (
    f"{LABEL}.{name}" for name in ("stack", "role", "revision", "version")
)
REPLICA = "replica"
ONCE = "once"
ONE_OFF = "com.docker.compose.oneoff"
MAX_PROBES = 16
NOT_BEGUN = "waiting for init preliminary setup"
"""What runc says when the kernel gives it no process in time: nothing of the container has run."""
RETRY_PAUSE = 1.0
ENGINE_TIMEOUT = 60
"""Seconds that the engine may take for one answer."""

LONGEST_GRACE = 30
"""Seconds that a container gets to end where nobody drains it; the engine answers after them."""


def engine_is_there() -> bool:
    """Whether an engine can be reached with the SDK, without saying what is wrong if not."""
    try:
        DockerHost.connect(StackPaths(""))
    except LoadBalancingError:
        return False
    return True


class DockerHost:
    """The engine of this host, seen from one stack."""

    def __init__(self, paths: StackPaths, client: Any) -> None:
        self.paths = paths
        self._client = client

    @classmethod
    def connect(cls, paths: StackPaths, timeout: int = ENGINE_TIMEOUT) -> DockerHost:
        """Reach the engine. Raises LoadBalancingError when there is none or it does not answer."""
        if not HAS_DOCKER:
            raise LoadBalancingError(
                "The docker SDK for Python is missing on the host. "
                "The role docker_engine installs it (Debian's package python3-docker)."
            )
        try:
            client = docker.from_env(version="auto", timeout=timeout)
            client.ping()
        except (docker.errors.DockerException, OSError) as error:
            raise LoadBalancingError(
                f"Docker's engine does not answer: {error}. "
                "The role docker_engine installs and starts it."
            ) from error
        return cls(paths, client)

    def containers(self, **labels: str) -> list[dict[str, Any]]:
        """This stack's containers with these labels (``role="replica"``), running or not, as the
        engine's API lists them.

        Containers that ``docker compose run`` made carry the role of their service, too.
        """
        wanted = [f"{STACK}={self.paths.name}"] + [
            f"{LABEL}.{key}={value}" for key, value in labels.items()
        ]
        found = self._call(lambda: self._client.api.containers(all=True, filters={"label": wanted}))
        return list(found)

    def replicas(self, is_healthy: Callable[[str], bool]) -> tuple[Replica, ...]:
        """This stack's replicas. ``is_healthy(address)`` is asked for each one that runs."""
        lasting = [one for one in self.containers(role=REPLICA) if is_lasting(one)]
        with ThreadPoolExecutor(max_workers=MAX_PROBES) as pool:
            found = list(pool.map(lambda one: self.replica(one, is_healthy), lasting))
        return tuple(sorted(found, key=lambda replica: replica.number))

    def replica(self, container: dict[str, Any], is_healthy: Callable[[str], bool]) -> Replica:
        """A container as :meth:`containers` lists it, as a replica."""
        labels = container["Labels"]
        address = self._edge_address(container)
        return Replica(
            id=container["Id"],
            name=container["Names"][0].lstrip("/"),
            number=int(labels.get("com.docker.compose.container-number", 0)),
            revision=labels.get(REVISION, ""),
            image_id=container["ImageID"],
            version=labels.get(VERSION, ""),
            address=address,
            state=_state(container, address, is_healthy),
        )

    def _edge_address(self, container: dict[str, Any]) -> str:
        networks = container["NetworkSettings"]["Networks"]
        edge = networks.get(f"{self.paths.name}_edge") or {}
        return str(edge.get("IPAddress") or "")

    def image_id(self, reference: str) -> str:
        """The id of the image that a reference means on this host, empty if there is none."""
        try:
            return str(self._client.api.inspect_image(reference)["Id"])
        except docker.errors.NotFound:
            return ""
        except (docker.errors.DockerException, OSError) as error:
            raise LoadBalancingError(
                f"The engine cannot look at the image {reference}: {error}."
            ) from error

    def remove_images(self, references: Iterable[str]) -> None:
        """Remove these images, except for those that a container still uses."""
        for reference in sorted(references):
            try:
                self._client.api.remove_image(reference)
            except (docker.errors.DockerException, OSError):
                continue  # in use or gone already: nothing depends on it here

    def inspect(self, container: str) -> dict[str, Any]:
        """Everything the engine knows of a container; an empty mapping if it is gone."""
        try:
            return dict(self._client.api.inspect_container(container))
        except docker.errors.NotFound:
            return {}
        except (docker.errors.DockerException, OSError) as error:
            raise LoadBalancingError(
                f"The engine cannot look at {container[:12]}: {error}."
            ) from error

    def balancer(self) -> dict[str, Any]:
        """The running balancer, inspected; an empty mapping if none runs. While one replaces
        another, the new one.
        """
        return next(iter(self.balancers()), {})

    def balancers(self) -> list[dict[str, Any]]:
        """All running balancers, inspected, the newest first: two while one replaces the other."""
        rows = [one for one in self.containers(role="balancer") if is_lasting(one)]
        rows = [one for one in rows if one["State"] == "running"]
        rows.sort(key=lambda one: (one.get("Created", 0), one["Id"]), reverse=True)
        found = [self.inspect(one["Id"]) for one in rows]
        return [one for one in found if one.get("State", {}).get("Pid")]

    def logs(self, container: str, lines: int = 30) -> str:
        """The last lines that a container printed, control characters other than line ends taken
        out.
        """
        raw = self._call(lambda: self._client.api.logs(container, tail=lines)).decode(
            "utf-8", "replace"
        )
        return "".join(c for c in raw if c.isprintable() or c in "\n\t").strip()

    def events(self, *words: str) -> Iterator[tuple[str, str]]:
        """Wait for what happens to this stack's containers: the engine's word (``start``, ``die``,
        …) and the container's id, until the engine ends the stream.
        """
        filters = {"type": "container", "label": f"{STACK}={self.paths.name}", "event": list(words)}
        stream = self._call(lambda: self._client.api.events(decode=True, filters=filters))
        try:
            for event in stream:
                yield str(event.get("Action", "")), str(event.get("Actor", {}).get("ID", ""))
        except (docker.errors.DockerException, OSError, ValueError) as error:
            raise LoadBalancingError(f"Docker's engine ended its events: {error}.") from error

    def info(self) -> dict[str, Any]:
        """What the engine says of itself, as ``docker info``."""
        return dict(self._call(self._client.api.info))

    def processes(self, container: str) -> list[int]:
        """The host's ids of all processes in a running container, the first one first."""
        table = self._call(lambda: self._client.api.top(container, ps_args="-eo pid"))
        return [int(row[0]) for row in table["Processes"]]

    def start(self, container: str) -> None:
        """Start a container that does not run."""
        self._call(lambda: self._client.api.start(container))

    def stop(self, container: str, grace: int) -> None:
        """SIGTERM, ``grace`` seconds, SIGKILL. The engine does not start it again by itself."""
        self._call(lambda: self._client.api.stop(container, timeout=grace))

    def unpause(self, container: str) -> None:
        """Let a paused container run on."""
        self._call(lambda: self._client.api.unpause(container))

    def connect_network(self, container: str, network: str) -> None:
        """Connect a container to a network of this stack (``edge``, ``data``)."""
        name = f"{self.paths.name}_{network}"
        self._call(lambda: self._client.api.connect_container_to_network(container, name))

    def disconnect_network(self, container: str, network: str) -> None:
        """Disconnect a container from a network of this stack."""
        name = f"{self.paths.name}_{network}"
        self._call(
            lambda: self._client.api.disconnect_container_from_network(container, name, force=True)
        )

    def signal(self, container: str, name: str) -> None:
        """Send a signal to the main process of a container."""
        self._call(lambda: self._client.api.kill(container, name))

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command in a running container; gives its exit status and what it printed."""
        run = self._call(lambda: self._client.api.exec_create(container, list(command)))
        output = self._call(lambda: self._client.api.exec_start(run["Id"]))
        status = self._call(lambda: self._client.api.exec_inspect(run["Id"]))["ExitCode"]
        return int(status), output.decode("utf-8", "replace").strip()

    def stop_and_remove(self, container: str, grace: int) -> None:
        """SIGTERM, ``grace`` seconds, SIGKILL, gone with its anonymous volumes. A container that is
        gone already is fine; one that a killed run had begun to remove is waited for.
        """
        try:
            self._client.api.stop(container, timeout=grace)
            self._client.api.remove_container(container, v=True, force=True)
        except docker.errors.NotFound:
            return
        except (docker.errors.DockerException, OSError) as error:
            if "already in progress" not in str(error):
                raise LoadBalancingError(
                    f"The engine cannot remove {container[:12]}: {error}."
                ) from error
            self._wait_until_gone(container)

    def _wait_until_gone(self, container: str) -> None:
        deadline = time.monotonic() + ENGINE_TIMEOUT
        while self.inspect(container):
            if time.monotonic() > deadline:
                raise LoadBalancingError(
                    f"The engine has been removing {container[:12]} for {ENGINE_TIMEOUT} s. "
                    "Look at it with docker ps --all."
                )
            time.sleep(0.1)

    def project_networks(self) -> list[str]:
        """Names of the networks that Compose made for this stack."""
        found = self._call(lambda: self._client.api.networks(filters={"label": self._project()}))
        return sorted(str(network["Name"]) for network in found)

    def project_volumes(self) -> list[str]:
        """Names of the volumes that Compose made for this stack."""
        found = self._call(lambda: self._client.api.volumes(filters={"label": self._project()}))
        return sorted(str(volume["Name"]) for volume in found.get("Volumes") or [])

    def remove_network(self, name: str) -> None:
        """Remove a network that no container uses."""
        self._call(lambda: self._client.api.remove_network(name))

    def remove_volume(self, name: str) -> None:
        """Remove a volume with what is in it."""
        self._call(lambda: self._client.api.remove_volume(name))

    def _project(self) -> str:
        return f"com.docker.compose.project={self.paths.name}"

    def compose(self, *arguments: str, file: str = "", timeout: float = 600) -> str:
        """Run ``docker compose`` on the stack's project; gives what it printed on standard output.

        ``file`` names another project file than the one in force. Raises LoadBalancingError with
        Compose's last lines.
        """
        command = ["docker", "compose", "--project-name", self.paths.name]
        command += ["--project-directory", self.paths.root, "--file", file or self.paths.compose]
        what = f"docker compose {' '.join(arguments)}"
        done = capture([*command, *arguments], what, timeout)
        if done.status and NOT_BEGUN in done.errors:
            time.sleep(RETRY_PAUSE)
            done = capture([*command, *arguments], what, timeout)
        if done.status:
            raise LoadBalancingError(
                f"{what} failed ({done.status}).{tail(done.errors or done.output, 30)}"
            )
        return done.output

    def run_once(self, image: str, command: Sequence[str], binds: Sequence[str]) -> tuple[int, str]:
        """Run a command in a container that is thrown away, without a network; gives exit status
        and output. One that a killed run has left goes first: hold a lock of the stack.
        """
        api = self._client.api
        for left in self.containers(role=ONCE):
            self.stop_and_remove(left["Id"], 1)
        config = api.create_host_config(
            binds=list(binds),
            network_mode="none",
            cap_drop=["ALL"],
            cap_add=["CHOWN", "DAC_OVERRIDE"],
        )
        created = self._call(
            lambda: api.create_container(
                image,
                entrypoint=list(command),
                command=[],
                host_config=config,
                labels={STACK: self.paths.name, ROLE: ONCE, ONE_OFF: "True"},
            )
        )
        try:
            self._call(lambda: api.start(created["Id"]))
            done = self._call(lambda: api.wait(created["Id"], timeout=ENGINE_TIMEOUT))
            return int(done["StatusCode"]), self.logs(created["Id"])
        finally:
            self._call(lambda: api.remove_container(created["Id"], force=True))

    @staticmethod
    def _call(function: Callable[[], Any]) -> Any:
        try:
            return function()
        except (docker.errors.DockerException, OSError) as error:
            raise LoadBalancingError(f"Docker's engine refused: {error}.") from error


def is_lasting(container: dict[str, Any]) -> bool:
    """Whether a container is one of the service, not one that ``docker compose run`` made."""
    return bool(container["Labels"].get(ONE_OFF) != "True")


def _state(container: dict[str, Any], address: str, is_healthy: Callable[[str], bool]) -> str:
    """Health is decided by our own probe; Docker's health check only tells a slow start from an
    illness.
    """
    if container["State"] != "running":
        return ILL if container["State"] in ("paused", "restarting") else STOPPED
    if address and is_healthy(address):
        return HEALTHY
    return STARTING if "health: starting" in container["Status"] else ILL
