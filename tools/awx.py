# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the surveys of AWX, awx/surveys/*.yml, from the argument specs of the playbooks.

``python -m tools.awx`` writes, ``--check`` only compares. Which variables a survey asks for stands
in awx/templates.yml and awx/workflow.yml; type, choices and default come from
roles/settings/meta/argument_specs.yml, ranges from plugins/module_utils/settings_fields.py.

What AWX makes of a question (awx/main/models/mixins.py and the API's view of a survey):

- ``min`` and ``max`` are values of numbers and lengths of texts, and must be whole numbers. So the
  range of a float is widened to whole numbers; the playbook checks the exact one.
- An optional text with ``min`` 0 that is left empty is handed on as "", which would hide the
  inventory's value. With ``min`` 1 it is not handed on at all, like every other type.
- A default of "" means: none.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from tools import docs

ROOT = Path(__file__).resolve().parent.parent
# There the checkout has the collection's own name.
sys.path.insert(0, str(ROOT / "collections"))
FIELDS = import_module(
    "ansible_collections.digiz.load_balancing.plugins.module_utils.settings_fields"
).FIELDS
FOLDER = ROOT / "awx"
SURVEYS = FOLDER / "surveys"
LONGEST_TEXT = 1024
_HEADER = """---
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Generated from the argument specs of the playbooks, do not edit: python -m tools.awx
"""
_TEXTS = ("str", "list", "raw")


class _Dumper(yaml.SafeDumper):
    """Indents lists, and repeats what stands twice instead of referring to it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def load(name: str) -> Any:
    """The one variable that a file of awx/ holds, its templates unresolved."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def asking() -> list[dict[str, Any]]:
    """Everything that has a survey: the job templates and the workflow."""
    return [*load("templates.yml")["awx_templates"], load("workflow.yml")["awx_workflow"]]


def surveys() -> dict[str, dict[str, Any]]:
    """The survey specs by their key, in the form of AWX's API."""
    points = docs.entry_points(docs.FRONT)
    found = {}
    for template in asking():
        point = points[Path(template["playbook"]).stem]
        required = template.get("required", ())
        spec = [
            question(name, point["options"][name], name in required) for name in template["asks"]
        ]
        spec += [
            question(name, point["options"][name], name in required, override=True)
            for name in template["overrides"]
        ]
        found[template["survey"]] = {
            "name": template["survey"],
            "description": point["short_description"],
            "spec": spec,
        }
    return found


def question(
    variable: str, option: Mapping[str, Any], required: bool = False, override: bool = False
) -> dict[str, Any]:
    """One question of a survey.

    ``override``: the variable is the inventory's. A default would hide its value, so there is none.
    """
    default = "" if override else option.get("default", "")
    required = required or bool(option.get("required"))
    asked = {
        "variable": variable,
        "question_name": variable,
        "question_description": _description(variable, option, override and not required),
        "required": required,
        **_answer(variable, option),
    }
    asked["default"] = _default(asked["type"], default)
    return asked


def _answer(variable: str, option: Mapping[str, Any]) -> dict[str, Any]:
    """The type of an answer, with its choices or its limits."""
    kind = option.get("type", "str")
    field = FIELDS[variable]
    if "choices" in option:
        return {"type": "multiplechoice", "choices": list(option["choices"])}
    if kind == "bool":
        return {"type": "multiplechoice", "choices": ["true", "false"]}
    if kind in ("int", "float"):
        if field.low is None or field.high is None:
            sys.exit(f"{variable}: settings_fields.py tells no range")
        limits = {"min": math.floor(field.low), "max": math.ceil(field.high)}
        return {"type": "integer" if kind == "int" else "float", **limits}
    if kind in _TEXTS:
        return {"type": "text", "min": 1, "max": LONGEST_TEXT}
    sys.exit(f"{variable}: a survey cannot ask for a {kind}")


def _default(kind: str, value: Any) -> Any:
    """A default as AWX wants it: numbers as numbers, everything else as text."""
    if kind in ("integer", "float"):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _description(variable: str, option: Mapping[str, Any], inherited: bool) -> str:
    """What the variable means, what may stand there, and what happens without an answer."""
    sentences = [docs.plain(option).replace("`", "")]
    # AWX itself shows choices, and refuses a whole number that is out of its range.
    if "choices" not in option and option.get("type") not in ("bool", "int"):
        sentences.append(f"Allowed: {FIELDS[variable].allowed}.")
    if inherited:
        sentences.append("Left empty, the inventory decides.")
        if "default" in option:
            sentences.append(f"Without a value there it is {option['default']}.")
    return " ".join(sentences)


def files() -> dict[Path, str]:
    """The files that awx/surveys/ should have, with their whole text."""
    return {
        SURVEYS / f"{name}.yml": _HEADER
        + yaml.dump(survey, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
        for name, survey in surveys().items()
    }


def stale() -> dict[Path, str | None]:
    """Files that are not as they should be, with their right text; None for one too many."""
    wanted = files()
    found: dict[Path, str | None] = {
        path: text
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    found.update({path: None for path in sorted(SURVEYS.glob("*")) if path not in wanted})
    return found


def main() -> int:
    """Exit status 1 with ``--check`` when something is stale."""
    found = stale()
    only_check = "--check" in sys.argv[1:]
    for path, text in found.items():
        done = "removed" if text is None else "written"
        print(f"{path.relative_to(ROOT)}: {'stale' if only_check else done}")
        if only_check:
            continue
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return int(bool(found) and only_check)


if __name__ == "__main__":
    sys.exit(main())
