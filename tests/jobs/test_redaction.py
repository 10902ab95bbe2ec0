"""No secret leaves in any form, wherever the chunks are cut; what is no secret stays as it was."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.output import TAIL_BYTES, PhaseLogs
from jobs.redaction import MASK, Redactor

CHANCE = random.Random(7)
ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./+ "é\\'
CANARIES = ["".join(CHANCE.choices(ALPHABET, k=CHANCE.randint(12, 60))).strip() + "x9" for _ in range(40)]
FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": lambda value: value.encode(),
    "base64": lambda value: base64.b64encode(value.encode()),
    "base64 shifted by one": lambda value: base64.b64encode(b"x" + value.encode()),
    "base64 shifted by two": lambda value: base64.b64encode(b"xy" + value.encode() + b"z"),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()),
    "url": lambda value: quote(value, safe="").encode(),
    "hex": lambda value: value.encode().hex().encode(),
    "json": lambda value: json.dumps(value).encode(),
}
TOKENS = {
    "installation token": "ghs_" + "aB3.-_" * 87,
    "personal token": "ghp_" + "aB3d" * 9,
    "fine grained": "github_pat_" + "11ABC" * 16,
    "model key": "sk-proj-" + "aB3d" * 12,
    "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSIsImlhdCI6MX0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg",
    "login header": "Authorization: Basic " + base64.b64encode(b"x-access-token:whatever-it-is").decode(),
    "password in a URL": "postgresql://bot:s3cret-w0rd@db/x",
}


def leaks(secret: bytes, output: bytes) -> bool:
    """True when twelve bytes in a row of the secret are there."""
    return any(secret[start : start + 12] in output for start in range(max(1, len(secret) - 11)))


@pytest.mark.parametrize("form", FORMS)
def test_a_known_secret_is_masked_in_every_form(form: str) -> None:
    redactor = Redactor(CANARIES)
    for canary in CANARIES:
        travelling = FORMS[form](canary)
        output = redactor.redact(b"before " + travelling + b" after\n")
        assert travelling[3:-4] not in output
        assert canary.encode() not in output
        assert output.startswith(b"before ")
        assert output.endswith(b" after\n")


@pytest.mark.parametrize("form", FORMS)
def test_no_cut_between_chunks_lets_a_secret_through(form: str) -> None:
    secret = "correct-horse-battery/staple+9"
    travelling = FORMS[form](secret)
    whole = b"line one\nkey=" + travelling + b" more\nlast"
    expected = Redactor([secret]).redact(whole)
    assert travelling[4:-4] not in expected
    for first in range(len(whole)):
        stream = Redactor([secret]).stream()
        assert stream.feed(whole[:first]) + stream.feed(whole[first:]) + stream.finish() == expected
    stream = Redactor([secret]).stream()
    assert b"".join(stream.feed(bytes([byte])) for byte in whole) + stream.finish() == expected


@pytest.mark.parametrize("name", TOKENS)
def test_what_looks_like_a_credential_is_masked_unknown(name: str) -> None:
    token = TOKENS[name]
    secret = token.split(" ")[-1].encode() if " " in token else token.encode()
    secret = b"s3cret-w0rd" if name.startswith("password") else secret
    for before, after in ((b"", b""), (b'{"a":"', b'"}'), (b"x=", b"\n")):
        output = Redactor().redact(before + token.encode() + after)
        assert not leaks(secret, output)
        assert MASK in output


def test_a_private_key_goes_with_all_its_lines() -> None:
    lines = ["-----BEGIN RSA PRIVATE " + "KEY-----", *("MIIEowIBAAKCAQEA" * 4 for _ in range(25))]
    key = "\n".join([*lines, "-----END RSA PRIVATE " + "KEY-----"])
    stream = Redactor().stream()
    output = b"".join(stream.feed(line.encode() + b"\n") for line in f"a\n{key}\nb".split("\n")) + stream.finish()
    assert b"MIIE" not in output
    assert output.split() == [b"a", MASK, b"b"]


def test_a_secret_of_several_lines_is_masked_line_by_line() -> None:
    secret = "first-line-of-it\nsecond-line-of-it"
    assert b"line-of-it" not in Redactor([secret]).redact(b"x second-line-of-it y\nfirst-line-of-it\n")


def test_a_line_without_end_is_passed_on_and_still_masked() -> None:
    token = TOKENS["installation token"].encode()
    for offset in (0, 60_000, 65_000, 65_536, 70_000, 73_700, 80_000):
        whole = b"x" * offset + b" " + token + b" " + b"y" * 100_000
        stream = Redactor().stream()
        pieces = [stream.feed(whole[start : start + 4096]) for start in range(0, len(whole), 4096)]
        output = b"".join(pieces) + stream.finish()
        assert not leaks(token, output)
        assert len(output) == len(whole) - len(token) + len(MASK)
        assert any(pieces)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), max_size=8), st.integers(1, 50))
def test_what_is_no_secret_stays_as_it_was(lines: list[str], size: int) -> None:
    data = "\n".join(lines).encode()
    if b"://" in data or b"-----" in data:
        return
    stream = Redactor(["an-unlikely-secret-value"]).stream()
    output = b"".join(stream.feed(data[start : start + size]) for start in range(0, len(data), size))
    assert output + stream.finish() == data


def test_ordinary_words_are_no_secrets() -> None:
    text = b"task-oriented risk-assessment-of-the-thing sk-learn ghs_short AKIA eyJ.eyJ. https://example.invalid/a:b\n"
    assert Redactor().redact(text) == text


def test_logs_are_redacted_live_and_described(tmp_path: Path) -> None:
    with PhaseLogs(tmp_path, "git_clone", 1, Redactor(["hunter2hunter2"]), 1 << 20) as logs:
        logs.output.stdout.write(b"cloning with hunter2")
        logs.output.stdout.write(b"hunter2 done\n")
        live = (tmp_path / "phase-git_clone.stdout").read_bytes()
    assert live == b"cloning with [secret] done\n"
    stdout, stderr = logs.files
    assert (stdout.name, stdout.path) == ("phase-git_clone.stdout", tmp_path / "phase-git_clone.stdout")
    assert stdout.size_bytes == len(live)
    assert stdout.sha256 == hashlib.sha256(live).hexdigest()
    assert (stderr.size_bytes, stderr.path.read_bytes()) == (0, b"")


def test_a_later_attempt_has_files_of_its_own(tmp_path: Path) -> None:
    with PhaseLogs(tmp_path, "git_clone", 2, Redactor(), 1 << 20) as logs:
        logs.output.stderr.write(b"again")
    assert [file.name for file in logs.files] == ["phase-git_clone.stdout", "phase-git_clone.stderr"]
    assert logs.files[1].path == tmp_path / "phase-git_clone.2.stderr"


def test_a_flood_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    limit = 1 << 20
    with PhaseLogs(tmp_path, "speckit_plan", 1, Redactor(), limit) as logs:
        for start in range(0, 300_000, 1000):
            logs.output.stdout.write(b"".join(b"line %07d\n" % number for number in range(start, start + 1000)))
    content = logs.files[0].path.read_bytes()
    assert len(content) == logs.files[0].size_bytes <= limit + 200
    assert content.startswith(b"line 0000000\n")
    assert content.endswith(b"line 0299999\n")
    assert b"bytes left out here" in content
    assert len(content) > limit - TAIL_BYTES


def test_no_secret_hides_where_a_flood_was_cut(tmp_path: Path) -> None:
    secret = "hunter2hunter2"
    limit = 2 * TAIL_BYTES
    for shift in range(0, 60, 7):
        with PhaseLogs(tmp_path, "speckit_plan", 1, Redactor([secret]), limit) as logs:
            logs.output.stdout.write(b"." * shift)
            for _ in range(60_000):
                logs.output.stdout.write(f"key={secret};\n".encode())
        content = logs.files[0].path.read_bytes()
        assert secret[:12].encode() not in content
        assert secret[2:].encode() not in content


def test_a_full_disk_leaves_no_log_open(tmp_path: Path) -> None:
    (tmp_path / "phase-git_clone.stdout").symlink_to("/dev/full")
    before = len(list(Path("/proc/self/fd").iterdir()))
    logs = PhaseLogs(tmp_path, "git_clone", 1, Redactor(), 1 << 20)
    with pytest.raises(OSError, match="No space left") as full, logs:  # noqa: PT012
        logs.output.stderr.write(b"line\n" * 30_000)
        assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
        logs.output.stdout.write(b"held back")
    assert full.value.errno == errno.ENOSPC
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert [file.name for file in logs.files] == ["phase-git_clone.stderr"]
    assert logs.files[0].size_bytes == 150_000
