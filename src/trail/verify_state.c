#include "trail/verify_state.h"

#include <stdlib.h>

#include "record/json_sum.h"

#define VERSION 1

static void put_indexes(struct mlt_json_writer *w, const char *name, const struct mlt_buf *indexes) {
    struct mlt_buf bytes = {0};
    for (size_t at = 0; at < indexes->len; at += sizeof(uint64_t)) {
        uint64_t index;
        memcpy(&index, indexes->data + at, sizeof(index));
        mlt_buf_put_u64be(&bytes, index);
    }
    mlt_jw_name(w, name);
    mlt_jw_base64(w, mlt_buf_bytes(&bytes));
    w->out->failed = w->out->failed || bytes.failed;
    mlt_buf_clear(&bytes);
}

static void put_faults(struct mlt_json_writer *w, const struct mlt_verify_state *s) {
    mlt_jw_name(w, "faults");
    mlt_jw_array(w);
    for (uint64_t i = 0; i < s->num_faults && i < MLT_VERIFY_FAULTS_MAX; i++) {
        const struct mlt_verify_fault *f = &s->faults[i];
        mlt_jw_object(w);
        mlt_jw_member_u64(w, "what", (uint64_t)f->what);
        mlt_jw_member(w, "file", f->file);
        mlt_jw_name(w, "index");
        f->has_index ? mlt_jw_u64(w, f->index) : mlt_jw_null(w);
        mlt_jw_member(w, "text", f->text);
        mlt_jw_end_object(w);
    }
    mlt_jw_end_array(w);
}

void mlt_verify_state_format(struct mlt_buf *out, const struct mlt_verify_state *s) {
    struct mlt_json_writer w;
    char key[MLT_VKEY_TEXT_MAX];
    mlt_vkey_format(key, &s->key);
    mlt_buf_reset(out);
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "verify", VERSION);
    mlt_jw_member(&w, "key", key);
    mlt_jw_member_u64(&w, "size", s->frontier.size);
    mlt_jw_member_u64(&w, "at", s->at);
    mlt_jw_name(&w, "frontier");
    mlt_jw_hex(&w, mlt_bytes_of(s->frontier.hash, s->frontier.num_hashes * MLT_HASH_LEN));
    mlt_jw_member_u64(&w, "records", s->records);
    mlt_jw_member_u64(&w, "records_at", s->records_at);
    mlt_jw_member_u64(&w, "payload_end", s->payload_end);
    mlt_jw_member_u64(&w, "payloads", s->payloads);
    mlt_jw_member_u64(&w, "erased", s->erased);
    mlt_jw_member_u64(&w, "details", s->details);
    mlt_jw_member_bool(&w, "payloads_checked", s->payloads_checked);
    put_indexes(&w, "erased_indexes", &s->erased_indexes);
    put_indexes(&w, "erasures", &s->erasures);
    mlt_jw_member_u64(&w, "num_faults", s->num_faults);
    put_faults(&w, s);
    mlt_json_sum_end(&w);
}

struct reader {
    const struct mlt_json *json;
    struct mlt_arena *arena;
    bool failed;
};

static uint64_t take_u64(struct reader *r, const char *name) {
    uint64_t v = 0;
    r->failed = !mlt_json_u64(r->json, mlt_json_get(r->json, 0, name), &v) || r->failed;
    return v;
}

static void take_text(struct reader *r, mlt_json_at at, char *out, size_t cap) {
    struct mlt_bytes text = mlt_json_string(r->json, at, r->arena);
    r->failed = !text.ptr || !mlt_text_copy(out, cap, text) || r->failed;
}

static void take_indexes(struct reader *r, const char *name, struct mlt_buf *out) {
    struct mlt_bytes text = mlt_json_string(r->json, mlt_json_get(r->json, 0, name), r->arena);
    size_t len = 0;
    uint8_t *bytes = mlt_arena_take(r->arena, text.len + 1);
    if (!text.ptr || !bytes || !mlt_base64_decode(bytes, text.len, &len, text) || len % sizeof(uint64_t) != 0) {
        r->failed = true;
        return;
    }
    for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
        uint64_t index = mlt_load_u64be(bytes + at);
        mlt_buf_put(out, &index, sizeof(index));
    }
    r->failed = r->failed || out->failed;
}

