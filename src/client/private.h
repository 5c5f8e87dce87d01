// What the files of the client library share.
#ifndef MLT_CLIENT_PRIVATE_H
#define MLT_CLIENT_PRIVATE_H

#include <pthread.h>

#include <mltrail/client.h>

#include "forward/courier.h"
#include "forward/prepare.h"

#define MLT_CLIENT_SPARE_MAX 64 // preparers kept: threads that log at once

// A thread that waits for its receipt.
struct mlt_client_waiter {
    struct mlt_client_waiter *next;
    uint64_t frame;
    bool settled;
    struct mltrail_receipt *receipt; // may be NULL
    enum mltrail_status status;
    char text[MLTRAIL_ERROR_TEXT_LEN];
};

struct mlt_client_spare {
    struct mlt_client_spare *next;
    struct mlt_preparer preparer;
};

struct mltrail_client {
    struct mltrail_client *next; // of all clients, under the list's lock (client_fork.c)
    struct mlt_env *env;
    struct mltrail_client_options opt; // its texts are copies
    char *texts[6];

    pthread_mutex_t lock; // guards all that follows
    pthread_cond_t settled;
    struct mlt_courier *courier; // NULL after a fork, in the child, until the first use
    struct mlt_spool_writer *writer;
    struct mlt_memory *memory; // of MLTRAIL_FIRE, instead of the writer
    struct mlt_client_waiter *waiters;
    struct mlt_client_spare *spares;
    size_t num_spares;
    uint64_t logged;
};

// mlt_client_begin makes stream and courier. With the lock held, or before anybody knows the client.
enum mlt_status mlt_client_begin(struct mltrail_client *c, struct mlt_error *err) MLT_MUST_USE;
// mlt_client_fail fills `out` from an error of ours.
enum mltrail_status mlt_client_fail(struct mltrail_error *out, enum mlt_status status, const struct mlt_error *err);
enum mltrail_status mlt_client_say(struct mltrail_error *out, enum mltrail_status status, const char *fmt, ...)
    MLT_PRINTF(3, 4);

// client_fork.c: every client is known there from its opening to its closing.
bool mlt_client_list(struct mltrail_client *c);
void mlt_client_unlist(struct mltrail_client *c);

#endif
