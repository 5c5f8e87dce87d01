// Frames of a spool's segment (docs/FORMAT.md, "Spool").
#ifndef MLT_SPOOL_FRAME_H
#define MLT_SPOOL_FRAME_H

#include "base/bytes.h"

#define MLT_FRAME_HEAD_LEN 17                         // length, checksum, number, type
#define MLT_FRAME_BODY_MAX ((size_t)32 * 1024 * 1024) // what the server takes in one request
#define MLT_FRAME_HEADERS_MAX 64                      // of a request that is kept: ce- attributes are the longest list

enum mlt_frame_type {
    MLT_FRAME_RECORD = 1,  // one record as compact JSON
    MLT_FRAME_REQUEST = 2, // an HTTP request, to be sent as it came
};

struct mlt_frame {
    uint64_t number;
    enum mlt_frame_type type;
    struct mlt_bytes body; // borrowed from what was read
};

// mlt_frame_put_head writes what stands before the body.
void mlt_frame_put_head(uint8_t out[static MLT_FRAME_HEAD_LEN], uint64_t number, enum mlt_frame_type type,
                        struct mlt_bytes body);

enum mlt_frame_found {
    MLT_FRAME_WHOLE,
    MLT_FRAME_SHORT, // the bytes end within it, or its length is none; `*need` is how many there have to be
    MLT_FRAME_BAD,   // checksum, number or type are wrong; `*need` is where it ends
};
// mlt_frame_read reads the frame at the beginning of `bytes`, which must have the number `number`.
enum mlt_frame_found mlt_frame_read(struct mlt_frame *out, size_t *need, struct mlt_bytes bytes, uint64_t number);

// mlt_frame_find looks for the next good frame at any offset above `from`, with a number of at least `number` that a
// stream of these bytes can have. What was torn by a crash has none behind it. `*at` is where it begins.
bool mlt_frame_find(struct mlt_frame *out, size_t *at, struct mlt_bytes bytes, size_t from, uint64_t number);

// The body of a MLT_FRAME_REQUEST. Texts end with a NUL; they are in the arena that was given to the reader.
struct mlt_frame_request {
    const char *method;
    const char *path;         // with its query
    const char *content_type; // "" when it had none
    struct mlt_frame_header {
        const char *name, *value;
    } headers[MLT_FRAME_HEADERS_MAX];
    size_t num_headers;
    struct mlt_bytes body;
};

void mlt_frame_request_put(struct mlt_buf *out, const struct mlt_frame_request *req);
// mlt_frame_request_read: MLT_INVALID says what is wrong with it.
enum mlt_status mlt_frame_request_read(struct mlt_frame_request *out, struct mlt_arena *arena, struct mlt_bytes body,
                                       struct mlt_error *err) MLT_MUST_USE;

#endif
