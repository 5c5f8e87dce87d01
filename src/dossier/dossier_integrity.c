// The proof of a dossier: every entry that it rests on, hashed again from its bytes and proved to be in the tree of the
// signed checkpoint. Nothing of this is taken from a stored verdict.
#include <stdlib.h>

#include "dossier/dossier_time.h"

#define PROOF_SET_FIRST 64 // most dossiers rest on fewer entries

void mlt_proof_set_add(struct mlt_proof_set *set, uint64_t index, struct mlt_bytes bytes) {
    if (set->num == set->cap) {
        const size_t cap = set->cap ? set->cap * 2 : PROOF_SET_FIRST;
        struct mlt_proof_item *items = mlt_arena_take(set->arena, cap * sizeof(*items));
        if (!items) {
            set->failed = true;
            return;
        }
        if (set->num) {
            memcpy(items, set->items, set->num * sizeof(*items));
        }
        set->items = items;
        set->cap = cap;
    }
    set->items[set->num++] = (struct mlt_proof_item){.index = index, .bytes = bytes};
}

void mlt_proof_set_add_node(struct mlt_proof_set *set, const struct mlt_node *node) {
    for (size_t i = 0; i < node->num_parts; i++) {
        mlt_proof_set_add(set, node->parts[i].index, node->parts[i].entry.json.text);
    }
    // The verdict on a signature rests on the setting as much as on the record.
    for (size_t i = 0; i < node->num_signatures; i++) {
        if (node->signatures[i].setting != UINT64_MAX) {
            mlt_proof_set_add(set, node->signatures[i].setting, (struct mlt_bytes){0});
        }
    }
}

void mlt_proof_set_add_list(struct mlt_proof_set *set, const struct mlt_node_list *list) {
    for (size_t i = 0; i < list->num; i++) {
        mlt_proof_set_add_node(set, list->nodes[i]);
    }
}

void mlt_proof_set_add_findings(struct mlt_proof_set *set, const struct mlt_finding *findings, size_t num,
                                uint64_t size) {
    for (size_t i = 0; i < num; i++) {
        for (size_t e = 0; e < findings[i].num_entries; e++) {
            if (findings[i].entries[e] < size) {
                mlt_proof_set_add(set, findings[i].entries[e], (struct mlt_bytes){0});
            }
        }
        if (findings[i].resolved_by < size) {
            mlt_proof_set_add(set, findings[i].resolved_by, (struct mlt_bytes){0});
        }
    }
}

// By index; among equals the one whose bytes are at hand first.
static int by_index(const void *a, const void *b) {
    const struct mlt_proof_item *x = a, *y = b;
    if (x->index != y->index) {
        return x->index < y->index ? -1 : 1;
    }
    return (x->bytes.len == 0) - (y->bytes.len == 0);
}

void mlt_proof_set_sort(struct mlt_proof_set *set) {
    if (set->num < 2) {
        return;
    }
    qsort(set->items, set->num, sizeof(*set->items), by_index);
    size_t kept = 1;
    for (size_t i = 1; i < set->num; i++) {
        if (set->items[i].index != set->items[kept - 1].index) {
            set->items[kept++] = set->items[i];
        }
    }
    set->num = kept;
}

bool mlt_proof_set_has(const struct mlt_proof_set *sorted, uint64_t index) {
    size_t low = 0, high = sorted->num;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (sorted->items[mid].index == index) {
            return true;
        }
        if (sorted->items[mid].index < index) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return false;
}

struct head {
    bool present;    // a checkpoint and a key to check it with
    bool verified;   // signed by the key, for this size
    const char *why; // what is wrong with it, NULL: nothing
    struct mlt_checkpoint checkpoint;
};

static void check_head(struct head *head, const struct mlt_source *src, const struct mlt_dossier_context *ctx) {
    *head = (struct head){.present = ctx->vkey && ctx->checkpoint.len > 0};
    if (!head->present) {
        head->why = "no signed checkpoint was at hand";
        return;
    }
    switch (mlt_checkpoint_open(&head->checkpoint, ctx->checkpoint, ctx->vkey, NULL)) {
    case MLT_OK:
        break;
    case MLT_DENIED:
        head->why = "the checkpoint is not signed by this key, or is for another origin";
        return;
    default:
        head->why = "the checkpoint is malformed";
        return;
    }
    if (head->checkpoint.size != src->size) {
        head->why = "the checkpoint is for another tree size";
        return;
    }
    head->verified = true;
}

