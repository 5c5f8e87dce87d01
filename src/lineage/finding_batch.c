// Signed batches: is the served prediction what its node signed, by a key that may sign for the node, in an unbroken
// chain?
//
// Look-ups are by block of sequence numbers, so that a stream of ten million predictions costs as much as one of ten.
#include <inttypes.h>

#include "crypto/sshsig.h"
#include "lineage/finding.h"
#include "merkle/merkle.h"
#include "record/producer_batch.h"

#define BATCHES_PAGE 1024 // of one block of 1,000 numbers: each has at least one, and a few are sent twice
// Anybody can send batches of a stream, and whoever reads pays for them: of more than these nothing is said.
#define BATCHES_MAX ((size_t)8 * BATCHES_PAGE)

// Where the prediction stands.
struct place {
    struct mlt_bytes node, stream;
    uint64_t sequence;
    const struct mlt_part *part; // the record that has the number
};

static bool find_place(const struct mlt_walk *w, struct place *out) {
    const struct mlt_node *served = w->story->served;
    for (size_t i = 0; served && i < served->num_parts; i++) {
        const struct mlt_json *facts = &served->parts[i].facts;
        if (mlt_json_u64(facts, mlt_json_get(facts, 0, "sequence"), &out->sequence)) {
            out->part = &served->parts[i];
            out->node = mlt_json_string(facts, mlt_json_get(facts, 0, "serving_node"), w->arena);
            out->stream = mlt_json_string(facts, mlt_json_get(facts, 0, "stream"), w->arena);
            return out->node.ptr != NULL && out->stream.ptr != NULL;
        }
    }
    return false;
}

// What was found for a number.
struct search {
    struct mlt_node *batch; // the first one by the node, else the first; NULL: none
    bool by_node;
    size_t num; // batches of the block that were looked at
    bool more;  // the bound was reached, and there are others
};

static enum mlt_status batches_of_block(const struct mlt_walk *w, const struct place *p, uint64_t sequence,
                                        uint64_t from, uint64_t found[static BATCHES_PAGE], size_t *num, bool *more) {
    char *block = mlt_arena_printf(w->arena, "%" PRIu64, sequence / MLT_PRODUCER_BATCH_BLOCK);
    if (block == NULL) {
        return mlt_node_no_memory(w);
    }
    const struct mlt_bytes values[] = {p->node, p->stream, mlt_str(block)};
    struct mlt_term term;
    mlt_source_term(w->src, &term, MLT_DIM_BATCHES, values, 3);
    return w->src->find(w->src->ctx, &term, 1, from, false, BATCHES_PAGE, found, num, NULL, more, w->err);
}

static bool covers(const struct mlt_node *batch, uint64_t sequence) {
    struct mlt_value first = mlt_node_get(batch, "first"), last = mlt_node_get(batch, "last");
    uint64_t from, to;
    return first.json && last.json && mlt_json_u64(first.json, first.at, &from) &&
           mlt_json_u64(last.json, last.at, &to) && from <= sequence && sequence <= to;
}

// One batch as it is judged: what is said about it ends in `verdict`, of which the first that does not hold counts.
struct judging {
    struct mlt_walk *w;
    const struct place *place;
    const struct mlt_node *batch;
    struct mlt_producer_batch statement;
    struct mlt_grounds grounds;
    struct mlt_batch_check *check;
};

static enum mlt_status tell(struct judging *j, enum mlt_finding_id id, enum mlt_batch_verdict verdict,
                            const char *why) {
    if (why == NULL) {
        return mlt_node_no_memory(j->w);
    }
    j->check->verdict = j->check->verdict == MLT_BATCH_GOOD ? verdict : j->check->verdict;
    return mlt_finding_add(j->w, id, &j->grounds, "%s, in the batch of entry %" PRIu64 ": %s",
                           mlt_node_label(j->w, j->w->story->served), j->batch->entry, why);
}

static bool same_count(const struct mlt_node *batch, const char *name, uint64_t want) {
    struct mlt_value v = mlt_node_get(batch, name);
    uint64_t have;
    return v.json && mlt_json_u64(v.json, v.at, &have) && have == want;
}

