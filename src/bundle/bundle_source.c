// A source over the contents of a bundle. It answers from what was proved; where something is asserted it says so in
// the report, and where a bundle leaves a question open the walk ends.
#include <stdio.h>

#include "bundle/bundle_read.h"

static struct mlt_bundle_read_entry *need_entry(struct mlt_bundle_reading *r, uint64_t index, struct mlt_error *err) {
    struct mlt_bundle_read_entry *e = index < r->then.size ? mlt_bundle_entry_find(r, index) : NULL;
    if (!e) {
        (void)mlt_fail(err, MLT_NOTFOUND, "the dossier rests on entry %llu, which is not in the bundle",
                       (unsigned long long)index);
        return NULL;
    }
    e->used = true;
    return e;
}

static enum mlt_status entry(void *ctx, uint64_t index, struct mlt_arena *arena, struct mlt_bytes *out,
                             struct mlt_error *err) {
    const struct mlt_bundle_read_entry *e = need_entry(ctx, index, err);
    (void)arena;
    if (!e) {
        return MLT_NOTFOUND;
    }
    *out = e->bytes;
    return MLT_OK;
}

static enum mlt_status detail(void *ctx, const uint8_t hash[static MLT_HASH_LEN], struct mlt_arena *arena,
                              struct mlt_bytes *out, struct mlt_error *err) {
    char name[MLT_BUNDLE_NAME_LEN] = "details/";
    mlt_hex_encode(name + strlen(name), mlt_bytes_of(hash, MLT_HASH_LEN));
    const struct mlt_bundle_member *m = mlt_bundle_member_find(ctx, name);
    (void)arena;
    if (!m) {
        return mlt_fail(err, MLT_NOTFOUND, "an entry has the detail %s, which is not in the bundle", name);
    }
    *out = m->data;
    return MLT_OK;
}

static enum mlt_status payload(void *ctx, uint64_t index, const struct mlt_entry *e, struct mlt_arena *arena,
                               enum mlt_payload_state *state, struct mlt_bytes *plain, struct mlt_error *err) {
    const struct mlt_bundle_read_entry *read = need_entry(ctx, index, err);
    *state = MLT_PAYLOAD_NONE;
    *plain = (struct mlt_bytes){0};
    if (!read) {
        return MLT_NOTFOUND;
    }
    if (e->payload == MLT_JSON_NONE) {
        return MLT_OK;
    }
    if (!read->has_payload_member) {
        return mlt_fail(err, MLT_NOTFOUND, "what became of the payload of entry %llu is not in the bundle",
                        (unsigned long long)index);
    }
    return mlt_bundle_plain(&read->payload, e, arena, state, plain, err);
}

// --- look-ups ---

static void watch(void *ctx, const struct mlt_term *term, const struct mlt_bytes *values, size_t num_values) {
    struct mlt_bundle_reading *r = ctx;
    mlt_bundle_terms_add(&r->terms, term, values, num_values);
}

static const struct mlt_bundle_link *find_link(const struct mlt_bundle_reading *r, const struct mlt_bundle_term *t) {
    for (size_t i = 0; i < r->absence.num_links; i++) {
        if (!r->absence.links[i].refuted && mlt_bundle_term_equal(&r->absence.links[i].term, t)) {
            return &r->absence.links[i];
        }
    }
    return NULL;
}

static bool same_question(const struct mlt_bundle_find *a, const struct mlt_bundle_find *b) {
    bool same =
        a->num_terms == b->num_terms && a->from == b->from && a->descending == b->descending && a->limit == b->limit;
    for (size_t i = 0; same && i < a->num_terms; i++) {
        same = mlt_bundle_term_equal(&a->terms[i], &b->terms[i]);
    }
    return same;
}

static const struct mlt_bundle_find *find_asserted(const struct mlt_bundle_reading *r,
                                                   const struct mlt_bundle_find *f) {
    for (size_t i = 0; i < r->answers.num_finds; i++) {
        if (same_question(&r->answers.finds[i], f)) {
            return &r->answers.finds[i];
        }
    }
    return NULL;
}

static bool precedes(const struct mlt_bundle_find *f, uint64_t a, uint64_t b) {
    return f->descending ? a > b : a < b;
}

static bool within(const struct mlt_bundle_find *f, uint64_t entry) {
    return f->descending ? entry < f->from : entry >= f->from;
}

// An answer is a page as a source gives it: in order, each once, within what was asked.
static bool is_page(const struct mlt_bundle_find *f, uint64_t size) {
    for (size_t i = 0; i < f->num_entries; i++) {
        const uint64_t entry = f->entries[i];
        if (entry >= size || !within(f, entry) || (i > 0 && !precedes(f, f->entries[i - 1], entry))) {
            return false;
        }
    }
    return f->total >= f->num_entries;
}

// Whether `entry`, if it has the terms, has to be on this page: those that come after a full page do not.
static bool belongs(const struct mlt_bundle_find *page, uint64_t entry) {
    const bool full = page->num_entries == page->limit;
    return within(page, entry) &&
           (!full || (page->num_entries > 0 && !precedes(page, page->entries[page->num_entries - 1], entry)));
}

