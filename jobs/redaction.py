"""The one place that masks secrets: every captured byte and every line of the log passes it before it is kept or shown.

Known values are masked in the forms they travel in (``encodings``), and whatever looks like a credential by its
pattern. A stream is judged line by line on a buffer that spans chunk borders; what cannot be judged is dropped, not
passed on. ANSI sequences stay as they are: the pages that show them deal with them.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

MASK = b"[secret]"
DROPPED = b"[output dropped: it could not be checked for secrets]\n"
SHORTEST_SECRET = 4
SHORTEST_ENCODED = 8
LONGEST_LINE = 1 << 16
_WORD = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
HELD_BACK = 1 << 13


@dataclass(frozen=True, slots=True)
class SecretPattern:
    """Something that looks like a credential: one of ``begins``, at a place where a word may begin, then ``form``.

    Agents choose what is searched, so a search costs little where nothing is found, and never more than the text is
    long: beginnings are looked for as plain bytes, and every form is bounded or runs forward only.
    """

    name: str
    begins: tuple[bytes, ...]
    form: re.Pattern[bytes]
    not_after: bytes = _WORD
    group: int = 0

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where it is in ``data``."""
        for beginning in self.begins:
            place = data.find(beginning)
            while place >= 0:
                found = None
                if place == 0 or data[place - 1] not in self.not_after:
                    found = self.form.match(data, place)
                if found is not None:
                    yield found.span(self.group)
                place = data.find(beginning, max(place + 1, found.end() if found is not None else 0))


def _pattern(name: str, begins: str, form: bytes, not_after: bytes = _WORD, group: int = 0) -> SecretPattern:
    return SecretPattern(name, tuple(begins.encode().split()), re.compile(form), not_after, group)


# GitHub's installation tokens are about 520 characters with dots and dashes since 2026-04; the others are shorter.
SECRET_PATTERNS: Sequence[SecretPattern] = (
    _pattern("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", rb"gh[opsur]_[A-Za-z0-9_.\-]{36,}"),
    _pattern("a GitHub token", "github_pat_", rb"github_pat_[A-Za-z0-9_]{22,}"),
    _pattern("a GitHub login header", "eC1hY2Nlc3MtdG9rZW46", rb"[A-Za-z0-9+/_\-]{28,}={0,2}", b""),
    _pattern(
        "a model key", "sk-ant- sk-proj- sk-svcacct- sk-or-", rb"sk-[a-z]{2,7}-[A-Za-z0-9_\-]{24,}", _WORD + b"_-"
    ),
    _pattern("a model key", "sk-", rb"sk-[A-Za-z0-9_\-]{0,64}?[A-Za-z0-9]{20}[A-Za-z0-9_\-]*", _WORD + b"_-"),
    _pattern("the key of a run", "speckit-run-", rb"speckit-run-[A-Za-z0-9_\-]{32,}", _WORD + b"_-"),
    _pattern("an AWS key", "AKIA ASIA", rb"A(?:KIA|SIA)[0-9A-Z]{16}(?![A-Za-z0-9])"),
    _pattern("a Google key", "AIza", rb"AIza[0-9A-Za-z_\-]{35}"),
    _pattern("a Slack token", "xoxa- xoxb- xoxp- xoxr- xoxs-", rb"xox[abprs]-[A-Za-z0-9\-]{20,}"),
    _pattern(
        "a signed token",
        "eyJ",
        rb"eyJ[A-Za-z0-9_\-]{10,8192}\.eyJ[A-Za-z0-9_\-]{10,8192}\.[A-Za-z0-9_\-]{10,}",
        _WORD + b"_-",
    ),
    _pattern("a private key", "-----BEGIN", rb"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----", b""),
)

