"""git_clone: the tree both containers work on, as it was when the run began."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from db.errors import ImmutableRecord
from db.reservations import LONGEST_NAME, reserve_feature
from db.runs import record_agent, record_feature_directory, record_source
from db.session import Database
from db.vocabulary import RESTORED, ErrorCode, Phase
from jobs.errors import UserError
from jobs.patches import init_policy, judge, parse_patch
from jobs.patches.policy import show
from jobs.phases.steps import SPECS
from jobs.ports import Agent, Clone, CloneSource, Credentials, PreparedTree
from jobs.run_context import Attempt, Checkpoint, Finished, Pinned, Prepared, RunRequest, Source, Workplace
from jobs.run_folder import RunFolder

_LEFT_OUT = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by can could for from has have i in is it let lets of on or our should so that the their"
        " this to us want we when will with would you your",
    )
)
_WORDS = 4
_MOST_TOLD = 50


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier attempts and workers came to."""

    pinned: Pinned
    checkpoints: Sequence[Checkpoint]


@dataclass(frozen=True, slots=True)
class GitClone:
    """Repeatable: what is ``pinned`` gives new containers the same tree and in the end the same commits, and the
    checkpoints of finished agent phases bring the tree to where the old one was. ``agent`` is the one that the run's
    record names."""

    database: Database
    credentials: Credentials
    folder: RunFolder
    allowed_agents: Sequence[str]
    prepared: Prepared
    agent: Agent

    async def execute(
        self, attempt: Attempt, request: RunRequest, workplace: Workplace, before: Before
    ) -> Finished[Source]:
        """Raises UserError ``clone.*``, ``publish.*`` and ``speckit.init_failed``."""
        prepared, pinned = self.prepared, before.pinned
        known = prepared.feature_directory or next(
            (checkpoint.feature_directory for checkpoint in before.checkpoints if checkpoint.feature_directory), ""
        )
        reserves = Phase.SPECKIT_SPECIFY in request.agent_phases and not known
        token = await self.credentials.clone_token(attempt.lease)
        branch = prepared.branch or prepared.base_branch
        reviewed = prepared.base_branch if prepared.branch else ""
        clone = await workplace.git.clone(
            CloneSource(prepared.clone_url, branch, pinned.base_sha, request.project, reserves, reviewed),
            token,
            attempt.output,
        )
        await workplace.job.receive_tree(workplace.git, attempt.output, clone.restored)
        tree = await workplace.job.prepare_tree(self.agent, attempt.output, request.project)
        await self._judge(attempt, tree.init_patch, request.project)
        await self._record(attempt, tree, clone.commit)
        for checkpoint in before.checkpoints:
            if checkpoint.patch:
                await workplace.job.replay(checkpoint.patch, attempt.output)
        directory = await self._reserve(attempt, request, clone) if reserves else known
        if tree.init_patch and not pinned.init_patch:
            # Last, so that the first that is kept is the first that was worked on.
            await self.folder.keep_patch(attempt, tree.init_patch)
        init_patch = pinned.init_patch or tree.init_patch
        source = Source(clone.commit, tree.prompt_pack_version, init_patch, tree.templates, directory)
        details: dict[str, object] = {
            "base_branch": prepared.base_branch,
            "base_sha": clone.commit,
            "feature_directory": directory,
            "prompt_pack_version": tree.prompt_pack_version,
            "spec_kit_set_up": bool(init_patch),
        }
        if clone.restored:
            details[RESTORED] = [show(path) for path in clone.restored[:_MOST_TOLD]]
            details["restored_in_all"] = len(clone.restored)
        return Finished(source, details)

    async def _reserve(self, attempt: Attempt, request: RunRequest, clone: Clone) -> str:
        """The run's own feature directory, relative to the repository. A run that has one keeps it."""
        async with self.database.transaction() as session:
            name = await reserve_feature(
                session,
                attempt.lease,
                name=feature_name(request.text or request.issue_title),
                taken=[*clone.feature_directories, *clone.remote_branches],
                timestamped=clone.numbering == "timestamp",
            )
            directory = request.in_project(f"{SPECS}/{name}")
            await record_feature_directory(session, attempt.lease, directory)
        attempt.output.stdout.write(f"feature directory {directory}\n".encode())
        return directory

    async def _judge(self, attempt: Attempt, init_patch: bytes, project: str) -> None:
        try:
            judge(await asyncio.to_thread(parse_patch, init_patch), init_policy(project, self.agent.integration))
        except UserError:
            await self.folder.keep_patch(attempt, init_patch)
            raise

    async def _record(self, attempt: Attempt, tree: PreparedTree, base_sha: str) -> None:
        try:
            async with self.database.transaction() as session:
                await record_source(session, attempt.lease, self.prepared.base_branch, base_sha)
                await record_agent(
                    session,
                    attempt.lease,
                    agent_backend=self.agent.name,
                    agent_version=tree.agent_version,
                    prompt_pack_version=tree.prompt_pack_version,
                    runtime_env=self.agent.runtime_env,
                    allowed=self.allowed_agents,
                )
        except ImmutableRecord as error:
            raise UserError(
                ErrorCode.RUN_INTERNAL,
                "The job image or the agent's settings were changed while this run was under way. Start a new run.",
            ) from error


def feature_name(text: str) -> str:
    """Two to four words for the feature's directory, from the first line; ``feature`` where it has no Latin letters."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    plain = unicodedata.normalize("NFKD", first).encode("ascii", "ignore").decode().lower()
    words = [word for word in re.findall(r"[a-z0-9]+", re.split(r"[.!?:;](?:\s|$)", plain)[0]) if word not in _LEFT_OUT]
    return "-".join(word[:20] for word in words[:_WORDS])[:LONGEST_NAME].strip("-") or "feature"
