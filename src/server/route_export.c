// Extracts: NDJSON, one entry a line, in log order.
#include <stdio.h>

#include "server/api_state.h"

#define EXPORT_PAGE_MAX 10000                       // lines of one answer; a cursor leads on
#define EXPORT_BYTES_MAX ((size_t)64 * 1024 * 1024) // and its size, since it is held in memory
#define EXPORT_SCAN_MAX 1000000                     // entries passed over in one answer

struct extract {
    struct mlt_item_filter filter;
    char kind[64];
    struct mlt_term terms[2];
    size_t num_terms;
    uint64_t from;
    uint64_t scanned;
    uint64_t written;
    bool ended;
    uint64_t entries[MLT_AUDIT_ENTRIES_MAX];
};

static enum mlt_status next_entries(struct mlt_call *call, struct extract *x, uint64_t *out, size_t cap, size_t *num,
                                    struct mlt_error *err) {
    const struct mlt_source *src = &call->source;
    bool more = false;
    *num = 0;
    if (x->num_terms > 0) {
        enum mlt_status status =
            src->find(src->ctx, x->terms, x->num_terms, x->from, false, cap, out, num, NULL, &more, err);
        x->ended = !more || *num == 0;
        return status;
    }
    for (uint64_t at = x->from; at < src->size && *num < cap; at++) {
        out[(*num)++] = at;
    }
    x->ended = x->from >= src->size || src->size - x->from <= *num;
    return MLT_OK;
}

static enum mlt_status write_lines(struct mlt_call *call, struct extract *x, uint64_t limit, struct mlt_error *err) {
    struct mlt_buf *out = &call->res->body;
    uint64_t found[256];
    while (!x->ended && x->written < limit && out->len < EXPORT_BYTES_MAX && x->scanned < EXPORT_SCAN_MAX) {
        size_t num;
        enum mlt_status status = next_entries(call, x, found, sizeof found / sizeof found[0], &num, err);
        if (status != MLT_OK) {
            return status;
        }
        for (size_t i = 0; i < num; i++) {
            struct mlt_json_writer w;
            mlt_jw_init(&w, out);
            enum mlt_item_result r = mlt_write_item(call, &w, found[i], &x->filter, err);
            if (r == MLT_ITEM_FAILED) {
                return err->status;
            }
            x->from = found[i] + 1;
            x->scanned++;
            if (r == MLT_ITEM_WRITTEN) {
                mlt_buf_put_u8(out, '\n');
                if (x->written < MLT_AUDIT_ENTRIES_MAX) {
                    x->entries[x->written] = found[i];
                }
                x->written++;
            }
            if (x->written == limit) {
                x->ended = x->ended && i + 1 == num;
                break;
            }
        }
    }
    return MLT_OK;
}

static void choose_terms(struct mlt_call *call, struct extract *x) {
    struct mlt_bytes kind = mlt_call_text(call, "kind");
    struct mlt_bytes model = mlt_call_text(call, "model");
    if (mlt_call_has(call, "kind")) {
        mlt_term_make(&x->terms[x->num_terms++], call->source.index_key, MLT_DIM_KIND, &kind, 1);
    }
    if (mlt_call_has(call, "model")) {
        mlt_term_make(&x->terms[x->num_terms++], call->source.index_key, MLT_DIM_USES_MODEL, &model, 1);
    }
    x->filter.has_from = mlt_call_time(call, "from", &x->filter.from);
    x->filter.has_to = mlt_call_time(call, "to", &x->filter.to);
    x->from = mlt_call_count(call, "cursor", 0);
}

void mlt_handle_export(struct mlt_call *call) {
    if (!mlt_call_source(call)) {
        return;
    }
    struct mlt_error err = {0};
    struct extract *x = mlt_arena_zero(&call->arena, sizeof *x);
    if (!x) {
        mlt_call_fail(call, mlt_fail(&err, MLT_NOMEM, "no memory for an extract"), &err);
        return;
    }
    choose_terms(call, x);
    call->payloads = mlt_call_is(call, "payloads", "salts")  ? MLT_CALL_SALTS
                     : mlt_call_is(call, "payloads", "none") ? MLT_CALL_NONE
                                                             : MLT_CALL_PLAIN;
    enum mlt_status status = write_lines(call, x, mlt_call_count(call, "limit", EXPORT_PAGE_MAX), &err);
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return;
    }
    if (mlt_call_answer_json(call)) {
        if (!x->ended) {
            (void)snprintf(call->res->next_cursor, sizeof call->res->next_cursor, "%llu", (unsigned long long)x->from);
        }
        struct mlt_read read = {.action = "export",
                                .resource_type = "trail",
                                .resource_id = mlt_str("export"),
                                .entries = x->entries,
                                .num_entries =
                                    (size_t)(x->written < MLT_AUDIT_ENTRIES_MAX ? x->written : MLT_AUDIT_ENTRIES_MAX),
                                .count = x->written};
        mlt_call_record(call, &read);
    }
}

// --- where in the log a time is ---

static enum mlt_status received_of(struct mlt_call *call, uint64_t index, int64_t *out, struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_bytes bytes;
    struct mlt_entry e = {0};
    enum mlt_status status = call->source.entry(call->source.ctx, index, &arena, &bytes, err);
    status = status ? status : mlt_entry_parse(&e, &arena, bytes, err);
    *out = e.received;
    mlt_entry_clear(&e);
    mlt_arena_clear(&arena);
    return status;
}

// `received` never goes back, so the first entry at or after a time is found by halving.
void mlt_handle_position(struct mlt_call *call) {
    struct mlt_error err = {0};
    int64_t time = 0, received = 0;
    if (!mlt_call_source(call)) {
        return;
    }
    (void)mlt_call_time(call, "received", &time); // required, and checked by the dispatcher
    uint64_t low = 0, high = call->source.size;
    while (low < high) {
        const uint64_t mid = low + (high - low) / 2;
        const enum mlt_status status = received_of(call, mid, &received, &err);
        if (status != MLT_OK) {
            mlt_call_fail(call, status, &err);
            return;
        }
        low = received < time ? mid + 1 : low;
        high = received < time ? high : mid;
    }
    struct mlt_json_writer w;
    mlt_jw_init(&w, &call->res->body);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "index", low);
    mlt_jw_member_u64(&w, "tree_size", call->source.size);
    mlt_jw_end_object(&w);
    (void)mlt_call_answer_json(call);
}
