# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules image and image_info, and the filters that hand images to them."""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.digiz.load_balancing.plugins.filter import build_context, image_entries
from ansible_collections.digiz.load_balancing.plugins.module_utils import apt, image_build
from ansible_collections.digiz.load_balancing.plugins.module_utils.images import SOURCE_LABEL
from ansible_collections.digiz.load_balancing.plugins.modules import image, image_info
from tests.unit.fakes.engine_socket import EngineSocket
from tests.unit.fakes.modules import fail, run, warnings_of
from tests.unit.fakes.programs import Programs

FILES = str(Path(__file__).resolve().parents[2] / "roles" / "images" / "files")
REFUSED = (500, {"message": "Get https://registry: dial tcp: lookup registry: no such host"})


# the filters


def test_a_folder_becomes_an_archive(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    pack = build_context.FilterModule().filters()["build_context"]
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(pack(str(tmp_path))))) as archive:
        assert archive.getnames() == ["Dockerfile"]
    with pytest.raises(AnsibleFilterError, match=r"build.context: /nowhere is not allowed"):
        pack("/nowhere")


def test_wanted_images_are_completed() -> None:
    complete = image_entries.FilterModule().filters()["image_entries"]
    names = [(one["purpose"], one["kind"]) for one in complete([{"purpose": "database"}], FILES)]
    assert names == [("database", "dockerfile"), ("base", "debian")]
    with pytest.raises(AnsibleFilterError, match=r"^images_wanted: .* a mapping with a purpose"):
        complete([{"image": "nginx"}], FILES)


# image_info


@pytest.fixture(name="engine")
def engine_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineSocket]:
    """An engine without images, whose registries know none."""
    engine = EngineSocket(tmp_path, monkeypatch)
    engine.listen()
    yield engine
    engine.close()


def entries(*wanted: dict[str, Any]) -> list[dict[str, Any]]:
    return image_entries.image_entries(wanted, FILES)


def on_host(engine: EngineSocket, reference: str, source: str = "") -> None:
    labels = {SOURCE_LABEL: source} if source else None
    body = {"Id": f"sha256:{reference}", "Config": {"Labels": labels}}
    engine.answers[f"/images/{reference}/json"] = (200, body)


def actions(result: dict[str, Any]) -> dict[str, str]:
    return {one["purpose"]: one["action"] for one in result["decisions"]}


@pytest.mark.parametrize("check", [True, False])
def test_what_is_on_the_host_is_used(engine: EngineSocket, check: bool) -> None:
    on_host(engine, "nginx:1.30")
    wanted = entries({"purpose": "app", "image": "shop:2"}, {"purpose": "balancer"})
    on_host(engine, "shop:2")
    found = run(image_info, check, images=wanted)
    assert (found["changed"], found["missing"], found["registries"]) == (False, [], {})
    assert found["resolved"] == {"app": "shop:2", "balancer": "nginx:1.30"}
    assert "/_ping" not in engine.asked, "no registry need be asked"


def test_a_source_that_has_changed_is_built_again(engine: EngineSocket) -> None:
    (wanted,) = entries({"purpose": "balancer"})
    on_host(engine, wanted["image"], wanted["digest"])
    assert actions(run(image_info, images=[wanted])) == {"balancer": "present"}
    on_host(engine, wanted["image"], "older")
    assert actions(run(image_info, images=[wanted])) == {"balancer": "build"}
    assert actions(run(image_info, images=[wanted], source="archive")) == {"balancer": "present"}


def test_a_registry_that_answers_is_pulled_from(engine: EngineSocket) -> None:
    wanted = entries({"purpose": "database"}, {"purpose": "balancer"})
    found = run(image_info, images=wanted)
    expected = {"database": "pull", "balancer": "pull", "base": "idle"}
    assert (actions(found), found["registries"]) == (expected, {})
    asked = [path for path in engine.asked if path.startswith("/distribution/")]
    assert len(asked) == 1, "each registry is asked once"


def test_a_registry_that_is_silent_is_told_and_what_can_be_is_built(engine: EngineSocket) -> None:
    for name in ("nginx:1.30", "postgres:17", "debian:trixie-slim"):
        engine.answers[f"/distribution/{name}/json"] = REFUSED
    wanted = entries(
        {"purpose": "balancer"},
        {"purpose": "database"},
        {"purpose": "app", "image": "registry.example.com/shop:2"},
    )
    found = run(image_info, images=wanted)
    expected = {"base": "build", "balancer": "build", "database": "build", "app": "pull"}
    assert actions(found) == expected
    assert found["registries"] == {"docker.io": REFUSED[1]["message"]}
    assert next(one["purpose"] for one in found["missing"]) == "base", "bases come first"


