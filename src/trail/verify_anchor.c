// Anchors, against roots that the caller trusts: a pass of its own over the entries, made only when it is asked for.
// The tree and the entries were checked before, so what is read here is what was signed.

#include "record/anchor.h"
#include "trail/verify_private.h"

static const char anchor_begins[] = "{\"v\":1,\"kind\":\"anchor\"";

static void fault(struct mlt_verify *v, uint64_t index, const char *why) {
    mlt_verify_fault(v, MLT_VERIFY_ANCHOR, "entries.dat", index, "anchor %llu: %s (FORMAT.md, Anchors)",
                     (unsigned long long)index, why);
}

static enum mlt_status read_detail(void *ctx, const uint8_t hash[static MLT_HASH_LEN], struct mlt_arena *arena,
                                   struct mlt_bytes *out, struct mlt_error *err) {
    const struct mlt_verify *v = ctx;
    return mlt_files_detail(&v->files, hash, arena, out, err);
}

// read_anchor reads an anchor with the facts that were spilled.
static enum mlt_status read_anchor(struct mlt_verify *v, struct mlt_arena *arena, struct mlt_bytes entry,
                                   struct mlt_json *facts, struct mlt_anchor *out, struct mlt_error *err) {
    const struct mlt_detail_source details = {.ctx = v, .read = read_detail};
    struct mlt_entry e = {0};
    struct mlt_bytes text;
    enum mlt_status st = mlt_entry_parse(&e, arena, entry, err);
    st = st ? st : mlt_entry_facts(&e, &details, arena, &text, err);
    st = st ? st : mlt_json_scan(facts, text, err);
    st = st ? st : mlt_anchor_read(out, arena, facts, 0, err);
    mlt_entry_clear(&e);
    return st;
}

static bool is_in_tree(const struct mlt_verify *v, const struct mlt_anchor *a, uint64_t index) {
    // The anchor of a tree is logged after it: a tree that would hold its own anchor was not there to be stamped.
    return a->tree_size > 0 && a->tree_size <= index && mlt_verify_has_root(v, a->tree_size, a->root);
}

// The name of the log when it was stamped: before a recovery it had another one.
static const char *name_then(const struct mlt_key_chain *chain, const struct mlt_anchor *a) {
    struct mlt_cursor c = mlt_cursor_of(a->checkpoint);
    const struct mlt_bytes origin = mlt_cursor_line(&c);
    for (size_t i = 0; chain && i < chain->num_keys; i++) {
        if (mlt_bytes_is(origin, chain->keys[i].name)) {
            return chain->keys[i].name;
        }
    }
    return chain ? chain->keys[0].name : NULL;
}

static enum mlt_status check_anchor(struct mlt_verify *v, uint64_t index, struct mlt_bytes entry,
                                    const struct mlt_key_chain *chain, struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_json facts = {0};
    struct mlt_anchor anchor;
    struct mlt_timestamp_verdict verdict;
    struct mlt_error why = {0};
    v->report->anchors++;
    enum mlt_status st = read_anchor(v, &arena, entry, &facts, &anchor, &why);
    if (st == MLT_NOMEM) {
        *err = why;
    } else if (st) {
        fault(v, index, why.text);
        st = MLT_OK;
    } else {
        st = mlt_anchor_judge(&anchor, name_then(chain, &anchor), v->opt->tsa_roots, &verdict, err);
        if (!st && !verdict.good) {
            fault(v, index, verdict.why);
        } else if (!st && !is_in_tree(v, &anchor, index)) {
            fault(v, index, "the trail has another tree at this size than was stamped");
        }
    }
    mlt_json_clear(&facts);
    mlt_arena_clear(&arena);
    return st;
}

static enum mlt_status check_bundle(struct mlt_verify *v, uint64_t first, struct mlt_bytes bundle,
                                    const struct mlt_key_chain *chain, struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(bundle);
    enum mlt_status st = MLT_OK;
    for (uint64_t index = first; !st && mlt_cursor_left(&c) > 0; index++) {
        struct mlt_bytes entry = mlt_cursor_take(&c, mlt_cursor_u16be(&c));
        if (!c.failed && entry.len > sizeof(anchor_begins) &&
            memcmp(entry.ptr, anchor_begins, sizeof(anchor_begins) - 1) == 0) {
            st = check_anchor(v, index, entry, chain, err);
        }
    }
    return st;
}

enum mlt_status mlt_verify_anchors(struct mlt_verify *v, const struct mlt_key_chain *chain, struct mlt_error *err) {
    struct mlt_buf bundle = {0};
    enum mlt_status st = MLT_OK;
    for (uint64_t first = 0; !st && first < v->mark.size; first += MLT_TILE_WIDTH) {
        uint64_t count = v->mark.size - first < MLT_TILE_WIDTH ? v->mark.size - first : MLT_TILE_WIDTH;
        struct mlt_error why = {0};
        mlt_buf_reset(&bundle);
        enum mlt_status read = mlt_files_entries(&v->files, first, count, &bundle, &why);
        if (read == MLT_CORRUPT || read == MLT_NOTFOUND) {
            continue; // reported by the pass over all entries
        }
        if (read) {
            *err = why;
            st = read;
        } else {
            st = check_bundle(v, first, mlt_buf_bytes(&bundle), chain, err);
        }
    }
    mlt_buf_clear(&bundle);
    return st;
}
