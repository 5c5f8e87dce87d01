"""Records on disk until the server has them (docs/FORMAT.md, "Spool").

A stream is what one process writes: segments of numbered, checksummed frames, a lock that lives as long as the process,
and a position up to which the server has everything. `SpoolWriter` writes one, `DeadStream` reads what a process left
behind. The C client and `mltrail agent` read and write the same files; tests/vectors/spool holds both to it.
"""
from __future__ import annotations

from .dead import DeadStream, dead_streams
from .files import (REJECTED_NAME, Folder, StreamFiles, keep_rejected, make_folder, new_stream_name, release_lock,
                    spool_size, streams_in, sync_folder, take_lock)
from .frame import (BODY_MAX, FRAME_LEAD, HEADER_LINE_MAX, MAGIC, RECORD, REQUEST, BadFrame, Damage, Frame, Header,
                    Position, decode_header, decode_request, encode_frame, encode_record, encode_request,
                    good_frames_behind, read_frames)
from .reader import Batch, Survey, is_torn, read_batch
from .writer import (BLOCK_S, ON_FULL, SEGMENTS_OF_LIMIT, SEGMENT_LEAST, SEGMENT_MAX, SPOOL_MAX, SpoolWriter,
                     tally_record)

__all__ = [
    "BLOCK_S", "BODY_MAX", "BadFrame", "Batch", "Damage", "DeadStream", "FRAME_LEAD", "Folder", "Frame",
    "HEADER_LINE_MAX", "Header", "MAGIC", "ON_FULL", "Position", "RECORD", "REJECTED_NAME", "REQUEST",
    "SEGMENTS_OF_LIMIT", "SEGMENT_LEAST", "SEGMENT_MAX", "SPOOL_MAX", "SpoolWriter", "StreamFiles", "Survey",
    "dead_streams", "decode_header", "decode_request", "encode_frame", "encode_record", "encode_request",
    "good_frames_behind", "is_torn", "keep_rejected", "make_folder", "new_stream_name", "read_batch", "read_frames",
    "release_lock", "spool_size", "streams_in", "sync_folder", "take_lock", "tally_record",
]
