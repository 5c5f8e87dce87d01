#include "mlflow/artifact.h"

#include "capture/mlflow_route.h"
#include "mlflow/folder.h"

#define API "/api/2.0/mlflow/"
#define ARTIFACTS "/api/2.0/mlflow-artifacts/artifacts"

struct reading {
    struct mlt_registry *registry;
    const struct mlt_artifact_options *opt;
    struct mlt_manifest *out;
    struct mlt_sha256_stream *hash;
    uint64_t size; // of the file that is read
    bool too_long;
    struct mlt_error *err;
};

enum mlt_status mlt_artifact_location(struct mlt_registry *r, struct mlt_bytes model, struct mlt_bytes version,
                                      struct mlt_arena *arena, struct mlt_bytes *out, struct mlt_error *err) {
    struct mlt_registry_answer a = {0};
    struct mlt_buf target = {0};
    mlt_buf_put_str(&target, API "model-versions/get-download-uri?name=");
    mlt_url_put_encoded(&target, model);
    mlt_buf_put_str(&target, "&version=");
    mlt_url_put_encoded(&target, version);
    const char *text = mlt_buf_cstr(&target);
    enum mlt_status status = text ? mlt_registry_get(r, text, &a, err) : mlt_fail(err, MLT_NOMEM, "out of memory");
    *out = (struct mlt_bytes){0};
    if (status == MLT_OK) {
        *out = mlt_arena_copy(arena, mlt_json_string(&a.json, mlt_json_get(&a.json, 0, "artifact_uri"), arena));
        status = out->len > 0 ? MLT_OK : mlt_fail(err, MLT_INVALID, "MLflow does not say where the files are");
    }
    mlt_buf_clear(&target);
    mlt_registry_answer_clear(&a);
    return status;
}

// take adds a piece of the file; false: the model is larger than was allowed.
static bool take(void *arg, struct mlt_bytes piece) {
    struct reading *rd = arg;
    rd->size += piece.len;
    rd->too_long = mlt_manifest_room(rd->out, rd->size, NULL) != MLT_OK;
    if (!rd->too_long) {
        mlt_sha256_stream_add(rd->hash, piece.ptr, piece.len);
    }
    return !rd->too_long;
}

static enum mlt_status add_file(struct reading *rd, struct mlt_bytes path) {
    uint8_t sha256[MLT_HASH_LEN];
    mlt_sha256_stream_end(rd->hash, sha256);
    return mlt_manifest_add(rd->out, path, sha256, rd->size, rd->err);
}

// -- this machine's files ---------------------------------------------------------------------------------------------

static enum mlt_status read_local(struct reading *rd, struct mlt_bytes path, struct mlt_arena *arena) {
    const char *text = mlt_arena_cstr(arena, path);
    if (!rd->opt->local_files) {
        return mlt_fail(rd->err, MLT_INVALID, "%.*s is on the machine of the server", MLT_ARG(path));
    }
    if (path.len == 0 || path.ptr[0] != '/') { // file://HOST/...: it would be looked for below where this runs
        return mlt_fail(rd->err, MLT_INVALID, "%.*s is on another machine", MLT_ARG(path));
    }
    if (text && strlen(text) != path.len) {
        return mlt_fail(rd->err, MLT_INVALID, "the place of the files has a NUL in its name");
    }
    return text ? mlt_folder_read(text, &(struct mlt_folder_options){0}, rd->out, rd->err)
                : mlt_fail(rd->err, MLT_NOMEM, "out of memory");
}

// -- through the server -----------------------------------------------------------------------------------------------

static enum mlt_status download(struct reading *rd, struct mlt_bytes root, struct mlt_bytes path) {
    struct mlt_buf target = {0};
    int status = 0;
    rd->size = 0;
    mlt_buf_put_str(&target, ARTIFACTS "/");
    mlt_url_put_path(&target, root);
    mlt_buf_put_u8(&target, '/');
    mlt_url_put_path(&target, path);
    const char *text = mlt_buf_cstr(&target);
    rd->registry->num_requests++;
    enum mlt_status done = text ? mlt_client_stream(rd->registry->client, text, &status, take, rd, rd->err)
                                : mlt_fail(rd->err, MLT_NOMEM, "out of memory");
    mlt_buf_clear(&target);
    if (done == MLT_OK && (status < 200 || status >= 300)) {
        done = mlt_fail(rd->err, status == 401 || status == 403 ? MLT_DENIED : MLT_INVALID,
                        "MLflow answers %d for the file %.*s", status, MLT_ARG(path));
    }
    return rd->too_long ? mlt_manifest_room(rd->out, rd->size, rd->err) : done == MLT_OK ? add_file(rd, path) : done;
}

static bool safe_name(struct mlt_bytes name) {
    return name.len > 0 && !mlt_bytes_is(name, ".") && !mlt_bytes_is(name, "..") &&
           memchr(name.ptr, '/', name.len) == NULL;
}

static enum mlt_status read_listed(struct reading *rd, struct mlt_bytes root, struct mlt_bytes at, unsigned depth);

