#!/usr/bin/python3
"""What one logged prediction costs the thread that serves it, beside what others ask for a line of log.

    bench/spool_python.py [--url URL --token-file FILE] [--dir DIR] [--rounds N] [--json]

Each contender logs the same ten features and one output, in rounds that alternate, so that whatever else the machine does
meets all of them. Told are the median over the rounds of wall time and of the thread's own processor time (which does not
count waiting for others), and what is left of the record when the process is killed right after the call.

    mltrail spool      Recorder.log in spool mode: on disk before it returns; a sender runs beside
    mltrail decorated  a function with four arguments under @trail.predictions
    logging to a file  the standard library: JSON by json.dumps into a FileHandler, which flushes each line
    OpenTelemetry      Logger.emit into a BatchLogRecordProcessor with an exporter that drops all (where it is installed)
"""
from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sdk" / "python"))

import mltrail  # noqa: E402

CALLS = 2000
FEATURES = {"age": 61, "income": 52_000.5, "debt": 1_200.25, "region": "eu-west", "months": 48, "late": 0, "ratio": 0.0231,
            "product": "loan", "amount": 20_000, "channel": "web"}
Contender = Tuple[str, str, Callable[[], object]]


def with_mltrail(trail: mltrail.Trail) -> List[Contender]:
    recorder = trail.predictions(model="credit", version="7")

    @recorder
    def score(age: int, income: float, debt: float, region: str) -> float:
        return 0.25

    return [("mltrail spool", "kept", lambda: recorder.log(features=FEATURES, prediction=0.25, status="ok")),
            ("mltrail decorated", "kept", lambda: score(61, 52_000.5, 1_200.25, "eu-west"))]


def with_logging(folder: Path) -> Contender:
    logger = logging.getLogger("predictions")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.FileHandler(folder / "predictions.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)

    def log() -> None:
        logger.info(json.dumps({"request_id": uuid.uuid4().hex, "model": "credit", "model_version": "7",
                                "feature_values": FEATURES, "prediction": 0.25, "status": "ok"}))
    return "logging to a file", "kept", log


def with_opentelemetry() -> Optional[Contender]:
    try:
        from opentelemetry._logs import LogRecord, SeverityNumber
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
    except ImportError:
        return None

    class Dropping(LogRecordExporter):  # type: ignore[misc]
        def export(self, batch: object) -> object:
            return LogRecordExportResult.SUCCESS

        def shutdown(self) -> None:
            pass

        def force_flush(self, timeout_millis: int = 0) -> bool:
            return True

    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(Dropping()))
    logger = provider.get_logger("predictions")

    def emit() -> None:
        logger.emit(LogRecord(timestamp=time.time_ns(), severity_number=SeverityNumber.INFO, body="prediction",
                              attributes={"request_id": uuid.uuid4().hex, "model": "credit", "model_version": "7",
                                          "prediction": 0.25, "status": "ok", **FEATURES}))
    return "OpenTelemetry", "lost", emit


def measure(contenders: List[Contender], rounds: int) -> Dict[str, Tuple[float, float]]:
    """Median microseconds a call: wall, processor."""
    times: Dict[str, List[Tuple[float, float]]] = {name: [] for name, _, _ in contenders}
    for _ in range(rounds):
        for name, _, call in contenders:
            wall, processor = time.perf_counter(), time.thread_time()
            for _ in range(CALLS):
                call()
            processor, wall = time.thread_time() - processor, time.perf_counter() - wall
            times[name].append((wall / CALLS * 1e6, processor / CALLS * 1e6))
    return {name: (statistics.median(w for w, _ in all_), statistics.median(p for _, p in all_))
            for name, all_ in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:1", help="a trail to send to; none: everything waits in the spool")
    parser.add_argument("--token-file")
    parser.add_argument("--dir", help="where the spool and the file go (default: where temporary files go)")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    logging.getLogger("mltrail").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        trail = mltrail.Trail(options.url, token_file=options.token_file, spool_dir=Path(folder) / "spool", exit_timeout=1,
                              mode="spool")
        peer = with_opentelemetry()
        contenders = [*with_mltrail(trail), with_logging(Path(folder)), *([peer] if peer else [])]
        measure(contenders, 1)  # warm
        result = measure(contenders, options.rounds)
        trail.close()
    ours = result["mltrail spool"]
    if options.json:
        print(json.dumps({name: {"wall_us": round(w, 2), "processor_us": round(p, 2)} for name, (w, p) in result.items()}))
        return
    print(f"Python {sys.version.split()[0]}, {options.rounds} rounds of {CALLS} calls each, microseconds a call")
    print(f"{'':20}{'wall':>8}{'processor':>11}   mltrail/it   after kill -9")
    for name, after, _ in contenders:
        wall, processor = result[name]
        print(f"{name:20}{wall:8.1f}{processor:11.1f}{ours[1] / processor:12.2f}   {after}")
    if peer is None:
        print("opentelemetry-sdk is not installed here: compared with the standard library alone")


if __name__ == "__main__":
    main()
