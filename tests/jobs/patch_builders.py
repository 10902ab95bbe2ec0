"""Patches as git writes them, and as nobody should."""

from __future__ import annotations

import base64
import zlib

ZERO, ONE, TWO = "0" * 40, "1" * 40, "2" * 40


def quote(path: str) -> str:
    """A path as git writes it in a header."""
    raw = path.encode("utf-8", "surrogateescape")
    if all(32 <= byte < 127 and byte not in b'"\\' for byte in raw):
        return path
    names = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}
    return "".join(
        f"\\{names[byte]}" if byte in names else chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}" for byte in raw
    )


def header(path: str) -> tuple[str, str]:
    plain = quote(path)
    mark = '"' if plain != path else ""
    return f"{mark}a/{plain}{mark}", f"{mark}b/{plain}{mark}"


def added(path: str, content: str = "text\n", mode: str = "100644") -> bytes:
    """A patch that adds one file."""
    old, new = header(path)
    lines = content.split("\n")
    end = "" if lines[-1] == "" else "\\ No newline at end of file\n"
    lines = lines[:-1] if lines[-1] == "" else lines
    head = f"diff --git {old} {new}\nnew file mode {mode}\nindex {ZERO}..{ONE}\n"
    if not content:
        return head.encode()
    body = "".join(f"+{line}\n" for line in lines)
    tab = "\t" if " " in path and not new.startswith('"') else ""
    return f"{head}--- /dev/null\n+++ {new}{tab}\n@@ -0,0 +1,{len(lines)} @@\n{body}{end}".encode(
        "utf-8", "surrogateescape"
    )


def modified(path: str, mode: str = "100644") -> bytes:
    old, new = header(path)
    return (
        f"diff --git {old} {new}\nindex {ONE}..{TWO} {mode}\n--- {old}\n+++ {new}\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n"
    ).encode()


def deleted(path: str, mode: str = "100644") -> bytes:
    old, new = header(path)
    head = f"diff --git {old} {new}\ndeleted file mode {mode}\nindex {ONE}..{ZERO}\n"
    return f"{head}--- {old}\n+++ /dev/null\n@@ -1 +0,0 @@\n-old\n".encode()


def chmod(path: str, old_mode: str, new_mode: str) -> bytes:
    old, new = header(path)
    return f"diff --git {old} {new}\nold mode {old_mode}\nnew mode {new_mode}\n".encode()


def binary(path: str, content: bytes, size: int | None = None) -> bytes:
    """A patch that adds a binary file, in git's base 85."""
    packed = zlib.compress(content)
    lines = []
    for start in range(0, len(packed), 52):
        piece = packed[start : start + 52]
        letter = chr(len(piece) + (64 if len(piece) <= 26 else 70))
        lines.append(letter + base64.b85encode(piece + b"\0" * (-len(piece) % 4)).decode())
    old, new = header(path)
    head = f"diff --git {old} {new}\nnew file mode 100644\nindex {ZERO}..{ONE}\nGIT binary patch\n"
    data = "\n".join(lines)
    return f"{head}literal {size if size is not None else len(content)}\n{data}\n\nliteral 0\nHcmV?d00001\n\n".encode()


def delta(path: str, makes: int) -> bytes:
    """A patch that changes a binary file by a delta of a few bytes, which says that it makes a file of so many."""
    size = bytearray()
    left = makes
    while left >= 0x80:
        size.append(left & 0x7F | 0x80)
        left >>= 7
    content = bytes([4, *size, left, 0x90, 4])
    old, new = header(path)
    packed = zlib.compress(content)
    line = chr(len(packed) + 64) + base64.b85encode(packed + b"\0" * (-len(packed) % 4)).decode()
    head = f"diff --git {old} {new}\nindex {ONE}..{TWO} 100644\nGIT binary patch\n"
    return f"{head}delta {len(content)}\n{line}\n\nliteral 0\nHcmV?d00001\n\n".encode()
