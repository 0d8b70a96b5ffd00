from pipeline.market.carriers import Carriers
from pipeline.messages.edges import LinkEvent
from pipeline.messages.market import LinkState


def event(link_id: str, state: LinkState, *token_ids: str) -> LinkEvent:
    return LinkEvent(ts_ns=1, link_id=link_id, state=state, token_ids=token_ids)


def test_links_with_tokens_of_their_own_are_passed_on_as_they_are() -> None:
    carriers = Carriers()
    carriers.learn(event("a", "up", "1", "2"))
    carriers.learn(event("b", "up", "3"))
    assert carriers.arbiter is None
    assert carriers.learn(event("a", "down", "1", "2")) == ("1", "2")


def test_links_that_share_a_token_are_one_feed_before_either_is_open() -> None:
    carriers = Carriers()
    carriers.learn(event("a", "connecting", "1"))
    assert carriers.arbiter is None
    carriers.learn(event("b", "connecting", "1"))
    assert carriers.arbiter is not None


def test_a_lost_link_is_about_what_no_other_open_link_carries() -> None:
    carriers = Carriers()
    for link_id in ("a", "b"):
        carriers.learn(event(link_id, "up", "1", "2"))
    assert carriers.learn(event("b", "down", "1", "2")) == ()
    carriers.learn(event("b", "connecting", "1", "2"))
    assert carriers.learn(event("a", "down", "1", "2")) == ("1", "2")
    carriers.learn(event("b", "up", "1"))
    carriers.learn(event("a", "up", "1", "2"))
    assert carriers.learn(event("a", "closed", "1", "2")) == ("2",)


def test_a_link_that_opens_again_is_not_its_own_twin() -> None:
    carriers = Carriers()
    for state in ("connecting", "up", "down", "connecting", "up"):
        carriers.learn(event("a", state, "1"))  # type: ignore[arg-type]
    assert carriers.arbiter is None
