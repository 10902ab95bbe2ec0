"""Which phase may change what.

All paths are from the repository's root, as they stand in a patch: whoever works with a project in a folder puts the
folder before the paths of its agent.
"""

from __future__ import annotations

from collections.abc import Sequence

from db.vocabulary import Phase
from jobs.patches.globs import split_places
from jobs.patches.integrations import INTEGRATIONS, integration_called
from jobs.patches.policy import PatchPolicy

FEATURE_FILE = ".specify/feature.json"
"""Where Spec Kit's scripts note which feature is worked on."""

NEVER_IMPLEMENTED = (
    # Git and GitHub act on these.
    *("**/.git*", "**/.git*/**", "**/codeowners"),
    # Other services run them, with their secrets, as soon as a branch is pushed.
    *(
        "**/.circleci/**",
        "**/.buildkite/**",
        "**/.drone.y*ml",
        "**/.travis.y*ml",
        "**/.woodpecker*",
        "**/.woodpecker/**",
    ),
    *("**/appveyor.y*ml", "**/azure-pipelines*.y*ml", "**/bitbucket-pipelines.y*ml", "**/jenkinsfile"),
    # Editors, shells and agents run them, or do as they say, when somebody merely opens the repository.
    *("**/.devcontainer/**", "**/.devcontainer.json", "**/.idea/**", "**/.vscode/**", "**/.husky/**", "**/.envrc"),
    *("**/.agents/**", "**/.claude/**", "**/.codex/**", "**/.cursor/**", "**/.gemini/**", "**/.mcp.json"),
    "**/.pre-commit-config.y*ml",
    # Settings of agents and of tools, which whoever works there next would work by.
    *("**/.env", "**/.env.local", "**/.env.*.local", "**/.npmrc", "**/.yarnrc*", "**/.pypirc", "**/.netrc"),
    *("**/opencode.json*", "**/.qwen/**", "**/.kiro/**"),
    # What Spec Kit's commands say is what the next agent does.
    *sorted({f"**/{known.commands}**" for known in INTEGRATIONS.values() if known.commands}),
    # Spec Kit's own: a constitution is amended by its command, not on the way.
    "**/.specify/**",
)
"""In lower case. No configuration lets an agent write these on the way to something else."""

IMPLEMENTED_FILES = 500
IMPLEMENTED_BYTES = 8 << 20


def init_policy(project: str, integration: str) -> PatchPolicy:
    """For what ``specify init --integration`` wrote. ``project`` is the folder of Spec Kit's root, empty for the
    repository's."""
    at = f"{project}/" if project else ""
    known = integration_called(integration)
    return PatchPolicy(
        folders=(f"{at}.specify/", *([at + known.commands] if known.commands else [])),
        files=(at + known.context_file,) if known.context_file else (),
        max_files=300,
    )


def policy_for(
    phase: Phase,
    *,
    project: str,
    feature_directory: str,
    section_path: str = "",
    paths: Sequence[str] = (),
    integration: str = "",
) -> PatchPolicy:
    """For what the agent wrote in ``phase``. ``feature_directory`` is empty until there is one; ``section_path`` is the
    file of ``speckit_refine``; ``paths`` are the configured places for ``speckit_implement``; ``integration`` is the
    agent's, whose context file Spec Kit keeps up to date.

    Raises ValueError for a phase without an agent.
    """
    at = f"{project}/" if project else ""
    feature = f"{feature_directory}/" if feature_directory else f"{at}specs/"
    match phase:
        case Phase.SPECKIT_SPECIFY | Phase.SPECKIT_PLAN | Phase.SPECKIT_TASKS:
            context_file = integration_called(integration).context_file
            own = (FEATURE_FILE, *([context_file] if context_file else []))
            return PatchPolicy(folders=(feature,), files=tuple(at + name for name in own))
        case Phase.SPECKIT_CLARIFY | Phase.SPECKIT_CHECKLIST:
            return PatchPolicy(folders=(feature,))
        case Phase.SPECKIT_CONSTITUTION:
            return PatchPolicy(folders=(f"{at}.specify/memory/", f"{at}.specify/templates/"))
        case Phase.SPECKIT_REFINE:
            return PatchPolicy(files=(section_path,) if section_path else ())
        case Phase.SPECKIT_ANALYZE:
            return PatchPolicy()
        case Phase.SPECKIT_IMPLEMENT:
            folders, files, globs = split_places(paths)
            tasks = (f"{feature_directory}/tasks.md",) if feature_directory else ()
            return PatchPolicy(
                folders, (*files, *tasks), globs, NEVER_IMPLEMENTED, IMPLEMENTED_FILES, IMPLEMENTED_BYTES
            )
    raise ValueError(f"no agent works in {phase}")
