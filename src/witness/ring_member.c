// States of a member, and who moves it (settle):
//
//   new ──cosigned──▶ ok ◀──cosigned── failing, refusing
//    └──anything else──▶ failing | refusing            any ──another tree──▶ forked (for good)
//
// A gathering gives every member the same head. The member's thread takes a copy of what it needs and asks without the
// lock; it reads hashes only while the gathering is open, and the gathering waits for those who do.
#include <inttypes.h>
#include <stdio.h>

#include "base/wait.h"
#include "witness/ring_private.h"

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
    int http_status;
    struct mlt_witness_reply reply;
    bool ahead; // its size is beyond ours
};

static int64_t wall_s(const struct mlt_ring *ring) {
    return ring->opt.env->now(ring->opt.env) / MLT_NS_PER_S;
}

static void tell(const struct mlt_ring *ring, const struct mlt_ring_member *m, const char *what) {
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

static void ask(struct mlt_ring_member *m, struct errand *e, uint64_t old) {
    struct mlt_ring *ring = m->ring;
    struct mlt_add_checkpoint request = {.old_size = old, .note = mlt_buf_bytes(&e->note)};
    int64_t left_ms = (e->deadline - mlt_wait_now()) / MLT_NS_PER_MS;
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
    const struct mlt_witness_way way = {.url = m->url,
                                        .timeout_ms = left_ms,
                                        .cacert = ring->opt.cacert,
                                        .session = m->session,
                                        .stopped = &ring->stopping};
    mlt_witness_ask(&e->reply, &q, &way, mlt_buf_bytes(&e->request), &e->answer, &e->http_status);
}

// A witness that stands elsewhere is asked once more, from where it stands.
static void run_errand(struct mlt_ring_member *m, struct errand *e) {
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
static void keep_evidence(struct mlt_ring *ring, const struct mlt_ring_member *m, const struct errand *e,
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

static void note_fork(struct mlt_ring *ring, struct mlt_ring_member *m, const struct errand *e) {
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

static void settle_failure(struct mlt_ring_member *m, const struct errand *e, int64_t now) {
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

static void settle(struct mlt_ring_member *m, const struct errand *e, int64_t begun) {
    int64_t now = mlt_wait_now();
    m->known = e->known;
    m->kept = e->kept;
    if (e->http_status != 0) {
        m->is.latency_ms = (now - begun) / MLT_NS_PER_MS;
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

bool mlt_ring_has_line(const struct mlt_ring_member *m, uint64_t size) {
    return m->line[0] && m->line_size == size;
}

// Has nothing to do in this gathering: a fresh cosignature of this head is there, or it is left alone for a while.
static bool rests(const struct mlt_ring_member *m, uint64_t size, int64_t now) {
    bool fresh = mlt_ring_has_line(m, size) && wall_s(m->ring) - (int64_t)m->is.cosigned_at < MLT_RING_FRESH_S;
    return fresh || m->next > now || !m->url;
}

// pack copies the head under the lock: the gathering may end before the answer comes.
static bool pack(struct mlt_ring *ring, const struct mlt_ring_member *m, struct errand *e) {
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

static void take_part(struct mlt_ring_member *m) {
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

void *mlt_ring_member_main(void *arg) {
    struct mlt_ring_member *m = arg;
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
