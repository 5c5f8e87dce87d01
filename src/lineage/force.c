// Stages: which transition was in force, by the order of the log and by the times that were claimed.
//
// The state is kept per deployment (environment, region, endpoint, variant). A move of kind "alias", or between names
// that begin with '@', sets or takes away an alias and leaves the stage alone.
#include <stdlib.h>

#include "lineage/finding.h"

#define ALIASES_MAX 16 // held by one version at one deployment

static const char *const DEFAULT_PRODUCTION[] = {"production", "Production", "prod", "@champion", "champion"};
static const char *const DEPLOYMENT_KEY[] = {"environment", "region", "endpoint", "variant"};
#define NUM_KEYS (sizeof(DEPLOYMENT_KEY) / sizeof(DEPLOYMENT_KEY[0]))

enum mlt_status mlt_stages_load(const struct mlt_walk *w, struct mlt_stages *out) {
    struct mlt_node *setting;
    *out = (struct mlt_stages){.names = {.at = MLT_JSON_NONE}};
    enum mlt_status status = mlt_walk_setting(w, "production_stages", &setting);
    if (status == MLT_OK && setting != NULL) {
        struct mlt_value names = mlt_node_get(setting, "value");
        if (names.json != NULL && mlt_json_is(names.json, names.at, MLT_JSON_ARRAY)) {
            out->setting = setting;
            out->names = names;
        }
    }
    return status;
}

bool mlt_stages_production(const struct mlt_walk *w, const struct mlt_stages *stages, struct mlt_bytes stage) {
    if (stages->setting == NULL) {
        for (size_t i = 0; i < sizeof(DEFAULT_PRODUCTION) / sizeof(DEFAULT_PRODUCTION[0]); i++) {
            if (mlt_bytes_is(stage, DEFAULT_PRODUCTION[i])) {
                return true;
            }
        }
        return false;
    }
    struct mlt_value names = stages->names;
    for (mlt_json_at at = mlt_value_first(names); at != MLT_JSON_NONE; at = mlt_json_next(names.json, names.at, at)) {
        if (mlt_bytes_equal(mlt_value_string(mlt_value_at(names, at), w->arena), stage)) {
            return true;
        }
    }
    return false;
}

// A deployment's identifying members; empty: not given.
struct key {
    struct mlt_bytes part[NUM_KEYS];
};

static struct key key_of(const struct mlt_walk *w, struct mlt_value deployment) {
    struct key key;
    for (size_t i = 0; i < NUM_KEYS; i++) {
        key.part[i] = mlt_value_string(mlt_value_get(deployment, DEPLOYMENT_KEY[i]), w->arena);
    }
    return key;
}

static bool key_equal(const struct key *a, const struct key *b) {
    for (size_t i = 0; i < NUM_KEYS; i++) {
        if (!mlt_bytes_equal(a->part[i], b->part[i])) {
            return false;
        }
    }
    return true;
}

static bool key_fits(const struct key *a, const struct key *b) {
    for (size_t i = 0; i < NUM_KEYS; i++) {
        if (a->part[i].len > 0 && b->part[i].len > 0 && !mlt_bytes_equal(a->part[i], b->part[i])) {
            return false;
        }
    }
    return true;
}

// One version at one deployment, as its transitions are played one after the other.
struct track {
    struct mlt_bytes model, version;
    struct key key;
    struct mlt_bytes stage;
    const struct mlt_node *stage_by; // the transition that set the stage
    struct mlt_bytes aliases[ALIASES_MAX];
    const struct mlt_node *alias_by[ALIASES_MAX];
    size_t num_aliases;
};

struct tracks {
    struct track *track;
    size_t num;
};

static bool names_none(struct mlt_bytes stage) {
    return stage.len == 0 || mlt_bytes_is(stage, "none") || mlt_bytes_is(stage, "None");
}

static bool same_stage(struct mlt_bytes a, struct mlt_bytes b) {
    return mlt_bytes_equal(a, b) || (names_none(a) && names_none(b));
}

static bool moves_alias(const struct mlt_walk *w, const struct mlt_node *t, struct mlt_bytes from,
                        struct mlt_bytes to) {
    return mlt_bytes_is(mlt_node_string(t, "move", w->arena), "alias") || (from.len > 0 && from.ptr[0] == '@') ||
           (to.len > 0 && to.ptr[0] == '@');
}

static void take_alias(struct track *track, struct mlt_bytes name) {
    for (size_t i = 0; i < track->num_aliases; i++) {
        if (mlt_bytes_equal(track->aliases[i], name)) {
            track->num_aliases--;
            track->aliases[i] = track->aliases[track->num_aliases];
            track->alias_by[i] = track->alias_by[track->num_aliases];
            return;
        }
    }
}

static bool holds_alias(const struct track *track, struct mlt_bytes name) {
    for (size_t i = 0; i < track->num_aliases; i++) {
        if (mlt_bytes_equal(track->aliases[i], name)) {
            return true;
        }
    }
    return false;
}