// A page is in order.
static bool has_entry(const struct mlt_bundle_find *page, uint64_t entry) {
    size_t low = 0, high = page->num_entries;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const bool before = precedes(page, page->entries[mid], entry);
        low = before ? mid + 1 : low;
        high = before ? high : mid;
    }
    return low < page->num_entries && page->entries[low] == entry;
}

// Of a link that very many entries have, the newest leaves are shown; whether an entry may be an older one.
static bool may_be_older(const struct mlt_bundle_reading *r, const struct mlt_bundle_link *link, uint64_t entry) {
    for (size_t s = 0; s < r->absence.num_segments; s++) {
        const struct mlt_segment *segment = &r->absence.segments[s].segment;
        const struct mlt_link_proof *p = &link->proofs[s];
        if (entry >= segment->first && entry < segment->end) {
            return p->num_shown > 0 && p->num_shown < p->count && entry < p->shown[0].leaf.entry;
        }
    }
    return false;
}

static bool is_shown(const struct mlt_bundle_link *link, size_t num_segments, uint64_t entry) {
    for (size_t s = 0; s < num_segments; s++) {
        for (size_t i = 0; i < link->proofs[s].num_shown; i++) {
            if (link->proofs[s].shown[i].leaf.entry == entry) {
                return true;
            }
        }
    }
    return false;
}

// Whether the details of `entry`, read whole, have the link.
static bool is_further(const struct mlt_bundle_absence *a, const struct mlt_bundle_link *link, uint64_t entry) {
    for (size_t i = 0; i < a->num_further; i++) {
        if (a->further[i].entry == entry && memcmp(&a->further[i].link, &link->link, sizeof(link->link)) == 0) {
            return true;
        }
    }
    return false;
}

