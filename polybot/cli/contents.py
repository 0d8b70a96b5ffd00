"""The table of contents of the command line: one row a command. Adding a command is a row here and a module beside this one.

The module exposes ``command``; it is imported when the command is run or asked for its help, and not before.
"""

from __future__ import annotations

from dataclasses import dataclass

RUN, DATA, LOOK, OPERATE = "Run the pipeline", "Bring in data", "Look at what happened", "Operate"
HEADINGS = (RUN, DATA, LOOK, OPERATE)


@dataclass(frozen=True)
class Row:
    """A command as ``polybot --help`` lists it; ``module`` is its file's name in ``polybot/cli``."""

    name: str
    module: str
    heading: str
    help: str


COMMANDS: tuple[Row, ...] = (
    Row("up", "up", RUN, "Start all processes under the supervisor, with a live view."),
    Row("quoter-run-ws", "quoter_run_ws", RUN, "Quote one outcome against a websocket stream, on paper."),
    Row("quoter-run-replay", "quoter_run_replay", RUN, "Quote one outcome over a recorded file, on paper."),
    Row("dutch-run-replay", "dutch_run_replay", RUN, "Trade Dutch Books over a recorded file, on paper."),
    Row("backtest", "backtest", RUN, "Play a strategy over recordings, and tell its profit."),
    Row("compare", "compare", RUN, "Show where two runs part, and why."),
    Row("replay", "replay", DATA, "Load a recorded file into a database."),
    Row("ingest-ws", "ingest_ws", DATA, "Store one market's order books from a websocket."),
    Row("refresh-markets", "refresh_markets", DATA, "Bring the market catalogue of a database up to date."),
    Row("record", "record", DATA, "Record a websocket's frames to files."),
    Row("recordings", "recordings", DATA, "List, examine, cut, merge and convert recordings."),
    Row("mock-ws", "mock_ws", DATA, "Serve a JSON lines file as a websocket stream."),
    Row("status", "status", LOOK, "Show how the feed of each market stands."),
    Row("coverage", "coverage", LOOK, "Show how long each book was proved, and its gaps."),
    Row("markets", "markets", LOOK, "List, search and show the markets of a database."),
    Row("orders", "orders", LOOK, "List orders and what became of them."),
    Row("pnl", "pnl", LOOK, "Show each strategy's profit and where it came from."),
    Row("positions", "positions", LOOK, "Show what is held, and what each event could lose."),
    Row("opportunities", "opportunities", LOOK, "List what strategies saw, took and refused."),
    Row("audit", "audit", LOOK, "Show executed decisions: intents, answers, durations."),
    Row("export", "export", LOOK, "Write any table as CSV or Parquet, whole or for a period."),
    Row("halt", "halt", OPERATE, "Stop trading until it is resumed, also over restarts."),
    Row("resume", "resume", OPERATE, "Let trading go on after a halt."),
    Row("tap", "tap", OPERATE, "Print the messages of one stream of a running pipeline."),
    Row("journal", "journal", OPERATE, "Show what the journals hold, record by record."),
    Row("fault", "fault", OPERATE, "Make the fake venue misbehave, by the name of a fault."),
    Row("keys", "keys", OPERATE, "Make the keys that guard tcp sockets."),
    Row("doctor", "doctor", OPERATE, "Examine installation, session, database; say what to do."),
    Row("db", "db", OPERATE, "Check, copy, shrink and prune the database."),
    Row("config", "config_show", OPERATE, "Show the settings in force and where each comes from."),
)