static bool same_text(const struct judging *j, const char *name, struct mlt_bytes want) {
    struct mlt_bytes have = mlt_node_string(j->batch, name, j->w->arena);
    return have.len == want.len && (want.len == 0 || memcmp(have.ptr, want.ptr, want.len) == 0);
}

// The members beside the statement say what it says: they are what the batch was found by.
static bool statement_agrees(const struct judging *j) {
    char root[8 + 2 * MLT_HASH_LEN] = "sha256:";
    mlt_hex_encode(root + 7, mlt_bytes_of(j->statement.root, MLT_HASH_LEN));
    return same_text(j, "serving_node", j->statement.serving_node) && same_text(j, "stream", j->statement.stream) &&
           same_text(j, "root", mlt_str(root)) && same_count(j->batch, "first", j->statement.first) &&
           same_count(j->batch, "last", j->statement.last) && same_count(j->batch, "count", j->statement.count);
}

static enum mlt_status check_signer(struct judging *j, const struct mlt_sshsig *sig) {
    const struct mlt_allowed_signer *signer;
    struct mlt_signers *signers = &j->w->signers;
    const struct mlt_entry *entry = &j->batch->parts[0].entry;
    const char *key = j->check->fingerprint;
    if (signers->entry == UINT64_MAX || signers->why != NULL) {
        return tell(j, MLT_F_BATCH_UNCHECKED, MLT_BATCH_UNCHECKED,
                    signers->why == NULL
                        ? "no allowed signers are set, so whose key signed it is not known"
                        : mlt_arena_printf(j->w->arena, "the allowed signers cannot be read: %s", signers->why));
    }
    mlt_grounds_add(&j->grounds, signers->entry);
    j->check->setting = signers->entry;
    if (mlt_allowed_signers_find(&signers->list, j->statement.serving_node, &sig->key, sig->name_space, entry->received,
                                 &signer) == MLT_SIGNER_ALLOWED) {
        return MLT_OK;
    }
    return tell(j, MLT_F_BATCH_SIGNER_NOT_ALLOWED, MLT_BATCH_NOT_ALLOWED,
                mlt_arena_printf(j->w->arena, "the key %s may not sign batches of '%.*s'", key,
                                 MLT_ARG(j->statement.serving_node)));
}

static enum mlt_status check_signature(struct judging *j, bool *good) {
    struct mlt_walk *w = j->w;
    struct mlt_sshsig *sig = mlt_arena_take(w->arena, sizeof(*sig));
    struct mlt_bytes statement = mlt_node_string(j->batch, "statement", w->arena);
    struct mlt_bytes signature = mlt_node_string(j->batch, "signature", w->arena);
    const char *why = NULL;
    struct mlt_error err = {0};
    *good = false;
    if (sig == NULL) {
        return mlt_node_no_memory(w);
    }
    enum mlt_status status = mlt_producer_batch_read(&j->statement, statement, w->arena, &err);
    if (status == MLT_NOMEM) {
        return mlt_node_no_memory(w);
    }
    if (status != MLT_OK) {
        return tell(j, MLT_F_BATCH_SIGNATURE_INVALID, MLT_BATCH_INVALID,
                    mlt_arena_printf(w->arena, "its statement cannot be read: %s", err.text));
    }
    if (!statement_agrees(j)) {
        return tell(j, MLT_F_BATCH_SIGNATURE_INVALID, MLT_BATCH_INVALID, "its members differ from what was signed");
    }
    if (signature.ptr == NULL) {
        return tell(j, MLT_F_BATCH_SIGNATURE_INVALID, MLT_BATCH_INVALID, "it is not signed");
    }
    if (!mlt_sshsig_read(sig, signature, &why)) {
        return tell(j, MLT_F_BATCH_SIGNATURE_INVALID, MLT_BATCH_INVALID,
                    mlt_arena_printf(w->arena, "its signature cannot be read: %s", why));
    }
    mlt_ssh_key_fingerprint(j->check->fingerprint, &sig->key);
    status = mlt_sshsig_verify(good, &why, sig, statement, MLT_PRODUCER_BATCH_NAMESPACE, w->err);
    if (status == MLT_OK && !*good) {
        return tell(j, MLT_F_BATCH_SIGNATURE_INVALID, MLT_BATCH_INVALID, why);
    }
    return status == MLT_OK ? check_signer(j, sig) : status;
}

