// links: mlt_trail mlt_base_posix
//
// Appends in process: records of about 500 bytes as entries and 400 bytes as payload, drafted once and appended again
// and again, in batches of 1000, on a real disk. Prints records per second, synced before each acknowledgement, with
// the time for writing everything behind included.
//
//   bench_append [DIRECTORY [RECORDS]]
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "trail/trail.h"
#include "trail/verify.h"

#define BATCH 1000
#define IN_FLIGHT 16 // batches queued at a time
#define ENTRY_LEN 500
#define PAYLOAD_LEN 400

struct flight {
    pthread_mutex_t mu;
    pthread_cond_t cond;
    unsigned free_slots;
    bool failed;
};

static void die(const struct mlt_error *err) {
    (void)fprintf(stderr, "bench_append: %s\n", err->text);
    exit(3);
}

static void landed(void *arg, struct mlt_batch *batch, enum mlt_status status, const struct mlt_receipt *receipts,
                   const struct mlt_head *head, const struct mlt_error *err) {
    struct flight *f = arg;
    (void)batch;
    (void)receipts;
    (void)head;
    if (status) {
        die(err);
    }
    pthread_mutex_lock(&f->mu);
    f->free_slots++;
    pthread_cond_signal(&f->cond);
    pthread_mutex_unlock(&f->mu);
}

// Made by hand: what drafting costs is measured elsewhere.
static void make_batch(struct mlt_batch *b, size_t number) {
    b->drafts = calloc(BATCH, sizeof(*b->drafts));
    b->num_drafts = b->cap = BATCH;
    uint8_t *bytes = malloc((size_t)BATCH * (ENTRY_LEN + PAYLOAD_LEN));
    if (!b->drafts || !bytes) {
        abort();
    }
    for (size_t i = 0; i < BATCH; i++) {
        struct mlt_draft *d = &b->drafts[i];
        d->entry = bytes + i * (ENTRY_LEN + PAYLOAD_LEN);
        d->entry_len = ENTRY_LEN;
        memset(d->entry, 'e', ENTRY_LEN);
        (void)snprintf((char *)d->entry, 64, "{\"v\":1,\"n\":%zu,\"i\":%zu,\"received\":\"", number, i);
        d->received_off = 100;
        d->has_payload = true;
        memset(d->wrapped, 7, sizeof(d->wrapped));
        memset(d->entry + ENTRY_LEN, 's', PAYLOAD_LEN);
        d->sealed = mlt_bytes_of(d->entry + ENTRY_LEN, PAYLOAD_LEN);
    }
}

static double seconds(struct mlt_env *env, int64_t since) {
    return (double)(env->monotonic(env) - since) / 1e9;
}

int main(int argc, char **argv) {
    static struct mlt_batch batches[IN_FLIGHT];
    struct mlt_env *env = mlt_env_posix();
    struct mlt_error err = {0};
    char base[512];
    char dir[600];
    char command[700];
    struct mlt_trail *t;
    unsigned long records = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
    (void)snprintf(base, sizeof(base), "%s/mlt-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(base)) {
        perror(base);
        return 3;
    }
    (void)snprintf(dir, sizeof(dir), "%s/t", base);
    struct mlt_trail_options opt = {.dir = dir};
    if (mlt_trail_create(env, &opt, "example.org/bench", false, false, &err) || mlt_trail_open(&t, env, &opt, &err) ||
        mlt_trail_start(t, NULL, &err)) {
        die(&err);
    }
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        make_batch(&batches[i], i);
    }
    struct flight f = {.mu = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER, .free_slots = IN_FLIGHT};
    int64_t begin = env->monotonic(env);
    for (unsigned long n = 0; n < records / BATCH; n++) {
        pthread_mutex_lock(&f.mu);
        while (f.free_slots == 0) {
            pthread_cond_wait(&f.cond, &f.mu);
        }
        f.free_slots--;
        pthread_mutex_unlock(&f.mu);
        // Batches land in the order in which they were queued, so that this one is free.
        if (mlt_trail_append(t, &batches[n % IN_FLIGHT], true, landed, &f, &err)) {
            die(&err);
        }
    }
    pthread_mutex_lock(&f.mu);
    while (f.free_slots < IN_FLIGHT) {
        pthread_cond_wait(&f.cond, &f.mu);
    }
    pthread_mutex_unlock(&f.mu);
    double acknowledged = seconds(env, begin);
    struct mlt_trail_stats stats;
    mlt_trail_get_stats(t, &stats);
    if (mlt_trail_close(t, &err)) {
        die(&err);
    }
    double closed = seconds(env, begin);
    printf("append: %lu records in %.2f s, %.0f/s acknowledged; %.2f s and %.0f/s with everything written behind; "
           "%llu groups\n",
           records, acknowledged, (double)records / acknowledged, closed, (double)records / closed,
           (unsigned long long)stats.groups);
    (void)snprintf(command, sizeof(command), "rm -r %s", base);
    return system(command) == 0 ? 0 : 3;
}
