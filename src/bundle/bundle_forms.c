// The small forms: terms, proofs, consistency, manifests.
#include <stdio.h>
#include <stdlib.h>

#include "bundle/bundle_parts.h"

const struct mlt_archive_limits mlt_bundle_limits = {.members = MLT_BUNDLE_MEMBERS_MAX,
                                                     .member_bytes = MLT_BUNDLE_MEMBER_MAX,
                                                     .total_bytes = MLT_BUNDLE_TOTAL_MAX,
                                                     .ratio = MLT_BUNDLE_RATIO_MAX};

static bool is_manifest(const char *name) {
    return strcmp(name, "manifest.json") == 0 || strcmp(name, "manifest.sha256") == 0;
}

void mlt_bundle_put_summed(struct mlt_buf *out, const struct mlt_bundle_sum *sums, size_t num, const char *format) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "format", format);
    mlt_jw_name(&w, "members");
    mlt_jw_array(&w);
    for (size_t i = 0; i < num; i++) {
        if (is_manifest(sums[i].name)) {
            continue;
        }
        mlt_jw_object(&w);
        mlt_jw_member(&w, "name", sums[i].name);
        mlt_jw_member_u64(&w, "length", sums[i].len);
        mlt_jw_name(&w, "sha256");
        mlt_jw_hex(&w, mlt_bytes_of(sums[i].hash, MLT_HASH_LEN));
        mlt_jw_end_object(&w);
    }
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
    mlt_buf_put_u8(out, '\n');
}

void mlt_bundle_put_sum(struct mlt_buf *out, const struct mlt_bundle_sum *sum) {
    if (strcmp(sum->name, "manifest.sha256") != 0) {
        mlt_buf_put_hex(out, mlt_bytes_of(sum->hash, MLT_HASH_LEN));
        mlt_buf_printf(out, "  %s\n", sum->name);
    }
}

bool mlt_bundle_put_manifest(struct mlt_buf *out, const struct mlt_bundle_member *members, size_t num,
                             const char *format) {
    struct mlt_bundle_sum *sums = calloc(num + 1, sizeof(*sums));
    for (size_t i = 0; sums && i < num; i++) {
        sums[i].name = members[i].name;
        sums[i].len = members[i].data.len;
        mlt_sha256_one(sums[i].hash, members[i].data);
    }
    if (sums) {
        mlt_bundle_put_summed(out, sums, num, format);
    }
    free(sums);
    return sums != NULL && !out->failed;
}

void mlt_bundle_put_sums(struct mlt_buf *out, const struct mlt_bundle_member *members, size_t num) {
    for (size_t i = 0; i < num; i++) {
        struct mlt_bundle_sum sum = {.name = members[i].name};
        mlt_sha256_one(sum.hash, members[i].data);
        mlt_bundle_put_sum(out, &sum);
    }
}

bool mlt_bundle_term_equal(const struct mlt_bundle_term *a, const struct mlt_bundle_term *b) {
    bool equal = a->dim == b->dim && a->num_values == b->num_values;
    for (size_t i = 0; equal && i < a->num_values; i++) {
        equal = mlt_bytes_equal(a->values[i], b->values[i]);
    }
    return equal;
}

void mlt_bundle_put_term(struct mlt_json_writer *w, const struct mlt_bundle_term *t) {
    mlt_jw_member_u64(w, "dimension", t->dim);
    mlt_jw_name(w, "values");
    mlt_jw_array(w);
    for (size_t i = 0; i < t->num_values; i++) {
        mlt_jw_string(w, t->values[i]);
    }
    mlt_jw_end_array(w);
}

bool mlt_bundle_get_term(struct mlt_bundle_term *out, const struct mlt_json *json, mlt_json_at at,
                         struct mlt_arena *arena) {
    uint64_t dim;
    const mlt_json_at values = mlt_json_get(json, at, "values");
    *out = (struct mlt_bundle_term){0};
    if (!mlt_json_u64(json, mlt_json_get(json, at, "dimension"), &dim) || dim > UINT8_MAX ||
        !mlt_json_is(json, values, MLT_JSON_ARRAY) || json->tape[values].count > MLT_BUNDLE_VALUES_MAX) {
        return false;
    }
    out->dim = (uint8_t)dim;
    for (mlt_json_at v = mlt_json_first(json, values); v != MLT_JSON_NONE; v = mlt_json_next(json, values, v)) {
        if (!mlt_json_is(json, v, MLT_JSON_STRING)) {
            return false;
        }
        out->values[out->num_values++] = mlt_json_string(json, v, arena);
    }
    return true;
}

