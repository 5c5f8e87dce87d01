#include "forward/courier.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/wait.h"
#include "spool/orphan.h"
#include "spool/refused.h"

#define MS ((int64_t)1000000)
#define BACKOFF_FIRST_NS (100 * MS)
#define BACKOFF_MAX_NS (30 * MLT_NS_PER_S)
#define RETRY_AFTER_MAX_S 300                // a server that says more is looked at all the same
#define ADOPT_EVERY_NS (5 * MLT_NS_PER_S)    // how soon a dead writer's stream is seen
#define ACK_EVERY_NS MLT_NS_PER_S            // .ack may lag: what is sent again, the server knows
#define REJECTED_BATCH_MAX ((size_t)1 << 20) // lines that are written to rejected.ndjson at once

// One stream on its way. Owned by the sending thread, but for what is marked.
struct source {
    struct source *next; // under the courier's lock
    struct mlt_spool_writer *writer;
    struct mlt_memory *memory;
    struct mlt_orphan *orphan; // one of the three
    const char *stream, *dir;  // dir NULL: in memory
    struct mlt_spool_reader reader;
    struct mlt_parcel parcel;
    bool loaded; // the parcel has something to be sent
    struct mlt_spool_place loaded_end;
    struct mlt_spool_place sent; // settled; under the lock
    struct mlt_spool_place persisted;
    int64_t persisted_at;
    int64_t waiting_since; // monotonic; 0: nothing waits; under the lock
    uint64_t flush_to;     // frames below are waited for; under the lock
    struct mlt_buf rejected;
};

struct mlt_courier {
    struct mlt_env *env;
    struct mlt_courier_options opt;
    char **dirs;
    struct mlt_link *link;
    atomic_bool aborted; // ends an exchange
    pthread_t sender, syncer;
    bool has_sender, has_syncer;

    pthread_mutex_t guard; // held while writers are synced; taken before `lock`
    pthread_mutex_t lock;  // guards all that follows, and parts of the sources
    pthread_cond_t work, progress, sync_due;
    struct source *sources; // changed with both locks held, read with one of them
    bool idle;              // the sender waits, and has nothing that it waits with
    bool nudged, unsynced;
    bool hurry;     // somebody waits: nothing lingers
    bool retry_now; // and back-off is cut short once
    bool stopping;
    int64_t stop_at;
    bool sender_done;
    struct mlt_courier_stats stats;
    uint64_t lost_of_ended;

    // Of the sending thread alone.
    struct source *turn;
    int64_t backoff_ns, not_before, next_adoption;
    size_t adopt_dir;
    char adopt_after[MLT_SPOOL_STREAM_LEN];
    bool adopting, adopted_all;
};

static void tell(struct mlt_courier *c, enum mlt_courier_event_kind kind, const struct source *s, const char *text) {
    if (c->opt.event) {
        c->opt.event(c->opt.arg,
                     &(struct mlt_courier_event){kind, s && s->dir ? s->dir : "", s ? s->stream : "", text});
    }
}

// -- sources ----------------------------------------------------------------------------------------------------------

static uint64_t next_frame(const struct source *s) {
    if (s->writer) {
        return mlt_spool_writer_place(s->writer).frame;
    }
    if (s->memory) {
        return mlt_memory_next(s->memory);
    }
    assert(s->orphan); // a source is one of the three
    return s->orphan->end.frame;
}

static bool has_more(const struct source *s) {
    if (s->orphan) { // damage is passed over without a frame, so the place decides
        const struct mlt_spool_place *end = &s->orphan->end;
        return s->sent.segment < end->segment || (s->sent.segment == end->segment && s->sent.offset < end->offset);
    }
    return next_frame(s) > s->sent.frame;
}

static bool ended(const struct source *s) {
    return s->writer ? mlt_spool_writer_ended(s->writer) : s->memory ? mlt_memory_ended(s->memory) : true;
}

static void free_source(struct source *s) {
    if (!s) {
        return;
    }
    mlt_spool_writer_free(s->writer);
    mlt_memory_free(s->memory);
    mlt_orphan_free(s->orphan);
    mlt_spool_reader_clear(&s->reader);
    mlt_parcel_clear(&s->parcel);
    mlt_buf_clear(&s->rejected);
    free(s);
}

static void list_source(struct mlt_courier *c, struct source *s) {
    pthread_mutex_lock(&c->guard);
    pthread_mutex_lock(&c->lock);
    s->next = c->sources;
    c->sources = s;
    c->nudged = true;
    pthread_cond_signal(&c->work);
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_unlock(&c->guard);
}

