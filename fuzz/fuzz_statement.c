// links: mlt_record
//
// Statements of approvals. What reads is, byte for byte, what is written for the record that it speaks of.
#include <stdlib.h>

#include "record/statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

// The approval that the statement speaks of.
static void put_record(struct mlt_buf *out, const struct mlt_statement *s) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    for (size_t i = 1; i < MLT_STATEMENT_MEMBERS; i++) {
        if (s->values[i].num_tokens > 0) {
            mlt_jw_member_raw(&w, mlt_statement_names[i], mlt_json_raw(&s->values[i], 0));
        }
    }
    mlt_jw_end_object(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_bytes text = mlt_bytes_of(data, size);
    struct mlt_statement s;
    struct mlt_arena arena = {0};
    struct mlt_error err = {0};
    if (mlt_statement_read(&s, text, &arena, &err) != MLT_OK) {
        require(err.text[0] != '\0');
    } else {
        struct mlt_buf record = {0}, again = {0};
        struct mlt_json json = {0};
        put_record(&record, &s);
        // Values nest one deeper in the record, which is the one thing that may be too much.
        enum mlt_status status = mlt_json_scan(&json, mlt_buf_bytes(&record), &err);
        require(status == MLT_OK || status == MLT_LIMIT);
        if (status == MLT_OK) {
            require(mlt_statement_write(&again, s.origin, &json, 0, &err) == MLT_OK);
            require(mlt_bytes_equal(mlt_buf_bytes(&again), text));
            for (size_t i = 1; i < MLT_STATEMENT_MEMBERS; i++) {
                require(mlt_statement_agrees(&s, i, &json, mlt_json_get(&json, 0, mlt_statement_names[i])));
            }
        }
        mlt_json_clear(&json);
        mlt_buf_clear(&record);
        mlt_buf_clear(&again);
    }
    mlt_statement_clear(&s);
    mlt_arena_clear(&arena);
    return 0;
}