static const char *dimension_name(uint8_t dim) {
    switch (dim) {
    case MLT_DIM_REQUEST:
        return "the request";
    case MLT_DIM_DATASET_VERSION:
        return "the dataset version";
    case MLT_DIM_MODEL_VERSION:
        return "the model version";
    case MLT_DIM_JOB:
        return "the training job";
    case MLT_DIM_EVENT:
        return "the event";
    case MLT_DIM_RESOURCE:
        return "accesses to";
    case MLT_DIM_CORRECTS:
        return "corrections of";
    case MLT_DIM_CORRELATION:
        return "messages of";
    case MLT_DIM_KIND:
        return "records of kind";
    case MLT_DIM_APPROVES:
        return "approvals of";
    case MLT_DIM_MOVES:
        return "transitions of";
    case MLT_DIM_MOVES_MODEL:
        return "transitions of the model";
    case MLT_DIM_APPROVAL:
        return "the approval reference";
    case MLT_DIM_STREAM:
        return "the stream";
    case MLT_DIM_TALLIES:
        return "tallies of the stream";
    case MLT_DIM_BATCHES:
        return "signed batches of the stream, by thousands of sequence numbers";
    case MLT_DIM_SETTING:
        return "the setting";
    case MLT_DIM_DEPLOYMENT:
        return "transitions at the deployment";
    case MLT_DIM_PARTIAL:
        return "entries that refer to more than they commit to";
    default:
        return "a look-up in dimension";
    }
}

const char *mlt_bundle_term_text(const struct mlt_bundle_term *t, struct mlt_arena *arena) {
    const char *text = dimension_name(t->dim);
    if (strcmp(text, "a look-up in dimension") == 0) {
        text = mlt_arena_printf(arena, "%s %u", text, t->dim);
    }
    for (size_t i = 0; text && i < t->num_values; i++) {
        const struct mlt_bytes v = t->values[i];
        text = mlt_arena_printf(arena, "%s%s\"%.*s\"", text, i == 0 ? " " : ", ", v.len > 100 ? 100 : (int)v.len,
                                v.ptr ? (const char *)v.ptr : "");
    }
    return text ? text : "";
}

void mlt_bundle_put_proof(struct mlt_json_writer *w, const struct mlt_proof *proof) {
    mlt_jw_array(w);
    for (size_t i = 0; i < proof->num_hashes; i++) {
        mlt_jw_hex(w, mlt_bytes_of(proof->hash[i], MLT_HASH_LEN));
    }
    mlt_jw_end_array(w);
}

// A hash is hexadecimal digits, so its string has no escapes and needs no arena.
bool mlt_bundle_get_hash(uint8_t out[static MLT_HASH_LEN], const struct mlt_json *json, mlt_json_at at) {
    const struct mlt_bytes raw = mlt_json_raw(json, at);
    return mlt_json_is(json, at, MLT_JSON_STRING) && raw.len == 2 * MLT_HASH_LEN + 2 &&
           mlt_hex_decode(out, MLT_HASH_LEN, mlt_bytes_of(raw.ptr + 1, 2 * MLT_HASH_LEN));
}

bool mlt_bundle_get_proof(struct mlt_proof *out, const struct mlt_json *json, mlt_json_at at) {
    out->num_hashes = 0;
    if (!mlt_json_is(json, at, MLT_JSON_ARRAY) || json->tape[at].count > MLT_PROOF_MAX) {
        return false;
    }
    for (mlt_json_at h = mlt_json_first(json, at); h != MLT_JSON_NONE; h = mlt_json_next(json, at, h)) {
        if (!mlt_bundle_get_hash(out->hash[out->num_hashes++], json, h)) {
            return false;
        }
    }
    return true;
}

void mlt_bundle_put_consistency(struct mlt_buf *out, const struct mlt_bundle_consistency *c) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "from", c->from);
    mlt_jw_member_u64(&w, "to", c->to);
    mlt_jw_name(&w, "proof");
    mlt_bundle_put_proof(&w, &c->proof);
    mlt_jw_end_object(&w);
    mlt_buf_put_u8(out, '\n');
}

enum mlt_status mlt_bundle_get_consistency(struct mlt_bundle_consistency *out, struct mlt_bytes text,
                                           struct mlt_error *err) {
    struct mlt_json json = {0};
    enum mlt_status status = mlt_json_scan(&json, text, err);
    if (!status && (!mlt_json_u64(&json, mlt_json_get(&json, 0, "from"), &out->from) ||
                    !mlt_json_u64(&json, mlt_json_get(&json, 0, "to"), &out->to) ||
                    !mlt_bundle_get_proof(&out->proof, &json, mlt_json_get(&json, 0, "proof")))) {
        status = mlt_fail(err, MLT_INVALID, "from, to and an array of hashes in proof were expected");
    }
    mlt_json_clear(&json);
    return status;
}
