#include "record/producer_batch.h"

#include <stdlib.h>

#define FIRST_LINE "mltrail batch v1"
#define STATEMENT_MAX (8 * 1024) // two names of 1,024 bytes, escaped, and six numbers

static void put_digest_line(struct mlt_buf *out, const char *name, const uint8_t *hash) {
    char hex[2 * MLT_HASH_LEN + 1];
    if (hash) {
        mlt_hex_encode(hex, mlt_bytes_of(hash, MLT_HASH_LEN));
        mlt_buf_printf(out, "%s: \"sha256:%s\"\n", name, hex);
    } else {
        mlt_buf_printf(out, "%s: null\n", name);
    }
}

static void put_text_line(struct mlt_buf *out, const char *name, struct mlt_bytes text) {
    struct mlt_json_writer w;
    mlt_buf_printf(out, "%s: ", name);
    mlt_jw_init(&w, out);
    mlt_jw_string(&w, text);
    mlt_buf_put_u8(out, '\n');
}

void mlt_producer_batch_write(struct mlt_buf *out, const struct mlt_producer_batch *batch) {
    mlt_buf_put_str(out, FIRST_LINE "\n");
    put_text_line(out, "serving_node", batch->serving_node);
    put_text_line(out, "stream", batch->stream);
    mlt_buf_printf(out, "first: %llu\nlast: %llu\ncount: %llu\n", (unsigned long long)batch->first,
                   (unsigned long long)batch->last, (unsigned long long)batch->count);
    put_digest_line(out, "root", batch->root);
    put_digest_line(out, "previous", batch->has_previous ? batch->previous : NULL);
}

// The value of the line "NAME: VALUE" that comes next; {NULL,0}: it is not there.
static struct mlt_bytes line_of(struct mlt_cursor *c, const char *name) {
    struct mlt_bytes line = mlt_cursor_line(c);
    const size_t head = strlen(name) + 2;
    if (c->failed || line.len < head || memcmp(line.ptr, name, head - 2) != 0 ||
        memcmp(line.ptr + head - 2, ": ", 2) != 0) {
        c->failed = true;
        return (struct mlt_bytes){0};
    }
    return mlt_bytes_of(line.ptr + head, line.len - head);
}

static struct mlt_bytes text_line(struct mlt_cursor *c, const char *name, struct mlt_arena *arena) {
    struct mlt_json json = {0};
    struct mlt_bytes text = {0};
    if (mlt_json_scan(&json, line_of(c, name), NULL) == MLT_OK) {
        text = mlt_json_string(&json, 0, arena);
    }
    mlt_json_clear(&json);
    c->failed = c->failed || !text.ptr;
    return text;
}

static uint64_t number_line(struct mlt_cursor *c, const char *name) {
    uint64_t n = 0;
    struct mlt_bytes text = line_of(c, name);
    c->failed = c->failed || !mlt_decimal_decode(&n, text);
    return n;
}

// False: the line says null.
static bool digest_line(struct mlt_cursor *c, const char *name, uint8_t out[static MLT_HASH_LEN]) {
    static const char head[] = "\"sha256:";
    struct mlt_bytes text = line_of(c, name);
    if (mlt_bytes_is(text, "null")) {
        return false;
    }
    c->failed = c->failed || text.len != sizeof(head) - 1 + 2 * MLT_HASH_LEN + 1 ||
                !mlt_hex_decode(out, MLT_HASH_LEN, mlt_bytes_of(text.ptr + sizeof(head) - 1, 2 * MLT_HASH_LEN));
    return true;
}