// NULL: no memory.
static struct source *add_source(struct mlt_courier *c, const struct source *made, struct mlt_error *err) {
    struct source *s = malloc(sizeof *s);
    if (!s) {
        (void)mlt_fail(err, MLT_NOMEM, "no memory for a stream");
        return NULL;
    }
    *s = *made;
    s->reader = (struct mlt_spool_reader){.env = c->env, .dir = s->dir, .stream = s->stream};
    list_source(c, s);
    return s;
}

enum mlt_status mlt_courier_add(struct mlt_courier *c, struct mlt_spool_writer *w, struct mlt_error *err) {
    const struct source made = {.writer = w,
                                .stream = mlt_spool_writer_stream(w),
                                .dir = mlt_spool_writer_dir(w),
                                .sent = {1, 0, 1},
                                .persisted = {1, 0, 1}};
    return add_source(c, &made, err) ? MLT_OK : MLT_NOMEM;
}

enum mlt_status mlt_courier_add_memory(struct mlt_courier *c, struct mlt_memory *m, struct mlt_error *err) {
    const struct source made = {.memory = m, .stream = mlt_memory_stream(m), .sent = {1, 0, 1}};
    return add_source(c, &made, err) ? MLT_OK : MLT_NOMEM;
}

static void unlist(struct mlt_courier *c, struct source *s) {
    struct source **at = &c->sources;
    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
    if (c->turn == s) {
        c->turn = s->next;
    }
}

// -- what became of a parcel ------------------------------------------------------------------------------------------

struct settling {
    struct mlt_courier *c;
    struct source *s;
};

static void keep_rejected(struct mlt_courier *c, struct source *s) {
    struct mlt_error err = {0};
    if (s->rejected.len == 0 && !s->rejected.failed) {
        return;
    }
    enum mlt_status status = s->rejected.failed ? mlt_fail(&err, MLT_NOMEM, "no memory for what was rejected")
                             : s->dir           ? mlt_refused_keep(c->env, s->dir, mlt_buf_bytes(&s->rejected), &err)
                                                : MLT_OK;
    if (status != MLT_OK) {
        pthread_mutex_lock(&c->lock);
        c->stats.unkept++;
        pthread_mutex_unlock(&c->lock);
        tell(c, MLT_COURIER_TROUBLE, s, err.text);
    }
    mlt_buf_clear(&s->rejected);
}

static void settle(void *arg, const struct mlt_settled *settled) {
    const struct settling *g = arg;
    struct mlt_courier *c = g->c;
    pthread_mutex_lock(&c->lock);
    c->stats.sent += settled->accepted;
    c->stats.rejected += !settled->accepted;
    pthread_mutex_unlock(&c->lock);
    if (!settled->accepted) {
        char text[256];
        mlt_refused_put(&g->s->rejected, c->env,
                        &(struct mlt_refused){.stream = g->s->stream,
                                              .frame = settled->frame,
                                              .type = settled->type,
                                              .status = settled->status,
                                              .problem = settled->problem,
                                              .body = settled->body});
        (void)snprintf(text, sizeof text, "frame %llu, status %d", (unsigned long long)settled->frame, settled->status);
        tell(c, MLT_COURIER_REFUSED, g->s, text);
        if (g->s->rejected.len > REJECTED_BATCH_MAX) {
            keep_rejected(c, g->s);
        }
    }
    if (c->opt.settled && !g->s->orphan) {
        c->opt.settled(c->opt.arg, settled);
    }
}

// .ack is written when a segment can go, when nothing waits, and now and then.
static void persist(struct mlt_courier *c, struct source *s, bool now) {
    struct mlt_error err = {0};
    enum mlt_status status = MLT_OK;
    int64_t clock = mlt_wait_now();
    bool same = s->sent.segment == s->persisted.segment && s->sent.offset == s->persisted.offset;
    if (s->memory) {
        mlt_memory_acked(s->memory, s->sent.frame);
        return;
    }
    if (same || (!now && s->sent.segment == s->persisted.segment && clock - s->persisted_at < ACK_EVERY_NS)) {
        return;
    }
    status =
        s->writer ? mlt_spool_writer_acked(s->writer, &s->sent, &err) : mlt_orphan_acked(s->orphan, &s->sent, &err);
    if (status != MLT_OK) {
        tell(c, MLT_COURIER_TROUBLE, s, err.text);
    }
    s->persisted = s->sent;
    s->persisted_at = clock;
}

