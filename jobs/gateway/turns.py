"""A turn: the time in which one agent works for one attempt of a phase. The gateway serves in turns and never between.

What an agent began to ask is counted to its end, also when the agent went away: whoever hangs up before the last bytes
of an answer would else pay for nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from db.budgets import SpendingRules
from db.usage import NO_MODEL
from db.vocabulary import ErrorCode, Phase
from jobs.errors import PipelineError, UserError
from jobs.gateway.accounts import Account, Reached
from jobs.gateway.sentences import budget_sentence, no_price_sentence

MOST_AT_ONCE = 8
"""Requests of a run that are served at once. It bounds the memory that their bodies take, and by how many answers a
budget can be exceeded."""

LAST_WORDS_SECONDS = 20.0
"""How long an agent may go on after it was told that the budget is used up."""

LAST_ANSWERS_SECONDS = 10.0
"""How long answers may still take that nobody waits for any more."""

WRITING_SECONDS = 0.25
"""How long the end of an answer waits until its tokens are written."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a container says when an agent begins: ``agent`` is its backend, ``models`` are those it may use."""

    phase: Phase
    attempt: int
    agent: str
    models: Sequence[str]


class OpenTurn:
    """A turn under way. ``serving`` is one request's time in it."""

    def __init__(self, turn: Turn, account: Account, prefix: str, last_words_seconds: float) -> None:
        self.turn = turn
        self.account = account
        self._prefix = prefix
        self._last_words_seconds = last_words_seconds
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._serving: set[asyncio.Task[object]] = set()
        self._writing: set[asyncio.Task[None]] = set()
        self._limit: asyncio.Timeout | None = None
        self.reached: Reached | None = None
        self.is_over = False
        self._refusals = 0

    async def begin(self, rules: SpendingRules) -> None:
        """Learn what was spent before. Raises UserError when nothing is left, or when a budget in dollars cannot be
        kept; SQLAlchemyError and OSError."""
        await self.account.open()
        unpriced = [model for model in self.turn.models if model not in rules.prices]
        if self.account.counts_cost and unpriced:
            raise UserError(ErrorCode.AGENT_NOT_CONFIGURED, no_price_sentence(unpriced[0]))
        self.is_used_up()
        if (error := self.failure) is not None:
            raise error

    @property
    def failure(self) -> PipelineError | None:
        """What the phase fails with, whatever its agent says, once a request met a budget that was used up."""
        if self.reached is None:
            return None
        return UserError(ErrorCode.AGENT_BUDGET_REACHED, budget_sentence(self.reached, self._prefix))

    def is_used_up(self) -> bool:
        """Whether a request must be refused for a budget. From then on every one is, and the agent's time runs out."""
        if self.reached is None:
            self.reached = self.account.reached()
        if self.reached is not None and self._limit is not None and self._limit.when() is None:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._last_words_seconds)
        return self.reached is not None

    def allows(self, model: str) -> bool:
        """Whether the turn may use it."""
        return model in self.turn.models

    def refused(self, model: str = NO_MODEL) -> None:
        """Count a request that is not passed on."""
        self._refusals += 1
        self.account.refused(model if self.allows(model) else NO_MODEL)

    @asynccontextmanager
    async def patience(self) -> AsyncIterator[None]:
        """Raises TimeoutError in the block some seconds after a budget was reached in it."""
        async with asyncio.timeout(None) as limit:
            self._limit = limit
            try:
                yield
            finally:
                self._limit = None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """One request's time; waits while too many are served."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("requests are served in tasks")
        self._serving.add(task)
        try:
            async with self._slots:
                yield
        finally:
            self._serving.discard(task)

    async def write(self) -> None:
        """Write down what was counted. A slow database is not waited for, and whoever is cancelled meanwhile leaves the
        writing under way."""
        writing = asyncio.create_task(self.account.try_to_write())
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        await asyncio.wait({writing}, timeout=WRITING_SECONDS)

    async def end(self, *, at_once: bool) -> None:
        """No request comes any more: wait for the answers under way, or cut them, and write everything. Raises
        SQLAlchemyError and OSError when that cannot be written."""
        self.is_over = True
        if self._serving and not at_once:
            await asyncio.wait(set(self._serving), timeout=LAST_ANSWERS_SECONDS)
        if late := set(self._serving):
            log.info("answers_cut", extra={"phase": self.turn.phase.value, "answers": len(late)})
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=1)
        if self._refusals:
            # Once a turn, however often: an agent must not be able to fill the log.
            turn = {"phase": self.turn.phase.value, "agent": self.turn.agent, "requests": self._refusals}
            log.info("requests_refused", extra=turn)
        if writing := set(self._writing):
            await asyncio.wait(writing)
        await self.account.write()