enum mlt_status mlt_producer_batch_read(struct mlt_producer_batch *out, struct mlt_bytes text, struct mlt_arena *arena,
                                        struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(text);
    struct mlt_buf again = {0};
    *out = (struct mlt_producer_batch){0};
    if (text.len > STATEMENT_MAX || !mlt_bytes_is(mlt_cursor_line(&c), FIRST_LINE)) {
        return mlt_fail(err, MLT_INVALID, "it does not begin with the line \"" FIRST_LINE "\"");
    }
    out->serving_node = text_line(&c, "serving_node", arena);
    out->stream = text_line(&c, "stream", arena);
    out->first = number_line(&c, "first");
    out->last = number_line(&c, "last");
    out->count = number_line(&c, "count");
    const bool has_root = digest_line(&c, "root", out->root);
    out->has_previous = digest_line(&c, "previous", out->previous);
    if (c.failed || !has_root || out->last < out->first || out->count == 0 ||
        out->count > MLT_PRODUCER_BATCH_RECORDS_MAX || out->last - out->first != out->count - 1) {
        return mlt_fail(err, MLT_INVALID, "a line is missing, out of order, or counts what cannot be");
    }
    mlt_producer_batch_write(&again, out);
    bool same = !again.failed && again.len == text.len && memcmp(again.data, text.ptr, text.len) == 0;
    enum mlt_status status = again.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a statement")
                             : same       ? MLT_OK
                                          : mlt_fail(err, MLT_INVALID, "it is not written as such a statement is");
    mlt_buf_clear(&again);
    return status;
}

struct member {
    struct mlt_bytes name;
    const struct mlt_json *json;
    mlt_json_at at;
};

static int by_name(const void *a, const void *b) {
    const struct member *x = a, *y = b;
    const size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
    const int order = len > 0 ? memcmp(x->name.ptr, y->name.ptr, len) : 0;
    return order != 0 ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

static size_t count_members(const struct mlt_json *const *objects, size_t num_objects) {
    size_t num = 0;
    for (size_t i = 0; i < num_objects; i++) {
        num += mlt_json_is(objects[i], 0, MLT_JSON_OBJECT) ? objects[i]->tape[0].count : 0;
    }
    return num;
}

static void put_member(struct mlt_buf *out, const struct member *m) {
    struct mlt_buf value = {0};
    mlt_json_minify(m->json, m->at, &value);
    mlt_buf_put_u32be(out, (uint32_t)m->name.len);
    mlt_buf_put_bytes(out, m->name);
    mlt_buf_put_u32be(out, (uint32_t)value.len);
    mlt_buf_put_bytes(out, mlt_buf_bytes(&value));
    out->failed = out->failed || value.failed;
    mlt_buf_clear(&value);
}

enum mlt_status mlt_producer_batch_leaf(uint8_t out[static MLT_HASH_LEN],
                                        const uint8_t nonce[static MLT_PRODUCER_BATCH_NONCE_LEN], struct mlt_bytes kind,
                                        const struct mlt_json *const *objects, size_t num_objects,
                                        struct mlt_arena *arena, struct mlt_error *err) {
    struct member *members = mlt_arena_take(arena, (count_members(objects, num_objects) + 1) * sizeof(*members));
    struct mlt_buf text = {0};
    size_t num = 0;
    bool failed = !members;
    for (size_t i = 0; !failed && i < num_objects; i++) {
        const struct mlt_json *json = objects[i];
        for (mlt_json_at n = mlt_json_first(json, 0); n != MLT_JSON_NONE; n = mlt_json_next(json, 0, n)) {
            struct member m = {mlt_json_string(json, n, arena), json, n + 1};
            failed = failed || !m.name.ptr;
            if (!failed && !mlt_bytes_is(m.name, "kind")) {
                members[num++] = m;
            }
        }
    }
    if (!failed) {
        qsort(members, num, sizeof(*members), by_name);
        mlt_buf_put_u8(&text, 0);
        mlt_buf_put(&text, nonce, MLT_PRODUCER_BATCH_NONCE_LEN);
        mlt_buf_put_u32be(&text, (uint32_t)kind.len);
        mlt_buf_put_bytes(&text, kind);
        for (size_t i = 0; i < num; i++) {
            put_member(&text, &members[i]);
        }
        failed = text.failed;
    }
    if (!failed) {
        mlt_sha256_one(out, mlt_buf_bytes(&text));
    }
    mlt_buf_clear(&text);
    return failed ? mlt_fail(err, MLT_NOMEM, "no memory to hash a record of a batch") : MLT_OK;
}
