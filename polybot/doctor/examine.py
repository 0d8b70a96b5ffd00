"""The whole examination, in the order in which it is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.base.config import Config, find_config, load_config
from pipeline.base.errors import BadInput, ConfigError
from pipeline.base.settings import Settings
from pipeline.store.url import path_of_url
from polybot.doctor.database import database_findings
from polybot.doctor.finding import Finding, Patient
from polybot.doctor.journals import journal_findings
from polybot.doctor.machine import disk_findings, package_findings, permission_findings, python_findings
from polybot.doctor.session import is_supervised, lock_findings, session_findings
from polybot.doctor.venue import clock_findings, port_findings
from processes.health_file import Health, read_health
from processes.runs import run_folder


def examine(
    config_path: Path | None = None, state_dir: Path | None = None, db_url: str | None = None, offline: bool = False
) -> list[Finding]:
    """Look at everything and change nothing.

    What is not given comes from the configuration, and from the session that ran last in the state directory. Raises BadInput for a
    configuration that is not there and for a database URL that is none; all else that is wrong is a finding.
    """
    find_config(config_path)
    findings = [*python_findings(), *package_findings()]
    try:
        config = load_config(config_path)
        findings.append(Finding("config", "ok", f"every setting is valid: {_files(config)}"))
    except ConfigError as error:
        config = Config(Settings())
        findings.append(Finding("config", "problem", str(error), "mend it there; until then the built-in settings are examined"))
    place = Path(config.settings.bus.state_dir) if state_dir is None else state_dir
    health: Health | None = None
    try:
        health = read_health(place)
    except BadInput as error:
        findings.append(Finding("session", "warning", str(error), "delete it; the next session writes it anew"))
    config = _of_session(config, place, health)
    url = db_url or (health.db_url if health is not None and health.db_url else config.settings.db.url)
    path_of_url(url)
    patient = Patient(config, place, url, time.time_ns(), health, is_supervised(place), offline)
    findings += _checks(patient, config_path)
    return findings


def _checks(patient: Patient, config_path: Path | None) -> Iterator[Finding]:
    yield from clock_findings(patient)
    yield from port_findings(patient)
    yield from disk_findings(patient)
    yield from permission_findings(patient, config_path)
    yield from session_findings(patient)
    yield from lock_findings(patient)
    yield from database_findings(patient)
    yield from journal_findings(patient)


def _of_session(config: Config, state_dir: Path, health: Health | None) -> Config:
    """The settings that the last session ran with, where they are left; the others otherwise."""
    if health is None:
        return config
    effective = run_folder(state_dir, health.session_id) / "config.json"
    try:
        return load_config(effective) if effective.is_file() else config
    except ConfigError:
        return config


def _files(config: Config) -> str:
    files = sorted(set(config.origins.values()))
    return ", ".join(files) or "the built-in settings"
