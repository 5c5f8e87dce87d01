// Batches of real records for tests of the store and the trail: predictions with a payload, dataset versions whose
// facts spill into details.
#ifndef MLT_TESTS_LIB_RECORDS_H
#define MLT_TESTS_LIB_RECORDS_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/env.h"
#include "record/draft.h"

struct records {
    struct mlt_builder *builder;
    struct mlt_batch batch;
    uint64_t next; // makes request ids differ
};

static inline void records_open(struct records *r, struct mlt_env *env, const struct mlt_record_keys *keys) {
    struct mlt_error err = {0};
    memset(r, 0, sizeof(*r));
    if (mlt_builder_new(&r->builder, env, keys, &err) != MLT_OK) {
        fprintf(stderr, "builder: %s\n", err.text);
        abort();
    }
}

// records_reopen goes on with request ids that no record had before.
static inline void records_reopen(struct records *r, struct mlt_env *env, const struct mlt_record_keys *keys) {
    uint64_t next = r->next;
    records_open(r, env, keys);
    r->next = next;
}

static inline void records_close(struct records *r) {
    mlt_batch_clear(&r->batch);
    mlt_builder_free(r->builder);
    r->builder = NULL;
}

static inline void records_add(struct records *r, const char *json) {
    static const struct mlt_producer producer = {"local:test", "local"};
    struct mlt_problem problem = {0};
    struct mlt_error err = {0};
    if (mlt_builder_add(r->builder, &r->batch, &producer, mlt_str(json), NULL, 1, &problem, &err) != MLT_OK) {
        fprintf(stderr, "record: %s %s %s\n", problem.pointer, problem.detail, err.text);
        abort();
    }
}

static inline void records_prediction(struct records *r, size_t payload_len) {
    char *json = malloc(payload_len + 1024);
    assert(json);
    int n = snprintf(json, 1024,
                     "{\"kind\":\"prediction\",\"request_id\":\"r-%llu\",\"timestamp\":\"2026-11-23T09:40:01Z\","
                     "\"model\":\"m\",\"model_version\":\"1\",\"serving_node\":\"n1\",\"prediction\":0.5,"
                     "\"model_artifact_hash\":\"sha256:%064d\",\"feature_values\":{\"x\":\"",
                     (unsigned long long)r->next++, 7);
    memset(json + n, 'a' + (int)(r->next % 26), payload_len);
    (void)snprintf(json + n + payload_len, 8, "\"}}");
    records_add(r, json);
    free(json);
}

// A record without payload whose facts are long enough to spill.
static inline void records_dataset(struct records *r, size_t facts_len) {
    char *json = malloc(facts_len + 1024);
    assert(json);
    int n = snprintf(json, 1024,
                     "{\"kind\":\"dataset.version\",\"dataset\":\"d\",\"version\":\"%llu\","
                     "\"timestamp\":\"2026-11-23T09:40:01Z\",\"license\":\"",
                     (unsigned long long)r->next++);
    memset(json + n, 'a' + (int)(r->next % 26), facts_len);
    (void)snprintf(json + n + facts_len, 8, "\"}");
    records_add(r, json);
    free(json);
}

#endif
