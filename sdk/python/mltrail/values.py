"""Python values as the JSON that goes into a record.

JSON has no word for several values that models produce. They are written so that nothing is lost silently:

    float nan, inf, -inf       the strings "NaN", "Infinity", "-Infinity" (as in the JSON mapping of Protocol Buffers)
    datetime (aware)           RFC 3339 with its offset; a datetime without a zone is refused: it names no instant
    date                       "2024-01-31"
    Decimal, UUID, Path        their text
    bytes                      base64
    NumPy and pandas           scalars by item(), arrays and series by tolist(), NaT and NA as null
    tuples, sets               arrays; sets sorted by their JSON, so that equal sets give equal bytes
"""
from __future__ import annotations

import base64
import datetime
import decimal
import json
import json.encoder
import math
import pathlib
import time
import uuid
from typing import Any, Callable, Iterable, Tuple, cast


def rfc3339(moment: datetime.datetime) -> str:
    """The instant as RFC 3339 text."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: use datetime.now(timezone.utc) or "
                         "moment.replace(tzinfo=…)")
    text = moment.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def now() -> str:
    """This moment as RFC 3339 text in UTC."""
    return rfc3339(datetime.datetime.now(datetime.timezone.utc))


def plain(value: Any) -> Any:
    """The value made of dict, list, str, int, float, bool and None alone."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        number = float(value)
        if math.isnan(number):
            return "NaN"
        if math.isinf(number):
            return "Infinity" if number > 0 else "-Infinity"
        return number
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"member name {key!r} is no string")
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(member) for member in value), key=lambda member: json.dumps(member, sort_keys=True))
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, datetime.datetime):
        return rfc3339(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID, pathlib.PurePath)):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode("ascii")
    for method in ("item", "tolist", "to_dict"):
        # item() of an array with several elements raises; tolist() is what it wants then.
        convert = getattr(value, method, None)
        if callable(convert):
            try:
                converted = convert()
            except (ValueError, TypeError):
                continue
            if type(converted) is not type(value):
                return plain(converted)
    raise TypeError(f"a {type(value).__name__} has no JSON form here: convert it first")


def encode_json(value: Any) -> bytes:
    """The value as compact UTF-8 JSON."""
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


# A string as JSON, with its quotes, and what is not ASCII as it is.
json_string: Callable[[str], str] = getattr(json.encoder, "encode_basestring")


def _fast_encoder() -> Callable[[Any, int], Iterable[str]]:
    """The encoder in C of the standard library, without what `json.dumps` does around it at each call."""
    try:
        encode: Any = getattr(json.encoder, "c_make_encoder")(None, plain, json_string, None, ":", ",", False, False, False)
        if "".join(encode({"a": [1.5, None]}, 0)) == '{"a":[1.5,null]}':
            return cast(Callable[[Any, int], Iterable[str]], encode)
    except (AttributeError, TypeError):
        pass  # another Python than those that are tested
    slow = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain)
    return lambda value, _: (slow.encode(value),)


_pieces = _fast_encoder()


def json_text(value: Any) -> str:
    """The value as compact JSON, fast where it is made of plain types. Member names that are numbers become text."""
    try:
        return "".join(_pieces(value, 0))
    except (TypeError, ValueError):
        # Not finite, or with a type that wants a closer look.
        return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


_second: Tuple[int, str] = (0, "")  # replaced as a whole, so that threads never see half of it


def now_fast() -> str:
    """This moment as RFC 3339 text in UTC; the text of the second is made once."""
    global _second
    nanoseconds = time.time_ns()
    seconds = nanoseconds // 1_000_000_000
    known, text = _second
    if known != seconds:
        text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(seconds))
        _second = seconds, text
    return "%s%06dZ" % (text, nanoseconds % 1_000_000_000 // 1000)
