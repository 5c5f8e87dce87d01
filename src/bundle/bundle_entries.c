// The entries of a bundle, with their proofs, payloads and details.
#include <stdio.h>
#include <stdlib.h>

#include "bundle/bundle_read.h"

// "entries/17.json": the number between `before` and `after`, in its only form.
static bool member_number(const char *name, const char *before, const char *after, uint64_t *out) {
    const size_t len = strlen(name), head = strlen(before), tail = strlen(after);
    return len > head + tail && memcmp(name, before, head) == 0 && strcmp(name + len - tail, after) == 0 &&
           mlt_decimal_decode(out, mlt_bytes_of(name + head, len - head - tail));
}

static int by_index(const void *a, const void *b) {
    const struct mlt_bundle_read_entry *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

struct mlt_bundle_read_entry *mlt_bundle_entry_find(struct mlt_bundle_reading *r, uint64_t index) {
    const struct mlt_bundle_read_entry key = {.index = index};
    return r->num_entries > 0 ? bsearch(&key, r->entries, r->num_entries, sizeof(key), by_index) : NULL;
}

static enum mlt_status prove_entry(struct mlt_bundle_reading *r, struct mlt_bundle_read_entry *e) {
    char name[MLT_BUNDLE_NAME_LEN];
    struct mlt_tlog_proof proof;
    uint8_t leaf[MLT_HASH_LEN];
    (void)snprintf(name, sizeof(name), "proofs/%llu.tlog-proof", (unsigned long long)e->index);
    const struct mlt_bundle_member *m = mlt_bundle_member_need(r, name);
    if (!m) {
        return MLT_OK;
    }
    const enum mlt_status status = mlt_tlog_proof_parse(&proof, r->arena, m->data, r->err);
    if (status) {
        return mlt_bundle_blame(r, name, status);
    }
    mlt_merkle_leaf(leaf, e->bytes);
    if (!mlt_bytes_equal(proof.checkpoint, r->checkpoint) || proof.extra.len > 0) {
        mlt_bundle_fault(r, name, "carries another checkpoint than the bundle");
    } else if (proof.index != e->index ||
               !mlt_merkle_verify_inclusion(e->index, r->head.size, leaf, &proof.proof, r->head.root)) {
        mlt_bundle_fault(r, name, "does not prove that entry %llu is in the log (RFC 6962 section 2.1.1)",
                         (unsigned long long)e->index);
    } else {
        e->proved = true;
        r->report->entries++;
    }
    struct mlt_buf again = {0};
    mlt_tlog_proof_format(&again, &proof);
    mlt_bundle_check_form(r, m, &again);
    return MLT_OK;
}

// Commitments prove what is shown; why nothing is shown is the word of whoever made the bundle.
static void assert_state(struct mlt_bundle_reading *r, const struct mlt_bundle_read_entry *e) {
    const unsigned long long index = e->index;
    if (e->payload.state == MLT_PAYLOAD_ERASED) {
        mlt_bundle_assert(r, "that the payload of entry %llu was erased", index);
    } else if (e->payload.state == MLT_PAYLOAD_MISSING) {
        mlt_bundle_assert(r, "that the payload of entry %llu is gone, though no erasure says so", index);
    }
}

static enum mlt_status read_payload(struct mlt_bundle_reading *r, struct mlt_bundle_read_entry *e) {
    char name[MLT_BUNDLE_NAME_LEN];
    struct mlt_entry entry = {0};
    (void)snprintf(name, sizeof(name), "payloads/%llu.json", (unsigned long long)e->index);
    const struct mlt_bundle_member *m = mlt_bundle_member_find(r, name);
    if (!m) {
        return MLT_OK;
    }
    enum mlt_status status = mlt_entry_parse(&entry, r->arena, e->bytes, r->err);
    status = status ? status : mlt_bundle_get_payload(&e->payload, m->data, r->arena, r->err);
    status = status ? status : mlt_bundle_check_payload(&e->payload, &entry, r->arena, r->err);
    e->has_payload_member = status == MLT_OK && entry.payload != MLT_JSON_NONE;
    if (e->has_payload_member) {
        r->report->payloads++;
        r->report->shown += e->payload.num_members;
        r->report->masked += entry.json.tape[entry.payload].count - e->payload.num_members;
        assert_state(r, e);
        struct mlt_buf again = {0};
        mlt_bundle_put_payload(&again, &e->payload);
        mlt_bundle_check_form(r, m, &again);
    } else if (!status) {
        mlt_bundle_fault(r, name, "entry %llu has no payload", (unsigned long long)e->index);
    }
    mlt_entry_clear(&entry);
    return status ? mlt_bundle_blame(r, name, status) : MLT_OK;
}

enum mlt_status mlt_bundle_read_entries(struct mlt_bundle_reading *r) {
    enum mlt_status status = MLT_OK;
    r->entries = mlt_arena_zero(r->arena, (r->num_members + 1) * sizeof(*r->entries));
    if (!r->entries) {
        return mlt_fail(r->err, MLT_NOMEM, "no memory for entries");
    }
    for (size_t i = 0; i < r->num_members; i++) {
        struct mlt_bundle_member *m = &r->members[i];
        if (member_number(m->name, "entries/", ".json", &r->entries[r->num_entries].index)) {
            r->entries[r->num_entries++].bytes = m->data;
            m->used = true;
        }
    }
    // Names ascend as text; numbers are looked up.
    qsort(r->entries, r->num_entries, sizeof(*r->entries), by_index);
    for (size_t i = 0; !status && i < r->num_entries; i++) {
        status = prove_entry(r, &r->entries[i]);
        status = status ? status : read_payload(r, &r->entries[i]);
    }
    return status;
}

void mlt_bundle_check_details(struct mlt_bundle_reading *r) {
    for (size_t i = 0; i < r->num_members; i++) {
        struct mlt_bundle_member *m = &r->members[i];
        uint8_t named[MLT_HASH_LEN], is[MLT_HASH_LEN];
        if (strncmp(m->name, "details/", 8) != 0) {
            continue;
        }
        mlt_sha256_one(is, m->data);
        if (!mlt_hex_decode(named, sizeof(named), mlt_str(m->name + 8)) || memcmp(named, is, sizeof(is)) != 0) {
            mlt_bundle_fault(r, m->name, "does not have the SHA-256 that names it");
        }
        r->report->details++;
    }
}

// The proofs of the dossier, at its own size: what its regeneration proves entries with.
void mlt_bundle_read_proofs_then(struct mlt_bundle_reading *r) {
    const struct mlt_json *j = &r->dossier;
    const mlt_json_at list = mlt_json_get(j, mlt_json_get(j, 0, "integrity"), "entries");
    for (mlt_json_at at = mlt_json_is(j, list, MLT_JSON_ARRAY) ? mlt_json_first(j, list) : MLT_JSON_NONE;
         at != MLT_JSON_NONE; at = mlt_json_next(j, list, at)) {
        uint64_t index;
        uint8_t leaf[MLT_HASH_LEN];
        struct mlt_bundle_read_entry *e =
            mlt_json_u64(j, mlt_json_get(j, at, "index"), &index) ? mlt_bundle_entry_find(r, index) : NULL;
        if (!e || !mlt_bundle_get_proof(&e->proof_then, j, mlt_json_get(j, at, "proof"))) {
            continue; // what it lacks is found out when the dossier is made again
        }
        mlt_merkle_leaf(leaf, e->bytes);
        e->has_proof_then = mlt_merkle_verify_inclusion(index, r->then.size, leaf, &e->proof_then, r->then.root);
        if (!e->has_proof_then) {
            mlt_bundle_fault(r, "dossier.json", "/integrity/entries: the proof of entry %llu does not hold",
                             (unsigned long long)index);
        }
    }
}
