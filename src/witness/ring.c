#include "witness/ring.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/wait.h"
#include "witness/ring_private.h"

// -- gathering --------------------------------------------------------------------------------------------------------

static size_t compose(const struct mlt_ring *ring, struct mlt_buf *out) {
    size_t num = 0;
    mlt_buf_reset(out);
    mlt_buf_put_bytes(out, ring->head.note);
    for (size_t i = 0; i < ring->num; i++) {
        if (mlt_ring_has_line(&ring->members[i], ring->head.size)) {
            mlt_buf_put_str(out, ring->members[i].line);
            num++;
        }
    }
    return num;
}

static bool meets_quorum(const struct mlt_ring *ring, const struct mlt_buf *note) {
    struct mlt_arena arena = {0};
    struct mlt_note parsed;
    struct mlt_policy_verdict *verdict = calloc(1, sizeof(*verdict));
    bool holds = verdict && mlt_note_parse(&parsed, &arena, mlt_buf_bytes(note), NULL) == MLT_OK &&
                 mlt_policy_judge(verdict, ring->opt.policy, ring->opt.log_key, &parsed, NULL) == MLT_OK &&
                 verdict->holds;
    mlt_arena_clear(&arena);
    free(verdict);
    return holds;
}

static bool all_done(const struct mlt_ring *ring) {
    for (size_t i = 0; i < ring->num; i++) {
        if (ring->members[i].done < ring->gathering) {
            return false;
        }
    }
    return true;
}

// wait_for_answers leaves in `note` what there is when the waiting ends. With the lock.
static void wait_for_answers(struct mlt_ring *ring, bool all, struct mlt_buf *note, struct mlt_ring_result *out) {
    int64_t until = ring->deadline;
    size_t before = SIZE_MAX;
    for (;;) {
        out->num_cosigned = compose(ring, note);
        if (out->num_cosigned != before) {
            bool had = out->quorum;
            before = out->num_cosigned;
            out->quorum = meets_quorum(ring, note);
            int64_t linger = mlt_wait_now() + MLT_RING_LINGER_MS * MLT_NS_PER_MS;
            until = out->quorum && !had && !all && linger < until ? linger : until;
        }
        if (ring->forked || all_done(ring) || mlt_wait_now() >= until || atomic_load(&ring->stopping)) {
            return;
        }
        (void)mlt_wait_until(&ring->answered, &ring->mu, until);
    }
}

// When those that are missing are to be asked again, although nothing changes.
static int64_t again_s(const struct mlt_ring *ring) {
    int64_t now = mlt_wait_now();
    int64_t again = MLT_RING_REFRESH_S;
    for (size_t i = 0; i < ring->num; i++) {
        const struct mlt_ring_member *m = &ring->members[i];
        if (m->url && !mlt_ring_has_line(m, ring->head.size)) {
            int64_t wait = m->next > now ? (m->next - now) / MLT_NS_PER_S + 1 : 1;
            again = wait < again ? wait : again;
        }
    }
    return again;
}

enum mlt_status mlt_ring_gather(struct mlt_ring *ring, const struct mlt_ring_head *head, bool all, struct mlt_buf *note,
                                struct mlt_ring_result *out, struct mlt_error *err) {
    struct mlt_buf gathered = {0};
    *out = (struct mlt_ring_result){.num_witnesses = ring->num};
    pthread_mutex_lock(&ring->mu);
    assert(!ring->open); // one at a time
    if (!ring->forked) {
        ring->gathering++;
        ring->head = *head;
        ring->deadline = mlt_wait_now() + ring->opt.timeout_ms * MLT_NS_PER_MS;
        ring->open = true;
        pthread_cond_broadcast(&ring->asked);
        wait_for_answers(ring, all, &gathered, out);
        ring->open = false;
        while (ring->readers > 0) {
            (void)pthread_cond_wait(&ring->answered, &ring->mu);
        }
        out->again_s = again_s(ring);
        ring->head = (struct mlt_ring_head){.size = head->size};
    }
    enum mlt_status st = ring->forked ? mlt_fail(err, MLT_CONFLICT, "%s", ring->why) : MLT_OK;
    pthread_mutex_unlock(&ring->mu);
    if (!st) {
        mlt_buf_put_bytes(note, mlt_buf_bytes(&gathered));
        st = gathered.failed || note->failed ? mlt_fail(err, MLT_NOMEM, "no memory for a checkpoint") : MLT_OK;
    }
    mlt_buf_clear(&gathered);
    return st;
}

