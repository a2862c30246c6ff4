# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module image_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Tell which wanted images are on a host and what to do for the others
version_added: 0.1.0
description:
  - Looks for each wanted image and decides what is to be done for it.
  - If an image is missing, asks the engine whether the image's registry answers, each registry
    once.
  - Works on a host without an engine, too; then all images are to be provided.
author:
  - digiz.load_balancing contributors (@digiz-tech)
options:
  images:
    description:
      - The wanted images, as the filter P(digiz.load_balancing.image_entries#filter) gives them.
    type: list
    elements: dict
    required: true
  source:
    description:
      - Where missing images come from.
    type: str
    choices: [auto, pull, build, archive]
    default: auto
  refresh:
    description:
      - Provide images again that are there.
    type: bool
    default: false
  registry_timeout:
    description:
      - Seconds that a registry has to answer.
    type: int
    default: 10
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Look at the images that are wanted
  digiz.load_balancing.image_info:
    images: "{{ wanted | digiz.load_balancing.image_entries(role_path ~ '/files') }}"
  vars:
    wanted: [{purpose: balancer}]
  register: found
"""

RETURN = r"""
decisions:
  description: For each image its purpose, the action (present, load, pull, build or idle) and the
    reference to use.
  returned: always
  type: list
  elements: dict
  sample:
    - {purpose: balancer, action: present, reference: "nginx:1.30", reason: "", base: ""}
missing:
  description: The decisions that are still to be carried out, bases first.
  returned: always
  type: list
  elements: dict
resolved:
  description: Purpose and the image reference to use for it.
  returned: always
  type: dict
registries:
  description: Registries that could not be reached, and why.
  returned: always
  type: dict
"""

from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils import engine_api, images
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError


def look(wanted: list[images.Wanted]) -> dict[str, images.Found]:
    """The wanted images that are on the host, by reference."""
    found = {}
    for reference in {name for want in wanted for name in (want.image, want.official) if name}:
        answer = engine_api.get(engine_api.image_path(reference))
        if answer.ok:
            labels = (answer.body.get("Config") or {}).get("Labels") or {}
            source = str(labels.get(images.SOURCE_LABEL, ""))
            found[reference] = images.Found(str(answer.body["Id"]), source)
    return found


def silent_registries(references: list[str], timeout: float) -> dict[str, str]:
    """Registries that do not answer, and why; each is asked once, through the engine."""
    first: dict[str, str] = {}
    for reference in references:
        first.setdefault(images.registry_of(reference), reference)
    silent = {}
    for registry, reference in first.items():
        answer = engine_api.get(engine_api.distribution_path(reference), timeout)
        if not answer.ok and images.unreachable(answer.message):
            silent[registry] = answer.message
    return silent


def inspect(parameters: dict[str, Any]) -> dict[str, Any]:
    """What the module returns, from its parameters."""
    wanted = [images.Wanted.from_mapping(item) for item in parameters["images"]]
    source, refresh = parameters["source"], parameters["refresh"]
    found = look(wanted)
    decisions = images.decide(wanted, found, source, {}, refresh)
    pulls = [item.reference for item in decisions if item.action == "pull"]
    silent = {}
    if pulls and engine_api.get("/_ping").status:
        silent = silent_registries(pulls, parameters["registry_timeout"])
        # A base that only a build needs comes into play when a pull turns into a build.
        decisions = images.decide(wanted, found, source, silent, refresh)
        later = [item.reference for item in decisions if item.action == "pull"]
        if {images.registry_of(item) for item in later} - {images.registry_of(p) for p in pulls}:
            silent.update(silent_registries(later, parameters["registry_timeout"]))
            decisions = images.decide(wanted, found, source, silent, refresh)
    missing = [item for item in decisions if item.action not in ("present", "idle")]
    return {
        "decisions": [asdict(item) for item in decisions],
        "missing": [asdict(item) for item in missing],
        "resolved": images.resolved(decisions),
        "registries": silent,
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "images": {"type": "list", "elements": "dict", "required": True},
            "source": {"type": "str", "choices": list(images.SOURCES), "default": "auto"},
            "refresh": {"type": "bool", "default": False},
            "registry_timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **inspect(module.params))
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
