// answers.json: what the walk was told and what nothing in the bundle proves.
//
//   {"finds":[{"terms":[{"dimension","values"},…],"from":n|null,"descending":bool,"limit":n,"entries":[…],"total":n,
//    "more":bool},…],"streams":[{"dimension","values","runs":[[first sequence, count, first entry, last entry],…]},…],
//    "growth":[{"size","proof":[hex,…]},…]}
//
// `growth`, only when there are anchors: consistency proofs from the trees that were stamped to that of the dossier.
// `from` is null for "from the end".
#include "bundle/bundle_parts.h"

#define FINDS_MAX 20000  // of one story
#define GROWTHS_MAX 4096 // anchors that a dossier shows
#define RUNS_MAX 1000000 // of one stream: beyond what a story takes in

static void put_find(struct mlt_json_writer *w, const struct mlt_bundle_find *f) {
    mlt_jw_object(w);
    mlt_jw_name(w, "terms");
    mlt_jw_array(w);
    for (size_t i = 0; i < f->num_terms; i++) {
        mlt_jw_object(w);
        mlt_bundle_put_term(w, &f->terms[i]);
        mlt_jw_end_object(w);
    }
    mlt_jw_end_array(w);
    mlt_jw_name(w, "from");
    if (f->from == UINT64_MAX) {
        mlt_jw_null(w);
    } else {
        mlt_jw_u64(w, f->from);
    }
    mlt_jw_member_bool(w, "descending", f->descending);
    mlt_jw_member_u64(w, "limit", f->limit);
    mlt_jw_name(w, "entries");
    mlt_jw_array(w);
    for (size_t i = 0; i < f->num_entries; i++) {
        mlt_jw_u64(w, f->entries[i]);
    }
    mlt_jw_end_array(w);
    mlt_jw_member_u64(w, "total", f->total);
    mlt_jw_member_bool(w, "more", f->more);
    mlt_jw_end_object(w);
}

static void put_stream(struct mlt_json_writer *w, const struct mlt_bundle_stream *s) {
    mlt_jw_object(w);
    mlt_bundle_put_term(w, &s->term);
    mlt_jw_name(w, "runs");
    mlt_jw_array(w);
    for (size_t i = 0; i < s->num_runs; i++) {
        mlt_jw_array(w);
        mlt_jw_u64(w, s->runs[i].first_sequence);
        mlt_jw_u64(w, s->runs[i].count);
        mlt_jw_u64(w, s->runs[i].first_entry);
        mlt_jw_u64(w, s->runs[i].last_entry);
        mlt_jw_end_array(w);
    }
    mlt_jw_end_array(w);
    mlt_jw_end_object(w);
}

static void put_growth(struct mlt_json_writer *w, const struct mlt_bundle_growth *g) {
    mlt_jw_object(w);
    mlt_jw_member_u64(w, "size", g->size);
    mlt_jw_name(w, "proof");
    mlt_bundle_put_proof(w, &g->proof);
    mlt_jw_end_object(w);
}

void mlt_bundle_put_answers(struct mlt_buf *out, const struct mlt_bundle_answers *a) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "finds");
    mlt_jw_array(&w);
    for (size_t i = 0; i < a->num_finds; i++) {
        if (a->finds[i].asserted) {
            put_find(&w, &a->finds[i]);
        }
    }
    mlt_jw_end_array(&w);
    mlt_jw_name(&w, "streams");
    mlt_jw_array(&w);
    for (size_t i = 0; i < a->num_streams; i++) {
        put_stream(&w, &a->streams[i]);
    }
    mlt_jw_end_array(&w);
    if (a->num_growths > 0) {
        mlt_jw_name(&w, "growth");
        mlt_jw_array(&w);
        for (size_t i = 0; i < a->num_growths; i++) {
            put_growth(&w, &a->growths[i]);
        }
        mlt_jw_end_array(&w);
    }
    mlt_jw_end_object(&w);
    mlt_buf_put_u8(out, '\n');
}

