// absence.json: {"segments":[{"entry":n},…],"links":[{"dimension","values","proofs":[one per segment]},…]}.
//
// What a segment is stands in its control entry, which is proved to be in the log; this member only says which entries
// those are. A proof is {"at","count","before","after","shown":[…]}; a leaf in it {"at","link","entry","proof"}, where
// the link of one that is shown is the one asked for and left out.
#include "bundle/bundle_parts.h"
#include "record/segment.h"

#define LINKS_MAX 20000   // of one story: a few for each record that it can show
#define SEGMENTS_MAX 4096 // merged sixteen by sixteen, the largest log has fewer than a hundred

static void put_witness(struct mlt_json_writer *w, const struct mlt_link_witness *x, bool with_link) {
    mlt_jw_object(w);
    mlt_jw_member_u64(w, "at", x->at);
    if (with_link) {
        mlt_jw_name(w, "link");
        mlt_jw_hex(w, mlt_bytes_of(x->leaf.link.hash, MLT_LINK_LEN));
    }
    mlt_jw_member_u64(w, "entry", x->leaf.entry);
    mlt_jw_name(w, "proof");
    mlt_bundle_put_proof(w, &x->proof);
    mlt_jw_end_object(w);
}

static void put_neighbour(struct mlt_json_writer *w, const char *name, bool has, const struct mlt_link_witness *x) {
    mlt_jw_name(w, name);
    if (has) {
        put_witness(w, x, true);
    } else {
        mlt_jw_null(w);
    }
}

static void put_proof(struct mlt_json_writer *w, const struct mlt_link_proof *p) {
    mlt_jw_object(w);
    mlt_jw_member_u64(w, "at", p->at);
    mlt_jw_member_u64(w, "count", p->count);
    put_neighbour(w, "before", p->has_before, &p->before);
    put_neighbour(w, "after", p->has_after, &p->after);
    mlt_jw_name(w, "shown");
    mlt_jw_array(w);
    for (size_t i = 0; i < p->num_shown; i++) {
        put_witness(w, &p->shown[i], false);
    }
    mlt_jw_end_array(w);
    mlt_jw_end_object(w);
}

void mlt_bundle_put_absence(struct mlt_buf *out, const struct mlt_bundle_absence *a) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "segments");
    mlt_jw_array(&w);
    for (size_t i = 0; i < a->num_segments; i++) {
        mlt_jw_object(&w);
        mlt_jw_member_u64(&w, "entry", a->segments[i].entry);
        mlt_jw_end_object(&w);
    }
    mlt_jw_end_array(&w);
    mlt_jw_name(&w, "links");
    mlt_jw_array(&w);
    for (size_t i = 0; i < a->num_links; i++) {
        mlt_jw_object(&w);
        mlt_bundle_put_term(&w, &a->links[i].term);
        mlt_jw_name(&w, "proofs");
        mlt_jw_array(&w);
        for (size_t s = 0; s < a->num_segments; s++) {
            put_proof(&w, &a->links[i].proofs[s]);
        }
        mlt_jw_end_array(&w);
        mlt_jw_end_object(&w);
    }
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
    mlt_buf_put_u8(out, '\n');
}

// --- reading ---

struct reader {
    const struct mlt_json *json;
    struct mlt_arena *arena;
    struct mlt_error *err;
};

static enum mlt_status wrong(const struct reader *r, const char *what, size_t n) {
    return mlt_fail(r->err, MLT_INVALID, "%s %zu is not as FORMAT.md has it", what, n);
}

static enum mlt_status no_memory(const struct reader *r) {
    return mlt_fail(r->err, MLT_NOMEM, "no memory for link proofs");
}

static bool get_witness(const struct reader *r, mlt_json_at at, const struct mlt_link *link,
                        struct mlt_link_witness *out) {
    if (link) {
        out->leaf.link = *link;
    } else if (!mlt_bundle_get_hash(out->leaf.link.hash, r->json, mlt_json_get(r->json, at, "link"))) {
        return false;
    }
    return mlt_json_u64(r->json, mlt_json_get(r->json, at, "at"), &out->at) &&
           mlt_json_u64(r->json, mlt_json_get(r->json, at, "entry"), &out->leaf.entry) &&
           mlt_bundle_get_proof(&out->proof, r->json, mlt_json_get(r->json, at, "proof"));
}

static bool get_neighbour(const struct reader *r, mlt_json_at at, bool *has, struct mlt_link_witness *out) {
    *has = at != MLT_JSON_NONE && !mlt_json_is(r->json, at, MLT_JSON_NULL);
    return !*has || get_witness(r, at, NULL, out);
}