_PASSWORD_IN_URL = _pattern("", "://", rb"://([^\s/:@]{0,256}):([^\s/@]{1,1024})@", b"", group=2)
# As a request has them, and as programs print the headers they sent.
_LOGIN_HEADER = _pattern(
    "",
    "authorization Authorization AUTHORIZATION",
    rb"(?i)authorization[\"']?\s{0,4}[:=,]\s{0,8}[\"']?(?:basic|bearer|token)\s{1,8}([A-Za-z0-9+/=_.~\-]{8,})",
    b"",
    group=1,
)
_BEARER = _pattern("", "bearer Bearer BEARER", rb"(?i)bearer\s{1,8}([A-Za-z0-9+/=_.~\-]{20,})", group=1)
_KEY_HEADER = _pattern(
    "",
    "x-api-key X-Api-Key X-API-Key x-goog-api-key X-Goog-Api-Key",
    rb"(?i)x-(?:goog-)?api-key[\"']?\s{0,4}[:=,]\s{0,8}[\"']?([A-Za-z0-9+/=_.~\-]{8,})",
    b"",
    group=1,
)
_IN_STREAMS = (
    *(found for found in SECRET_PATTERNS if found.name != "a private key"),
    *(_PASSWORD_IN_URL, _LOGIN_HEADER, _BEARER, _KEY_HEADER),
)
_KEY_BEGINS = re.compile(rb"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")
END_OF_KEY = re.compile(rb"-----END [A-Z ]{0,40}PRIVATE KEY-----")
_LONGEST_KEY = 1 << 14


class Redactor:
    """Masks secrets in bytes and text. ``secrets`` are known values; the patterns are always looked for.

    One for a process: what a run brings with it is learnt while it lives, and from then on masked in every stream.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: dict[Hashable, tuple[str, ...]] = {}
        self._forms: dict[Hashable, frozenset[bytes]] = {}
        self._known: tuple[bytes, ...] = ()
        self.held_back = HELD_BACK
        """How many bytes of a line without an end wait for what follows them."""
        self.learn("", secrets)

    @property
    def secrets(self) -> tuple[str, ...]:
        """All values known now. Never log this."""
        return tuple({secret for values in self._secrets.values() for secret in values})

    def learn(self, owner: Hashable, secrets: Iterable[str]) -> None:
        """Know these values too, until ``owner`` is forgotten; they take the place of what it had before."""
        values = tuple(secret for secret in secrets if secret)
        self._secrets = {**self._secrets, owner: values}
        self._set_forms({**self._forms, owner: frozenset(form for secret in values for form in encodings(secret))})

    def forget(self, owner: Hashable) -> None:
        """The values of ``owner`` are good for nothing any more."""
        self._secrets = {name: values for name, values in self._secrets.items() if name != owner}
        self._set_forms({name: forms for name, forms in self._forms.items() if name != owner})

    def _set_forms(self, forms: dict[Hashable, frozenset[bytes]]) -> None:
        # Whole new values each time: other threads are searching by the old ones.
        self._forms = forms
        self._known = tuple(sorted(set().union(*forms.values())))
        self.held_back = max([HELD_BACK, *map(len, self._known)])

    def redact(self, data: bytes) -> bytes:
        """Mask everything in ``data``, which is whole."""
        stream = self.stream()
        return stream.feed(data) + stream.finish()

    def redact_text(self, text: str) -> str:
        """The same for a sentence."""
        return self.redact(text.encode(errors="replace")).decode(errors="replace")

    def stream(self) -> StreamRedactor:
        """A redactor for one stream of chunks."""
        return StreamRedactor(self)

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where secrets are in ``data``: (start, end), possibly overlapping."""
        for form in self._known:
            place = data.find(form)
            while place >= 0:
                yield place, place + len(form)
                place = data.find(form, place + 1)
        for pattern in _IN_STREAMS:
            yield from pattern.spans(data)


