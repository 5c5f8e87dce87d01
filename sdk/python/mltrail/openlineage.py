"""Facets for OpenLineage events: what an audit asks of data and the specification has no word for.

Each builder gives a plain dictionary, for `facets=` of openlineage-python's classes and of any other client:

    RunEvent(..., run=Run(run_id, facets={"mltrail_actor": actor("ana@example.org", trigger="manual")}),
             outputs=[OutputDataset(namespace, name, facets={
                 "mltrail_datasetDigest": dataset_digest(mltrail.hash_file("train.csv"), row_count=550),
                 "mltrail_exclusions": exclusions(exclusion("mean_concavity = 0", "not measured", rows_removed=13))})])

The names of the facets are the keys above; docs/schemas/openlineage/ has their JSON Schemas. Standard library only.
"""
from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Union

PRODUCER = "urn:mltrail:sdk:python"
VERSION = "1-0-0"
TRIGGERS = ("manual", "schedule", "event")
ROLES = ("train", "validation", "test")


def schema_url(facet: str) -> str:
    """The `_schemaURL` of a facet: the `$id` of its schema."""
    return f"urn:mltrail:openlineage:{VERSION}:{facet}"


def _facet(name: str, members: Mapping[str, Any]) -> Dict[str, Any]:
    given = {key: value for key, value in members.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": schema_url(name), **given}


def dataset_digest(digest: Union[str, Mapping[str, str]], method: Optional[str] = None,
                   row_count: Optional[int] = None) -> Dict[str, Any]:
    """`mltrail_datasetDigest`, of a dataset or model: `algorithm:value`, as `hash_file` gives it, or digests by algorithm, as
    `digests` of `hash_data`, `hash_rows` and `hash_directory` are.

    `method` says how it is made ("bytes of the file", "rows in order of id"), so that others can make it again.
    """
    if isinstance(digest, str):
        algorithm, colon, value = digest.partition(":")
        if not (algorithm and colon and value):
            raise ValueError(f"{digest!r} is no digest: algorithm:value would be, such as sha256:9f86…")
        digest = {algorithm: value}
    if not digest or not all(algorithm and value for algorithm, value in digest.items()):
        raise ValueError("no digest is given, or an empty one")
    (algorithm, value), *others = sorted(digest.items())
    return _facet("mltrail_datasetDigest", {"algorithm": algorithm, "value": value, "others": dict(others) or None,
                                            "method": method, "rowCount": row_count})


def exclusion(condition: str, reason: str, rows_removed: Optional[int] = None,
              approved_by: Optional[str] = None) -> Dict[str, Any]:
    """One exclusion, for `exclusions`."""
    members = {"condition": condition, "reason": reason, "rowsRemoved": rows_removed, "approvedBy": approved_by}
    return {key: value for key, value in members.items() if value is not None}


def exclusions(*excluded: Mapping[str, Any]) -> Dict[str, Any]:
    """`mltrail_exclusions`, of a dataset, a job or a run. `exclusions()` states that nothing was left out."""
    return _facet("mltrail_exclusions", {"exclusions": [dict(one) for one in excluded]})


def actor(triggered_by: Optional[str] = None, trigger: Optional[str] = None, on_behalf_of: Optional[str] = None,
          created_by: Optional[str] = None, registered_by: Optional[str] = None) -> Dict[str, Any]:
    """`mltrail_actor`, of a run: who started it, and who answers for what it made where that is somebody else."""
    if trigger is not None and trigger not in TRIGGERS:
        raise ValueError(f"trigger is {trigger!r}; one of {', '.join(TRIGGERS)} would be right")
    return _facet("mltrail_actor", {"triggeredBy": triggered_by, "trigger": trigger, "onBehalfOf": on_behalf_of,
                                    "createdBy": created_by, "registeredBy": registered_by})


def date_range(column: Optional[str] = None, start: Optional[str] = None, end: Optional[str] = None,
               zone: Optional[str] = None) -> Dict[str, Any]:
    """`mltrail_dateRange`, of an input: what was read, `start` inclusive, `end` exclusive; None is unrestricted.

    The standard `subset` facet says as much where the range is a condition; it cannot say that there was none.
    """
    return _facet("mltrail_dateRange", {"column": column, "from": start, "to": end, "zone": zone})


def dataset_role(role: str) -> Dict[str, Any]:
    """`mltrail_datasetRole`, of an input of a training run: `train`, `validation` or `test`."""
    if role not in ROLES:
        raise ValueError(f"role is {role!r}; one of {', '.join(ROLES)} would be right")
    return _facet("mltrail_datasetRole", {"role": role})


def metrics(**values: float) -> Dict[str, Any]:
    """`mltrail_metrics`, of a training run: results of evaluation by name."""
    return _facet("mltrail_metrics", {"metrics": values})
