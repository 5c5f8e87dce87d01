// Transitions: what moved with a request that MLflow answered well.
#include <stdio.h>

#include "capture/mlflow_exchange.h"

#define MOVES_MAX 1000 // versions that one request moves; more of one model nobody has in a stage

static const char NONE[] = "none";

struct move {
    struct mlt_bytes version, from, to;
    const char *kind; // "stage" | "alias"
};

static const char *const stages[] = {"None", "Staging", "Production", "Archived"};

static bool same_ignoring_case(struct mlt_bytes a, const char *b) {
    if (a.len != strlen(b)) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if ((a.ptr[i] | 0x20) != ((uint8_t)b[i] | 0x20)) {
            return false;
        }
    }
    return true;
}

struct mlt_bytes mlt_mlflow_stage(struct mlt_bytes stage) {
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        if (same_ignoring_case(stage, stages[i])) {
            return mlt_str(i == 0 ? NONE : stages[i]);
        }
    }
    return stage;
}

static bool at_none(struct mlt_bytes stage) {
    return stage.len == 0 || mlt_bytes_is(stage, NONE);
}

// A reason is given with the request, or kept as a tag of the version.
static void put_ground(struct mlt_json_writer *w, const struct mlt_mlflow_exchange *ex, const char *name) {
    char tag[64];
    (void)snprintf(tag, sizeof tag, "mltrail.%s", name);
    struct mlt_bytes text = mlt_mlflow_member(ex, name);
    if (text.len == 0) {
        text = mlt_mlflow_text(ex->json, mlt_json_get(ex->json, ex->before, "tags"), tag, ex->arena);
    }
    if (text.len > 0) {
        mlt_jw_member_bytes(w, name, mlt_mlflow_clip(text));
    }
}

static void put_move(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex, const struct move *m) {
    struct mlt_buf id = {0};
    struct mlt_json_writer *w = mlt_capture_begin(out, "transition");
    // Within an exchange a version moves once between the same two: a retry gives the same names.
    mlt_buf_put_bytes(&id, mlt_mlflow_clip(ex->id));
    mlt_buf_printf(&id, "/%s/%.*s/%.*s", m->kind, MLT_ARG(mlt_mlflow_clip(m->version)),
                   MLT_ARG(mlt_mlflow_clip(m->to)));
    mlt_jw_member_bytes(w, "event_id", mlt_mlflow_clip(mlt_buf_bytes(&id)));
    mlt_buf_clear(&id);
    mlt_jw_member_bytes(w, "timestamp", ex->started_at);
    mlt_jw_member_bytes(w, "model", mlt_mlflow_clip(mlt_mlflow_field(ex, "name")));
    mlt_jw_member_bytes(w, "model_version", mlt_mlflow_clip(m->version));
    if (m->from.ptr) {
        mlt_jw_member_bytes(w, "from_stage", mlt_mlflow_clip(m->from));
    }
    mlt_jw_member_bytes(w, "to_stage", mlt_mlflow_clip(m->to));
    mlt_jw_member(w, "move", m->kind);
    if (ex->who.len > 0) {
        mlt_jw_member_bytes(w, "performed_by", mlt_mlflow_clip(ex->who));
    }
    put_ground(w, ex, "reason");
    put_ground(w, ex, "approval_reference");
    mlt_capture_end(out);
}

// -- stages -----------------------------------------------------------------------------------------------------------

static struct mlt_bytes stage_in(const struct mlt_mlflow_exchange *ex, mlt_json_at list, struct mlt_bytes version) {
    for (mlt_json_at n = mlt_json_first(ex->json, list); n != MLT_JSON_NONE; n = mlt_json_next(ex->json, list, n)) {
        if (mlt_bytes_equal(mlt_mlflow_text(ex->json, n, "version", ex->arena), version)) {
            return mlt_mlflow_stage(mlt_mlflow_text(ex->json, n, "stage", ex->arena));
        }
    }
    return (struct mlt_bytes){0};
}

