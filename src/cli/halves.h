// Halves of predictions, sorted so that what belongs together comes together. More than fit in memory go to a temporary
// file as sorted runs, so that memory is bounded whatever the range.
#ifndef MLT_CLI_HALVES_H
#define MLT_CLI_HALVES_H

#include "crypto/sha256.h"

#define MLT_HALVES_RUN 250000   // sorted at once: some 45 MB
#define MLT_HALVES_RUNS_MAX 400 // merged at once: 100 million halves; more are reconciled a range at a time

struct mlt_cli_half {
    uint8_t key[16]; // of what pairs them: pair id and deployment
    uint64_t row;    // 0: none, else the row plus one
    uint64_t entry;
    uint8_t digest[16]; // of the message
    bool response;
    bool outside;                      // read for the sake of others only
    char request_id[62], endpoint[64]; // to show; longer ones are cut
};

struct mlt_cli_halves {
    struct mlt_cli_half *run; // the one being filled
    size_t num;
    size_t num_runs; // in the file
    int fd;          // -1: none yet
    uint64_t total;
};
void mlt_cli_halves_init(struct mlt_cli_halves *h);
void mlt_cli_halves_clear(struct mlt_cli_halves *h);
enum mlt_status mlt_cli_halves_add(struct mlt_cli_halves *h, const struct mlt_cli_half *half,
                                   struct mlt_error *err) MLT_MUST_USE;

#define MLT_HALVES_GROUP_MAX 65536 // of one key; further ones are left out: a request has at most a thousand rows

// mlt_cli_halves_each calls `take` for each key with its halves, requests before responses, by row, then by entry.
typedef enum mlt_status mlt_cli_halves_take(void *arg, const struct mlt_cli_half *group, size_t num,
                                            struct mlt_error *err);
enum mlt_status mlt_cli_halves_each(struct mlt_cli_halves *h, mlt_cli_halves_take *take, void *arg,
                                    struct mlt_error *err) MLT_MUST_USE;

#endif
