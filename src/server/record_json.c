// Entries as answers: one item, a page of items.
#include <stdio.h>

#include "bundle/bundle_parts.h"
#include "server/api_state.h"
#include "server/grant.h"

static const char *payload_state_name(enum mlt_payload_state state) {
    switch (state) {
    case MLT_PAYLOAD_OPEN:
        return "open";
    case MLT_PAYLOAD_NONE:
        return "none";
    case MLT_PAYLOAD_ERASED:
        return "erased";
    case MLT_PAYLOAD_WITHHELD:
    case MLT_PAYLOAD_PARTLY:
    case MLT_PAYLOAD_MASKED:
        return "withheld";
    case MLT_PAYLOAD_MISSING:
        break;
    }
    return "missing";
}

static bool in_time(const struct mlt_item_filter *f, const struct mlt_entry *e) {
    int64_t at = e->has_time ? e->time : e->received;
    return (!f->has_from || at >= f->from) && (!f->has_to || at < f->to);
}

bool mlt_entry_in_row(const struct mlt_entry *e, uint64_t row) {
    uint64_t has;
    const mlt_json_at at = mlt_json_get(&e->json, e->facts, "row");
    if (at == MLT_JSON_NONE) {
        return row == 0 || mlt_json_get(&e->json, e->facts, "half") != MLT_JSON_NONE;
    }
    return mlt_json_u64(&e->json, at, &has) && has == row;
}

// The types are words of the route table, so what is between the quotes is compared.
static bool of_resource_type(const struct mlt_item_filter *f, const struct mlt_entry *e) {
    const mlt_json_at type = mlt_json_get(&e->json, mlt_json_get(&e->json, e->facts, "resource"), "type");
    const struct mlt_bytes raw = type == MLT_JSON_NONE ? (struct mlt_bytes){0} : mlt_json_raw(&e->json, type);
    return raw.len == f->resource_type.len + 2 &&
           mlt_bytes_equal(mlt_bytes_of(raw.ptr + 1, raw.len - 2), f->resource_type);
}

static bool visible(const struct mlt_call *call, const struct mlt_item_filter *f, const struct mlt_entry *e) {
    char why[256];
    if (f && (!in_time(f, e) || (f->kind && !mlt_bytes_is(e->kind_name, f->kind)) ||
              (f->has_row && !mlt_entry_in_row(e, f->row)) || (f->resource_type.len > 0 && !of_resource_type(f, e)))) {
        return false;
    }
    const struct mlt_grant *grant = &call->req->principal->grant;
    return !mlt_grant_has_patterns(grant) || mlt_grant_covers_facts(grant, e->kind_name, &e->json, e->facts, why);
}

// Facts that were too long for the entry, put beside it.
static enum mlt_status write_details(const struct mlt_source *src, struct mlt_json_writer *w, const struct mlt_entry *e,
                                     struct mlt_arena *arena, struct mlt_error *err) {
    if (e->details == MLT_JSON_NONE) {
        return MLT_OK;
    }
    mlt_jw_name(w, "details");
    mlt_jw_object(w);
    enum mlt_status status = MLT_OK;
    for (mlt_json_at at = mlt_json_first(&e->json, e->details); status == MLT_OK && at != MLT_JSON_NONE;
         at = mlt_json_next(&e->json, e->details, at)) {
        uint8_t hash[MLT_HASH_LEN];
        struct mlt_bytes text = mlt_json_string(&e->json, mlt_json_get(&e->json, at + 1, "sha256"), arena);
        struct mlt_bytes value;
        if (!mlt_hex_decode(hash, sizeof hash, text)) {
            return mlt_fail(err, MLT_CORRUPT, "a detail's hash is not 64 hexadecimal digits");
        }
        status = src->detail(src->ctx, hash, arena, &value, err);
        if (status == MLT_OK) {
            mlt_jw_name_bytes(w, mlt_json_string(&e->json, at, arena));
            mlt_jw_raw(w, value);
        }
    }
    mlt_jw_end_object(w);
    return status;
}