// --- reading ---

static bool get_terms(struct mlt_bundle_find *f, const struct mlt_json *j, mlt_json_at terms, struct mlt_arena *arena) {
    if (!mlt_json_is(j, terms, MLT_JSON_ARRAY) || j->tape[terms].count == 0 ||
        j->tape[terms].count > MLT_BUNDLE_TERMS_MAX) {
        return false;
    }
    for (mlt_json_at t = mlt_json_first(j, terms); t != MLT_JSON_NONE; t = mlt_json_next(j, terms, t)) {
        if (!mlt_bundle_get_term(&f->terms[f->num_terms++], j, t, arena)) {
            return false;
        }
    }
    return true;
}

static bool get_entries(struct mlt_bundle_find *f, const struct mlt_json *j, mlt_json_at list,
                        struct mlt_arena *arena) {
    if (!mlt_json_is(j, list, MLT_JSON_ARRAY) || j->tape[list].count > MLT_BUNDLE_LISTED_MAX) {
        return false;
    }
    f->entries = mlt_arena_take(arena, (j->tape[list].count + 1) * sizeof(*f->entries));
    if (!f->entries) {
        return false;
    }
    for (mlt_json_at e = mlt_json_first(j, list); e != MLT_JSON_NONE; e = mlt_json_next(j, list, e)) {
        if (!mlt_json_u64(j, e, &f->entries[f->num_entries++])) {
            return false;
        }
    }
    return true;
}

static bool get_find(struct mlt_bundle_find *f, const struct mlt_json *j, mlt_json_at at, struct mlt_arena *arena) {
    const mlt_json_at from = mlt_json_get(j, at, "from");
    *f = (struct mlt_bundle_find){.from = UINT64_MAX, .asserted = true};
    f->descending = mlt_json_is(j, mlt_json_get(j, at, "descending"), MLT_JSON_TRUE);
    f->more = mlt_json_is(j, mlt_json_get(j, at, "more"), MLT_JSON_TRUE);
    return (mlt_json_is(j, from, MLT_JSON_NULL) || mlt_json_u64(j, from, &f->from)) &&
           mlt_json_u64(j, mlt_json_get(j, at, "limit"), &f->limit) &&
           mlt_json_u64(j, mlt_json_get(j, at, "total"), &f->total) &&
           get_terms(f, j, mlt_json_get(j, at, "terms"), arena) &&
           get_entries(f, j, mlt_json_get(j, at, "entries"), arena) && f->num_entries <= f->limit;
}

static bool get_run(struct mlt_stream_run *run, const struct mlt_json *j, mlt_json_at at) {
    uint64_t *const places[] = {&run->first_sequence, &run->count, &run->first_entry, &run->last_entry};
    size_t n = 0;
    if (!mlt_json_is(j, at, MLT_JSON_ARRAY) || j->tape[at].count != 4) {
        return false;
    }
    for (mlt_json_at v = mlt_json_first(j, at); v != MLT_JSON_NONE; v = mlt_json_next(j, at, v)) {
        if (!mlt_json_u64(j, v, places[n++])) {
            return false;
        }
    }
    // A run has numbers, and they end before the largest one: the walk adds to them.
    return run->count > 0 && run->first_sequence < UINT64_MAX - run->count;
}

static bool get_stream(struct mlt_bundle_stream *s, const struct mlt_json *j, mlt_json_at at, struct mlt_arena *arena) {
    const mlt_json_at runs = mlt_json_get(j, at, "runs");
    *s = (struct mlt_bundle_stream){0};
    if (!mlt_bundle_get_term(&s->term, j, at, arena) || !mlt_json_is(j, runs, MLT_JSON_ARRAY) ||
        j->tape[runs].count > RUNS_MAX) {
        return false;
    }
    s->runs = mlt_arena_take(arena, (j->tape[runs].count + 1) * sizeof(*s->runs));
    for (mlt_json_at r = mlt_json_first(j, runs); s->runs && r != MLT_JSON_NONE; r = mlt_json_next(j, runs, r)) {
        if (!get_run(&s->runs[s->num_runs++], j, r)) {
            return false;
        }
    }
    return s->runs != NULL;
}

