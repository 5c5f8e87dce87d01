#include "record/spill.h"

#include <stdlib.h>

#include "record/problem.h"

struct fact {
    size_t value_len;
    size_t whole_len; // name, colon, value, comma
    size_t position;  // in the members
};

static int larger_first(const void *a, const void *b) {
    const struct fact *x = a;
    const struct fact *y = b;
    if (x->value_len != y->value_len) {
        return x->value_len < y->value_len ? 1 : -1;
    }
    return x->position < y->position ? -1 : x->position > y->position;
}

enum mlt_status mlt_spill_choose(const struct mlt_members *m, bool *spilled, size_t *num_spilled,
                                 struct mlt_problem *problem) {
    struct fact facts[MLT_RECORD_MEMBERS_MAX];
    size_t num = 0;
    size_t inline_len = 2; // the braces
    *num_spilled = 0;
    for (size_t i = 0; i < m->num; i++) {
        const struct mlt_member_ref *ref = &m->refs[i];
        spilled[i] = false;
        if (!ref->payload) {
            size_t value_len = mlt_json_raw(ref->json, ref->at).len;
            size_t whole_len = mlt_json_raw(ref->json, ref->at - 1).len + value_len + 2;
            facts[num++] = (struct fact){value_len, whole_len, i};
            inline_len += whole_len;
        }
    }
    if (inline_len <= MLT_FACTS_INLINE_MAX) {
        return MLT_OK;
    }
    qsort(facts, num, sizeof(*facts), larger_first);
    size_t details_len = 0;
    for (size_t i = 0; i < num && inline_len > MLT_FACTS_INLINE_MAX; i++) {
        spilled[facts[i].position] = true;
        inline_len -= facts[i].whole_len;
        details_len += facts[i].value_len;
        (*num_spilled)++;
    }
    if (details_len > MLT_DETAILS_MAX) {
        return mlt_problem_set(problem, MLT_LIMIT, "details-too-large", "",
                               "the long facts of the record have %zu bytes together; at most %d are taken",
                               details_len, MLT_DETAILS_MAX);
    }
    return MLT_OK;
}

enum mlt_status mlt_spill_detail(struct mlt_detail *out, struct mlt_arena *arena, const struct mlt_member_ref *ref,
                                 struct mlt_error *err) {
    out->bytes = mlt_arena_copy(arena, mlt_json_raw(ref->json, ref->at));
    if (!out->bytes.ptr) {
        return mlt_fail(err, MLT_NOMEM, "no memory for details");
    }
    mlt_sha256_one(out->hash, out->bytes);
    return MLT_OK;
}
