// Health and metrics.
#include <inttypes.h>

#include "server/anchoring.h"
#include "server/api_state.h"
#include "server/forwarding.h"
#include "server/segmenting.h"
#include "server/witnessing.h"

void mlt_handle_healthz(struct mlt_call *call) {
    mlt_buf_put_str(&call->res->body, "ok\n");
    mlt_call_answer_json(call);
}

// Damage does not make it less ready: what comes in is needed all the more. Whoever watches sees it here.
static void write_scrub_state(struct mlt_json_writer *w, struct mlt_api *api) {
    struct mlt_scrub_stats s;
    mlt_scrub_get_stats(api, &s);
    if (s.on) {
        mlt_jw_member_u64(w, "scrub_faults", s.faults);
        mlt_jw_member_u64(w, "scrub_size", s.size);
    }
}

// Ready means that an append would be taken: opened, and space above the reserve.
void mlt_handle_readyz(struct mlt_call *call) {
    struct mlt_trail_stats stats;
    mlt_trail_get_stats(call->api->trail, &stats);
    struct mlt_json_writer w;
    mlt_jw_init(&w, &call->res->body);
    mlt_jw_object(&w);
    mlt_jw_member_bool(&w, "ready", !call->api->read_only);
    mlt_jw_member_u64(&w, "tree_size", stats.size);
    mlt_jw_member_u64(&w, "free_bytes", stats.free_bytes);
    // Public by nature; a first use of `mltrail verify URL` shows it to the user and asks, as ssh does.
    char vkey[MLT_VKEY_TEXT_MAX];
    mlt_vkey_format(vkey, mlt_trail_vkey(call->api->trail));
    mlt_jw_member(&w, "vkey", vkey);
    mlt_witnessing_ready(call->api->witnessing, &w);
    write_scrub_state(&w, call->api);
    mlt_jw_end_object(&w);
    if (mlt_call_answer_json(call) && call->api->read_only) {
        mlt_answer_problem(call->res, 503, "read-only", NULL,
                           "the trail is open for reading only; it takes no records");
    }
}

static void metric(struct mlt_buf *out, const char *name, const char *type, const char *help, uint64_t value) {
    mlt_buf_printf(out, "# HELP mltrail_%s %s\n# TYPE mltrail_%s %s\nmltrail_%s %" PRIu64 "\n", name, help, name, type,
                   name, value);
}

static void metric_seconds(struct mlt_buf *out, const char *name, const char *help, int64_t ns) {
    mlt_buf_printf(out, "# HELP mltrail_%s %s\n# TYPE mltrail_%s gauge\nmltrail_%s %.3f\n", name, help, name, name,
                   (double)ns / 1e9);
}

static void write_scrub(struct mlt_buf *out, struct mlt_api *api) {
    struct mlt_scrub_stats s;
    mlt_scrub_get_stats(api, &s);
    if (!s.on) {
        return;
    }
    metric(out, "scrub_running", "gauge", "1 while the trail is being scrubbed.", s.running);
    metric(out, "scrub_runs_total", "counter", "Scrubs finished since the start.", s.runs);
    metric(out, "scrub_failed_total", "counter", "Scrubs that could not be made.", s.failed);
    metric(out, "scrub_faults", "gauge", "Faults that the last scrub found.", s.faults);
    metric(out, "scrub_faults_total", "counter", "Faults that scrubs found since the start.", s.faults_total);
    metric(out, "scrub_size", "gauge", "Entries that the last scrub checked.", s.size);
    metric(out, "scrub_bytes_total", "counter", "Bytes that scrubs read.", s.bytes_total);
    metric_seconds(out, "scrub_last_end_seconds", "When the last scrub ended, seconds since 1970; 0: none yet.",
                   s.ended);
    metric_seconds(out, "scrub_last_duration_seconds", "How long the last scrub took.", s.took_ns);
}

static void write_requests(struct mlt_buf *out, struct mlt_metrics *m) {
    mlt_buf_put_str(out, "# HELP mltrail_http_requests_total Requests answered.\n"
                         "# TYPE mltrail_http_requests_total counter\n");
    for (size_t i = 0; i <= mlt_num_routes; i++) {
        for (unsigned class = 1; class < MLT_STATUS_CLASSES; class ++) {
            uint64_t n = atomic_load(&m->requests[i][class]);
            if (n > 0) {
                const char *id = i < mlt_num_routes ? mlt_routes[i].id : "none";
                mlt_buf_printf(out, "mltrail_http_requests_total{route=\"%s\",code=\"%uxx\"} %" PRIu64 "\n", id, class,
                               n);
            }
        }
    }
}

void mlt_handle_metrics(struct mlt_call *call) {
    struct mlt_buf *out = &call->res->body;
    struct mlt_metrics *m = &call->api->metrics;
    struct mlt_trail_stats s;
    mlt_trail_get_stats(call->api->trail, &s);
    metric(out, "tree_size", "gauge", "Entries in the log.", s.size);
    metric(out, "published_size", "gauge", "Entries that the published checkpoint covers.", s.published_size);
    metric(out, "groups_total", "counter", "Groups committed since the start.", s.groups);
    metric(out, "journal_syncs_total", "counter", "Synced journal writes since the start.", s.journal_syncs);
    metric(out, "queued_bytes", "gauge", "Bytes that wait for the committer.", s.queued_bytes);
    metric(out, "free_bytes", "gauge", "Free bytes on the trail's file system.", s.free_bytes);
    mlt_buf_printf(out,
                   "# HELP mltrail_last_group_seconds From the first record queued to the acknowledgement.\n"
                   "# TYPE mltrail_last_group_seconds gauge\nmltrail_last_group_seconds %.9f\n",
                   (double)s.last_group_ns / 1e9);
    metric(out, "records_accepted_total", "counter", "Records appended.", atomic_load(&m->accepted));
    metric(out, "records_duplicate_total", "counter", "Records that were there already.", atomic_load(&m->duplicates));
    metric(out, "records_rejected_total", "counter", "Records rejected.", atomic_load(&m->rejected));
    metric(out, "refused_total", "counter", "Attempts without the grant for them.", atomic_load(&m->refused));
    if (call->api->index) {
        struct mlt_index_stats i;
        mlt_index_get_stats(call->api->index, &i);
        metric(out, "index_watermark", "gauge", "Entries that the index files answer for.", i.watermark);
        metric(out, "index_in_memory", "gauge", "Names of the index that are in memory only.", i.in_memory);
    }
    if (call->api->segmenting) {
        metric(out, "segments_covered", "gauge", "Entries whose links the log commits to.",
               mlt_segmenting_covered(call->api->segmenting));
    }
    mlt_witnessing_metrics(call->api->witnessing, out);
    mlt_anchoring_metrics(call->api->anchoring, out);
    mlt_forwarding_metrics(call->api->forwarding, out);
    write_scrub(out, call->api);
    write_requests(out, m);
    mlt_call_answer_json(call);
}
