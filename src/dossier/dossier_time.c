// When: each entry is bracketed between the anchors around it.
//
// An anchor entry holds a token of time T over a tree of size S. Entries below S existed at T: "not after". An entry
// behind the anchor entry in the log was logged once the token was there, hence at or after T: "not before". Both rest
// on what the log says of the tokens; whether the tokens are good is for `verify` and roots from outside, so that a
// dossier made again elsewhere is the same.
#include "dossier/dossier_time.h"

#define PAGE 16         // anchors looked at together: those under way when an entry was logged are few
#define SCANNED_MAX 256 // and all that are looked at for one entry; then it counts as not covered
// The server's clock and that of an authority may differ a little; a time that is forged for a purpose differs by more.
#define CLOCK_TOLERANCE_NS (300 * MLT_NS_PER_S)

struct finder {
    const struct mlt_source *src;
    struct mlt_arena *arena;
    struct mlt_times *times;
    struct mlt_term term;
    struct mlt_error *err;
};

// -- anchors ----------------------------------------------------------------------------------------------------------

// Entries are looked at in log order, and their anchors come nearly so.
static void put_in_order(struct mlt_times *times, struct mlt_time_anchor *a) {
    size_t at = times->num++;
    while (at > 0 && times->list[at - 1]->entry > a->entry) {
        times->list[at] = times->list[at - 1];
        at--;
    }
    times->list[at] = a;
}

// load reads the anchor at an entry, once. `*out` NULL: it is no time-stamp, or cannot be read as one.
static enum mlt_status load(struct finder *f, uint64_t entry, struct mlt_time_anchor **out) {
    struct mlt_times *times = f->times;
    *out = NULL;
    for (size_t i = 0; i < times->num; i++) {
        if (times->list[i]->entry == entry) {
            *out = times->list[i];
            return MLT_OK;
        }
    }
    struct mlt_time_anchor *a = mlt_arena_zero(f->arena, sizeof *a);
    if (!a) {
        return mlt_fail(f->err, MLT_NOMEM, "no memory for an anchor");
    }
    struct mlt_entry e = {0};
    a->entry = entry;
    enum mlt_status status = f->src->entry(f->src->ctx, entry, f->arena, &a->bytes, f->err);
    status = status ? status : mlt_entry_parse(&e, f->arena, a->bytes, f->err);
    if (status == MLT_OK && mlt_anchor_read(&a->says, f->arena, &e.json, e.facts, NULL) == MLT_OK &&
        a->says.is_timestamp && times->num < MLT_TIMES_ANCHORS_MAX) {
        // The slices point into the entry's bytes or the arena, which both outlive the tape.
        put_in_order(times, a);
        *out = a;
    }
    mlt_entry_clear(&e);
    return status;
}

static enum mlt_status find(struct finder *f, uint64_t from, bool descending, uint64_t found[static PAGE],
                            size_t *num) {
    bool more = false;
    *num = 0;
    return f->src->find(f->src->ctx, &f->term, 1, from, descending, PAGE, found, num, NULL, &more, f->err);
}

// newest_before finds the newest anchor entry below `index`.
static enum mlt_status newest_before(struct finder *f, uint64_t index, struct mlt_time_anchor **out) {
    uint64_t found[PAGE];
    size_t num = PAGE;
    enum mlt_status status = MLT_OK;
    *out = NULL;
    for (size_t scanned = 0; !status && !*out && num == PAGE && scanned < SCANNED_MAX; scanned += PAGE) {
        status = find(f, index, true, found, &num);
        for (size_t i = 0; !status && !*out && i < num; i++) {
            status = load(f, found[i], out);
            index = found[i];
        }
    }
    return status;
}

// oldest_covering finds the oldest anchor of a tree that holds `index`; `*next` is the first anchor entry from
// `index` on, whatever it covers, UINT64_MAX: none.
static enum mlt_status oldest_covering(struct finder *f, uint64_t index, struct mlt_time_anchor **out, uint64_t *next) {
    uint64_t found[PAGE];
    uint64_t from = index;
    size_t num = PAGE;
    enum mlt_status status = MLT_OK;
    *out = NULL;
    *next = UINT64_MAX;
    for (size_t scanned = 0; !status && !*out && num == PAGE && scanned < SCANNED_MAX; scanned += PAGE) {
        status = find(f, from, false, found, &num);
        if (num > 0 && *next == UINT64_MAX) {
            *next = found[0];
        }
        for (size_t i = 0; !status && !*out && i < num; i++) {
            status = load(f, found[i], out);
            from = found[i] + 1;
            if (*out && (*out)->says.tree_size <= index) {
                *out = NULL; // asked for before the entry was there, recorded after; or the entry itself
            }
        }
    }
    return status;
}

