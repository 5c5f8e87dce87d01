#include "server/query.h"

#include "server/path.h"

static enum mlt_status add_pair(struct mlt_query *out, struct mlt_bytes pair, struct mlt_arena *arena,
                                struct mlt_error *err) {
    const uint8_t *equals = memchr(pair.ptr, '=', pair.len);
    size_t name_len = equals ? (size_t)(equals - pair.ptr) : pair.len;
    struct mlt_bytes value = equals ? mlt_bytes_of(equals + 1, pair.len - name_len - 1) : mlt_bytes_of(NULL, 0);
    if (out->num_params == MLT_QUERY_PARAMS_MAX) {
        return mlt_fail(err, MLT_LIMIT, "the query has more than %d parameters", MLT_QUERY_PARAMS_MAX);
    }
    struct mlt_query_param *p = &out->params[out->num_params];
    enum mlt_status status = mlt_percent_decode(&p->name, mlt_bytes_of(pair.ptr, name_len), true, arena, err);
    if (status == MLT_OK) {
        status = mlt_percent_decode(&p->value, value, true, arena, err);
    }
    if (status != MLT_OK) {
        return status;
    }
    if (p->name.len == 0) {
        return mlt_fail(err, MLT_INVALID, "the query has a value without a name: \"%.*s\"", MLT_ARG(pair));
    }
    for (size_t i = 0; i < out->num_params; i++) {
        if (mlt_bytes_equal(out->params[i].name, p->name)) {
            return mlt_fail(err, MLT_INVALID, "parameter \"%.*s\" is given twice; give it once", MLT_ARG(p->name));
        }
    }
    out->num_params++;
    return MLT_OK;
}

enum mlt_status mlt_query_parse(struct mlt_query *out, struct mlt_bytes text, struct mlt_arena *arena,
                                struct mlt_error *err) {
    out->num_params = 0;
    if (text.len > MLT_QUERY_LEN_MAX) {
        return mlt_fail(err, MLT_LIMIT, "the query has %zu bytes; at most %d are read", text.len, MLT_QUERY_LEN_MAX);
    }
    while (text.len > 0) {
        const uint8_t *and_sign = memchr(text.ptr, '&', text.len);
        size_t len = and_sign ? (size_t)(and_sign - text.ptr) : text.len;
        if (len > 0) {
            enum mlt_status status = add_pair(out, mlt_bytes_of(text.ptr, len), arena, err);
            if (status != MLT_OK) {
                return status;
            }
        }
        size_t skip = and_sign ? len + 1 : len;
        text = mlt_bytes_of(text.ptr + skip, text.len - skip);
    }
    return MLT_OK;
}

const struct mlt_query_param *mlt_query_find(const struct mlt_query *query, const char *name) {
    for (size_t i = 0; i < query->num_params; i++) {
        if (mlt_bytes_is(query->params[i].name, name)) {
            return &query->params[i];
        }
    }
    return NULL;
}
