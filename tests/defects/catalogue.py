# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The defects as data: what is made wrong where, and which unit tests have to notice it.

Each stands for a mistake that would hurt in production and that no type checker sees. A defect is
sown where the behaviour lives; its old text has to occur exactly once in its file.
"""

from __future__ import annotations

from dataclasses import dataclass

CORE = "plugins/module_utils"
MODULES = "plugins/modules"


@dataclass(frozen=True)
class Defect:
    """In ``file``, ``old`` becomes ``new``. Of ``tests`` (files or node ids below tests/unit/) at
    least one has to fail then; ``why`` tells what the defect would do.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    why: str

    @property
    def paths(self) -> tuple[str, ...]:
        """The tests as pytest wants them, from the root of the checkout."""
        return tuple(f"tests/unit/{test}" for test in self.tests)


DEFECTS = (
    Defect(
        "reload-left-out",
        f"{CORE}/balancer.py",
        "                self._reload(wanted.generation)\n",
        "",
        ("test_balancer.py::test_a_publish_reaches_nginx_and_can_be_read_back",),
        "nginx goes on with the old members after a publish",
    ),
    Defect(
        "drain-wait-removed",
        f"{CORE}/rollout.py",
        "deadline = started + self.stack.drain_timeout\n",
        "deadline = started\n",
        ("test_rollout.py::test_a_drain_waits_for_the_last_request",),
        "a replica is stopped with requests on it",
    ),
    Defect(
        "max-fails-3",
        f"{CORE}/nginx_upstream.py",
        'extra = ["max_fails=0"]',
        'extra = ["max_fails=3"]',
        ("test_nginx_upstream.py::test_a_whole_upstream",),
        "nginx shuts healthy replicas out because of failed requests",
    ),
    Defect(
        "old-one-stopped-first",
        f"{CORE}/replicas.py",
        "leaving = [r for r in _leaving(observed, desired) if r.id not in wanted]",
        "leaving = _leaving(observed, desired)",
        ("test_replicas.py::test_rolling_update_replaces_one_after_the_other",),
        "an old replica goes before the new one is there",
    ),
    Defect(
        "new-one-not-waited-for",
        f"{CORE}/rollout.py",
        "return passed + 1 if self._probe(replica.address).healthy else 0",
        "return passed + 1",
        ("test_rollout_start.py::test_a_start_adds_what_is_missing_and_waits",),
        "a new replica counts as healthy while it still starts",
    ),
    Defect(
        "lock-not-taken",
        f"{CORE}/lock.py",
        "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        ("test_lock.py::test_a_process_that_does_not_let_go_is_told",),
        "two runs change one stack at once",
    ),
    Defect(
        "lock-of-others-ignored",
        f"{CORE}/lock.py",
        "if now is None or quiet > stale_after:",
        "if now is None or quiet >= 0:",
        ("test_lock.py::test_an_owner_that_begins_another_step_refuses",),
        "a deploy begins while another one is at work",
    ),
    Defect(
        "step-without-the-lock",
        f"{MODULES}/rollout_step.py",
        'DeployLock(paths).held(module.params["lock"])',
        "DeployLock(paths).exclusive()",
        ("test_modules_rollout.py::test_a_step_needs_the_lock",),
        "a run that lost the deploy lock carries on",
    ),
    Defect(
        "last-healthy-one-restarted",
        f"{CORE}/repairs.py",
        "if replica.state != ILL or case.container != RUNNING",
        "if case.container != RUNNING",
        ("test_repairs.py::test_the_last_healthy_one_is_left_alone",),
        "the keeper ends the only replica that still serves",
    ),
    Defect(
        "wrong-check-restarts-all",
        f"{CORE}/repairs.py",
        " or (case.answers and not someone_is_well):",
        ":",
        ("test_repairs.py::test_when_nobody_is_healthy",),
        "a wrong health check makes the keeper restart replicas that answer",
    ),
    Defect(
        "secret-printed",
        f"{MODULES}/release.py",
        '"secrets": {"type": "dict", "default": {}, "no_log": True}',
        '"secrets": {"type": "dict", "default": {}, "no_log": False}',
        ("test_modules_release.py::test_secrets_are_in_no_result",),
        "app_secrets stand in the output and in the log of a deploy",
    ),
    Defect(
        "api-key-printed",
        f"{MODULES}/release.py",
        '"api_keys": {"type": "dict", "default": {}, "no_log": True}',
        '"api_keys": {"type": "dict", "default": {}, "no_log": False}',
        ("test_modules_release.py::test_api_keys_are_in_no_result",),
        "the keys of clients stand in the output and in the log of a deploy",
    ),
    Defect(
        "webhook-printed",
        f"{MODULES}/monitor.py",
        '"webhook_urls": {"type": "raw", "no_log": True}',
        '"webhook_urls": {"type": "raw", "no_log": False}',
        ("test_modules_monitor.py::test_a_monitor_comes_stays_and_goes",),
        "the URLs of webhooks, which hold their secret, stand in the output of a deploy",
    ),
    Defect(
        "rate-status-503",
        f"{CORE}/nginx_limits.py",
        'simple("limit_req_status", 429)',
        'simple("limit_req_status", 503)',
        ("test_nginx_limits.py::test_the_default_limits",),
        "clients over their rate look like an outage, and are not told to wait",
    ),
    Defect(
        "step-never-changed",
        f"{MODULES}/rollout_step.py",
        "changed=outcome.changed,",
        "changed=False,",
        ("test_modules_rollout.py::test_a_play_from_the_first_deploy_to_nothing_left",),
        "a rollout reports that it did nothing",
    ),
    Defect(
        "release-never-changed",
        f"{MODULES}/release.py",
        "changed=done.changed,\n",
        "changed=False,\n",
        ("test_modules_release.py::test_a_release_is_written_and_told",),
        "another release reports that nothing changed",
    ),
    Defect(
        "check-mode-writes",
        f"{CORE}/release_work.py",
        "        if self._dry:\n            return Change(current + 1, release, before, "
        "changed=True, pre_deploy=run_first)\n",
        "",
        ("test_modules_release.py::test_check_mode_writes_no_release",),
        "check mode takes a release into force",
    ),
    Defect(
        "check-mode-publishes",
        f"{MODULES}/maintenance.py",
        "        if not module.check_mode:\n",
        "        if True:\n",
        ("test_modules_maintenance.py::test_check_mode_tells_and_changes_nothing",),
        "check mode sends all clients to the maintenance page",
    ),
    Defect(
        "stale-address-after-restart",
        f"{CORE}/keeper.py",
        "as_wanted = wanted == dict(view.observed.members) and view.observed.served",
        "as_wanted = set(wanted) == set(view.observed.members) and view.observed.served",
        ("test_keeper.py::test_the_only_replica_came_back_under_another_address",),
        "the keeper leaves a restarted replica's old address in the balancer",
    ),
    Defect(
        "stale-address-in-a-plan",
        f"{CORE}/replicas.py",
        "if wanted and (wanted != dict(observed.members) or not observed.served):",
        "if wanted and (set(wanted) != set(observed.members) or not observed.served):",
        (
            "test_replicas.py::"
            "test_a_replica_that_came_back_under_another_address_is_published_again",
        ),
        "a deploy leaves a restarted replica's old address in the balancer",
    ),
)
