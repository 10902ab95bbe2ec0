"""``speckit-template-agent REQUEST.json``: the agent that needs no model.

It does what the commands of Spec Kit tell an agent to do, as far as that needs no understanding: it runs the
repository's own Spec Kit scripts, and fills the repository's own templates with what the request says. The same
request on the same files gives the same files. The request is a file, see ``template_request``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from speckit_container.analyze_spec import MOST_FINDINGS, SEVERITIES, Document, analyze, as_json
from speckit_container.clarify_questions import questions
from speckit_container.fill_checklist import NOT_OURS, checklist_name, longer_checklist, new_checklist
from speckit_container.fill_clarify import clarify, usable
from speckit_container.fill_constitution import amended, is_filled, new_constitution
from speckit_container.fill_plan import fill_plan
from speckit_container.fill_quality import fill_quality, judged, ticked
from speckit_container.fill_spec import fill_spec
from speckit_container.fill_tasks import fill_tasks
from speckit_container.implementation_notes import NAME as NOTES
from speckit_container.implementation_notes import implementation_notes
from speckit_container.markdown import plain, title_of
from speckit_container.refine_section import refine
from speckit_container.slugs import slug
from speckit_container.spec_parts import Requirement, feature_name, marks, requirements, stories
from speckit_container.spec_project import Project, Stuck
from speckit_container.template_request import Request, request_from

VERSION = "1.1.0"
CONSTITUTION = Path(".specify/memory/constitution.md")


def main() -> None:
    """Do one request. Exit code 0 says that it was done, 1 that it could not be, with the reason on stderr."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"speckit-template-agent {VERSION}\n")
        return
    try:
        summary = work(json.loads(Path(sys.argv[1]).read_bytes()), Path.cwd())
    except (Stuck, OSError, ValueError, RuntimeError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"speckit-template-agent: {_sayable(str(error))}\n")
        sys.exit(1)
    sys.stdout.write(_sayable(summary) + "\n")


def work(content: object, root: Path) -> str:
    """Do the phase of a request and return one line on what was done. Raises Stuck, OSError, ValueError."""
    request = request_from(content)
    phase = PHASES.get(request.phase)
    if phase is None:
        raise Stuck(f"no phase {request.phase}")
    return phase(request, Project(root.resolve()))


def _specify(request: Request, project: Project) -> str:
    text = plain(request.text)
    if not text:
        raise Stuck("the request is empty; say what to specify")
    folder, template = _feature(project, slug(text), request.feature_directory)
    path = folder / "spec.md"
    before = project.read(path) if request.feature_directory and project.has(path) else ""
    spec = fill_spec(template, text, folder.name, request.date, before)
    project.write(path, spec)
    project.remember_feature(folder)
    checklist = folder / f"checklists/{NOT_OURS}.md"
    content = judged(project.read(checklist), spec) if project.has(checklist) else fill_quality(spec, request.date)
    project.write(checklist, content)
    passed, items = ticked(content)
    return (
        f"wrote {path}: {_count(len(stories(spec)), 'user story', 'user stories')}, "
        f"{_changes(requirements(before), requirements(spec))}, {_count(len(marks(spec)), 'open question')}; "
        f"{passed} of {items} items of {checklist} pass"
    )


def _plan(request: Request, project: Project) -> str:
    folder = project.folder(request.feature_directory)
    spec = project.read(folder / "spec.md", "specify")
    path = folder / "plan.md"
    again = project.has(path)
    try:
        project.run_script("setup-plan.sh", folder, "--json")
    except Stuck as error:
        # Spec Kit's script may refuse to touch a plan that is there; this one is written anew all the same.
        if not again:
            raise
        sys.stderr.write(f"{error}; the plan was there already\n")
    template = project.read(path) if project.has(path) and not again else project.template("plan-template")
    plan = fill_plan(template, spec, str(folder), request.date, project.root, plain(request.text))
    project.write(path, plan)
    still_open = plan.count("NEEDS CLARIFICATION")
    done = "anew " if again else ""
    return f"wrote {path} {done}from {folder / 'spec.md'}: {_count(still_open, 'technical decision')} still to be made"