static void play(const struct mlt_walk *w, struct track *track, const struct mlt_node *t) {
    struct mlt_bytes from = mlt_node_string(t, "from_stage", w->arena);
    struct mlt_bytes to = mlt_node_string(t, "to_stage", w->arena);
    if (!moves_alias(w, t, from, to)) {
        track->stage = to;
        track->stage_by = t;
        return;
    }
    if (!names_none(from)) {
        take_alias(track, from);
    }
    if (!names_none(to)) {
        take_alias(track, to);
        if (track->num_aliases < ALIASES_MAX) {
            track->aliases[track->num_aliases] = to;
            track->alias_by[track->num_aliases++] = t;
        }
    }
}

static struct track *track_of(const struct mlt_walk *w, struct tracks *tracks, const struct mlt_node *t) {
    struct mlt_bytes model = mlt_node_string(t, "model", w->arena);
    struct mlt_bytes version = mlt_node_string(t, "model_version", w->arena);
    struct key key = key_of(w, mlt_node_get(t, "deployment"));
    for (size_t i = 0; i < tracks->num; i++) {
        struct track *track = &tracks->track[i];
        if (mlt_bytes_equal(track->model, model) && mlt_bytes_equal(track->version, version) &&
            key_equal(&track->key, &key)) {
            return track;
        }
    }
    struct track *track = &tracks->track[tracks->num++];
    *track = (struct track){.model = model, .version = version, .key = key, .stage = mlt_str("none")};
    return track;
}

static const struct mlt_node *production_since(const struct mlt_walk *w, const struct mlt_stages *stages,
                                               const struct track *track) {
    if (track->stage_by != NULL && mlt_stages_production(w, stages, track->stage)) {
        return track->stage_by;
    }
    for (size_t i = 0; i < track->num_aliases; i++) {
        if (mlt_stages_production(w, stages, track->aliases[i])) {
            return track->alias_by[i];
        }
    }
    return NULL;
}

static int compare_times(const void *a, const void *b) {
    const struct mlt_node *x = *(const struct mlt_node *const *)a, *y = *(const struct mlt_node *const *)b;
    int64_t tx, ty;
    mlt_node_time(x, &tx);
    mlt_node_time(y, &ty);
    if (tx != ty) {
        return tx < ty ? -1 : 1;
    }
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

// The transitions in the order asked for, without those that come after the moment.
static enum mlt_status order(const struct mlt_walk *w, const struct mlt_node_list *transitions,
                             const struct mlt_moment *moment, const struct mlt_node ***out, size_t *num) {
    *num = 0;
    *out = mlt_arena_take(w->arena, (transitions->num + 1) * sizeof(struct mlt_node *));
    if (*out == NULL) {
        return mlt_node_no_memory(w);
    }
    for (size_t i = 0; i < transitions->num; i++) {
        const struct mlt_node *t = transitions->nodes[i];
        int64_t time;
        if (moment->by_log ? t->entry < moment->position : mlt_node_time(t, &time) && time <= moment->at) {
            (*out)[(*num)++] = t;
        }
    }
    if (!moment->by_log && *num > 1) {
        qsort(*out, *num, sizeof(struct mlt_node *), compare_times);
    }
    return MLT_OK;
}

static enum mlt_status tracks_init(const struct mlt_walk *w, struct tracks *tracks, size_t most) {
    tracks->num = 0;
    tracks->track = mlt_arena_take(w->arena, (most + 1) * sizeof(*tracks->track));
    return tracks->track == NULL ? mlt_node_no_memory(w) : MLT_OK;
}

enum mlt_status mlt_force_standing(const struct mlt_walk *w, const struct mlt_stages *stages,
                                   const struct mlt_node_list *transitions, struct mlt_bytes model,
                                   struct mlt_bytes version, struct mlt_value deployment,
                                   const struct mlt_moment *moment, struct mlt_standing *out) {
    const struct mlt_node **ordered;
    size_t num;
    struct tracks tracks;
    struct key key = key_of(w, deployment);
    *out = (struct mlt_standing){0};
    enum mlt_status status = order(w, transitions, moment, &ordered, &num);
    if (status == MLT_OK) {
        status = tracks_init(w, &tracks, num);
    }
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        struct key at = key_of(w, mlt_node_get(ordered[i], "deployment"));
        if (mlt_node_names_version(w, ordered[i], model, version) && key_fits(&at, &key)) {
            play(w, track_of(w, &tracks, ordered[i]), ordered[i]);
            out->last = ordered[i];
        }
    }
    for (size_t i = 0; status == MLT_OK && i < tracks.num && out->since == NULL; i++) {
        out->since = production_since(w, stages, &tracks.track[i]);
    }
    return status;
}

static bool stands_at(const struct track *track, struct mlt_bytes from, bool alias) {
    return alias ? names_none(from) || holds_alias(track, from) : same_stage(track->stage, from);
}