// The members of an open payload with their salts; null for any other.
static enum mlt_status write_disclosure(struct mlt_call *call, struct mlt_json_writer *w, uint64_t index,
                                        const struct mlt_entry *e, enum mlt_payload_state state, struct mlt_bytes plain,
                                        struct mlt_arena *arena, struct mlt_error *err) {
    const struct mlt_bundle_choice all = {0};
    struct mlt_bundle_payload payload;
    struct mlt_json json = {0};
    struct mlt_buf text = {0};
    uint8_t secret[MLT_SECRET_LEN];
    mlt_jw_name(w, "disclosure");
    if (state != MLT_PAYLOAD_OPEN) {
        mlt_jw_null(w);
        return MLT_OK;
    }
    enum mlt_status status = mlt_call_secret(call, index, secret, err);
    status = status ? status : mlt_json_scan(&json, plain, err);
    status = status ? status : mlt_bundle_disclose(&payload, &all, index, e, &json, secret, arena, err);
    if (!status) {
        mlt_bundle_put_payload(&text, &payload);
        mlt_jw_raw(w, mlt_bytes_of(text.data, text.len > 0 ? text.len - 1 : 0)); // without its newline
        status = text.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a payload") : MLT_OK;
    }
    mlt_wipe(secret, sizeof(secret));
    mlt_json_clear(&json);
    mlt_buf_clear(&text);
    return status;
}

static enum mlt_status write_entry(struct mlt_call *call, struct mlt_json_writer *w, uint64_t index,
                                   struct mlt_bytes bytes, const struct mlt_entry *e, struct mlt_arena *arena,
                                   struct mlt_error *err) {
    const struct mlt_source *src = &call->source;
    uint8_t leaf[MLT_HASH_LEN];
    enum mlt_payload_state state;
    struct mlt_bytes plain;
    mlt_merkle_leaf(leaf, bytes);
    enum mlt_status status = src->payload(src->ctx, index, e, arena, &state, &plain, err);
    if (status != MLT_OK) {
        return status;
    }
    if (call->payloads == MLT_CALL_NONE && state == MLT_PAYLOAD_OPEN) {
        state = MLT_PAYLOAD_WITHHELD;
    }
    mlt_jw_object(w);
    mlt_jw_member_u64(w, "index", index);
    mlt_jw_member_raw(w, "entry", bytes);
    mlt_jw_name(w, "payload");
    if (state == MLT_PAYLOAD_OPEN) {
        mlt_jw_raw(w, plain);
    } else {
        mlt_jw_null(w);
    }
    mlt_jw_member(w, "payload_state", payload_state_name(state));
    if (call->payloads == MLT_CALL_SALTS) {
        status = write_disclosure(call, w, index, e, state, plain, arena, err);
    }
    status = status ? status : write_details(src, w, e, arena, err);
    mlt_jw_name(w, "leaf");
    mlt_jw_hex(w, mlt_bytes_of(leaf, sizeof leaf));
    mlt_jw_end_object(w);
    return status;
}

enum mlt_item_result mlt_write_item(struct mlt_call *call, struct mlt_json_writer *w, uint64_t index,
                                    const struct mlt_item_filter *filter, struct mlt_error *err) {
    const struct mlt_source *src = &call->source;
    struct mlt_arena arena = {0};
    struct mlt_bytes bytes;
    struct mlt_entry entry = {0};
    enum mlt_item_result result = MLT_ITEM_FAILED;
    enum mlt_status status = src->entry(src->ctx, index, &arena, &bytes, err);
    if (status == MLT_OK) {
        status = mlt_entry_parse(&entry, &arena, bytes, err);
    }
    if (status == MLT_OK && !visible(call, filter, &entry)) {
        result = MLT_ITEM_HIDDEN;
    } else if (status == MLT_OK) {
        status = write_entry(call, w, index, bytes, &entry, &arena, err);
        result = status == MLT_OK ? MLT_ITEM_WRITTEN : MLT_ITEM_FAILED;
    }
    if (status != MLT_OK && err->status == MLT_OK) {
        err->status = status;
    }
    mlt_entry_clear(&entry);
    mlt_arena_clear(&arena);
    return result;
}

// --- pages ---

#define SCAN_CHUNK 256 // candidates asked for at once

struct page {
    uint64_t from; // ascending: the next index; descending: below this
    bool descending;
    uint64_t limit;
    uint64_t total;
    bool exact; // `total` is the answer's
    bool ended; // no more candidates
    uint64_t scanned;
    uint64_t entries[MLT_PAGE_MAX];
    size_t num_entries;
};

