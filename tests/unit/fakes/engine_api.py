# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls of the docker SDK that the collection uses, answered by a simulated engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import docker.errors

from tests.unit.fakes.engine import NEVER_HEALTHY, Container, Engine, Service, matches


class Client:
    """Takes the place of ``docker.DockerClient``."""

    def __init__(self, engine: Engine) -> None:
        self.api = Api(engine)
        self._engine = engine

    def ping(self) -> bool:
        """Whether the engine answers."""
        self._engine.called("ping")
        return True


class Api:
    """Takes the place of ``docker.APIClient``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def containers(self, all: bool, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of ``GET /containers/json``."""
        self._engine.called("containers")
        found = self._engine.everyone()
        return [self._row(one) for one in found if matches(one.labels, filters["label"])]

    def inspect_container(self, container: str) -> dict[str, Any]:
        """``GET /containers/{id}/json``, as far as it is used."""
        self._engine.called("inspect", container)
        one = self._find(container)
        ended = one.status != "running"
        return {
            "Id": one.id,
            "RestartCount": one.restart_count,
            "Config": {"Image": "nginx:1.30"},
            "State": {
                "Status": one.status,
                "Pid": one.pid if one.status == "running" else 0,
                "ExitCode": one.behaviour.exit_code if ended else 0,
                "Error": one.behaviour.error if ended else "",
                "StartedAt": f"{_moment(one.started):%FT%T}.123456789Z",
            },
        }

    def inspect_image(self, reference: str) -> dict[str, str]:
        """``GET /images/{name}/json``."""
        self._engine.called("inspect_image", reference)
        if reference not in self._engine.images:
            raise docker.errors.ImageNotFound("no such image")
        return {"Id": self._engine.images[reference]}

    def logs(self, container: str, tail: int) -> bytes:
        """The last lines of a container."""
        self._engine.called("logs", container)
        lines = self._find(container).behaviour.log.splitlines(keepends=True)
        return b"".join(lines[-tail:])

    def kill(self, container: str, signal: str) -> None:
        """Send a signal."""
        self._engine.called("kill", container, signal)
        self._engine.on_signal(self._find(container), signal)

    def stop(self, container: str, timeout: int) -> None:
        """End a container's program."""
        self._engine.called("stop", container, timeout)
        self._engine.stop(self._find(container), timeout)

    def unpause(self, container: str) -> None:
        """Let a container run on. The engine refuses that for one that is not paused."""
        self._engine.called("unpause", container)
        one = self._find(container)
        if one.status != "paused":
            raise docker.errors.APIError(f"Container {container} is not paused")
        one.status = "running"

    def connect_container_to_network(self, container: str, net_id: str) -> None:
        """Connect a container to a network. The engine refuses one that is connected."""
        self._engine.called("connect", container, net_id)
        one = self._find(container)
        if one.address:
            raise docker.errors.APIError(f"endpoint with name {one.name} already exists")
        self._engine.connect(one)

    def disconnect_container_from_network(
        self, container: str, net_id: str, force: bool = False
    ) -> None:
        """Disconnect a container from a network."""
        self._engine.called("disconnect", container, net_id, force)
        self._find(container).address = ""

    def top(self, container: str, ps_args: str) -> dict[str, Any]:
        """The processes of a container: the first one, and one that it has started."""
        self._engine.called("top", container, ps_args)
        first = self._find(container).pid
        return {"Titles": ["PID"], "Processes": [[str(first)], [str(first + 1)]]}

    def events(self, decode: bool, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What happened, until all of it was told; some events have no word for it."""
        self._engine.called("events", decode, dict(filters))
        return self._events()

    def _events(self) -> Iterator[dict[str, Any]]:
        while self._engine.happened:
            word, container = self._engine.happened.pop(0)
            self._engine.called("event", word, container)
            about = {"Action": word, "Actor": {"ID": container}} if word else {}
            yield {"Type": "container", **about}

    def info(self) -> dict[str, Any]:
        """``GET /info``, as far as it is used."""
        self._engine.called("info")
        return {"ServerVersion": "26.1.5", "LiveRestoreEnabled": True}

    def remove_container(self, container: str, v: bool = False, force: bool = False) -> None:
        """Remove a container."""
        self._engine.called("remove", container, v, force)
        del self._engine.containers[self._find(container).id]
        self._engine.on_change()

    # commands in containers

    def exec_create(self, container: str, command: Sequence[str]) -> dict[str, Any]:
        """Prepare a command; its id is the command itself."""
        self._engine.called("exec", container, *command)
        return {"Id": tuple(command)}

    def exec_start(self, command: tuple[str, ...]) -> bytes:
        """Run it."""
        return self._engine.on_exec(command)[1]

    def exec_inspect(self, command: tuple[str, ...]) -> dict[str, int]:
        """How it ended."""
        return {"ExitCode": self._engine.on_exec(command)[0]}

    def create_host_config(self, **options: Any) -> dict[str, Any]:
        """What the SDK makes of a container's options for the host."""
        return options

    def create_container(
        self,
        image: str,
        entrypoint: list[str],
        command: list[str],
        host_config: dict[str, Any],
        labels: dict[str, str],
    ) -> dict[str, str]:
        """A container that runs a single command."""
        self._engine.called("create", image, tuple(entrypoint), tuple(command), host_config)
        self._engine.services["once"] = Service(role="once", revision="")
        one = self._engine.create("once", NEVER_HEALTHY, status="created", labels=labels)
        self._commands = {one.id: tuple(entrypoint)}
        return {"Id": one.id}

    def start(self, container: str) -> None:
        """Start what does not run. The engine does nothing for what runs."""
        self._engine.called("start", container)
        one = self._find(container)
        if one.service != "once" and one.status != "running":
            self._engine.start(one)

    def wait(self, container: str, timeout: int) -> dict[str, int]:
        """Run the command, and give its exit status."""
        self._engine.called("wait", container, timeout)
        status, output = self._engine.on_exec(self._commands[container])
        one = self._find(container)
        one.behaviour = type(one.behaviour)(log=output)
        return {"StatusCode": status}

    # images, networks, volumes

    def images(self, name: str) -> list[dict[str, Any]]:
        """The images of a repository."""
        self._engine.called("images", name)
        tags = [tag for tag in self._engine.images if tag.rpartition(":")[0] == name]
        return [{"RepoTags": [tag]} for tag in tags] + [{"RepoTags": None}]

    def remove_image(self, tag: str) -> None:
        """Remove an image that nobody uses."""
        self._engine.called("remove_image", tag)
        if tag not in self._engine.images:
            raise docker.errors.ImageNotFound("no such image")
        if any(c.image_id == self._engine.images[tag] for c in self._engine.everyone()):
            raise docker.errors.APIError("conflict: image is being used")
        del self._engine.images[tag]

    def networks(self, filters: Mapping[str, str]) -> list[dict[str, str]]:
        """The networks of a Compose project."""
        self._engine.called("networks", filters["label"])
        return [{"Name": name} for name in self._engine.networks]

    def volumes(self, filters: Mapping[str, str]) -> dict[str, Any]:
        """The volumes of a Compose project; the engine says null for none."""
        self._engine.called("volumes", filters["label"])
        return {"Volumes": [{"Name": name} for name in self._engine.volumes] or None}

    def remove_network(self, name: str) -> None:
        """Remove a network."""
        self._engine.called("remove_network", name)
        self._engine.networks.remove(name)

    def remove_volume(self, name: str) -> None:
        """Remove a volume."""
        self._engine.called("remove_volume", name)
        self._engine.volumes.remove(name)

    def _find(self, container: str) -> Container:
        if container not in self._engine.containers:
            raise docker.errors.NotFound(f"no such container {container[:12]}")
        return self._engine.containers[container]

    def _row(self, one: Container) -> dict[str, Any]:
        status = f"Up 5 seconds ({self._engine.health(one)})"
        networks = {f"{self._engine.stack}_edge": {"IPAddress": one.address}} if one.address else {}
        return {
            "Id": one.id,
            "Names": [f"/{one.name}"],
            "Labels": dict(one.labels),
            "State": one.status,
            "Status": status if one.status == "running" else "Exited (1) 5 seconds ago",
            "ImageID": one.image_id,
            "NetworkSettings": {"Networks": networks},
        }


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
