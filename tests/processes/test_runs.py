"""Old sessions are deleted, and nothing that is not one."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from processes.runs import prune_archive, prune_runs, run_folder

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def test_sessions_older_than_the_limit_go_and_all_else_stays(tmp_path):
    names = ["20260305-235959-1f", "20260306-000001-2a", "20260319-000000-3", "20261399-000000-1", "my-notes"]
    for name in names:
        run_folder(tmp_path, name).mkdir(parents=True)
        (run_folder(tmp_path, name) / "writer.log").write_text("x")
    assert prune_runs(tmp_path, 14, NOW) == ["20260305-235959-1f"]
    assert sorted(folder.name for folder in (tmp_path / "runs").iterdir()) == sorted(names[1:])


def test_zero_days_keeps_all(tmp_path):
    run_folder(tmp_path, "19990101-000000-1").mkdir(parents=True)
    assert prune_runs(tmp_path, 0, NOW) == []
    assert prune_runs(tmp_path / "nowhere", 14, NOW) == []


def test_the_session_that_runs_keeps_its_folder_however_old_it_is(tmp_path):
    for name in ("20260101-000000-1", "20260102-000000-2"):
        run_folder(tmp_path, name).mkdir(parents=True)
    assert prune_runs(tmp_path, 14, NOW, running="20260101-000000-1") == ["20260102-000000-2"]
    assert run_folder(tmp_path, "20260101-000000-1").is_dir()


def test_archived_journals_and_input_logs_go_with_their_run(tmp_path):
    old, young = (run_folder(tmp_path, name) for name in ("20260301-000000-1", "20260319-000000-2"))
    for folder in (old, young):
        for name in ("journal/executor-x.journal.000001.gz", "inputs/a.log"):
            (folder / name).parent.mkdir(parents=True)
            (folder / name).write_bytes(b"x")
    open_segment = tmp_path / "journal" / "executor-x.journal.000002"
    open_segment.parent.mkdir()
    open_segment.write_bytes(b"x")
    prune_runs(tmp_path, 14, NOW)
    assert not old.exists() and open_segment.is_file()
    assert sorted(path.name for path in young.rglob("*") if path.is_file()) == ["a.log", "executor-x.journal.000001.gz"]


def test_archived_segments_that_belong_to_no_run_go_so_many_days_after_they_were_archived(tmp_path):
    archive = tmp_path / "journal" / "archive"
    archive.mkdir(parents=True)
    for name, days in (("executor-x.journal.000001.gz", 15), ("executor-x.journal.000002.gz", 13), ("notes.txt", 15)):
        (archive / name).write_bytes(b"x")
        then = (NOW - timedelta(days=days)).timestamp()
        os.utime(archive / name, (then, then))
    assert prune_archive(tmp_path, 0, NOW) == []
    assert prune_archive(tmp_path, 14, NOW) == ["executor-x.journal.000001.gz"]
    assert sorted(path.name for path in archive.iterdir()) == ["executor-x.journal.000002.gz", "notes.txt"]
    assert prune_archive(tmp_path / "nowhere", 14, NOW) == []
