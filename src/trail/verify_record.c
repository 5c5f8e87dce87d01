// What an entry binds beyond its own bytes: its payload, its details, and which payloads may be gone.
#include <stdlib.h>

#include "trail/verify_private.h"

// Is `needle` somewhere in `b`? Decides cheaply whether an entry must be parsed; inside a JSON string its quotes would
// be escaped.
static bool contains(struct mlt_bytes b, const char *needle) {
    size_t len = strlen(needle);
    const uint8_t *at = b.ptr;
    const uint8_t *end = b.ptr + b.len;
    while (b.len >= len && at && (size_t)(end - at) >= len) {
        at = memchr(at, needle[0], (size_t)(end - at) - len + 1);
        if (at && memcmp(at, needle, len) == 0) {
            return true;
        }
        at = at ? at + 1 : NULL;
    }
    return false;
}

static enum mlt_status check_detail(struct mlt_verify *v, uint64_t index, struct mlt_bytes hex, uint64_t len,
                                    struct mlt_error *err) {
    uint8_t hash[MLT_HASH_LEN];
    char name[16 + 2 * MLT_HASH_LEN] = "details/";
    struct mlt_bytes bytes;
    struct mlt_error why;
    if (!mlt_hex_decode(hash, sizeof(hash), hex)) {
        mlt_verify_fault(v, MLT_VERIFY_ENTRY, "entries.dat", index, "a detail of entry %llu has no hash",
                         (unsigned long long)index);
        return MLT_OK;
    }
    mlt_hex_encode(name + strlen(name), mlt_bytes_of(hash, sizeof(hash)));
    v->report->details++;
    enum mlt_status st = mlt_files_detail(&v->files, hash, &v->arena, &bytes, &why);
    if (st == MLT_NOTFOUND) {
        mlt_verify_fault(v, MLT_VERIFY_DETAIL, name, index, "the detail of entry %llu is missing (FORMAT.md, details)",
                         (unsigned long long)index);
    } else if (st == MLT_CORRUPT || st == MLT_LIMIT || (!st && bytes.len != len)) {
        mlt_verify_fault(v, MLT_VERIFY_DETAIL, name, index,
                         "the detail of entry %llu is not what its hash says (FORMAT.md, details)",
                         (unsigned long long)index);
    } else if (st) {
        *err = why;
        return st;
    }
    return MLT_OK;
}

static enum mlt_status check_details(struct mlt_verify *v, uint64_t index, const struct mlt_entry *e,
                                     struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    if (e->details == MLT_JSON_NONE) {
        return MLT_OK;
    }
    for (mlt_json_at at = mlt_json_first(&e->json, e->details); at != MLT_JSON_NONE && !st;
         at = mlt_json_next(&e->json, e->details, at)) {
        uint64_t len = 0;
        struct mlt_bytes hex = mlt_json_string(&e->json, mlt_json_get(&e->json, at + 1, "sha256"), &v->arena);
        (void)mlt_json_u64(&e->json, mlt_json_get(&e->json, at + 1, "length"), &len);
        st = check_detail(v, index, hex, len, err);
    }
    return st;
}

static void note_erased(struct mlt_verify *v, const struct mlt_json *json, mlt_json_at entries) {
    for (mlt_json_at at = mlt_json_first(json, entries); at != MLT_JSON_NONE; at = mlt_json_next(json, entries, at)) {
        uint64_t index;
        if (mlt_json_u64(json, at, &index)) {
            mlt_buf_put(&v->erasures, &index, sizeof(index));
        }
    }
}

// A long list of entries lies beside the erasure, as a detail. One that is damaged was reported as such.
static enum mlt_status note_erasure(struct mlt_verify *v, const struct mlt_entry *e, struct mlt_error *err) {
    uint8_t hash[MLT_HASH_LEN];
    struct mlt_json json = {0};
    struct mlt_bytes list;
    enum mlt_status st = MLT_OK;
    mlt_json_at entries = mlt_json_get(&e->json, e->facts, "entries");
    mlt_json_at detail = e->details == MLT_JSON_NONE ? MLT_JSON_NONE : mlt_json_get(&e->json, e->details, "entries");
    if (entries != MLT_JSON_NONE) {
        note_erased(v, &e->json, entries);
    } else if (detail != MLT_JSON_NONE &&
               mlt_hex_decode(hash, sizeof(hash),
                              mlt_json_string(&e->json, mlt_json_get(&e->json, detail, "sha256"), &v->arena))) {
        struct mlt_error why;
        st = mlt_files_detail(&v->files, hash, &v->arena, &list, &why);
        st = st ? st : mlt_json_scan(&json, list, &why);
        if (!st && mlt_json_is(&json, 0, MLT_JSON_ARRAY)) {
            note_erased(v, &json, 0);
        }
        mlt_json_clear(&json);
        if (st == MLT_NOMEM) {
            *err = why;
            return st;
        }
    }
    return v->erasures.failed ? mlt_fail(err, MLT_NOMEM, "no memory for erasures") : MLT_OK;
}