// Whether the node itself speaks, by a key that may sign for it: a batch of its stream can be sent by anybody.
static enum mlt_status is_by_node(struct mlt_walk *w, const struct place *p, const struct mlt_node *batch, bool *out) {
    struct judging j = {.w = w, .place = p, .batch = batch};
    struct mlt_sshsig *sig = mlt_arena_take(w->arena, sizeof(*sig));
    const struct mlt_bytes statement = mlt_node_string(batch, "statement", w->arena);
    const struct mlt_bytes signature = mlt_node_string(batch, "signature", w->arena);
    const struct mlt_allowed_signer *signer;
    const char *why = NULL;
    struct mlt_error err = {0};
    *out = false;
    if (sig == NULL) {
        return mlt_node_no_memory(w);
    }
    enum mlt_status status = mlt_producer_batch_read(&j.statement, statement, w->arena, &err);
    if (status == MLT_NOMEM) {
        return mlt_node_no_memory(w);
    }
    if (status != MLT_OK || w->signers.entry == UINT64_MAX || w->signers.why != NULL || !statement_agrees(&j) ||
        signature.ptr == NULL || !mlt_sshsig_read(sig, signature, &why) ||
        mlt_allowed_signers_find(&w->signers.list, j.statement.serving_node, &sig->key, sig->name_space,
                                 batch->parts[0].entry.received, &signer) != MLT_SIGNER_ALLOWED) {
        return MLT_OK;
    }
    return mlt_sshsig_verify(out, &why, sig, statement, MLT_PRODUCER_BATCH_NAMESPACE, w->err);
}

static enum mlt_status look_at(struct mlt_walk *w, const struct place *p, uint64_t sequence, uint64_t entry,
                               struct search *s) {
    struct mlt_node *batch;
    bool by_node = false;
    enum mlt_status status = mlt_node_load(w, entry, &batch);
    s->num++;
    if (status == MLT_OK && covers(batch, sequence)) {
        status = is_by_node(w, p, batch, &by_node);
        s->batch = s->batch == NULL || by_node ? batch : s->batch;
        s->by_node = by_node;
    }
    return status;
}

static enum mlt_status find_batch(struct mlt_walk *w, const struct place *p, uint64_t sequence, struct search *s) {
    uint64_t found[BATCHES_PAGE], from = 0;
    *s = (struct search){.more = true};
    enum mlt_status status = mlt_walk_signers(w);
    const bool unknown = w->signers.entry == UINT64_MAX || w->signers.why != NULL; // no key counts: any batch will do
    while (status == MLT_OK && s->more && s->num < BATCHES_MAX) {
        size_t num = 0;
        status = batches_of_block(w, p, sequence, from, found, &num, &s->more);
        s->more = s->more && num > 0;
        for (size_t i = 0; status == MLT_OK && i < num; i++) {
            status = look_at(w, p, sequence, found[i], s);
            if (s->by_node || (unknown && s->batch != NULL)) {
                s->more = false;
                return status;
            }
            from = found[i] + 1;
        }
    }
    return status;
}

static const char *why_not_found(const struct mlt_walk *w) {
    return mlt_arena_printf(w->arena,
                            "more than %zu batches were sent for these numbers of the stream, and none of so many is "
                            "by the node",
                            BATCHES_MAX);
}

