# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module image."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Make one wanted image present on a host
version_added: 0.1.0
description:
  - Carries out a decision of M(digiz.load_balancing.image_info), pulling the image or building it.
  - An image that is to be pulled and cannot be is built instead if it has a recipe and
    O(fallback=true).
  - Building from Debian packages needs root on the host and leaves nothing behind but the image;
    mmdebstrap is installed when it is missing.
author:
  - digiz.load_balancing contributors (@digiz-tech)
options:
  image:
    description:
      - The wanted image, as the filter P(digiz.load_balancing.image_entries#filter) gives it.
    type: dict
    required: true
  decision:
    description:
      - What to do for it, as M(digiz.load_balancing.image_info) returns it.
    type: dict
    required: true
  context:
    description:
      - The build context, as the filter P(digiz.load_balancing.build_context#filter) gives it.
    type: str
    default: ""
  base_images:
    description:
      - References of images that a Dockerfile may start from; the first one that is on the host
        becomes its argument C(BASE_IMAGE).
    type: list
    elements: str
    default: []
  fallback:
    description:
      - Build the image when it cannot be pulled.
    type: bool
    default: false
  pull_timeout:
    description:
      - Seconds that a pull may take.
    type: int
    default: 900
  build_timeout:
    description:
      - Seconds that a build may take.
    type: int
    default: 1800
  debian_mirror:
    description:
      - Debian archive to build from; empty for the one that the host's own apt uses.
    type: str
    default: ""
  debian_security_mirror:
    description:
      - Debian security archive to build from; empty for the one that the host's own apt uses.
    type: str
    default: ""
attributes:
  check_mode:
    description: Says what it would do, without doing it.
    support: full
  diff_mode:
    description: Shows the image's id before and after.
    support: full
  idempotent:
    description: An image that is present with the same id afterwards is no change.
    support: full
"""

EXAMPLES = r"""
- name: Make the missing images present
  digiz.load_balancing.image:
    image: "{{ entries | selectattr('purpose', 'eq', item.purpose) | first }}"
    decision: "{{ item }}"
  loop: "{{ found.missing }}"
"""

RETURN = r"""
method:
  description: How the image got there, C(pull) or C(build).
  returned: always
  type: str
reference:
  description: The image reference to use.
  returned: always
  type: str
image_id:
  description: The image's id on the host, empty in check mode.
  returned: always
  type: str
seconds:
  description: How long it took.
  returned: always
  type: float
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils import apt, image_build
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError


def build(entry: dict[str, Any], parameters: dict[str, Any]) -> None:
    """Build an image by its recipe."""
    limit = float(parameters["build_timeout"])
    if entry["kind"] == "debian":
        image_build.ensure_bootstrap_tools(limit)
        host = apt.mirrors()
        mirrors = apt.Mirrors(
            parameters["debian_mirror"] or host.main,
            parameters["debian_security_mirror"] or host.security,
        )
        image_build.build_debian(entry["image"], entry["recipe"], mirrors, entry["digest"], limit)
        return
    arguments = dict(entry.get("args") or {})
    if parameters["base_images"]:
        arguments["BASE_IMAGE"] = base_image(entry, parameters["base_images"])
    image_build.build_dockerfile(
        entry["image"], parameters["context"], arguments, entry["digest"], limit
    )


def base_image(entry: dict[str, Any], references: list[str]) -> str:
    """The first of the possible bases that is on the host."""
    for reference in references:
        if image_build.image_id(reference):
            return reference
    raise LoadBalancingError(
        f"building {entry['image']} failed: none of its bases is on the host: "
        f"{', '.join(references)}. Run the role again, or set images_source."
    )


def provide(entry: dict[str, Any], parameters: dict[str, Any], warnings: list[str]) -> str:
    """Pull or build; gives the method that worked."""
    decision = parameters["decision"]
    if decision["action"] == "build":
        build(entry, parameters)
        return "build"
    reference = decision["reference"]
    try:
        image_build.pull(reference, float(parameters["pull_timeout"]))
    except LoadBalancingError as error:
        if entry["kind"] == "none" or not parameters["fallback"]:
            raise LoadBalancingError(pull_advice(entry, reference, str(error))) from error
        warnings.append(f"{error} Building {entry['image']} instead.")
        build(entry, parameters)
        return "build"
    return "pull"


def pull_advice(entry: dict[str, Any], reference: str, reason: str) -> str:
    """The error for an image that cannot be had, with what an operator can do about it."""
    variable = entry.get("variable") or "images_wanted"
    return (
        f"{variable}: {reference} is not on the host and cannot be pulled: {reason.strip()}\n"
        f"Correct the variable {variable}, log the host in to the registry (docker login), or send "
        "the image from the controller: images_source=archive with images_archive."
    )


def ensure(module: AnsibleModule) -> dict[str, Any]:
    """What the module returns."""
    entry, decision = module.params["image"], module.params["decision"]
    action, reference = decision["action"], decision["reference"]
    if action not in ("pull", "build"):
        raise LoadBalancingError(f"decision: {action} is not allowed: pull or build.")
    if module.check_mode:
        if decision.get("registry_error") and entry["kind"] == "none":
            raise LoadBalancingError(pull_advice(entry, reference, decision["registry_error"]))
        diff = {"before": "", "after": f"would {action} {reference}: {decision['reason']}\n"}
        answer = {"method": action, "reference": reference, "image_id": "", "seconds": 0.0}
        return {"changed": True, "diff": diff, "msg": f"would {action} {reference}", **answer}
    before = {name: image_build.image_id(name) for name in (reference, entry["image"])}
    start = time.monotonic()
    warnings: list[str] = []
    method = provide(entry, module.params, warnings)
    for text in warnings:
        module.warn(text)
    used = reference if method == action else entry["image"]
    after = image_build.image_id(used)
    seconds = round(time.monotonic() - start, 1)
    return {
        "changed": before[used] != after,
        "diff": {"before": f"{used} {before[used]}\n", "after": f"{used} {after}\n"},
        "msg": f"{method} {used} took {seconds} s",
        "method": method,
        "reference": used,
        "image_id": after,
        "seconds": seconds,
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "dict", "required": True},
            "decision": {"type": "dict", "required": True},
            "context": {"type": "str", "default": ""},
            "base_images": {"type": "list", "elements": "str", "default": []},
            "fallback": {"type": "bool", "default": False},
            "pull_timeout": {"type": "int", "default": 900},
            "build_timeout": {"type": "int", "default": 1800},
            "debian_mirror": {"type": "str", "default": ""},
            "debian_security_mirror": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**ensure(module))
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
