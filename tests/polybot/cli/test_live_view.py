"""The live view as text: what fits on a screen, and the short line without one."""

from __future__ import annotations

import io

from rich.console import Console

from pipeline.messages.market import BookSnapshot, Level
from polybot.cli.live_model import PipelineModel
from polybot.cli.live_view import death_lines, plain_line, screen, show_age
from polybot.cli.output import show_dollars
from processes.supervisor import RoleStatus

S = 1_000_000_000


def model_with(tokens: int) -> PipelineModel:
    model = PipelineModel()
    for n in range(tokens):
        model.on_message(
            BookSnapshot(
                ts_ns=8 * S, token_id=f"token-{n}", market="m", tick_size_e6=10_000, bids=(Level(410_000, 1),),
                asks=(Level(430_000, 1),), seq=1_234, venue_ns=S, state="VERIFIED", basis="hash",
            )
        )  # fmt: skip
    statuses = [
        RoleStatus("gateway", "running", 12, 1, S // 5, {}, {"frames": 4_321, "handled": 9}),
        RoleStatus("fake_venue", "starting", 11, 0, None, {}, {}),
    ]
    model.on_statuses(statuses, S)
    return model


def drawn(model: PipelineModel, height: int = 40) -> str:
    out = io.StringIO()
    console = Console(file=out, width=110, height=height, color_system=None)
    console.print(screen(model, "Polybot: fake venue", 12, 10 * S, height))
    return out.getvalue()


def test_the_screen_shows_books_and_processes():
    text = drawn(model_with(2))
    token = next(line for line in text.splitlines() if "token-1" in line)
    assert token.split() == ["token-1", "0.41", "0.43", "0.02", "VERIFIED", "2.0", "s", "1,234", "-", "-"]
    gateway = next(line for line in text.splitlines() if line.strip().startswith("gateway"))
    assert gateway.split() == ["gateway", "running", "12", "1", "0", "0.2", "s"]
    assert next(line for line in text.splitlines() if line.strip().startswith("fake_venue")).split() == [
        "fake_venue",
        "running",
        "11",
        "0",
        "-",
        "-",
    ]
    assert "frames 4,321" in text


def test_tokens_that_do_not_fit_are_counted():
    text = drawn(model_with(40), height=24)
    assert len(text.splitlines()) <= 24
    assert "and 30 more tokens" in text


def test_without_a_terminal_one_line_says_where_it_stands():
    line = plain_line(model_with(2), 12)
    assert line == "  12 s  books 2/2 verified  frames 4,321  quotes 0 (0 open)  fills 0  PnL $0.00 simulated  restarts 1"


def test_the_last_death_of_a_process_is_told():
    model = model_with(1)
    died = RoleStatus("writer", "waiting", None, 2, None, {}, {}, "exit code 1: disk is full")
    model.on_statuses([died], 2 * S)
    assert death_lines(model) == ["writer died (exit code 1: disk is full); restarts: 2"]
    assert "writer died (exit code 1: disk is full); restarts: 2" in drawn(model)


def test_dollars_and_ages_read_well():
    assert [show_dollars(n) for n in (0, -9_999, 1_239_999, -1_230_000, 5_000_000_000)] == [
        "$0.00",
        "$0.00",
        "$1.23",
        "-$1.23",
        "$5,000.00",
    ]
    assert [show_age(int(n * S)) for n in (0, 0.45, 12.9, 150)] == ["0.0 s", "0.4 s", "12 s", "2 min"]
