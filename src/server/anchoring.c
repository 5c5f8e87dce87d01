#include "server/anchoring.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/wait.h"
#include "net/post.h"
#include "record/anchor.h"
#include "server/api_state.h"
#include "server/metric.h"

#define ANSWER_TIMEOUT_MS 30000 // an authority signs within seconds; beyond, it is busy and asked again later
#define RETRY_FIRST_MAX_NS (60 * MLT_NS_PER_S) // the first pause: a sixteenth of the interval, at most a minute
#define RETRY_FIRST_PART 16
#define LOOK_AGAIN_NS (5 * MLT_NS_PER_S) // due, but nothing is new: what comes is then stamped soon
#define LAST_ANCHORS_MAX 64              // entries looked at to find when each authority was asked last

#define QUERY_TYPE "application/timestamp-query"
#define REPLY_TYPE "application/timestamp-reply"

struct authority {
    char *url;
    atomic_uint_fast64_t num_anchored, num_failed;
    atomic_int_fast64_t last_gen_time; // 0: none yet
    // Under `asking`.
    int64_t due;           // monotonic
    int64_t pause;         // before the next try after a failure; 0: the last try succeeded
    int64_t failing_since; // monotonic, of the first failure in a row
    int64_t failing_clock; // the same on the wall clock
    uint64_t num_failures; // in a row
    bool told;             // this row of failures is recorded
    bool has_anchored;
    uint64_t anchored_size; // of the checkpoint stamped last
    uint64_t written_then;  // `written` when it was asked
};

struct mlt_anchoring {
    struct mlt_api *api;
    struct authority list[MLT_ANCHORING_MAX];
    size_t num;
    int64_t interval;
    struct mlt_timestamp_roots *roots; // NULL: tokens are stored unchecked against roots
    char roots_digest[8 + 2 * MLT_HASH_LEN];
    void (*log)(void *arg, const char *line);
    void *log_arg;

    pthread_mutex_t asking; // one question at a time; guards `written` and what the authorities keep
    uint64_t written;       // entries that anchoring itself added: they alone are no reason to anchor again

    pthread_t thread;
    bool running;
    pthread_mutex_t lock; // of `stop`
    pthread_cond_t wake;
    bool stop;
    atomic_bool stopped; // the same for an exchange under way
};

static void say(struct mlt_anchoring *an, const char *fmt, ...) MLT_PRINTF(2, 3);
static void say(struct mlt_anchoring *an, const char *fmt, ...) {
    char line[MLT_ERROR_TEXT_LEN];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (an->log) {
        an->log(an->log_arg, line);
    } else {
        (void)fprintf(stderr, "mltrail: %s\n", line);
    }
}

// -- one question -----------------------------------------------------------------------------------------------------

// exchange sends the request and takes the token out of a good answer. Whatever is wrong with the answer is an error
// here: there is no token.
static enum mlt_status exchange(struct mlt_anchoring *an, const struct authority *a,
                                const uint8_t imprint[static MLT_HASH_LEN], struct mlt_buf *token,
                                struct mlt_error *err) {
    uint8_t nonce[MLT_TIMESTAMP_NONCE_LEN];
    char type[MLT_NET_TYPE_LEN];
    struct mlt_buf query = {0}, answer = {0};
    struct mlt_timestamp_verdict verdict = {0};
    int http_status = 0;
    enum mlt_status status = an->api->env->random(an->api->env, nonce, sizeof nonce, err);
    status = status ? status : mlt_timestamp_request(&query, imprint, nonce, err);
    if (status == MLT_OK) {
        const struct mlt_net_options opt = {.url = a->url,
                                            .content_type = QUERY_TYPE,
                                            .body = mlt_buf_bytes(&query),
                                            .timeout_ms = ANSWER_TIMEOUT_MS,
                                            .max_response = MLT_TIMESTAMP_MAX,
                                            .allow_http_loopback = true,
                                            .stopped = &an->stopped};
        status = mlt_net_post(&opt, &http_status, &answer, type, err);
    }
    if (status == MLT_OK && http_status != 200) {
        status = mlt_fail(err, MLT_IO, "it answers with status %d instead of 200", http_status);
    } else if (status == MLT_OK && strcmp(type, REPLY_TYPE) != 0) {
        status = mlt_fail(err, MLT_IO, "it answers with type \"%.64s\" instead of " REPLY_TYPE, type);
    }
    status = status ? status : mlt_timestamp_answer(mlt_buf_bytes(&answer), imprint, nonce, token, &verdict, err);
    if (status == MLT_OK && !verdict.good) {
        status = mlt_fail(err, MLT_IO, "%s", verdict.why);
    }
    mlt_buf_clear(&query);
    mlt_buf_clear(&answer);
    return status;
}

