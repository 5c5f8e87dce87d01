// anchors/N.tst and anchors/N.checkpoint: the time-stamp token that anchor entry N holds, and what it stamps, as files
// for tools that know neither entries nor JSON.
#include "bundle/bundle_anchors.h"

#include <stdio.h>

#include "bundle/bundle_read.h"

bool mlt_bundle_anchor_read(struct mlt_anchor *out, struct mlt_bytes entry, const struct mlt_detail_source *details,
                            struct mlt_arena *arena) {
    struct mlt_entry e = {0};
    struct mlt_json facts = {0};
    struct mlt_bytes text;
    bool is = mlt_entry_parse(&e, arena, entry, NULL) == MLT_OK && e.kind && e.kind->kind == MLT_KIND_ANCHOR &&
              mlt_entry_facts(&e, details, arena, &text, NULL) == MLT_OK;
    // What the anchor says is borrowed from the text, which is the entry's or in the arena.
    is = is && mlt_json_scan(&facts, text, NULL) == MLT_OK && mlt_anchor_read(out, arena, &facts, 0, NULL) == MLT_OK &&
         out->is_timestamp && out->token.len > 0 && out->checkpoint.len > 0;
    mlt_json_clear(&facts);
    mlt_entry_clear(&e);
    return is;
}

// --- verifying ---

static void compare_file(struct mlt_bundle_reading *r, uint64_t entry, const char *suffix, struct mlt_bytes want) {
    char name[MLT_BUNDLE_NAME_LEN];
    (void)snprintf(name, sizeof(name), "anchors/%llu.%s", (unsigned long long)entry, suffix);
    const struct mlt_bundle_member *m = mlt_bundle_member_need(r, name);
    if (m && !mlt_bytes_equal(m->data, want)) {
        mlt_bundle_fault(r, name, "is not what entry %llu holds", (unsigned long long)entry);
    }
}

static void check_anchor(struct mlt_bundle_reading *r, const struct mlt_bundle_read_entry *e,
                         struct mlt_bundle_stamp *out) {
    const struct mlt_source src = mlt_bundle_read_source(r);
    const struct mlt_detail_source details = {src.ctx, src.detail, false};
    struct mlt_timestamp_verdict verdict;
    if (!mlt_bundle_anchor_read(&out->anchor, e->bytes, &details, r->arena)) {
        return;
    }
    out->entry = e->index;
    r->report->num_stamps++;
    compare_file(r, e->index, "tst", out->anchor.token);
    compare_file(r, e->index, "checkpoint", out->anchor.checkpoint);
    // Of whichever name the log had when it was stamped: that the stamped tree grew into this one is proved (below).
    if (mlt_anchor_judge(&out->anchor, NULL, NULL, &verdict, NULL) != MLT_OK || !verdict.good) {
        char name[MLT_BUNDLE_NAME_LEN];
        (void)snprintf(name, sizeof(name), "entries/%llu.json", (unsigned long long)e->index);
        mlt_bundle_fault(r, name, "its time stamp is not for its checkpoint: %s", verdict.why);
    }
}

static void copy_bound(struct mlt_bundle_reading *r, mlt_json_at bounds, const char *name, char *out, size_t cap) {
    const struct mlt_json *j = &r->dossier;
    mlt_bundle_copy_text(out, cap,
                         mlt_json_string(j, mlt_json_get(j, mlt_json_get(j, bounds, name), "time"), r->arena));
}

// The bounds of the served prediction, as the dossier has them; it was made again, so they follow from the anchors.
static void read_bounds(struct mlt_bundle_reading *r) {
    const struct mlt_json *j = &r->dossier;
    const mlt_json_at predictions = mlt_json_get(j, 0, "predictions");
    const mlt_json_at list = mlt_json_get(j, mlt_json_get(j, 0, "integrity"), "entries");
    uint64_t served = UINT64_MAX, index;
    for (mlt_json_at p = mlt_json_first(j, predictions); p != MLT_JSON_NONE; p = mlt_json_next(j, predictions, p)) {
        if (mlt_json_is(j, mlt_json_get(j, p, "served"), MLT_JSON_TRUE)) {
            (void)mlt_json_u64(j, mlt_json_get(j, p, "entry"), &served);
        }
    }
    for (mlt_json_at e = mlt_json_first(j, list); e != MLT_JSON_NONE; e = mlt_json_next(j, list, e)) {
        if (mlt_json_u64(j, mlt_json_get(j, e, "index"), &index) && index == served) {
            const mlt_json_at bounds = mlt_json_get(j, e, "time_bounds");
            copy_bound(r, bounds, "not_before", r->report->not_before, sizeof(r->report->not_before));
            copy_bound(r, bounds, "not_after", r->report->not_after, sizeof(r->report->not_after));
        }
    }
}

enum mlt_status mlt_bundle_check_anchors(struct mlt_bundle_reading *r) {
    r->report->stamps = mlt_arena_zero(r->arena, (r->num_entries + 1) * sizeof(*r->report->stamps));
    if (!r->report->stamps) {
        return mlt_fail(r->err, MLT_NOMEM, "no memory for anchors");
    }
    for (size_t i = 0; i < r->num_entries; i++) {
        check_anchor(r, &r->entries[i], &r->report->stamps[r->report->num_stamps]);
    }
    if (r->report->num_faults == 0) {
        read_bounds(r);
    }
    return MLT_OK;
}