class StreamRedactor:
    """One stream. ``feed`` gives what is safe to keep by now, ``finish`` the rest."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._buffer = b""
        self._key_bytes = -1
        """How much of a private key was dropped so far; -1 outside one."""

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk. Output follows line ends, so a line without an end waits for it (up to 64 KiB)."""
        self._buffer += chunk
        cut = self._last_line_end()
        if cut == 0 and len(self._buffer) > LONGEST_LINE + self._redactor.held_back:
            cut = len(self._buffer) - self._redactor.held_back
        return self._take(cut)

    @property
    def held(self) -> int:
        """How many bytes wait for the end of their line."""
        return len(self._buffer)

    def finish(self) -> bytes:
        """The stream ended."""
        return self._take(len(self._buffer))

    def _last_line_end(self) -> int:
        return max(self._buffer.rfind(b"\n"), self._buffer.rfind(b"\r")) + 1

    def _take(self, cut: int) -> bytes:
        if cut == 0:
            return b""
        try:
            return self._mask(cut)
        except Exception:  # noqa: BLE001 - what nobody can vouch for must not get out, whatever went wrong
            self._buffer = self._buffer[cut:]
            return DROPPED

    def _mask(self, cut: int) -> bytes:
        data = self._buffer
        made = bytearray()
        position = 0
        for start, end in sorted(self._redactor.spans(data)):
            if start >= cut:
                break
            # Where a secret lies across the cut, it is masked whole, now.
            cut = max(cut, end)
            if start >= position:
                made += data[position:start] + MASK
            position = max(position, end)
        made += data[position:cut] if position < cut else b""
        self._buffer = data[cut:]
        return self._without_keys(bytes(made))

    def _without_keys(self, data: bytes) -> bytes:
        """Drop the text of private keys, which has many lines."""
        made = bytearray()
        while data:
            if self._key_bytes < 0:
                begins = _KEY_BEGINS.search(data)
                if begins is None:
                    return bytes(made + data)
                made += data[: begins.start()] + MASK
                data = data[begins.end() :]
                self._key_bytes = 0
            ends = END_OF_KEY.search(data)
            if ends is not None:
                data, self._key_bytes = data[ends.end() :], -1
            elif self._key_bytes + len(data) > _LONGEST_KEY:
                data, self._key_bytes = data[max(0, _LONGEST_KEY - self._key_bytes) :], -1
            else:
                self._key_bytes += len(data)
                data = b""
        return bytes(made)


def encodings(secret: str) -> set[bytes]:
    """The forms a secret travels in. A secret of several lines is several secrets: each line may be met alone."""
    forms: set[bytes] = set()
    is_key_file = secret.startswith("-----BEGIN")
    for part in {secret, *(line.strip() for line in secret.splitlines())}:
        plain = part.encode("utf-8", "surrogateescape")
        if len(plain) < SHORTEST_SECRET or plain.startswith(b"-----"):
            continue
        forms.add(plain)
        # The lines of a key file are base64 already: one form each is enough, and keeps the search short.
        if len(plain) < SHORTEST_ENCODED or (is_key_file and part != secret):
            continue
        forms |= {plain[::-1], plain.hex().encode(), plain.hex().upper().encode()}
        forms |= _base64_forms(plain) | _url_forms(plain) | _text_forms(plain.decode("utf-8", "replace"))
    return forms


def _url_forms(plain: bytes) -> set[bytes]:
    """Percent-encoded, by those who leave much as it is and by those who leave nothing."""
    written = {quote(plain, safe="").encode(), quote(plain).encode(), quote_plus(plain).encode()}
    written |= {quote(plain, safe="!*'()").encode(), b"".join(b"%%%02X" % byte for byte in plain)}
    return written | {re.sub(rb"%[0-9A-F]{2}", lambda found: found.group().lower(), form) for form in written}


def _text_forms(text: str) -> set[bytes]:
    """As JSON and HTML write it."""
    forms = {html.escape(text).encode(), html.escape(text, quote=False).encode()}
    for ascii_only in (True, False):
        escaped = json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode()
        forms |= {escaped, escaped.replace(b"/", b"\\/")}
    return forms


def _base64_forms(plain: bytes) -> set[bytes]:
    """Base64 of ``plain`` wherever it begins in a longer text, without the characters that depend on its neighbours."""
    forms = set()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + plain).rstrip(b"=")
        first = (0, 2, 3)[shift]
        whole_groups = (len(plain) + shift) // 3 * 4
        core = encoded[first:whole_groups]
        if len(core) >= SHORTEST_ENCODED:
            forms |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
    return forms