def _tasks(request: Request, project: Project) -> str:
    folder = project.folder(request.feature_directory)
    spec = project.read(folder / "spec.md", "specify")
    project.read(folder / "plan.md", "plan")
    answer = project.run_script("setup-tasks.sh", folder, "--json")
    template = str(answer.get("TASKS_TEMPLATE_CONTENT") or "") or project.template("tasks-template")
    tasks = fill_tasks(template, spec, str(folder), plain(request.text))
    project.write(folder / "tasks.md", tasks)
    count = tasks.count("\n- [ ] T")
    told = _count(len(stories(spec)), "user story", "user stories")
    return f"wrote {folder / 'tasks.md'}: {_count(count, 'task')} for {told}"


def _clarify(request: Request, project: Project) -> str:
    folder = project.folder(request.feature_directory)
    path = folder / "spec.md"
    if not request.answers:
        found = questions(project.read(path, "specify"), plain(request.text))
        _give(request, {"questions": [question.as_json(str(path)) for question in found]})
        return f"wrote {_count(len(found), 'question')} about {path}; no file was changed"
    before = project.read_exact(path, "specify")
    if not usable(request.answers):
        raise Stuck("none of the answers has a word")
    clarified = clarify(before, request.answers, request.date)
    if clarified.content == before:
        return f"wrote nothing: {path} has these answers already"
    project.write(path, clarified.content)
    checklist = folder / f"checklists/{NOT_OURS}.md"
    if project.has(checklist):
        project.write(checklist, judged(project.read_exact(checklist), clarified.content))
    return (
        f"wrote {path}: {_count(clarified.recorded, 'answer')} recorded, {_count(clarified.placed, 'place')} changed, "
        f"{_count(len(marks(clarified.content)), 'question')} still open"
    )


def _checklist(request: Request, project: Project) -> str:
    folder = project.folder(request.feature_directory)
    spec, wishes = project.read(folder / "spec.md", "specify"), plain(request.text)
    name = checklist_name(wishes)
    path = folder / f"checklists/{name}.md"
    if project.has(path):
        made = longer_checklist(project.read_exact(path), name, spec, wishes, request.date)
        if not made.added:
            return f"wrote nothing: {path} has all of these items already"
    else:
        made = new_checklist(project.template("checklist-template"), name, spec, wishes, request.date)
    project.write(path, made.content)
    return f"wrote {path}: {_count(made.added, 'new item')}, none of them ticked"


def _analyze(request: Request, project: Project) -> str:
    folder = project.folder(request.feature_directory)
    documents = [
        Document(str(folder / f"{name}.md"), project.read(folder / f"{name}.md", command))
        for name, command in (("spec", "specify"), ("plan", "plan"), ("tasks", "tasks"))
    ]
    found = analyze(*documents)
    _give(request, {"findings": as_json(found)})
    counts = [(severity, sum(one.severity == severity for one in found)) for severity in SEVERITIES]
    told = ", ".join(f"{count} {severity}" for severity, count in counts if count)
    more = f"; only the first {MOST_FINDINGS} are listed" if len(found) > MOST_FINDINGS else ""
    return (
        f"wrote {_count(len(found), 'finding')} about {folder}{f' ({told})' if told else ''}{more}; no file was changed"
    )


def _constitution(request: Request, project: Project) -> str:
    wishes = plain(request.text)
    if not any(character.isalnum() for character in wishes):
        raise Stuck("the request is empty; say the principles")
    before = project.read(CONSTITUTION) if project.has(CONSTITUTION) else ""
    if is_filled(before):
        made = amended(before, wishes, request.date)
        if made.content == before and made.changes.unknown:
            raise Stuck(f"{'; '.join(made.changes.unknown)}; nothing was changed")
        if made.content == before:
            return f"wrote nothing: {CONSTITUTION} {made.version} says all of this already"
    else:
        template = project.template("constitution-template")
        made = new_constitution(template, wishes, _project_name(project), request.date)
    project.write(CONSTITUTION, made.content)
    changes = made.changes
    return (
        f"wrote {CONSTITUTION}, version {made.version}: {_count(len(changes.added), 'principle')} added, "
        f"{len(changes.modified)} changed, {len(changes.removed)} removed"
    )