// check_token refuses what the trusted roots do not vouch for: an anchor that nobody believes looks like one.
static enum mlt_status check_token(const struct mlt_anchoring *an, const struct mlt_anchor *anchor,
                                   struct mlt_error *err) {
    struct mlt_timestamp_verdict verdict = {.good = true};
    enum mlt_status status =
        an->roots ? mlt_timestamp_verify(NULL, anchor->token, anchor->says.imprint, an->roots, &verdict, err) : MLT_OK;
    if (status == MLT_OK && !verdict.good) {
        status = mlt_fail(err, MLT_IO, "%s", verdict.why);
    }
    return status;
}

static enum mlt_status record_anchor(struct mlt_anchoring *an, const struct mlt_anchor *anchor, uint64_t *entry,
                                     struct mlt_error *err) {
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    mlt_own_begin(&w, &text, an->api, "anchor");
    mlt_anchor_put(&w, anchor);
    enum mlt_status status = mlt_own_end(&w, &text, an->api, entry, err);
    an->written += status == MLT_OK;
    return status;
}

// stamp has this checkpoint stamped by one authority and records the token.
static enum mlt_status stamp(struct mlt_anchoring *an, struct authority *a, struct mlt_bytes note,
                             const struct mlt_checkpoint *head, uint64_t *entry, struct mlt_error *err) {
    struct mlt_buf token = {0};
    struct mlt_anchor anchor = {.is_timestamp = true,
                                .tree_size = head->size,
                                .checkpoint = note,
                                .url = mlt_str(a->url),
                                .roots = mlt_str(an->roots_digest)};
    uint8_t imprint[MLT_HASH_LEN];
    uint64_t written = an->written;
    memcpy(anchor.root, head->root, sizeof anchor.root);
    mlt_sha256_one(imprint, note);
    enum mlt_status status = exchange(an, a, imprint, &token, err);
    if (status == MLT_OK) {
        anchor.token = mlt_buf_bytes(&token);
        mlt_sha256_one(anchor.token_hash, anchor.token);
        status = mlt_timestamp_read(&anchor.says, anchor.token, err);
    }
    status = status ? status : check_token(an, &anchor, err);
    status = status ? status : record_anchor(an, &anchor, entry, err);
    if (status == MLT_OK) {
        a->has_anchored = true;
        a->anchored_size = head->size;
        a->written_then = written;
        atomic_store(&a->last_gen_time, anchor.says.gen_time);
    }
    mlt_buf_clear(&token);
    return status;
}

// -- success and failure ----------------------------------------------------------------------------------------------

static int64_t now(const struct mlt_anchoring *an) {
    return an->api->env->monotonic(an->api->env);
}

static int64_t first_pause(const struct mlt_anchoring *an) {
    int64_t part = an->interval / RETRY_FIRST_PART;
    return part > RETRY_FIRST_MAX_NS ? RETRY_FIRST_MAX_NS : part > 0 ? part : MLT_NS_PER_S;
}

