#include "server/grant.h"

#include <fnmatch.h>
#include <stdio.h>

static const struct {
    enum mlt_right right;
    const char *name;
} right_names[] = {
    {MLT_MAY_APPEND, "append"}, {MLT_MAY_READ, "read"},     {MLT_MAY_APPROVE, "approve"},
    {MLT_MAY_ERASE, "erase"},   {MLT_MAY_MIRROR, "mirror"}, {MLT_MAY_ADMIN, "admin"},
};
#define NUM_RIGHTS (sizeof right_names / sizeof right_names[0])

const char *mlt_right_name(enum mlt_right right) {
    for (size_t i = 0; i < NUM_RIGHTS; i++) {
        if (right_names[i].right == right) {
            return right_names[i].name;
        }
    }
    return "unknown";
}

#define NAME_MAX_LEN 1024 // longer names than this match no pattern but "*"

static bool covered(const char *patterns, size_t pattern_len, struct mlt_bytes name) {
    if (patterns[0] == '\0') {
        return true;
    }
    char text[NAME_MAX_LEN];
    bool usable = name.len < sizeof text && (name.len == 0 || !memchr(name.ptr, 0, name.len));
    if (usable && name.len > 0) {
        memcpy(text, name.ptr, name.len);
    }
    text[usable ? name.len : 0] = '\0';
    for (size_t i = 0; i < MLT_GRANT_PATTERNS_MAX; i++) {
        const char *pattern = patterns + i * pattern_len;
        if (pattern[0] == '\0') {
            break;
        }
        if (strcmp(pattern, "*") == 0 || (usable && fnmatch(pattern, text, 0) == 0)) {
            return true;
        }
    }
    return false;
}

bool mlt_grant_covers_kind(const struct mlt_grant *grant, struct mlt_bytes kind) {
    return covered(grant->kinds[0], sizeof grant->kinds[0], kind);
}

bool mlt_grant_covers_model(const struct mlt_grant *grant, struct mlt_bytes model) {
    return covered(grant->models[0], sizeof grant->models[0], model);
}

bool mlt_grant_covers_dataset(const struct mlt_grant *grant, struct mlt_bytes dataset) {
    return covered(grant->datasets[0], sizeof grant->datasets[0], dataset);
}

bool mlt_grant_has_patterns(const struct mlt_grant *grant) {
    return grant->kinds[0][0] != '\0' || grant->models[0][0] != '\0' || grant->datasets[0][0] != '\0';
}

void mlt_grant_producer(struct mlt_grant *out) {
    static const char *const kinds[] = {"prediction", "dataset.version", "training.run", "model.version", "transition",
                                        "access",     "tally",           "batch",        "capture"};
    memset(out, 0, sizeof *out);
    out->rights = MLT_MAY_APPEND;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        (void)snprintf(out->kinds[i], sizeof out->kinds[i], "%s", kinds[i]);
    }
}

// Names one value that the grant does not cover.
static bool names_covered(const struct mlt_grant *grant, const struct mlt_json *json, mlt_json_at object,
                          struct mlt_arena *arena, char why[static 256]) {
    mlt_json_at model = mlt_json_get(json, object, "model");
    mlt_json_at dataset = mlt_json_get(json, object, "dataset");
    struct mlt_bytes name = mlt_json_string(json, model, arena);
    if (mlt_json_is(json, model, MLT_JSON_STRING) && !mlt_grant_covers_model(grant, name)) {
        (void)snprintf(why, 256, "model \"%.*s\"", (int)(name.len < 200 ? name.len : 200), (const char *)name.ptr);
        return false;
    }
    name = mlt_json_string(json, dataset, arena);
    if (mlt_json_is(json, dataset, MLT_JSON_STRING) && !mlt_grant_covers_dataset(grant, name)) {
        (void)snprintf(why, 256, "dataset \"%.*s\"", (int)(name.len < 200 ? name.len : 200), (const char *)name.ptr);
        return false;
    }
    return true;
}

// Members that hold lists of models or datasets.
static bool lists_covered(const struct mlt_grant *grant, const struct mlt_json *json, mlt_json_at facts,
                          struct mlt_arena *arena, char why[static 256]) {
    static const char *const lists[] = {"datasets", "inputs", "components", "base_models"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        mlt_json_at list = mlt_json_get(json, facts, lists[i]);
        if (!mlt_json_is(json, list, MLT_JSON_ARRAY)) {
            continue;
        }
        for (mlt_json_at at = mlt_json_first(json, list); at != MLT_JSON_NONE; at = mlt_json_next(json, list, at)) {
            if (!names_covered(grant, json, at, arena, why)) {
                return false;
            }
        }
    }
    return true;
}

