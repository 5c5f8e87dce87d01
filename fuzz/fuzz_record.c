// links: mlt_record mlt_base_posix
//
// Any text is either refused with a code, a pointer and a reason, the batch untouched, or drafted: then its entry fits
// a bundle and parses, its payload opens, its details have their hashes, and the entry read back is found by the same
// terms under the same identity.
#include <stdlib.h>

#include "base_posix/env_posix.h"
#include "record/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mlt_record_keys keys = {.kek = {1}, .index_key = {2}};
static struct mlt_builder *builder;
static struct mlt_sealer *sealer;
static struct mlt_batch batch;

static void check(bool holds) {
    if (!holds) {
        abort();
    }
}

static void set_up(void) {
    if (!builder) {
        check(mlt_builder_new(&builder, mlt_env_posix(), &keys, NULL) == MLT_OK);
        check(mlt_sealer_new(&sealer, keys.kek, NULL) == MLT_OK);
    }
}

static void check_same_look_up(const struct mlt_draft *a, const struct mlt_draft *b) {
    check(a->kind == b->kind && a->has_payload == b->has_payload && a->has_identity == b->has_identity);
    check(memcmp(&a->name, &b->name, sizeof(a->name)) == 0 && a->owner == b->owner);
    check(memcmp(a->content, b->content, sizeof(a->content)) == 0);
    check(a->num_terms == b->num_terms && memcmp(a->terms, b->terms, a->num_terms * sizeof(*a->terms)) == 0);
    check(a->has_sequence == b->has_sequence && a->sequence == b->sequence);
    check(memcmp(&a->stream, &b->stream, sizeof(a->stream)) == 0);
    check(a->has_event_time == b->has_event_time && a->event_time == b->event_time);
}

static void restore_facts(struct mlt_buf *out, const struct mlt_entry *e, const struct mlt_draft *d) {
    mlt_buf_put_bytes(out, mlt_json_raw(&e->json, e->facts));
    size_t i = 0;
    for (mlt_json_at n = mlt_json_first(&e->json, e->details); n != MLT_JSON_NONE;
         n = mlt_json_next(&e->json, e->details, n), i++) {
        uint8_t hash[MLT_HASH_LEN];
        mlt_sha256_one(hash, d->details[i].bytes);
        check(memcmp(hash, d->details[i].hash, sizeof(hash)) == 0);
        out->len--;
        mlt_buf_put_str(out, out->len > 1 ? "," : "");
        mlt_buf_put_bytes(out, mlt_json_raw(&e->json, n));
        mlt_buf_put_u8(out, ':');
        mlt_buf_put_bytes(out, d->details[i].bytes);
        mlt_buf_put_u8(out, '}');
    }
    check(i == d->num_details && !out->failed);
}

static void check_draft(struct mlt_draft *d) {
    struct mlt_arena arena = {0};
    struct mlt_buf facts_text = {0};
    struct mlt_json facts = {0};
    struct mlt_json payload = {0};
    struct mlt_entry e;
    struct mlt_draft again;
    struct mlt_bytes plain = {0};
    check(d->entry_len <= MLT_ENTRY_MAX && d->received_off + MLT_TIME_TEXT_LEN < d->entry_len);
    memcpy(d->entry + d->received_off, "2026-11-23T09:40:01.123456789Z", MLT_TIME_TEXT_LEN);
    check(mlt_entry_parse(&e, &arena, mlt_bytes_of(d->entry, d->entry_len), NULL) == MLT_OK);
    if (d->has_payload) {
        check(mlt_entry_open_payload(&e, sealer, d->wrapped, d->sealed, &arena, &plain, NULL) == MLT_OK);
        check(mlt_json_scan(&payload, plain, NULL) == MLT_OK);
    }
    restore_facts(&facts_text, &e, d);
    check(mlt_json_scan(&facts, mlt_buf_bytes(&facts_text), NULL) == MLT_OK);
    check(mlt_entry_redraft(&again, &arena, &e, &facts, d->has_payload ? &payload : NULL, &keys, NULL) == MLT_OK);
    check_same_look_up(d, &again);
    mlt_entry_clear(&e);
    mlt_json_clear(&facts);
    mlt_json_clear(&payload);
    mlt_buf_clear(&facts_text);
    mlt_arena_clear(&arena);
}

static void check_problem(enum mlt_status status, const struct mlt_problem *p) {
    check(status == MLT_INVALID || status == MLT_LIMIT);
    check(p->code[0] && p->detail[0] && (p->pointer[0] == '\0' || p->pointer[0] == '/') && p->line == 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct mlt_producer producer = {.principal = "token:fuzz", .assurance = "authenticated"};
    struct mlt_bytes record = mlt_bytes_of(data, size);
    struct mlt_problem problem;
    set_up();
    mlt_batch_reset(&batch);
    enum mlt_status status = mlt_builder_add(builder, &batch, &producer, record, "prediction", 5, &problem, NULL);
    check(batch.num_drafts == (status == MLT_OK));
    if (status != MLT_OK) {
        check_problem(status, &problem);
        status = mlt_builder_add_own(builder, &batch, &producer, record, &problem, NULL);
        check(batch.num_drafts == (status == MLT_OK));
    }
    if (status == MLT_OK) {
        check_draft(&batch.drafts[0]);
    }
    return 0;
}