// tell_failure records an outage that has lasted for an interval.
static void tell_failure(struct mlt_anchoring *an, struct authority *a, const struct mlt_error *problem) {
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    struct mlt_error err = {0};
    char since[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(since, a->failing_clock);
    mlt_own_begin(&w, &text, an->api, "control");
    mlt_jw_member(&w, "control", "anchor-failed");
    mlt_jw_member(&w, "name", a->url);
    mlt_jw_member(&w, "reason", problem->text);
    mlt_jw_member(&w, "from", since);
    mlt_jw_member_u64(&w, "count", a->num_failures);
    if (mlt_own_end(&w, &text, an->api, NULL, &err) == MLT_OK) {
        a->told = true;
        an->written++;
    } else {
        say(an, "anchor: the failure cannot be recorded: err=\"%s\"", err.text);
    }
}

static void note_success(struct mlt_anchoring *an, struct authority *a) {
    atomic_fetch_add(&a->num_anchored, 1);
    a->pause = 0;
    a->num_failures = 0;
    a->told = false;
    a->due = now(an) + an->interval;
}

static void note_failure(struct mlt_anchoring *an, struct authority *a, const struct mlt_error *problem) {
    int64_t at = now(an);
    atomic_fetch_add(&a->num_failed, 1);
    if (a->num_failures++ == 0) {
        a->failing_since = at;
        a->failing_clock = an->api->env->now(an->api->env);
    }
    a->pause = a->pause == 0 ? first_pause(an) : a->pause * 2;
    a->pause = an->interval > 0 && a->pause > an->interval ? an->interval : a->pause;
    a->due = at + a->pause;
    say(an, "anchor: not stamped: url=%s err=\"%s\" again_in_s=%" PRId64, a->url, problem->text,
        a->pause / MLT_NS_PER_S);
    if (an->interval > 0 && !a->told && at - a->failing_since >= an->interval) {
        tell_failure(an, a, problem);
    }
}

// -- which checkpoint -------------------------------------------------------------------------------------------------

// read_head parses the published checkpoint as it lies there: whatever signed it is part of what is stamped.
static enum mlt_status read_head(struct mlt_anchoring *an, struct mlt_buf *note, struct mlt_checkpoint *head,
                                 struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_note parsed;
    enum mlt_status status = mlt_trail_checkpoint(an->api->trail, note, err);
    status = status ? status : mlt_note_parse(&parsed, &arena, mlt_buf_bytes(note), err);
    status = status ? status : mlt_checkpoint_parse(head, parsed.text, err);
    mlt_arena_clear(&arena);
    return status;
}

// has_news: something was logged since the last anchor, apart from what anchoring itself added. The tree of a trail
// that was just made is empty: a stamp on it says nothing.
static bool has_news(const struct mlt_anchoring *an, const struct authority *a, uint64_t size) {
    if (!a->has_anchored) {
        return size > 0;
    }
    return size > a->anchored_size && size - a->anchored_size > an->written - a->written_then;
}

static void ask_scheduled(struct mlt_anchoring *an, struct authority *a) {
    struct mlt_buf note = {0};
    struct mlt_checkpoint head;
    struct mlt_error err = {0};
    uint64_t entry;
    enum mlt_status status = read_head(an, &note, &head, &err);
    if (status == MLT_OK && !has_news(an, a, head.size)) {
        a->due = now(an) + (an->interval < LOOK_AGAIN_NS ? an->interval : LOOK_AGAIN_NS);
    } else {
        status = status ? status : stamp(an, a, mlt_buf_bytes(&note), &head, &entry, &err);
        if (status == MLT_OK) {
            note_success(an, a);
        } else if (status != MLT_BUSY) { // stopped: neither one nor the other
            note_failure(an, a, &err);
        }
    }
    mlt_buf_clear(&note);
}

size_t mlt_anchoring_now(struct mlt_anchoring *an, struct mlt_anchored *out) {
    pthread_mutex_lock(&an->asking);
    for (size_t i = 0; i < an->num; i++) {
        struct authority *a = &an->list[i];
        struct mlt_buf note = {0};
        struct mlt_checkpoint head = {.size = 0};
        out[i] = (struct mlt_anchored){.url = a->url};
        enum mlt_status status = mlt_trail_publish(an->api->trail, &out[i].problem);
        status = status ? status : read_head(an, &note, &head, &out[i].problem);
        status = status ? status : stamp(an, a, mlt_buf_bytes(&note), &head, &out[i].entry, &out[i].problem);
        out[i].done = status == MLT_OK;
        out[i].tree_size = head.size;
        if (status == MLT_OK) {
            note_success(an, a);
        } else {
            atomic_fetch_add(&a->num_failed, 1); // who asked is told; the schedule goes on as it was
        }
        mlt_buf_clear(&note);
    }
    pthread_mutex_unlock(&an->asking);
    return an->num;
}

// -- the schedule -----------------------------------------------------------------------------------------------------

static int64_t next_due(const struct mlt_anchoring *an) {
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < an->num; i++) {
        due = an->list[i].due < due ? an->list[i].due : due;
    }
    return due;
}

static void wait_until(struct mlt_anchoring *an, int64_t due) {
    const int64_t until = mlt_wait_now() + (due - now(an));
    while (!an->stop && mlt_wait_until(&an->wake, &an->lock, until)) {
    }
}

static void *run(void *arg) {
    struct mlt_anchoring *an = arg;
    pthread_mutex_lock(&an->lock);
    while (!an->stop && !atomic_load(&an->stopped)) {
        pthread_mutex_unlock(&an->lock);
        pthread_mutex_lock(&an->asking);
        for (size_t i = 0; i < an->num && !atomic_load(&an->stopped); i++) {
            if (an->list[i].due <= now(an)) {
                ask_scheduled(an, &an->list[i]);
            }
        }
        int64_t due = next_due(an);
        pthread_mutex_unlock(&an->asking);
        pthread_mutex_lock(&an->lock);
        wait_until(an, due);
    }
    pthread_mutex_unlock(&an->lock);
    return NULL;
}

