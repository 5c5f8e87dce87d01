#include "server/scrub.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/wait.h"
#include "segment/verify.h"
#include "server/api_state.h"
#include "trail/verify.h"

// The first run comes soon after the start, so that a server which is restarted every day is scrubbed, too; not at
// once, when everybody reconnects.
#define FIRST_DELAY_NS (5 * 60 * MLT_NS_PER_S)
#define RETRY_NS (60 * MLT_NS_PER_S)   // after a run that could not be made
#define BUSY_BYTES ((uint64_t)4 << 20) // queued for the committer: appends come faster than they are written
#define BUSY_PAUSE_NS (MLT_NS_PER_S / 10)
#define BUSY_PAUSES_MAX 50           // in a row: under steady load scrubbing goes on, slowly
#define FAULTS_NAMED_MAX 16          // in the record; the rest is counted
#define LEAVES_MAX ((size_t)1 << 19) // 20 MiB of links: a server has other uses for memory than `verify`

// --- pace ---

// Waits, with the lock held, until `at` (monotonic) or a stop; false: stop.
static bool wait_until(struct mlt_scrub *s, int64_t at) {
    while (!s->stop && mlt_wait_until(&s->wake, &s->lock, at)) {
    }
    return !s->stop;
}

static bool wait_while_busy(struct mlt_api *api) {
    struct mlt_scrub *s = &api->scrub;
    struct mlt_trail_stats stats;
    bool go_on = !s->stop;
    for (unsigned i = 0; go_on && i < BUSY_PAUSES_MAX; i++) {
        mlt_trail_get_stats(api->trail, &stats);
        if (stats.queued_bytes < BUSY_BYTES) {
            break;
        }
        go_on = wait_until(s, api->env->monotonic(api->env) + BUSY_PAUSE_NS);
    }
    return go_on;
}

