// Foreign messages become records here: a file per format, each a pure function from the bytes that arrived to lines
// that POST /v1/records would take. Nothing here keeps state, asks a clock or opens a file: what belongs together over
// several messages is joined by the log (a later record that only adds members completes the earlier one, and `capture`
// records keep what a format needs to see again).
#ifndef MLT_CAPTURE_CAPTURE_H
#define MLT_CAPTURE_CAPTURE_H

#include "record/problem.h"

#define MLT_CAPTURE_REJECTED_MAX 1000                    // kept one by one of a message; further ones are counted
#define MLT_CAPTURE_RECORDS_MAX 100000                   // of one message; more is better sent in parts
#define MLT_CAPTURE_LINES_MAX ((size_t)64 * 1024 * 1024) // of one message: more than that fits into no journal group

// mlt_header_take is given one request header.
typedef void mlt_header_take(void *arg, const char *name, const char *value);

// A message as it arrived, its content encoding undone.
struct mlt_foreign {
    struct mlt_bytes body;
    const char *content_type; // with its parameters; "" when none
    // header gives a request header by its name, in any case; NULL: not sent. NULL when the message had none (a file).
    const char *(*header)(void *arg, const char *name);
    // each_header gives all of them to `take`. NULL: they can only be asked for.
    void (*each_header)(void *arg, mlt_header_take *take, void *take_arg);
    void *header_arg;
    const char *address;  // of the peer; "" when nobody knows
    const char *received; // RFC 3339, the receiver's clock, for records that would otherwise have no timestamp
};

// What became of it.
struct mlt_capture {
    struct mlt_buf lines; // one record a line, each ended by '\n'
    size_t num_records;
    struct mlt_capture_rejected {
        uint32_t item; // of a batch or file, from 1; 1 for a single message
        struct mlt_problem problem;
        struct mlt_bytes raw; // borrowed from the message: what was not understood
    } * rejected;
    uint64_t num_items;   // events of a batch, good and bad, where the protocol wants to know
    size_t num_rejected;  // may exceed MLT_CAPTURE_REJECTED_MAX
    uint64_t num_ignored; // items that were understood and are no business of ours: counted, not kept
    struct mlt_arena arena;
    struct mlt_json_writer writer; // of the record that is being written
};

void mlt_capture_clear(struct mlt_capture *c); // zero-initialised is valid and empty

// mlt_capture_begin opens the record of `kind`; the caller writes members to what it returns, mlt_capture_end closes
// it.
struct mlt_json_writer *mlt_capture_begin(struct mlt_capture *c, const char *kind);
void mlt_capture_end(struct mlt_capture *c);

// mlt_capture_reject notes an item that could not be understood: `pointer` where, `fmt` what is wrong and what would be
// right. Always MLT_INVALID, or MLT_NOMEM.
enum mlt_status mlt_capture_reject(struct mlt_capture *c, uint32_t item, struct mlt_bytes raw, const char *code,
                                   const char *pointer, const char *fmt, ...) MLT_PRINTF(6, 7);

// A format. MLT_OK: what was good is in `lines`, what was not is in `rejected`. MLT_INVALID: nothing of the message
// could be read at all, the one rejected item says why. MLT_NOMEM, MLT_LIMIT with `err`.
typedef enum mlt_status mlt_capture_format(struct mlt_capture *out, const struct mlt_foreign *msg,
                                           struct mlt_error *err);

#endif
