// An extract in an archive: extract.json, the entries in members of u16 length and bytes each, beside each of these a
// member with what is disclosed of their payloads, and the details. Read one such member at a time.
#include <stdio.h>
#include <stdlib.h>

#include "bundle/extract.h"

struct reading {
    struct mlt_archive *a;
    struct mlt_extract_check check;
    struct mlt_arena chunk; // of one member with entries, and the one beside it
    struct mlt_arena found; // of one detail
    struct mlt_bundle_sum *sums;
    bool *used;
    struct mlt_error *err;
};

static enum mlt_status blame(struct reading *r, const char *where, enum mlt_status status) {
    if (status == MLT_INVALID || status == MLT_LIMIT || status == MLT_CORRUPT) {
        mlt_extract_fault(&r->check, where, "%s", r->err->text);
        mlt_error_clear(r->err);
        return MLT_OK;
    }
    return status;
}

// Reads a member that has to fit in memory; `*out` is empty when it is not there.
static enum mlt_status read_member(struct reading *r, const char *name, size_t len_max, struct mlt_arena *arena,
                                   struct mlt_bytes *out) {
    const size_t at = mlt_archive_find(r->a, name);
    *out = (struct mlt_bytes){0};
    if (at == SIZE_MAX) {
        return MLT_OK;
    }
    r->used[at] = true;
    if (r->a->entries[at].len > len_max) {
        mlt_extract_fault(&r->check, name, "is longer than %zu bytes", len_max);
        return MLT_OK;
    }
    return blame(r, name, mlt_archive_read(r->a, at, arena, out, r->err));
}

// --- manifests ---

static enum mlt_status add_to_sum(void *ctx, struct mlt_bytes piece, struct mlt_error *err) {
    (void)err;
    mlt_sha256_stream_add(ctx, piece.ptr, piece.len);
    return MLT_OK;
}

static enum mlt_status sum_members(struct reading *r) {
    struct mlt_sha256_stream *s = mlt_sha256_stream_new();
    enum mlt_status status = s ? MLT_OK : mlt_fail(r->err, MLT_NOMEM, "no memory for sums");
    for (size_t i = 0; !status && i < r->a->num_entries; i++) {
        r->sums[i].name = r->a->entries[i].name;
        r->sums[i].len = r->a->entries[i].len;
        status = blame(r, r->sums[i].name, mlt_archive_stream(r->a, i, add_to_sum, s, r->err));
        mlt_sha256_stream_end(s, r->sums[i].hash);
    }
    mlt_sha256_stream_free(s);
    return status;
}

static enum mlt_status compare_manifest(struct reading *r, const char *name, struct mlt_buf *want) {
    struct mlt_bytes is;
    if (want->failed) {
        return mlt_fail(r->err, MLT_NOMEM, "no memory for a manifest");
    }
    const enum mlt_status status = read_member(r, name, MLT_EXTRACT_STATEMENT_MAX, &r->chunk, &is);
    if (!status && !mlt_bytes_equal(is, mlt_buf_bytes(want))) {
        mlt_extract_fault(&r->check, name, "is not what the members here give");
    }
    mlt_arena_reset(&r->chunk);
    return status;
}

static enum mlt_status check_manifests(struct reading *r) {
    struct mlt_buf text = {0};
    enum mlt_status status = sum_members(r);
    if (!status) {
        mlt_bundle_put_summed(&text, r->sums, r->a->num_entries, MLT_EXTRACT_FORMAT);
        status = compare_manifest(r, "manifest.json", &text);
    }
    mlt_buf_reset(&text);
    for (size_t i = 0; !status && i < r->a->num_entries; i++) {
        mlt_bundle_put_sum(&text, &r->sums[i]);
    }
    status = status ? status : compare_manifest(r, "manifest.sha256", &text);
    mlt_buf_clear(&text);
    return status;
}

// --- entries ---

static enum mlt_status detail_of_archive(void *ctx, struct mlt_bytes name, const uint8_t hash[static MLT_HASH_LEN],
                                         struct mlt_bytes *bytes, struct mlt_error *err) {
    struct reading *r = ctx;
    char member[MLT_BUNDLE_NAME_LEN] = "details/";
    (void)name;
    mlt_hex_encode(member + strlen(member), mlt_bytes_of(hash, MLT_HASH_LEN));
    mlt_arena_reset(&r->found);
    const enum mlt_status status = read_member(r, member, MLT_DETAILS_MAX, &r->found, bytes);
    return status ? status : bytes->ptr ? MLT_OK : mlt_fail(err, MLT_NOTFOUND, "no such detail");
}

// The line of `index` in the member beside, if it is the next one: {"index":n,"disclosure":{…}}.
static struct mlt_bytes disclosure_of(struct mlt_cursor *lines, uint64_t index, struct mlt_json *json) {
    struct mlt_cursor ahead = *lines;
    const struct mlt_bytes line = mlt_cursor_line(&ahead);
    char begin[64];
    const int len = snprintf(begin, sizeof(begin), "{\"index\":%llu,\"disclosure\":", (unsigned long long)index);
    if (ahead.failed || mlt_json_scan(json, line, NULL) != MLT_OK) {
        return (struct mlt_bytes){0};
    }
    const mlt_json_at at = mlt_json_get(json, 0, "disclosure");
    // These two members and nothing else: whatever stood beside them would be read as proved.
    if (at == MLT_JSON_NONE || line.len < (size_t)len || memcmp(line.ptr, begin, (size_t)len) != 0 ||
        mlt_json_raw(json, at).len + (size_t)len + 1 != line.len) {
        return (struct mlt_bytes){0};
    }
    *lines = ahead;
    return mlt_json_raw(json, at);
}