// A stream that is at the server to its end.
static void finish_source(struct mlt_courier *c, struct source *s) {
    uint64_t lost = s->writer   ? mlt_spool_writer_lost(s->writer)
                    : s->memory ? mlt_memory_lost(s->memory)
                                : s->orphan->lost;
    persist(c, s, true);
    pthread_mutex_lock(&c->guard);
    pthread_mutex_lock(&c->lock);
    c->lost_of_ended += lost;
    unlist(c, s);
    pthread_cond_broadcast(&c->progress);
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_unlock(&c->guard);
    tell(c, MLT_COURIER_ENDED, s, "");
    if (s->writer) {
        mlt_spool_writer_remove(s->writer);
    } else if (s->orphan) {
        mlt_orphan_remove(s->orphan);
    }
    s->writer = NULL;
    s->orphan = NULL;
    free_source(s);
}

static void advance(struct mlt_courier *c, struct source *s) {
    keep_rejected(c, s); // before .ack passes over it
    pthread_mutex_lock(&c->lock);
    s->sent = s->loaded_end;
    s->loaded = false;
    s->waiting_since = has_more(s) ? mlt_wait_now() : 0;
    bool idle = s->waiting_since == 0;
    pthread_cond_broadcast(&c->progress);
    pthread_mutex_unlock(&c->lock);
    persist(c, s, idle);
    pthread_mutex_lock(&c->lock);
    pthread_cond_broadcast(&c->progress); // there may be space again
    pthread_mutex_unlock(&c->lock);
}

// -- sending ----------------------------------------------------------------------------------------------------------

static void note_damage(struct mlt_courier *c, struct source *s, const struct mlt_spool_damage *d) {
    char text[256];
    (void)snprintf(text, sizeof text, "segment %llu, byte %llu: %s", (unsigned long long)d->segment,
                   (unsigned long long)d->offset, d->why);
    pthread_mutex_lock(&c->lock);
    c->stats.damaged++;
    pthread_mutex_unlock(&c->lock);
    tell(c, MLT_COURIER_DAMAGE, s, text);
}

// Fills the parcel with what comes next. Damage moves the place, and the next turn goes on behind it.
static enum mlt_status load_parcel(struct mlt_courier *c, struct source *s, struct mlt_error *err) {
    enum mlt_spool_found found = MLT_SPOOL_FOUND_NOTHING;
    struct mlt_spool_damage damage;
    mlt_parcel_reset(&s->parcel);
    s->loaded_end = s->sent;
    enum mlt_status status = MLT_OK;
    if (s->memory) {
        mlt_memory_fill(s->memory, s->sent.frame, &s->parcel);
        s->loaded_end.frame = s->sent.frame + s->parcel.num;
    } else {
        const struct mlt_spool_place until = s->writer ? mlt_spool_writer_place(s->writer) : s->orphan->until;
        status = mlt_spool_read(&s->reader, &s->loaded_end, &until, mlt_parcel_take, &s->parcel, &found, &damage, err);
    }
    if (status == MLT_OK && s->parcel.failed && s->parcel.num == 0) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for a batch");
    }
    s->loaded = status == MLT_OK && s->parcel.num > 0;
    if (status == MLT_OK && found == MLT_SPOOL_FOUND_DAMAGE) {
        if (s->orphan) {
            mlt_orphan_damaged(s->orphan, &damage); // its survey has told it
        } else {
            note_damage(c, s, &damage);
        }
        advance(c, s);
    } else if (status == MLT_OK && !s->loaded && s->orphan) {
        // A torn tail, and nothing that could be sent: the stream is at its end.
        s->loaded_end = s->orphan->end;
        advance(c, s);
    }
    return status;
}

static void went_well(struct mlt_courier *c) {
    c->backoff_ns = 0;
    c->not_before = 0;
    pthread_mutex_lock(&c->lock);
    bool was_down = !c->stats.up;
    c->stats.up = true;
    c->stats.error[0] = '\0';
    pthread_mutex_unlock(&c->lock);
    if (was_down) {
        tell(c, MLT_COURIER_UP, NULL, mlt_link_shown(c->link));
    }
}

