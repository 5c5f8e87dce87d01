// States of a member, and who moves it (settle):
//
//   new ──cosigned──▶ ok ◀──cosigned── failing, refusing
//    └──anything else──▶ failing | refusing            any ──another tree──▶ forked (for good)
//
// A gathering gives every member the same head. The member's thread takes a copy of what it needs and asks without the
// lock; it reads hashes only while the gathering is open, and the gathering waits for those who do.
#include "witness/ring.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/wait.h"

#define NS_PER_MS INT64_C(1000000)

struct member {
    struct mlt_ring *ring;
    struct mlt_ring_status is;       // but for retry_in_ms
    char *url;                       // NULL: none
    struct mlt_net_session *session; // with its thread
    pthread_t thread;
    bool running;
    uint64_t done;                   // the last gathering that it is through with
    bool known;                      // what it keeps
    uint64_t kept;                   // … this size
    int64_t next;                    // monotonic ns before which it is left alone
    int64_t pause_s;                 // of the backoff
    uint64_t line_size;              // `line` is for this size …
    char line[MLT_WITNESS_LINE_MAX]; // "" when none
};

struct mlt_ring {
    struct mlt_ring_options opt;
    char *evidence_dir;
    atomic_bool stopping;
    pthread_mutex_t mu; // of all below, and of all members
    pthread_cond_t asked;
    pthread_cond_t answered;
    bool forked;
    char why[MLT_ERROR_TEXT_LEN]; // of the fork
    uint64_t gathering;           // number; 0: none yet
    bool open;                    // it runs: hashes may be read
    size_t readers;               // members that read them
    struct mlt_ring_head head;
    int64_t deadline; // monotonic ns
    size_t num;
    struct member *members;
};

// What a member's thread takes along when it leaves the lock.
struct errand {
    uint64_t gathering;
    uint64_t size;
    int64_t deadline;
    struct mlt_buf note;
    struct mlt_bytes text; // of the note
    bool known;
    uint64_t kept;
    struct mlt_buf request;
    struct mlt_buf answer;
    uint64_t asked_with; // the old size of `request`
    int http_status;
    struct mlt_witness_reply reply;
    bool ahead; // its size is beyond ours
};

static int64_t wall_s(const struct mlt_ring *ring) {
    return ring->opt.env->now(ring->opt.env) / MLT_NS_PER_S;
}

static void tell(const struct mlt_ring *ring, const struct member *m, const char *what) {
    char line[MLT_WITNESS_TEXT_LEN + 2 * MLT_NOTE_NAME_MAX];
    if (ring->opt.log) {
        (void)snprintf(line, sizeof(line), "witness %.*s %s", MLT_ARG(m->is.witness->name), what);
        ring->opt.log(ring->opt.log_arg, line);
    }
}

// -- asking, without the lock -----------------------------------------------------------------------------------------

// enter allows to use the head's functions; false: the gathering is over, and what they lead to may be gone.
static bool enter(struct mlt_ring *ring, const struct errand *e, struct mlt_ring_head *head) {
    pthread_mutex_lock(&ring->mu);
    bool open = ring->open && ring->gathering == e->gathering;
    *head = ring->head;
    ring->readers += open;
    pthread_mutex_unlock(&ring->mu);
    return open;
}

static void leave(struct mlt_ring *ring) {
    pthread_mutex_lock(&ring->mu);
    ring->readers--;
    pthread_cond_broadcast(&ring->answered);
    pthread_mutex_unlock(&ring->mu);
}

static bool prove(struct mlt_ring *ring, const struct errand *e, uint64_t old, struct mlt_proof *out) {
    struct mlt_ring_head head;
    if (!enter(ring, e, &head)) {
        return false;
    }
    bool good = mlt_merkle_prove_consistency(&head.hashes, old, e->size, out, NULL) == MLT_OK &&
                out->num_hashes <= MLT_ADD_CHECKPOINT_HASHES_MAX;
    leave(ring);
    return good;
}

