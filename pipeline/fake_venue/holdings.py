"""What accounts own at the fake venue, kept in a file: who trades there again tomorrow finds the money and the shares of today."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from pipeline.base.errors import BadInput
from pipeline.fake_venue.accounts import Account, Accounts

NAME = "fake-venue.json"


class Holding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account: addresses in lower case, millionths of a dollar, millionths of a share by token. Shares of 0 are left out."""

    address: str
    signer: str
    cash_e6: int
    positions: dict[str, int]


class HoldingsFile:
    """Replaces its file whenever somebody's money or shares are not what it says, before anybody is told of the trade.

    Open orders and trades under way are not in it: they end with the venue, and trades that were not final yet stand.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = b""

    def load(self, accounts: Accounts) -> None:
        """Give everybody what he had; nothing happens without a file. Raises BadInput for a file that is none of ours."""
        try:
            body = self.path.read_bytes()
        except FileNotFoundError:
            return
        try:
            held = msgspec.json.decode(body, type=list[Holding])
        except msgspec.DecodeError as error:
            raise BadInput(f"{self.path}: is no list of accounts: {error}; delete it, and every account begins anew") from None
        for it in held:
            accounts.by_address[it.address] = Account(it.address, it.signer, it.cash_e6, dict(it.positions))
        self._written = body

    def save(self, accounts: Accounts) -> None:
        """Write the file anew if it is not right any more. A disk that takes nothing ends no venue: the next time tries again."""
        held = [
            Holding(it.address, it.signer, it.cash_e6, {token: shares for token, shares in it.positions.items() if shares})
            for it in accounts.by_address.values()
        ]
        body = msgspec.json.encode(held)
        if body == self._written:
            return
        part = self.path.with_name(f"{self.path.name}.part")
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as out:
                out.write(body)
            part.replace(self.path)
        except OSError:
            return
        self._written = body
