// What logging a prediction costs the process that made it: checked, numbered, framed and written, beside write(2) of
// the same bytes to a file in the same directory, in turns, in the same run.
//
//   bench_spool DIR [N]
//
// Prints microseconds of each and their ratio, the least of several rounds. No server: nothing is sent meanwhile.
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/wait.h"
#include "base_posix/env_posix.h"
#include "forward/prepare.h"

#define ROUNDS 7
#define PREDICTIONS_DEFAULT 20000

static size_t write_record(char out[static 1024], uint64_t n) {
    return (size_t)snprintf(
        out, 1024,
        "{\"kind\":\"prediction\",\"request_id\":\"%016" PRIx64
        "\",\"timestamp\":\"2026-11-25T08:00:00.123456789Z\",\"model\":\"credit-risk\",\"model_version\":"
        "\"7\",\"model_artifact_hash\":\"sha256:"
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\",\"feature_values\":{"
        "\"income\":52000.25,\"debts\":1200,\"age\":41,\"region\":\"north\",\"history\":[0,0,1,0,2]},"
        "\"prediction\":{\"risk\":0.0731,\"class\":\"low\"},\"latency_ms\":3.2}",
        n);
}

static void fail(const char *what, const struct mlt_error *err) {
    (void)fprintf(stderr, "%s: %s\n", what, err->text);
    exit(1);
}

// Nanoseconds of each prediction through the spool; `*bytes` is what each took on disk.
static double spool_round(const char *dir, struct mlt_preparer *p, uint64_t num, double *bytes) {
    struct mlt_spool_writer *w;
    struct mlt_error err = {0};
    const struct mlt_spool_options opt = {.dir = dir, .serving_node = "node-1"};
    char record[1024];
    if (mlt_spool_writer_open(&w, mlt_env_posix(), &opt, &err) != MLT_OK) {
        fail("open", &err);
    }
    int64_t begin = mlt_wait_now();
    for (uint64_t n = 0; n < num; n++) {
        struct mlt_problem problem;
        struct mlt_spool_item item;
        struct mlt_spool_put put;
        size_t len = write_record(record, n);
        if (mlt_prepare_check(p, mlt_bytes_of(record, len), &problem, &err) != MLT_OK ||
            mlt_prepare_item(p, &item, "node-1", mlt_spool_writer_stream(w), &err) != MLT_OK ||
            mlt_spool_writer_put(w, &item, &put, &err) != MLT_OK) {
            fail("log", &err);
        }
    }
    double took = (double)(mlt_wait_now() - begin) / (double)num;
    *bytes = (double)mlt_spool_writer_bytes(w) / (double)num;
    mlt_spool_writer_remove(w);
    return took;
}

// The same bytes, by write(2) alone.
static double file_round(const char *dir, uint64_t num, size_t bytes) {
    char path[512], line[2048], record[1024];
    (void)snprintf(path, sizeof path, "%s/peer", dir);
    memset(line, 'x', sizeof line);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || bytes > sizeof line) {
        perror(path);
        exit(1);
    }
    int64_t begin = mlt_wait_now();
    for (uint64_t n = 0; n < num; n++) {
        memcpy(line, record, write_record(record, n)); // the record has to be made in either case
        if (write(fd, line, bytes) != (ssize_t)bytes) {
            perror(path);
            exit(1);
        }
    }
    double took = (double)(mlt_wait_now() - begin) / (double)num;
    (void)close(fd);
    (void)unlink(path);
    return took;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s DIR [N]\n", argv[0]);
        return 2;
    }
    uint64_t num = argc > 2 ? strtoull(argv[2], NULL, 10) : PREDICTIONS_DEFAULT;
    struct mlt_preparer *p = calloc(1, sizeof *p);
    double spool = 1e18, file = 1e18, bytes = 0;
    if (!p || num == 0) {
        return 1;
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        double s = spool_round(argv[1], p, num, &bytes);
        double f = file_round(argv[1], num, (size_t)bytes);
        spool = s < spool ? s : spool;
        file = f < file ? f : file;
    }
    printf("%" PRIu64 " predictions of %.0f bytes, least of %u rounds\n", num, bytes, ROUNDS);
    printf("spool     %7.2f us each\nwrite(2)  %7.2f us each\nratio     %7.2f\n", spool / 1000, file / 1000,
           spool / file);
    mlt_preparer_clear(p);
    free(p);
    return 0;
}
