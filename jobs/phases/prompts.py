"""What an agent was told, word for word, for whoever wants to know why it did what it did."""

from __future__ import annotations

from jobs.ports import AgentCommand


def prompt_text(command: AgentCommand) -> bytes:
    """The arguments an agent is started with, one a line, and the files that wait in its home. Not redacted yet."""
    parts = [b"=== arguments ===\n", "\n".join(command.argv).encode("utf-8", "replace"), b"\n"]
    for name, content in command.files.items():
        end = b"" if content.endswith(b"\n") or not content else b"\n"
        parts += [f"\n=== file {name}, {len(content)} bytes ===\n".encode("utf-8", "replace"), content, end]
    return b"".join(parts)
