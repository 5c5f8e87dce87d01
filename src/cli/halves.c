#include "cli/halves.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_AHEAD 256 // halves of each run that are merged

void mlt_cli_halves_init(struct mlt_cli_halves *h) {
    *h = (struct mlt_cli_halves){.fd = -1};
}

void mlt_cli_halves_clear(struct mlt_cli_halves *h) {
    free(h->run);
    if (h->fd >= 0) {
        (void)close(h->fd);
    }
    mlt_cli_halves_init(h);
}

static int compare(const void *x, const void *y) {
    const struct mlt_cli_half *a = x, *b = y;
    const int key = memcmp(a->key, b->key, sizeof(a->key));
    if (key != 0) {
        return key;
    }
    if (a->response != b->response) {
        return a->response ? 1 : -1;
    }
    if (a->row != b->row) {
        return a->row < b->row ? -1 : 1;
    }
    return a->entry < b->entry ? -1 : a->entry > b->entry;
}

// The file has no name: it goes when the process does.
static enum mlt_status open_file(struct mlt_cli_halves *h, struct mlt_error *err) {
    const char *dir = getenv("TMPDIR");
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/mltrail-reconcile-XXXXXX", dir && dir[0] ? dir : "/tmp");
    h->fd = mkstemp(path);
    if (h->fd < 0) {
        return mlt_fail_errno(err, errno, path, "make a temporary file");
    }
    (void)unlink(path);
    return MLT_OK;
}

static enum mlt_status write_run(struct mlt_cli_halves *h, struct mlt_error *err) {
    const uint8_t *at = (const uint8_t *)h->run;
    size_t left = h->num * sizeof(*h->run);
    if (h->num_runs == MLT_HALVES_RUNS_MAX) {
        return mlt_fail(err, MLT_LIMIT, "the range has more than %llu halves; reconcile a part of it at a time",
                        (unsigned long long)MLT_HALVES_RUN * MLT_HALVES_RUNS_MAX);
    }
    enum mlt_status status = h->fd < 0 ? open_file(h, err) : MLT_OK;
    qsort(h->run, h->num, sizeof(*h->run), compare);
    while (status == MLT_OK && left > 0) {
        const ssize_t done = write(h->fd, at, left);
        if (done < 0 && errno != EINTR) {
            return mlt_fail_errno(err, errno, NULL, "write a temporary file");
        }
        at += done > 0 ? done : 0;
        left -= done > 0 ? (size_t)done : 0;
    }
    h->num_runs++;
    h->num = 0;
    return status;
}

enum mlt_status mlt_cli_halves_add(struct mlt_cli_halves *h, const struct mlt_cli_half *half, struct mlt_error *err) {
    if (!h->run) {
        h->run = malloc(MLT_HALVES_RUN * sizeof(*h->run));
        if (!h->run) {
            return mlt_fail(err, MLT_NOMEM, "no memory to sort predictions");
        }
    }
    enum mlt_status status = h->num == MLT_HALVES_RUN ? write_run(h, err) : MLT_OK;
    if (status == MLT_OK) {
        h->run[h->num++] = *half;
        h->total++;
    }
    return status;
}

// A run that is being merged: the one in memory, or a part of the file read ahead.
struct run {
    const struct mlt_cli_half *at, *end;
    struct mlt_cli_half *room; // NULL: in memory
    uint64_t next, left;       // in the file, in halves
};

static enum mlt_status refill(const struct mlt_cli_halves *h, struct run *r, struct mlt_error *err) {
    const size_t want = r->left < READ_AHEAD ? (size_t)r->left : READ_AHEAD;
    size_t done = 0;
    if (r->at < r->end || want == 0) {
        return MLT_OK;
    }
    while (done < want * sizeof(*r->room)) {
        const ssize_t got = pread(h->fd, (uint8_t *)r->room + done, want * sizeof(*r->room) - done,
                                  (off_t)(r->next * sizeof(*r->room) + done));
        if (got <= 0 && errno != EINTR) {
            return mlt_fail_errno(err, got < 0 ? errno : EIO, NULL, "read a temporary file");
        }
        done += got > 0 ? (size_t)got : 0;
    }
    r->at = r->room;
    r->end = r->room + want;
    r->next += want;
    r->left -= want;
    return MLT_OK;
}

static struct run *smallest(struct run *runs, size_t num) {
    struct run *found = NULL;
    for (size_t i = 0; i < num; i++) {
        if (runs[i].at < runs[i].end && (!found || compare(runs[i].at, found->at) < 0)) {
            found = &runs[i];
        }
    }
    return found;
}

static enum mlt_status merge(struct mlt_cli_halves *h, struct run *runs, size_t num_runs, struct mlt_cli_half *group,
                             mlt_cli_halves_take *take, void *arg, struct mlt_error *err) {
    size_t num = 0;
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < num_runs; i++) {
        status = refill(h, &runs[i], err);
    }
    while (status == MLT_OK) {
        struct run *r = smallest(runs, num_runs);
        if (num > 0 && (!r || memcmp(r->at->key, group[0].key, sizeof(group[0].key)) != 0)) {
            status = take(arg, group, num, err);
            num = 0;
        }
        if (!r || status != MLT_OK) {
            break;
        }
        if (num < MLT_HALVES_GROUP_MAX) {
            group[num++] = *r->at;
        }
        r->at++;
        status = refill(h, r, err);
    }
    return status;
}

enum mlt_status mlt_cli_halves_each(struct mlt_cli_halves *h, mlt_cli_halves_take *take, void *arg,
                                    struct mlt_error *err) {
    const size_t num = h->num_runs + 1;
    struct run *runs = calloc(num, sizeof(*runs));
    struct mlt_cli_half *room = malloc((h->num_runs * READ_AHEAD + 1) * sizeof(*room));
    struct mlt_cli_half *group = malloc(MLT_HALVES_GROUP_MAX * sizeof(*group));
    enum mlt_status status = MLT_OK;
    if (!runs || !room || !group) {
        status = mlt_fail(err, MLT_NOMEM, "no memory to merge predictions");
    } else {
        if (h->num > 0) {
            qsort(h->run, h->num, sizeof(*h->run), compare);
        }
        for (size_t i = 0; i < h->num_runs; i++) {
            runs[i] = (struct run){
                .room = room + i * READ_AHEAD, .next = (uint64_t)i * MLT_HALVES_RUN, .left = MLT_HALVES_RUN};
        }
        runs[h->num_runs] = (struct run){.at = h->run, .end = h->run + h->num};
        status = merge(h, runs, num, group, take, arg, err);
    }
    free(runs);
    free(room);
    free(group);
    return status;
}
