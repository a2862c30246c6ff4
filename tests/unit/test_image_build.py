# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How images are built: contexts, commands, and what a failed program says."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    apt,
    build_context,
    image_build,
    programs,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "app").mkdir()
    script = tmp_path / "app" / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return tmp_path


def test_a_digest_is_of_names_modes_contents_and_arguments(context: Path) -> None:
    digest = build_context.context_digest(str(context), {"V": "1"})
    assert digest == build_context.context_digest(str(context), {"V": "1"})
    seen = {digest, build_context.context_digest(str(context), {"V": "2"})}
    (context / "app" / "run.sh").chmod(0o644)
    seen.add(build_context.context_digest(str(context), {"V": "1"}))
    (context / "app" / "run.sh").write_text("#!/bin/bash\n")
    seen.add(build_context.context_digest(str(context), {"V": "1"}))
    (context / "app" / "run.sh").rename(context / "app" / "start.sh")
    seen.add(build_context.context_digest(str(context), {"V": "1"}))
    assert len(seen) == 5


def test_caches_are_no_source(context: Path) -> None:
    digest = build_context.context_digest(str(context), {})
    (context / "app" / "__pycache__").mkdir()
    (context / "app" / "__pycache__" / "x.pyc").write_bytes(b"1")
    (context / "app" / ".run.sh.swp").write_bytes(b"1")
    assert build_context.context_digest(str(context), {}) == digest


def test_an_archive_is_the_same_wherever_it_is_made(context: Path) -> None:
    archive = build_context.context_archive(str(context))
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(archive))) as content:
        members = {item.name: (item.mode, item.mtime, item.uid) for item in content.getmembers()}
    assert members == {"Dockerfile": (0o644, 0, 0), "app/run.sh": (0o755, 0, 0)}


def test_a_context_that_is_too_big_is_told(context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_context, "MAX_BYTES", 5)
    with pytest.raises(LoadBalancingError, match="bytes is not allowed: at most 5 bytes"):
        build_context.context_archive(str(context))


def test_packages_are_verified_and_updated() -> None:
    mirrors = apt.Mirrors("http://mirror.example/debian", "http://mirror.example/security")
    command = image_build.bootstrap_command({"suite": "trixie"}, mirrors, "/t.tar")
    assert command[-5:] == [
        "trixie",
        "/t.tar",
        *(
            f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {rest} main"
            for rest in (
                "http://mirror.example/debian trixie",
                "http://mirror.example/debian trixie-updates",
                "http://mirror.example/security trixie-security",
            )
        ),
    ]
    assert not [word for word in command if "trusted" in word or "Valid-Until" in word]


def test_a_recipe_may_need_a_version_and_allow_an_old_index() -> None:
    recipe = {
        "suite": "forky",
        "packages": ["nginx"],
        "allow_expired": True,
        "at_least": {"nginx": "1.30.5"},
    }
    command = image_build.bootstrap_command(recipe, apt.Mirrors(), "/t.tar")
    assert '--aptopt=Acquire::Check-Valid-Until "false"' in command
    assert "--include=nginx" in command
    hook = next(word for word in command if word.startswith("--customize-hook="))
    assert 'dpkg --compare-versions "$have" ge 1.30.5' in hook
    assert [word for word in command if word.startswith("deb ")] == [
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
        "http://deb.debian.org/debian forky main"
    ]


def test_a_mirror_by_https_can_be_used_within_the_image() -> None:
    mirrors = apt.Mirrors("https://mirror.example/debian")
    command = image_build.bootstrap_command({"suite": "trixie"}, mirrors, "/t.tar")
    assert "--include=ca-certificates" in command


def test_a_host_with_old_keys_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_command: object, what: str, *_rest: object, **_options: object) -> str:
        raise LoadBalancingError(f"{what} failed (25).\nW: GPG error: NO_PUBKEY 6ED0E7B82643E131")

    monkeypatch.setattr(image_build, "run", fail)
    with pytest.raises(LoadBalancingError) as error:
        image_build.build_debian("digiz/nginx:1.30", {"suite": "forky"}, apt.Mirrors(), "d", 1)
    assert str(error.value).splitlines()[-1] == (
        "The package debian-archive-keyring of this host is older than the keys of forky. Let the "
        "host reach an image registry, or send the images from the controller: "
        "images_source=archive with images_archive."
    )


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("", apt.Mirrors()),
        (
            "http://m.example/debian/ Debian trixie\n"
            "http://s.example/debian-security/ Debian trixie-security\n"
            "https://deb.nodesource.com/node/ Node nodistro\n",
            apt.Mirrors("http://m.example/debian", "http://s.example/debian-security"),
        ),
        ("http://archive.ubuntu.com/ubuntu/ Ubuntu noble\n", apt.Mirrors()),
    ],
)
def test_mirrors_are_the_hosts_own(targets: str, expected: apt.Mirrors) -> None:
    assert apt.parse_mirrors(targets) == expected


def test_a_failed_program_is_told_with_its_last_lines() -> None:
    with pytest.raises(LoadBalancingError) as error:
        programs.run(["sh", "-c", "seq 1 100; exit 3"], "counting", 10)
    lines = str(error.value).splitlines()
    assert lines[0] == "counting failed (3)."
    assert lines[1:] == [str(number) for number in range(76, 101)]


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(LoadBalancingError, match=r"x failed: /no/such: No such file"):
        programs.run(["/no/such"], "x", 10)


def test_a_late_program_is_ended_with_its_children() -> None:
    with pytest.raises(LoadBalancingError, match=r"waiting took longer than 0 s"):
        programs.run(["sh", "-c", "sleep 60 & sleep 60"], "waiting", 0.2)


def test_a_program_gets_its_input() -> None:
    assert programs.run(["cat"], "reading", 10, stdin=b"abc") == "abc"
