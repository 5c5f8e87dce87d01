// An answer from link proofs: what the index would have said, from leaves that are proved.
#include "bundle/bundle_parts.h"

// Entries of one segment that are shown and below `size`, and whether they are all there are.
struct slice {
    const struct mlt_link_proof *proof;
    size_t num;     // shown ones below the size
    uint64_t count; // all below the size
    bool known;     // `count` is right
};

static struct slice slice_of(const struct mlt_link_proof *p, uint64_t size) {
    struct slice s = {.proof = p, .num = p->num_shown};
    while (s.num > 0 && p->shown[s.num - 1].leaf.entry >= size) {
        s.num--;
    }
    // The newest are shown: those that are not lie below the oldest one that is.
    const uint64_t beyond = p->num_shown - s.num;
    s.known = p->num_shown == p->count || s.num > 0;
    s.count = p->count - beyond;
    return s;
}

static bool wanted(const struct mlt_bundle_find *f, uint64_t entry) {
    return f->descending ? entry < f->from : entry >= f->from;
}

static void take(struct mlt_bundle_find *f, uint64_t entry) {
    if (!wanted(f, entry)) {
        return;
    }
    if (f->num_entries < f->limit) {
        f->entries[f->num_entries++] = entry;
    } else {
        f->more = true;
    }
}

// False: the next entry may be one that is not shown.
static bool take_slice(struct mlt_bundle_find *f, const struct slice *s) {
    const bool whole = s->num == s->count;
    if (!whole && !f->descending) {
        return false;
    }
    for (size_t i = 0; i < s->num; i++) {
        take(f, s->proof->shown[f->descending ? s->num - 1 - i : i].leaf.entry);
    }
    if (!whole && f->num_entries == f->limit) {
        f->more = true;
    }
    return whole || f->num_entries == f->limit;
}

static bool answer_from_slices(const struct mlt_bundle_absence *a, const struct mlt_bundle_link *link, uint64_t size,
                               struct mlt_bundle_find *f) {
    bool answered = true;
    for (size_t i = 0; answered && i < a->num_segments; i++) {
        const size_t at = f->descending ? a->num_segments - 1 - i : i;
        const struct slice s = slice_of(&link->proofs[at], size);
        answered = s.known;
        if (answered && f->num_entries < f->limit) {
            answered = take_slice(f, &s);
        } else if (s.count > 0) {
            f->more = true; // the page is full, and segments are in the order of their entries
        }
        f->total += s.known ? s.count : s.num;
    }
    return answered;
}

// --- lists that are shown whole, with what entries say in their details ---

// Two lists of leaves with one link, each in the order of entries, gone through together.
struct walk {
    bool descending;
    struct mlt_bytes kind;        // empty: any
    const struct mlt_source *src; // where the kind of an entry is read
    struct mlt_bundle_find *f;
    const struct mlt_link_leaf *further; // the rest of the second list
    size_t num_further;
    enum mlt_status status; // of reading
    struct mlt_error *err;
};

static size_t first_further(const struct mlt_bundle_absence *a, const struct mlt_link *link) {
    size_t low = 0, high = a->num_further;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (memcmp(a->further[mid].link.hash, link->hash, MLT_LINK_LEN) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void find_further(struct walk *w, const struct mlt_bundle_absence *a, const struct mlt_link *link) {
    const size_t first = first_further(a, link);
    size_t end = first;
    while (end < a->num_further && memcmp(a->further[end].link.hash, link->hash, MLT_LINK_LEN) == 0) {
        end++;
    }
    w->further = a->further ? a->further + first : NULL;
    w->num_further = end - first;
}

static bool is_kind(struct walk *w, uint64_t index) {
    struct mlt_arena scratch = {0};
    struct mlt_bytes bytes;
    struct mlt_entry e = {0};
    w->status = w->src->entry(w->src->ctx, index, &scratch, &bytes, w->err);
    w->status = w->status ? w->status : mlt_entry_parse(&e, &scratch, bytes, w->err);
    const bool is = w->status == MLT_OK && mlt_bytes_equal(e.kind_name, w->kind);
    mlt_entry_clear(&e);
    mlt_arena_clear(&scratch);
    return is;
}

static void step(struct walk *w, uint64_t entry) {
    if (w->status == MLT_OK && (w->kind.len == 0 || is_kind(w, entry))) {
        w->f->total++;
        take(w->f, entry);
    }
}

// Takes of the second list what comes before `entry`; a leaf that is in both counts once.
static void step_further(struct walk *w, uint64_t entry) {
    while (w->num_further > 0) {
        const uint64_t next = w->further[w->descending ? w->num_further - 1 : 0].entry;
        if (w->descending ? next < entry : next > entry) {
            return;
        }
        w->num_further--;
        w->further += w->descending ? 0 : 1;
        if (next != entry) {
            step(w, next);
        }
    }
}

static void answer_whole(const struct mlt_bundle_absence *a, const struct mlt_bundle_link *link, struct walk *w) {
    for (size_t i = 0; i < a->num_segments; i++) {
        const struct slice s = slice_of(&link->proofs[w->descending ? a->num_segments - 1 - i : i], w->src->size);
        for (size_t n = 0; n < s.num; n++) {
            const uint64_t entry = s.proof->shown[w->descending ? s.num - 1 - n : n].leaf.entry;
            step_further(w, entry);
            step(w, entry);
        }
    }
    while (w->num_further > 0) {
        w->num_further--;
        step(w, w->further[w->descending ? w->num_further : 0].entry);
        w->further += w->descending ? 0 : 1;
    }
}

enum mlt_status mlt_bundle_answer(const struct mlt_bundle_absence *a, const struct mlt_bundle_link *link,
                                  struct mlt_bytes kind, const struct mlt_source *src, struct mlt_bundle_find *f,
                                  bool *answered, struct mlt_error *err) {
    struct walk w = {.descending = f->descending, .kind = kind, .src = src, .f = f, .err = err};
    f->num_entries = 0;
    f->total = 0;
    f->more = false;
    find_further(&w, a, &link->link);
    if (kind.len == 0 && w.num_further == 0) {
        *answered = answer_from_slices(a, link, src->size, f);
        return MLT_OK;
    }
    *answered = link->whole;
    if (link->whole) {
        answer_whole(a, link, &w);
    }
    return w.status;
}

bool mlt_bundle_question(const struct mlt_bundle_find *f, const struct mlt_bundle_term **linked,
                         struct mlt_bytes *kind) {
    *linked = NULL;
    *kind = (struct mlt_bytes){0};
    for (size_t i = 0; i < f->num_terms; i++) {
        const struct mlt_bundle_term *t = &f->terms[i];
        if (mlt_dim_is_linked((enum mlt_dim)t->dim) && !*linked) {
            *linked = t;
        } else if (t->dim == MLT_DIM_KIND && t->num_values == 1 && f->num_terms == 2) {
            *kind = t->values[0];
        } else {
            return false;
        }
    }
    return *linked && (f->num_terms == 1 || kind->len > 0);
}