def _refine(request: Request, project: Project) -> str:
    if request.section is None:
        raise Stuck("the request names no section to refine")
    path = project.file(request.section.path)
    refined = refine(project.read_exact(path), request.section, plain(request.text))
    project.write(path, refined.content)
    return f"wrote {path}, line {refined.line}: {refined.what}"


def _implement(request: Request, project: Project) -> str:
    feature = project.folder(request.feature_directory)
    tasks = project.read(feature / "tasks.md", "tasks")
    spec = project.read(feature / "spec.md", "specify")
    if not request.paths:
        raise Stuck("no path is allowed; the repository's configuration has to name one that may be written")
    folders = [path for path in request.paths if path.endswith("/") or (project.root / path).is_dir()]
    if not folders:
        raise Stuck("none of the allowed paths is a folder; this agent writes its notes into one")
    path = project.file(f"{folders[0]}/{NOTES}" if not folders[0].startswith("/") else folders[0])
    wishes = plain(request.text)
    content, done, count = implementation_notes(spec, tasks, str(feature), request.date, wishes)
    project.write(path, content)
    return f"wrote {path}: {done} of {_count(count, 'task')} done; this agent has no model and implemented none"


PHASES: Mapping[str, Callable[[Request, Project], str]] = {
    "speckit_specify": _specify,
    "speckit_plan": _plan,
    "speckit_tasks": _tasks,
    "speckit_clarify": _clarify,
    "speckit_checklist": _checklist,
    "speckit_analyze": _analyze,
    "speckit_constitution": _constitution,
    "speckit_refine": _refine,
    "speckit_implement": _implement,
}


def _feature(project: Project, name: str, reserved: str) -> tuple[Path, str]:
    """The feature's folder, and the template that its spec.md begins as."""
    if reserved:
        return project.folder(reserved), project.template("spec-template")
    answer = project.run_script("create-new-feature.sh", None, "--json", "--short-name", name, name.replace("-", " "))
    if answer.get("SPEC_FILE"):
        path = Path(str(answer["SPEC_FILE"]))
        folder = path.relative_to(project.root).parent if path.is_absolute() else path.parent
        begun = project.folder(str(folder)) / "spec.md"
        return begun.parent, project.read(begun) if project.has(begun) else project.template("spec-template")
    return Path("specs") / f"{_next_number(project.root):03}-{name}", project.template("spec-template")


def _next_number(root: Path) -> int:
    begins = [path.name.partition("-")[0] for path in (root / "specs").glob("*-*")]
    numbers = [int(begin) for begin in begins if begin.isascii() and begin.isdigit() and 3 <= len(begin) <= 9]
    return max(numbers, default=0) + 1


def _project_name(project: Project) -> str:
    """What the README calls the project."""
    readme = Path("README.md")
    name = title_of(feature_name(project.read(readme))) if project.has(readme) else ""
    return name if name and name != "Untitled feature" else "Project"


def _give(request: Request, result: Mapping[str, object]) -> None:
    """Write the result file, which lies outside the project."""
    if not request.result_file:
        raise Stuck("the request names no `result_file` for what was found")
    Path(request.result_file).write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _changes(before: list[Requirement], after: list[Requirement]) -> str:
    """How many requirements there are, and what became of those of the last round."""
    total = _count(len(after), "requirement")
    if not before:
        return total
    old, new = {one.id: one.text for one in before}, {one.id: one.text for one in after}
    kept = sum(old.get(name) == text for name, text in new.items())
    changed = sum(name in old for name in new) - kept
    told = (("new", len(new.keys() - old.keys())), ("changed", changed), ("dropped", len(old.keys() - new.keys())))
    return f"{total} ({', '.join([f'{kept} kept', *(f'{count} {word}' for word, count in told if count)])})"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _sayable(text: str) -> str:
    """One line that any terminal can take."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


if __name__ == "__main__":
    main()
