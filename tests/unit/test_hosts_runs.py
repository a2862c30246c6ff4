# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What playbooks have changed, read out of Ansible's log."""

from __future__ import annotations

from pathlib import Path

from tests.hosts.runs import read

HEAD = "2026-11-30 00:20:51,297 p={} u=root n=ansible INFO| {}\n"


def test_changes_are_told_by_run_host_and_task(tmp_path: Path) -> None:
    log = tmp_path / "ansible.log"
    log.write_text(
        HEAD.format(7, "PLAY [Other] ***")
        + HEAD.format(8, "PLAY [Deploy] ****")
        + HEAD.format(8, "TASK [digiz.load_balancing.images : Load [all] of them] *****")
        + HEAD.format(8, "--- before: packages\n+++ after: packages\n@@ -0,0 +1,2 @@\n+one\n+two\n")
        + HEAD.format(7, "changed: [a]")
        + HEAD.format(8, "changed: [a] => (item=x)")
        + HEAD.format(8, "+three")
        + HEAD.format(8, "changed: [b]")
        + HEAD.format(8, "PLAY [Another] ****")
        + HEAD.format(8, "TASK [Plain] *****")
        + HEAD.format(8, "ok: [a]")
        + HEAD.format(8, "changed: [b]")
        + HEAD.format(9, "PLAY [Deploy] ****"),
        encoding="utf-8",
    )
    first, second = read(log, "Deploy")
    assert first.changed("a") == ["images : Load [all] of them"]
    assert first.changed("b") == ["images : Load [all] of them", "Plain"]
    assert first.added("a", "images : Load [all] of them") == ["one", "two"]
    assert first.added("b", "images : Load [all] of them") == ["three"]
    assert second.changes == []