def test_the_registry_of_a_base_is_asked_once_it_is_needed(engine: EngineSocket) -> None:
    """The database is pulled from one registry; when that is silent, it is built on a base from
    another one.
    """
    database, base = entries({"purpose": "database"})
    database["official"], base["official"] = "registry.example.com/db:1", "other.example.com/b:1"
    engine.answers["/distribution/registry.example.com/db:1/json"] = REFUSED
    found = run(image_info, images=[database, base])
    assert actions(found) == {"base": "pull", "database": "build"}
    engine.answers["/distribution/other.example.com/b:1/json"] = REFUSED
    found = run(image_info, images=[database, base])
    assert actions(found) == {"base": "build", "database": "build"}
    assert sorted(found["registries"]) == ["other.example.com", "registry.example.com"]


def test_without_an_engine_no_registry_is_called_silent(engine: EngineSocket) -> None:
    engine.close()
    found = run(image_info, images=entries({"purpose": "balancer"}))
    assert (actions(found), found["registries"]) == ({"balancer": "pull"}, {})


def test_images_that_cannot_be_are_told(engine: EngineSocket) -> None:
    twice = entries({"purpose": "balancer"}) * 2
    assert fail(image_info, images=twice) == (
        "images_wanted: balancer is not allowed twice: each purpose has one image. Remove one of "
        "the entries."
    )
    said = fail(image_info, images=[], source="web")
    assert said == "value of source must be one of: auto, pull, build, archive, got: web"


# image

APP = {"purpose": "app", "image": "shop:2", "kind": "none", "variable": "app_image"}
BALANCER = {
    "purpose": "balancer",
    "image": "digiz/nginx:1.30",
    "official": "nginx:1.30",
    "kind": "debian",
    "recipe": {"suite": "forky"},
    "digest": "abc",
}
DATABASE = {"purpose": "database", "image": "digiz/postgres:17", "kind": "dockerfile", "args": {}}
DATABASE["digest"] = "def"


def decision(action: str, reference: str, **others: str) -> dict[str, str]:
    return {"action": action, "reference": reference, "reason": "not on the host", **others}


