"""What of a body goes into the trail."""
from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Optional

# The names under which MLflow's requests and answers carry secrets.
_SECRET = frozenset({"password", "new_password", "old_password", "secret", "secret_value", "api_key", "token", "access_token",
                     "auth_config", "credentials"})
_OF_USERS = ("username", "is_admin")
REDACTED = "[not recorded]"
# These hold measurements by the thousand. What a run amounts to is read from MLflow when it ends.
_BULKY = ("metrics", "params", "tags")


def parsed(body: bytes) -> Any:
    """The JSON in `body`, or None."""
    try:
        return json.loads(body.decode("utf-8")) if body else None
    except ValueError:
        return None


def without_secrets(value: Any) -> Any:
    """The value with everything left out that is named like a secret."""
    if isinstance(value, dict):
        return {name: REDACTED if name in _SECRET else without_secrets(member) for name, member in value.items()}
    if isinstance(value, list):
        return [without_secrets(member) for member in value]
    return value


def request_members(route: str, body: bytes) -> Any:
    """What is kept of a request's body."""
    value = parsed(body)
    if route == "graphql":
        return _graphql(value)
    if route == "runs/log-batch" and isinstance(value, dict):
        return {name: f"{len(member)} of them" if name in _BULKY and isinstance(member, list) else member
                for name, member in value.items()}
    if re.match(r"users/(?!permissions/)", route) and isinstance(value, dict):
        return {name: value[name] for name in _OF_USERS if name in value}
    return without_secrets(value)


def _graphql(value: Any) -> Optional[Dict[str, Any]]:
    """The operation and the fields that it asks for, with its variables; of the text itself nothing else matters."""
    if not isinstance(value, dict):
        return None
    name, variables = value.get("operationName"), without_secrets(value.get("variables"))
    kept: Dict[str, Any] = {"operationName": name, "variables": variables}
    text = value.get("query")
    if isinstance(text, str):
        kept.update(_operation(text, name))
    return kept


def _operation(text: str, wanted: Any) -> Dict[str, Any]:
    from graphql import GraphQLError, parse  # MLflow has it for its own interface
    from graphql.language import FieldNode, OperationDefinitionNode
    try:
        # MLflow parses the same text again; its own limits apply there.
        document = parse(text, max_tokens=10_000)
    except (GraphQLError, RecursionError, TypeError):
        return {"fields": None}
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    chosen = [node for node in operations if wanted and node.name and node.name.value == wanted] or operations[:1]
    fields: List[str] = []
    for node in chosen:
        fields += [field.name.value for field in node.selection_set.selections if isinstance(field, FieldNode)]
    if not chosen:
        return {"fields": fields}
    named = chosen[0].name.value if chosen[0].name else None
    return {"operationName": wanted or named, "query": chosen[0].operation.value, "fields": fields}