static bool archives(const struct mlt_mlflow_exchange *ex) {
    mlt_json_at flag = mlt_json_get(ex->json, ex->request, "archive_existing_versions");
    flag = flag != MLT_JSON_NONE ? flag : mlt_json_get(ex->json, ex->request, "archiveExistingVersions");
    return mlt_json_is(ex->json, flag, MLT_JSON_TRUE) ||
           mlt_bytes_is(mlt_mlflow_field(ex, "archive_existing_versions"), "true");
}

// The versions that stood where the moved one went. What was read afterwards decides; where nothing was read, MLflow
// does as it says.
static void put_archived(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex, const struct move *moved) {
    mlt_json_at list = mlt_json_get(ex->json, ex->before, "latest");
    mlt_json_at after = mlt_json_get(ex->json, ex->after, "latest");
    size_t num = 0;
    for (mlt_json_at n = mlt_json_first(ex->json, list); n != MLT_JSON_NONE && num < MOVES_MAX;
         n = mlt_json_next(ex->json, list, n)) {
        struct move m = {.version = mlt_mlflow_text(ex->json, n, "version", ex->arena),
                         .from = mlt_mlflow_stage(mlt_mlflow_text(ex->json, n, "stage", ex->arena)),
                         .to = mlt_str("Archived"),
                         .kind = "stage"};
        if (!mlt_bytes_equal(m.from, moved->to) || mlt_bytes_equal(m.version, moved->version)) {
            continue;
        }
        struct mlt_bytes now = stage_in(ex, after, m.version);
        m.to = now.ptr ? now : m.to;
        if (m.version.len > 0 && !mlt_bytes_equal(m.from, m.to)) {
            put_move(out, ex, &m);
            num++;
        }
    }
}

static struct mlt_bytes stage_before(const struct mlt_mlflow_exchange *ex, struct mlt_bytes version) {
    struct mlt_bytes stage = mlt_mlflow_text(ex->json, ex->before, "stage", ex->arena);
    return stage.ptr ? mlt_mlflow_stage(stage) : stage_in(ex, mlt_json_get(ex->json, ex->before, "latest"), version);
}

static void put_stage_moves(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex) {
    mlt_json_at answered = mlt_json_get(ex->json, ex->response, "model_version");
    struct move m = {.version = mlt_mlflow_field(ex, "version"), .kind = "stage"};
    m.to = mlt_mlflow_text(ex->json, answered, "current_stage", ex->arena);
    m.to = mlt_mlflow_stage(m.to.len > 0 ? m.to : mlt_mlflow_field(ex, "stage"));
    m.from = stage_before(ex, m.version);
    if (m.version.len == 0 || m.to.len == 0) {
        return;
    }
    put_move(out, ex, &m);
    if (archives(ex)) {
        put_archived(out, ex, &m);
    }
}

// -- aliases ----------------------------------------------------------------------------------------------------------

// Whether the alias was looked up, and which version had it.
static bool alias_before(const struct mlt_mlflow_exchange *ex, struct mlt_bytes alias, struct mlt_bytes *version) {
    mlt_json_at list = mlt_json_get(ex->json, ex->before, "aliases");
    mlt_json_at at = mlt_json_get_bytes(ex->json, list, alias);
    *version = mlt_json_is(ex->json, at, MLT_JSON_NUMBER) ? mlt_json_raw(ex->json, at)
                                                          : mlt_json_string(ex->json, at, ex->arena);
    return at != MLT_JSON_NONE;
}