static enum mlt_status check_chunk(struct reading *r, const char *name, struct mlt_bytes entries,
                                   struct mlt_bytes disclosed) {
    struct mlt_cursor c = mlt_cursor_of(entries), lines = mlt_cursor_of(disclosed);
    struct mlt_json json = {0};
    enum mlt_status status = MLT_OK;
    while (!status && mlt_cursor_left(&c) > 0) {
        const uint64_t index = mlt_range_next(&r->check.range);
        const struct mlt_bytes entry = mlt_cursor_take(&c, mlt_cursor_u16be(&c));
        if (c.failed) {
            mlt_extract_fault(&r->check, name, "ends within an entry");
            break;
        }
        const struct mlt_bytes disclosure = disclosure_of(&lines, index, &json);
        status = mlt_extract_entry(&r->check, index, entry, detail_of_archive, r, disclosure, r->err);
    }
    if (!status && mlt_cursor_left(&lines) > 0) {
        mlt_extract_fault(&r->check, name,
                          "the payloads beside it belong to other entries, or are in another order or form");
    }
    mlt_json_clear(&json);
    return status;
}

// "entries/<20 digits>.bin", named after its first entry.
static enum mlt_status check_entries(struct reading *r, size_t at) {
    const char *name = r->a->entries[at].name;
    char expected[MLT_BUNDLE_NAME_LEN], beside[MLT_BUNDLE_NAME_LEN];
    const unsigned long long next = mlt_range_next(&r->check.range);
    struct mlt_bytes entries, disclosed;
    (void)snprintf(expected, sizeof(expected), "entries/%020llu.bin", next);
    (void)snprintf(beside, sizeof(beside), "payloads/%020llu.ndjson", next);
    if (strcmp(name, expected) != 0) {
        mlt_extract_fault(&r->check, name, "is here, and %s was to be next", expected);
        r->used[at] = true;
        return MLT_OK;
    }
    mlt_arena_reset(&r->chunk);
    enum mlt_status status = read_member(r, name, 2 * MLT_EXTRACT_LINE_MAX, &r->chunk, &entries);
    status = status ? status : read_member(r, beside, 2 * MLT_EXTRACT_LINE_MAX, &r->chunk, &disclosed);
    return status ? status : check_chunk(r, name, entries, disclosed);
}

// The checkpoint lies there by itself too, for other tools.
static enum mlt_status check_checkpoint(struct reading *r) {
    struct mlt_bytes is;
    const enum mlt_status status = read_member(r, "checkpoint", MLT_NOTE_MAX, &r->chunk, &is);
    if (!status && !mlt_bytes_equal(is, r->check.statement.checkpoint)) {
        mlt_extract_fault(&r->check, "checkpoint", "is not the one that extract.json carries");
    }
    return status;
}

static enum mlt_status climb(struct reading *r) {
    enum mlt_status status = check_manifests(r);
    status = status ? status : check_checkpoint(r);
    for (size_t i = 0; !status && r->check.range.good && i < r->a->num_entries; i++) {
        if (strncmp(r->a->entries[i].name, "entries/", 8) == 0) {
            status = check_entries(r, i);
        }
    }
    struct mlt_bytes how_to = {0};
    status = status ? status : read_member(r, "VERIFY.txt", MLT_EXTRACT_LINE_MAX, &r->chunk, &how_to);
    // A text of other words is that of another build, or of somebody else.
    r->check.report->other_how_to = how_to.ptr && !mlt_bytes_is(how_to, mlt_extract_how_to);
    const bool faultless = r->check.report->num_faults == 0;
    for (size_t i = 0; !status && faultless && i < r->a->num_entries; i++) {
        if (!r->used[i]) {
            mlt_extract_fault(&r->check, r->a->entries[i].name, "has no part in this extract");
        }
    }
    return status;
}

enum mlt_status mlt_extract_archive(struct mlt_archive *a, const struct mlt_vkey *key, struct mlt_extract_report *out,
                                    struct mlt_error *err) {
    struct mlt_error own = {0};
    struct reading r = {.a = a, .err = err ? err : &own};
    struct mlt_bytes statement = {0};
    r.sums = calloc(a->num_entries + 1, sizeof(*r.sums));
    r.used = calloc(a->num_entries + 1, sizeof(*r.used));
    r.check.report = out;
    *out = (struct mlt_extract_report){0};
    enum mlt_status status = r.sums && r.used ? MLT_OK : mlt_fail(r.err, MLT_NOMEM, "no memory for an extract");
    status = status ? status : read_member(&r, "extract.json", MLT_EXTRACT_STATEMENT_MAX, &r.chunk, &statement);
    if (!status) {
        status = mlt_extract_begin(&r.check, out, statement, key, r.err);
        mlt_arena_reset(&r.chunk);
    }
    if (!status) {
        status = climb(&r);
        mlt_extract_end(&r.check);
    }
    out->verdict = out->verdict && !status;
    mlt_arena_clear(&r.check.arena);
    mlt_arena_clear(&r.chunk);
    mlt_arena_clear(&r.found);
    free(r.sums);
    free(r.used);
    out->checkpoint = (struct mlt_bytes){0}; // it was in the checker's arena
    return status;
}
