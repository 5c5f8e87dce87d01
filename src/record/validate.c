#include "record/validate.h"

#include <stdio.h>

#include "record/check.h"
#include "record/problem.h"

#define KIND_NAME_MAX 64 // bytes; it stands in every entry
#define NEAR_KIND 3      // letters that a misspelt kind may be off
#define NEAR_MEMBER 2    // and a member: their names are shorter

static enum mlt_status refuse_kind(struct mlt_bytes name, struct mlt_problem *p) {
    const char *nearest = NULL;
    unsigned least = NEAR_KIND + 1;
    for (int k = 0; k < MLT_KIND_CONTROL; k++) {
        const char *candidate = mlt_kind_info((enum mlt_kind)k)->name;
        unsigned distance = mlt_name_distance(name, candidate);
        if (distance < least) {
            least = distance;
            nearest = candidate;
        }
    }
    char shown[MLT_SHOWN_LEN];
    mlt_problem_show(shown, name);
    if (nearest) {
        return mlt_problem_set(p, MLT_INVALID, "unknown-kind", "/kind",
                               "\"%s\" is no kind of record; did you mean \"%s\"?", shown, nearest);
    }
    return mlt_problem_set(p, MLT_INVALID, "unknown-kind", "/kind",
                           "\"%s\" is no kind of record; prediction, dataset.version, training.run, model.version, "
                           "approval, transition, access and others are, and kinds of your own begin with \"x-\"",
                           shown);
}

static enum mlt_status find_kind(struct mlt_members *out, const struct mlt_json *json, const char *default_kind,
                                 bool own, struct mlt_arena *scratch, struct mlt_problem *p) {
    mlt_json_at at = mlt_json_get(json, 0, "kind");
    if (at == MLT_JSON_NONE && !default_kind) {
        return mlt_problem_set(p, MLT_INVALID, "missing-kind", "/kind",
                               "kind is required; \"kind\":\"prediction\" for instance");
    }
    if (at != MLT_JSON_NONE && !mlt_json_is(json, at, MLT_JSON_STRING)) {
        return mlt_problem_set(p, MLT_INVALID, "wrong-type", "/kind", "kind must be a string, not %s",
                               mlt_json_type_words(json, at));
    }
    struct mlt_bytes name = at == MLT_JSON_NONE ? mlt_str(default_kind) : mlt_json_string(json, at, scratch);
    const struct mlt_kind_info *kind = mlt_kind_find(name);
    if (!kind) {
        return refuse_kind(name, p);
    }
    if (name.len > KIND_NAME_MAX) {
        return mlt_problem_set(p, MLT_LIMIT, "name-too-long", "/kind", "kind has %zu bytes; at most %d are taken",
                               name.len, KIND_NAME_MAX);
    }
    if (kind->server_only && !own) {
        return mlt_problem_set(p, MLT_INVALID, "server-only-kind", "/kind",
                               "only the server writes records of kind \"%s\"; it cannot be submitted", kind->name);
    }
    mlt_members_begin(out, kind, name);
    return MLT_OK;
}

// A missing member may have been submitted under a name that is nearly right.
static enum mlt_status refuse_missing(const struct mlt_members *m, const char *name, struct mlt_problem *p) {
    char pointer[sizeof(p->pointer)];
    (void)snprintf(pointer, sizeof(pointer), "/%s", name);
    for (size_t i = 0; i < m->num; i++) {
        if (!m->refs[i].info && mlt_name_distance(m->refs[i].name, name) <= NEAR_MEMBER) {
            char shown[MLT_SHOWN_LEN];
            mlt_problem_show(shown, m->refs[i].name);
            return mlt_problem_set(p, MLT_INVALID, "missing-member", pointer,
                                   "%s is required in a record of kind %s; \"%s\" is not known, is it meant?", name,
                                   m->kind->name, shown);
        }
    }
    return mlt_problem_set(p, MLT_INVALID, "missing-member", pointer, "%s is required in a record of kind %s", name,
                           m->kind->name);
}

