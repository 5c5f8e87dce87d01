// links: mlt_trail mlt_base_posix
//
// How fast a trail is verified, next to the limit: SHA-256 by the same library over the same bytes, one hash for each
// entry and one for each node of the tree. One core, then one thread per processor. The best of several runs in turn,
// so that what else the machine does hits both alike.
//
//   bench_verify [DIRECTORY [RECORDS]]
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "merkle/merkle.h"
#include "trail/trail.h"
#include "trail/verify.h"

#define BATCH 1000
#define RUNS 5
#define TEXT_MAX 2048

static struct mlt_error err;

static void must(enum mlt_status st) {
    if (st) {
        (void)fprintf(stderr, "bench_verify: %s\n", err.text);
        exit(3);
    }
}

static double seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// A credit decision with twenty features.
static size_t write_record(char out[static TEXT_MAX], unsigned long i, uint32_t *random) {
    int len = snprintf(out, TEXT_MAX,
                       "{\"kind\":\"prediction\",\"request_id\":\"8f14e45f-ceea-467f-a8d5-%012lu\","
                       "\"timestamp\":\"2026-11-23T09:40:01.%03luZ\",\"model\":\"credit-default\",\"model_version\":"
                       "\"3.2.1\",\"model_artifact_hash\":"
                       "\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\","
                       "\"serving_node\":\"node-%lu\",\"stream\":\"8f2c11\",\"sequence\":%lu,\"feature_values\":{",
                       i, i % 1000, i % 4, i);
    for (unsigned f = 0; f < 20; f++) {
        *random = *random * 1664525u + 1013904223u;
        len += snprintf(out + len, TEXT_MAX - (size_t)len, "%s\"FEATURE_%u\":%u", f ? "," : "", f, *random >> 16);
    }
    len += snprintf(out + len, TEXT_MAX - (size_t)len,
                    "},\"prediction\":{\"class\":%lu,\"probability\":0.%04u},\"latency_ms\":%lu.5}", i & 1,
                    *random >> 19, i % 9);
    return (size_t)len;
}

static void fill(struct mlt_env *env, const struct mlt_trail_options *opt, unsigned long records) {
    struct mlt_trail *t;
    struct mlt_builder *builder;
    struct mlt_batch batch = {0};
    struct mlt_head head;
    struct mlt_problem problem;
    const struct mlt_producer producer = {.principal = "token:bench", .assurance = "authenticated"};
    static struct mlt_receipt receipts[BATCH];
    static char text[BATCH][TEXT_MAX];
    uint32_t random = 1;
    must(mlt_trail_create(env, opt, "example.org/bench", false, false, &err));
    must(mlt_trail_open(&t, env, opt, &err));
    must(mlt_trail_start(t, NULL, &err));
    must(mlt_builder_new(&builder, env, mlt_trail_keys(t), &err));
    for (unsigned long n = 0; n < records; n += BATCH) {
        mlt_batch_reset(&batch);
        for (unsigned long i = 0; i < BATCH; i++) {
            size_t len = write_record(text[i], n + i, &random);
            must(mlt_builder_add(builder, &batch, &producer, mlt_bytes_of(text[i], len), NULL, 1, &problem, &err));
        }
        must(mlt_trail_append_wait(t, &batch, false, receipts, &head, &err));
    }
    mlt_batch_clear(&batch);
    mlt_builder_free(builder);
    must(mlt_trail_close(t, &err));
}

static void hash(EVP_MD_CTX *ctx, const EVP_MD *md, const uint8_t *bytes, size_t len, uint8_t out[static 32]) {
    unsigned out_len;
    if (!EVP_DigestInit_ex2(ctx, md, NULL) || !EVP_DigestUpdate(ctx, bytes, len) ||
        !EVP_DigestFinal_ex(ctx, out, &out_len)) {
        abort();
    }
}

// Entries a second that the library alone could hash: each entry with its prefix, and a node for each.
static double hash_limit(const struct mlt_buf *entries, EVP_MD *md, EVP_MD_CTX *ctx) {
    uint8_t node[65] = {1};
    uint8_t out[32];
    unsigned long num = 0;
    double begin = seconds();
    for (size_t at = 0; at < entries->len; num++) {
        size_t len = mlt_load_u16be(entries->data + at);
        hash(ctx, md, entries->data + at + 1, len + 1, out); // one byte more: where the prefix goes
        hash(ctx, md, node, sizeof node, node + 1);
        at += 2 + len;
    }
    return (double)num / (seconds() - begin);
}

static void verify(struct mlt_env *env, const char *dir, unsigned threads, double *entries, double *payloads) {
    static struct mlt_verify_report report;
    const struct mlt_verify_options opt = {.dir = dir, .threads = threads};
    must(mlt_verify_trail(env, &opt, &report, &err));
    if (!report.verdict) {
        (void)fprintf(stderr, "bench_verify: %s\n", report.faults[0].text);
        exit(1);
    }
    double e = (double)report.entries * 1e9 / (double)report.entries_ns;
    double p = (double)report.payloads * 1e9 / (double)report.records_ns;
    *entries = e > *entries ? e : *entries;
    *payloads = p > *payloads ? p : *payloads;
}

int main(int argc, char **argv) {
    struct mlt_env *env = mlt_env_posix();
    char base[512];
    char dir[600];
    char path[700];
    char command[700];
    unsigned long records = argc > 2 ? strtoul(argv[2], NULL, 10) / BATCH * BATCH : 300000;
    unsigned processors = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    (void)snprintf(base, sizeof base, "%s/mlt-verify-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (records == 0 || !mkdtemp(base)) {
        perror(base);
        return 3;
    }
    (void)snprintf(dir, sizeof dir, "%s/t", base);
    (void)snprintf(path, sizeof path, "%s/t/entries.dat", base);
    const struct mlt_trail_options opt = {.dir = dir};
    fill(env, &opt, records);
    struct mlt_buf file = {0};
    must(mlt_env_read_file(env, path, SIZE_MAX / 2, &file, &err));
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    double limit = 0;
    double entries = 0;
    double payloads = 0;
    double all_entries = 0;
    double all_payloads = 0;
    for (int i = 0; i < RUNS; i++) {
        double l = hash_limit(&file, md, ctx);
        limit = l > limit ? l : limit;
        verify(env, dir, 0, &entries, &payloads);
        verify(env, dir, processors, &all_entries, &all_payloads);
    }
    printf("verify: %lu entries of %zu bytes\n"
           "  SHA-256 alone, one core:     %9.0f entries/s\n"
           "  entries and tree, one core:  %9.0f entries/s, %.2f of it\n"
           "  payloads, one core:          %9.0f payloads/s, %.2f of it\n"
           "  entries and tree, %u threads: %9.0f entries/s; payloads: %.0f/s\n",
           records, file.len / records, limit, entries, entries / limit, payloads, payloads / limit, processors,
           all_entries, all_payloads);
    EVP_MD_CTX_free(ctx);
    EVP_MD_free(md);
    mlt_buf_clear(&file);
    (void)snprintf(command, sizeof command, "rm -r %s", base);
    return system(command) == 0 ? 0 : 3;
}
