"""The order of stopping: who is asked when, who is waited for, who is killed."""

from __future__ import annotations

from processes.dependencies import start_order, stop_waves, waits_for
from processes.stopping import StopReport, stop_in_order


class Process:
    """Ends so many looks after it was asked; None: never by itself."""

    def __init__(self, log: list[str], name: str, looks: int | None) -> None:
        self.log, self.name, self.looks = log, name, looks
        self.asked = self.killed = False

    def exit_code(self) -> int | None:
        if self.killed:
            return -9
        if not self.asked or self.looks is None:
            return None
        self.looks -= 1
        if self.looks == 0:
            self.log.append(f"{self.name} ended")
        return 0 if self.looks <= 0 else None

    def ask_to_stop(self) -> None:
        self.asked = True
        self.log.append(f"{self.name} asked")

    def kill(self) -> None:
        self.killed = True
        self.log.append(f"{self.name} killed")


def stop(looks: dict[str, int | None], allowed_ms: int = 5_000, hurry: bool = False) -> tuple[StopReport, list[str]]:
    log: list[str] = []
    children = {name: Process(log, name, count) for name, count in looks.items()}
    report = stop_in_order(stop_waves(looks), children, lambda ms: None, lambda: hurry, allowed_ms)
    return report, log


def test_what_feeds_ends_before_what_is_fed_and_the_writer_ends_last_of_the_roles():
    names = ["fake_venue", "writer", "executor", "strategy", "book_builder", "gateway", "scheduler"]
    report, log = stop(dict.fromkeys(names, 2))
    asked = [line.removesuffix(" asked") for line in log if line.endswith("asked")]
    assert asked == ["scheduler", "gateway", "strategy", "book_builder", "executor", "writer", "fake_venue"]
    assert log.index("strategy ended") < log.index("executor asked")
    assert log.index("executor ended") < log.index("writer asked")
    assert [role for role, _ in report.waited_ms] == asked
    assert report.killed == ()


def test_one_that_hangs_is_killed_and_the_others_still_have_their_turn():
    report, log = stop({"gateway": None, "executor": 3, "writer": 3}, allowed_ms=60)
    assert report.killed == ("gateway",)
    assert log.index("executor ended") < log.index("writer asked") < log.index("gateway killed")
    assert report.total_ms < 1_000


def test_in_a_hurry_everything_is_killed_at_once():
    report, _ = stop({"executor": None, "writer": None}, allowed_ms=60_000, hurry=True)
    assert report.killed == ("executor", "writer")


def test_the_report_says_what_was_waited_for_and_how_long():
    report = StopReport(1_240, (("gateway", 210), ("executor", 640), ("writer", 1_240)), ("writer",))
    assert report.told() == (
        "stopped in 1.2 s; waited for gateway 0.2 s, executor 0.6 s; killed, as they did not end in time: writer"
    )
    assert StopReport().told() == "stopped in 0.0 s; waited for nothing"


def test_the_executor_is_started_after_the_writer_whatever_the_procfile_says():
    assert start_order(["executor", "strategy", "writer"]) == ["writer", "executor", "strategy"]
    assert start_order(["executor", "strategy"]) == ["executor", "strategy"]
    assert start_order(["fake_venue", "fused", "writer"]) == ["fake_venue", "writer", "fused"]


def test_a_role_waits_for_those_it_needs_that_are_here_and_do_not_run():
    known = {"writer", "executor", "strategy", "book_builder"}
    assert waits_for("executor", known, {"executor"}) == ("writer",)
    assert waits_for("strategy", known, {"executor"}) == ("book_builder",)
    assert waits_for("book_builder", known, set()) == ()


def test_the_fused_process_ends_between_what_tells_it_of_markets_and_what_stores_its_records():
    assert stop_waves(["fake_venue", "writer", "fused", "scheduler"]) == [["scheduler"], ["fused"], ["writer"], ["fake_venue"]]
