// links: mlt_segment mlt_base_posix
//
// What commitments to links cost, on a real disk: the links of one entry, a segment from its entries, a segment from
// sixteen chunks (a seal of a digested tail, or a whole segment), a proof. Predictions of about 700 bytes.
//
//   bench_segment [DIRECTORY [ENTRIES]]       default: /tmp, 2^20
//   bench_segment --links N                   the links of one entry N times over, for an instruction counter
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "segment/segments.h"

#define BATCH 4096
#define CHUNKS 16
#define PROOFS 2000

static void die(const struct mlt_error *err) {
    (void)fprintf(stderr, "bench_segment: %s\n", err->text);
    exit(3);
}

static double seconds(struct mlt_env *env, int64_t since) {
    return (double)(env->monotonic(env) - since) / 1e9;
}

static struct mlt_builder *builder;
static struct mlt_batch batch;

static void add_prediction(uint64_t number) {
    static const struct mlt_producer producer = {"token:serving", "authenticated"};
    char json[1024];
    struct mlt_error err = {0};
    struct mlt_problem problem = {0};
    (void)snprintf(json, sizeof(json),
                   "{\"kind\":\"prediction\",\"request_id\":\"0b5c1c52-7d0e-4c1e-9f3a-%012llx\",\"timestamp\":"
                   "\"2026-11-23T09:40:01.123456Z\",\"model\":\"credit-default\",\"model_version\":\"3.2.1\","
                   "\"model_artifact_hash\":\"sha256:"
                   "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\",\"serving_node\":"
                   "\"node-7.eu-central.example.com\",\"stream\":\"8f2c\",\"sequence\":%llu,\"latency_ms\":12.5,"
                   "\"prediction\":{\"default\":0.0421},\"feature_values\":{\"age\":41,\"income\":52000}}",
                   (unsigned long long)number, (unsigned long long)number);
    if (mlt_builder_add(builder, &batch, &producer, mlt_str(json), NULL, 1, &problem, &err) != MLT_OK) {
        (void)fprintf(stderr, "bench_segment: %s %s\n", problem.detail, err.text);
        exit(3);
    }
}

static void fill(struct mlt_trail *trail, uint64_t entries) {
    struct mlt_error err = {0};
    struct mlt_receipt *receipts = calloc(BATCH, sizeof(*receipts));
    struct mlt_head head;
    for (uint64_t n = 0; n < entries;) {
        mlt_batch_reset(&batch);
        for (size_t i = 0; i < BATCH && n < entries; i++) {
            add_prediction(n++);
        }
        if (mlt_trail_append_wait(trail, &batch, false, receipts, &head, &err) != MLT_OK) {
            die(&err);
        }
    }
    free(receipts);
}

static int count_links(struct mlt_env *env, const struct mlt_record_keys *keys, unsigned long n) {
    struct mlt_error err = {0};
    struct mlt_arena scratch = {0};
    struct mlt_link_leaves leaves = {0};
    char received[MLT_TIME_TEXT_LEN + 1];
    if (mlt_builder_new(&builder, env, keys, &err) != MLT_OK) {
        die(&err);
    }
    add_prediction(1);
    struct mlt_draft *d = &batch.drafts[0];
    mlt_time_format(received, env->now(env));
    memcpy(d->entry + d->received_off, received, MLT_TIME_TEXT_LEN);
    int64_t begin = env->monotonic(env);
    for (unsigned long i = 0; i < n; i++) {
        leaves.num = 0;
        if (mlt_link_leaves_add(&leaves, i, mlt_bytes_of(d->entry, d->entry_len), &scratch, &err) != MLT_OK) {
            die(&err);
        }
        mlt_arena_recycle(&scratch, 65536);
    }
    (void)printf("links      %8.2f us an entry of %zu bytes (%zu links)\n",
                 seconds(env, begin) * 1e6 / (double)(n ? n : 1), d->entry_len, leaves.num);
    mlt_link_leaves_clear(&leaves);
    mlt_arena_clear(&scratch);
    return 0;
}