static bool get_growth(struct mlt_bundle_growth *g, const struct mlt_json *j, mlt_json_at at) {
    return mlt_json_u64(j, mlt_json_get(j, at, "size"), &g->size) &&
           mlt_bundle_get_proof(&g->proof, j, mlt_json_get(j, at, "proof"));
}

static enum mlt_status get_growths(struct mlt_bundle_answers *out, const struct mlt_json *j, struct mlt_arena *arena,
                                   struct mlt_error *err) {
    const mlt_json_at list = mlt_json_get(j, 0, "growth");
    if (list == MLT_JSON_NONE) {
        return MLT_OK;
    }
    if (!mlt_json_is(j, list, MLT_JSON_ARRAY) || j->tape[list].count > GROWTHS_MAX) {
        return mlt_fail(err, MLT_INVALID, "an array of at most %d was expected in growth", GROWTHS_MAX);
    }
    out->growths = mlt_arena_take(arena, (j->tape[list].count + 1) * sizeof(*out->growths));
    if (!out->growths) {
        return mlt_fail(err, MLT_NOMEM, "no memory for answers");
    }
    for (mlt_json_at g = mlt_json_first(j, list); g != MLT_JSON_NONE; g = mlt_json_next(j, list, g)) {
        if (!get_growth(&out->growths[out->num_growths++], j, g)) {
            return mlt_fail(err, MLT_INVALID, "/growth/%zu is not as FORMAT.md has it", out->num_growths - 1);
        }
    }
    return MLT_OK;
}

static enum mlt_status get_all(struct mlt_bundle_answers *out, const struct mlt_json *j, struct mlt_arena *arena,
                               struct mlt_error *err) {
    const mlt_json_at finds = mlt_json_get(j, 0, "finds"), streams = mlt_json_get(j, 0, "streams");
    if (!mlt_json_is(j, finds, MLT_JSON_ARRAY) || !mlt_json_is(j, streams, MLT_JSON_ARRAY) ||
        j->tape[finds].count > FINDS_MAX || j->tape[streams].count > FINDS_MAX) {
        return mlt_fail(err, MLT_INVALID, "arrays of at most %d in finds and streams were expected", FINDS_MAX);
    }
    out->finds = mlt_arena_zero(arena, (j->tape[finds].count + 1) * sizeof(*out->finds));
    out->streams = mlt_arena_zero(arena, (j->tape[streams].count + 1) * sizeof(*out->streams));
    if (!out->finds || !out->streams) {
        return mlt_fail(err, MLT_NOMEM, "no memory for answers");
    }
    for (mlt_json_at f = mlt_json_first(j, finds); f != MLT_JSON_NONE; f = mlt_json_next(j, finds, f)) {
        if (!get_find(&out->finds[out->num_finds++], j, f, arena)) {
            return mlt_fail(err, MLT_INVALID, "/finds/%zu is not as FORMAT.md has it", out->num_finds - 1);
        }
    }
    for (mlt_json_at s = mlt_json_first(j, streams); s != MLT_JSON_NONE; s = mlt_json_next(j, streams, s)) {
        if (!get_stream(&out->streams[out->num_streams++], j, s, arena)) {
            return mlt_fail(err, MLT_INVALID, "/streams/%zu is not as FORMAT.md has it", out->num_streams - 1);
        }
    }
    return get_growths(out, j, arena, err);
}

enum mlt_status mlt_bundle_get_answers(struct mlt_bundle_answers *out, struct mlt_bytes text, struct mlt_arena *arena,
                                       struct mlt_error *err) {
    struct mlt_json json = {0};
    *out = (struct mlt_bundle_answers){0};
    enum mlt_status status = mlt_json_scan(&json, text, err);
    status = status ? status : get_all(out, &json, arena, err);
    mlt_json_clear(&json);
    return status;
}