enum mlt_status mlt_force_check(const struct mlt_walk *w, const struct mlt_node_list *transitions,
                                mlt_force_mismatch *mismatch, void *arg) {
    struct tracks tracks;
    enum mlt_status status = tracks_init(w, &tracks, transitions->num);
    for (size_t i = 0; status == MLT_OK && i < transitions->num; i++) {
        const struct mlt_node *t = transitions->nodes[i];
        struct track *track = track_of(w, &tracks, t);
        struct mlt_value given = mlt_node_get(t, "from_stage");
        struct mlt_bytes from = mlt_value_string(given, w->arena);
        bool alias = moves_alias(w, t, from, mlt_node_string(t, "to_stage", w->arena));
        if (mlt_value_given(given) && !stands_at(track, from, alias)) {
            status = mismatch(arg, t, track->stage_by, track->stage);
        }
        play(w, track, t);
    }
    return status;
}

// Adds the transitions under one term that fit the deployment.
static enum mlt_status moves_under(const struct mlt_walk *w, const struct mlt_term *term, const struct key *key,
                                   struct mlt_node_list *out) {
    uint64_t found[MLT_STORY_LIST_MAX];
    size_t num = 0;
    bool more = false;
    enum mlt_status status =
        w->src->find(w->src->ctx, term, 1, UINT64_MAX, true, MLT_STORY_LIST_MAX, found, &num, NULL, &more, w->err);
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        struct mlt_node *t;
        status = mlt_node_load(w, found[i], &t);
        if (status != MLT_OK || t->kind != MLT_KIND_TRANSITION) {
            continue;
        }
        struct key at = key_of(w, mlt_node_get(t, "deployment"));
        if (key_fits(&at, key) && !mlt_list_add(w->arena, out, t)) {
            status = mlt_node_no_memory(w);
        }
    }
    return status;
}

// The same deployment as a transition may write it: each subset of the members that the prediction gives.
static enum mlt_status moves_at(const struct mlt_walk *w, const struct key *key, struct mlt_node_list *out) {
    enum mlt_status status = MLT_OK;
    for (unsigned subset = 1; status == MLT_OK && subset < 1u << NUM_KEYS; subset++) {
        struct key some = {0};
        struct mlt_term term;
        bool given = true;
        for (size_t i = 0; i < NUM_KEYS; i++) {
            if (subset >> i & 1) {
                some.part[i] = key->part[i];
                given = given && key->part[i].ptr != NULL;
            }
        }
        if (given) {
            mlt_source_term(w->src, &term, MLT_DIM_DEPLOYMENT, some.part, NUM_KEYS);
            status = moves_under(w, &term, key, out);
        }
    }
    return status;
}

// The transitions that may tell which version a prediction without one came from: those of its model, else (it names
// none, or one that the trail does not know) those at its deployment.
static enum mlt_status moves_near(const struct mlt_walk *w, const struct mlt_node *prediction,
                                  struct mlt_node_list *out) {
    struct mlt_bytes model = mlt_node_string(prediction, "model", w->arena);
    struct key key = key_of(w, mlt_node_get(prediction, "deployment"));
    struct mlt_term term;
    mlt_source_term(w->src, &term, MLT_DIM_MOVES_MODEL, &model, 1);
    enum mlt_status status = model.len > 0 ? moves_under(w, &term, &key, out) : MLT_OK;
    if (status == MLT_OK && out->num == 0) {
        status = moves_at(w, &key, out);
    }
    mlt_list_sort(out);
    return status;
}

enum mlt_status mlt_force_resolve(const struct mlt_walk *w, const struct mlt_node *prediction,
                                  struct mlt_resolution *out, size_t *num) {
    struct mlt_node_list moves = {0};
    struct mlt_stages stages;
    struct tracks tracks;
    const struct mlt_node **ordered;
    size_t num_ordered = 0;
    struct mlt_moment moment = {.by_log = false};
    *num = 0;
    *out = (struct mlt_resolution){.prediction = prediction};
    enum mlt_status status = moves_near(w, prediction, &moves);
    if (status != MLT_OK || !mlt_node_time(prediction, &moment.at)) {
        return status;
    }
    status = mlt_stages_load(w, &stages);
    if (status == MLT_OK) {
        status = order(w, &moves, &moment, &ordered, &num_ordered);
    }
    if (status == MLT_OK) {
        status = tracks_init(w, &tracks, num_ordered);
    }
    for (size_t i = 0; status == MLT_OK && i < num_ordered; i++) {
        play(w, track_of(w, &tracks, ordered[i]), ordered[i]);
    }
    struct mlt_bytes given = mlt_node_string(prediction, "model_version", w->arena);
    struct mlt_bytes named = mlt_node_string(prediction, "model", w->arena);
    for (size_t i = 0; status == MLT_OK && i < tracks.num; i++) {
        const struct track *track = &tracks.track[i];
        const struct mlt_node *since = production_since(w, &stages, track);
        bool again = mlt_bytes_equal(out->model, track->model) && mlt_bytes_equal(out->model_version, track->version);
        bool other = given.len > 0 && (named.len == 0 || mlt_bytes_equal(named, track->model)) &&
                     !mlt_bytes_equal(given, track->version);
        if (since == NULL || again || other) {
            continue;
        }
        if ((*num)++ == 0) {
            out->model = track->model;
            out->model_version = track->version;
            out->entry = since->entry;
        }
    }
    return status;
}
