"""No secret leaves in any form, wherever the chunks are cut; what is no secret stays as it was."""

from __future__ import annotations

import base64
import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.output import TAIL_BYTES, PhaseLogs
from jobs.redaction import DROPPED, MASK, Redactor
from tests.jobs.canaries import CANARIES, ENCODINGS, leaks

TOKENS = {
    "installation token": "ghs_" + "aB3.-_" * 87,
    "personal token": "ghp_" + "aB3d" * 9,
    "fine grained": "github_pat_" + "11ABC" * 16,
    "model key": "sk-proj-" + "aB3d" * 12,
    "key of Anthropic": "sk-ant-api03-" + "aB3d_-" * 15 + "AA",
    "key of Google": "AIza" + "Sy0-_" * 7,
    "key of a run": "speckit-run-" + "aB3_" * 10 + "x9-",
    "bearer": "bearer " + "aB3.-_" * 9,
    "header of an API key": "x-goog-api-key: " + "aB3d" * 9,
    "header as a program prints it": "'Authorization': 'Bearer " + "aB3d" * 5,
    "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSIsImlhdCI6MX0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg",
    "login header": "Authorization: Basic " + base64.b64encode(b"x-access-token:whatever-it-is").decode(),
    "password in a URL": "postgresql://bot:s3cret-w0rd@db/x",
}


@pytest.mark.parametrize("form", ENCODINGS)
def test_each_of_a_hundred_secrets_is_masked_in_every_form(form: str) -> None:
    redactor = Redactor(CANARIES)
    for canary in CANARIES:
        travelling = ENCODINGS[form](canary)
        output = redactor.redact(b"before " + travelling + b" after\n")
        assert not leaks(travelling, output)
        assert output.startswith(b"before ")
        assert output.endswith(b" after\n")


@pytest.mark.parametrize("form", ENCODINGS)
def test_no_cut_between_chunks_lets_one_of_them_through(form: str) -> None:
    for canary in CANARIES:
        redactor, travelling = Redactor([canary]), ENCODINGS[form](canary)
        whole = b"line one\nkey=" + travelling + b" more\nlast"
        expected = redactor.redact(whole)
        assert not leaks(travelling, expected)
        for cut in range(len(whole)):
            stream = redactor.stream()
            assert stream.feed(whole[:cut]) + stream.feed(whole[cut:]) + stream.finish() == expected
        stream = redactor.stream()
        assert b"".join(stream.feed(bytes([byte])) for byte in whole) + stream.finish() == expected


@given(st.lists(st.tuples(st.sampled_from(CANARIES), st.sampled_from(sorted(ENCODINGS))), max_size=6), st.data())
def test_many_at_once_in_pieces_of_any_size(carried: list[tuple[str, str]], data: st.DataObject) -> None:
    whole = b"".join(data.draw(st.binary(max_size=9)) + ENCODINGS[form](canary) for canary, form in carried)
    stream, output = ALL.stream(), b""
    while whole:
        size = data.draw(st.integers(1, 40))
        output, whole = output + stream.feed(whole[:size]), whole[size:]
    output += stream.finish()
    for canary, form in carried:
        assert not leaks(ENCODINGS[form](canary), output)


ALL = Redactor(CANARIES)


def test_what_a_run_brings_with_it_is_known_until_the_run_is_over() -> None:
    redactor = Redactor(["first-secret"])
    redactor.learn("run 1", ["the-key-of-run-1", ""])
    redactor.learn("run 2", ["the-key-of-run-2"])
    assert redactor.redact(b"first-secret the-key-of-run-1 the-key-of-run-2") == b"[secret] [secret] [secret]"
    assert set(redactor.secrets) == {"first-secret", "the-key-of-run-1", "the-key-of-run-2"}
    redactor.learn("run 2", ["another-key-of-run-2"])
    redactor.forget("run 1")
    assert redactor.redact(b"the-key-of-run-1 the-key-of-run-2") == b"the-key-of-run-1 the-key-of-run-2"
    assert redactor.redact(b"another-key-of-run-2 first-secret") == b"[secret] [secret]"
    redactor.forget("nobody")


def test_what_is_learnt_is_masked_in_streams_that_are_open() -> None:
    redactor = Redactor()
    stream = redactor.stream()
    made = stream.feed(b"key=the-key-")
    redactor.learn("run", ["the-key-of-a-run"])
    assert made + stream.feed(b"of-a-run\n") == b"key=[secret]\n"


def test_what_cannot_be_checked_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(self: Redactor, data: bytes) -> Iterator[tuple[int, int]]:
        raise OSError("whatever it is")

    monkeypatch.setattr(Redactor, "spans", breaks)
    assert Redactor(CANARIES).redact(CANARIES[0].encode()) == DROPPED
    assert CANARIES[0] not in Redactor(CANARIES).redact_text(CANARIES[0])


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
