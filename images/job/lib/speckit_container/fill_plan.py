"""plan.md from spec.md and a look at the tree, without a model: what can be seen, and what is still to be decided."""

from __future__ import annotations

import re
from pathlib import Path

from speckit_container.markdown import Section, joined, sections, without_comments

LANGUAGES = (
    ("pyproject.toml", "Python"),
    ("setup.py", "Python"),
    ("requirements.txt", "Python"),
    ("package.json", "JavaScript or TypeScript"),
    ("go.mod", "Go"),
    ("Cargo.toml", "Rust"),
    ("pom.xml", "Java"),
    ("build.gradle", "Java or Kotlin"),
    ("build.gradle.kts", "Kotlin"),
    ("Gemfile", "Ruby"),
    ("composer.json", "PHP"),
    ("Package.swift", "Swift"),
    ("mix.exs", "Elixir"),
)
MOST_FOLDERS = 20
MOST_PRINCIPLES = 20
OPEN = "NEEDS CLARIFICATION (nothing in the specification or the tree says it)"
NOTE = (
    "> **How this draft was made**: the agent `template` filled Spec Kit's template from `spec.md` and from what the "
    "repository's files show. No language model was used; the technical decisions are still to be made."
)


def fill_plan(template: str, spec: str, feature: str, date: str, root: Path) -> str:
    """The whole file. ``root`` is the repository's folder."""
    parts = sections(without_comments(template))
    title = feature_name(spec)
    for part in parts:
        part.title = part.title.replace("[FEATURE]", title)
        text = "\n".join(part.lines)
        text = text.replace("[###-feature-name]", feature).replace("[###-feature]", feature)
        part.lines = text.replace("[DATE]", date).replace("[link]", "[spec.md](spec.md)").split("\n")
    _fill(parts, "Summary", ["", *_summary(spec), "", NOTE, ""])
    _fill_context(parts, root)
    _fill(parts, "Constitution Check", ["", *_gates(root), ""])
    _fill(parts, "Documentation (this feature)", ["", "```text", *_documents(feature), "```", ""])
    _fill(parts, "Source Code", ["", "```text", *_folders(root), "```", "", *_decision(), ""])
    _fill(parts, "Complexity Tracking", ["", "No violation is known: no technical decision was made yet.", ""])
    return joined(parts)


def feature_name(document: str) -> str:
    """The name in the first heading of a spec.md."""
    found = re.search(r"^#\s+(?:Feature Specification:\s*)?(.+?)\s*$", document, re.MULTILINE)
    return found.group(1) if found else "Untitled feature"


def requirements(spec: str) -> list[str]:
    """The functional requirements as (``FR-001: ...``)."""
    found = re.findall(r"^- \*\*(FR-\d+)\*\*:\s*(.+?)\s*$", spec, re.MULTILINE)
    return [f"{number}: {text}" for number, text in found]


def _fill(parts: list[Section], title: str, lines: list[str]) -> None:
    for part in parts:
        if part.title.startswith(title):
            part.lines = lines


def _summary(spec: str) -> list[str]:
    asked = requirements(spec)
    count = f"{len(asked)} functional requirement{'s' if len(asked) != 1 else ''}"
    lines = [f"{feature_name(spec)}: {count} in [spec.md](spec.md)."]
    return [*lines, "", *(f"- {text}" for text in asked[:10])] if asked else lines


def _fill_context(parts: list[Section], root: Path) -> None:
    language = next((name for file, name in LANGUAGES if (root / file).is_file()), "")
    for part in parts:
        if not part.title.startswith("Technical Context"):
            continue
        made = []
        for line in part.lines:
            found = re.match(r"(\*\*([^*]+)\*\*:\s*)\[.*\]\s*$", line)
            if found is None:
                made.append(line)
            elif found.group(2).startswith("Language") and language:
                made.append(
                    f"{found.group(1)}{language} (from the files at the top of the repository), version: {OPEN}"
                )
            else:
                made.append(found.group(1) + OPEN)
        part.lines = made


def _gates(root: Path) -> list[str]:
    path = root / ".specify/memory/constitution.md"
    text = path.read_text("utf-8", "replace") if path.is_file() else ""
    if not text.strip() or re.search(r"\[[A-Z0-9_]{4,}\]", text):
        return ["The repository's constitution is not filled in yet, so there is no gate to pass."]
    found = re.findall(r"^###\s+(.+?)\s*$", text, re.MULTILINE)[:MOST_PRINCIPLES]
    if not found:
        return ["To be checked by a reviewer against `.specify/memory/constitution.md`."]
    return ["To be checked by a reviewer; none was judged here:", "", *(f"- [ ] {principle}" for principle in found)]


def _documents(feature: str) -> list[str]:
    return [f"specs/{feature}/", "├── spec.md", "├── plan.md", "└── tasks.md"]


def _folders(root: Path) -> list[str]:
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    shown = [f"{name}/" for name in names if name.isprintable()][:MOST_FOLDERS]
    more = [f"... and {len(names) - len(shown)} more"] if len(names) > len(shown) else []
    return [*shown, *more] or ["(no folders yet)"]


def _decision() -> list[str]:
    return [
        "**Structure Decision**: the folders above are the repository's own, as they are; which of them this feature "
        "touches is to be decided by whoever implements it."
    ]