// Without terms every entry is a candidate.
static size_t all_entries(const struct page *p, uint64_t size, uint64_t *out, size_t cap, bool *more) {
    size_t n = 0;
    uint64_t at = p->descending && p->from > size ? size : p->from;
    while (n < cap && (p->descending ? at > 0 : at < size)) {
        out[n++] = p->descending ? --at : at++;
    }
    *more = p->descending ? at > 0 : at < size;
    return n;
}

static enum mlt_status candidates(const struct mlt_source *src, const struct mlt_term *terms, size_t num_terms,
                                  struct page *p, uint64_t *out, size_t cap, size_t *num, struct mlt_error *err) {
    bool more = false;
    enum mlt_status status = MLT_OK;
    *num = 0;
    if (num_terms == 0) {
        *num = all_entries(p, src->size, out, cap, &more);
        p->total = src->size;
    } else if (!p->descending || p->from > 0) {
        status = src->find(src->ctx, terms, num_terms, p->from, p->descending, cap, out, num,
                           p->scanned == 0 ? &p->total : NULL, &more, err);
    }
    p->ended = !more || *num == 0;
    return status;
}

static bool fill_page(struct mlt_call *call, struct mlt_json_writer *w, const struct mlt_term *terms, size_t num_terms,
                      const struct mlt_item_filter *filter, struct page *p, struct mlt_error *err) {
    while (!p->ended && p->num_entries < p->limit && p->scanned < MLT_PAGE_SCAN_MAX) {
        uint64_t found[SCAN_CHUNK];
        size_t num;
        uint64_t want = p->limit - p->num_entries < SCAN_CHUNK && !filter->has_from && !filter->has_to
                            ? p->limit - p->num_entries
                            : SCAN_CHUNK;
        enum mlt_status status = candidates(&call->source, terms, num_terms, p, found, (size_t)want, &num, err);
        if (status != MLT_OK) {
            err->status = status;
            return false;
        }
        for (size_t i = 0; i < num; i++) {
            enum mlt_item_result r = mlt_write_item(call, w, found[i], filter, err);
            if (r == MLT_ITEM_FAILED) {
                return false;
            }
            if (r == MLT_ITEM_WRITTEN) {
                p->entries[p->num_entries++] = found[i];
            }
            p->from = p->descending ? found[i] : found[i] + 1;
            p->scanned++;
            if (p->num_entries == p->limit) {
                p->ended = p->ended && i + 1 == num;
                break;
            }
        }
    }
    return true;
}

void mlt_answer_page(struct mlt_call *call, const struct mlt_term *terms, size_t num_terms,
                     const struct mlt_item_filter *filter, struct mlt_read *read) {
    struct page *p = mlt_arena_zero(&call->arena, sizeof *p);
    struct mlt_error err = {0};
    if (!p) {
        mlt_call_fail(call, mlt_fail(&err, MLT_NOMEM, "no memory for a page"), &err);
        return;
    }
    p->descending = !mlt_call_is(call, "order", "asc");
    p->limit = mlt_call_count(call, "limit", MLT_PAGE_DEFAULT);
    p->from = mlt_call_count(call, "cursor", p->descending ? UINT64_MAX : 0);
    p->exact = !filter->has_from && !filter->has_to && !filter->kind && !filter->has_row &&
               filter->resource_type.len == 0 && !mlt_grant_has_patterns(&call->req->principal->grant);
    struct mlt_json_writer w;
    mlt_jw_init(&w, &call->res->body);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "items");
    mlt_jw_array(&w);
    if (!fill_page(call, &w, terms, num_terms, filter, p, &err)) {
        mlt_call_fail(call, err.status, &err);
        return;
    }
    mlt_jw_end_array(&w);
    mlt_jw_name(&w, "total");
    p->exact ? mlt_jw_u64(&w, p->total) : mlt_jw_null(&w);
    mlt_jw_name(&w, "next");
    if (p->ended) {
        mlt_jw_null(&w);
    } else {
        char cursor[24];
        (void)snprintf(cursor, sizeof cursor, "%llu", (unsigned long long)p->from);
        mlt_jw_cstr(&w, cursor);
    }
    mlt_jw_member_u64(&w, "tree_size", call->source.size);
    mlt_jw_end_object(&w);
    read->entries = p->entries;
    read->num_entries = p->num_entries;
    read->count = p->num_entries;
    if (mlt_call_answer_json(call)) {
        mlt_call_record(call, read);
    }
}