static void take_fault(struct reader *r, mlt_json_at at, struct mlt_verify_fault *f) {
    uint64_t what = 0;
    mlt_json_at index = mlt_json_get(r->json, at, "index");
    r->failed =
        !mlt_json_u64(r->json, mlt_json_get(r->json, at, "what"), &what) || what >= MLT_NUM_VERIFY_WHATS || r->failed;
    f->what = (enum mlt_verify_what)what;
    f->has_index = mlt_json_u64(r->json, index, &f->index);
    take_text(r, mlt_json_get(r->json, at, "file"), f->file, sizeof(f->file));
    take_text(r, mlt_json_get(r->json, at, "text"), f->text, sizeof(f->text));
}

static void take_faults(struct reader *r, struct mlt_verify_state *s) {
    mlt_json_at list = mlt_json_get(r->json, 0, "faults");
    uint64_t num = 0;
    s->faults = calloc(MLT_VERIFY_FAULTS_MAX, sizeof(*s->faults));
    r->failed = r->failed || !s->faults || !mlt_json_is(r->json, list, MLT_JSON_ARRAY);
    for (mlt_json_at at = r->failed ? MLT_JSON_NONE : mlt_json_first(r->json, list);
         at != MLT_JSON_NONE && num < MLT_VERIFY_FAULTS_MAX; at = mlt_json_next(r->json, list, at)) {
        take_fault(r, at, &s->faults[num++]);
    }
    uint64_t want = s->num_faults < MLT_VERIFY_FAULTS_MAX ? s->num_faults : MLT_VERIFY_FAULTS_MAX;
    r->failed = r->failed || num != want;
}

static void take_frontier(struct reader *r, struct mlt_frontier *f) {
    struct mlt_bytes hex = mlt_json_string(r->json, mlt_json_get(r->json, 0, "frontier"), r->arena);
    f->size = take_u64(r, "size");
    f->num_hashes = hex.len / ((size_t)2 * MLT_HASH_LEN);
    r->failed = r->failed || !hex.ptr || f->num_hashes > sizeof(f->hash) / sizeof(f->hash[0]) ||
                f->size % MLT_TILE_WIDTH != 0 || !mlt_frontier_check(f) ||
                !mlt_hex_decode(f->hash[0], f->num_hashes * MLT_HASH_LEN, hex);
}

static void take_all(struct reader *r, struct mlt_verify_state *s) {
    char key[MLT_VKEY_TEXT_MAX] = "";
    take_text(r, mlt_json_get(r->json, 0, "key"), key, sizeof(key));
    r->failed = take_u64(r, "verify") != VERSION || mlt_vkey_parse(&s->key, mlt_str(key), NULL) != MLT_OK || r->failed;
    take_frontier(r, &s->frontier);
    s->at = take_u64(r, "at");
    s->records = take_u64(r, "records");
    s->records_at = take_u64(r, "records_at");
    s->payload_end = take_u64(r, "payload_end");
    s->payloads = take_u64(r, "payloads");
    s->erased = take_u64(r, "erased");
    s->details = take_u64(r, "details");
    s->payloads_checked = mlt_json_is(r->json, mlt_json_get(r->json, 0, "payloads_checked"), MLT_JSON_TRUE);
    s->num_faults = take_u64(r, "num_faults");
    take_indexes(r, "erased_indexes", &s->erased_indexes);
    take_indexes(r, "erasures", &s->erasures);
    take_faults(r, s);
    r->failed = r->failed || s->records > s->frontier.size || s->records % MLT_TILE_WIDTH != 0;
}

enum mlt_status mlt_verify_state_parse(struct mlt_verify_state *out, struct mlt_bytes text, struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_arena arena = {0};
    struct reader r = {.json = &json, .arena = &arena};
    *out = (struct mlt_verify_state){0};
    r.failed = !mlt_json_sum_scan(&json, text);
    if (!r.failed) {
        take_all(&r, out);
    }
    mlt_json_clear(&json);
    mlt_arena_clear(&arena);
    if (r.failed) {
        mlt_verify_state_clear(out);
        return mlt_fail(err, MLT_CORRUPT,
                        "not the state of a verification, or damaged; remove the file to begin at the first entry");
    }
    return MLT_OK;
}