static enum mlt_status read_item(struct reading *rd, const struct mlt_json *json, mlt_json_at item,
                                 struct mlt_bytes root, struct mlt_bytes at, unsigned depth) {
    struct mlt_arena arena = {0};
    struct mlt_buf path = {0};
    struct mlt_bytes name = mlt_json_string(json, mlt_json_get(json, item, "path"), &arena);
    enum mlt_status status;
    mlt_buf_put_bytes(&path, at);
    mlt_buf_put_str(&path, at.len > 0 ? "/" : "");
    mlt_buf_put_bytes(&path, name);
    if (path.failed) {
        status = mlt_fail(rd->err, MLT_NOMEM, "out of memory");
    } else if (!safe_name(name)) {
        status = mlt_fail(rd->err, MLT_INVALID, "MLflow lists a file with the name \"%.*s\"", MLT_ARG(name));
    } else if (mlt_json_is(json, mlt_json_get(json, item, "is_dir"), MLT_JSON_TRUE)) {
        status = read_listed(rd, root, mlt_buf_bytes(&path), depth + 1);
    } else {
        status = download(rd, root, mlt_buf_bytes(&path));
    }
    mlt_buf_clear(&path);
    mlt_arena_clear(&arena);
    return status;
}

static enum mlt_status read_listed(struct reading *rd, struct mlt_bytes root, struct mlt_bytes at, unsigned depth) {
    struct mlt_registry_answer a = {0};
    struct mlt_buf target = {0};
    if (depth >= MLT_ARTIFACT_DEPTH_MAX) {
        return mlt_fail(rd->err, MLT_LIMIT, "directories are nested more than %d deep", MLT_ARTIFACT_DEPTH_MAX);
    }
    mlt_buf_put_str(&target, ARTIFACTS "?path=");
    mlt_url_put_encoded(&target, root);
    if (at.len > 0) {
        mlt_buf_put_str(&target, "%2F");
        mlt_url_put_encoded(&target, at);
    }
    const char *text = mlt_buf_cstr(&target);
    enum mlt_status status =
        text ? mlt_registry_get(rd->registry, text, &a, rd->err) : mlt_fail(rd->err, MLT_NOMEM, "out of memory");
    mlt_json_at list = mlt_json_get(&a.json, 0, "files");
    for (mlt_json_at n = mlt_json_first(&a.json, list); status == MLT_OK && n != MLT_JSON_NONE;
         n = mlt_json_next(&a.json, list, n)) {
        status = read_item(rd, &a.json, n, root, at, depth);
    }
    mlt_buf_clear(&target);
    mlt_registry_answer_clear(&a);
    return status;
}

// -- where it is ------------------------------------------------------------------------------------------------------

static bool starts(struct mlt_bytes *text, const char *with) {
    size_t len = strlen(with);
    if (text->len < len || memcmp(text->ptr, with, len) != 0) {
        return false;
    }
    *text = mlt_bytes_of(text->ptr + len, text->len - len);
    return true;
}

// "mlflow-artifacts:/1/models/m-…" or "mlflow-artifacts://host/1/…": behind the authority.
static struct mlt_bytes served_path(struct mlt_bytes rest) {
    if (starts(&rest, "//")) {
        const uint8_t *slash = memchr(rest.ptr, '/', rest.len);
        rest = slash ? mlt_bytes_of(slash, rest.len - (size_t)(slash - rest.ptr)) : (struct mlt_bytes){0};
    }
    while (rest.len > 0 && rest.ptr[0] == '/') {
        rest = mlt_bytes_of(rest.ptr + 1, rest.len - 1);
    }
    while (rest.len > 0 && rest.ptr[rest.len - 1] == '/') {
        rest.len--;
    }
    return rest;
}

static enum mlt_status read_where(struct reading *rd, struct mlt_bytes location) {
    struct mlt_bytes rest = location;
    struct mlt_arena arena = {0};
    enum mlt_status status;
    if (starts(&rest, "mlflow-artifacts:")) {
        status = read_listed(rd, served_path(rest), (struct mlt_bytes){0}, 0);
    } else if (starts(&rest, "file://")) {
        status = read_local(rd, mlt_mlflow_decode(rest, false, &arena), &arena);
    } else if (rest.len > 0 && rest.ptr[0] == '/') {
        status = read_local(rd, rest, &arena);
    } else {
        const uint8_t *colon = memchr(rest.ptr, ':', rest.len);
        int scheme = colon ? (int)(colon - rest.ptr) : 0;
        status = mlt_fail(rd->err, MLT_INVALID,
                          "files at \"%.*s:\" are not read from here; digests of them can be recorded where they are",
                          scheme > 40 ? 40 : scheme, (const char *)rest.ptr);
    }
    mlt_arena_clear(&arena);
    return status;
}

enum mlt_status mlt_artifact_read(struct mlt_registry *r, struct mlt_bytes location,
                                  const struct mlt_artifact_options *opt, struct mlt_manifest *out,
                                  struct mlt_error *err) {
    struct reading rd = {.registry = r, .opt = opt, .out = out, .hash = mlt_sha256_stream_new(), .err = err};
    if (!rd.hash) {
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    out->bytes_max = opt->max_bytes;
    enum mlt_status status = read_where(&rd, location);
    if (status == MLT_OK && out->num == 0) {
        status = mlt_fail(err, MLT_INVALID, "there is no file at %.*s", MLT_ARG(location));
    }
    mlt_sha256_stream_free(rd.hash);
    return status;
}
