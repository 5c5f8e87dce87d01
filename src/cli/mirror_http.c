// Tiles and bundles of a trail behind a URL.
#include <stdio.h>

#include "cli/transport.h"
#include "record/json.h"

static enum mlt_status refused(struct mlt_cli *cli, const struct mlt_reply *reply, struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_bytes detail = {0};
    if (mlt_json_scan(&json, mlt_buf_bytes(&reply->body), NULL) == MLT_OK) {
        detail = mlt_json_string(&json, mlt_json_get(&json, 0, "detail"), &cli->arena);
    }
    enum mlt_status status = reply->status == 404 || reply->status == 410 ? MLT_NOTFOUND : MLT_DENIED;
    const char *hint = reply->status == 401 ? "; give a token with --token-file FILE or in MLTRAIL_TOKEN" : "";
    if (detail.len > 0) {
        status = mlt_fail(err, status, "%.*s%s", MLT_ARG(detail), hint);
    } else {
        status = mlt_fail(err, status, "the server answered %d and no reason%s", reply->status, hint);
    }
    mlt_json_clear(&json);
    return status;
}

static enum mlt_status get(void *ctx, const char *path, size_t max, struct mlt_buf *out, struct mlt_error *err) {
    struct mlt_cli *cli = ctx;
    char full[MLT_TILE_PATH_MAX + 1];
    struct mlt_reply reply = {.body = *out}; // its memory is used again
    *out = (struct mlt_buf){0};
    (void)snprintf(full, sizeof full, "/%s", path);
    const struct mlt_call call = {.method = "GET", .path = full};
    enum mlt_status status = mlt_transport_send(cli->transport, &call, &reply, err);
    if (status == MLT_OK && reply.status != 200) {
        status = refused(cli, &reply, err);
    } else if (status == MLT_OK && reply.body.len > max) {
        status = mlt_fail(err, MLT_LIMIT, "%zu bytes; at most %zu are right", reply.body.len, max);
    }
    *out = reply.body;
    return status;
}

struct mlt_mirror_fetch mlt_cli_mirror_fetch(struct mlt_cli *cli) {
    return (struct mlt_mirror_fetch){cli, get};
}