static enum mlt_status check_commitments(struct mlt_verify *v, uint64_t index, const struct mlt_entry *e,
                                         const uint8_t slot[static MLT_WRAPPED_LEN], struct mlt_bytes sealed,
                                         struct mlt_error *err) {
    struct mlt_bytes plain;
    struct mlt_error why;
    uint8_t secret[MLT_SECRET_LEN];
    if (mlt_seal_unwrap(v->sealer, secret, slot, &why) != MLT_OK) {
        mlt_wipe(secret, sizeof(secret));
        mlt_verify_fault(v, MLT_VERIFY_SLOT, "slots", index,
                         "the slot of entry %llu was not made with this trail's key-encryption key (FORMAT.md, slots)",
                         (unsigned long long)index);
        return MLT_OK;
    }
    enum mlt_status st = mlt_entry_open_with(e, v->sealer, secret, sealed, &v->plain, &v->arena, &plain, &why);
    mlt_wipe(secret, sizeof(secret));
    if (st == MLT_NOMEM) {
        *err = why;
        return st;
    }
    if (st) {
        mlt_verify_fault(v, MLT_VERIFY_PAYLOAD, "payloads/data", index,
                         "the payload of entry %llu: %s (FORMAT.md, "
                         "Sealed payloads)",
                         (unsigned long long)index, why.text);
    }
    return MLT_OK;
}

static void fault_slot(struct mlt_verify *v, uint64_t index, const char *what) {
    mlt_verify_fault(v, MLT_VERIFY_SLOT, "slots", index, "entry %llu %s (FORMAT.md, slots)", (unsigned long long)index,
                     what);
}

static enum mlt_status check_payload(struct mlt_verify *v, uint64_t index, const struct mlt_entry *e,
                                     const uint8_t slot[static MLT_WRAPPED_LEN], struct mlt_bytes sealed,
                                     struct mlt_error *err) {
    bool has_slot = !mlt_bytes_all(mlt_bytes_of(slot, MLT_WRAPPED_LEN), 0);
    bool erased = mlt_bytes_all(mlt_bytes_of(slot, MLT_WRAPPED_LEN), 0xff);
    bool wanted = e->payload != MLT_JSON_NONE;
    if (wanted && sealed.len == 0) {
        mlt_verify_fault(v, MLT_VERIFY_PAYLOAD, "payloads/index", index,
                         "entry %llu commits to a payload that is missing (FORMAT.md, payloads/index)",
                         (unsigned long long)index);
        return MLT_OK;
    }
    if (wanted && !has_slot) {
        fault_slot(v, index, "commits to a payload, but has no slot");
        return MLT_OK;
    }
    if (!wanted && (has_slot || sealed.len > 0)) {
        fault_slot(v, index, "commits to no payload, but has one");
        return MLT_OK;
    }
    if (!wanted) {
        return MLT_OK;
    }
    v->report->payloads++;
    if (erased) {
        v->report->erased++;
        mlt_buf_put(&v->erased, &index, sizeof(index));
        return v->erased.failed ? mlt_fail(err, MLT_NOMEM, "no memory for erased entries") : MLT_OK;
    }
    return v->sealer ? check_commitments(v, index, e, slot, sealed, err) : MLT_OK;
}

enum mlt_status mlt_verify_record(struct mlt_verify *v, uint64_t index, struct mlt_bytes entry,
                                  const uint8_t slot[static MLT_WRAPPED_LEN], struct mlt_bytes sealed,
                                  struct mlt_error *err) {
    static const char erasure[] = "{\"v\":1,\"kind\":\"erasure\"";
    bool has_slot = !mlt_bytes_all(mlt_bytes_of(slot, MLT_WRAPPED_LEN), 0);
    if (v->raw) {
        if (has_slot || sealed.len > 0) {
            fault_slot(v, index, "has a slot, in a raw trail");
        }
        return MLT_OK;
    }
    bool is_erasure = entry.len > sizeof(erasure) && memcmp(entry.ptr, erasure, sizeof(erasure) - 1) == 0;
    if (!has_slot && sealed.len == 0 && !is_erasure && !contains(entry, "\"payload\":{") &&
        !contains(entry, "\"details\":{")) {
        return MLT_OK;
    }
    struct mlt_entry *e = &v->entry;
    struct mlt_error why;
    mlt_arena_reset(&v->arena);
    enum mlt_status st = mlt_entry_parse_again(e, &v->arena, entry, &why);
    if (st == MLT_NOMEM) {
        *err = why;
    } else if (st) {
        mlt_verify_fault(v, MLT_VERIFY_ENTRY, "entries.dat", index, "entry %llu: %s (FORMAT.md, Entries)",
                         (unsigned long long)index, why.text);
        st = MLT_OK;
    } else {
        st = check_details(v, index, e, err);
        st = st ? st : check_payload(v, index, e, slot, sealed, err);
        st = st || !is_erasure ? st : note_erasure(v, e, err);
    }
    return st;
}

static int by_index(const void *a, const void *b) {
    uint64_t x;
    uint64_t y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

// Erasing cannot serve as a cover-up.
void mlt_verify_erasures(struct mlt_verify *v) {
    size_t num_erased = v->erased.len / sizeof(uint64_t);
    size_t num_erasures = v->erasures.len / sizeof(uint64_t);
    if (num_erasures > 0) {
        qsort(v->erasures.data, num_erasures, sizeof(uint64_t), by_index);
    }
    for (size_t i = 0; i < num_erased; i++) {
        uint64_t index;
        memcpy(&index, v->erased.data + i * sizeof(index), sizeof(index));
        if (num_erasures == 0 || !bsearch(&index, v->erasures.data, num_erasures, sizeof(index), by_index)) {
            fault_slot(v, index, "was erased, but no erasure entry names it");
        }
    }
}
