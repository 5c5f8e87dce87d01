// A small trail with its segment commitment, and bundles of it: for the tests of bundles.
#ifndef MLT_TESTS_LIB_BUNDLE_TRAIL_H
#define MLT_TESTS_LIB_BUNDLE_TRAIL_H

#include "bundle/bundle_parts.h"
#include "record/segment.h"
#include "unit/dossier_trail.h"

#define LEAVES_MAX 255 // of the segment: a tree within one tile
#define BUILD "mltrail test"

struct bundle_trail {
    struct trail t;
    uint64_t size; // of the dossier
    struct mlt_source then, now;
    struct mlt_dossier_context ctx;
    struct mlt_buf note_then;
    struct mlt_buf trail_json;
    struct mlt_link_leaf leaves[LEAVES_MAX];
    uint8_t hashes[LEAVES_MAX][MLT_HASH_LEN];
    size_t num_leaves;
    struct mlt_bundle_segment segment;
    struct mlt_bundle_links links;
    struct mlt_bundle_request req;
};

static inline int by_leaf(const void *a, const void *b) {
    return mlt_link_leaf_compare(a, b);
}

static inline enum mlt_status leaf_hashes(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                          struct mlt_error *err) {
    struct bundle_trail *b = ctx;
    if (level != 0 || first + count > b->num_leaves) {
        return mlt_fail(err, MLT_NOTFOUND, "no hashes");
    }
    memcpy(out, b->hashes[first], count * MLT_HASH_LEN);
    return MLT_OK;
}

static inline void collect_links(struct bundle_trail *b) {
    struct mlt_error err = {0};
    for (uint64_t i = 0; i < b->size; i++) {
        struct mlt_arena arena = {0};
        struct mlt_entry e = {0};
        struct mlt_link links[MLT_TERMS_MAX];
        size_t num = 0;
        const struct mlt_draft *d = &b->t.batch.drafts[i];
        trail_check(mlt_entry_parse(&e, &arena, mlt_bytes_of(d->entry, d->entry_len), &err), &err);
        trail_check(mlt_entry_links(&e, &arena, links, &num, &err), &err);
        for (size_t l = 0; l < num; l++) {
            if (b->num_leaves == LEAVES_MAX) {
                abort();
            }
            b->leaves[b->num_leaves++] = (struct mlt_link_leaf){links[l], i};
        }
        mlt_entry_clear(&e);
        mlt_arena_clear(&arena);
    }
    qsort(b->leaves, b->num_leaves, sizeof(b->leaves[0]), by_leaf);
}

static inline void witness_of(struct bundle_trail *b, uint64_t at, struct mlt_link_witness *out) {
    struct mlt_error err = {0};
    const struct mlt_hash_source src = {b, leaf_hashes};
    out->at = at;
    out->leaf = b->leaves[at];
    trail_check(mlt_merkle_prove_inclusion(&src, at, b->num_leaves, &out->proof, &err), &err);
}

static inline enum mlt_status prove_link_of(void *ctx, size_t segment, const struct mlt_link *link,
                                            struct mlt_arena *arena, struct mlt_link_proof *out,
                                            struct mlt_error *err) {
    struct bundle_trail *b = ctx;
    (void)segment;
    (void)err;
    *out = (struct mlt_link_proof){0};
    while (out->at < b->num_leaves && memcmp(b->leaves[out->at].link.hash, link->hash, MLT_LINK_LEN) < 0) {
        out->at++;
    }
    while (out->at + out->count < b->num_leaves &&
           memcmp(b->leaves[out->at + out->count].link.hash, link->hash, MLT_LINK_LEN) == 0) {
        out->count++;
    }
    struct mlt_link_witness *shown = mlt_arena_zero(arena, (size_t)(out->count + 1) * sizeof(*shown));
    for (uint64_t i = 0; i < out->count; i++) {
        witness_of(b, out->at + i, &shown[i]);
    }
    out->shown = shown;
    out->num_shown = (size_t)out->count;
    out->has_before = out->at > 0;
    out->has_after = out->at + out->count < b->num_leaves;
    if (out->has_before) {
        witness_of(b, out->at - 1, &out->before);
    }
    if (out->has_after) {
        witness_of(b, out->at + out->count, &out->after);
    }
    return MLT_OK;
}

static inline enum mlt_status secret_of(void *ctx, uint64_t index, uint8_t secret[static MLT_SECRET_LEN],
                                        struct mlt_error *err) {
    struct bundle_trail *b = ctx;
    return mlt_seal_unwrap(b->t.sealer, secret, b->t.batch.drafts[index].wrapped, err);
}

static inline void add_own(struct bundle_trail *b, const char *json) {
    struct mlt_error err = {0};
    struct mlt_problem problem = {0};
    const struct mlt_producer producer = {.principal = "trail", .assurance = "local"};
    char received[MLT_TIME_TEXT_LEN + 1];
    struct trail *t = &b->t;
    trail_check(mlt_builder_add_own(t->builder, &t->batch, &producer, mlt_str(json), &problem, &err), &err);
    struct mlt_draft *draft = &t->batch.drafts[t->num];
    mlt_time_format(received, INT64_C(1795428000) * MLT_NS_PER_S + (int64_t)t->num * 60 * MLT_NS_PER_S);
    memcpy(draft->entry + draft->received_off, received, MLT_TIME_TEXT_LEN);
    mlt_merkle_leaf(t->leaves[t->num++], mlt_bytes_of(draft->entry, draft->entry_len));
}