bool mlt_grant_covers_facts(const struct mlt_grant *grant, struct mlt_bytes kind, const struct mlt_json *json,
                            mlt_json_at facts, char why[static 256]) {
    if (!mlt_grant_covers_kind(grant, kind)) {
        (void)snprintf(why, 256, "kind \"%.*s\"", (int)(kind.len < 200 ? kind.len : 200), (const char *)kind.ptr);
        return false;
    }
    if (grant->models[0][0] == '\0' && grant->datasets[0][0] == '\0') {
        return true;
    }
    struct mlt_arena arena = {0};
    bool ok = names_covered(grant, json, facts, &arena, why) && lists_covered(grant, json, facts, &arena, why);
    mlt_arena_clear(&arena);
    return ok;
}

static void write_patterns(struct mlt_json_writer *w, const char *name, const char *patterns, size_t pattern_len) {
    mlt_jw_name(w, name);
    mlt_jw_array(w);
    for (size_t i = 0; i < MLT_GRANT_PATTERNS_MAX && patterns[i * pattern_len] != '\0'; i++) {
        mlt_jw_cstr(w, patterns + i * pattern_len);
    }
    mlt_jw_end_array(w);
}

void mlt_grant_write(const struct mlt_grant *grant, struct mlt_json_writer *w) {
    mlt_jw_name(w, "rights");
    mlt_jw_array(w);
    for (size_t i = 0; i < NUM_RIGHTS; i++) {
        if (grant->rights & right_names[i].right) {
            mlt_jw_cstr(w, right_names[i].name);
        }
    }
    mlt_jw_end_array(w);
    mlt_jw_member_bool(w, "payloads", grant->payloads);
    write_patterns(w, "kinds", grant->kinds[0], sizeof grant->kinds[0]);
    write_patterns(w, "models", grant->models[0], sizeof grant->models[0]);
    write_patterns(w, "datasets", grant->datasets[0], sizeof grant->datasets[0]);
}

static enum mlt_status read_patterns(char *patterns, size_t pattern_len, const struct mlt_json *json,
                                     mlt_json_at object, const char *name, struct mlt_arena *arena,
                                     struct mlt_error *err) {
    mlt_json_at list = mlt_json_get(json, object, name);
    size_t n = 0;
    if (list != MLT_JSON_NONE && !mlt_json_is(json, list, MLT_JSON_ARRAY)) {
        return mlt_fail(err, MLT_INVALID, "\"%s\" of a grant must be an array of shell patterns", name);
    }
    for (mlt_json_at at = mlt_json_first(json, list); at != MLT_JSON_NONE; at = mlt_json_next(json, list, at)) {
        struct mlt_bytes text = mlt_json_string(json, at, arena);
        if (!mlt_json_is(json, at, MLT_JSON_STRING) || text.len == 0 || text.len >= pattern_len ||
            n == MLT_GRANT_PATTERNS_MAX) {
            return mlt_fail(err, MLT_INVALID, "\"%s\" of a grant holds at most %d patterns of 1 to %zu bytes", name,
                            MLT_GRANT_PATTERNS_MAX, pattern_len - 1);
        }
        memcpy(patterns + n * pattern_len, text.ptr, text.len);
        n++;
    }
    return MLT_OK;
}

static enum mlt_status read_rights(unsigned *out, const struct mlt_json *json, mlt_json_at object,
                                   struct mlt_arena *arena, struct mlt_error *err) {
    mlt_json_at list = mlt_json_get(json, object, "rights");
    if (!mlt_json_is(json, list, MLT_JSON_ARRAY)) {
        return mlt_fail(err, MLT_INVALID, "a grant needs \"rights\", an array such as [\"append\",\"read\"]");
    }
    for (mlt_json_at at = mlt_json_first(json, list); at != MLT_JSON_NONE; at = mlt_json_next(json, list, at)) {
        struct mlt_bytes name = mlt_json_string(json, at, arena);
        unsigned right = 0;
        for (size_t i = 0; i < NUM_RIGHTS; i++) {
            if (mlt_bytes_is(name, right_names[i].name)) {
                right = right_names[i].right;
            }
        }
        if (right == 0) {
            return mlt_fail(err, MLT_INVALID,
                            "there is no right \"%.*s\"; the rights are append, read, approve, erase, mirror, admin",
                            MLT_ARG(name));
        }
        *out |= right;
    }
    return MLT_OK;
}

enum mlt_status mlt_grant_read(struct mlt_grant *out, const struct mlt_json *json, mlt_json_at object,
                               struct mlt_error *err) {
    memset(out, 0, sizeof *out);
    struct mlt_arena arena = {0};
    enum mlt_status status = read_rights(&out->rights, json, object, &arena, err);
    if (status == MLT_OK) {
        status = read_patterns(out->kinds[0], sizeof out->kinds[0], json, object, "kinds", &arena, err);
    }
    if (status == MLT_OK) {
        status = read_patterns(out->models[0], sizeof out->models[0], json, object, "models", &arena, err);
    }
    if (status == MLT_OK) {
        status = read_patterns(out->datasets[0], sizeof out->datasets[0], json, object, "datasets", &arena, err);
    }
    out->payloads = mlt_json_is(json, mlt_json_get(json, object, "payloads"), MLT_JSON_TRUE);
    mlt_arena_clear(&arena);
    return status;
}