// Moving an alias is two transitions: the version that had it loses it, the other gets it.
static void put_alias_set(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex) {
    struct mlt_bytes alias = mlt_mlflow_field(ex, "alias"), held;
    struct mlt_bytes version = mlt_mlflow_field(ex, "version");
    bool known = alias_before(ex, alias, &held);
    if (alias.len == 0 || version.len == 0) {
        return;
    }
    if (held.len > 0 && !mlt_bytes_equal(held, version)) {
        put_move(out, ex, &(struct move){.version = held, .from = alias, .to = mlt_str(NONE), .kind = "alias"});
    }
    struct move m = {.version = version, .to = alias, .kind = "alias"};
    if (known) {
        m.from = mlt_bytes_equal(held, version) ? alias : mlt_str(NONE);
    }
    put_move(out, ex, &m);
}

static void put_alias_deleted(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex) {
    struct mlt_bytes alias = mlt_mlflow_field(ex, "alias"), held;
    if (alias_before(ex, alias, &held) && held.len > 0) {
        put_move(out, ex, &(struct move){.version = held, .from = alias, .to = mlt_str(NONE), .kind = "alias"});
    }
}

// -- deletions: what is gone stands nowhere ---------------------------------------------------------------------------

static void put_aliases_gone(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex) {
    mlt_json_at list = mlt_json_get(ex->json, ex->before, "aliases");
    if (!mlt_json_is(ex->json, list, MLT_JSON_OBJECT)) {
        return;
    }
    size_t num = 0;
    for (mlt_json_at n = mlt_json_first(ex->json, list); n != MLT_JSON_NONE && num < MOVES_MAX;
         n = mlt_json_next(ex->json, list, n), num++) {
        struct mlt_bytes alias = mlt_json_string(ex->json, n, ex->arena), held;
        if (alias_before(ex, alias, &held) && held.len > 0 && alias.len > 0) {
            // Several aliases of one version end at "none": the name of the move has to tell them apart.
            struct mlt_mlflow_exchange named = *ex;
            char *id = mlt_arena_printf(ex->arena, "%.*s/%.*s", MLT_ARG(ex->id), MLT_ARG(alias));
            named.id = id ? mlt_str(id) : ex->id;
            put_move(out, &named, &(struct move){.version = held, .from = alias, .to = mlt_str(NONE), .kind = "alias"});
        }
    }
}

static void put_version_deleted(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex) {
    struct move m = {.version = mlt_mlflow_field(ex, "version"), .to = mlt_str(NONE), .kind = "stage"};
    m.from = stage_before(ex, m.version);
    put_aliases_gone(out, ex);
    if (m.version.len > 0 && !at_none(m.from)) {
        put_move(out, ex, &m);
    }
}

static void put_model_deleted(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex) {
    mlt_json_at list = mlt_json_get(ex->json, ex->before, "latest");
    size_t num = 0;
    put_aliases_gone(out, ex);
    for (mlt_json_at n = mlt_json_first(ex->json, list); n != MLT_JSON_NONE && num < MOVES_MAX;
         n = mlt_json_next(ex->json, list, n), num++) {
        struct move m = {.version = mlt_mlflow_text(ex->json, n, "version", ex->arena),
                         .from = mlt_mlflow_stage(mlt_mlflow_text(ex->json, n, "stage", ex->arena)),
                         .to = mlt_str(NONE),
                         .kind = "stage"};
        if (m.version.len > 0 && !at_none(m.from)) {
            put_move(out, ex, &m);
        }
    }
}

enum mlt_status mlt_mlflow_put_moves(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex) {
    static const struct {
        const char *native;
        void (*put)(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex);
    } kinds[] = {
        {"transitionModelVersionStage", put_stage_moves},  {"setRegisteredModelAlias", put_alias_set},
        {"deleteRegisteredModelAlias", put_alias_deleted}, {"deleteModelVersion", put_version_deleted},
        {"deleteRegisteredModel", put_model_deleted},
    };
    if (mlt_mlflow_field(ex, "name").len == 0) {
        return MLT_INVALID;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (mlt_mlflow_native_is(ex, kinds[i].native)) {
            kinds[i].put(out, ex);
        }
    }
    return MLT_OK;
}
