#include "record/members.h"

#include <assert.h>
#include <stdlib.h>

#define INSERTION_MAX 24 // up to here shifting pointers costs less than calling qsort

void mlt_members_begin(struct mlt_members *m, const struct mlt_kind_info *kind, struct mlt_bytes kind_name) {
    m->kind = kind;
    m->kind_name = kind_name;
    m->num = 0;
    m->has_time = false;
    memset(m->by_info, 0, sizeof(m->by_info));
}

struct mlt_member_ref *mlt_members_add(struct mlt_members *m, struct mlt_bytes name, const struct mlt_json *json,
                                       mlt_json_at at) {
    assert(m->num < MLT_RECORD_MEMBERS_MAX);
    struct mlt_member_ref *ref = &m->refs[m->num++];
    *ref = (struct mlt_member_ref){.name = name, .json = json, .at = at};
    if (m->kind) {
        ref->info = mlt_kind_member(m->kind, name);
    }
    if (ref->info) {
        m->by_info[ref->info - m->kind->members] = (uint16_t)m->num;
    }
    return ref;
}

const struct mlt_member_ref *mlt_members_find_bytes(const struct mlt_members *m, struct mlt_bytes name) {
    const struct mlt_member_ref *found = NULL;
    if (m->kind) {
        const struct mlt_member *info = mlt_kind_member(m->kind, name);
        size_t at = info ? m->by_info[info - m->kind->members] : 0;
        found = at > 0 ? &m->refs[at - 1] : NULL;
    } else {
        for (size_t i = 0; i < m->num && !found; i++) {
            found = mlt_bytes_equal(m->refs[i].name, name) ? &m->refs[i] : NULL;
        }
    }
    return found && !mlt_json_is(found->json, found->at, MLT_JSON_NULL) ? found : NULL;
}

void mlt_members_read_time(struct mlt_members *m, struct mlt_arena *scratch) {
    const struct mlt_member_ref *ref = mlt_members_find(m, "timestamp");
    m->has_time = ref && mlt_time_parse(&m->time, mlt_json_string(ref->json, ref->at, scratch));
}

static int by_name(const void *a, const void *b) {
    const struct mlt_member_ref *const *x = a;
    const struct mlt_member_ref *const *y = b;
    return mlt_bytes_compare((*x)->name, (*y)->name);
}

static bool is_before(struct mlt_bytes a, struct mlt_bytes b) {
    if (a.len > 0 && b.len > 0 && a.ptr[0] != b.ptr[0]) {
        return a.ptr[0] < b.ptr[0]; // decides most of the time, without a call
    }
    return mlt_bytes_compare(a, b) < 0;
}

void mlt_members_sort(const struct mlt_members *m, const struct mlt_member_ref **order) {
    if (m->num > INSERTION_MAX) {
        for (size_t i = 0; i < m->num; i++) {
            order[i] = &m->refs[i];
        }
        qsort(order, m->num, sizeof(const struct mlt_member_ref *), by_name);
        return;
    }
    for (size_t i = 0; i < m->num; i++) {
        size_t at = i;
        for (; at > 0 && is_before(m->refs[i].name, order[at - 1]->name); at--) {
            order[at] = order[at - 1];
        }
        order[at] = &m->refs[i];
    }
}