// is_ahead says whether a witness knows more of the log than the log itself. Not so when the log has grown meanwhile
// and somebody else has shown it; nor, for now, when that can no longer be told.
static bool is_ahead(struct mlt_ring *ring, const struct errand *e) {
    struct mlt_ring_head head;
    if (e->reply.outcome != MLT_WITNESS_SIZE || e->reply.size <= e->size || !enter(ring, e, &head)) {
        return false;
    }
    bool ahead = e->reply.size > (head.size_now ? head.size_now(head.size_now_arg) : head.size);
    leave(ring);
    return ahead;
}

static void ask(struct member *m, struct errand *e, uint64_t old) {
    struct mlt_ring *ring = m->ring;
    struct mlt_add_checkpoint request = {.old_size = old, .note = mlt_buf_bytes(&e->note)};
    int64_t left_ms = (e->deadline - mlt_wait_now()) / NS_PER_MS;
    bool ready = old == 0 || old == e->size || prove(ring, e, old, &request.proof);
    mlt_buf_reset(&e->request);
    mlt_add_checkpoint_format(&e->request, &request);
    e->reply = (struct mlt_witness_reply){.outcome = MLT_WITNESS_FAILED};
    if (!ready || left_ms <= 0 || e->request.failed) {
        (void)snprintf(e->reply.text, sizeof(e->reply.text), "%s",
                       left_ms <= 0 ? "it took too long to answer" : "no proof could be made for it in time");
        return;
    }
    const struct mlt_witness_question q = {
        .vkey = &m->is.witness->vkey, .note_text = e->text, .old_size = old, .size = e->size, .now_s = wall_s(ring)};
    e->asked_with = old;
    const struct mlt_witness_way way = {.url = m->url,
                                        .timeout_ms = left_ms,
                                        .cacert = ring->opt.cacert,
                                        .session = m->session,
                                        .stopped = &ring->stopping};
    mlt_witness_ask(&e->reply, &q, &way, mlt_buf_bytes(&e->request), &e->answer, &e->http_status);
}

// A witness that stands elsewhere is asked once more, from where it stands.
static void run_errand(struct member *m, struct errand *e) {
    ask(m, e, e->known && e->kept <= e->size ? e->kept : 0);
    if (e->reply.outcome == MLT_WITNESS_SIZE) {
        e->known = true;
        e->kept = e->reply.size;
        e->ahead = is_ahead(m->ring, e);
        if (e->reply.size <= e->size) {
            ask(m, e, e->kept);
            e->ahead = is_ahead(m->ring, e);
        }
    }
    if (e->reply.outcome == MLT_WITNESS_COSIGNED) {
        e->known = true;
        e->kept = e->size;
    }
}

// -- evidence ---------------------------------------------------------------------------------------------------------

static void file_name(char out[static 128], struct mlt_bytes name) {
    size_t len = 0;
    for (size_t i = 0; i < name.len && len < 80; i++) {
        char c = (char)name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        out[len++] = (char)(plain ? c : '_');
    }
    out[len] = '\0';
}

// keep_evidence writes what was asked and what was answered; `path` gets where, or is empty when it cannot be kept.
static void keep_evidence(struct mlt_ring *ring, const struct member *m, const struct errand *e,
                          char path[static 512]) {
    struct mlt_buf text = {0};
    char time[MLT_TIME_TEXT_LEN + 1];
    char name[128];
    struct mlt_env *env = ring->opt.env;
    mlt_time_format(time, env->now(env));
    file_name(name, m->is.witness->name);
    (void)snprintf(path, 512, "%.300s/%.19s-%s", ring->evidence_dir, time, name);
    mlt_buf_printf(&text, "At %s the witness %.*s (%s)\nwas asked:\n\n", time, MLT_ARG(m->is.witness->name), m->url);
    mlt_buf_put_bytes(&text, mlt_buf_bytes(&e->request));
    mlt_buf_printf(&text, "\nand answered with HTTP status %d:\n\n", e->http_status);
    mlt_buf_put_bytes(&text, mlt_buf_bytes(&e->answer));
    enum mlt_status st = mlt_env_make_dir(env, ring->evidence_dir, true, NULL);
    st = st ? st : mlt_env_replace_file(env, path, mlt_buf_bytes(&text), true, NULL);
    if (st || text.failed) {
        path[0] = '\0'; // a full disk must not keep the log from stopping
    }
    mlt_buf_clear(&text);
}