static enum mlt_status check_required(const struct mlt_members *m, struct mlt_problem *p) {
    for (const struct mlt_member *info = m->kind->members; info->name; info++) {
        if (!(info->flags & MLT_M_REQUIRED)) {
            continue;
        }
        size_t at = m->by_info[info - m->kind->members];
        if (at == 0 || mlt_json_is(m->refs[at - 1].json, m->refs[at - 1].at, MLT_JSON_NULL)) {
            return refuse_missing(m, info->name, p);
        }
    }
    return MLT_OK;
}

// Of a custom kind those members are facts that `public` lists, unless the table says that they are payload.
static enum mlt_status mark_public(const struct mlt_members *m, struct mlt_arena *scratch, struct mlt_problem *p) {
    const struct mlt_member_ref *list = mlt_members_find(m, "public");
    if (!list) {
        return MLT_OK;
    }
    if (list->json->tape[list->at].count > MLT_RECORD_MEMBERS_MAX) {
        return mlt_problem_set(p, MLT_LIMIT, "too-many-members", "/public",
                               "public lists %u names; at most %d are taken", list->json->tape[list->at].count,
                               MLT_RECORD_MEMBERS_MAX);
    }
    for (mlt_json_at n = mlt_json_first(list->json, list->at); n != MLT_JSON_NONE;
         n = mlt_json_next(list->json, list->at, n)) {
        struct mlt_bytes name = mlt_json_string(list->json, n, scratch);
        for (size_t i = 0; i < m->num; i++) {
            if (!m->refs[i].info && mlt_bytes_equal(m->refs[i].name, name)) {
                m->refs[i].payload = false;
            }
        }
    }
    return MLT_OK;
}

static enum mlt_status check_member(struct mlt_members *m, const struct mlt_check *c,
                                    const struct mlt_member_ref *ref) {
    if (!ref->info || mlt_json_is(ref->json, ref->at, MLT_JSON_NULL)) {
        return MLT_OK; // a null is refused with what is missing, if it is required
    }
    const struct mlt_place where = {.name = ref->name};
    enum mlt_status status = mlt_check_value(c, ref->at, ref->info, &where);
    if (status == MLT_OK && ref->info->type == MLT_T_TIME && mlt_bytes_is(ref->name, "timestamp")) {
        m->has_time = true;
        m->time = *c->time;
    }
    return status;
}

enum mlt_status mlt_record_validate(struct mlt_members *out, const struct mlt_json *json, const char *default_kind,
                                    bool own, struct mlt_arena *scratch, struct mlt_problem *p) {
    if (!mlt_json_is(json, 0, MLT_JSON_OBJECT)) {
        return mlt_problem_set(p, MLT_INVALID, "not-an-object", "", "a record is a JSON object, not %s",
                               mlt_json_type_words(json, 0));
    }
    if (json->tape[0].count > MLT_RECORD_MEMBERS_MAX) {
        return mlt_problem_set(p, MLT_LIMIT, "too-many-members", "",
                               "%u members; at most %d are taken, put more into one object", json->tape[0].count,
                               MLT_RECORD_MEMBERS_MAX);
    }
    enum mlt_status status = find_kind(out, json, default_kind, own, scratch, p);
    if (status != MLT_OK) {
        return status;
    }
    int64_t time = 0;
    const struct mlt_check check = {.json = json, .scratch = scratch, .problem = p, .time = &time};
    for (mlt_json_at n = mlt_json_first(json, 0); n != MLT_JSON_NONE; n = mlt_json_next(json, 0, n)) {
        struct mlt_bytes name = mlt_json_string(json, n, scratch);
        if (!name.ptr) {
            return MLT_NOMEM;
        }
        if (mlt_bytes_is(name, "kind")) {
            continue;
        }
        struct mlt_member_ref *ref = mlt_members_add(out, name, json, n + 1);
        ref->payload = !ref->info || (ref->info->flags & MLT_M_PAYLOAD);
        status = check_member(out, &check, ref);
        if (status != MLT_OK) {
            return status;
        }
    }
    status = check_required(out, p);
    if (status == MLT_OK && out->kind->kind == MLT_KIND_CUSTOM) {
        status = mark_public(out, scratch, p);
    }
    return status;
}
