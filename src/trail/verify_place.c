// Going on where an earlier verification stopped. What that one verified is bound by its frontier: the tree grows out
// of it, and the root that comes out in the end is held against the signed one. So nothing that was taken up is
// believed that the signed root does not cover; what lies in the files below that place is not read again.
#include <stdlib.h>

#include "trail/verify_private.h"

void mlt_verify_state_clear(struct mlt_verify_state *s) {
    mlt_buf_clear(&s->erased_indexes);
    mlt_buf_clear(&s->erasures);
    free(s->faults);
    *s = (struct mlt_verify_state){0};
}

static enum mlt_status conflict(struct mlt_error *err, const char *what) {
    return mlt_fail(err, MLT_CONFLICT, "the state of an earlier verification does not fit: %s", what);
}

// The place must lie in this trail: the same key, and a tree that still has what was verified.
static enum mlt_status check_place(const struct mlt_verify *v, const struct mlt_verify_state *s,
                                   const struct mlt_vkey *key, struct mlt_error *err) {
    uint8_t verified[MLT_HASH_LEN];
    if (!mlt_vkey_equal(key, &s->key)) {
        return conflict(err, "it is of a trail with another key");
    }
    if (s->frontier.size > v->mark.size) {
        return conflict(err, "the trail is shorter now than what was verified of it");
    }
    mlt_frontier_root(&s->frontier, verified);
    if (!mlt_verify_has_root(v, s->frontier.size, verified)) {
        return conflict(err, "the trail no longer has the tree that was verified");
    }
    return MLT_OK;
}

static void forget_records(struct mlt_verify_state *s) {
    s->records = s->records_at = s->payload_end = 0;
    s->payloads = s->erased = s->details = 0;
    mlt_buf_reset(&s->erased_indexes);
    mlt_buf_reset(&s->erasures);
}

static void take_up_faults(struct mlt_verify *v, const struct mlt_verify_state *s) {
    struct mlt_verify_report *r = v->report;
    for (uint64_t i = 0; i < s->num_faults; i++) {
        if (i < MLT_VERIFY_FAULTS_MAX && r->num_faults < MLT_VERIFY_FAULTS_MAX) {
            r->faults[r->num_faults] = s->faults[i];
        }
        r->num_faults++;
    }
    r->verdict = r->verdict && s->num_faults == 0;
}

enum mlt_status mlt_verify_take_up(struct mlt_verify *v, const struct mlt_vkey *key, struct mlt_error *err) {
    struct mlt_verify_state *s = v->opt->state;
    v->state = s;
    v->faults_before = v->report->num_faults;
    if (!s->faults) {
        s->faults = calloc(MLT_VERIFY_FAULTS_MAX, sizeof(*s->faults));
        if (!s->faults) {
            return mlt_fail(err, MLT_NOMEM, "no memory to verify");
        }
    }
    if (s->frontier.size == 0) {
        forget_records(s);
        s->key = *key;
        s->at = s->num_faults = 0;
        s->payloads_checked = v->report->payloads_checked;
        return MLT_OK;
    }
    enum mlt_status st = check_place(v, s, key, err);
    if (st) {
        return st;
    }
    if (v->report->payloads_checked && !s->payloads_checked) {
        forget_records(s); // they were left sealed
    }
    s->payloads_checked = v->report->payloads_checked;
    v->report->payloads = s->payloads;
    v->report->erased = s->erased;
    v->report->details = s->details;
    take_up_faults(v, s);
    mlt_buf_put_bytes(&v->erased, mlt_buf_bytes(&s->erased_indexes));
    mlt_buf_put_bytes(&v->erasures, mlt_buf_bytes(&s->erasures));
    v->state_erased = v->erased.len;
    v->state_erasures = v->erasures.len;
    return v->erased.failed || v->erasures.failed ? mlt_fail(err, MLT_NOMEM, "no memory for erasures") : MLT_OK;
}

void mlt_verify_note_counts(struct mlt_verify *v) {
    const struct mlt_verify_report *r = v->report;
    struct mlt_verify_state *s = v->state;
    uint64_t known = s->num_faults;
    s->payloads = r->payloads;
    s->erased = r->erased;
    s->details = r->details;
    s->num_faults = r->num_faults - v->faults_before;
    for (uint64_t i = known; i < s->num_faults && v->faults_before + i < MLT_VERIFY_FAULTS_MAX; i++) {
        s->faults[i] = r->faults[v->faults_before + i];
    }
    v->state_erased = v->erased.len;
    v->state_erasures = v->erasures.len;
}

enum mlt_status mlt_verify_leave_off(struct mlt_verify *v, struct mlt_error *err) {
    struct mlt_verify_state *s = v->state;
    mlt_buf_reset(&s->erased_indexes);
    mlt_buf_reset(&s->erasures);
    mlt_buf_put(&s->erased_indexes, v->erased.data, v->state_erased);
    mlt_buf_put(&s->erasures, v->erasures.data, v->state_erasures);
    return s->erased_indexes.failed || s->erasures.failed ? mlt_fail(err, MLT_NOMEM, "no memory for erasures") : MLT_OK;
}