static void measure_proofs(struct mlt_env *env, const char *dir, const struct mlt_segment *s) {
    struct mlt_error err = {0};
    struct mlt_segment_file file;
    struct mlt_arena arena = {0};
    uint64_t bytes = 0;
    if (mlt_segment_file_open(&file, env, dir, s->first, s->end, &err) != MLT_OK) {
        die(&err);
    }
    const struct mlt_link_access access = mlt_segment_file_access(&file);
    int64_t begin = env->monotonic(env);
    for (unsigned i = 0; i < PROOFS; i++) {
        char text[32];
        struct mlt_link link;
        struct mlt_link_proof p;
        int len = snprintf(text, sizeof(text), "absent-%u", i);
        struct mlt_bytes value = mlt_bytes_of(text, (size_t)len);
        mlt_link_make(&link, MLT_DIM_APPROVES, &value, 1);
        if (mlt_link_prove(&access, &link, 10, &arena, &p, &err) != MLT_OK) {
            die(&err);
        }
        if (!mlt_link_proof_verify(s, &link, &p, NULL) || p.count != 0) {
            (void)fprintf(stderr, "bench_segment: a proof of absence does not verify\n");
            exit(3);
        }
        bytes += (p.has_before ? MLT_LINK_LEAF_LEN + p.before.proof.num_hashes * MLT_HASH_LEN : 0) +
                 (p.has_after ? MLT_LINK_LEAF_LEN + p.after.proof.num_hashes * MLT_HASH_LEN : 0);
    }
    (void)printf("absence    %8.1f us to prove and verify, %llu bytes a proof\n", seconds(env, begin) * 1e6 / PROOFS,
                 (unsigned long long)(bytes / PROOFS));
    mlt_arena_clear(&arena);
    mlt_segment_file_close(&file);
}

static void measure(struct mlt_env *env, struct mlt_trail *trail, const char *dir, uint64_t entries) {
    const struct mlt_segment_job job = {.trail = trail};
    struct mlt_segment_part chunk[CHUNKS], whole, again;
    struct mlt_error err = {0};
    size_t bad;
    int64_t begin = env->monotonic(env);
    if (mlt_segment_build(&job, 0, entries, NULL, 0, &whole, &bad, &err) != MLT_OK) {
        die(&err);
    }
    double took = seconds(env, begin);
    (void)printf("build      %8.3f s for %llu entries, %llu links: %.2f us an entry\n", took,
                 (unsigned long long)entries, (unsigned long long)whole.segment.num_leaves,
                 took * 1e6 / (double)entries);
    for (uint64_t i = 0; i < CHUNKS; i++) {
        if (mlt_segment_build(&job, i * entries / CHUNKS, (i + 1) * entries / CHUNKS, NULL, 0, &chunk[i], &bad, &err)) {
            die(&err);
        }
    }
    begin = env->monotonic(env);
    if (mlt_segment_build(&job, 0, entries, chunk, CHUNKS, &again, &bad, &err) != MLT_OK) {
        die(&err);
    }
    took = seconds(env, begin);
    (void)printf("merge      %8.3f s for the same of %d chunks: %.2f us a link\n", took, CHUNKS,
                 took * 1e6 / (double)again.segment.num_leaves);
    if (memcmp(&whole.segment, &again.segment, sizeof(whole.segment)) != 0) {
        (void)fprintf(stderr, "bench_segment: the merge gave another segment\n");
        exit(3);
    }
    measure_proofs(env, dir, &whole.segment);
}

int main(int argc, char **argv) {
    struct mlt_env *env = mlt_env_posix();
    struct mlt_error err = {0};
    struct mlt_trail *trail = NULL;
    char base[512];
    char dir[528];
    if (argc == 3 && strcmp(argv[1], "--links") == 0) {
        const struct mlt_record_keys keys = {.kek = {1}, .index_key = {2}};
        return count_links(env, &keys, strtoul(argv[2], NULL, 10));
    }
    uint64_t entries = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_C(1) << 20;
    (void)snprintf(base, sizeof(base), "%s/mlt-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(base) || entries < CHUNKS) {
        perror("bench_segment");
        return 3;
    }
    (void)snprintf(dir, sizeof(dir), "%s/t", base);
    const struct mlt_trail_options opt = {.dir = dir, .reserve_bytes = 1};
    if (mlt_trail_create(env, &opt, "example.org/bench", false, false, &err) != MLT_OK ||
        mlt_trail_open(&trail, env, &opt, &err) != MLT_OK || mlt_trail_start(trail, NULL, &err) != MLT_OK ||
        mlt_builder_new(&builder, env, mlt_trail_keys(trail), &err) != MLT_OK) {
        die(&err);
    }
    fill(trail, entries);
    measure(env, trail, dir, entries);
    mlt_batch_clear(&batch);
    mlt_builder_free(builder);
    if (mlt_trail_close(trail, &err) != MLT_OK) {
        die(&err);
    }
    char command[1024];
    (void)snprintf(command, sizeof(command), "rm -r %s", base);
    return system(command) == 0 ? 0 : 3;
}
