// What is read of each new entry: that it is one, that `received` never goes back, sequence numbers, links, governance.
#include <inttypes.h>

#include "monitor/monitor_private.h"

static enum mlt_status check_received(struct mlt_monitor *m, uint64_t index, struct mlt_error *err) {
    struct mlt_alarm alarm = {.kind = MLT_ALARM_RECEIVED, .has_index = true, .index = index};
    char before[MLT_TIME_TEXT_LEN + 1];
    char now[MLT_TIME_TEXT_LEN + 1];
    int64_t received = m->entry.received;
    if (index > 0 && received < m->next.received) {
        mlt_time_format(before, m->next.received);
        mlt_time_format(now, received);
        return mlt_monitor_alarm(m, &alarm, err,
                                 "entry %" PRIu64 " was received at %s, the one before at %s: received never goes back "
                                 "(FORMAT.md, Entries)",
                                 index, now, before);
    }
    m->next.received = received;
    return MLT_OK;
}

enum mlt_status mlt_monitor_read_entry(struct mlt_monitor *m, uint64_t index, struct mlt_bytes bytes,
                                       struct mlt_error *err) {
    struct mlt_error why;
    if (m->opt.raw) {
        return MLT_OK;
    }
    mlt_arena_reset(&m->arena);
    enum mlt_status st = mlt_entry_parse_again(&m->entry, &m->arena, bytes, &why);
    if (st == MLT_CORRUPT) {
        struct mlt_alarm alarm = {.kind = MLT_ALARM_FORMAT, .has_index = true, .index = index, .bytes = bytes};
        return mlt_monitor_alarm(m, &alarm, err, "entry %" PRIu64 ": %s", index, why.text);
    }
    if (st) {
        *err = why;
        return st;
    }
    st = check_received(m, index, err);
    if (!st && m->entry.kind && m->entry.kind->kind == MLT_KIND_PREDICTION) {
        st = mlt_monitor_read_sequence(m, index, &m->entry, err);
    }
    st = st ? st : mlt_monitor_read_links(m, index, &m->entry, err);
    return st ? st : mlt_monitor_read_governance(m, index, &m->entry, bytes, err);
}
