"""One line of a recording: a thing that came from outside or went there, with its link, both clocks, and its exact text.

``kind`` is ws_in, ws_out, rest, link, refused (a note beside the frame before it) or resumed (the recorder started again here).
``made`` says what a line is that nobody received: a cut or a merge wrote it, so that the recording is complete in itself.
"""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import msgspec

from pipeline.base.nesting import nests_too_deeply
from pipeline.messages import Message
from pipeline.messages.edges import FrameSent, LinkEvent, RawFrame, RestBody
from pipeline.messages.market import BadFeedFrame, LinkState

Kind = Literal["ws_in", "ws_out", "rest", "link", "refused", "resumed"]

Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a line holds; times in nanoseconds. Bytes that are not UTF-8 are in ``base64`` instead of ``text``."""

    kind: Kind
    ts_ns: Nanoseconds
    link: str = ""
    mono_ns: Nanoseconds = 0
    text: str | None = None
    base64: str | None = None
    state: LinkState | None = None
    reason: str = ""
    request: str = ""
    request_id: int = 0
    status: int = 0
    error: str = ""
    token_ids: tuple[str, ...] = ()
    made: str = ""

    @property
    def data(self) -> bytes:
        """The bytes as they were received or sent."""
        if self.base64 is not None:
            return base64.b64decode(self.base64)
        return (self.text or "").encode()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


def line_of(msg: Message) -> Line | None:
    """The line for a message; None for kinds that are not recorded."""
    match msg:
        case RawFrame():
            try:
                text = msg.data.decode()
            except UnicodeDecodeError:
                return with_data(Line(kind="ws_in", ts_ns=msg.ts_ns, link=msg.link_id, mono_ns=msg.mono_ns), msg.data)
            return Line(kind="ws_in", ts_ns=msg.ts_ns, link=msg.link_id, mono_ns=msg.mono_ns, text=text)
        case FrameSent():
            return with_data(Line(kind="ws_out", ts_ns=msg.ts_ns, link=msg.link_id, mono_ns=msg.mono_ns), msg.data)
        case RestBody():
            line = Line(
                kind="rest",
                ts_ns=msg.ts_ns,
                mono_ns=msg.mono_ns,
                request=msg.request,
                request_id=msg.request_id,
                status=msg.status,
                error=msg.error,
                token_ids=msg.token_ids,
                reason=msg.cause,
            )
            return with_data(line, msg.body)
        case LinkEvent():
            return Line(
                kind="link",
                ts_ns=msg.ts_ns,
                link=msg.link_id,
                mono_ns=msg.mono_ns,
                state=msg.state,
                reason=msg.reason,
                token_ids=msg.token_ids,
            )
        case BadFeedFrame():
            return Line(kind="refused", ts_ns=msg.ts_ns, reason=msg.reason, token_ids=(msg.token_id,) if msg.token_id else ())
    return None


def encode_line(line: Line) -> bytes:
    """The line as JSON with its newline."""
    return _encoder.encode(line) + b"\n"


def decode_line(text: bytes) -> Line:
    """The line in a JSON text. Raises ValueError if it is not one."""
    if nests_too_deeply(text):
        raise ValueError("nested too deeply")
    return _decoder.decode(text)


def message_of(line: Line, where: str) -> Message | None:
    """What the gateway is to hear of a line again; None for what we sent and for notes."""
    if line.kind == "ws_in":
        return RawFrame(ts_ns=line.ts_ns, link_id=line.link, data=line.data, mono_ns=line.mono_ns, where=where)
    if line.kind == "rest":
        return RestBody(
            ts_ns=line.ts_ns,
            request=line.request,
            status=line.status,
            body=line.data,
            request_id=line.request_id,
            token_ids=line.token_ids,
            error=line.error,
            mono_ns=line.mono_ns,
            cause=line.reason,
        )
    if line.kind == "link" and line.state is not None:
        return LinkEvent(
            ts_ns=line.ts_ns,
            link_id=line.link,
            state=line.state,
            reason=line.reason,
            token_ids=line.token_ids,
            mono_ns=line.mono_ns,
        )
    return None


def with_data(line: Line, data: bytes) -> Line:
    """The line with these bytes, as text if they are."""
    try:
        return msgspec.structs.replace(line, text=data.decode())
    except UnicodeDecodeError:
        return msgspec.structs.replace(line, base64=base64.b64encode(data).decode())
