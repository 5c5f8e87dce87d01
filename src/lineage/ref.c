// References: "model:NAME/VERSION" and the like, as people type them and URLs carry them.
#include "lineage/lineage.h"

static const struct {
    const char *word;
    enum mlt_ref_type type;
    bool two_parts;
    const char *form;
} WORDS[] = {
    {"prediction", MLT_REF_PREDICTION, false, "prediction:REQUEST_ID"},
    {"model", MLT_REF_MODEL_VERSION, true, "model:NAME/VERSION"},
    {"dataset", MLT_REF_DATASET_VERSION, true, "dataset:NAME/VERSION"},
    {"job", MLT_REF_JOB, false, "job:TRAINING_JOB_ID"},
    {"approval", MLT_REF_APPROVAL, false, "approval:REFERENCE"},
    {"table", MLT_REF_TABLE, true, "table:SYSTEM/TABLE"},
    {"node", MLT_REF_NODE, false, "node:NAME"},
    {"entry", MLT_REF_ENTRY, false, "entry:INDEX"},
};

static enum mlt_status decode_percent(struct mlt_bytes *out, struct mlt_bytes text, struct mlt_arena *arena,
                                      struct mlt_error *err) {
    uint8_t *bytes = mlt_arena_take(arena, text.len + 1);
    size_t len = 0;
    if (bytes == NULL) {
        return mlt_fail(err, MLT_NOMEM, "out of memory for a reference");
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%') {
            bytes[len++] = text.ptr[i];
            continue;
        }
        if (!mlt_percent_byte(&bytes[len++], text, i)) {
            return mlt_fail(err, MLT_INVALID, "'%.*s': '%%' begins two hexadecimal digits; a percent sign is %%25",
                            MLT_ARG(text));
        }
        i += 2;
    }
    *out = mlt_bytes_of(bytes, len);
    if (!mlt_utf8_valid(*out)) {
        return mlt_fail(err, MLT_INVALID, "the reference is no UTF-8 text");
    }
    return MLT_OK;
}

static size_t last_slash(struct mlt_bytes text) {
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != '/') {
        at--;
    }
    return at == 0 ? SIZE_MAX : at - 1;
}

static enum mlt_status parse_parts(struct mlt_ref *out, size_t word, struct mlt_bytes rest, struct mlt_arena *arena,
                                   struct mlt_error *err) {
    struct mlt_bytes a = rest, b = {0};
    if (out->type == MLT_REF_ENTRY) {
        return mlt_decimal_decode(&out->index, rest)
                   ? MLT_OK
                   : mlt_fail(err, MLT_INVALID, "'%.*s' is no entry: an index in decimal, as in entry:42",
                              MLT_ARG(rest));
    }
    if (WORDS[word].two_parts) {
        size_t slash = last_slash(rest);
        if (slash == SIZE_MAX) {
            return mlt_fail(err, MLT_INVALID, "'%.*s' has no '/': write %s", MLT_ARG(rest), WORDS[word].form);
        }
        a = mlt_bytes_of(rest.ptr, slash);
        b = mlt_bytes_of(rest.ptr + slash + 1, rest.len - slash - 1);
    }
    // A table may come without its system; everything else has a name.
    if ((a.len == 0 && out->type != MLT_REF_TABLE) || (WORDS[word].two_parts && b.len == 0)) {
        return mlt_fail(err, MLT_INVALID, "a part of the reference is empty: write %s", WORDS[word].form);
    }
    enum mlt_status status = decode_percent(&out->a, a, arena, err);
    if (status == MLT_OK && WORDS[word].two_parts) {
        status = decode_percent(&out->b, b, arena, err);
    }
    return status;
}

enum mlt_status mlt_ref_parse(struct mlt_ref *out, struct mlt_bytes text, struct mlt_arena *arena,
                              struct mlt_error *err) {
    *out = (struct mlt_ref){0};
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        size_t len = strlen(WORDS[i].word);
        if (text.len > len && memcmp(text.ptr, WORDS[i].word, len) == 0 && text.ptr[len] == ':') {
            out->type = WORDS[i].type;
            return parse_parts(out, i, mlt_bytes_of(text.ptr + len + 1, text.len - len - 1), arena, err);
        }
    }
    return mlt_fail(err, MLT_INVALID,
                    "'%.*s' is no reference: prediction:ID, model:NAME/VERSION, dataset:NAME/VERSION, job:ID, "
                    "approval:REFERENCE, table:SYSTEM/TABLE, node:NAME or entry:INDEX",
                    MLT_ARG(text));
}