// -- start and stop ---------------------------------------------------------------------------------------------------

static enum mlt_status read_roots(struct mlt_env *env, const char *file, struct mlt_timestamp_roots **out,
                                  char digest[static 8 + 2 * MLT_HASH_LEN], struct mlt_error *err) {
    struct mlt_buf pem = {0};
    uint8_t hash[MLT_HASH_LEN];
    enum mlt_status status = mlt_env_read_file(env, file, MLT_TIMESTAMP_ROOTS_MAX, &pem, err);
    status = status ? status : mlt_timestamp_roots_new(out, mlt_buf_bytes(&pem), err);
    if (status == MLT_OK) {
        mlt_sha256_one(hash, mlt_buf_bytes(&pem));
        (void)snprintf(digest, 8, "sha256:");
        mlt_hex_encode(digest + 7, mlt_bytes_of(hash, sizeof hash));
    } else {
        status = mlt_context(err, status, "%s", file);
    }
    mlt_buf_clear(&pem);
    return status;
}

enum mlt_status mlt_anchoring_check(struct mlt_env *env, const struct mlt_anchoring_options *opt,
                                    struct mlt_error *err) {
    if (opt->num_urls > MLT_ANCHORING_MAX) {
        return mlt_fail(err, MLT_INVALID, "%zu authorities are named; at most %d are asked", opt->num_urls,
                        MLT_ANCHORING_MAX);
    }
    for (size_t i = 0; i < opt->num_urls; i++) {
        enum mlt_status status = mlt_net_url_check(opt->urls[i], true, err);
        if (status != MLT_OK) {
            return status;
        }
    }
    struct mlt_timestamp_roots *roots = NULL;
    char digest[8 + 2 * MLT_HASH_LEN];
    enum mlt_status status = opt->roots_file ? read_roots(env, opt->roots_file, &roots, digest, err) : MLT_OK;
    mlt_timestamp_roots_free(roots);
    return status;
}

// take_up continues where the log says that it stopped: an authority is not asked anew with every start.
static void take_up(struct mlt_anchoring *an, struct authority *a, const struct mlt_anchor *anchor, int64_t ago) {
    a->has_anchored = true;
    a->anchored_size = anchor->tree_size;
    a->due = now(an) + (ago < 0 ? 0 : ago > an->interval ? 0 : an->interval - ago);
    atomic_store(&a->last_gen_time, anchor->says.gen_time);
}

static void read_last(struct mlt_anchoring *an, struct mlt_source *src, uint64_t index) {
    struct mlt_arena arena = {0};
    struct mlt_bytes bytes;
    struct mlt_entry entry = {0};
    struct mlt_anchor anchor;
    if (src->entry(src->ctx, index, &arena, &bytes, NULL) == MLT_OK &&
        mlt_entry_parse(&entry, &arena, bytes, NULL) == MLT_OK &&
        mlt_anchor_read(&anchor, &arena, &entry.json, entry.facts, NULL) == MLT_OK && anchor.is_timestamp) {
        for (size_t i = 0; i < an->num; i++) {
            struct authority *a = &an->list[i];
            if (!a->has_anchored && mlt_bytes_is(anchor.url, a->url)) {
                take_up(an, a, &anchor, an->api->env->now(an->api->env) - entry.received);
            }
        }
    }
    mlt_entry_clear(&entry);
    mlt_arena_clear(&arena);
}

// find_last reads the newest anchors. Without them an authority is only asked a little early.
static void find_last(struct mlt_anchoring *an) {
    struct mlt_head head;
    struct mlt_source src;
    struct mlt_term term;
    const struct mlt_bytes kind = mlt_str("anchor");
    uint64_t found[LAST_ANCHORS_MAX];
    size_t num = 0;
    bool more = false;
    mlt_trail_head(an->api->trail, &head);
    if (mlt_index_source(an->api->index, head.size, false, &src, NULL) != MLT_OK) {
        return;
    }
    mlt_source_term(&src, &term, MLT_DIM_KIND, &kind, 1);
    if (src.find(src.ctx, &term, 1, UINT64_MAX, true, LAST_ANCHORS_MAX, found, &num, NULL, &more, NULL) == MLT_OK) {
        for (size_t i = 0; i < num; i++) {
            read_last(an, &src, found[i]);
        }
    }
    mlt_index_source_clear(&src);
}

static bool init_locks(struct mlt_anchoring *an) {
    return pthread_mutex_init(&an->asking, NULL) == 0 && pthread_mutex_init(&an->lock, NULL) == 0 &&
           mlt_wait_init(&an->wake);
}