static inline void add_segment(struct bundle_trail *b) {
    struct mlt_error err = {0};
    struct mlt_buf json = {0};
    struct mlt_json_writer w;
    const struct mlt_hash_source src = {b, leaf_hashes};
    for (size_t i = 0; i < b->num_leaves; i++) {
        uint8_t bytes[MLT_LINK_LEAF_LEN];
        mlt_link_leaf_encode(bytes, &b->leaves[i]);
        mlt_merkle_leaf(b->hashes[i], mlt_bytes_of(bytes, sizeof(bytes)));
    }
    b->segment.entry = b->t.num;
    b->segment.segment = (struct mlt_segment){.first = 0, .end = b->size, .num_leaves = b->num_leaves};
    trail_check(mlt_merkle_root(&src, b->num_leaves, b->segment.segment.root, &err), &err);
    mlt_jw_init(&w, &json);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "kind", "control");
    mlt_jw_member(&w, "timestamp", "2026-11-23T11:00:00Z");
    mlt_segment_write(&w, &b->segment.segment);
    mlt_jw_end_object(&w);
    add_own(b, mlt_buf_cstr(&json));
    mlt_buf_clear(&json);
    b->links = (struct mlt_bundle_links){b, &b->segment, 1, prove_link_of};
}

// trail.json as the trail writes it (FORMAT.md).
static inline void describe(struct bundle_trail *b) {
    struct mlt_error err = {0};
    struct mlt_buf message = {0}, *out = &b->trail_json;
    char vkey[MLT_VKEY_TEXT_MAX];
    uint8_t signature[MLT_ED25519_SIG_LEN];
    mlt_vkey_format(vkey, &b->t.signer.vkey);
    mlt_buf_printf(out,
                   "{\"format\":1,\"origin\":\"%s\",\"created\":\"2026-11-23T09:00:00Z\",\"raw\":false,\"public\":"
                   "false,\"keys\":[\"%s\"]",
                   TRAIL_ORIGIN, vkey);
    mlt_buf_printf(&message, "mltrail/v1 trail.json\n%.*s}\n", (int)out->len, (const char *)out->data);
    trail_check(mlt_ed25519_sign(b->t.signer.key, signature, mlt_buf_bytes(&message), &err), &err);
    mlt_buf_put_str(out, ",\"signature\":\"");
    mlt_buf_put_base64(out, mlt_bytes_of(signature, sizeof(signature)));
    mlt_buf_put_str(out, "\"}\n");
    mlt_buf_clear(&message);
}

// The trail as of the dossier is `then`; one entry more, the segment's, and it is `now`. Both read from the same `t`,
// whose own size is the later one.
static inline void bundle_trail_seal(struct bundle_trail *b) {
    b->size = b->t.num;
    collect_links(b);
    trail_seal(&b->t, b->size);
    mlt_buf_put_bytes(&b->note_then, mlt_buf_bytes(&b->t.checkpoint));
    add_segment(b);
    trail_seal(&b->t, b->t.num);
    b->now = b->t.src;
    describe(b);
}

// Sources of `t` answer for t->src.size; a dossier of the earlier size needs one that does not see the segment's entry.
static inline enum mlt_status prove_then(void *ctx, uint64_t index, struct mlt_proof *out, struct mlt_error *err) {
    const struct mlt_hash_source hashes = {ctx, trail_hashes};
    const struct bundle_trail *b = ctx; // `t` is its first member
    return mlt_merkle_prove_inclusion(&hashes, index, b->size, out, err);
}

static inline void bundle_trail_open(struct bundle_trail *b) {
    memset(b, 0, sizeof(*b));
    trail_open(&b->t);
}

static inline void bundle_trail_ready(struct bundle_trail *b, const char *request_id) {
    bundle_trail_seal(b);
    b->then = b->now;
    b->then.size = b->size;
    b->then.prove = prove_then;
    b->ctx = (struct mlt_dossier_context){BUILD, &b->t.signer.vkey, mlt_buf_bytes(&b->note_then), "self-attested"};
    b->req = (struct mlt_bundle_request){.src = &b->then,
                                         .ctx = &b->ctx,
                                         .request_id = mlt_str(request_id),
                                         .now = &b->now,
                                         .hashes = {&b->t, trail_hashes},
                                         .checkpoint = mlt_buf_bytes(&b->t.checkpoint),
                                         .trail_json = mlt_buf_bytes(&b->trail_json),
                                         .links = &b->links,
                                         .secret = secret_of,
                                         .secret_ctx = b};
}

static inline void bundle_trail_close(struct bundle_trail *b) {
    trail_close(&b->t);
    mlt_buf_clear(&b->note_then);
    mlt_buf_clear(&b->trail_json);
}

// For a report that is not what the test wants.
static inline void bundle_show_faults(const struct mlt_bundle_report *r) {
    for (size_t i = 0; i < r->num_faults && i < MLT_BUNDLE_FAULTS_MAX; i++) {
        (void)printf("  %s: %s\n", r->faults[i].where, r->faults[i].text);
    }
}

#endif
