"""What the phases may do, and nothing more: the pipeline sees these Protocols, never Docker, HTTP or GitHub's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable
from uuid import UUID

from db.allowed_hosts import AllowedHost
from db.runs import Lease
from db.vocabulary import Phase


class ByteSink(Protocol):
    """Where captured bytes go. Implementations redact and bound what they keep; ``write`` never raises for size."""

    def write(self, chunk: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class PhaseOutput:
    """The two streams of one attempt of one phase, kept as artifacts."""

    stdout: ByteSink
    stderr: ByteSink


@dataclass(frozen=True, slots=True)
class CloneSource:
    """What to clone. ``url`` holds no credential; ``commit`` pins a resumed run to the tree it began with.

    A run that continues a pull request names its head branch as ``base_branch``. ``project`` is the folder that is Spec
    Kit's root (``packages/api``), empty for the repository's own; ``want_branches`` asks for the remote's branches too.
    ``reviewed_branch`` is where what tells an agent how to work comes from; empty where the tree is that branch's own.
    """

    url: str
    base_branch: str
    commit: str | None = None
    project: str = ""
    want_branches: bool = False
    reviewed_branch: str = ""


@dataclass(frozen=True, slots=True)
class Clone:
    """A pristine clone. ``commit`` is the base's 40 hex digits; ``has_spec_kit``: ``.specify/`` is tracked there.

    ``feature_directories`` are the names of the folders directly in the project's ``specs/``, at most 5000, and
    ``remote_branches`` the names of all branches, at most 10,000, where they were asked for. ``numbering`` is how Spec
    Kit numbers features there: ``sequential`` or ``timestamp``. ``restored`` are the paths of instructions that the
    commit has otherwise than the reviewed branch: an agent finds that branch's, and changes none of them.
    """

    commit: str
    has_spec_kit: bool
    feature_directories: Sequence[str] = ()
    numbering: str = "sequential"
    remote_branches: Sequence[str] = ()
    restored: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class NamedPatch:
    """An accepted patch and the subject of the commit it becomes."""

    subject: str
    patch: bytes


@dataclass(frozen=True, slots=True)
class CommitIdentity:
    """Everything a commit's hash depends on besides its tree, so that a repeat gives the same hash."""

    author_name: str
    author_email: str
    date: datetime
    trailers: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of the patches. ``head`` is 40 hex digits; ``shas`` has one commit for each patch, an empty one for a
    patch that changed nothing."""

    head: str
    shas: Sequence[str]


@dataclass(frozen=True, slots=True)
class PreparedTree:
    """What the job container reported after it took the tree in. ``init_patch`` is empty where Spec Kit was there."""

    prompt_pack_version: str
    agent_version: str
    init_patch: bytes
    templates: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """A question of ``speckit_clarify`` and what somebody answered."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Section:
    """The part of a file that ``speckit_refine`` may change. Lines count from 1, both ends belong to it."""

    path: str
    heading: str
    first_line: int
    last_line: int


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """One Spec Kit command for an agent. Every path in it is relative to the project's folder, the agent's work folder.

    ``feature_directory`` is empty where ``speckit_specify`` is to choose one; one that is given may be there already.
    ``answers`` are for ``speckit_clarify``, which asks where there are none; ``section`` is for ``speckit_refine``;
    ``paths`` are what ``speckit_implement`` may write: folders that end with a slash, files, globs. ``model`` is for an
    agent that supports one, which uses its own where it is None. ``attempt`` is that of the phase. ``inner_sandbox`` is
    the mode of the agent's own sandbox that works in its container; empty where none does.
    """

    run_id: UUID
    phase: Phase
    text: str
    date: datetime
    feature_directory: str = ""
    answers: Sequence[AnsweredQuestion] = ()
    section: Section | None = None
    paths: Sequence[str] = ()
    model: str | None = None
    attempt: int = 1
    inner_sandbox: str = ""


@dataclass(frozen=True, slots=True)
class AgentReport:
    """What an agent said about its own work: nothing here decides success, the files do.

    ``result`` is the content of the file that its command named as ``result_file``, at most 256 KiB, else empty.
    """

    exit_code: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    message: str = ""
    cost_usd: float | None = None
    result: bytes = b""