// -- entries ----------------------------------------------------------------------------------------------------------

// Neighbours in the log mostly lie between the same anchors: what was found for one entry holds for the next one as
// long as no anchor entry is in between (`*next` is the first one), and the anchor found covers it too.
static enum mlt_status bracket(struct finder *f, const struct mlt_time_bounds *last, uint64_t *next, uint64_t index,
                               struct mlt_time_bounds *out) {
    enum mlt_status status = MLT_OK;
    if (last && index <= *next) {
        out->before = last->before;
    } else {
        status = newest_before(f, index, &out->before);
    }
    if (last && index < *next && (!last->after || last->after->says.tree_size > index)) {
        out->after = last->after;
    } else if (status == MLT_OK) {
        status = oldest_covering(f, index, &out->after, next);
    }
    return status;
}

static bool fits(const struct mlt_time_bounds *b, int64_t received) {
    const struct mlt_timestamp *before = b->before ? &b->before->says.says : NULL;
    const struct mlt_timestamp *after = b->after ? &b->after->says.says : NULL;
    return (!before || received >= before->gen_time - before->accuracy_ns - CLOCK_TOLERANCE_NS) &&
           (!after || received <= after->gen_time + after->accuracy_ns + CLOCK_TOLERANCE_NS);
}

// check_received holds the server's own time of an entry against its bounds.
static enum mlt_status check_received(struct finder *f, struct mlt_proof_item *item, struct mlt_time_bounds *bounds) {
    struct mlt_arena arena = {0};
    struct mlt_entry e = {0};
    enum mlt_status status = MLT_OK;
    bounds->received_fits = true;
    if (!bounds->before && !bounds->after) {
        return MLT_OK;
    }
    if (item->bytes.len == 0) {
        status = f->src->entry(f->src->ctx, item->index, f->arena, &item->bytes, f->err);
    }
    status = status ? status : mlt_entry_parse(&e, &arena, item->bytes, f->err);
    if (status == MLT_OK) {
        bounds->received_fits = fits(bounds, e.received);
    }
    mlt_entry_clear(&e);
    mlt_arena_clear(&arena);
    return status;
}

static void add_anchors(struct mlt_proof_set *set, const struct mlt_times *times) {
    const struct mlt_proof_set sorted = *set;
    for (size_t i = 0; i < times->num; i++) {
        const struct mlt_time_anchor *a = times->list[i];
        if (a->used && !mlt_proof_set_has(&sorted, a->entry)) {
            mlt_proof_set_add(set, a->entry, a->bytes);
        }
    }
}

static void mark_used(struct mlt_time_anchor *a) {
    if (a) {
        a->used = true;
    }
}

enum mlt_status mlt_times_find(struct mlt_times *times, struct mlt_arena *arena, const struct mlt_source *src,
                               struct mlt_proof_set *set, struct mlt_error *err) {
    struct finder f = {.src = src, .arena = arena, .times = times, .err = err};
    const struct mlt_bytes kind = mlt_str(mlt_kind_info(MLT_KIND_ANCHOR)->name);
    const struct mlt_time_bounds *last = NULL;
    uint64_t next = 0;
    enum mlt_status status = MLT_OK;
    *times = (struct mlt_times){.all_covered = set->num > 0, .primary_covered = false};
    mlt_source_term(src, &f.term, MLT_DIM_KIND, &kind, 1);
    for (size_t i = 0; !status && i < set->num; i++) {
        struct mlt_proof_item *item = &set->items[i];
        struct mlt_time_bounds *bounds = mlt_arena_zero(arena, sizeof *bounds);
        if (!bounds) {
            return mlt_fail(err, MLT_NOMEM, "no memory for times");
        }
        status = bracket(&f, last, &next, item->index, bounds);
        status = status ? status : check_received(&f, item, bounds);
        mark_used(bounds->before);
        mark_used(bounds->after);
        times->all_covered = times->all_covered && bounds->after;
        times->primary_covered =
            times->primary_covered || (set->has_primary && item->index == set->primary && bounds->after);
        item->bounds = bounds;
        last = bounds;
    }
    if (status == MLT_OK) {
        add_anchors(set, times);
        mlt_proof_set_sort(set);
    }
    return status;
}