static enum mlt_status get_proof(const struct reader *r, mlt_json_at at, const struct mlt_link *link,
                                 struct mlt_link_proof *out) {
    const struct mlt_json *j = r->json;
    const mlt_json_at shown = mlt_json_get(j, at, "shown");
    if (!mlt_json_u64(j, mlt_json_get(j, at, "at"), &out->at) ||
        !mlt_json_u64(j, mlt_json_get(j, at, "count"), &out->count) ||
        !get_neighbour(r, mlt_json_get(j, at, "before"), &out->has_before, &out->before) ||
        !get_neighbour(r, mlt_json_get(j, at, "after"), &out->has_after, &out->after) ||
        !mlt_json_is(j, shown, MLT_JSON_ARRAY)) {
        return MLT_INVALID;
    }
    struct mlt_link_witness *list = mlt_arena_zero(r->arena, (j->tape[shown].count + 1) * sizeof(*list));
    if (!list) {
        return MLT_NOMEM;
    }
    out->shown = list;
    for (mlt_json_at s = mlt_json_first(j, shown); s != MLT_JSON_NONE; s = mlt_json_next(j, shown, s)) {
        if (!get_witness(r, s, link, &list[out->num_shown++])) {
            return MLT_INVALID;
        }
    }
    return MLT_OK;
}

static enum mlt_status get_link(const struct reader *r, mlt_json_at at, size_t n, size_t num_segments,
                                struct mlt_bundle_link *out) {
    const mlt_json_at proofs = mlt_json_get(r->json, at, "proofs");
    if (!mlt_bundle_get_term(&out->term, r->json, at, r->arena) || !mlt_json_is(r->json, proofs, MLT_JSON_ARRAY) ||
        r->json->tape[proofs].count != num_segments) {
        return wrong(r, "link", n);
    }
    mlt_link_make(&out->link, out->term.dim, out->term.values, out->term.num_values);
    out->whole = true;
    out->proofs = mlt_arena_zero(r->arena, (num_segments + 1) * sizeof(*out->proofs));
    if (!out->proofs) {
        return no_memory(r);
    }
    size_t s = 0;
    for (mlt_json_at p = mlt_json_first(r->json, proofs); p != MLT_JSON_NONE; p = mlt_json_next(r->json, proofs, p)) {
        const enum mlt_status status = get_proof(r, p, &out->link, &out->proofs[s]);
        if (status) {
            return status == MLT_NOMEM ? no_memory(r) : wrong(r, "a proof of link", n);
        }
        out->whole = out->whole && out->proofs[s].num_shown == out->proofs[s].count;
        s++;
    }
    return MLT_OK;
}

static enum mlt_status get_all(const struct reader *r, struct mlt_bundle_absence *out) {
    const struct mlt_json *j = r->json;
    const mlt_json_at segments = mlt_json_get(j, 0, "segments"), links = mlt_json_get(j, 0, "links");
    if (!mlt_json_is(j, segments, MLT_JSON_ARRAY) || !mlt_json_is(j, links, MLT_JSON_ARRAY)) {
        return mlt_fail(r->err, MLT_INVALID, "arrays in segments and links were expected");
    }
    if (j->tape[segments].count > SEGMENTS_MAX || j->tape[links].count > LINKS_MAX) {
        return mlt_fail(r->err, MLT_LIMIT, "more than %d segments or %d links", SEGMENTS_MAX, LINKS_MAX);
    }
    out->segments = mlt_arena_zero(r->arena, (j->tape[segments].count + 1) * sizeof(*out->segments));
    out->links = mlt_arena_zero(r->arena, (j->tape[links].count + 1) * sizeof(*out->links));
    if (!out->segments || !out->links) {
        return no_memory(r);
    }
    for (mlt_json_at s = mlt_json_first(j, segments); s != MLT_JSON_NONE; s = mlt_json_next(j, segments, s)) {
        if (!mlt_json_u64(j, mlt_json_get(j, s, "entry"), &out->segments[out->num_segments++].entry)) {
            return wrong(r, "segment", out->num_segments - 1);
        }
    }
    enum mlt_status status = MLT_OK;
    for (mlt_json_at l = mlt_json_first(j, links); !status && l != MLT_JSON_NONE; l = mlt_json_next(j, links, l)) {
        status = get_link(r, l, out->num_links, out->num_segments, &out->links[out->num_links]);
        out->num_links++;
    }
    return status;
}

enum mlt_status mlt_bundle_get_absence(struct mlt_bundle_absence *out, struct mlt_bytes text, struct mlt_arena *arena,
                                       struct mlt_error *err) {
    struct mlt_json json = {0};
    const struct reader r = {&json, arena, err};
    *out = (struct mlt_bundle_absence){0};
    enum mlt_status status = mlt_json_scan(&json, text, err);
    // Strings may be borrowed from the text; the tape is of no more use.
    status = status ? status : get_all(&r, out);
    mlt_json_clear(&json);
    return status;
}

enum mlt_status mlt_bundle_get_segment(struct mlt_segment *out, uint64_t index, struct mlt_bytes entry,
                                       struct mlt_arena *arena, struct mlt_error *err) {
    struct mlt_entry e = {0};
    *out = (struct mlt_segment){0};
    enum mlt_status status = mlt_entry_parse(&e, arena, entry, err);
    status = status ? status : mlt_segment_read(out, &e, index, err);
    mlt_entry_clear(&e);
    return status;
}