// Some of everybody's waiting is at random, so that a thousand senders do not come back in the same moment.
static int64_t spread(struct mlt_courier *c, int64_t ns) {
    uint32_t random = 0;
    (void)(c->env->random(c->env, &random, sizeof random, NULL) == MLT_OK);
    return ns / 2 + (int64_t)((uint64_t)ns / 2 * random / UINT32_MAX);
}

static void went_wrong(struct mlt_courier *c, const struct mlt_error *err, int64_t retry_after_s) {
    c->backoff_ns = c->backoff_ns == 0 ? BACKOFF_FIRST_NS : 2 * c->backoff_ns;
    c->backoff_ns = c->backoff_ns > BACKOFF_MAX_NS ? BACKOFF_MAX_NS : c->backoff_ns;
    int64_t asked = (retry_after_s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : retry_after_s) * MLT_NS_PER_S;
    int64_t wait = spread(c, c->backoff_ns);
    c->not_before = mlt_wait_now() + (asked > wait ? asked : wait);
    pthread_mutex_lock(&c->lock);
    bool news = c->stats.up || strncmp(c->stats.error, err->text, sizeof c->stats.error - 1) != 0;
    c->stats.up = false;
    c->stats.failures++;
    (void)snprintf(c->stats.error, sizeof c->stats.error, "%.*s", (int)sizeof c->stats.error - 1, err->text);
    pthread_mutex_unlock(&c->lock);
    if (news) {
        tell(c, MLT_COURIER_DOWN, NULL, err->text);
    }
}

// One turn of one stream.
static void serve(struct mlt_courier *c, struct source *s) {
    struct mlt_error err = {0};
    struct settling g = {c, s};
    struct mlt_deliver d = {.link = c->link, .receipts = c->opt.receipts && !s->orphan, .settled = settle, .arg = &g};
    enum mlt_status status = s->loaded ? MLT_OK : load_parcel(c, s, &err);
    if (status == MLT_OK && s->loaded) {
        status = mlt_deliver(&d, &s->parcel, &err);
        if (status == MLT_OK) {
            went_well(c);
            advance(c, s);
        }
    }
    if (status != MLT_OK) {
        keep_rejected(c, s); // of the part that was settled
        went_wrong(c, &err, d.retry_after_s);
    }
}

// -- dead writers -----------------------------------------------------------------------------------------------------

