#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base_posix/env_posix.h"
#include "lib/memsource.h"

#include <cmocka.h>

struct record {
    struct mlt_draft draft; // its memory is in the batch
    enum mlt_payload_state payload;
    uint8_t leaf[MLT_HASH_LEN];
};

struct mlt_memsource {
    struct mlt_record_keys keys;
    struct mlt_builder *builder;
    struct mlt_sealer *sealer;
    struct mlt_batch batch;
    struct record *records;
    size_t num;
    uint64_t reads;
};

struct mlt_memsource *mlt_memsource_new(void) {
    struct mlt_memsource *m = calloc(1, sizeof(*m));
    struct mlt_error err = {0};
    assert_non_null(m);
    memset(m->keys.kek, 0x11, sizeof(m->keys.kek));
    memset(m->keys.index_key, 0x22, sizeof(m->keys.index_key));
    if (mlt_builder_new(&m->builder, mlt_env_posix(), &m->keys, &err) != MLT_OK ||
        mlt_sealer_new(&m->sealer, m->keys.kek, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    return m;
}

void mlt_memsource_free(struct mlt_memsource *m) {
    if (m == NULL) {
        return;
    }
    mlt_builder_free(m->builder);
    mlt_sealer_free(m->sealer);
    mlt_batch_clear(&m->batch);
    free(m->records);
    free(m);
}

uint64_t mlt_memsource_add(struct mlt_memsource *m, const char *principal, const char *received, const char *json) {
    struct mlt_producer producer = {.assurance = "authenticated"};
    struct mlt_problem problem = {0};
    struct mlt_error err = {0};
    int64_t now;
    snprintf(producer.principal, sizeof(producer.principal), "%s", principal);
    assert_true(mlt_time_parse(&now, mlt_str(received)));
    enum mlt_status status = mlt_builder_add(m->builder, &m->batch, &producer, mlt_str(json), NULL, 1, &problem, &err);
    if (status == MLT_INVALID) {
        status = mlt_builder_add_own(m->builder, &m->batch, &producer, mlt_str(json), &problem, &err);
    }
    if (status != MLT_OK) {
        fail_msg("%s: %s %s: %s (%s)", json, problem.code, problem.pointer, problem.detail, err.text);
    }
    m->records = realloc(m->records, (m->num + 1) * sizeof(*m->records));
    assert_non_null(m->records);
    struct record *r = &m->records[m->num];
    *r = (struct record){.draft = m->batch.drafts[m->batch.num_drafts - 1]};
    r->payload = r->draft.has_payload ? MLT_PAYLOAD_OPEN : MLT_PAYLOAD_NONE;
    char text[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(text, now);
    memcpy(r->draft.entry + r->draft.received_off, text, MLT_TIME_TEXT_LEN);
    mlt_merkle_leaf(r->leaf, mlt_bytes_of(r->draft.entry, r->draft.entry_len));
    return m->num++;
}

void mlt_memsource_set_payload(struct mlt_memsource *m, uint64_t index, enum mlt_payload_state state) {
    assert_true(index < m->num);
    m->records[index].payload = state;
}

uint64_t mlt_memsource_reads(const struct mlt_memsource *m) {
    return m->reads;
}

static enum mlt_status read_entry(void *ctx, uint64_t index, struct mlt_arena *arena, struct mlt_bytes *out,
                                  struct mlt_error *err) {
    struct mlt_memsource *m = ctx;
    if (index >= m->num) {
        return mlt_fail(err, MLT_NOTFOUND, "no entry %llu", (unsigned long long)index);
    }
    m->reads++;
    *out = mlt_arena_copy(arena, mlt_bytes_of(m->records[index].draft.entry, m->records[index].draft.entry_len));
    return MLT_OK;
}

static enum mlt_status read_detail(void *ctx, const uint8_t hash[static MLT_HASH_LEN], struct mlt_arena *arena,
                                   struct mlt_bytes *out, struct mlt_error *err) {
    struct mlt_memsource *m = ctx;
    for (size_t i = 0; i < m->num; i++) {
        const struct mlt_draft *d = &m->records[i].draft;
        for (size_t n = 0; n < d->num_details; n++) {
            if (memcmp(d->details[n].hash, hash, MLT_HASH_LEN) == 0) {
                *out = mlt_arena_copy(arena, d->details[n].bytes);
                return MLT_OK;
            }
        }
    }
    return mlt_fail(err, MLT_CORRUPT, "no such detail");
}

static enum mlt_status read_payload(void *ctx, uint64_t index, const struct mlt_entry *entry, struct mlt_arena *arena,
                                    enum mlt_payload_state *state, struct mlt_bytes *plain, struct mlt_error *err) {
    struct mlt_memsource *m = ctx;
    const struct record *r = &m->records[index];
    *state = r->payload;
    if (*state != MLT_PAYLOAD_OPEN) {
        return MLT_OK;
    }
    return mlt_entry_open_payload(entry, m->sealer, r->draft.wrapped, r->draft.sealed, arena, plain, err);
}

static bool has_term(const struct mlt_draft *d, const struct mlt_term *term) {
    for (size_t i = 0; i < d->num_terms; i++) {
        if (d->terms[i].dim == term->dim && memcmp(d->terms[i].hash, term->hash, MLT_TERM_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_all(const struct mlt_draft *d, const struct mlt_term *terms, size_t num_terms) {
    for (size_t i = 0; i < num_terms; i++) {
        if (!has_term(d, &terms[i])) {
            return false;
        }
    }
    return true;
}

static enum mlt_status find(void *ctx, const struct mlt_term *terms, size_t num_terms, uint64_t from, bool descending,
                            size_t limit, uint64_t *out, size_t *num_out, uint64_t *total, bool *more,
                            struct mlt_error *err) {
    const struct mlt_memsource *m = ctx;
    uint64_t matches = 0;
    (void)err;
    *num_out = 0;
    *more = false;
    for (size_t i = 0; i < m->num; i++) {
        uint64_t at = descending ? m->num - 1 - i : i;
        if (!has_all(&m->records[at].draft, terms, num_terms)) {
            continue;
        }
        matches++;
        if (descending ? at >= from : at < from) {
            continue;
        }
        if (*num_out < limit) {
            out[(*num_out)++] = at;
        } else {
            *more = true;
        }
    }
    if (total != NULL) {
        *total = matches;
    }
    return MLT_OK;
}

static enum mlt_status stream(void *ctx, const struct mlt_term *term, struct mlt_stream_run *out, size_t cap,
                              size_t *num_runs, struct mlt_error *err) {
    const struct mlt_memsource *m = ctx;
    struct mlt_stream_run run = {0};
    (void)err;
    *num_runs = 0;
    for (size_t i = 0; i <= m->num; i++) {
        const struct mlt_draft *d = i < m->num ? &m->records[i].draft : NULL;
        if (d != NULL && (!d->has_sequence || memcmp(d->stream.hash, term->hash, MLT_TERM_LEN) != 0)) {
            continue;
        }
        if (d != NULL && run.count > 0 && d->sequence == run.first_sequence + run.count) {
            run.count++;
            run.last_entry = i;
            continue;
        }
        if (run.count > 0) {
            if (*num_runs < cap) {
                out[*num_runs] = run;
            }
            (*num_runs)++;
        }
        if (d != NULL) {
            run = (struct mlt_stream_run){d->sequence, 1, i, i};
        }
    }
    return MLT_OK;
}

// The root of one full tile's subtree, or a leaf.
static void subtree(const struct mlt_memsource *m, unsigned level, uint64_t number, uint8_t out[static MLT_HASH_LEN]) {
    struct mlt_frontier frontier = {0};
    uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
    uint64_t width = UINT64_C(1) << (MLT_TILE_HEIGHT * level);
    for (uint64_t i = number * width; i < (number + 1) * width; i++) {
        assert_true(i < m->num);
        mlt_frontier_add(&frontier, m->records[i].leaf, roots);
    }
    mlt_frontier_root(&frontier, out);
}

static enum mlt_status read_hashes(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                   struct mlt_error *err) {
    (void)err;
    for (size_t i = 0; i < count; i++) {
        subtree(ctx, level, first + i, out + i * MLT_HASH_LEN);
    }
    return MLT_OK;
}

static enum mlt_status prove(void *ctx, uint64_t index, struct mlt_proof *out, struct mlt_error *err) {
    const struct mlt_memsource *m = ctx;
    const struct mlt_hash_source hashes = {.ctx = ctx, .read = read_hashes};
    return mlt_merkle_prove_inclusion(&hashes, index, m->num, out, err);
}

static enum mlt_status extends(void *ctx, uint64_t size, struct mlt_proof *out, struct mlt_error *err) {
    const struct mlt_memsource *m = ctx;
    const struct mlt_hash_source hashes = {.ctx = ctx, .read = read_hashes};
    return mlt_merkle_prove_consistency(&hashes, size, m->num, out, err);
}

struct mlt_source mlt_memsource_source(struct mlt_memsource *m) {
    struct mlt_source s = {
        .ctx = m,
        .size = m->num,
        .origin = "example.org/memsource",
        .entry = read_entry,
        .detail = read_detail,
        .payload = read_payload,
        .find = find,
        .stream = stream,
        .prove = prove,
        .extends = extends,
    };
    memcpy(s.index_key, m->keys.index_key, sizeof(s.index_key));
    return s;
}
