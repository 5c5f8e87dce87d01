// A small trail in memory for the tests of dossiers and answers: records in, a source and a signed checkpoint out.
#ifndef MLT_TESTS_UNIT_DOSSIER_TRAIL_H
#define MLT_TESTS_UNIT_DOSSIER_TRAIL_H

#include <stdio.h>
#include <stdlib.h>

#include "base_posix/env_posix.h"
#include "dossier/dossier.h"

#define TRAIL_ENTRIES_MAX 64
#define TRAIL_ORIGIN "clinic.example/ml"

struct trail {
    struct mlt_record_keys keys;
    struct mlt_builder *builder;
    struct mlt_sealer *sealer;
    struct mlt_batch batch;
    uint8_t leaves[TRAIL_ENTRIES_MAX][MLT_HASH_LEN];
    size_t num;
    bool withheld[TRAIL_ENTRIES_MAX]; // payloads that the reader may not see
    bool erased[TRAIL_ENTRIES_MAX];
    struct mlt_signer signer;
    struct mlt_buf checkpoint;
    struct mlt_source src;
    struct mlt_dossier_context ctx;
};

static inline void trail_check(enum mlt_status status, const struct mlt_error *err) {
    if (status) {
        fprintf(stderr, "%s: %s\n", mlt_status_name(status), err->text);
        abort();
    }
}

static inline enum mlt_status trail_entry(void *ctx, uint64_t index, struct mlt_arena *arena, struct mlt_bytes *out,
                                          struct mlt_error *err) {
    struct trail *t = ctx;
    (void)arena;
    if (index >= t->src.size) {
        return mlt_fail(err, MLT_NOTFOUND, "no entry");
    }
    *out = mlt_bytes_of(t->batch.drafts[index].entry, t->batch.drafts[index].entry_len);
    return MLT_OK;
}

static inline enum mlt_status trail_detail(void *ctx, const uint8_t hash[static MLT_HASH_LEN], struct mlt_arena *arena,
                                           struct mlt_bytes *out, struct mlt_error *err) {
    struct trail *t = ctx;
    (void)arena;
    for (size_t i = 0; i < t->num; i++) {
        for (size_t d = 0; d < t->batch.drafts[i].num_details; d++) {
            if (memcmp(t->batch.drafts[i].details[d].hash, hash, MLT_HASH_LEN) == 0) {
                *out = t->batch.drafts[i].details[d].bytes;
                return MLT_OK;
            }
        }
    }
    return mlt_fail(err, MLT_NOTFOUND, "no detail");
}

static inline enum mlt_status trail_payload(void *ctx, uint64_t index, const struct mlt_entry *entry,
                                            struct mlt_arena *arena, enum mlt_payload_state *state,
                                            struct mlt_bytes *plain, struct mlt_error *err) {
    struct trail *t = ctx;
    const struct mlt_draft *draft = &t->batch.drafts[index];
    *plain = (struct mlt_bytes){0};
    *state = !draft->has_payload  ? MLT_PAYLOAD_NONE
             : t->erased[index]   ? MLT_PAYLOAD_ERASED
             : t->withheld[index] ? MLT_PAYLOAD_WITHHELD
                                  : MLT_PAYLOAD_OPEN;
    return *state == MLT_PAYLOAD_OPEN
               ? mlt_entry_open_payload(entry, t->sealer, draft->wrapped, draft->sealed, arena, plain, err)
               : MLT_OK;
}