static enum mlt_status put_entry_proof(struct mlt_dossier_writer *d, const struct mlt_source *src,
                                       const struct head *head, struct mlt_proof_item *item, bool *verified,
                                       struct mlt_error *err) {
    uint8_t leaf[MLT_HASH_LEN];
    struct mlt_proof proof = {.num_hashes = 0};
    if (item->bytes.len == 0) {
        const enum mlt_status status = src->entry(src->ctx, item->index, d->arena, &item->bytes, err);
        if (status) {
            return mlt_context(err, status, "entry %llu", (unsigned long long)item->index);
        }
    }
    mlt_merkle_leaf(leaf, item->bytes);
    // Hashes that cannot be read are no reason to give no dossier: what is known is shown, unproved.
    const bool proved = src->prove(src->ctx, item->index, &proof, NULL) == MLT_OK;
    *verified = proved && head->verified &&
                mlt_merkle_verify_inclusion(item->index, src->size, leaf, &proof, head->checkpoint.root);
    mlt_jw_object(&d->w);
    mlt_jw_member_u64(&d->w, "index", item->index);
    mlt_jw_member_bytes(&d->w, "bytes", item->bytes); // whoever has the dossier can hash them again
    mlt_jw_name(&d->w, "leaf");
    mlt_jw_hex(&d->w, mlt_bytes_of(leaf, sizeof(leaf)));
    mlt_jw_name(&d->w, "proof");
    mlt_jw_array(&d->w);
    for (size_t i = 0; proved && i < proof.num_hashes; i++) {
        mlt_jw_hex(&d->w, mlt_bytes_of(proof.hash[i], MLT_HASH_LEN));
    }
    mlt_jw_end_array(&d->w);
    mlt_jw_member_bool(&d->w, "verified", *verified);
    mlt_times_put_bounds(&d->w, item->bounds);
    mlt_jw_end_object(&d->w);
    return MLT_OK;
}

static void put_checkpoint(struct mlt_json_writer *w, const struct mlt_source *src,
                           const struct mlt_dossier_context *ctx, const struct head *head) {
    const bool parsed = head->present && head->checkpoint.origin[0];
    mlt_jw_name(w, "checkpoint");
    mlt_jw_object(w);
    mlt_jw_member(w, "origin", parsed ? head->checkpoint.origin : src->origin);
    mlt_jw_member_u64(w, "tree_size", parsed ? head->checkpoint.size : src->size);
    mlt_jw_name(w, "root");
    if (parsed) {
        mlt_jw_hex(w, mlt_bytes_of(head->checkpoint.root, MLT_HASH_LEN));
    } else {
        mlt_jw_null(w);
    }
    mlt_jw_name(w, "note");
    if (ctx->checkpoint.len) {
        mlt_jw_string(w, ctx->checkpoint);
    } else {
        mlt_jw_null(w);
    }
    mlt_jw_end_object(w);
}

static void put_limits(struct mlt_json_writer *w, bool stamped) {
    static const char *const limits[] = {
        "That what was recorded was true when it was recorded: the trail proves what was said and when it was stored, "
        "not that the world was so.",
        "That everything which happened was recorded: what no producer ever sent is visible only where sequence "
        "numbers "
        "or tallies cover it (see completeness).",
        "Who sat behind a name that is only claimed: a person named in a record by another producer, without a "
        "signature, is a claim.",
        "That nobody else was shown another history: for that, compare the checkpoint with one held by a witness or by "
        "another party.",
    };
    mlt_jw_name(w, "what_this_does_not_show");
    mlt_jw_array(w);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        mlt_jw_cstr(w, limits[i]);
    }
    mlt_jw_cstr(w, stamped ? "That the time-stamps are good: they are repeated as they were recorded; \"mltrail anchor "
                             "verify --roots\" checks the tokens against certificates that you trust."
                           : "When it was logged, by any clock but the server's own: no time-stamp of another party "
                             "covers it.");
    mlt_jw_end_array(w);
}

