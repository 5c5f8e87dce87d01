// GET /healthz and /metrics. The agent is well as long as it takes records; whether the server is there is told beside
// it.
#include "agent/private.h"

void mlt_agent_healthz(struct mlt_agent *a, struct mlt_service_answer *out) {
    struct mlt_courier_stats s;
    struct mlt_json_writer w;
    mlt_courier_stats(a->courier, &s);
    mlt_jw_init(&w, &out->body);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "status", "ok");
    mlt_jw_member_bool(&w, "server_up", s.up);
    mlt_jw_member(&w, "server_error", s.error[0] ? s.error : NULL);
    mlt_jw_member_u64(&w, "pending", s.pending);
    mlt_jw_member_u64(&w, "oldest_s", (uint64_t)(s.oldest_ns / MLT_NS_PER_S));
    mlt_jw_end_object(&w);
    out->status = 200;
    out->content_type = "application/json";
}

static void put(struct mlt_buf *out, const char *name, const char *type, const char *help, uint64_t value) {
    mlt_buf_printf(out, "# HELP mltrail_agent_%s %s\n# TYPE mltrail_agent_%s %s\nmltrail_agent_%s %llu\n", name, help,
                   name, type, name, (unsigned long long)value);
}

void mlt_agent_metrics(struct mlt_agent *a, struct mlt_service_answer *out) {
    struct mlt_courier_stats s;
    struct mlt_buf *b = &out->body;
    mlt_courier_stats(a->courier, &s);
    pthread_mutex_lock(&a->lock);
    size_t streams = a->num_streams;
    pthread_mutex_unlock(&a->lock);
    put(b, "spooled_total", "counter", "Records and requests that were taken from services.", atomic_load(&a->spooled));
    put(b, "refused_total", "counter", "Records and requests that were refused to services.", atomic_load(&a->refused));
    put(b, "dropped_total", "counter", "Of services, dropped because the spool was full.", atomic_load(&a->dropped));
    put(b, "sent_total", "counter", "Accepted by the server, dead writers' streams included.", s.sent);
    put(b, "rejected_total", "counter", "Refused by the server for good, and kept in rejected.ndjson.", s.rejected);
    put(b, "rejected_unkept_total", "counter", "Times that rejected records could not be kept.", s.unkept);
    put(b, "lost_total", "counter", "Prediction numbers that were dropped or cannot be read.", s.lost);
    put(b, "damaged_total", "counter", "Places of spools that could not be read.", s.damaged);
    put(b, "adopted_total", "counter", "Streams of dead writers that were taken over.", s.adopted);
    put(b, "send_failures_total", "counter", "Exchanges with the server that are tried again.", s.failures);
    put(b, "pending", "gauge", "Records and requests that are not at the server.", s.pending);
    put(b, "spool_bytes", "gauge", "Bytes of the spools in use.", s.bytes);
    put(b, "streams", "gauge", "Streams that are written.", streams);
    put(b, "oldest_unsent_seconds", "gauge", "How long the oldest of the pending waits.",
        (uint64_t)(s.oldest_ns / MLT_NS_PER_S));
    put(b, "server_up", "gauge", "Whether the last exchange with the server succeeded.", s.up);
    out->status = 200;
    out->content_type = "text/plain; version=0.0.4; charset=utf-8";
}