static enum mlt_status prepare(struct mlt_anchoring *an, const struct mlt_anchoring_options *opt,
                               struct mlt_error *err) {
    for (size_t i = 0; i < opt->num_urls; i++) {
        an->list[i].url = strdup(opt->urls[i]);
        if (!an->list[i].url) {
            return mlt_fail(err, MLT_NOMEM, "no memory for a URL");
        }
        an->num++;
    }
    enum mlt_status status =
        opt->roots_file ? read_roots(an->api->env, opt->roots_file, &an->roots, an->roots_digest, err) : MLT_OK;
    if (status == MLT_OK && an->interval > 0) {
        find_last(an);
        int rc = pthread_create(&an->thread, NULL, run, an);
        an->running = rc == 0;
        status = rc == 0 ? MLT_OK : mlt_fail_errno(err, rc, NULL, "start a thread");
    }
    return status;
}

enum mlt_status mlt_anchoring_start(struct mlt_anchoring **out, struct mlt_api *api,
                                    const struct mlt_anchoring_options *opt, struct mlt_error *err) {
    *out = NULL;
    enum mlt_status status = mlt_anchoring_check(api->env, opt, err);
    if (status != MLT_OK) {
        return status;
    }
    if (api->raw) {
        return mlt_fail(err, MLT_INVALID,
                        "a raw trail holds no records, so none about anchors; stamp its checkpoints "
                        "from outside");
    }
    struct mlt_anchoring *an = calloc(1, sizeof *an);
    if (!an || !init_locks(an)) {
        free(an);
        return mlt_fail(err, MLT_NOMEM, "no memory for anchoring");
    }
    an->api = api;
    an->interval = opt->interval_ns;
    an->log = opt->log;
    an->log_arg = opt->log_arg;
    status = prepare(an, opt, err);
    if (status != MLT_OK) {
        mlt_anchoring_stop(an);
        return status;
    }
    *out = an;
    return MLT_OK;
}

void mlt_anchoring_interrupt(struct mlt_anchoring *an) {
    if (an) {
        atomic_store(&an->stopped, true);
    }
}

void mlt_anchoring_stop(struct mlt_anchoring *an) {
    if (!an) {
        return;
    }
    mlt_anchoring_interrupt(an);
    if (an->running) {
        pthread_mutex_lock(&an->lock);
        an->stop = true;
        pthread_cond_signal(&an->wake);
        pthread_mutex_unlock(&an->lock);
        pthread_join(an->thread, NULL);
    }
    for (size_t i = 0; i < an->num; i++) {
        free(an->list[i].url);
    }
    mlt_timestamp_roots_free(an->roots);
    pthread_mutex_destroy(&an->asking);
    pthread_mutex_destroy(&an->lock);
    pthread_cond_destroy(&an->wake);
    free(an);
}

// -- metrics ----------------------------------------------------------------------------------------------------------

static void put_label(struct mlt_buf *out, const char *name, const char *url) {
    mlt_buf_printf(out, "mltrail_%s{authority=", name);
    mlt_metric_label(out, mlt_str(url));
    mlt_buf_put_str(out, "} ");
}

void mlt_anchoring_metrics(struct mlt_anchoring *an, struct mlt_buf *out) {
    if (!an) {
        return;
    }
    mlt_buf_put_str(out, "# HELP mltrail_anchors_total Checkpoints stamped since the start.\n"
                         "# TYPE mltrail_anchors_total counter\n");
    for (size_t i = 0; i < an->num; i++) {
        put_label(out, "anchors_total", an->list[i].url);
        mlt_buf_printf(out, "%" PRIu64 "\n", (uint64_t)atomic_load(&an->list[i].num_anchored));
    }
    mlt_buf_put_str(out, "# HELP mltrail_anchor_failures_total Times that an authority gave no good token.\n"
                         "# TYPE mltrail_anchor_failures_total counter\n");
    for (size_t i = 0; i < an->num; i++) {
        put_label(out, "anchor_failures_total", an->list[i].url);
        mlt_buf_printf(out, "%" PRIu64 "\n", (uint64_t)atomic_load(&an->list[i].num_failed));
    }
    mlt_buf_put_str(out, "# HELP mltrail_anchor_time_seconds When the newest anchor was stamped; 0: none yet.\n"
                         "# TYPE mltrail_anchor_time_seconds gauge\n");
    for (size_t i = 0; i < an->num; i++) {
        put_label(out, "anchor_time_seconds", an->list[i].url);
        mlt_buf_printf(out, "%" PRId64 "\n", (int64_t)atomic_load(&an->list[i].last_gen_time) / MLT_NS_PER_S);
    }
}
