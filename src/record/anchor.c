#include "record/anchor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/time.h"
#include "note/checkpoint.h"
#include "record/digest.h"

#define RFC3161 "rfc3161"
#define SHA256_PREFIX "sha256:"

// -- writing ----------------------------------------------------------------------------------------------------------

void mlt_anchor_put(struct mlt_json_writer *w, const struct mlt_anchor *anchor) {
    char gen_time[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(gen_time, anchor->says.gen_time);
    mlt_jw_member(w, "anchor", RFC3161);
    mlt_jw_member_u64(w, "tree_size", anchor->tree_size);
    mlt_jw_name(w, "root");
    mlt_jw_hex(w, mlt_bytes_of(anchor->root, MLT_HASH_LEN));
    mlt_jw_member_bytes(w, "checkpoint", anchor->checkpoint);
    mlt_digest_put(w, "imprint", anchor->says.imprint);
    mlt_jw_member_bytes(w, "url", anchor->url);
    mlt_jw_member(w, "authority", anchor->says.authority);
    mlt_jw_member(w, "gen_time", gen_time);
    if (anchor->says.has_accuracy) {
        mlt_jw_member_u64(w, "accuracy_ns", (uint64_t)anchor->says.accuracy_ns);
    }
    mlt_jw_member(w, "serial", anchor->says.serial);
    mlt_jw_member(w, "policy", anchor->says.policy);
    mlt_jw_name(w, "token");
    mlt_jw_base64(w, anchor->token);
    mlt_digest_put(w, "token_hash", anchor->token_hash);
    if (anchor->roots.len > 0) {
        mlt_jw_member_bytes(w, "roots", anchor->roots);
    }
}

// -- reading ----------------------------------------------------------------------------------------------------------

struct reader {
    const struct mlt_json *json;
    mlt_json_at facts;
    struct mlt_arena *arena;
};

static struct mlt_bytes text_of(const struct reader *r, const char *name) {
    return mlt_json_string(r->json, mlt_json_get(r->json, r->facts, name), r->arena);
}

static bool read_digest(uint8_t out[static MLT_HASH_LEN], struct mlt_bytes text) {
    const size_t prefix = strlen(SHA256_PREFIX);
    return text.len > prefix && memcmp(text.ptr, SHA256_PREFIX, prefix) == 0 &&
           mlt_hex_decode(out, MLT_HASH_LEN, mlt_bytes_of(text.ptr + prefix, text.len - prefix));
}

static bool read_says(const struct reader *r, struct mlt_timestamp *says) {
    uint64_t accuracy = 0;
    says->has_accuracy = mlt_json_u64(r->json, mlt_json_get(r->json, r->facts, "accuracy_ns"), &accuracy);
    says->accuracy_ns = (int64_t)accuracy;
    return accuracy <= INT64_MAX && read_digest(says->imprint, text_of(r, "imprint")) &&
           mlt_time_parse(&says->gen_time, text_of(r, "gen_time")) &&
           mlt_text_copy(says->serial, sizeof says->serial, text_of(r, "serial")) &&
           mlt_text_copy(says->policy, sizeof says->policy, text_of(r, "policy")) &&
           mlt_text_copy(says->authority, sizeof says->authority, text_of(r, "authority"));
}

// read_token decodes the token; one that is not there stays empty.
static enum mlt_status read_token(const struct reader *r, struct mlt_bytes *out, struct mlt_error *err) {
    struct mlt_bytes text = text_of(r, "token");
    *out = mlt_bytes_of(NULL, 0);
    if (text.len == 0) {
        return MLT_OK;
    }
    size_t cap = text.len / 4 * 3 + 3, len = 0;
    uint8_t *der = mlt_arena_take(r->arena, cap);
    if (!der) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a token");
    }
    if (!mlt_base64_decode(der, cap, &len, text)) {
        return mlt_fail(err, MLT_CORRUPT, "the token of the anchor is no base64");
    }
    *out = mlt_bytes_of(der, len);
    return MLT_OK;
}

enum mlt_status mlt_anchor_read(struct mlt_anchor *out, struct mlt_arena *arena, const struct mlt_json *json,
                                mlt_json_at facts, struct mlt_error *err) {
    const struct reader r = {json, facts, arena};
    *out = (struct mlt_anchor){.is_timestamp = mlt_bytes_is(text_of(&r, "anchor"), RFC3161)};
    if (!mlt_json_u64(json, mlt_json_get(json, facts, "tree_size"), &out->tree_size) ||
        !mlt_hex_decode(out->root, sizeof out->root, text_of(&r, "root"))) {
        return mlt_fail(err, MLT_CORRUPT, "the anchor names no tree");
    }
    if (!out->is_timestamp) {
        return MLT_OK;
    }
    if (!read_says(&r, &out->says) || !read_digest(out->token_hash, text_of(&r, "token_hash"))) {
        return mlt_fail(err, MLT_CORRUPT, "the anchor does not say what its token says");
    }
    out->checkpoint = text_of(&r, "checkpoint");
    out->url = text_of(&r, "url");
    out->roots = text_of(&r, "roots");
    return read_token(&r, &out->token, err);
}

