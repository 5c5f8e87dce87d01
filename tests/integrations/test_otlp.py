"""The real OpenTelemetry SDK and its OTLP exporter over HTTP: what it sends of calls to models becomes predictions."""
from __future__ import annotations

import json

import pytest
import requests

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry._logs import LogRecord, SeverityNumber  # noqa: E402
from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: E402
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter  # noqa: E402
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: E402
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: E402
    ExportTraceServiceRequest, ExportTraceServiceResponse)
from opentelemetry.sdk._logs import LoggerProvider  # noqa: E402
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor  # noqa: E402
from opentelemetry.sdk.resources import Resource  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context  # noqa: E402

RESOURCE = Resource.create({"service.name": "chat", "service.instance.id": "chat-7", "deployment.environment.name": "production"})
QUESTION = [{"role": "user", "parts": [{"type": "text", "content": "Wie hoch ist mein Kreditrahmen? €"}]}]
ANSWER = [{"role": "assistant", "parts": [{"type": "text", "content": "20000"}], "finish_reason": "stop"}]


def headers(trail) -> dict:
    return {"Authorization": f"Bearer {trail.token}"}


@pytest.fixture(params=[Compression.NoCompression, Compression.Gzip], ids=["plain", "gzip"])
def tracer(trail, request):
    provider = TracerProvider(resource=RESOURCE)
    exporter = OTLPSpanExporter(f"{trail.url}/v1/traces", headers=headers(trail), compression=request.param)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider.get_tracer("test")
    provider.shutdown()


def test_spans_of_calls_become_predictions(trail, tracer, request):
    response_id = f"resp-{request.node.callspec.id}"
    with tracer.start_as_current_span("chat gpt-x", kind=SpanKind.CLIENT) as span:
        span.set_attributes({
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-x", "gen_ai.response.model": "gpt-x-2026-08",
            "gen_ai.response.id": response_id, "gen_ai.input.messages": json.dumps(QUESTION),
            "gen_ai.output.messages": json.dumps(ANSWER), "gen_ai.usage.input_tokens": 17, "gen_ai.request.temperature": 0.25,
            "gen_ai.response.finish_reasons": ["stop"], "user.id": "customer-81", "gen_ai.data_source.id": "kb-3"})
    found = [i for i in trail.search(kind="prediction") if i["entry"]["facts"]["request_id"] == response_id]
    assert len(found) == 1
    facts, payload = found[0]["entry"]["facts"], found[0]["payload"]
    assert (facts["model"], facts["model_version"]) == ("gpt-x", "gpt-x-2026-08")
    assert facts["serving_node"] == "chat-7" and facts["status"] == "ok" and facts["latency_ms"] > 0
    assert facts["deployment"] == {"environment": "production", "endpoint": "chat"}
    assert facts["retrieved"] == ["kb-3"]
    assert payload["feature_values"] == {"messages": QUESTION} and payload["prediction"] == ANSWER
    assert payload["caller"] == {"user.id": "customer-81"}
    assert payload["span"]["gen_ai.usage.input_tokens"] == 17 and payload["span"]["gen_ai.request.temperature"] == 0.25
    assert payload["span"]["traceId"] == f"{span.get_span_context().trace_id:032x}"
    assert "customer-81" not in json.dumps(found[0]["entry"])


def test_other_spans_are_not_kept(trail, tracer):
    before = len(trail.search())
    with tracer.start_as_current_span("GET /"):
        with tracer.start_as_current_span("execute_tool") as span:
            span.set_attributes({"gen_ai.operation.name": "execute_tool", "gen_ai.request.model": "gpt-x"})
    assert [i for i in trail.search()[before:] if i["entry"]["kind"] == "prediction"] == []


def test_a_failed_call_is_a_prediction_without_answer(trail, tracer):
    with tracer.start_as_current_span("chat", kind=SpanKind.CLIENT) as span:
        span.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-x", "error.type": "timeout"})
        span.set_status(Status(StatusCode.ERROR))
    span_id = f"{span.get_span_context().span_id:016x}"
    found = [i["entry"]["facts"] for i in trail.search(kind="prediction") if i["entry"]["facts"]["request_id"] == span_id]
    assert [f["status"] for f in found] == ["timeout"]