@dataclass(frozen=True, slots=True)
class EgressReport:
    """Where the programs of an agent tried to go besides its model: host -> how often, bounded and harmless to show.

    ``unnamed`` are refusals that named no host, or one more than are kept by name.
    """

    refused: Mapping[str, int] = field(default_factory=dict)
    unnamed: int = 0
    reached: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BoxCheck:
    """One thing that must not be possible in the job container, tried in it. ``seen`` is one line for people."""

    name: str
    passed: bool
    seen: str


class GitContainer(Protocol):
    """The container with the pristine clone. Each call that needs a token gets it for that one process only."""

    async def clone(self, source: CloneSource, token: str, output: PhaseOutput) -> Clone: ...

    async def commit(
        self, branch: str, patches: Sequence[NamedPatch], identity: CommitIdentity, output: PhaseOutput
    ) -> Committed:
        """Apply the patches one by one on top of the cloned commit, a commit each."""
        ...

    async def push(self, url: str, branch: str, token: str, output: PhaseOutput, expected: str | None = None) -> None:
        """Create the branch on the remote; with ``expected`` (40 hex digits) move it forward from exactly that commit,
        which our head must descend from. Nothing is ever overwritten. A branch already at our head is success."""
        ...


class JobContainer(Protocol):
    """The container the agent works in: no credential, no network, nothing worth stealing."""

    @property
    def container_id(self) -> str: ...

    @property
    def secrets(self) -> Sequence[str]:
        """What is good for this container only, and still to be published or kept nowhere."""
        ...

    @property
    def box(self) -> Sequence[BoxCheck]:
        """What the container proved of itself before anything untrusted was in it."""
        ...

    @property
    def egress(self) -> EgressReport:
        """Of the last turn of an agent, however it ended."""
        ...

    async def receive_tree(self, source: GitContainer, output: PhaseOutput, kept: Sequence[str] = ()) -> None:
        """Take the tree of the pristine clone as a stream, without ``.git``. What an agent makes of the paths in
        ``kept`` is in no patch."""
        ...

    async def prepare_tree(self, agent: Agent, output: PhaseOutput, project: str = "") -> PreparedTree:
        """Run ``specify init`` where ``.specify/`` is missing, read templates and versions. ``project`` is Spec Kit's
        root and the folder the agent works in from now on, relative to the repository's root."""
        ...

    async def replay(self, patch: bytes, output: PhaseOutput) -> None:
        """Apply a checkpoint of an earlier container and make it part of the baseline."""
        ...

    def command_for(self, agent: Agent, request: AgentRequest) -> AgentCommand:
        """What ``run_agent`` starts."""
        ...

    async def run_agent(
        self, agent: Agent, request: AgentRequest, output: PhaseOutput, timeout_seconds: float
    ) -> AgentReport: ...

    async def take_patch(self, output: PhaseOutput) -> bytes:
        """What changed since the last baseline, as a size-capped patch; the baseline moves on."""
        ...

    async def read_files(self, paths: Sequence[str], output: PhaseOutput) -> Mapping[str, bytes]:
        """The content of at most 50 files of the present tree, by path from the repository's root. What is no regular
        file of at most 512 KiB, or lies behind a link, is left out."""
        ...


@dataclass(frozen=True, slots=True)
class AgentCommand:
    """How to start an agent for one request. ``argv`` is never a shell string; ``files`` are written under the
    agent's home before the start (path relative to it -> content). ``result_file`` is a path under that home too: what
    the agent leaves there becomes ``AgentReport.result``."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    result_file: str = ""


class ModelApi(StrEnum):
    """The ways in which agents talk to a model. Each has paths, a header for its key and a usage report of its own."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"


class CommandsFrom(StrEnum):
    """Where an agent looks for Spec Kit's commands. What a repository lacks waits in the agent's home; with ``HOME``
    all of them do, and the agent is kept from their folder in the repository, which has settings for it too."""

    NOWHERE = "nowhere"
    REPOSITORY = "repository"
    HOME = "home"


