# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the variable tables of the READMEs from the argument specs: ``python tools/docs.py``.

A table stands between two lines, ``<!-- begin variables -->`` and ``<!-- end variables -->``; the
rest of a README is written by hand. README.md and README.vi.md have the variables of the playbooks
(roles/settings), a role's README has the role's own. A role without a README gets a short one.
``--check`` changes nothing and fails when a table is stale.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
FRONT = "settings"
BEGIN, END = "<!-- begin variables -->", "<!-- end variables -->"
VIETNAMESE = ROOT / "tools" / "variables.vi"
HEADINGS = {
    "en": ("Variable", "Type", "Default", "Meaning"),
    "vi": ("Biến", "Kiểu", "Mặc định", "Ý nghĩa"),
}
ONLY_FOR = {"en": "Only for", "vi": "Chỉ cho"}

Options = Mapping[str, Mapping[str, Any]]


def roles() -> list[str]:
    """Names of the roles that state their arguments."""
    return sorted(path.parent.parent.name for path in ROOT.glob("roles/*/meta/argument_specs.yml"))


def entry_points(role: str) -> dict[str, Mapping[str, Any]]:
    """The argument specs of a role, by entry point."""
    text = (ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    specs: dict[str, Mapping[str, Any]] = yaml.safe_load(text)["argument_specs"]
    return specs


def options(role: str) -> dict[str, Mapping[str, Any]]:
    """The options of all entry points of a role; the first entry point that has one tells it."""
    merged: dict[str, Mapping[str, Any]] = {}
    for entry_point in entry_points(role).values():
        for name, option in (entry_point.get("options") or {}).items():
            merged.setdefault(name, option)
    return merged


def vietnamese() -> dict[str, dict[str, str]]:
    """By variable: ``en``, the text that was translated, and ``vi``, its translation."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(VIETNAMESE.glob("*.yml")):
        found.update(yaml.safe_load(path.read_text(encoding="utf-8")))
    return found


def plain(option: Mapping[str, Any]) -> str:
    """An option's description as one paragraph of Markdown, its choices included."""
    described = option.get("description", "")
    text = " ".join(described) if isinstance(described, list) else str(described)
    text = re.sub(r"\b[COVMEP]\(((?:[^()\\]|\\.)*)\)", _code, text)
    text = re.sub(r"\bL\(([^,()]*), *([^()]*)\)", r"[\1](\2)", text)
    text = re.sub(r"\b[BI]\(([^()]*)\)", r"*\1*", text)
    return " ".join(text.split())


def _code(match: re.Match[str]) -> str:
    return "`" + re.sub(r"\\(.)", r"\1", match[1]) + "`"


def table(listed: Options, language: str = "en", only_for: Mapping[str, str] | None = None) -> str:
    """A Markdown table of options, in their own order."""
    translations = vietnamese() if language == "vi" else {}
    rows = [HEADINGS[language], ("---",) * 4]
    for name, option in listed.items():
        meaning = translations.get(name, {}).get("vi") or plain(option)
        if only_for and name in only_for:
            meaning += f" {ONLY_FOR[language]} {only_for[name]}."
        rows.append((f"`{name}`", _type(option), _default(option), meaning))
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _type(option: Mapping[str, Any]) -> str:
    kind = str(option.get("type", "str"))
    kind = f"{kind} of {option['elements']}" if "elements" in option else kind
    if "choices" in option:
        return ", ".join(f"`{choice}`" for choice in option["choices"])
    return f"{kind}, required" if option.get("required") else kind


def _default(option: Mapping[str, Any]) -> str:
    if "default" not in option:
        return ""
    value = option["default"]
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def front_table(language: str) -> str:
    """The variables of the playbooks; those that ``deploy`` does not have say whose they are."""
    points = entry_points(FRONT)
    first = next(iter(points))
    owners: dict[str, list[str]] = {}
    for point, spec in points.items():
        for name in spec.get("options") or {}:
            owners.setdefault(name, []).append(f"`{point}`")
    only_for = {n: ", ".join(who) for n, who in owners.items() if f"`{first}`" not in who}
    return table(options(FRONT), language, only_for)


def documents() -> Iterator[tuple[Path, str]]:
    """Each file that has a table, with the whole text that it should have."""
    for name, language in (("README.md", "en"), ("README.vi.md", "vi")):
        path = ROOT / name
        if path.exists():
            yield path, _filled(path, path.read_text(encoding="utf-8"), front_table(language))
    for role in roles():
        path = ROOT / "roles" / role / "README.md"
        text = path.read_text(encoding="utf-8") if path.exists() else _new_readme(role)
        yield path, _filled(path, text, table(options(role)))


def _new_readme(role: str) -> str:
    point = next(iter(entry_points(role).values()))
    lines = [f"# {role}", "", plain({"description": point.get("short_description", "")}) + "."]
    lines += ["", plain(point), "", "## Variables", "", BEGIN, END, ""]
    return "\n".join(lines)


def _filled(path: Path, text: str, content: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    _stale, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit(f"{path.relative_to(ROOT)}: the lines {BEGIN} and {END} are missing")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def stale() -> dict[Path, str]:
    """Files whose table is not what the argument specs say, with the text that they should have."""
    return {
        path: text
        for path, text in documents()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }


def main() -> int:
    """Exit status 1 with ``--check`` when something is stale."""
    found = stale()
    only_check = "--check" in sys.argv[1:]
    for path, text in found.items():
        print(f"{path.relative_to(ROOT)}: {'stale' if only_check else 'written'}")
        if not only_check:
            path.write_text(text, encoding="utf-8")
    return 1 if found and only_check else 0


if __name__ == "__main__":
    sys.exit(main())