static void welcome(struct mlt_courier *c, struct mlt_orphan *o) {
    struct mlt_error err = {0};
    if (mlt_orphan_owe(o, &err) != MLT_OK) { // a full or failing disk: it is tried again
        const struct source s = {.stream = o->stream, .dir = o->dir};
        tell(c, MLT_COURIER_TROUBLE, &s, err.text);
        mlt_orphan_free(o);
        return;
    }
    const struct source made = {.orphan = o,
                                .stream = o->stream,
                                .dir = o->dir,
                                .sent = o->at,
                                .persisted = o->at,
                                .waiting_since = mlt_wait_now()};
    struct source *s = add_source(c, &made, &err); // not the first of the list any more, when somebody adds another
    if (!s) {
        mlt_orphan_free(o);
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->stats.adopted++;
    c->adopting = true;
    pthread_mutex_unlock(&c->lock);
    char text[64];
    (void)snprintf(text, sizeof text, "last sequence %llu", (unsigned long long)o->count);
    tell(c, MLT_COURIER_ADOPTED, s, text);
    for (size_t i = 0; i < o->num_damage && i < MLT_ORPHAN_DAMAGE_MAX; i++) {
        note_damage(c, s, &o->damage[i]);
    }
}

// Looks for one; false when every directory was gone through.
static bool adopt_one(struct mlt_courier *c) {
    while (c->adopt_dir < c->opt.num_dirs) {
        struct mlt_orphan *o = NULL;
        struct mlt_error err = {0};
        const struct source where = {.stream = c->adopt_after, .dir = c->dirs[c->adopt_dir]};
        if (mlt_orphan_find(&o, c->env, where.dir, c->adopt_after, &err) != MLT_OK) {
            tell(c, MLT_COURIER_TROUBLE, &where, err.text);
        }
        if (o) {
            memcpy(c->adopt_after, o->stream, sizeof c->adopt_after);
            welcome(c, o);
            return true;
        }
        c->adopt_dir++;
        c->adopt_after[0] = '\0';
    }
    c->adopt_dir = 0;
    return false;
}

// One at a time: the next when this one is done.
static void adopt(struct mlt_courier *c) {
    bool busy = false;
    pthread_mutex_lock(&c->lock);
    for (const struct source *s = c->sources; s; s = s->next) {
        busy = busy || s->orphan;
    }
    pthread_mutex_unlock(&c->lock);
    if (busy) {
        return;
    }
    bool found = adopt_one(c);
    pthread_mutex_lock(&c->lock);
    c->adopted_all = !found;
    pthread_cond_broadcast(&c->progress);
    pthread_mutex_unlock(&c->lock);
    c->next_adoption = found ? 0 : mlt_wait_now() + ADOPT_EVERY_NS;
}

// -- the sending thread -----------------------------------------------------------------------------------------------

// The next stream with something to send or to finish, from the one whose turn it is on. With the lock held.
static struct source *choose(struct mlt_courier *c, int64_t now, int64_t *wake) {
    size_t num = 0;
    for (const struct source *s = c->sources; s; s = s->next) {
        num++;
    }
    struct source *s = c->turn ? c->turn : c->sources;
    for (size_t i = 0; i < num; i++, s = s->next ? s->next : c->sources) {
        bool more = has_more(s);
        if (more && s->waiting_since == 0) {
            s->waiting_since = now;
        }
        int64_t ripe = s->waiting_since + (int64_t)c->opt.linger_ms * MS;
        bool lingers = more && !s->loaded && !c->hurry && !c->stopping && now < ripe && !s->orphan;
        if (lingers) {
            *wake = ripe < *wake ? ripe : *wake;
        } else if (more || ended(s)) {
            c->turn = s->next;
            return s;
        }
    }
    c->turn = NULL;
    return NULL;
}

static bool waited_for(const struct mlt_courier *c) {
    for (const struct source *s = c->sources; s; s = s->next) {
        if (s->sent.frame < s->flush_to) {
            return true;
        }
    }
    return false;
}

// With the lock held: what to do next; NULL after waiting for it. `*end`: nothing any more.
static struct source *next_work(struct mlt_courier *c, bool *end) {
    int64_t now = mlt_wait_now();
    int64_t wake = c->opt.num_dirs > 0 ? c->next_adoption : INT64_MAX;
    c->hurry = c->hurry && waited_for(c);
    c->not_before = c->retry_now ? 0 : c->not_before;
    c->retry_now = false;
    if (c->stopping && now >= c->stop_at) {
        *end = true;
        return NULL;
    }
    int64_t before = wake;
    struct source *s = choose(c, now, &wake);
    bool idle = !s && wake == before;
    bool finishing = s && !has_more(s);
    if (s && (finishing || now >= c->not_before)) {
        return s;
    }
    if (c->stopping && !s) {
        *end = true; // all of it is settled
        return NULL;
    }
    if (s) {
        wake = c->not_before;
        c->turn = s;
    }
    wake = c->stopping && c->stop_at < wake ? c->stop_at : wake;
    if (!c->nudged && wake > now) {
        c->idle = idle;
        (void)mlt_wait_until(&c->work, &c->lock, wake);
        c->idle = false;
    }
    c->nudged = false;
    return NULL;
}

static void *send_loop(void *arg) {
    struct mlt_courier *c = arg;
    bool end = false;
    while (!end) {
        pthread_mutex_lock(&c->lock);
        struct source *s = next_work(c, &end);
        bool stopping = c->stopping;
        pthread_mutex_unlock(&c->lock);
        if (s && has_more(s)) {
            serve(c, s);
        } else if (s) {
            finish_source(c, s);
        } else if (!end && !stopping && mlt_wait_now() >= c->next_adoption) {
            adopt(c);
        }
    }
    pthread_mutex_lock(&c->lock);
    c->sender_done = true;
    pthread_cond_broadcast(&c->progress);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

// -- the syncing thread -----------------------------------------------------------------------------------------------

static void sync_round(struct mlt_courier *c) {
    struct mlt_error err = {0};
    pthread_mutex_lock(&c->guard);
    for (const struct source *s = c->sources; s; s = s->next) {
        if (s->writer && mlt_spool_writer_sync(s->writer, &err) != MLT_OK) {
            tell(c, MLT_COURIER_TROUBLE, s, err.text);
        }
    }
    pthread_mutex_unlock(&c->guard);
}

// Nothing wakes it while nothing is written.
static void *sync_loop(void *arg) {
    struct mlt_courier *c = arg;
    bool end = false;
    while (!end) {
        pthread_mutex_lock(&c->lock);
        while (!c->unsynced && !c->stopping) {
            (void)mlt_wait_until(&c->sync_due, &c->lock, INT64_MAX);
        }
        int64_t until = mlt_wait_now() + (int64_t)c->opt.sync_ms * MS;
        while (!c->stopping && mlt_wait_until(&c->sync_due, &c->lock, until)) {
        }
        end = c->stopping;
        c->unsynced = false;
        pthread_mutex_unlock(&c->lock);
        sync_round(c);
    }
    return NULL;
}

// -- what others ask --------------------------------------------------------------------------------------------------

void mlt_courier_nudge(struct mlt_courier *c) {
    pthread_mutex_lock(&c->lock);
    if (c->idle) { // else it looks by itself: at the end of a linger, of a back-off or of what it sends
        c->idle = false;
        c->nudged = true;
        pthread_cond_signal(&c->work);
    }
    if (!c->unsynced) {
        c->unsynced = true;
        pthread_cond_signal(&c->sync_due);
    }
    pthread_mutex_unlock(&c->lock);
}

bool mlt_courier_flush(struct mlt_courier *c, int64_t until_ns) {
    bool in_time = true;
    pthread_mutex_lock(&c->lock);
    for (struct source *s = c->sources; s; s = s->next) {
        s->flush_to = s->orphan ? 0 : next_frame(s);
    }
    c->hurry = c->retry_now = c->nudged = true;
    pthread_cond_signal(&c->work);
    while (waited_for(c) && in_time) {
        in_time = mlt_wait_until(&c->progress, &c->lock, until_ns);
    }
    bool done = !waited_for(c);
    pthread_mutex_unlock(&c->lock);
    return done;
}

bool mlt_courier_drained(struct mlt_courier *c) {
    pthread_mutex_lock(&c->lock);
    bool drained = c->adopted_all || c->opt.num_dirs == 0;
    for (const struct source *s = c->sources; s; s = s->next) {
        drained = drained && !has_more(s) && !s->orphan;
    }
    pthread_mutex_unlock(&c->lock);
    return drained;
}

bool mlt_courier_space(struct mlt_courier *c, int64_t until_ns) {
    pthread_mutex_lock(&c->lock);
    bool in_time = mlt_wait_until(&c->progress, &c->lock, until_ns);
    pthread_mutex_unlock(&c->lock);
    return in_time;
}

static void add_to_stats(const struct source *s, int64_t now, struct mlt_courier_stats *out) {
    uint64_t next = next_frame(s);
    out->pending += next > s->sent.frame ? next - s->sent.frame : 0;
    if (s->writer) {
        out->bytes += mlt_spool_writer_bytes(s->writer);
        out->lost += mlt_spool_writer_lost(s->writer);
    } else if (s->memory) {
        out->bytes += mlt_memory_bytes(s->memory);
        out->lost += mlt_memory_lost(s->memory);
    } else {
        out->bytes += s->orphan->bytes;
        out->lost += s->orphan->lost;
    }
    if (s->waiting_since > 0 && has_more(s) && now - s->waiting_since > out->oldest_ns) {
        out->oldest_ns = now - s->waiting_since;
    }
}

void mlt_courier_stats(struct mlt_courier *c, struct mlt_courier_stats *out) {
    int64_t now = mlt_wait_now();
    pthread_mutex_lock(&c->lock);
    *out = c->stats;
    out->lost = c->lost_of_ended;
    for (const struct source *s = c->sources; s; s = s->next) {
        add_to_stats(s, now, out);
    }
    pthread_mutex_unlock(&c->lock);
}

// -- beginning and end ------------------------------------------------------------------------------------------------

static enum mlt_status copy_dirs(struct mlt_courier *c, struct mlt_error *err) {
    if (c->opt.num_dirs > MLT_COURIER_DIRS_MAX) {
        return mlt_fail(err, MLT_INVALID, "at most %d directories are looked through", MLT_COURIER_DIRS_MAX);
    }
    c->dirs = calloc(c->opt.num_dirs + 1, sizeof *c->dirs);
    bool whole = c->dirs != NULL;
    for (size_t i = 0; whole && i < c->opt.num_dirs; i++) {
        c->dirs[i] = strdup(c->opt.dirs[i]);
        whole = c->dirs[i] != NULL;
    }
    return whole ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory for a courier");
}

// With all signals blocked: they are the program's business, and its handlers are not to run in our threads.
static enum mlt_status start_threads(struct mlt_courier *c, struct mlt_error *err) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&c->sender, NULL, send_loop, c);
    c->has_sender = rc == 0;
    if (rc == 0 && c->opt.sync_ms > 0) {
        rc = pthread_create(&c->syncer, NULL, sync_loop, c);
        c->has_syncer = rc == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? MLT_OK : mlt_fail_errno(err, rc, NULL, "start a thread");
}

static bool init_conditions(struct mlt_courier *c) {
    pthread_cond_t *const conditions[] = {&c->work, &c->progress, &c->sync_due};
    size_t num = 0;
    while (num < sizeof conditions / sizeof *conditions && mlt_wait_init(conditions[num])) {
        num++;
    }
    if (num == sizeof conditions / sizeof *conditions) {
        return true;
    }
    while (num > 0) {
        pthread_cond_destroy(conditions[--num]);
    }
    return false;
}

static bool init_locks(struct mlt_courier *c) {
    if (pthread_mutex_init(&c->guard, NULL) != 0) {
        return false;
    }
    if (pthread_mutex_init(&c->lock, NULL) == 0) {
        if (init_conditions(c)) {
            return true;
        }
        pthread_mutex_destroy(&c->lock);
    }
    pthread_mutex_destroy(&c->guard);
    return false;
}

enum mlt_status mlt_courier_new(struct mlt_courier **out, struct mlt_env *env, const struct mlt_courier_options *opt,
                                struct mlt_error *err) {
    *out = NULL;
    struct mlt_courier *c = calloc(1, sizeof *c);
    if (!c || !init_locks(c)) {
        free(c);
        return mlt_fail(err, MLT_NOMEM, "no memory for a courier");
    }
    c->env = env;
    c->opt = *opt;
    c->opt.link.stopped = &c->aborted;
    c->stats.up = true;
    enum mlt_status status = copy_dirs(c, err);
    status = status == MLT_OK ? mlt_link_open(&c->link, &c->opt.link, err) : status;
    status = status == MLT_OK ? start_threads(c, err) : status;
    if (status != MLT_OK) {
        (void)mlt_courier_stop(c, 0);
        return status;
    }
    *out = c;
    return MLT_OK;
}

static void end_threads(struct mlt_courier *c, int64_t until_ns) {
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    c->stop_at = until_ns;
    pthread_cond_signal(&c->work);
    pthread_cond_signal(&c->sync_due);
    bool in_time = true;
    while (c->has_sender && !c->sender_done && in_time) {
        in_time = mlt_wait_until(&c->progress, &c->lock, until_ns);
    }
    pthread_mutex_unlock(&c->lock);
    atomic_store(&c->aborted, true);
    if (c->has_sender) {
        pthread_join(c->sender, NULL);
    }
    if (c->has_syncer) {
        pthread_join(c->syncer, NULL);
    }
}

uint64_t mlt_courier_stop(struct mlt_courier *c, int64_t until_ns) {
    uint64_t left = 0;
    if (!c) {
        return 0;
    }
    end_threads(c, until_ns);
    while (c->sources) {
        struct source *s = c->sources;
        struct mlt_error err = {0};
        uint64_t next = next_frame(s);
        left += !s->orphan && next > s->sent.frame ? next - s->sent.frame : 0;
        persist(c, s, true);
        if (s->writer && mlt_spool_writer_sync(s->writer, &err) != MLT_OK) {
            tell(c, MLT_COURIER_TROUBLE, s, err.text);
        }
        c->sources = s->next;
        free_source(s);
    }
    for (size_t i = 0; c->dirs && i < c->opt.num_dirs; i++) {
        free(c->dirs[i]);
    }
    free(c->dirs);
    mlt_link_close(c->link);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->progress);
    pthread_cond_destroy(&c->sync_due);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->guard);
    free(c);
    return left;
}

void mlt_courier_fork_prepare(struct mlt_courier *c) {
    pthread_mutex_lock(&c->lock); // the list of sources is whole in the child
}

void mlt_courier_fork_parent(struct mlt_courier *c) {
    pthread_mutex_unlock(&c->lock);
}

void mlt_courier_fork_child(struct mlt_courier *c) {
    for (struct source *s = c->sources; s; s = s->next) {
        mlt_spool_writer_forget(s->writer);
        if (s->orphan) {
            mlt_orphan_forget(s->orphan);
        }
    }
    pthread_mutex_unlock(&c->lock);
}
