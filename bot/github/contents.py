"""Files and branches of one repository, as they are there now. What each function promises is said at the verb of
RepoClient."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping

from bot.github.app_auth import Purpose
from bot.github.calls import RepoCalls, text
from bot.github.errors import Refused, Unavailable
from bot.github.transport import Call, Variable

LARGEST_FILE = 1024 * 1024
"""Bytes. Of a bigger one GitHub gives no content with the answer."""

_HEADS = "refs/heads/"


async def file(calls: RepoCalls, path: str, ref: str | None = None) -> bytes | None:
    doing = f"reading {path} of {calls.slug}"
    variables: dict[str, Variable] = {"path": path.split("/")}
    if ref is not None:
        variables["ref"] = ref
    data = await calls.unless_missing(Call(doing, "GET", "/contents{/path*}{?ref}", variables), Purpose.READ)
    if data is None:
        return None
    if not isinstance(data, Mapping) or data.get("type") != "file":
        raise Refused(f"{doing}: it is not a file")
    if data.get("encoding") != "base64":
        raise Refused(f"{doing}: it is larger than {LARGEST_FILE} bytes")
    try:
        content = b64decode(text(data, "content"))
    except (binascii.Error, ValueError) as error:
        raise Unavailable(f"{doing}: the answer holds no content") from error
    if len(content) > LARGEST_FILE:
        raise Refused(f"{doing}: it is larger than {LARGEST_FILE} bytes")
    return content


async def branch_names(calls: RepoCalls, prefix: str) -> list[str]:
    doing = f"reading the branches of {calls.slug}"
    path = "/git/matching-refs/heads{/prefix*}{?per_page}"
    listed = calls.pages(doing, path, Purpose.READ, prefix=prefix.split("/"))
    names = [text(item, "ref").removeprefix(_HEADS) async for item in listed]
    return [name for name in names if name.startswith(prefix)]
