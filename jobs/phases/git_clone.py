"""git_clone: the tree both containers work on, as it was when the run began."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from db.errors import ImmutableRecord
from db.runs import record_agent, record_source
from db.session import Database
from db.vocabulary import ErrorCode
from jobs.errors import UserError
from jobs.patches import INIT_POLICY, judge, parse_patch
from jobs.ports import Agent, CloneSource, Credentials, PreparedTree
from jobs.run_context import Attempt, Checkpoint, Finished, Pinned, Prepared, Source, Workplace
from jobs.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class GitClone:
    """Repeatable: what is ``pinned`` gives new containers the same tree and in the end the same commits, and the
    checkpoints of finished agent phases bring the tree to where the old one was."""

    database: Database
    credentials: Credentials
    folder: RunFolder
    allowed_agents: Sequence[str]

    async def execute(
        self,
        attempt: Attempt,
        prepared: Prepared,
        agent: Agent,
        workplace: Workplace,
        pinned: Pinned,
        checkpoints: Sequence[Checkpoint],
    ) -> Finished[Source]:
        """Raises UserError ``clone.*``, ``publish.*`` and ``speckit.init_failed``."""
        token = await self.credentials.clone_token(attempt.lease)
        clone = await workplace.git.clone(
            CloneSource(prepared.clone_url, prepared.base_branch, pinned.base_sha), token, attempt.output
        )
        await workplace.job.receive_tree(workplace.git, attempt.output)
        tree = await workplace.job.prepare_tree(agent, attempt.output)
        await self._judge(attempt, tree.init_patch)
        await self._record(attempt, agent, tree, prepared.base_branch, clone.commit)
        for checkpoint in checkpoints:
            if checkpoint.patch:
                await workplace.job.replay(checkpoint.patch, attempt.output)
        if tree.init_patch and not pinned.init_patch:
            # Last, so that the first that is kept is the first that was worked on.
            await self.folder.keep_patch(attempt, tree.init_patch)
        init_patch = pinned.init_patch or tree.init_patch
        source = Source(clone.commit, tree.prompt_pack_version, init_patch, tree.templates)
        details = {
            "base_branch": prepared.base_branch,
            "base_sha": clone.commit,
            "prompt_pack_version": tree.prompt_pack_version,
            "spec_kit_set_up": bool(init_patch),
        }
        return Finished(source, details)

    async def _judge(self, attempt: Attempt, init_patch: bytes) -> None:
        try:
            judge(await asyncio.to_thread(parse_patch, init_patch), INIT_POLICY)
        except UserError:
            await self.folder.keep_patch(attempt, init_patch)
            raise

    async def _record(
        self, attempt: Attempt, agent: Agent, tree: PreparedTree, base_branch: str, base_sha: str
    ) -> None:
        try:
            async with self.database.transaction() as session:
                await record_source(session, attempt.lease, base_branch, base_sha)
                await record_agent(
                    session,
                    attempt.lease,
                    agent_backend=agent.name,
                    agent_version=tree.agent_version,
                    prompt_pack_version=tree.prompt_pack_version,
                    runtime_env=agent.runtime_env,
                    allowed=self.allowed_agents,
                )
        except ImmutableRecord as error:
            raise UserError(
                ErrorCode.RUN_INTERNAL,
                "The job image or the agent's settings were changed while this run was under way. Start a new run.",
            ) from error
