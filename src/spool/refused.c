#include "spool/refused.h"

#include "record/json.h"

// A record stands as it is when it is JSON, else as text or base64.
static void put_record(struct mlt_json_writer *w, const struct mlt_refused *r) {
    struct mlt_json json = {0};
    mlt_jw_name(w, "record");
    if (r->type == MLT_FRAME_RECORD && mlt_json_scan(&json, r->body, NULL) == MLT_OK) {
        mlt_jw_raw(w, r->body);
    } else if (r->type == MLT_FRAME_RECORD && mlt_utf8_valid(r->body)) {
        mlt_jw_string(w, r->body);
    } else {
        mlt_jw_object(w);
        mlt_jw_name(w, "base64");
        mlt_jw_base64(w, r->body);
        mlt_jw_end_object(w);
    }
    mlt_json_clear(&json);
}

void mlt_refused_put(struct mlt_buf *out, struct mlt_env *env, const struct mlt_refused *r) {
    struct mlt_json_writer w;
    char at[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(at, env->now(env));
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "at", at);
    mlt_jw_member(&w, "stream", r->stream);
    mlt_jw_member_u64(&w, "frame", r->frame);
    mlt_jw_member_u64(&w, "status", (uint64_t)r->status);
    mlt_jw_member_raw(&w, "problem", r->problem.len > 0 ? r->problem : mlt_str("null"));
    put_record(&w, r);
    mlt_jw_end_object(&w);
    mlt_buf_put_u8(out, '\n');
}

enum mlt_status mlt_refused_keep(struct mlt_env *env, const char *dir, struct mlt_bytes lines, struct mlt_error *err) {
    struct mlt_buf path = {0};
    struct mlt_file *file = NULL;
    uint64_t size = 0;
    mlt_buf_printf(&path, "%s/rejected.ndjson", dir);
    const char *name = mlt_buf_cstr(&path);
    const unsigned flags = MLT_OPEN_WRITE | MLT_OPEN_CREATE | MLT_OPEN_PRIVATE | MLT_OPEN_APPEND;
    enum mlt_status status =
        name ? env->open(env, &file, name, flags, err) : mlt_fail(err, MLT_NOMEM, "no memory for what was rejected");
    if (status == MLT_OK) {
        status = env->size(env, file, &size, err);
        if (status == MLT_OK && size + lines.len > MLT_REFUSED_FILE_MAX) {
            status = mlt_fail(err, MLT_NOSPACE, "%s has %llu bytes and takes no more", name, (unsigned long long)size);
        }
        status = status == MLT_OK ? env->write(env, file, lines.ptr, lines.len, size, err) : status;
        status = status == MLT_OK ? env->sync(env, file, err) : status;
        env->close(env, file);
    }
    mlt_buf_clear(&path);
    return status;
}
