// Checkpoint and tiles, as C2SP tlog-tiles has them.
#include "server/api_state.h"

#define CACHE_FOREVER "public, max-age=31536000, immutable" // a full tile never changes

static void no_tile(struct mlt_call *call) {
    mlt_answer_problem(call->res, 404, "not-found", NULL, "the tree has no such tile");
}

void mlt_handle_checkpoint(struct mlt_call *call) {
    struct mlt_error err = {0};
    enum mlt_status status = mlt_trail_checkpoint(call->api->trail, &call->res->body, &err);
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return;
    }
    mlt_call_answer_json(call);
    call->res->cache_control = "no-cache";
}

void mlt_handle_trail_json(struct mlt_call *call) {
    struct mlt_error err = {0};
    enum mlt_status status = mlt_trail_meta(call->api->trail, &call->res->body, &err);
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return;
    }
    mlt_call_answer_json(call);
    call->res->cache_control = "no-cache";
}

static enum mlt_status read_hashes(struct mlt_call *call, const struct mlt_tile_id *tile, struct mlt_error *err) {
    struct mlt_hash_source hashes = mlt_trail_hashes(call->api->trail);
    struct mlt_buf *out = &call->res->body;
    size_t len = (size_t)tile->width * MLT_HASH_LEN;
    if (!mlt_buf_reserve(out, len)) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a tile");
    }
    enum mlt_status status =
        hashes.read(hashes.ctx, tile->level, tile->number * MLT_TILE_WIDTH, tile->width, out->data, err);
    out->len = status == MLT_OK ? len : 0;
    return status;
}

static bool may_copy_entries(struct mlt_call *call, const struct mlt_tile_id *tile) {
    if (mlt_trail_is_public(call->api->trail)) {
        return true;
    }
    if (!mlt_call_granted(call, MLT_MAY_MIRROR)) {
        return false;
    }
    mlt_audit_count(call->api, call->req, MLT_WINDOW_BUNDLES, tile->width);
    return true;
}

void mlt_handle_tile(struct mlt_call *call) {
    struct mlt_tile_id tile;
    char *path = mlt_arena_printf(&call->arena, "tile/%.*s", MLT_ARG(call->path.segments[0]));
    struct mlt_head head;
    struct mlt_error err = {0};
    mlt_trail_head(call->api->trail, &head);
    if (!path || !mlt_tile_path_parse(&tile, mlt_str(path)) || tile.level >= MLT_TILE_LEVELS) {
        no_tile(call);
        return;
    }
    if (tile.entries && !may_copy_entries(call, &tile)) {
        return;
    }
    if (tile.width > mlt_tile_width(head.size, tile.level, tile.number)) {
        no_tile(call);
        return;
    }
    enum mlt_status status = tile.entries ? mlt_trail_entries(call->api->trail, tile.number * MLT_TILE_WIDTH,
                                                              tile.width, &call->res->body, &err)
                                          : read_hashes(call, &tile, &err);
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return;
    }
    mlt_call_answer_json(call);
    bool shared = !tile.entries || mlt_trail_is_public(call->api->trail);
    call->res->cache_control = tile.width == MLT_TILE_WIDTH && shared ? CACHE_FOREVER : NULL;
}