// The leaf that was signed for this number; false: the leaves are not those of the root.
static bool signed_leaf(const struct judging *j, uint8_t out[static MLT_HASH_LEN]) {
    struct mlt_value leaves = mlt_node_get(j->batch, "leaves");
    struct mlt_frontier frontier = {0};
    uint8_t leaf[MLT_HASH_LEN], root[MLT_HASH_LEN];
    uint64_t sequence = j->statement.first;
    for (mlt_json_at at = mlt_value_first(leaves); at != MLT_JSON_NONE;
         at = mlt_json_next(leaves.json, leaves.at, at), sequence++) {
        struct mlt_bytes raw = mlt_json_raw(leaves.json, at);
        if (raw.len != 2 * MLT_HASH_LEN + 2 ||
            !mlt_hex_decode(leaf, MLT_HASH_LEN, mlt_bytes_of(raw.ptr + 1, 2 * MLT_HASH_LEN))) {
            return false;
        }
        if (sequence == j->place->sequence) {
            memcpy(out, leaf, MLT_HASH_LEN);
        }
        (void)mlt_frontier_add(&frontier, leaf, NULL);
    }
    if (sequence != j->statement.last + 1) {
        return false;
    }
    mlt_frontier_root(&frontier, root);
    return memcmp(root, j->statement.root, MLT_HASH_LEN) == 0;
}

static enum mlt_status check_record(struct judging *j) {
    const struct mlt_part *part = j->place->part;
    struct mlt_bytes nonce_hex = mlt_node_string(j->batch, "nonce", j->w->arena);
    uint8_t nonce[MLT_PRODUCER_BATCH_NONCE_LEN], leaf[MLT_HASH_LEN] = {0}, want[MLT_HASH_LEN] = {0};
    if (j->batch->parts[0].payload_state != MLT_PAYLOAD_OPEN ||
        (part->payload_state != MLT_PAYLOAD_OPEN && part->payload_state != MLT_PAYLOAD_NONE) ||
        part->masked.num_tokens > 0 || j->batch->parts[0].masked.num_tokens > 0) {
        return tell(j, MLT_F_BATCH_UNCHECKED, MLT_BATCH_UNCHECKED,
                    "a payload is not here, without which the record cannot be held against what was signed");
    }
    if (!mlt_hex_decode(nonce, sizeof(nonce), nonce_hex) || !signed_leaf(j, want)) {
        return tell(j, MLT_F_BATCH_RECORD_DIFFERS, MLT_BATCH_DIFFERS, "its leaves are not those that were signed");
    }
    const struct mlt_json *objects[] = {&part->facts, &part->payload};
    enum mlt_status status =
        mlt_producer_batch_leaf(leaf, nonce, part->entry.kind_name, objects,
                                part->payload_state == MLT_PAYLOAD_OPEN ? 2 : 1, j->w->arena, j->w->err);
    if (status == MLT_OK && memcmp(leaf, want, MLT_HASH_LEN) != 0) {
        status = tell(j, MLT_F_BATCH_RECORD_DIFFERS, MLT_BATCH_DIFFERS, "the record is not the one that was signed");
    }
    return status;
}

// What was signed before is there, and is what this batch follows.
static enum mlt_status check_chain(struct judging *j) {
    struct search before;
    if (j->statement.first <= 1 || !j->statement.has_previous) {
        return j->statement.first <= 1 && !j->statement.has_previous
                   ? MLT_OK
                   : tell(j, MLT_F_BATCH_CHAIN_BROKEN, MLT_BATCH_BROKEN,
                          j->statement.has_previous ? "the first batch of the stream names one before it"
                                                    : "it names no batch before it, and is not the first");
    }
    enum mlt_status status = find_batch(j->w, j->place, j->statement.first - 1, &before);
    if (status != MLT_OK) {
        return status;
    }
    if (before.more) {
        return tell(j, MLT_F_BATCH_UNCHECKED, MLT_BATCH_UNCHECKED, why_not_found(j->w));
    }
    if (before.batch == NULL) {
        return tell(j, MLT_F_BATCH_CHAIN_BROKEN, MLT_BATCH_BROKEN, "the batch before it is not in the trail");
    }
    uint8_t digest[MLT_HASH_LEN];
    mlt_sha256_one(digest, mlt_node_string(before.batch, "statement", j->w->arena));
    mlt_grounds_add_node(&j->grounds, before.batch);
    if (memcmp(digest, j->statement.previous, MLT_HASH_LEN) != 0) {
        return tell(j, MLT_F_BATCH_CHAIN_BROKEN, MLT_BATCH_BROKEN,
                    mlt_arena_printf(j->w->arena, "it follows another statement than that of entry %" PRIu64,
                                     before.batch->entry));
    }
    return MLT_OK;
}

