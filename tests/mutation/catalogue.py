# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is mutated, as data: the files of the heart and the unit tests that have to notice."""

from __future__ import annotations

from dataclasses import dataclass

CORE = "plugins/module_utils"


@dataclass(frozen=True)
class Area:
    """Files below plugins/module_utils/, and the files below tests/unit/ whose tests run with
    their mutants: of those the ones that come through the function in question.

    ``without``: tests that take too long to be run thousands of times.
    """

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The files to mutate, from the root of the checkout."""
        return tuple(f"{CORE}/{module}.py" for module in self.modules)

    @property
    def paths(self) -> tuple[str, ...]:
        """The tests as pytest wants them, from the root of the checkout."""
        return tuple(f"tests/unit/{test}.py" for test in self.tests)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The tests to leave out, in the same form."""
        return tuple(f"tests/unit/{test.replace('::', '.py::')}" for test in self.without)


AREAS = (
    Area(
        "planner",
        ("plan", "replicas"),
        ("test_plan", "test_replicas"),
    ),
    Area("repairs", ("repairs",), ("test_repairs", "test_repairs_properties")),
    Area("advice", ("advice",), ("test_advice", "test_advice_limits", "test_advice_properties")),
    Area(
        "capacity",
        ("capacity", "capacity_queue"),
        ("test_capacity", "test_capacity_queue", "test_capacity_prices"),
        without=(
            "test_capacity_queue::test_erlang_agrees_with_a_simulation",
            "test_capacity_queue::test_other_times_than_exponential_ones_are_near",
            "test_capacity_queue::test_with_many_places_times_that_vary_much_wait_no_longer_than"
            "_reckoned",
        ),
    ),
    Area("members", ("nginx_upstream",), ("test_nginx_upstream",)),
    Area(
        "publishing",
        ("balancer",),
        ("test_balancer", "test_balancer_files", "test_balancer_publishing", "test_handover"),
    ),
    Area(
        "limits",
        ("nginx_values", "nginx_limits"),
        (
            "test_nginx_values",
            "test_nginx_limits",
            "test_nginx_keys",
            "test_nginx_upstream",
            "test_balancer_config",
            "test_edge_clients",
            "test_edge_paths",
            "test_rendered_configurations",
        ),
    ),
    Area(
        "configuration",
        (
            "nginx",
            "balancer_config",
            "balancer_config_http",
            "balancer_config_listen",
            "balancer_config_paths",
            "balancer_config_servers",
            "balancer_config_spec",
        ),
        (
            "test_rendered_examples",
            "test_nginx",
            "test_balancer_config",
            "test_edge_clients",
            "test_edge_hardening",
            "test_edge_paths",
            "test_edge_sticky",
            "test_edge_tls",
        ),
    ),
)
