"""What a whole session writes and says is its owner's alone, and holds none of the secrets that it traded with."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
import stat
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.bus.transport import socket_folder
from polybot.cli import main

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and file modes as POSIX has them")

KEY = "5ec7e7" * 10 + "5ec7"


def wide_open(*places: Path) -> list[str]:
    """All that others could read, enter or write to, below some places. What a session replaces meanwhile is looked at as it is then."""
    found = []
    for path in (each for place in places for each in (place, *place.rglob("*"))):
        with suppress(FileNotFoundError):
            mode = path.lstat().st_mode
            if mode & 0o077:
                found.append(f"{path} {stat.S_IMODE(mode):o}")
    return found


def holders(words: list[bytes], *places: Path) -> list[str]:
    """The files below some places that hold one of the words, packed ones too."""
    found = []
    for place in places:
        for path in (place, *place.rglob("*")):
            if path.is_file():
                body = path.read_bytes()
                if path.suffix == ".gz":
                    body = gzip.decompress(body)
                found += [f"{path} holds {word!r}" for word in words if word in body]
    return found


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, pipeline_class: Any) -> Iterator[Any]:
    """A session that trades with a key of its own by the venue's protocol. It is stopped by the first test that wants it so."""
    pytest.importorskip("eth_keys", reason="signing needs the extra `live`")
    folder = tmp_path_factory.mktemp("private")
    config = folder / "config"
    config.mkdir()
    (config / "local.toml").write_text('[execution]\nrelayer = "clob"\n[log]\nlevel = "debug"\n')
    secrets = config / "secrets.local.toml"
    secrets.write_text(f'[secrets]\nprivate_key = "0x{KEY}"\n')
    secrets.chmod(0o600)
    before = os.umask(0o022)
    try:
        pipeline = pipeline_class(folder, "--config", str(config))
        pipeline.until(pipeline.trades, 40, "quotes on verified books")
        yield pipeline
    finally:
        os.umask(before)
        pipeline.close()


def credentials(session: Any) -> list[str]:
    """The secrets that the venue gave the session: it gives the same ones to whoever shows the same key."""
    from pipeline.venue.clob.auth import l1_headers
    from pipeline.venue.clob.wallet import Wallet

    (effective,) = session.state_dir.glob("runs/*/config.json")
    url = json.loads(effective.read_text())["polymarket"]["clob_url"]
    server_s = int(urllib.request.urlopen(f"{url}/time", timeout=20).read())
    request = urllib.request.Request(f"{url}/auth/derive-api-key", headers=l1_headers(Wallet(KEY), server_s))
    told = json.load(urllib.request.urlopen(request, timeout=20))
    return [told["secret"], told["passphrase"]]


def test_nothing_a_running_session_writes_is_open_to_others_or_holds_a_secret(session: Any) -> None:
    sockets = socket_folder(session.state_dir)
    files = [session.folder / name for name in ("fake.db", "fake.db-wal", "fake.db-shm")]
    assert all(file.exists() for file in (*files, sockets))
    assert any(stat.S_ISSOCK(path.lstat().st_mode) for path in sockets.iterdir())
    assert [path.name for path in session.state_dir.glob("*.pid")]
    assert wide_open(session.state_dir, sockets, *files) == []

    secrets = [KEY, *credentials(session)]
    session.send(signal.SIGTERM)
    assert session.wait(15) == 0, session.said
    words = [word.encode() for word in (*secrets, KEY.upper())]
    written = [path for path in session.folder.iterdir() if path.name != "config"]
    assert session.state_dir in written
    assert holders(words, *written) == []
    assert len(holders([b"executor"], *written)) > 3, "files were looked into"
    assert not [word for word in secrets if word in session.said]
    assert wide_open(session.state_dir, session.folder / "fake.db") == []


def test_the_session_really_traded_with_the_key(session: Any) -> None:
    with sqlite3.connect(f"{(session.folder / 'fake.db').as_uri()}?mode=ro", uri=True) as conn:
        ((orders,),) = conn.execute("SELECT count(*) FROM orders WHERE mode = 'offline' AND venue_order_id LIKE '0x%'").fetchall()
    assert orders > 0


@pytest.mark.parametrize(
    "words", [("config", "show"), ("config", "show", "secrets", "--json"), ("orders",), ("status", "--json")]
)
def test_no_command_shows_a_secret(session: Any, words: tuple[str, ...]) -> None:
    place = ["--config", str(session.folder / "config")]
    db = ["--db-url", session.db_url] if words[0] != "config" else []
    done = CliRunner().invoke(main, [*words, *place, *db])
    assert done.exit_code == 0, done.output
    assert KEY not in done.stdout + done.stderr
    if words[-1] == "--json" and words[0] == "config":
        assert json.loads(done.stdout)["secrets"]["private_key"]["value"] == "(set, not shown)"
