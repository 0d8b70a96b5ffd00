import msgspec
import pytest

from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.base.settings import ConfidenceSection, Settings
from pipeline.messages.market import BookSnapshot
from pipeline.messages.orders import VENUE_MODES, Mode
from pipeline.trading.policy import STATES, USUAL, FeedPolicy, allowed_states, heard_ns

SIMULATED: tuple[Mode, ...] = ("fake", "paper", "replay")


def test_every_state_has_a_policy_in_every_mode() -> None:
    for mode in (*SIMULATED, *VENUE_MODES):
        assert {USUAL.of(state, mode) for state in STATES} <= {"trade", "no_new_quotes", "pull", "never"}  # type: ignore[arg-type]
    assert [USUAL.of(state, "paper") for state in STATES] == [
        *("trade", "trade", "trade", "no_new_quotes", "pull", "pull", "pull", "never"),
    ]


@pytest.mark.parametrize("mode", sorted(VENUE_MODES))
def test_at_a_venue_proved_books_alone_are_traded_on_whatever_the_settings_say(mode: Mode) -> None:
    bold = FeedPolicy(ConfidenceSection(unverified="trade"))
    assert allowed_states(mode, bold) == {"VERIFIED", "QUIET"}
    assert bold.of("UNVERIFIED", mode) == "never"


@pytest.mark.parametrize("mode", SIMULATED)
def test_without_money_at_stake_unchecked_books_are_traded_on_unless_the_settings_forbid(mode: Mode) -> None:
    assert allowed_states(mode) == {"VERIFIED", "QUIET", "UNVERIFIED"}
    assert allowed_states(mode, FeedPolicy(ConfidenceSection(unverified="pull"))) == {"VERIFIED", "QUIET"}


def test_the_settings_of_a_state_are_its_policy() -> None:
    strict = FeedPolicy(ConfidenceSection(quiet="no_new_quotes", pending="pull"))
    assert (strict.of("QUIET", "live"), strict.of("PENDING", "fake")) == ("no_new_quotes", "pull")
    assert allowed_states("live", strict) == {"VERIFIED"}


def test_a_word_that_is_no_policy_is_refused_with_its_place() -> None:
    with pytest.raises(BadInput, match="confidence"):
        Config(Settings()).with_values({"confidence": {"pending": "hope"}}, "local.toml")


def test_a_book_is_as_old_as_its_last_frame_or_proof_whenever_it_is_said_again() -> None:
    book = BookSnapshot(
        ts_ns=35,
        token_id="t",
        market="m",
        tick_size_e6=10_000,
        bids=(),
        asks=(),
        seq=1,
        venue_ns=1,
        state="VERIFIED",
        basis="hash",
        verified_ns=4,
        frame_ns=5,
    )
    for state in ("VERIFIED", "QUIET"):
        assert heard_ns(msgspec.structs.replace(book, state=state)) == 5
        assert heard_ns(msgspec.structs.replace(book, state=state, verified_ns=30)) == 30
    assert heard_ns(msgspec.structs.replace(book, frame_ns=0)) == 35