#define SELF_ATTESTED "self-attested"
#define POLICY_BEFORE SELF_ATTESTED "; the witness policy of entry "
#define POLICY_AFTER " applies to the published checkpoint, which stands beside"
#define STAMPED ", time-stamped"

const char *mlt_dossier_assurance(struct mlt_arena *arena, uint64_t policy) {
    return policy == UINT64_MAX
               ? SELF_ATTESTED
               : mlt_arena_printf(arena, POLICY_BEFORE "%llu" POLICY_AFTER, (unsigned long long)policy);
}

static void put_assurance(struct mlt_dossier_writer *d, const char *assurance, bool stamped) {
    mlt_jw_member(&d->w, "assurance",
                  stamped && assurance ? mlt_arena_printf(d->arena, "%s" STAMPED, assurance) : assurance);
}

static bool take_end(struct mlt_bytes *text, const char *end) {
    const size_t len = strlen(end);
    const bool has = text->len >= len && memcmp(text->ptr + text->len - len, end, len) == 0;
    text->len -= has ? len : 0;
    return has;
}

bool mlt_dossier_assurance_read(uint64_t *policy, struct mlt_bytes stated) {
    const size_t before = sizeof(POLICY_BEFORE) - 1;
    *policy = UINT64_MAX;
    (void)take_end(&stated, STAMPED);
    if (mlt_bytes_is(stated, SELF_ATTESTED)) {
        return true;
    }
    return take_end(&stated, POLICY_AFTER) && stated.len > before && memcmp(stated.ptr, POLICY_BEFORE, before) == 0 &&
           mlt_decimal_decode(policy, mlt_bytes_of(stated.ptr + before, stated.len - before));
}

enum mlt_status mlt_dossier_put_integrity(struct mlt_dossier_writer *d, const struct mlt_source *src,
                                          const struct mlt_dossier_context *ctx, struct mlt_proof_set *set,
                                          struct mlt_error *err) {
    struct mlt_json_writer *w = &d->w;
    struct head head;
    char key[MLT_VKEY_TEXT_MAX];
    if (set->failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the proofs");
    }
    mlt_proof_set_sort(set);
    struct mlt_times *times = mlt_arena_take(d->arena, sizeof *times);
    enum mlt_status status =
        times ? mlt_times_find(times, d->arena, src, set, err) : mlt_fail(err, MLT_NOMEM, "no memory for times");
    if (status == MLT_OK && set->failed) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for the proofs");
    }
    if (status) {
        return status;
    }
    const bool stamped = set->has_primary ? times->primary_covered : times->all_covered;
    check_head(&head, src, ctx);
    if (ctx->vkey) {
        mlt_vkey_format(key, ctx->vkey);
    }
    mlt_jw_name(w, "integrity");
    mlt_jw_object(w);
    put_assurance(d, ctx->assurance, stamped);
    put_checkpoint(w, src, ctx, &head);
    mlt_jw_member(w, "key", ctx->vkey ? key : NULL);
    mlt_jw_name(w, "entries");
    mlt_jw_array(w);
    bool all = head.verified;
    for (size_t i = 0; i < set->num; i++) {
        bool verified = false;
        status = put_entry_proof(d, src, &head, &set->items[i], &verified, err);
        if (status) {
            return status;
        }
        all = all && verified;
    }
    mlt_jw_end_array(w);
    const bool grown = mlt_times_put_anchors(w, src, times, head.verified ? head.checkpoint.root : NULL);
    mlt_jw_member(w, "verdict", !head.present ? "unchecked" : all && grown ? "verified" : "failed");
    mlt_jw_member(w, "problem",
                  head.why ? head.why
                  : !all   ? "an entry is not in the tree that the checkpoint signs; see entries"
                  : !grown ? "a tree that was time-stamped is not the beginning of this one; see anchors"
                           : NULL);
    put_limits(w, stamped);
    mlt_jw_end_object(w);
    return MLT_OK;
}
