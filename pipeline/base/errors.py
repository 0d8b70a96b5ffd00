"""The exceptions of Polybot. Each knows the exit code that a command ends with when nobody handles it."""

from __future__ import annotations


class PolybotError(Exception):
    """Something Polybot refuses or cannot do, told in one line."""

    exit_code = 1


class BadInput(PolybotError):
    """What the user gave is wrong: the line says what, where and what to do. Nothing was written."""

    exit_code = 2


class Interrupted(PolybotError):
    """The user stopped it (Ctrl-C) before it was done."""

    exit_code = 130


class ConfigError(BadInput):
    """A setting is unknown or has the wrong type or value."""


class BadFrame(PolybotError):
    """One frame from outside cannot be understood. It is counted, logged and skipped; the loop goes on."""


class WrongDatabase(BadInput):
    """The database is not Polybot's, or belongs to another venue."""


class DatabaseBusy(BadInput):
    """Another process is the writer of this database."""


class RoleTaken(BadInput):
    """Another process already plays this role in this state directory."""


class PortInUse(BadInput):
    """An address that was to be bound is taken."""


class SlowConsumer(PolybotError):
    """This process cannot keep up with a stream: it has resynchronised too often and must start afresh."""

    exit_code = 3


class CommandStalled(PolybotError):
    """The executor is connected but has taken no command for a second."""

    exit_code = 3


class JournalUnwritable(PolybotError):
    """The disk does not take a record. Nothing of it is left, and what it was to allow has not been done."""


class DamagedJournal(PolybotError):
    """Records that are needed cannot be read any more: the line says in which file, where, and what is whole."""


class CrashLoop(PolybotError):
    """A role died too often in a minute; the supervisor stopped everything."""

    exit_code = 4