// Whether an asserted page leaves out nothing of a proved one, and adds nothing but what proofs of links cannot show.
static bool agrees_with_page(const struct mlt_bundle_reading *r, const struct mlt_bundle_find *proved,
                             const struct mlt_bundle_find *asserted) {
    for (size_t i = 0; i < proved->num_entries; i++) {
        if (belongs(asserted, proved->entries[i]) && !has_entry(asserted, proved->entries[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < asserted->num_entries; i++) {
        if (!has_entry(proved, asserted->entries[i]) && !mlt_bundle_is_open(&r->absence, asserted->entries[i])) {
            return false;
        }
    }
    return (asserted->more || !proved->more) && asserted->total - proved->total <= r->absence.num_open;
}

// The same where not all leaves of the link are shown. Of those that are, a kind may still rule out some.
static bool agrees_with_leaves(const struct mlt_bundle_reading *r, const struct mlt_bundle_link *link, bool any_kind,
                               const struct mlt_bundle_find *asserted) {
    const size_t num = r->absence.num_segments;
    for (size_t s = 0; any_kind && s < num; s++) {
        for (size_t i = 0; i < link->proofs[s].num_shown; i++) {
            const uint64_t entry = link->proofs[s].shown[i].leaf.entry;
            if (entry < r->then.size && belongs(asserted, entry) && !has_entry(asserted, entry)) {
                return false;
            }
        }
    }
    for (size_t i = 0; any_kind && i < r->absence.num_further; i++) {
        const struct mlt_link_leaf *leaf = &r->absence.further[i];
        if (memcmp(&leaf->link, &link->link, sizeof(link->link)) == 0 && leaf->entry < r->then.size &&
            belongs(asserted, leaf->entry) && !has_entry(asserted, leaf->entry)) {
            return false;
        }
    }
    for (size_t i = 0; i < asserted->num_entries; i++) {
        const uint64_t entry = asserted->entries[i];
        if (!may_be_older(r, link, entry) && !is_shown(link, num, entry) && !is_further(&r->absence, link, entry) &&
            !mlt_bundle_is_open(&r->absence, entry)) {
            return false;
        }
    }
    return true;
}

static void note_asserted(struct mlt_bundle_reading *r, const struct mlt_bundle_find *f) {
    const char *text = mlt_bundle_term_text(&f->terms[0], r->arena);
    const char *with = f->num_terms > 1 ? mlt_bundle_term_text(&f->terms[1], r->arena) : NULL;
    mlt_bundle_assert(r, "%s%s%s: %llu in all", text, with ? ", " : "", with ? with : "", (unsigned long long)f->total);
}

// The ladder: a proved list; else, for what segments do not commit to or for lists too long to be shown, what is
// asserted; else there is no answer.
static enum mlt_status answer(struct mlt_bundle_reading *r, struct mlt_bundle_find *f, struct mlt_error *err) {
    const struct mlt_bundle_term *linked;
    struct mlt_bytes kind;
    const bool provable = mlt_bundle_question(f, &linked, &kind);
    const struct mlt_bundle_link *link = provable ? find_link(r, linked) : NULL;
    const struct mlt_bundle_find *asserted = find_asserted(r, f);
    bool answered = false;
    if (link) {
        const struct mlt_source src = mlt_bundle_read_source(r);
        const enum mlt_status status = mlt_bundle_answer(&r->absence, link, kind, &src, f, &answered, err);
        if (status || (answered && !asserted)) {
            return status;
        }
    }
    if (provable && !link) {
        return mlt_fail(err, MLT_INVALID, "that these are all records is not proved: %s",
                        mlt_bundle_term_text(linked, r->arena));
    }
    if (!asserted) {
        return mlt_fail(err, MLT_INVALID, "the bundle does not answer: %s",
                        mlt_bundle_term_text(&f->terms[0], r->arena));
    }
    if (!is_page(asserted, r->then.size)) {
        return mlt_fail(err, MLT_INVALID, "what is asserted is no answer to the question: %s",
                        mlt_bundle_term_text(&f->terms[0], r->arena));
    }
    if (provable &&
        (asserted->total < f->total ||
         !(answered ? agrees_with_page(r, f, asserted) : agrees_with_leaves(r, link, kind.len == 0, asserted)))) {
        return mlt_fail(err, MLT_INVALID, "what is asserted contradicts what is proved: %s",
                        mlt_bundle_term_text(linked, r->arena));
    }
    note_asserted(r, asserted);
    f->num_entries = asserted->num_entries;
    if (f->num_entries > 0) {
        memcpy(f->entries, asserted->entries, f->num_entries * sizeof(*f->entries));
    }
    f->total = asserted->total;
    f->more = asserted->more;
    return MLT_OK;
}

static enum mlt_status find(void *ctx, const struct mlt_term *terms, size_t num_terms, uint64_t from, bool descending,
                            size_t limit, uint64_t *out, size_t *num_out, uint64_t *total, bool *more,
                            struct mlt_error *err) {
    struct mlt_bundle_reading *r = ctx;
    struct mlt_bundle_find f = {.from = from, .descending = descending, .limit = limit, .entries = out};
    *num_out = 0;
    for (size_t i = 0; i < num_terms; i++) {
        if (num_terms > MLT_BUNDLE_TERMS_MAX || !mlt_bundle_terms_find(&r->terms, &terms[i], &f.terms[f.num_terms++])) {
            return mlt_fail(err, MLT_INTERNAL, "a look-up that no bundle answers");
        }
    }
    const enum mlt_status status = answer(r, &f, err);
    if (status) {
        return status;
    }
    *num_out = f.num_entries;
    if (total) {
        *total = f.total;
    }
    if (more) {
        *more = f.more;
    }
    return MLT_OK;
}

static enum mlt_status stream(void *ctx, const struct mlt_term *term, struct mlt_stream_run *out, size_t cap,
                              size_t *num_runs, struct mlt_error *err) {
    struct mlt_bundle_reading *r = ctx;
    struct mlt_bundle_term asked;
    if (!mlt_bundle_terms_find(&r->terms, term, &asked)) {
        return mlt_fail(err, MLT_INTERNAL, "a stream that no bundle answers");
    }
    for (size_t i = 0; i < r->answers.num_streams; i++) {
        const struct mlt_bundle_stream *s = &r->answers.streams[i];
        if (mlt_bundle_term_equal(&s->term, &asked)) {
            const size_t num = s->num_runs < cap ? s->num_runs : cap;
            mlt_bundle_assert(r, "%s: %zu run(s) of sequence numbers", mlt_bundle_term_text(&asked, r->arena),
                              s->num_runs);
            if (num > 0) {
                memcpy(out, s->runs, num * sizeof(*out));
            }
            *num_runs = s->num_runs;
            return MLT_OK;
        }
    }
    return mlt_fail(err, MLT_INVALID, "the bundle does not answer: %s", mlt_bundle_term_text(&asked, r->arena));
}

static enum mlt_status prove(void *ctx, uint64_t index, struct mlt_proof *out, struct mlt_error *err) {
    const struct mlt_bundle_read_entry *e = need_entry(ctx, index, err);
    if (!e || !e->has_proof_then) {
        return MLT_NOTFOUND;
    }
    *out = e->proof_then;
    return MLT_OK;
}

static enum mlt_status extends(void *ctx, uint64_t size, struct mlt_proof *out, struct mlt_error *err) {
    const struct mlt_bundle_reading *r = ctx;
    for (size_t i = 0; i < r->answers.num_growths; i++) {
        if (r->answers.growths[i].size == size) {
            *out = r->answers.growths[i].proof;
            return MLT_OK;
        }
    }
    return mlt_fail(err, MLT_NOTFOUND, "that the tree of %llu entries grew into this one is not proved",
                    (unsigned long long)size);
}

struct mlt_source mlt_bundle_read_source(struct mlt_bundle_reading *r) {
    struct mlt_source s = {
        .ctx = r,
        .size = r->then.size,
        .origin = r->then.origin,
        .keys = r->keys,
        .entry = entry,
        .detail = detail,
        .payload = payload,
        .find = find,
        .stream = stream,
        .prove = prove,
        .extends = extends,
        .watch = watch,
        .watch_ctx = r,
    };
    memcpy(s.index_key, mlt_link_key, MLT_INDEX_KEY_LEN);
    return s;
}
