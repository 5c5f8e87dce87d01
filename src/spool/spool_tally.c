#include "spool/spool_tally.h"

#include <stdio.h>

#include "record/json.h"

void mlt_spool_tally_put(struct mlt_buf *out, const struct mlt_spool_tally *t) {
    struct mlt_json_writer w;
    char event_id[MLT_SPOOL_STREAM_LEN + 8];
    (void)snprintf(event_id, sizeof event_id, "%s-final", t->stream);
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "kind", "tally");
    mlt_jw_member(&w, "event_id", event_id);
    mlt_jw_member(&w, "timestamp", t->to);
    mlt_jw_member(&w, "source", t->serving_node);
    mlt_jw_member(&w, "counted", "prediction");
    mlt_jw_name(&w, "scope");
    mlt_jw_object(&w);
    mlt_jw_member(&w, "serving_node", t->serving_node);
    mlt_jw_member(&w, "stream", t->stream);
    mlt_jw_end_object(&w);
    mlt_jw_member(&w, "from", t->from);
    mlt_jw_member(&w, "to", t->to);
    mlt_jw_member_u64(&w, "count", t->count);
    if (t->lost > 0) {
        mlt_jw_member_u64(&w, "lost", t->lost);
    }
    mlt_jw_member_bool(&w, "final", true);
    if (t->recovered) {
        mlt_jw_member_bool(&w, "recovered", true);
    }
    mlt_jw_end_object(&w);
}
