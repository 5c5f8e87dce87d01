"""What the wrapper is told, all of it by environment variables, since `mlflow server` has no other place for it."""
from __future__ import annotations

import ipaddress
import os
import re
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Optional, Tuple, Union

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

ON_FAILURE = ("open", "closed", "closed-all")
ARTIFACT_HASH = ("on", "local", "off")
REFUSAL_STATUS = ("503", "424")  # MLflow's client repeats a 503 for minutes, and never shows what it says
TIMEOUT_S = 5.0  # a change waits no longer for the trail than an interactive client would


class SettingsError(ValueError):
    """A variable is missing or has a value that means nothing. The message names it and says what would be right."""


@dataclass(frozen=True)
class Settings:
    """The wrapper's settings. `url` None: exchanges stay in the spool until an agent or `python -m mltrail drain` sends them."""

    url: Optional[str]
    token: Optional[str]
    token_file: Optional[str]
    spool_dir: str
    inner: str
    on_failure: str
    refusal_status: int
    server: str
    user_header: Optional[str]
    trusted: Tuple[Network, ...]
    timeout_s: float
    artifact_hash: str

    @property
    def closed_for_changes(self) -> bool:
        """Whether a change needs the trail."""
        return self.on_failure != "open"

    @property
    def closed_for_reads(self) -> bool:
        """Whether a read needs the trail, too."""
        return self.on_failure == "closed-all"

    def trusts(self, client: Optional[Tuple[str, int]]) -> bool:
        """Whether headers that name the user may be believed when they come from `client`.

        uvicorn replaces the address by the one in X-Forwarded-For where it trusts the peer (FORWARDED_ALLOW_IPS,
        --forwarded-allow-ips), and sets the port to 0: it has checked the peer then.
        """
        if client is None:
            return False
        if client[1] == 0:
            return True
        try:
            address = ipaddress.ip_address(client[0])
        except ValueError:
            return False
        return any(address in network for network in self.trusted)


def from_environment(env: Optional[Mapping[str, str]] = None) -> Settings:
    """Reads and checks the environment."""
    env = os.environ if env is None else env
    url = env.get("MLTRAIL_URL") or None
    spool = env.get("MLTRAIL_SPOOL_DIR")
    on_failure = _choice(env, "MLTRAIL_MLFLOW_ON_FAILURE", ON_FAILURE)
    if url is None and not spool:
        raise SettingsError("MLTRAIL_URL is not set: want the trail's URL, such as http://127.0.0.1:8470 "
                            "(or MLTRAIL_SPOOL_DIR alone, where something else sends the spool)")
    if url is None and on_failure != "open":
        raise SettingsError(f"MLTRAIL_MLFLOW_ON_FAILURE={on_failure} needs MLTRAIL_URL: a change waits for the trail")
    return Settings(
        url=url,
        token=env.get("MLTRAIL_TOKEN") or None,
        token_file=_token_file(env),
        spool_dir=spool or _default_spool(env),
        inner=env.get("MLTRAIL_MLFLOW_APP") or "mlflow",
        on_failure=on_failure,
        refusal_status=int(_choice(env, "MLTRAIL_MLFLOW_REFUSAL_STATUS", REFUSAL_STATUS)),
        server=env.get("MLTRAIL_MLFLOW_SERVER") or socket.gethostname(),
        user_header=_header_name(env),
        trusted=tuple(_networks(env)),
        timeout_s=_seconds(env, "MLTRAIL_MLFLOW_TIMEOUT_S", TIMEOUT_S),
        artifact_hash=_choice(env, "MLTRAIL_MLFLOW_ARTIFACT_HASH", ARTIFACT_HASH),
    )


def _choice(env: Mapping[str, str], name: str, choices: Tuple[str, ...]) -> str:
    value = env.get(name) or choices[0]
    if value not in choices:
        raise SettingsError(f"{name}={value!r}: want one of {', '.join(choices)}")
    return value


def _token_file(env: Mapping[str, str]) -> Optional[str]:
    path = env.get("MLTRAIL_TOKEN_FILE")
    if not path or env.get("MLTRAIL_TOKEN"):
        return None
    try:
        Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"MLTRAIL_TOKEN_FILE={path!r}: {error.strerror}: want a file with the token alone") from error
    return path


def _default_spool(env: Mapping[str, str]) -> str:
    # Next to what programs of this user keep otherwise; in a container without a home, where it can be written.
    base = env.get("XDG_STATE_HOME") or (os.path.join(env["HOME"], ".local", "state") if env.get("HOME") else None)
    return os.path.join(base, "mltrail", "spool") if base else os.path.join(tempfile.gettempdir(), "mltrail-spool")


def _header_name(env: Mapping[str, str]) -> Optional[str]:
    name = env.get("MLTRAIL_MLFLOW_USER_HEADER")
    if not name:
        return None
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise SettingsError(f"MLTRAIL_MLFLOW_USER_HEADER={name!r}: want the name of a header, such as X-Forwarded-User")
    return name.lower()


def _networks(env: Mapping[str, str]) -> List[Network]:
    networks: List[Network] = []
    for part in (env.get("MLTRAIL_MLFLOW_TRUSTED_PROXIES") or "").split(","):
        if not part.strip():
            continue
        try:
            networks.append(ipaddress.ip_network(part.strip(), strict=False))
        except ValueError as error:
            raise SettingsError(f"MLTRAIL_MLFLOW_TRUSTED_PROXIES: {part.strip()!r}: want addresses or networks separated "
                                "by commas, such as 10.0.0.7,10.1.0.0/16") from error
    return networks


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 300.0:
        raise SettingsError(f"{name}={text!r}: want seconds, more than 0 and at most 300")
    return value