static void note_fork(struct mlt_ring *ring, struct member *m, const struct errand *e) {
    char path[512];
    char why[MLT_ERROR_TEXT_LEN];
    keep_evidence(ring, m, e, path);
    if (e->ahead) {
        (void)snprintf(why, sizeof(why),
                       "the witness %.*s has cosigned size %" PRIu64 " of this log, which ends at %" PRIu64
                       ": an older copy was put in its place",
                       MLT_ARG(m->is.witness->name), e->reply.size, e->size);
    } else {
        (void)snprintf(why, sizeof(why), "the witness %.*s has cosigned another tree under this log's key: %s",
                       MLT_ARG(m->is.witness->name), e->reply.text);
    }
    pthread_mutex_lock(&ring->mu);
    if (!ring->forked) {
        ring->forked = true;
        (void)snprintf(ring->why, sizeof(ring->why), "%.700s%s%.250s", why, path[0] ? "; the evidence is in " : "",
                       path);
    }
    m->is.state = MLT_RING_FORKED;
    (void)snprintf(m->is.last_error, sizeof(m->is.last_error), "%.250s", why);
    pthread_mutex_unlock(&ring->mu);
}

// -- the member's thread ----------------------------------------------------------------------------------------------

static void settle_failure(struct member *m, const struct errand *e, int64_t now) {
    bool refused = e->reply.outcome == MLT_WITNESS_REFUSED;
    bool was_well = m->is.state == MLT_RING_OK || m->is.state == MLT_RING_NEW;
    int64_t asked_for =
        e->reply.retry_after_s < MLT_RING_RETRY_AFTER_MAX_S ? e->reply.retry_after_s : MLT_RING_RETRY_AFTER_MAX_S;
    m->pause_s = m->pause_s == 0 ? 1 : m->pause_s * 2;
    m->pause_s = m->pause_s > MLT_RING_BACKOFF_MAX_S ? MLT_RING_BACKOFF_MAX_S : m->pause_s;
    m->next = now + (asked_for > m->pause_s ? asked_for : m->pause_s) * MLT_NS_PER_S;
    m->is.state = refused ? MLT_RING_REFUSING : MLT_RING_FAILING;
    m->is.num_failed++;
    memcpy(m->is.last_error, e->reply.text, sizeof(m->is.last_error));
    if (was_well) {
        char what[MLT_WITNESS_TEXT_LEN + 32];
        (void)snprintf(what, sizeof(what), "does not cosign: %s", e->reply.text);
        tell(m->ring, m, what);
    }
}

static void settle(struct member *m, const struct errand *e, int64_t begun) {
    int64_t now = mlt_wait_now();
    m->known = e->known;
    m->kept = e->kept;
    if (e->http_status != 0) {
        m->is.latency_ms = (now - begun) / NS_PER_MS;
    }
    if (m->is.state == MLT_RING_FORKED) {
        return;
    }
    if (e->reply.outcome != MLT_WITNESS_COSIGNED) {
        settle_failure(m, e, now);
        return;
    }
    if (m->is.state == MLT_RING_FAILING || m->is.state == MLT_RING_REFUSING) {
        tell(m->ring, m, "cosigns again");
    }
    m->is.state = MLT_RING_OK;
    m->is.cosigned = true;
    m->is.cosigned_size = e->size;
    m->is.cosigned_at = e->reply.time;
    m->is.num_cosigned++;
    m->is.last_error[0] = '\0';
    m->pause_s = 0;
    m->next = 0;
    m->line_size = e->size;
    memcpy(m->line, e->reply.line, sizeof(m->line));
}

