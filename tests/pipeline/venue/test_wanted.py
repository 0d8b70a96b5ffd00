from pipeline.base.units import NS_PER_S
from pipeline.venue.wanted import AskAgain, BooksWanted

RULES = AskAgain(min_ns=NS_PER_S, max_ns=4 * NS_PER_S, calm_ns=60 * NS_PER_S, timeout_ns=10 * NS_PER_S)


def test_the_first_request_goes_out_at_once_and_the_next_are_one_with_it() -> None:
    books = BooksWanted(RULES)
    assert books.want("1", "m", "gap", 0)
    assert books.ask("1", 0) == ("m", "gap")
    assert not books.want("1", "m", "gap", 1)
    assert books.coalesced == 1 and books.waiting == {"1"}


def test_an_answer_that_never_comes_has_failed() -> None:
    books = BooksWanted(RULES)
    books.want("1", "m", "gap", 0)
    books.ask("1", 0)
    assert books.due(10 * NS_PER_S - 1) == []
    assert books.due(10 * NS_PER_S) == ["1"]


def test_failures_wait_longer_each_time_up_to_the_limit() -> None:
    books = BooksWanted(RULES)
    books.want("1", "m", "gap", 0)
    waits, now_ns = [], 0
    for _ in range(4):
        books.ask("1", now_ns)
        books.failed("1", now_ns)
        due_ns = books.next_ns()
        assert due_ns is not None
        waits.append((due_ns - now_ns) // NS_PER_S)
        now_ns = due_ns
    assert waits == [1, 2, 4, 4]


def test_a_token_that_was_left_alone_is_asked_for_at_once_again() -> None:
    books = BooksWanted(RULES)
    books.want("1", "m", "gap", 0)
    books.ask("1", 0)
    books.answered("1")
    assert not books.want("1", "m", "gap", NS_PER_S // 2)
    books.ask("1", NS_PER_S)
    books.answered("1")
    assert books.want("1", "m", "gap", 62 * NS_PER_S)


def test_what_is_due_comes_in_the_order_in_which_it_was_wanted() -> None:
    books = BooksWanted(RULES)
    for token_id in ("9", "1", "5"):
        books.want(token_id, "m", "gap", 0)
        books.ask(token_id, 0)
        books.failed(token_id, 0)
    assert books.due(NS_PER_S) == ["9", "1", "5"]


def test_a_provider_that_answers_at_once_is_never_asked_by_a_timer() -> None:
    books = BooksWanted(AskAgain(max_ns=0))
    assert books.want("1", "m", "gap", 0)
    books.ask("1", 0)
    books.failed("1", 0)
    assert books.next_ns() is None
    assert books.want("1", "m", "gap", 0)


def test_a_book_that_nobody_wanted_changes_nothing() -> None:
    books = BooksWanted(RULES)
    books.answered("1")
    books.failed("1", 0)
    assert not books.waiting and books.market_of("1") == ""
