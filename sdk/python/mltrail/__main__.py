"""`python -m mltrail drain DIR` sends what is left in a spool; `python -m mltrail status DIR` says what is in it."""
from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

from . import spool
from .sender import drain
from .transport import Transport

DONE, LEFT, USAGE, COULD_NOT = 0, 1, 2, 3
TIMEOUT_S = 60.0


def main(argv: Optional[List[str]] = None) -> int:
    """The exit status: 0 nothing is left, 1 something is or was refused or damaged, 2 usage, 3 could not."""
    parser = argparse.ArgumentParser(prog="python -m mltrail", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    sending = commands.add_parser("drain", help="send what writers that ended left in the directory")
    sending.add_argument("dir", metavar="DIR")
    sending.add_argument("--url", default=os.environ.get("MLTRAIL_URL"), help="of the trail (MLTRAIL_URL)")
    sending.add_argument("--token-file", default=os.environ.get("MLTRAIL_TOKEN_FILE"),
                         help="with a token that may append (MLTRAIL_TOKEN_FILE; or the token itself in MLTRAIL_TOKEN)")
    sending.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="SECONDS",
                         help="give up so long after the last progress (default %(default)g)")
    looking = commands.add_parser("status", help="say what is in the directory; changes nothing")
    looking.add_argument("dir", metavar="DIR")
    for command in (sending, looking):
        command.add_argument("--json", action="store_true", help="one JSON object instead of text")
    options = parser.parse_args(argv)
    if not Path(options.dir).is_dir():
        print(f"mltrail: {options.dir}: no such directory", file=sys.stderr)
        return COULD_NOT
    try:
        return _drain(options) if options.command == "drain" else _status(options)
    except (OSError, ValueError) as error:
        print(f"mltrail: {error}", file=sys.stderr)
        return COULD_NOT


def _drain(options: argparse.Namespace) -> int:
    if not options.url:
        print("mltrail: no URL: want --url http://HOST:PORT, or MLTRAIL_URL", file=sys.stderr)
        return USAGE
    transport = Transport(options.url, None if options.token_file else os.environ.get("MLTRAIL_TOKEN"), 30.0, 1, None,
                          options.token_file)
    done = drain(options.dir, transport, options.timeout)
    if options.json:
        print(json.dumps({"streams": done.streams, "sent": done.sent, "rejected": done.rejected, "left": done.left,
                          "damage": [str(item) for item in done.damage], "trouble": done.trouble or None}))
    else:
        print(f"{done.sent} records sent, {done.streams} streams done, {done.left} left")
        if done.rejected:
            print(f"{done.rejected} records refused for good: {Path(options.dir) / spool.REJECTED_NAME}")
        for item in done.damage:
            print(item)
    if done.trouble:
        print(f"mltrail: not everything could be sent: {done.trouble}", file=sys.stderr)
        return COULD_NOT
    return LEFT if done.left or done.rejected or done.damage else DONE


def _status(options: argparse.Namespace) -> int:
    streams = [_state(options.dir, name) for name in spool.streams_in(options.dir)]
    rejected_file = Path(options.dir) / spool.REJECTED_NAME
    rejected = rejected_file.read_bytes().count(b"\n") if rejected_file.exists() else 0
    damaged = sorted(path.name for path in Path(options.dir).glob("*.damaged"))
    size = spool.spool_size(options.dir)
    if options.json:
        print(json.dumps({"streams": streams, "bytes": size, "rejected": rejected, "damaged": damaged}))
    else:
        for state in streams:
            print(f"{state['stream']}: {'in use' if state['alive'] else 'its writer is gone'}, "
                  f"{state['frames']} records in {state['bytes']} bytes wait")
        print(f"{len(streams)} streams, {size} bytes, {rejected} records refused for good, {len(damaged)} damaged files")
    return LEFT if streams or rejected or damaged else DONE


def _state(folder: str, stream: str) -> Dict[str, Any]:
    """How much of a stream waits. Its lock is tried and given back, for whoever wants to take it over."""
    files = spool.StreamFiles(folder, stream)
    lock = spool.take_lock(files.lock, create=False)
    if lock is not None:
        spool.release_lock(lock)
    segments = files.segments()
    at = files.read_ack() or spool.Position(segments[0] if segments else 1, 0, 1)
    frames, size = 0, 0
    while segments:
        batch = spool.read_batch(files, at, segments[-1], -1, 100_000, 1 << 30)
        frames += len(batch.frames)
        size += sum(spool.FRAME_LEAD + len(frame.body) for frame in batch.frames)
        if batch.end == at:
            break
        at = batch.end
    return {"stream": stream, "alive": lock is None, "frames": frames, "bytes": size}


if __name__ == "__main__":
    sys.exit(main())