class Agent(Protocol):
    """A coding-agent CLI. One file per backend under ``jobs/agents``."""

    name: str
    integration: str
    """The name ``specify init --integration`` knows it by."""
    model_api: ModelApi | None
    """How it talks to its model, through the gateway; None where it has none, and then no way out at all."""
    supports_model: bool
    """Whether it works with a model that a request names."""
    commands_from: CommandsFrom
    """Where it finds Spec Kit's commands."""
    runtime_env: Mapping[str, str]
    """What a ``command`` puts into the environment unless the request names a model, for the record of the run: never a
    secret."""

    def version_argv(self) -> Sequence[str]:
        """Print the agent's version on the first line of stdout."""
        ...

    def models(self, request: AgentRequest) -> Sequence[str]:
        """The models that its CLI may call for a request, by the names their endpoint knows: the one that works, then
        any smaller helper it calls by itself. The gateway refuses every other. Empty where it has none."""
        ...

    def command(self, request: AgentRequest, gateway_url: str, gateway_key: str) -> AgentCommand:
        """``gateway_url`` has no path: ``http://127.0.0.1:PORT``, under which every API's own paths lie. It and the key
        are empty where the agent has no model."""
        ...

    def report(self, exit_code: int, stdout_tail: bytes) -> AgentReport:
        """Read the agent's own words. Raises UserError, AppError or TransientError when they tell a known failure."""
        ...


@dataclass(frozen=True, slots=True)
class InnerSandbox:
    """A way in which an agent may shut in the commands it runs. ``trial`` is an argument list that ends with exit code
    0 where that works, and otherwise with another one."""

    mode: str
    trial: Sequence[str]


@runtime_checkable
class SandboxedAgent(Protocol):
    """An agent with an inner sandbox of its own; ``AgentRequest.inner_sandbox`` tells it the mode that works."""

    name: str
    inner_sandboxes: Sequence[InnerSandbox]
    """The ways it knows, the best one first."""


class Containers(Protocol):
    """Makes the two containers of a run and takes them away again."""

    async def start(
        self, lease: Lease, agent: Agent, deadline_seconds: float, allowed: Sequence[AllowedHost] = ()
    ) -> tuple[GitContainer, JobContainer]:
        """Remove what an earlier epoch of this run left, then start both. ``allowed``: the hosts that an agent with a
        model may reach. Raises AppError/TransientError (engine.*)."""
        ...

    async def remove(self, run_id: UUID) -> None:
        """Remove every container, volume and network of the run, and confirm that they are gone."""
        ...

    async def environment(self) -> Mapping[str, str]:
        """Image digest, engine version and the like: never a secret."""
        ...


@dataclass(frozen=True, slots=True)
class Repository:
    """What GitHub says of the repository now."""

    slug: str
    default_branch: str
    private: bool
    archived: bool
    clone_url: str


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request of ours."""

    number: int
    url: str


@dataclass(frozen=True, slots=True)
class ExistingPullRequest:
    """A pull request as GitHub has it now. ``branch`` is None when it is not a branch of this repository."""

    number: int
    url: str
    open: bool
    branch: str | None
    base_branch: str
    head_sha: str


class Credentials(Protocol):
    """Tokens minted at the moment of use, for one repository, with the least permission."""

    async def clone_token(self, lease: Lease) -> str: ...

    async def push_token(self, lease: Lease) -> str: ...


class Publisher(Protocol):
    """What the phases ask of GitHub's API. Every write can be repeated; each checks the lease first."""

    async def repository(self, lease: Lease) -> Repository:
        """Raises UserError ``clone.not_found``/``repository.archived`` or AppError ``github.access_lost``."""
        ...

    async def requester_may_write(self, lease: Lease) -> bool:
        """Whether whoever asked for the run could ask for it now. Raises as ``repository`` does."""
        ...

    async def pull_request(self, lease: Lease, number: int) -> ExistingPullRequest:
        """Raises UserError ``request.pull_request_closed`` where there is none of this number; as ``repository``."""
        ...

    async def open_pull_request(self, lease: Lease) -> PullRequest:
        """Find or create the draft pull request of the run, or bring the one it goes on with up to date; title and body
        are made from the rows."""
        ...


class Reporter(Protocol):
    """Tells GitHub how the run stands. Reads the newest state from the database, so calls may be coalesced."""

    def changed(self, lease: Lease) -> None:
        """Something changed: report soon, without waiting."""
        ...

    async def finish(self, lease: Lease) -> None:
        """The run is terminal: report the final state, retried until GitHub took it or the tries are used up."""
        ...

    async def waiting(self, run_id: UUID, owner: str) -> None:
        """The run waits for its turn: tell its place, if that is news. It is held by ``owner`` meanwhile."""
        ...


class Clock(Protocol):
    """Wall clock (UTC, aware) and monotonic seconds, so that tests may change the world's time."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...