static bool has_line(const struct member *m, uint64_t size) {
    return m->line[0] && m->line_size == size;
}

// Has nothing to do in this gathering: a fresh cosignature of this head is there, or it is left alone for a while.
static bool rests(const struct member *m, uint64_t size, int64_t now) {
    bool fresh = has_line(m, size) && wall_s(m->ring) - (int64_t)m->is.cosigned_at < MLT_RING_FRESH_S;
    return fresh || m->next > now || !m->url;
}

// pack copies the head under the lock: the gathering may end before the answer comes.
static bool pack(struct mlt_ring *ring, const struct member *m, struct errand *e) {
    struct mlt_arena arena = {0};
    struct mlt_note parsed;
    e->gathering = ring->gathering;
    e->size = ring->head.size;
    e->deadline = ring->deadline;
    e->known = m->known;
    e->kept = m->kept;
    mlt_buf_put_bytes(&e->note, ring->head.note);
    bool good = !e->note.failed && mlt_note_parse(&parsed, &arena, mlt_buf_bytes(&e->note), NULL) == MLT_OK;
    if (good) {
        e->text = parsed.text; // borrows from e->note
    }
    mlt_arena_clear(&arena);
    return good;
}

static void unpack(struct errand *e) {
    mlt_buf_clear(&e->note);
    mlt_buf_clear(&e->request);
    mlt_buf_clear(&e->answer);
}

static void take_part(struct member *m) {
    struct mlt_ring *ring = m->ring;
    struct errand e = {0};
    int64_t begun = mlt_wait_now();
    uint64_t gathering = ring->gathering;
    if (!rests(m, ring->head.size, begun) && pack(ring, m, &e)) {
        pthread_mutex_unlock(&ring->mu);
        run_errand(m, &e);
        if (e.ahead || e.reply.outcome == MLT_WITNESS_FORK) {
            note_fork(ring, m, &e);
        }
        pthread_mutex_lock(&ring->mu);
        settle(m, &e, begun);
    }
    unpack(&e);
    m->done = gathering;
    pthread_cond_broadcast(&ring->answered);
}

static void *member_main(void *arg) {
    struct member *m = arg;
    struct mlt_ring *ring = m->ring;
    pthread_mutex_lock(&ring->mu);
    while (!atomic_load(&ring->stopping)) {
        if (ring->open && m->done < ring->gathering) {
            take_part(m);
        } else {
            (void)pthread_cond_wait(&ring->asked, &ring->mu);
        }
    }
    pthread_mutex_unlock(&ring->mu);
    return NULL;
}

// -- gathering --------------------------------------------------------------------------------------------------------

static size_t compose(const struct mlt_ring *ring, struct mlt_buf *out) {
    size_t num = 0;
    mlt_buf_reset(out);
    mlt_buf_put_bytes(out, ring->head.note);
    for (size_t i = 0; i < ring->num; i++) {
        if (has_line(&ring->members[i], ring->head.size)) {
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
            int64_t linger = mlt_wait_now() + MLT_RING_LINGER_MS * NS_PER_MS;
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
        const struct member *m = &ring->members[i];
        if (m->url && !has_line(m, ring->head.size)) {
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
        ring->deadline = mlt_wait_now() + ring->opt.timeout_ms * NS_PER_MS;
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
    out->retry_in_ms = ring->members[i].next > now ? (ring->members[i].next - now) / NS_PER_MS : 0;
    pthread_mutex_unlock(&ring->mu);
}

const char *mlt_ring_state_name(enum mlt_ring_state state) {
    static const char *const names[] = {"new", "ok", "failing", "refusing", "forked", "no-url"};
    return names[state];
}

// -- opening and closing ----------------------------------------------------------------------------------------------

static enum mlt_status init_member(struct member *m, struct mlt_ring *ring, size_t i, struct mlt_error *err) {
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
        struct member *m = &ring->members[i];
        int rc = pthread_create(&m->thread, NULL, member_main, m);
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