// By now the run should have read no more than the rate allows since it began.
static bool pace(void *arg, uint64_t bytes) {
    struct mlt_api *api = arg;
    struct mlt_scrub *s = &api->scrub;
    pthread_mutex_lock(&s->lock);
    s->run_bytes += bytes;
    s->stats.bytes_total += bytes;
    int64_t due = s->begun + (int64_t)((double)s->run_bytes * (double)MLT_NS_PER_S / (double)s->opt.rate);
    bool go_on = !s->stop;
    if (due > api->env->monotonic(api->env)) {
        go_on = wait_until(s, due);
    }
    go_on = go_on && wait_while_busy(api);
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

// --- what is said of a run ---

static void write_faults(struct mlt_json_writer *w, const struct mlt_verify_report *r) {
    mlt_jw_name(w, "faults");
    mlt_jw_array(w);
    for (uint64_t i = 0; i < r->num_faults && i < FAULTS_NAMED_MAX; i++) {
        const struct mlt_verify_fault *f = &r->faults[i];
        mlt_jw_object(w);
        mlt_jw_member(w, "what", mlt_verify_what_name(f->what));
        mlt_jw_member(w, "file", f->file);
        mlt_jw_name(w, "entry");
        f->has_index ? mlt_jw_u64(w, f->index) : mlt_jw_null(w);
        mlt_jw_end_object(w);
    }
    mlt_jw_end_array(w);
}

// `from` and `to` are when; what was read is everything below `size`.
static enum mlt_status record_run(struct mlt_api *api, const struct mlt_verify_report *r, int64_t from, int64_t took,
                                  struct mlt_error *err) {
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    char when[MLT_TIME_TEXT_LEN + 1];
    mlt_own_begin(&w, &text, api, "control");
    mlt_jw_member(&w, "control", "scrub");
    mlt_time_format(when, from);
    mlt_jw_member(&w, "from", when);
    mlt_time_format(when, from + took);
    mlt_jw_member(&w, "to", when);
    mlt_jw_member_u64(&w, "count", r->num_faults);
    mlt_jw_member_u64(&w, "bytes", r->bytes_read);
    mlt_jw_name(&w, "value");
    mlt_jw_object(&w);
    mlt_jw_member_bool(&w, "verdict", r->verdict);
    mlt_jw_member_u64(&w, "size", r->size);
    mlt_jw_name(&w, "root");
    mlt_jw_hex(&w, mlt_bytes_of(r->root, sizeof r->root));
    mlt_jw_member_u64(&w, "payloads", r->payloads);
    mlt_jw_member_u64(&w, "details", r->details);
    mlt_jw_member_u64(&w, "commitments", r->commitments);
    mlt_jw_member_u64(&w, "milliseconds", (uint64_t)took / 1000000);
    mlt_jw_member_u64(&w, "bytes_per_second",
                      took > 0 ? (uint64_t)((double)r->bytes_read * (double)MLT_NS_PER_S / (double)took) : 0);
    write_faults(&w, r);
    mlt_jw_end_object(&w); // the value
    return mlt_own_end(&w, &text, api, NULL, err);
}

static void print_faults(const struct mlt_verify_report *r) {
    for (uint64_t i = 0; i < r->num_faults && i < FAULTS_NAMED_MAX; i++) {
        (void)fprintf(stderr, "mltrail: serve: scrub found damage: what=%s file=\"%s\" text=\"%s\"\n",
                      mlt_verify_what_name(r->faults[i].what), r->faults[i].file, r->faults[i].text);
    }
    if (r->num_faults > 0) {
        (void)fprintf(stderr, "mltrail: serve: scrub: faults=%" PRIu64 " size=%" PRIu64 "\n", r->num_faults, r->size);
    }
}

// --- runs ---

static void note_end(struct mlt_api *api, const struct mlt_verify_report *r, int64_t took) {
    struct mlt_scrub *s = &api->scrub;
    pthread_mutex_lock(&s->lock);
    s->stats.running = false;
    s->stats.runs++;
    s->stats.faults = r->num_faults;
    s->stats.faults_total += r->num_faults;
    s->stats.size = r->size;
    s->stats.ended = api->env->now(api->env);
    s->stats.took_ns = took;
    pthread_mutex_unlock(&s->lock);
}

static void note_failure(struct mlt_api *api, const struct mlt_error *err) {
    struct mlt_scrub *s = &api->scrub;
    pthread_mutex_lock(&s->lock);
    s->stats.running = false;
    bool stopped = s->stop;
    s->stats.failed += stopped ? 0 : 1;
    pthread_mutex_unlock(&s->lock);
    if (!stopped) {
        (void)fprintf(stderr, "mltrail: serve: scrub could not be made: err=\"%s\"\n", err->text);
    }
}

static bool run_once(struct mlt_api *api) {
    struct mlt_error err = {0};
    struct mlt_verify_report *report = calloc(1, sizeof *report);
    struct mlt_segment_further segments = {
        .env = api->env, .scratch = api->scrub.opt.scratch, .leaves_max = LEAVES_MAX};
    const struct mlt_verify_options opt = {
        .dir = mlt_trail_dir(api->trail),
        .state_dir = mlt_trail_state_dir(api->trail),
        .pin = api->scrub.pin,
        .further = mlt_segment_verify_further,
        .further_arg = &segments,
        .past_cache = true,
        .pace = pace,
        .pace_arg = api,
    };
    int64_t from = api->env->now(api->env);
    enum mlt_status status =
        report ? mlt_verify_trail(api->env, &opt, report, &err) : mlt_fail(&err, MLT_NOMEM, "no memory to scrub");
    int64_t took = api->env->monotonic(api->env) - api->scrub.begun;
    if (status == MLT_OK) {
        report->commitments = segments.report.commitments;
        report->committed = segments.report.covered;
        print_faults(report);
        note_end(api, report, took);
        status = api->raw ? MLT_OK : record_run(api, report, from, took, &err);
    }
    if (status != MLT_OK) {
        note_failure(api, &err);
    }
    free(report);
    return status == MLT_OK;
}

static void *scrub(void *arg) {
    struct mlt_api *api = arg;
    struct mlt_scrub *s = &api->scrub;
    int64_t delay = s->opt.interval_ns < FIRST_DELAY_NS ? s->opt.interval_ns : FIRST_DELAY_NS;
    pthread_mutex_lock(&s->lock);
    while (wait_until(s, api->env->monotonic(api->env) + delay)) {
        s->begun = api->env->monotonic(api->env);
        s->run_bytes = 0;
        s->stats.running = true;
        pthread_mutex_unlock(&s->lock);
        bool made = run_once(api);
        delay = made || s->opt.interval_ns < RETRY_NS ? s->opt.interval_ns : RETRY_NS;
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

enum mlt_status mlt_scrub_start(struct mlt_api *api, const struct mlt_scrub_options *opt, struct mlt_error *err) {
    struct mlt_scrub *s = &api->scrub;
    if (opt->interval_ns <= 0 || api->read_only) {
        return MLT_OK;
    }
    s->opt = *opt;
    s->opt.rate = opt->rate == 0                   ? MLT_SCRUB_RATE_DEFAULT
                  : opt->rate < MLT_SCRUB_RATE_MIN ? MLT_SCRUB_RATE_MIN
                                                   : opt->rate;
    if (pthread_mutex_init(&s->lock, NULL) != 0) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a lock");
    }
    if (!mlt_wait_init(&s->wake)) {
        pthread_mutex_destroy(&s->lock);
        return mlt_fail(err, MLT_NOMEM, "no memory for a lock");
    }
    int failed = pthread_create(&s->thread, NULL, scrub, api);
    if (failed) {
        pthread_cond_destroy(&s->wake);
        pthread_mutex_destroy(&s->lock);
        return mlt_fail_errno(err, failed, NULL, "start a thread");
    }
    s->started = true;
    return MLT_OK;
}

void mlt_scrub_stop(struct mlt_api *api) {
    struct mlt_scrub *s = &api->scrub;
    if (!s->started) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    s->started = false;
}

void mlt_scrub_get_stats(struct mlt_api *api, struct mlt_scrub_stats *out) {
    struct mlt_scrub *s = &api->scrub;
    *out = (struct mlt_scrub_stats){0};
    if (!s->started) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    *out = s->stats;
    pthread_mutex_unlock(&s->lock);
    out->on = true;
}