// Records without a number of the stream complete a prediction too: the node did not sign what they add.
static enum mlt_status check_completions(struct judging *j) {
    const struct mlt_node *served = j->w->story->served;
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < served->num_parts; i++) {
        const struct mlt_part *part = &served->parts[i];
        struct mlt_grounds g = {0};
        if (part->relation == MLT_REL_CONFLICTS || part->relation == MLT_REL_CORRECTS ||
            mlt_json_get(&part->facts, 0, "sequence") != MLT_JSON_NONE) {
            continue;
        }
        mlt_grounds_add_node(&g, served);
        mlt_grounds_add(&g, part->index);
        status = mlt_finding_add(j->w, MLT_F_BATCH_UNCHECKED, &g,
                                 "what entry %" PRIu64 " adds to %s is in no batch of the node", part->index,
                                 mlt_node_label(j->w, served));
    }
    return status;
}

static enum mlt_status judge(struct mlt_walk *w, const struct place *p, const struct mlt_node *batch) {
    struct judging j = {.w = w, .place = p, .batch = batch, .check = &w->story->batch};
    bool good = false;
    *j.check = (struct mlt_batch_check){.verdict = MLT_BATCH_GOOD, .entry = batch->entry, .setting = UINT64_MAX};
    mlt_grounds_add_node(&j.grounds, w->story->served);
    mlt_grounds_add_node(&j.grounds, batch);
    enum mlt_status status = mlt_walk_signers(w);
    status = status == MLT_OK ? check_signature(&j, &good) : status;
    status = status == MLT_OK && good ? check_record(&j) : status;
    status = status == MLT_OK && good ? check_chain(&j) : status;
    return status == MLT_OK && good ? check_completions(&j) : status;
}

enum mlt_status mlt_check_batch(struct mlt_walk *w) {
    struct place p = {0};
    struct search s;
    struct mlt_grounds g = {0};
    w->story->batch = (struct mlt_batch_check){.verdict = MLT_BATCH_NONE, .entry = UINT64_MAX, .setting = UINT64_MAX};
    if (!find_place(w, &p)) {
        return MLT_OK;
    }
    enum mlt_status status = find_batch(w, &p, p.sequence, &s);
    if (status != MLT_OK || (s.batch != NULL && !s.more)) {
        return status == MLT_OK ? judge(w, &p, s.batch) : status;
    }
    mlt_grounds_add_node(&g, w->story->served);
    if (s.more) {
        const char *why = why_not_found(w);
        w->story->batch.verdict = MLT_BATCH_UNCHECKED;
        return why == NULL
                   ? mlt_node_no_memory(w)
                   : mlt_finding_add(w, MLT_F_BATCH_UNCHECKED, &g, "%s: %s", mlt_node_label(w, w->story->served), why);
    }
    // A stream whose first block has no batch either is not signed at all.
    if (s.num == 0 && p.sequence >= MLT_PRODUCER_BATCH_BLOCK) {
        uint64_t found[BATCHES_PAGE];
        status = batches_of_block(w, &p, 1, 0, found, &s.num, &s.more);
    }
    if (status != MLT_OK || s.num == 0) {
        return status;
    }
    w->story->batch.verdict = MLT_BATCH_MISSING;
    return mlt_finding_add(w, MLT_F_BATCH_MISSING, &g,
                           "%s is number %" PRIu64 " of a stream whose node signs batches, and is in none of them",
                           mlt_node_label(w, w->story->served), p.sequence);
}

const char *mlt_batch_verdict_name(enum mlt_batch_verdict verdict) {
    static const char *const names[] = {
        [MLT_BATCH_NONE] = "not signed",        [MLT_BATCH_GOOD] = "good",
        [MLT_BATCH_MISSING] = "missing",        [MLT_BATCH_UNCHECKED] = "unchecked",
        [MLT_BATCH_INVALID] = "invalid",        [MLT_BATCH_NOT_ALLOWED] = "signer-not-allowed",
        [MLT_BATCH_DIFFERS] = "record-differs", [MLT_BATCH_BROKEN] = "chain-broken",
    };
    return names[verdict];
}
