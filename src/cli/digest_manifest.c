// Manifests of others, whichever way they are wrapped.
#include "cli/digest_manifest.h"

#define MANIFEST_MAX (1u << 28) // 16 MiB of record and more: a signature over a million files

// The payload of a DSSE envelope is base64 within JSON; it becomes the document.
static enum mlt_status unwrap(struct mlt_arena *arena, struct mlt_digest_manifest *m, mlt_json_at envelope,
                              struct mlt_error *err) {
    struct mlt_bytes payload = mlt_json_string(&m->json, mlt_json_get(&m->json, envelope, "payload"), arena);
    size_t len = 0;
    if (payload.len == 0 || !mlt_buf_reserve(&m->statement, payload.len) ||
        !mlt_base64_decode(m->statement.data, m->statement.cap, &len, payload)) {
        return mlt_fail(err, MLT_INVALID, "the envelope has no payload in base64");
    }
    m->statement.len = len;
    mlt_json_clear(&m->json);
    m->json = (struct mlt_json){0};
    return mlt_json_scan(&m->json, mlt_buf_bytes(&m->statement), err);
}

static void read_statement(struct mlt_arena *arena, struct mlt_digest_manifest *m, mlt_json_at predicate) {
    mlt_json_at serialization = mlt_json_get(&m->json, predicate, "serialization");
    mlt_json_at subject = mlt_json_first(&m->json, mlt_json_get(&m->json, 0, "subject"));
    m->resources = mlt_json_get(&m->json, predicate, "resources");
    m->ignored = mlt_json_get(&m->json, serialization, "ignore_paths");
    m->root =
        mlt_json_string(&m->json, mlt_json_get(&m->json, mlt_json_get(&m->json, subject, "digest"), "sha256"), arena);
}

// A model.version record, or what `digest --json` prints.
static void read_record(struct mlt_arena *arena, struct mlt_digest_manifest *m) {
    mlt_json_at hash = mlt_json_get(&m->json, 0, "model_artifact_hash");
    m->resources = mlt_json_get(&m->json, 0, "manifest");
    m->root = mlt_json_string(&m->json, mlt_json_get(&m->json, hash == MLT_JSON_NONE ? 0 : hash, "oms"), arena);
}

static enum mlt_status find_list(struct mlt_arena *arena, struct mlt_digest_manifest *m, struct mlt_error *err) {
    mlt_json_at envelope = mlt_json_get(&m->json, 0, "dsseEnvelope");
    enum mlt_status status = envelope != MLT_JSON_NONE ? unwrap(arena, m, envelope, err) : MLT_OK;
    if (status) {
        return status;
    }
    mlt_json_at predicate = mlt_json_get(&m->json, 0, "predicate");
    if (mlt_json_is(&m->json, 0, MLT_JSON_ARRAY)) {
        m->resources = 0;
    } else if (predicate != MLT_JSON_NONE) {
        read_statement(arena, m, predicate);
    } else {
        read_record(arena, m);
    }
    return mlt_json_is(&m->json, m->resources, MLT_JSON_ARRAY)
               ? MLT_OK
               : mlt_fail(
                     err, MLT_INVALID,
                     "this is no manifest: want a Model Signing signature or its statement, a model.version record, "
                     "or a list of {\"name\", \"digest\"}");
}

enum mlt_status mlt_digest_manifest_parse(struct mlt_digest_manifest *m, struct mlt_bytes text, struct mlt_arena *arena,
                                          struct mlt_error *err) {
    m->resources = m->ignored = MLT_JSON_NONE;
    enum mlt_status status = mlt_json_scan(&m->json, text, err);
    return status ? status : find_list(arena, m, err);
}

enum mlt_status mlt_digest_manifest_read(struct mlt_cli *cli, struct mlt_digest_manifest *m, const char *file,
                                         struct mlt_error *err) {
    enum mlt_status status = mlt_env_read_file(cli->env, file, MANIFEST_MAX, &m->text, err);
    if (!status) {
        status = mlt_digest_manifest_parse(m, mlt_buf_bytes(&m->text), &cli->arena, err);
        status = status ? mlt_context(err, status, "%s", file) : status;
    }
    return status;
}

void mlt_digest_manifest_clear(struct mlt_digest_manifest *m) {
    mlt_json_clear(&m->json);
    mlt_buf_clear(&m->text);
    mlt_buf_clear(&m->statement);
}
