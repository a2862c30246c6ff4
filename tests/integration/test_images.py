# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role images: built, built again when the source changes, loaded, and what it says."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.playbook import Run, run_roles

NAME = "lbtest-images/app"
SEED = "lbtest-images/seed:1"
LABEL = '{{index .Config.Labels "digiz.load_balancing.source"}}'


def docker(*words: str, check: bool = True) -> str:
    result = subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=check, timeout=120
    )
    return result.stdout.strip()


@pytest.fixture
def seed() -> Iterator[str]:
    """A tiny image of nothing but a file, so that no registry is needed."""
    archive = subprocess.run(
        ["tar", "-c", "-C", "/etc", "hostname"], capture_output=True, check=True, timeout=30
    )
    subprocess.run(["docker", "import", "-", SEED], input=archive.stdout, check=True, timeout=60)
    yield SEED
    listed = docker("images", "--quiet", "--filter", "reference=lbtest-images/*")
    if listed:
        docker("rmi", "--force", *dict.fromkeys(listed.split()), check=False)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY text /text\n")
    (folder / "text").write_text("one")
    return folder


def wanted(context: Path, version: str) -> dict[str, Any]:
    build = {"context": str(context), "base": "seed", "args": {"APP_VERSION": version}}
    app = {"purpose": "app", "image": f"{NAME}:{version}", "variable": "app_image", "build": build}
    return {"images_wanted": [app, {"purpose": "seed", "image": SEED}]}


def provide(folder: Path, variables: dict[str, Any], check: bool = False) -> Run:
    return run_roles(None, ["images"], folder, variables, check)


def test_an_image_is_built_once_and_again_when_its_source_changes(
    seed: str, context: Path, tmp_path: Path
) -> None:
    checked = provide(tmp_path, wanted(context, "1"), check=True)
    assert (checked.status, checked.changed) == (0, 1), checked.output
    assert f"would build {NAME}:1: not on the host" in checked.output
    assert docker("images", "--quiet", f"{NAME}:1") == ""

    first = provide(tmp_path, wanted(context, "1"))
    assert (first.status, first.changed) == (0, 1), first.output
    digest = docker("image", "inspect", "--format", LABEL, f"{NAME}:1")
    assert len(digest) == 64
    again = provide(tmp_path, wanted(context, "1"))
    assert (again.status, again.changed) == (0, 0), again.output

    (context / "text").write_text("two")
    changed = provide(tmp_path, wanted(context, "1"))
    assert (changed.status, changed.changed) == (0, 1), changed.output
    assert f"build {NAME}:1: its source has changed" in changed.output
    assert docker("image", "inspect", "--format", LABEL, f"{NAME}:1") != digest


def test_a_build_that_fails_shows_its_last_lines(seed: str, context: Path, tmp_path: Path) -> None:
    (context / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY absent /x\n")
    run = provide(tmp_path, wanted(context, "1"))
    assert run.status != 0
    assert f"building {NAME}:1 failed" in run.output
    assert "absent" in run.output


@pytest.mark.parametrize("check", [True, False])
def test_an_image_that_cannot_be_had_is_told(tmp_path: Path, check: bool) -> None:
    image = "registry.invalid/team/shop:4.2"
    entry = {"purpose": "app", "image": image, "variable": "app_image"}
    run = provide(tmp_path, {"images_wanted": [entry]}, check)
    assert run.status != 0
    assert f"app_image: {image} is not on the host and cannot be pulled: " in run.output
    assert "images_source=archive" in run.output


def test_an_archive_without_an_image_is_told(seed: str, tmp_path: Path) -> None:
    archive = tmp_path / "images.tar.gz"
    saved = subprocess.run(["docker", "save", SEED], capture_output=True, check=True, timeout=60)
    archive.write_bytes(gzip.compress(saved.stdout))
    entries = [{"purpose": "app", "image": "lbtest-images/other:1"}]
    run = provide(
        tmp_path,
        {"images_wanted": entries, "images_source": "archive", "images_archive": str(archive)},
    )
    assert run.status != 0
    assert "lbtest-images/other:1 is not in it, nor on the host" in run.output
    assert list(Path("/var/tmp").glob("load-balancing-images-*")) == []
