import asyncio
from decimal import Decimal

from pipeline.messages import Message
from pipeline.messages.edges import FeedEnded, FetchBooks, FollowTokens, RawFrame
from pipeline.recording.playback import PacedPlayback, Playback


def frames(*times: int) -> list[Message]:
    return [RawFrame(ts_ns=ts_ns, link_id="x", data=str(number).encode()) for number, ts_ns in enumerate(times)]


def test_its_timer_is_the_next_frame_and_the_end_is_said_once() -> None:
    playback = Playback(frames(5, 5, 9))
    heard: list[Message] = []
    times = []
    while (due := playback.next_ns()) is not None:
        times.append(due)
        heard += playback.due(due)
    assert times == [5, 5, 9, 9]
    assert [type(msg) for msg in heard] == [RawFrame, RawFrame, RawFrame, FeedEnded]
    assert list(playback.due(100)) == []


def test_nothing_comes_before_its_time() -> None:
    assert list(Playback(frames(5)).due(4)) == []


def test_a_frame_with_an_older_time_is_due_at_once() -> None:
    playback = Playback(frames(5, 3))
    assert len(playback.due(5)) == 1 and playback.next_ns() == 3
    assert len(playback.due(5)) == 1 and playback.next_ns() == 5


def test_frames_drawn_ahead_are_all_of_them_and_then_the_end() -> None:
    playback = Playback(frames(5, 5, 9))
    assert [msg.ts_ns for msg in playback.ahead()] == [5, 5, 9]
    assert playback.next_ns() == 9
    assert [type(msg) for msg in playback.ahead()] == [FeedEnded]
    assert playback.next_ns() is None and playback.played == 4


def test_frames_are_drawn_ahead_only_up_to_a_time() -> None:
    playback = Playback(frames(1, 2, 3, 4))
    assert [msg.ts_ns for msg in playback.ahead(2)] == [1, 2]
    assert playback.next_ns() == 3
    assert [msg.ts_ns for msg in playback.ahead(2)] == []
    assert [msg.ts_ns for msg in playback.ahead(4)] == [3, 4]


def test_who_stops_drawing_finds_the_next_frame_where_it_was() -> None:
    playback = Playback(frames(1, 2, 3))
    drawing = playback.ahead()
    assert next(drawing).ts_ns == 1
    drawing.close()
    assert playback.next_ns() == 2
    assert [msg.ts_ns for msg in playback.due(2)] == [2]


def test_an_empty_recording_ends_at_once() -> None:
    assert list(Playback([]).due(0)) == [FeedEnded(ts_ns=0, reason="the recording ended")]


def test_requests_for_books_are_left_to_a_provider_only_when_there_is_one() -> None:
    assert FetchBooks in Playback([]).accepts
    assert FetchBooks not in Playback([], answers=True).accepts


def test_a_paced_playback_starts_with_the_first_universe_and_keeps_its_distances() -> None:
    async def play() -> tuple[list[Message], list[float]]:
        heard: list[Message] = []
        at: list[float] = []
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def emit(msg: Message) -> None:
            heard.append(msg)
            at.append(loop.time())
            if type(msg) is FeedEnded:
                ended.set()

        playback = PacedPlayback(lambda: frames(0, 20_000_000, 400_000_000), Decimal(10))
        task = asyncio.create_task(playback.run(emit))
        await asyncio.sleep(0)
        assert heard == []
        playback.take(FollowTokens(ts_ns=0, token_ids=("1",)))
        await asyncio.wait_for(ended.wait(), 5)
        task.cancel()
        return heard, at

    heard, at = asyncio.run(play())
    assert [msg.ts_ns for msg in heard] == [0, 20_000_000, 400_000_000, 400_000_000]
    assert at[2] - at[0] >= 0.039