static inline bool trail_has(const struct mlt_draft *draft, const struct mlt_term *term) {
    for (size_t i = 0; i < draft->num_terms; i++) {
        if (draft->terms[i].dim == term->dim && memcmp(draft->terms[i].hash, term->hash, MLT_TERM_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static inline enum mlt_status trail_find(void *ctx, const struct mlt_term *terms, size_t num_terms, uint64_t from,
                                         bool descending, size_t limit, uint64_t *out, size_t *num_out, uint64_t *total,
                                         bool *more, struct mlt_error *err) {
    struct trail *t = ctx;
    uint64_t all = 0;
    (void)err;
    *num_out = 0;
    if (more) {
        *more = false;
    }
    for (uint64_t i = 0; i < t->src.size; i++) {
        const uint64_t index = descending ? t->src.size - 1 - i : i;
        bool match = true;
        for (size_t k = 0; k < num_terms; k++) {
            match = match && trail_has(&t->batch.drafts[index], &terms[k]);
        }
        all += match;
        if (!match || (descending ? index >= from : index < from)) {
            continue;
        }
        if (*num_out < limit) {
            out[(*num_out)++] = index;
        } else if (more) {
            *more = true;
        }
    }
    if (total) {
        *total = all;
    }
    return MLT_OK;
}

static inline enum mlt_status trail_stream(void *ctx, const struct mlt_term *stream, struct mlt_stream_run *out,
                                           size_t cap, size_t *num_runs, struct mlt_error *err) {
    struct trail *t = ctx;
    struct mlt_stream_run run = {0};
    (void)err;
    *num_runs = 0;
    for (uint64_t i = 0; i < t->src.size; i++) {
        const struct mlt_draft *d = &t->batch.drafts[i];
        if (!d->has_sequence || memcmp(d->stream.hash, stream->hash, MLT_TERM_LEN) != 0) {
            continue;
        }
        if (run.count && d->sequence == run.first_sequence + run.count) {
            run.count++;
            run.last_entry = i;
        } else {
            run = (struct mlt_stream_run){d->sequence, 1, i, i};
            ++*num_runs;
        }
        if (*num_runs <= cap) {
            out[*num_runs - 1] = run;
        }
    }
    return MLT_OK;
}

// Tiny trees: tile level 0 alone.
static inline enum mlt_status trail_hashes(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                           struct mlt_error *err) {
    struct trail *t = ctx;
    if (level != 0 || first + count > t->num) {
        return mlt_fail(err, MLT_NOTFOUND, "no hashes");
    }
    memcpy(out, t->leaves[first], count * MLT_HASH_LEN);
    return MLT_OK;
}

static inline enum mlt_status trail_prove(void *ctx, uint64_t index, struct mlt_proof *out, struct mlt_error *err) {
    struct trail *t = ctx;
    const struct mlt_hash_source hashes = {t, trail_hashes};
    return mlt_merkle_prove_inclusion(&hashes, index, t->src.size, out, err);
}

static inline void trail_open(struct trail *t) {
    struct mlt_error err = {0};
    const uint8_t seed[32] = {9};
    memset(t, 0, sizeof(*t));
    memset(t->keys.kek, 5, sizeof(t->keys.kek));
    memset(t->keys.index_key, 5, sizeof(t->keys.index_key));
    trail_check(mlt_builder_new(&t->builder, mlt_env_posix(), &t->keys, &err), &err);
    trail_check(mlt_sealer_new(&t->sealer, t->keys.kek, &err), &err);
    trail_check(mlt_signer_init(&t->signer, mlt_str(TRAIL_ORIGIN), seed, &err), &err);
}

static inline void trail_close(struct trail *t) {
    mlt_batch_clear(&t->batch);
    mlt_builder_free(t->builder);
    mlt_sealer_free(t->sealer);
    mlt_signer_clear(&t->signer);
    mlt_buf_clear(&t->checkpoint);
}

// Entry n is received n minutes after 2026-11-23T10:00Z.
static inline void trail_add(struct trail *t, const char *principal, const char *json) {
    struct mlt_error err = {0};
    struct mlt_problem problem = {0};
    struct mlt_producer producer = {.assurance = "authenticated"};
    char received[MLT_TIME_TEXT_LEN + 1];
    snprintf(producer.principal, sizeof(producer.principal), "%s", principal);
    if (mlt_builder_add(t->builder, &t->batch, &producer, mlt_str(json), NULL, 1, &problem, &err) != MLT_OK) {
        fprintf(stderr, "%s %s %s\n", problem.pointer, problem.detail, err.text);
        abort();
    }
    struct mlt_draft *draft = &t->batch.drafts[t->num];
    mlt_time_format(received, INT64_C(1795428000) * MLT_NS_PER_S + (int64_t)t->num * 60 * MLT_NS_PER_S);
    memcpy(draft->entry + draft->received_off, received, MLT_TIME_TEXT_LEN);
    mlt_merkle_leaf(t->leaves[t->num++], mlt_bytes_of(draft->entry, draft->entry_len));
}

static inline void trail_seal(struct trail *t, uint64_t size) {
    struct mlt_error err = {0};
    struct mlt_checkpoint head = {.origin = TRAIL_ORIGIN, .size = size};
    t->src = (struct mlt_source){.ctx = t,
                                 .size = size,
                                 .origin = TRAIL_ORIGIN,
                                 .entry = trail_entry,
                                 .detail = trail_detail,
                                 .payload = trail_payload,
                                 .find = trail_find,
                                 .stream = trail_stream,
                                 .prove = trail_prove};
    memcpy(t->src.index_key, t->keys.index_key, MLT_INDEX_KEY_LEN);
    const struct mlt_hash_source hashes = {t, trail_hashes};
    trail_check(mlt_merkle_root(&hashes, size, head.root, &err), &err);
    mlt_buf_reset(&t->checkpoint);
    trail_check(mlt_checkpoint_sign(&t->checkpoint, &head, &t->signer, &err), &err);
    t->ctx =
        (struct mlt_dossier_context){"mltrail test", &t->signer.vkey, mlt_buf_bytes(&t->checkpoint), "self-attested"};
}

#define HASH_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

enum { E_DATASET, E_RUN, E_VERSION, E_APPROVAL, E_STAGING, E_PRODUCTION, E_PREDICTION, E_DECISION, E_ACCESS, E_ALL };

// A whole chain for request r-1; nothing is missing but the approver's signature.
static inline void trail_fill(struct trail *t) {
    trail_add(
        t, "etl",
        "{\"kind\":\"dataset.version\",\"dataset\":\"wdbc\",\"version\":\"1\",\"timestamp\":\"2026-11-23T09:00:00Z\","
        "\"hash\":\"" HASH_A
        "\",\"sources\":[{\"system\":\"pg\",\"table\":\"samples\",\"date_range\":{\"column\":\"t\","
        "\"from\":\"2020-01-01\",\"to\":\"2025-01-01\",\"zone\":\"UTC\"},\"rows\":569},{\"system\":\"pg\",\"table\":"
        "\"labels\",\"date_range\":{\"from\":null,\"to\":null},\"rows\":569}],\"transformations\":[],\"exclusions\":"
        "[],\"created_by\":\"etl\"}");
    trail_add(t, "mlflow",
              "{\"kind\":\"training.run\",\"training_job_id\":\"job-1\",\"timestamp\":\"2026-11-23T09:10:00Z\","
              "\"datasets\":[{\"role\":\"train\",\"dataset\":\"wdbc\",\"version\":\"1\",\"hash\":\"" HASH_A "\"}],"
              "\"git_commit\":\"0123abc\",\"hyperparameters\":{\"lr\":1.0e-03,\"depth\":6},\"metrics\":{\"auc\":"
              "0.99310000000000000001},\"triggered_by\":\"lena\"}");
    trail_add(t, "mlflow",
              "{\"kind\":\"model.version\",\"model\":\"fna\",\"model_version\":\"7\",\"timestamp\":"
              "\"2026-11-23T09:20:00Z\",\"model_artifact_hash\":\"" HASH_B "\",\"training_job_id\":\"job-1\","
              "\"registered_by\":\"lena\"}");
    trail_add(t, "portal",
              "{\"kind\":\"approval\",\"approval_reference\":\"CAB-1\",\"model\":\"fna\",\"model_version\":\"7\","
              "\"verdict\":\"approved\",\"approver\":\"okafor\",\"timestamp\":\"2026-11-23T09:30:00Z\","
              "\"model_artifact_hash\":\"" HASH_B "\",\"reason\":\"validated\",\"role\":\"model risk\",\"expires_at\":"
              "\"2027-01-01T00:00:00Z\"}");
    trail_add(t, "cd",
              "{\"kind\":\"transition\",\"event_id\":\"t1\",\"model\":\"fna\",\"model_version\":\"7\",\"from_stage\":"
              "\"none\",\"to_stage\":\"staging\",\"performed_by\":\"jari\",\"timestamp\":\"2026-11-23T09:35:00Z\","
              "\"reason\":\"try\",\"approval_reference\":\"CAB-1\"}");
    trail_add(
        t, "cd",
        "{\"kind\":\"transition\",\"event_id\":\"t2\",\"model\":\"fna\",\"model_version\":\"7\",\"from_stage\":"
        "\"staging\",\"to_stage\":\"production\",\"performed_by\":\"jari\",\"timestamp\":\"2026-11-23T09:40:00Z\","
        "\"reason\":\"release\",\"approval_reference\":\"CAB-1\"}");
    trail_add(
        t, "kserve",
        "{\"kind\":\"prediction\",\"request_id\":\"r-1\",\"timestamp\":\"2026-11-23T09:50:00Z\",\"model\":\"fna\","
        "\"model_version\":\"7\",\"model_artifact_hash\":\"" HASH_B "\",\"feature_values\":{ \"radius\": 1.50,"
        "\"big\":12345678901234567890123},\"prediction\":\"malignant\",\"serving_node\":\"n1\",\"stream\":\"s\","
        "\"sequence\":0,\"subject\":\"patient-9\",\"extra\":\"mine\",\"entry\":\"not the log's\"}");
    trail_add(t, "ehr",
              "{\"kind\":\"decision\",\"event_id\":\"d1\",\"timestamp\":\"2026-11-23T09:55:00Z\",\"result\":\"biopsy\","
              "\"adverse\":false,\"role_of_ai\":\"advice\",\"decider\":\"niemi\",\"request_ids\":[\"r-1\"]}");
    trail_add(t, "portal",
              "{\"kind\":\"access\",\"event_id\":\"a1\",\"action\":\"read\",\"resource\":{\"type\":\"prediction_log\","
              "\"id\":\"r-1\"},\"timestamp\":\"2026-11-23T09:45:00Z\",\"principal\":\"nurse\",\"source\":{\"address\":"
              "\"10.0.0.1\"},\"outcome\":\"allowed\",\"entries\":[6],\"count\":1}");
}

// Looking into what was written.
struct looked {
    struct mlt_json json;
    struct mlt_arena arena;
};
static inline mlt_json_at look(const struct looked *l, const char *path) {
    mlt_json_at at = 0;
    char copy[256];
    snprintf(copy, sizeof(copy), "%s", path);
    for (char *name = strtok(copy, "."); name; name = strtok(NULL, ".")) {
        if (mlt_json_is(&l->json, at, MLT_JSON_ARRAY)) {
            unsigned long n = strtoul(name, NULL, 10);
            mlt_json_at e = mlt_json_first(&l->json, at);
            while (n-- > 0 && e != MLT_JSON_NONE) {
                e = mlt_json_next(&l->json, at, e);
            }
            at = e;
        } else {
            at = mlt_json_get(&l->json, at, name);
        }
    }
    return at;
}
static inline struct mlt_bytes raw(const struct looked *l, const char *path) {
    const mlt_json_at at = look(l, path);
    return at == MLT_JSON_NONE ? mlt_str("(absent)") : mlt_json_raw(&l->json, at);
}

#endif
