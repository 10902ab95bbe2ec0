"""Settings that work, and the command line as a person meets it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cli.main import main


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def runtime_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short place for sockets: pytest's own folders are too deep for some of them."""
    with tempfile.TemporaryDirectory(prefix="rt-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def key_file(private_key: rsa.RSAPrivateKey, tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(
        private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    path.chmod(0o600)
    return path


@pytest.fixture
def settings_env(monkeypatch: pytest.MonkeyPatch, key_file: Path, tmp_path: Path) -> dict[str, str]:
    """A complete set of settings, in the environment and nothing else of ours in it."""
    for name in list(os.environ):
        if name.startswith(("GITHUB_", "SPECKIT_", "OPENAI_")) or name in {"DATABASE_URL", "REDIS_URL", "HOST", "PORT"}:
            monkeypatch.delenv(name)
    settings = {
        "GITHUB_APP_ID": "4711",
        "GITHUB_APP_PRIVATE_KEY_FILE": str(key_file),
        "GITHUB_WEBHOOK_SECRET": "It's a Secret to Everybody",
        "GITHUB_API_URL": "http://127.0.0.1:9/api/v3",
        "GITHUB_WEB_URL": "http://127.0.0.1:9",
        "SPECKIT_DATA_DIR": str(tmp_path / "data"),
        "DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def speckit_bot(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run the command in this process, with its real entry point."""

    def run(*arguments: str) -> Said:
        monkeypatch.setattr("sys.argv", ["speckit-bot", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0 if code is None else 1, out, err)

    return run
