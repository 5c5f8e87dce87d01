#!/usr/bin/env python3
"""A model server that logs to mltrail the way a KServe InferenceService does.

KServe's agent stands beside the model server and posts what goes in and what comes out, each as a CloudEvent in binary
mode, to the URL in `spec.predictor.logger`. This program does the same in one process, to try a trail without a cluster:

    pip install cloudevents
    mltrail serve trail &
    python inference_service.py --url http://127.0.0.1:8470/v1/cloudevents --token "$(cat trail.state/admin.token)"
    mltrail reconcile requests --trail trail
"""
from __future__ import annotations

import argparse
import http.client
import json
import math
import uuid
from datetime import datetime, timezone
from typing import Iterator
from urllib.parse import urlsplit

from cloudevents.core.bindings.http import HTTPMessage, to_binary_event
from cloudevents.core.v1.event import CloudEvent

KIND = "org.kubeflow.serving.inference."


class Logger:
    """What the agent does: one event for the request, one for the response, the same id on both."""

    def __init__(self, namespace: str, service: str, pod: str, component: str = "predictor", endpoint: str = "default"):
        self.about = {"namespace": namespace, "inferenceservicename": service, "component": component,
                      "endpoint": endpoint}
        self.pod = pod

    def event(self, half: str, identifier: str, body: bytes, at: datetime, headers: dict | None = None) -> CloudEvent:
        metadata = {"metadata": json.dumps({k: [v] for k, v in headers.items()})} if headers else {}
        return CloudEvent({"id": identifier, "source": self.pod, "type": KIND + half, "time": at,
                           "datacontenttype": "application/json", **self.about, **metadata}, body)


class Model:
    """A credit score. V1 takes a list of instances, V2 named tensors."""

    name = "credit"

    @staticmethod
    def score(income: float, debt: float) -> float:
        return round(1 / (1 + math.exp(debt / 10 - income / 50)), 6)

    def v1(self, request: dict) -> dict:
        return {"predictions": [self.score(*row) for row in request["instances"]]}

    def v2(self, request: dict) -> dict:
        tensor, = request["inputs"]
        rows, columns = tensor["shape"]
        data = tensor["data"]
        scores = [self.score(*data[i * columns:(i + 1) * columns]) for i in range(rows)]
        answer = {"model_name": self.name, "id": request.get("id") or str(uuid.uuid4()),
                  "outputs": [{"name": "score", "shape": [rows], "datatype": "FP64", "data": scores}]}
        return answer


class InferenceService:
    """Answers a request and yields the two events of it."""

    def __init__(self, model: Model, logger: Logger):
        self.model, self.logger = model, logger

    def handle(self, request: dict, identifier: str | None = None, headers: dict | None = None) -> Iterator[CloudEvent]:
        identifier = identifier or str(uuid.uuid4())
        asked = datetime.now(timezone.utc)
        yield self.logger.event("request", identifier, json.dumps(request).encode(), asked, headers)
        answer = self.model.v2(request) if "inputs" in request else self.model.v1(request)
        yield self.logger.event("response", identifier, json.dumps(answer).encode(), datetime.now(timezone.utc), headers)


class Sink:
    """Posts messages over one connection. KServe takes 200 for success and everything else for a failure."""

    def __init__(self, url: str, token: str):
        parts = urlsplit(url)
        self.path, self.token = parts.path, token
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

    def post(self, message: HTTPMessage) -> dict:
        self.connection.request("POST", self.path, message.body,
                                {**message.headers, "Authorization": f"Bearer {self.token}"})
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {body.decode(errors='replace')}")
        return json.loads(body)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--url", default="http://127.0.0.1:8470/v1/cloudevents")
    options.add_argument("--token", required=True)
    options.add_argument("--requests", type=int, default=10)
    given = options.parse_args()
    service = InferenceService(Model(), Logger("bank", "credit", "credit-predictor-0"))
    sink = Sink(given.url, given.token)
    for i in range(given.requests):
        request = ({"instances": [[30 + i, 4], [20, i]]} if i % 2 else
                   {"inputs": [{"name": "applicant", "shape": [1, 2], "datatype": "FP64", "data": [30 + i, 4]}]})
        for event in service.handle(request, headers={"X-Request-Id": f"demo-{i}"}):
            print(event.get_type(), event.get_id(), sink.post(to_binary_event(event)))


if __name__ == "__main__":
    main()