// -- judging ----------------------------------------------------------------------------------------------------------

static bool judge_false(struct mlt_timestamp_verdict *verdict, const char *fmt, ...) MLT_PRINTF(2, 3);
static bool judge_false(struct mlt_timestamp_verdict *verdict, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    verdict->good = false;
    (void)vsnprintf(verdict->why, sizeof verdict->why, fmt, args);
    va_end(args);
    return false;
}

// names_tree: the stamped text is a checkpoint of this tree. Whose signatures it carries does not matter here: what
// counts is that the root was in the bytes that were stamped.
static bool names_tree(const struct mlt_anchor *a, const char *origin, struct mlt_timestamp_verdict *verdict) {
    struct mlt_arena arena = {0};
    struct mlt_note note;
    struct mlt_checkpoint head;
    struct mlt_error err = {0};
    bool parsed = mlt_note_parse(&note, &arena, a->checkpoint, &err) == MLT_OK &&
                  mlt_checkpoint_parse(&head, note.text, &err) == MLT_OK;
    mlt_arena_clear(&arena);
    if (!parsed) {
        return judge_false(verdict, "what was stamped is no checkpoint: %.200s", err.text);
    }
    if (origin && strcmp(head.origin, origin) != 0) {
        return judge_false(verdict, "the checkpoint that was stamped is of %.128s, not of this trail", head.origin);
    }
    if (head.size != a->tree_size || memcmp(head.root, a->root, MLT_HASH_LEN) != 0) {
        return judge_false(verdict, "the checkpoint that was stamped is of another tree than the anchor says");
    }
    return true;
}

static bool says_the_same(const struct mlt_timestamp *a, const struct mlt_timestamp *b) {
    return a->gen_time == b->gen_time && a->has_accuracy == b->has_accuracy && a->accuracy_ns == b->accuracy_ns &&
           memcmp(a->imprint, b->imprint, MLT_HASH_LEN) == 0 && strcmp(a->serial, b->serial) == 0 &&
           strcmp(a->policy, b->policy) == 0 && strcmp(a->authority, b->authority) == 0;
}

static bool fits_token(const struct mlt_anchor *a, struct mlt_timestamp_verdict *verdict) {
    uint8_t imprint[MLT_HASH_LEN], token_hash[MLT_HASH_LEN];
    struct mlt_timestamp says;
    struct mlt_error err = {0};
    mlt_sha256_one(imprint, a->checkpoint);
    if (mlt_timestamp_read(&says, a->token, &err) != MLT_OK) {
        return judge_false(verdict, "%.200s", err.text);
    }
    if (memcmp(says.imprint, imprint, MLT_HASH_LEN) != 0) {
        return judge_false(verdict, "the token is for other bytes than this checkpoint");
    }
    mlt_sha256_one(token_hash, a->token);
    if (!says_the_same(&says, &a->says) || memcmp(token_hash, a->token_hash, sizeof token_hash) != 0) {
        return judge_false(verdict, "the token says something else than the anchor");
    }
    return true;
}

enum mlt_status mlt_anchor_judge(const struct mlt_anchor *anchor, const char *origin,
                                 const struct mlt_timestamp_roots *roots, struct mlt_timestamp_verdict *verdict,
                                 struct mlt_error *err) {
    *verdict = (struct mlt_timestamp_verdict){.good = false};
    if (!anchor->is_timestamp) {
        judge_false(verdict, "an anchor of a kind that this version cannot check");
        return MLT_OK;
    }
    if (anchor->checkpoint.len == 0 || anchor->token.len == 0) {
        judge_false(verdict, "the anchor lacks its checkpoint or its token");
        return MLT_OK;
    }
    if (!names_tree(anchor, origin, verdict) || !fits_token(anchor, verdict)) {
        return MLT_OK;
    }
    if (!roots) {
        verdict->good = true; // as far as it goes: who vouches for the authority was not asked
        return MLT_OK;
    }
    return mlt_timestamp_verify(NULL, anchor->token, anchor->says.imprint, roots, verdict, err);
}