class Docker:
    """A host's docker: every pull, build and import brings an image whose id is its name, and an
    ``id`` that is added to it.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.programs = Programs(folder, patch)
        self.folder = folder / "images"
        self.folder.mkdir()
        self.programs.have("apt-get")
        self.programs.have("mmdebstrap")
        patch.setattr(image_build, "_KEYRING", str(self.folder))
        self.works(True)

    def works(self, pulls: bool) -> None:
        """Whether the registry has what is pulled."""
        missing = "echo 'Error: manifest unknown'; exit 1"
        self.programs.have(
            "docker",
            f"cd {self.folder} || exit 2\n"
            'case "$1" in\n'
            f"pull) {'put $3' if pulls else missing} ;;\n"
            'build) put "$3" ;;\n'
            'import) for last in "$@"; do :; done; put "$last" ;;\n'
            'image) [ -e "$(flat "$3")" ] && echo "[{\\"Id\\": \\"sha256:$3\\"}]" ;;\n'
            "esac\n",
        )
        path = self.programs.folder / "docker"
        head, _newline, rest = path.read_text(encoding="utf-8").partition("\n")
        flat = 'flat() { IFS=/; set -- $1; IFS=" "; echo "$*"; }\nput() { : >"$(flat "$1")"; }'
        path.write_text(f"{head}\n{flat}\n{rest}", encoding="utf-8")

    def changes(self) -> list[str]:
        """Which of docker's commands were called that change something, and apt's."""
        words = [call.split() for call in self.programs.calls()]
        return [" ".join(w[:2]) for w in words if w[1] not in ("image", "-o")]


@pytest.fixture(name="host")
def host_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """A host with docker and without images."""
    return Docker(tmp_path, monkeypatch)


def test_check_mode_says_what_would_be_done(host: Docker) -> None:
    planned = run(image, check=True, image=APP, decision=decision("pull", "shop:2"))
    assert (planned["changed"], planned["msg"]) == (True, "would pull shop:2")
    assert planned["diff"]["after"] == "would pull shop:2: not on the host\n"
    assert (planned["method"], planned["image_id"], planned["seconds"]) == ("pull", "", 0)
    assert host.programs.calls() == []


def test_an_image_is_pulled_once(host: Docker) -> None:
    options = {"image": APP, "decision": decision("pull", "shop:2")}
    done = run(image, **options)
    assert (done["changed"], done["method"], done["reference"]) == (True, "pull", "shop:2")
    assert done["image_id"] == "sha256:shop:2"
    assert done["diff"] == {"before": "shop:2 \n", "after": "shop:2 sha256:shop:2\n"}
    assert done["msg"].startswith("pull shop:2 took ")
    again = run(image, **options)
    assert (again["changed"], again["image_id"]) == (False, done["image_id"])
    assert host.changes() == ["docker pull"] * 2


ADVICE = (
    "Correct the variable app_image, log the host in to the registry (docker login), or send the "
    "image from the controller: images_source=archive with images_archive."
)


def test_an_image_that_cannot_be_pulled_is_told_with_the_ways_out(host: Docker) -> None:
    host.works(False)
    assert fail(image, image=APP, decision=decision("pull", "shop:2"), fallback=True) == (
        "app_image: shop:2 is not on the host and cannot be pulled: pulling shop:2 failed (1).\n"
        f"Error: manifest unknown\n{ADVICE}"
    )


def test_check_mode_tells_of_a_silent_registry(host: Docker) -> None:
    silent = decision("pull", "shop:2", registry_error="no such host")
    assert fail(image, check=True, image=APP, decision=silent) == (
        f"app_image: shop:2 is not on the host and cannot be pulled: no such host\n{ADVICE}"
    )
    planned = run(image, check=True, image=BALANCER, decision=silent)
    assert planned["changed"], "it could be built instead"
    assert host.programs.calls() == []


def test_what_has_a_recipe_is_built_when_it_cannot_be_pulled(
    host: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings = warnings_of(monkeypatch)
    host.works(False)
    options = {"image": BALANCER, "decision": decision("pull", "nginx:1.30")}
    assert fail(image, **options).startswith("images_wanted: nginx:1.30 is not on the host and")
    done = run(image, fallback=True, **options)
    assert (done["changed"], done["method"], done["reference"]) == (
        True,
        "build",
        BALANCER["image"],
    )
    assert warnings == [
        "pulling nginx:1.30 failed (1).\nError: manifest unknown Building digiz/nginx:1.30 instead."
    ]
    assert host.changes() == ["docker pull"] * 2 + ["mmdebstrap --variant=minbase", "docker import"]


@pytest.mark.parametrize(
    ("given", "main"), [({}, "http://own/debian"), ({"debian_mirror": "http://m"}, "http://m")]
)
def test_the_mirrors_of_a_build(
    host: Docker, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], main: str
) -> None:
    monkeypatch.setattr(apt, "mirrors", lambda: apt.Mirrors("http://own/debian"))
    done = run(image, image=BALANCER, decision=decision("build", BALANCER["image"]), **given)
    assert (done["method"], done["changed"]) == ("build", True)
    (build,) = [call for call in host.programs.calls() if call.startswith("mmdebstrap")]
    assert build.endswith(f"] {main} forky main")


def test_a_dockerfile_starts_from_the_first_base_that_is_there(host: Docker) -> None:
    options = {"image": DATABASE, "decision": decision("build", DATABASE["image"])}
    bases = ["digiz/debian:trixie", "debian:trixie-slim"]
    assert fail(image, base_images=bases, **options) == (
        "building digiz/postgres:17 failed: none of its bases is on the host: digiz/debian:trixie, "
        "debian:trixie-slim. Run the role again, or set images_source."
    )
    (host.folder / "debian:trixie-slim").touch()
    done = run(image, base_images=bases, context="AAAA", **options)
    assert (done["changed"], done["image_id"]) == (True, "sha256:digiz/postgres:17")
    (build,) = [call for call in host.programs.calls() if call.startswith("docker build")]
    assert build.endswith("--build-arg BASE_IMAGE=debian:trixie-slim -")
    run(image, **options)
    assert "BASE_IMAGE" not in host.programs.calls()[-2]


def test_other_decisions_are_refused() -> None:
    said = fail(image, image=APP, decision=decision("load", "shop:2"))
    assert said == "decision: load is not allowed: pull or build."