// -- status -----------------------------------------------------------------------------------------------------------

void mlt_ring_get(struct mlt_ring *ring, size_t i, struct mlt_ring_status *out) {
    assert(i < ring->num);
    int64_t now = mlt_wait_now();
    pthread_mutex_lock(&ring->mu);
    *out = ring->members[i].is;
    out->retry_in_ms = ring->members[i].next > now ? (ring->members[i].next - now) / MLT_NS_PER_MS : 0;
    pthread_mutex_unlock(&ring->mu);
}

const char *mlt_ring_state_name(enum mlt_ring_state state) {
    static const char *const names[] = {"new", "ok", "failing", "refusing", "forked", "no-url"};
    return names[state];
}

// -- opening and closing ----------------------------------------------------------------------------------------------

static enum mlt_status init_member(struct mlt_ring_member *m, struct mlt_ring *ring, size_t i, struct mlt_error *err) {
    const struct mlt_policy_witness *w = &ring->opt.policy->witnesses[i];
    m->ring = ring;
    m->is = (struct mlt_ring_status){.witness = w, .latency_ms = -1, .state = MLT_RING_NO_URL};
    if (w->url.len == 0) {
        return MLT_OK; // its cosignatures may come another way
    }
    enum mlt_status st = mlt_witness_url_check(w->url, err);
    if (st) {
        return mlt_context(err, st, "the URL of the witness %.*s", MLT_ARG(w->name));
    }
    m->is.state = MLT_RING_NEW;
    m->url = strndup((const char *)w->url.ptr, w->url.len);
    m->session = mlt_net_session_new();
    return m->url && m->session ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory for a witness");
}

static enum mlt_status start_members(struct mlt_ring *ring, struct mlt_error *err) {
    for (size_t i = 0; i < ring->num; i++) {
        struct mlt_ring_member *m = &ring->members[i];
        int rc = pthread_create(&m->thread, NULL, mlt_ring_member_main, m);
        if (rc != 0) {
            return mlt_fail_errno(err, rc, NULL, "start a thread for a witness");
        }
        m->running = true;
    }
    return MLT_OK;
}

static void init_sync(struct mlt_ring *ring) {
    (void)pthread_mutex_init(&ring->mu, NULL);
    (void)mlt_wait_init(&ring->asked);
    (void)mlt_wait_init(&ring->answered);
}

enum mlt_status mlt_ring_open(struct mlt_ring **out, const struct mlt_ring_options *opt, struct mlt_error *err) {
    *out = NULL;
    struct mlt_ring *ring = calloc(1, sizeof(*ring));
    if (!ring) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the witnesses");
    }
    init_sync(ring);
    ring->opt = *opt;
    ring->opt.timeout_ms = opt->timeout_ms > 0 ? opt->timeout_ms : MLT_RING_TIMEOUT_MS;
    ring->evidence_dir = strdup(opt->evidence_dir);
    ring->members = calloc(opt->policy->num_witnesses + 1, sizeof(*ring->members));
    enum mlt_status st = MLT_OK;
    if (!ring->members || !ring->evidence_dir) {
        st = mlt_fail(err, MLT_NOMEM, "no memory for the witnesses");
    }
    while (!st && ring->num < opt->policy->num_witnesses) {
        st = init_member(&ring->members[ring->num], ring, ring->num, err);
        ring->num++;
    }
    st = st ? st : start_members(ring, err);
    if (st) {
        mlt_ring_close(ring);
        return st;
    }
    *out = ring;
    return MLT_OK;
}

void mlt_ring_close(struct mlt_ring *ring) {
    if (!ring) {
        return;
    }
    pthread_mutex_lock(&ring->mu);
    atomic_store(&ring->stopping, true);
    pthread_cond_broadcast(&ring->asked);
    pthread_mutex_unlock(&ring->mu);
    for (size_t i = 0; i < ring->num; i++) {
        if (ring->members[i].running) {
            (void)pthread_join(ring->members[i].thread, NULL);
        }
        mlt_net_session_free(ring->members[i].session);
        free(ring->members[i].url);
    }
    pthread_mutex_destroy(&ring->mu);
    pthread_cond_destroy(&ring->asked);
    pthread_cond_destroy(&ring->answered);
    free(ring->members);
    free(ring->evidence_dir);
    free(ring);
}
