// How long a prediction takes from its bytes to a draft, on one thread, and where the time goes.
//
//   bench_record [number of records]
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base_posix/env_posix.h"
#include "record/draft.h"
#include "record/entry.h"

#define NUM_DISTINCT 967 // records in turn, so that no branch predictor learns one by heart
#define BATCH 500        // records a batch, as a client would send

static struct mlt_buf texts[NUM_DISTINCT];

// A credit decision with twenty features, 700 bytes.
static void make_texts(void) {
    static const char *const features[] = {"LIMIT_BAL", "SEX",       "EDUCATION", "MARRIAGE",  "AGE",
                                           "PAY_0",     "PAY_2",     "PAY_3",     "PAY_4",     "PAY_5",
                                           "BILL_AMT1", "BILL_AMT2", "BILL_AMT3", "BILL_AMT4", "BILL_AMT5",
                                           "PAY_AMT1",  "PAY_AMT2",  "PAY_AMT3",  "PAY_AMT4",  "PAY_AMT5"};
    uint32_t random = 1;
    for (int i = 0; i < NUM_DISTINCT; i++) {
        struct mlt_buf *b = &texts[i];
        mlt_buf_printf(b,
                       "{\"kind\":\"prediction\",\"request_id\":\"8f14e45f-ceea-467f-a8d5-%012d\","
                       "\"timestamp\":\"2026-11-23T09:40:01.%03dZ\",\"model\":\"credit-default\",\"model_version\":"
                       "\"3.2.1\",\"model_artifact_hash\":"
                       "\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\","
                       "\"serving_node\":\"node-%d\",\"stream\":\"8f2c11\",\"sequence\":%d,\"feature_values\":{",
                       i, i, i % 4, i);
        for (size_t f = 0; f < sizeof(features) / sizeof(features[0]); f++) {
            random = random * 1664525u + 1013904223u;
            mlt_buf_printf(b, "%s\"%s\":%u", f ? "," : "", features[f], random >> (f < 10 ? 26 : 16));
        }
        mlt_buf_printf(b, "},\"prediction\":{\"class\":%d,\"probability\":0.%04u},\"latency_ms\":%d.%d}", i & 1,
                       random >> 19, i % 9, i % 10);
    }
}

// Processor time of this thread: what else the machine does does not count.
static double seconds(void) {
    struct timespec t;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0) {
        perror("bench_record: clock_gettime");
        exit(1);
    }
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(enum mlt_status status, const struct mlt_error *err) {
    if (status != MLT_OK) {
        fprintf(stderr, "bench_record: %s\n", err->text);
        exit(1);
    }
}

static void report(const char *what, double elapsed, size_t num) {
    printf("%-28s %8.0f ns  %10.0f /s\n", what, elapsed * 1e9 / (double)num, (double)num / elapsed);
}

static void bench_scan(size_t num) {
    struct mlt_json json = {0};
    struct mlt_error err = {0};
    double start = seconds();
    for (size_t i = 0; i < num; i++) {
        check(mlt_json_scan(&json, mlt_buf_bytes(&texts[i % NUM_DISTINCT]), &err), &err);
    }
    report("scan", seconds() - start, num);
    mlt_json_clear(&json);
}

// What rebuilding the index costs an entry: read it, open its payload, find its terms again.
static void bench_redraft(struct mlt_batch *batch, const struct mlt_record_keys *keys, size_t num) {
    struct mlt_sealer *sealer = NULL;
    struct mlt_arena arena = {0};
    struct mlt_json facts = {0};
    struct mlt_json payload = {0};
    struct mlt_error err = {0};
    check(mlt_sealer_new(&sealer, keys->kek, &err), &err);
    for (size_t i = 0; i < batch->num_drafts; i++) {
        memcpy(batch->drafts[i].entry + batch->drafts[i].received_off, "2026-11-23T09:40:01.123456789Z", 30);
    }
    double start = seconds();
    for (size_t i = 0; i < num; i++) {
        const struct mlt_draft *d = &batch->drafts[i % batch->num_drafts];
        struct mlt_entry e;
        struct mlt_draft again;
        struct mlt_bytes plain;
        check(mlt_entry_parse(&e, &arena, mlt_bytes_of(d->entry, d->entry_len), &err), &err);
        check(mlt_entry_open_payload(&e, sealer, d->wrapped, d->sealed, &arena, &plain, &err), &err);
        check(mlt_json_scan(&facts, mlt_json_raw(&e.json, e.facts), &err), &err);
        check(mlt_json_scan(&payload, plain, &err), &err);
        check(mlt_entry_redraft(&again, &arena, &e, &facts, &payload, keys, &err), &err);
        mlt_entry_clear(&e);
        mlt_arena_reset(&arena);
    }
    report("redraft", seconds() - start, num);
    mlt_json_clear(&facts);
    mlt_json_clear(&payload);
    mlt_arena_clear(&arena);
    mlt_sealer_free(sealer);
}

static void bench_draft(struct mlt_env *env, size_t num) {
    static const struct mlt_producer producer = {.principal = "token:serving", .assurance = "authenticated"};
    struct mlt_record_keys keys = {.kek = {1}, .index_key = {2}};
    struct mlt_builder *builder = NULL;
    struct mlt_batch batch = {0};
    struct mlt_problem problem;
    struct mlt_error err = {0};
    size_t bytes = 0;
    check(mlt_builder_new(&builder, env, &keys, &err), &err);
    double start = 0;
    for (size_t i = 0; i < num + num / 10; i++) {
        if (i == num / 10) {
            start = seconds(); // warm from here
        }
        if (i % BATCH == 0) {
            mlt_batch_reset(&batch);
        }
        check(mlt_builder_add(builder, &batch, &producer, mlt_buf_bytes(&texts[i % NUM_DISTINCT]), NULL, 1, &problem,
                              &err),
              &err);
    }
    report("draft", seconds() - start, num);
    for (size_t i = 0; i < batch.num_drafts; i++) {
        bytes += batch.drafts[i].entry_len + batch.drafts[i].sealed.len;
    }
    printf("record %zu bytes, entry %zu, entry and payload %zu, terms %zu\n", texts[0].len, batch.drafts[0].entry_len,
           bytes / batch.num_drafts, batch.drafts[0].num_terms);
    bench_redraft(&batch, &keys, num / 4);
    mlt_batch_clear(&batch);
    mlt_builder_free(builder);
}

int main(int argc, char **argv) {
    size_t num = argc > 1 ? strtoul(argv[1], NULL, 10) : 300000;
    struct mlt_env *env = mlt_env_posix();
    make_texts();
    bench_scan(num);
    bench_draft(env, num);
    for (int i = 0; i < NUM_DISTINCT; i++) {
        mlt_buf_clear(&texts[i]);
    }
    return 0;
}
