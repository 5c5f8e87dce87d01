// Names of a spool's files, the lines at the head of a segment, and the line of .ack (docs/FORMAT.md, "Spool").
#ifndef MLT_SPOOL_SPOOL_FILE_H
#define MLT_SPOOL_SPOOL_FILE_H

#include "base/env.h"
#include "base/time.h"

#define MLT_SPOOL_STREAM_LEN 32 // "<pid>-<12 hex>" with its terminator: a pid has at most 10 digits
#define MLT_SPOOL_NODE_LEN 256  // a name of a serving node with its terminator
#define MLT_SPOOL_TIME_LEN 64   // RFC 3339 with its terminator
#define MLT_SPOOL_SEGMENT_MAX 99999999
#define MLT_SPOOL_HEADER_MAX 4112    // both lines of a segment; the second one has at most 4096 bytes
#define MLT_SPOOL_ACK_MAX 64         // three numbers
#define MLT_SPOOL_SEGMENTS_MAX 65536 // of one stream: a tebibyte; a directory with more was not written by us

struct mlt_spool_place { // everything before it is, for instance, at the server
    uint64_t segment, offset;
    uint64_t frame; // number of the frame that begins here
};

struct mlt_spool_header {
    char stream[MLT_SPOOL_STREAM_LEN];
    char serving_node[MLT_SPOOL_NODE_LEN];
    uint64_t segment, first_frame;
    char created[MLT_SPOOL_TIME_LEN], started[MLT_SPOOL_TIME_LEN]; // as whoever wrote them did
    uint64_t sequence;                                             // the last prediction number before this segment
    uint64_t lost;                                                 // numbers that were dropped before it
};

void mlt_spool_header_put(struct mlt_buf *out, const struct mlt_spool_header *h);
// mlt_spool_header_read reads both lines; `*len` is where the frames begin. MLT_INVALID: they are none. MLT_NOTFOUND:
// the text ends within them, as a crash leaves it.
enum mlt_status mlt_spool_header_read(struct mlt_spool_header *out, size_t *len, struct mlt_bytes text,
                                      struct mlt_error *err) MLT_MUST_USE;

void mlt_spool_ack_put(struct mlt_buf *out, const struct mlt_spool_place *place);
bool mlt_spool_ack_read(struct mlt_spool_place *out, struct mlt_bytes text);

enum mlt_spool_file { MLT_SPOOL_OTHER, MLT_SPOOL_LOCK, MLT_SPOOL_SEGMENT, MLT_SPOOL_ACK };
// mlt_spool_name_read says what a file of the directory is by its name, and of which stream.
enum mlt_spool_file mlt_spool_name_read(const char *name, char stream[static MLT_SPOOL_STREAM_LEN], uint64_t *segment);

// mlt_spool_path writes DIR/STREAM and what follows; NULL when memory is out. The text lives in `out`.
const char *mlt_spool_path(struct mlt_buf *out, const char *dir, const char *stream, const char *suffix);
const char *mlt_spool_segment_path(struct mlt_buf *out, const char *dir, const char *stream, uint64_t segment);

// mlt_spool_segments lists the segments of a stream in order, to be freed. None: `*num` 0.
enum mlt_status mlt_spool_segments(struct mlt_env *env, const char *dir, const char *stream, uint64_t **out,
                                   size_t *num, struct mlt_error *err) MLT_MUST_USE;

#endif
