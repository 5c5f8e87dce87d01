// What is told of the witnesses: metrics, readiness, GET /v1/witnesses.
#include <inttypes.h>
#include <stdio.h>

#include "server/metric.h"
#include "server/witnessing_private.h"

static void member_metric(struct mlt_witnessing *w, struct mlt_buf *out, const char *name, const char *type,
                          const char *help, uint64_t (*value)(const struct mlt_ring_status *)) {
    mlt_buf_printf(out, "# HELP mltrail_witness_%s %s\n# TYPE mltrail_witness_%s %s\n", name, help, name, type);
    for (size_t i = 0; i < w->policy.num_witnesses; i++) {
        struct mlt_ring_status is;
        mlt_ring_get(w->ring, i, &is);
        mlt_buf_printf(out, "mltrail_witness_%s{witness=", name);
        mlt_metric_label(out, is.witness->name);
        mlt_buf_printf(out, "} %" PRIu64 "\n", value(&is));
    }
}

static uint64_t is_up(const struct mlt_ring_status *is) {
    return is->state == MLT_RING_OK;
}
static uint64_t size_of(const struct mlt_ring_status *is) {
    return is->cosigned_size;
}
static uint64_t cosigned_of(const struct mlt_ring_status *is) {
    return is->num_cosigned;
}
static uint64_t failed_of(const struct mlt_ring_status *is) {
    return is->num_failed;
}

struct standing {
    struct mlt_ring_result last;
    uint64_t published_size, proven_size;
    bool quorum, tried;
};

static struct standing standing_of(struct mlt_witnessing *w) {
    pthread_mutex_lock(&w->mu);
    struct standing s = {.last = w->last,
                         .published_size = w->published_size,
                         .proven_size = w->proven_size,
                         .quorum = w->published_quorum,
                         .tried = w->tried};
    pthread_mutex_unlock(&w->mu);
    return s;
}

void mlt_witnessing_metrics(struct mlt_witnessing *w, struct mlt_buf *out) {
    if (!w) {
        return;
    }
    struct standing s = standing_of(w);
    mlt_buf_printf(out,
                   "# HELP mltrail_witness_quorum Whether the published checkpoint has the quorum of the policy.\n"
                   "# TYPE mltrail_witness_quorum gauge\nmltrail_witness_quorum %d\n"
                   "# HELP mltrail_proven_size Entries that a checkpoint with the quorum covers.\n"
                   "# TYPE mltrail_proven_size gauge\nmltrail_proven_size %" PRIu64 "\n",
                   s.quorum, s.proven_size);
    member_metric(w, out, "up", "gauge", "Whether the last attempt at the witness gave a cosignature.", is_up);
    member_metric(w, out, "cosigned_size", "gauge", "Largest size that the witness cosigned.", size_of);
    member_metric(w, out, "cosigned_total", "counter", "Cosignatures since the start.", cosigned_of);
    member_metric(w, out, "failed_total", "counter", "Attempts without a cosignature since the start.", failed_of);
}

void mlt_witnessing_ready(struct mlt_witnessing *w, struct mlt_json_writer *out) {
    if (!w) {
        return;
    }
    struct standing s = standing_of(w);
    mlt_jw_name(out, "witnesses");
    mlt_jw_object(out);
    mlt_jw_member(out, "mode", w->require ? "require" : "prefer");
    mlt_jw_member_bool(out, "quorum_met", s.quorum);
    mlt_jw_member_u64(out, "cosigned", s.last.num_cosigned);
    mlt_jw_member_u64(out, "of", s.last.num_witnesses);
    mlt_jw_member_u64(out, "published_size", s.published_size);
    mlt_jw_end_object(out);
}

static void put_u64_or_null(struct mlt_json_writer *out, const char *name, bool there, uint64_t value) {
    mlt_jw_name(out, name);
    there ? mlt_jw_u64(out, value) : mlt_jw_null(out);
}

static void put_witness(struct mlt_json_writer *out, const struct mlt_ring_status *is) {
    char vkey[MLT_VKEY_TEXT_MAX];
    char time[MLT_TIME_TEXT_LEN + 1];
    mlt_vkey_format(vkey, &is->witness->vkey);
    mlt_time_format(time, (int64_t)is->cosigned_at * MLT_NS_PER_S);
    mlt_jw_object(out);
    mlt_jw_member_bytes(out, "name", is->witness->name);
    mlt_jw_member(out, "vkey", vkey);
    if (is->witness->url.len > 0) {
        mlt_jw_member_bytes(out, "url", is->witness->url);
    } else {
        mlt_jw_member(out, "url", NULL);
    }
    mlt_jw_member(out, "state", mlt_ring_state_name(is->state));
    put_u64_or_null(out, "cosigned_size", is->cosigned, is->cosigned_size);
    mlt_jw_member(out, "cosigned_at", is->cosigned ? time : NULL);
    put_u64_or_null(out, "latency_ms", is->latency_ms >= 0, (uint64_t)is->latency_ms);
    mlt_jw_member(out, "last_error", is->last_error[0] ? is->last_error : NULL);
    put_u64_or_null(out, "retry_in_ms", is->retry_in_ms > 0, (uint64_t)is->retry_in_ms);
    mlt_jw_member_u64(out, "cosignatures", is->num_cosigned);
    mlt_jw_member_u64(out, "failures", is->num_failed);
    mlt_jw_end_object(out);
}

static void put_standing(struct mlt_json_writer *out, struct mlt_witnessing *w) {
    struct standing s = standing_of(w);
    char assurance[96];
    (void)snprintf(assurance, sizeof assurance,
                   s.quorum ? "witnessed %zu of %zu" : "self-attested (%zu of %zu cosigned)", s.last.num_cosigned,
                   s.last.num_witnesses);
    mlt_jw_member(out, "mode", w->require ? "require" : "prefer");
    mlt_jw_name(out, "quorum_met");
    s.tried ? mlt_jw_bool(out, s.quorum) : mlt_jw_null(out);
    mlt_jw_member_u64(out, "published_size", s.published_size);
    mlt_jw_member_u64(out, "proven_size", s.proven_size);
    mlt_jw_member(out, "assurance", assurance);
}

void mlt_handle_witnesses(struct mlt_call *call) {
    struct mlt_witnessing *w = call->api->witnessing;
    struct mlt_json_writer out;
    mlt_jw_init(&out, &call->res->body);
    mlt_jw_object(&out);
    if (w) {
        put_standing(&out, w);
    } else {
        mlt_jw_member(&out, "mode", NULL);
        mlt_jw_member(&out, "assurance", "self-attested: the trail has no witness policy");
    }
    mlt_jw_name(&out, "items");
    mlt_jw_array(&out);
    for (size_t i = 0; w && i < w->policy.num_witnesses; i++) {
        struct mlt_ring_status is;
        mlt_ring_get(w->ring, i, &is);
        put_witness(&out, &is);
    }
    mlt_jw_end_array(&out);
    mlt_jw_end_object(&out);
    mlt_call_answer_json(call);
}