def test_events_of_calls_become_predictions(trail):
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{trail.url}/v1/logs", headers=headers(trail))))
    tracer = TracerProvider(resource=RESOURCE).get_tracer("test")
    logger = provider.get_logger("test")
    span = tracer.start_span("chat")
    logger.emit(LogRecord(
        timestamp=1_790_000_000_123_456_789, context=set_span_in_context(span), severity_number=SeverityNumber.INFO,
        event_name="gen_ai.client.inference.operation.details",
        attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-x", "gen_ai.response.id": "resp-event",
                    "gen_ai.input.messages": QUESTION, "gen_ai.output.messages": ANSWER, "gen_ai.usage.output_tokens": 3}))
    logger.emit(LogRecord(timestamp=1_790_000_000_000_000_000, severity_number=SeverityNumber.INFO, body="started"))
    provider.shutdown()
    found = [i for i in trail.search(kind="prediction") if i["entry"]["facts"]["request_id"] == "resp-event"]
    assert len(found) == 1
    assert found[0]["entry"]["facts"]["timestamp"].startswith("2026-09-21T") and found[0]["entry"]["facts"]["half"] == "event"
    assert found[0]["payload"]["feature_values"] == {"messages": QUESTION} and found[0]["payload"]["prediction"] == ANSWER
    assert found[0]["payload"]["event"]["eventName"] == "gen_ai.client.inference.operation.details"


def test_a_span_and_the_event_of_its_call_are_one_prediction(trail, tracer, request):
    response_id = f"resp-both-{request.node.callspec.id}"
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-x", "gen_ai.response.id": response_id}
    with tracer.start_as_current_span("chat gpt-x", kind=SpanKind.CLIENT) as span:
        span.set_attributes(call)
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{trail.url}/v1/logs", headers=headers(trail))))
    provider.get_logger("test").emit(LogRecord(
        timestamp=span.end_time + 1, context=set_span_in_context(span), severity_number=SeverityNumber.INFO,
        event_name="gen_ai.client.inference.operation.details",
        attributes={**call, "gen_ai.input.messages": QUESTION, "gen_ai.output.messages": ANSWER}))
    provider.shutdown()
    entries = [i["index"] for i in trail.search(kind="prediction") if i["entry"]["facts"]["request_id"] == response_id]
    assert len(entries) == 2
    dossier = json.loads(trail.ask(f"/v1/predictions/{response_id}/dossier", trail.token))
    assert len(dossier["predictions"]) == 1
    assert "conflicting-records" not in [f["code"] for f in dossier["findings"]]


def message(*spans, resource=()) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for n, attributes in enumerate(spans):
        span = scope.spans.add(trace_id=bytes(16), span_id=bytes([9] * 7 + [n]), name="s", start_time_unix_nano=10**18)
        for key, value in attributes.items():
            span.attributes.add(key=key).value.string_value = value
    return request


def send(trail, body: bytes, kind="application/x-protobuf", path="/v1/traces") -> requests.Response:
    return requests.post(trail.url + path, body, headers={**headers(trail), "Content-Type": kind}, timeout=20)


def test_the_answer_counts_in_the_encoding_of_the_request(trail):
    answer = send(trail, message({"gen_ai.request.model": "m"}, {"http.route": "/"}).SerializeToString())
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/x-protobuf"
    said = ExportTraceServiceResponse.FromString(answer.content)
    assert said.partial_success.rejected_spans == 0 and said.partial_success.error_message.startswith("1 spans are no calls")
    answer = send(trail, message({"gen_ai.request.model": "m"}).SerializeToString())
    assert (answer.status_code, answer.content) == (200, b"")
    answer = send(trail, message({"gen_ai.request.model": "m", "gen_ai.response.id": "x" * 5000}).SerializeToString())
    said = ExportTraceServiceResponse.FromString(answer.content)
    assert answer.status_code == 200 and said.partial_success.rejected_spans == 1 and "/request_id" in said.partial_success.error_message


def test_json_says_the_same(trail):
    from google.protobuf.json_format import MessageToDict

    request = message({"gen_ai.request.model": "m", "gen_ai.response.id": "resp-json"})
    text = MessageToDict(request)
    for span in text["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span["traceId"], span["spanId"] = "00" * 16, "09" * 7 + "00"  # OTLP has these in hexadecimal
    first = send(trail, json.dumps(text).encode(), "application/json")
    assert (first.status_code, first.json()) == (200, {})
    size = len(trail.search(kind="prediction"))
    again = send(trail, request.SerializeToString())
    assert again.status_code == 200
    assert len(trail.search(kind="prediction")) == size  # the same record: nothing was added


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
@pytest.mark.parametrize("body, kind, status", [
    (b"\x0a\x05abc", "application/x-protobuf", 400), (b"\xff" * 40, "application/x-protobuf", 400),
    (b"{", "application/json", 400), (b"[]", "application/json", 400), (b"", "application/x-protobuf", 200),
    (b"{}", "application/json", 200), (b"{}", "text/plain", 415)])
def test_what_is_no_message_is_told(trail, path, body, kind, status):
    assert send(trail, body, kind, path).status_code == status


def test_a_wrong_token_is_refused(trail):
    answer = requests.post(f"{trail.url}/v1/traces", b"", headers={"Authorization": "Bearer no"}, timeout=20)
    assert answer.status_code == 401