// -- writing ----------------------------------------------------------------------------------------------------------

static void put_bound(struct mlt_json_writer *w, const char *name, const struct mlt_time_anchor *a) {
    mlt_jw_name(w, name);
    if (!a) {
        mlt_jw_null(w);
        return;
    }
    mlt_jw_object(w);
    mlt_dossier_put_time(w, "time", true, a->says.says.gen_time);
    mlt_jw_member_u64(w, "entry", a->entry);
    mlt_jw_end_object(w);
}

void mlt_times_put_bounds(struct mlt_json_writer *w, const struct mlt_time_bounds *bounds) {
    mlt_jw_name(w, "time_bounds");
    if (!bounds) {
        mlt_jw_null(w); // an anchor, shown for others' sake: its own token says when
        return;
    }
    mlt_jw_object(w);
    put_bound(w, "not_before", bounds->before);
    put_bound(w, "not_after", bounds->after);
    mlt_jw_member_bool(w, "received_fits", bounds->received_fits);
    mlt_jw_end_object(w);
}

// put_consistency writes the proof that the anchored tree grew into this one. False: it did not.
static bool put_consistency(struct mlt_json_writer *w, const struct mlt_source *src, const struct mlt_anchor *anchor,
                            const uint8_t *root) {
    struct mlt_proof proof = {.num_hashes = 0};
    const bool asked = src->extends && root;
    const bool proved = asked && anchor->tree_size > 0 && anchor->tree_size <= src->size &&
                        src->extends(src->ctx, anchor->tree_size, &proof, NULL) == MLT_OK;
    const bool consistent =
        proved && mlt_merkle_verify_consistency(anchor->tree_size, src->size, &proof, anchor->root, root);
    mlt_jw_name(w, "consistency");
    mlt_jw_array(w);
    for (size_t i = 0; proved && i < proof.num_hashes; i++) {
        mlt_jw_hex(w, mlt_bytes_of(proof.hash[i], MLT_HASH_LEN));
    }
    mlt_jw_end_array(w);
    mlt_jw_name(w, "consistent");
    if (asked) {
        mlt_jw_bool(w, consistent);
    } else {
        mlt_jw_null(w);
    }
    return !asked || consistent;
}

static void put_text_or_null(struct mlt_json_writer *w, const char *name, struct mlt_bytes text) {
    mlt_jw_name(w, name);
    if (text.len > 0) {
        mlt_jw_string(w, text);
    } else {
        mlt_jw_null(w);
    }
}

static bool put_anchor(struct mlt_json_writer *w, const struct mlt_source *src, const struct mlt_time_anchor *a,
                       const uint8_t *root) {
    const struct mlt_timestamp *says = &a->says.says;
    mlt_jw_object(w);
    mlt_jw_member_u64(w, "entry", a->entry);
    mlt_jw_member_u64(w, "tree_size", a->says.tree_size);
    mlt_jw_name(w, "root");
    mlt_jw_hex(w, mlt_bytes_of(a->says.root, MLT_HASH_LEN));
    mlt_dossier_put_time(w, "time", true, says->gen_time);
    mlt_jw_name(w, "accuracy_ns");
    if (says->has_accuracy) {
        mlt_jw_u64(w, (uint64_t)says->accuracy_ns);
    } else {
        mlt_jw_null(w);
    }
    put_text_or_null(w, "authority", mlt_str(says->authority));
    put_text_or_null(w, "url", a->says.url);
    mlt_jw_member(w, "policy", says->policy);
    mlt_jw_member(w, "serial", says->serial);
    put_text_or_null(w, "checked_with", a->says.roots);
    const bool consistent = put_consistency(w, src, &a->says, root);
    mlt_jw_end_object(w);
    return consistent;
}

bool mlt_times_put_anchors(struct mlt_json_writer *w, const struct mlt_source *src, const struct mlt_times *times,
                           const uint8_t *root) {
    bool all = true;
    mlt_jw_name(w, "anchors");
    mlt_jw_array(w);
    for (size_t i = 0; i < times->num; i++) {
        if (times->list[i]->used) {
            all = put_anchor(w, src, times->list[i], root) && all;
        }
    }
    mlt_jw_end_array(w);
    return all;
}
