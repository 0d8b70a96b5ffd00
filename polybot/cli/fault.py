"""``polybot fault``: make the offline venue of a running pipeline misbehave, by name, or be in another state for orders."""

from __future__ import annotations

import difflib
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from pipeline.base.config import Config, load_config
from pipeline.base.errors import BadInput
from polybot.cli.options import config_option, json_option
from polybot.cli.output import print_json, print_table
from processes.runs import run_folder

_PATIENCE_S = 5.0
_COLUMNS = ("fault", "takes", "what happens")


@click.command()
@click.argument("name", required=False)
@click.option("--list", "listing", is_flag=True, help="List the faults, and what each can be told.")
@click.option("--token", metavar="TOKEN", help="Strike this token only. Default: any, or the first one.")
@click.option(
    "--link", type=click.IntRange(min=1), metavar="N", help="Strike this connection only, counted from 1. Default: all."
)
@click.option("--seconds", type=click.IntRange(min=1), metavar="S", help="How long it lasts.")
@click.option(
    "--venue-state",
    "state",
    metavar="STATE",
    help="Instead of a fault: what the venue does with orders: normal, restarting, post_only, cancel_only, disabled or link_lost.",
)
@click.option(
    "--post-only-seconds",
    type=click.IntRange(min=0),
    metavar="S",
    help="How long it is post-only after restarting. Default: 120.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="How many frames it strikes.")
@click.option("--url", metavar="URL", help="Address of the fake venue. Default: that of the latest session.")
@click.option("--state-dir", type=click.Path(path_type=Path), metavar="DIR", help="State directory of the pipeline.")
@json_option
@config_option
def command(
    name: str | None,
    listing: bool,
    state: str | None,
    post_only_seconds: int | None,
    url: str | None,
    state_dir: Path | None,
    as_json: bool,
    config_path: Path | None,
    **given: Any,
) -> None:
    """Let fault NAME happen at the fake venue of a running `polybot up`, or put it into a state.

    A state lasts for --seconds, or until the next one is told; after restarting the venue is post-only for a while.

    \b
    Example:
      polybot fault --list
      polybot fault freeze-one-token --seconds 60
      polybot fault drop-frame --count 3
      polybot fault --venue-state restarting --seconds 20 --post-only-seconds 30
    """
    from pipeline.fake_venue.fault_table import FAULTS, OPTIONS, UnknownFault, check_fault

    if listing:
        rows = [(fault, ", ".join(OPTIONS[fault]), told) for fault, told in sorted(FAULTS.items())]
        if as_json:
            print_json([{"fault": fault, "takes": OPTIONS[fault], "what": told} for fault, _, told in rows])
        else:
            print_table(_COLUMNS, rows)
        return
    options = {key: str(value) for key, value in given.items() if value is not None}
    if state is not None:
        if post_only_seconds is not None:
            options["post_only_seconds"] = str(post_only_seconds)
        check_state(name, state, options)
        told = tell_state(url or venue_url(load_config(config_path), state_dir), state, options)
        if as_json:
            print_json(told)
        else:
            click.echo(state_line(told))
        return
    if post_only_seconds is not None:
        raise BadInput("--post-only-seconds: says how long the venue is post-only after --venue-state restarting; give both")
    if name is None:
        raise BadInput(f"fault: has no name; give one of {', '.join(sorted(FAULTS))}, or --venue-state")
    try:
        check_fault(name, tuple(options))
    except UnknownFault as error:
        close = difflib.get_close_matches(name, FAULTS, n=1)
        raise BadInput(f"{error}" + (f"; did you mean {close[0]}?" if close else "")) from None
    except ValueError as error:
        raise BadInput(str(error)) from None
    told = start_fault(url or venue_url(load_config(config_path), state_dir), name, options)
    if as_json:
        print_json(told)
    else:
        click.echo(line_of(told, FAULTS[name]))


def venue_url(config: Config, state_dir: Path | None = None) -> str:
    """The address of the fake venue in the latest session of a state directory, else the configured one.

    Raises BadInput if that session is connected to something else.
    """
    folder = Path(config.settings.bus.state_dir) if state_dir is None else state_dir
    sessions = sorted(file.parent.name for file in folder.glob("runs/*/config.json"))
    settings = config.settings
    if sessions:
        settings = load_config(run_folder(folder, sessions[-1]) / "config.json").settings
        if settings.venue.name != "fake":
            raise BadInput(
                f"fault: the latest session in {folder} is connected to {settings.venue.name}, and only the fake venue has faults; "
                "run `polybot up`, or give --url"
            )
    return f"http://{settings.fake_venue.host}:{settings.fake_venue.port}"


def check_state(name: str | None, state: str, options: Mapping[str, str]) -> None:
    """Raises BadInput for a state that there is not, and for options that do not go with one."""
    from pipeline.fake_venue.venue_mode import STATES

    if name is not None:
        raise BadInput(f"--venue-state {state}: goes without a fault; leave {name} out, or start it by itself")
    if state not in STATES:
        close = difflib.get_close_matches(state, STATES, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise BadInput(f"--venue-state {state}: no such state; known are {', '.join(STATES)}{hint}")
    for option in options:
        if option not in ("seconds", "post_only_seconds"):
            raise BadInput(f"--venue-state takes no {option}; it takes seconds, and after restarting post-only-seconds")
    if "post_only_seconds" in options and (state != "restarting" or "seconds" not in options):
        raise BadInput("--post-only-seconds: goes with --venue-state restarting and its --seconds")


def start_fault(url: str, name: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Ask the venue for the fault; what it says it does. Raises BadInput if nobody answers, or what answers refuses."""
    return _ask(url, f"fault/{urllib.parse.quote(name)}", options, "fault")


def tell_state(url: str, state: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Put the venue into a state; what it says it does. Raises BadInput if nobody answers, or what answers refuses."""
    return _ask(url, f"venue-state/{urllib.parse.quote(state)}", options, "venue_state")


def _ask(url: str, path: str, options: Mapping[str, str], key: str) -> dict[str, Any]:
    """POST to the venue's administration; an answer without ``key`` is not the fake venue's."""
    query = urllib.parse.urlencode(options)
    place = f"{url.rstrip('/')}/admin/{path}" + (f"?{query}" if query else "")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(place, data=b"", method="POST")
        with opener.open(request, timeout=_PATIENCE_S) as answer:
            told = _object(answer.read())
    except urllib.error.HTTPError as refusal:
        told = _object(refusal.read())
        if "error" in told and told["error"] != "not found":
            raise BadInput(f"fault: {told['error']}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise BadInput(
            f"fault: no fake venue answers at {url} ({reason}); start one with `polybot up`, or give its address with --url"
        ) from None
    if key not in told:
        raise BadInput(f"fault: what answers at {url} is no fake venue; give its address with --url")
    return told


def state_line(told: Mapping[str, Any]) -> str:
    """The state that was told, on one line for a person."""
    seconds = told.get("seconds")
    until = "until told otherwise" if seconds is None else f"for {seconds} s"
    after = told.get("post_only_seconds")
    return f"venue is {told['venue_state']} {until}" + (f", then post_only for {after} s" if after else "")


def line_of(told: Mapping[str, Any], what: str) -> str:
    """What was started, on one line for a person."""
    parts = [
        f"token {told['token']}" if told.get("token") else "",
        f"link {told['link']}" if "link" in told else "",
        f"{told['seconds']} s" if "seconds" in told else "",
        f"{told['count']} frames" if told.get("count", 1) != 1 else "",
        f"{told['frames']} frames" if "frames" in told else "",
    ]
    about = ", ".join(part for part in parts if part)
    return f"{told['fault']}{f' ({about})' if about else ''}: {what.partition(' (')[0]}"


def _object(body: bytes) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
