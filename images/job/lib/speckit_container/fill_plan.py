"""plan.md from spec.md and a look at the tree, without a model: what can be seen, and what is still to be decided.

A wish for the plan goes to the line of the technical context that it names, or whose words it uses; else it is noted.
"""

from __future__ import annotations

import re
from pathlib import Path

from speckit_container.markdown import (
    Section,
    fill,
    in_line,
    joined,
    sections,
    sentences,
    without_comments,
    without_marks,
)
from speckit_container.spec_parts import feature_name, requirements

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
WORDS_OF_FIELDS = (
    ("Storage", r"postgres\w*|mysql|mariadb|sqlite|mongodb|redis|databases?|stored?|storage"),
    ("Testing", r"pytest|unittest|junit|jest|vitest|tests?|tested|testing|coverage"),
    ("Performance", r"latency|throughput|milliseconds?|ms|seconds?|req/s|p95|p99|fps"),
    ("Scale", r"concurrent|scale|scales|\d+\s*(?:k|m|million|thousand)?\s*users"),
    ("Constraints", r"offline|memory|at most|no more than|budget|must not|never|without"),
    ("Target Platform", r"linux|windows|macos|ios|android|browsers?|docker|kubernetes|aws|azure|gcp|servers?"),
    ("Project Type", r"cli|command line|web service|web app|mobile app|desktop app"),
    (
        "Primary Dependencies",
        r"django|flask|fastapi|react|vue|angular|svelte|spring|rails|express|frameworks?|librar\w+",
    ),
    ("Language", r"python|java|javascript|typescript|go|golang|rust|ruby|php|swift|kotlin|elixir|scala"),
)
MOST_FOLDERS = 20
MOST_PRINCIPLES = 20
MOST_WISHES = 200
OPEN = "NEEDS CLARIFICATION (nothing in the specification or the tree says it)"
NOTE = (
    "> **How this draft was made**: the agent `template` filled Spec Kit's template from `spec.md` and from what the "
    "repository's files show. No language model was used; the technical decisions are still to be made."
)


def fill_plan(template: str, spec: str, folder: str, date: str, root: Path, wishes: str = "") -> str:
    """The whole file. ``folder`` is the feature's, ``root`` the project's."""
    parts = sections(without_comments(template))
    title = feature_name(spec)
    for part in parts:
        part.title = part.title.replace("[FEATURE]", title)
        part.lines = _head(part.lines, folder, date)
    fill(parts, "Summary", ["", *_summary(spec), "", NOTE, ""])
    _fill_context(parts, root, sentences(wishes)[:MOST_WISHES])
    fill(parts, "Constitution Check", ["", *_gates(root), ""])
    fill(parts, "Documentation (this feature)", ["", "```text", *_documents(folder), "```", ""])
    fill(parts, "Source Code", ["", "```text", *_folders(root), "```", "", *_decision(), ""])
    fill(parts, "Complexity Tracking", ["", "No violation is known: no technical decision was made yet.", ""])
    return joined(parts)


def _head(lines: list[str], folder: str, date: str) -> list[str]:
    name = folder.rpartition("/")[2]
    text = "\n".join(lines).replace("specs/[###-feature-name]", folder).replace("[###-feature-name]", name)
    text = text.replace("specs/[###-feature]", folder).replace("[###-feature]", name)
    return text.replace("[DATE]", date).replace("[link]", "[spec.md](spec.md)").split("\n")


def _summary(spec: str) -> list[str]:
    asked = [f"{requirement.id}: {without_marks(requirement.text)}" for requirement in requirements(spec, "FR")]
    count = f"{len(asked)} functional requirement{'s' if len(asked) != 1 else ''}"
    lines = [f"{feature_name(spec)}: {count} in [spec.md](spec.md)."]
    return [*lines, "", *(f"- {text}" for text in asked[:10])] if asked else lines


def _fill_context(parts: list[Section], root: Path, wishes: list[str]) -> None:
    language = next((name for file, name in LANGUAGES if (root / file).is_file()), "")
    context = next((part for part in parts if part.title.startswith("Technical Context")), None)
    names = re.findall(r"^\*\*([^*]+)\*\*:", "\n".join(context.lines), re.MULTILINE) if context else []
    wished = _by_field(names, wishes)
    noted = [f"- {in_line(wish)}" for wish in wished.pop("", [])]
    notes = ["", "**Asked for with this plan, still to be worked in**:", "", *noted, ""] if noted else []
    if context is None:
        if notes:
            parts.append(Section(2, "Notes", notes))
        return
    made = []
    for line in context.lines:
        found = re.match(r"(\*\*([^*]+)\*\*:\s*)\[.*\]\s*$", line)
        if found is None:
            made.append(line)
        elif found.group(2) in wished:
            made.append(f"{found.group(1)}{'; '.join(map(in_line, wished[found.group(2)]))} (asked for with this plan)")
        elif found.group(2).startswith("Language") and language:
            made.append(f"{found.group(1)}{language} (from the files at the top of the repository), version: {OPEN}")
        else:
            made.append(found.group(1) + OPEN)
    context.lines = [*made, *notes]


def _by_field(names: list[str], wishes: list[str]) -> dict[str, list[str]]:
    """The wishes by the field of the technical context they belong to; under an empty name those that fit none."""
    found: dict[str, list[str]] = {}
    for wish in wishes:
        label, colon, rest = wish.partition(":")
        named = next((name for name in names if colon and rest.strip() and _is_called(name, label)), "")
        if named:
            found.setdefault(named, []).append(rest.strip().rstrip("."))
            continue
        begin = next(
            (field for field, words in WORDS_OF_FIELDS if re.search(rf"\b(?:{words})\b", wish, re.IGNORECASE)), None
        )
        field = next((name for name in names if begin and name.startswith(begin)), "")
        found.setdefault(field, []).append(wish.rstrip(".") if field else wish)
    return found


def _is_called(name: str, label: str) -> bool:
    """Whether a wish's label (``Language``) is the field's name (``Language/Version``) or a part of it."""
    asked = label.strip().casefold()
    return asked in (name.casefold(), *(part.strip() for part in name.casefold().split("/")))


def _gates(root: Path) -> list[str]:
    path = root / ".specify/memory/constitution.md"
    text = path.read_text("utf-8", "replace") if path.is_file() else ""
    if not text.strip() or re.search(r"\[[A-Z0-9_]{4,}\]", text):
        return ["The repository's constitution is not filled in yet, so there is no gate to pass."]
    found = re.findall(r"^###[ \t]+(.*\S)", text, re.MULTILINE)[:MOST_PRINCIPLES]
    if not found:
        return ["To be checked by a reviewer against `.specify/memory/constitution.md`."]
    return ["To be checked by a reviewer; none was judged here:", "", *(f"- [ ] {principle}" for principle in found)]


def _documents(folder: str) -> list[str]:
    return [f"{folder}/", "├── spec.md", "├── plan.md", "└── tasks.md"]


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
