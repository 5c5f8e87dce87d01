#include "cli/anchor.h"

// The facts with those put back that were too long for the entry: `{…}` and `{…}` become one object.
static void join_facts(struct mlt_buf *out, struct mlt_bytes facts, struct mlt_bytes details) {
    if (details.len <= 2 || facts.len <= 2) {
        mlt_buf_put_bytes(out, facts.len > 2 ? facts : details);
        return;
    }
    mlt_buf_put(out, facts.ptr, facts.len - 1);
    mlt_buf_put_str(out, ",");
    mlt_buf_put(out, details.ptr + 1, details.len - 1);
}

void mlt_anchor_item_read(struct mlt_anchor_item *out, struct mlt_arena *arena, const struct mlt_json *json,
                          mlt_json_at item) {
    *out = (struct mlt_anchor_item){0};
    mlt_json_at facts = mlt_json_get(json, mlt_json_get(json, item, "entry"), "facts");
    mlt_json_at details = mlt_json_get(json, item, "details");
    if (!mlt_json_u64(json, mlt_json_get(json, item, "index"), &out->entry) ||
        !mlt_json_is(json, facts, MLT_JSON_OBJECT)) {
        mlt_fail(&out->problem, MLT_CORRUPT, "the answer holds something that is no record");
        return;
    }
    join_facts(&out->text, mlt_json_raw(json, facts),
               details == MLT_JSON_NONE ? mlt_bytes_of(NULL, 0) : mlt_json_raw(json, details));
    if (out->text.failed) {
        mlt_fail(&out->problem, MLT_NOMEM, "out of memory");
    } else if (mlt_json_scan(&out->facts, mlt_buf_bytes(&out->text), &out->problem) == MLT_OK) {
        out->problem.status = mlt_anchor_read(&out->anchor, arena, &out->facts, 0, &out->problem);
    }
}

void mlt_anchor_item_clear(struct mlt_anchor_item *item) {
    mlt_json_clear(&item->facts);
    mlt_buf_clear(&item->text);
    *item = (struct mlt_anchor_item){0};
}
