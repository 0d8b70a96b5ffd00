"""The private side of the venue as an edge: credentials, signed requests, and the user channel, in one event loop.

Requests are sent once, each at the moment it comes; what got no answer is told so, never asked again. Secrets stay here: what the venue
says is handed on without the name of the account.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import httpx
import msgspec

from pipeline.base import events
from pipeline.base.clock import Clock
from pipeline.base.fault_points import reach
from pipeline.base.log import get_logger
from pipeline.base.settings import PolymarketSection, VenueSection
from pipeline.base.units import NS_PER_S
from pipeline.messages import Message
from pipeline.messages.edges import RawFrame, VenueReply, VenueRequest
from pipeline.venue.backoff import Backoff
from pipeline.venue.clob.auth import l1_headers, l2_headers
from pipeline.venue.clob.offline import require_offline
from pipeline.venue.clob.wallet import ApiCredentials, Wallet
from pipeline.venue.user_channel import UserChannel

Emit = Callable[[Message], None]
NO_OWNER = b'"owner":""'
OWN = b"own"
"""What stands for the name of the account in all that the venue says."""
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def user_url(ws_url: str) -> str:
    """The address of the user channel, beside that of the market channel."""
    base, slash, _ = ws_url.rstrip("/").rpartition("/")
    return f"{base}{slash}user"


class ClobEdge:
    """Hears VenueRequest; says one VenueReply for each, and the frames and states of the user channel. Raises BadInput off loopback."""

    name = "clob"
    accepts: tuple[type[Message], ...] = (VenueRequest,)

    def __init__(
        self,
        section: PolymarketSection,
        settings: VenueSection,
        wallet: Wallet,
        clock: Clock,
        rng: random.Random,
        credentials: ApiCredentials | None = None,
    ) -> None:
        """``credentials``: those that are configured; None to have the venue give them to the wallet."""
        require_offline(section)
        self._base_url, self._user_url = section.clob_url.rstrip("/"), user_url(section.ws_url)
        self._settings, self._wallet, self._clock, self._rng = settings, wallet, clock, rng
        self._given, self._credentials = credentials is not None, credentials
        self._requests: asyncio.Queue[VenueRequest] = asyncio.Queue()
        self._stale = asyncio.Event()

    def take(self, msg: Message) -> None:
        """VenueRequest: it is sent as soon as there are credentials."""
        if isinstance(msg, VenueRequest):
            self._requests.put_nowait(msg)

    async def run(self, emit: Emit) -> None:
        """Until cancelled."""

        def hand_on(msg: Message) -> None:
            emit(self._anonymous(msg))

        timeout_s = self._settings.rest_timeout_ms / 1_000
        async with httpx.AsyncClient(timeout=timeout_s, trust_env=False) as client:
            if self._credentials is None:
                await self._ask_credentials(client)
            channel = UserChannel(self._user_url, self._settings, hand_on, self._clock, self._rng, self._known)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(channel.run())
                if not self._given:
                    tasks.create_task(self._renew(client, channel))
                while True:
                    tasks.create_task(self._send(client, await self._requests.get(), hand_on))

    # --- credentials -----------------------------------------------------------------------------------------------

    def _known(self) -> ApiCredentials:
        if self._credentials is None:
            raise RuntimeError("no credentials yet")
        return self._credentials

    async def _ask_credentials(self, client: httpx.AsyncClient) -> None:
        """Have the venue name the credentials of this wallet, or make them; again and again until it answers."""
        backoff = Backoff(100, 5_000, self._rng)
        while True:
            for method, path in (("GET", "/auth/derive-api-key"), ("POST", "/auth/api-key")):
                headers = l1_headers(self._wallet, self._clock.now_ns() // NS_PER_S)
                try:
                    answer = await client.request(method, self._base_url + path, headers=headers)
                except httpx.HTTPError as error:
                    get_logger().warning(events.VENUE_UNREACHABLE, path=path, error=f"{type(error).__name__}: {error}"[:200])
                    break
                credentials = credentials_in(answer.content) if answer.status_code in (200, 201) else None
                if credentials is not None:
                    self._credentials = credentials
                    return
            await asyncio.sleep(backoff.next_s())

    async def _renew(self, client: httpx.AsyncClient, channel: UserChannel) -> None:
        """A venue that knows the credentials no more is asked for others."""
        while True:
            await self._stale.wait()
            await self._ask_credentials(client)
            self._stale.clear()
            channel.drop("credentials renewed")
            await asyncio.sleep(1)

    # --- requests --------------------------------------------------------------------------------------------------

    async def _send(self, client: httpx.AsyncClient, ask: VenueRequest, emit: Emit) -> None:
        """Send one request and tell its answer."""
        credentials = self._known()
        body = ask.body.replace(NO_OWNER, b'"owner":"' + credentials.key.encode() + b'"') if ask.kind == "place" else ask.body
        timestamp_s = self._clock.now_ns() // NS_PER_S
        headers = l2_headers(credentials, self._wallet.address, ask.method, ask.path, body, timestamp_s)
        if body:
            headers["Content-Type"] = "application/json"
        url = f"{self._base_url}{ask.path}" + (f"?{ask.query}" if ask.query else "")
        status, answer, retry_after_s, error, sent = 0, b"", "", "", True
        if ask.kind == "place":
            reach("before-send")
        try:
            response = await client.request(ask.method, url, content=body, headers=headers)
            status, answer = response.status_code, response.content
            retry_after_s = response.headers.get("retry-after", "")
        except httpx.HTTPError as failure:
            error, sent = f"{type(failure).__name__}: {failure}"[:200], not isinstance(failure, NOT_SENT)
        if ask.kind == "place":
            reach("after-send")
        if status == 401:
            self._stale.set()
        emit(
            VenueReply(
                ts_ns=self._clock.now_ns(),
                request_id=ask.request_id,
                status=status,
                body=answer,
                retry_after_s=retry_after_s,
                error=error,
                sent=sent,
                kind=ask.kind,
            )
        )

    def _anonymous(self, msg: Message) -> Message:
        """What the venue says, without the name of the account."""
        key = self._known().key.encode()
        if isinstance(msg, RawFrame) and key in msg.data:
            return msgspec.structs.replace(msg, data=msg.data.replace(key, OWN))
        if isinstance(msg, VenueReply) and key in msg.body:
            return msgspec.structs.replace(msg, body=msg.body.replace(key, OWN))
        return msg


def credentials_in(body: bytes) -> ApiCredentials | None:
    """The credentials that an answer holds; None if it holds none."""
    try:
        told = msgspec.json.decode(body, type=_Told)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return ApiCredentials(told.apiKey, told.secret, told.passphrase)


class _Told(msgspec.Struct):
    apiKey: str
    secret: str
    passphrase: str
