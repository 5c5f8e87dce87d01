#include "cli/tiles.h"

#include "cli/transport.h"

static bool fetch(struct mlt_cli_tiles *t, unsigned level, uint64_t number) {
    const struct mlt_tile_id id = {.level = level, .number = number, .width = mlt_tile_width(t->size, level, number)};
    char path[MLT_TILE_PATH_MAX + 1] = "/";
    struct mlt_reply reply = {0};
    mlt_tile_path_format(path + 1, &id);
    t->fetch_code = mlt_cli_get(t->cli, path, NULL, &reply);
    if (t->fetch_code == 0 && reply.body.len != (size_t)id.width * MLT_HASH_LEN) {
        t->fetch_code = mlt_cli_fail(t->cli, MLT_EXIT_FAILED, "%s has %zu bytes instead of %zu", path, reply.body.len,
                                     (size_t)id.width * MLT_HASH_LEN);
    }
    if (t->fetch_code == 0) {
        memcpy(t->tile[level].hashes, reply.body.data, reply.body.len);
        t->tile[level].number = number;
    }
    t->tile[level].have = t->fetch_code == 0;
    mlt_reply_clear(&reply);
    return t->tile[level].have;
}

static enum mlt_status read_hashes(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                   struct mlt_error *err) {
    struct mlt_cli_tiles *t = ctx;
    if (level >= MLT_TILE_LEVELS) {
        return mlt_fail(err, MLT_INVALID, "there is no tile level %u", level);
    }
    for (size_t i = 0; i < count; i++) {
        const uint64_t number = (first + i) / MLT_TILE_WIDTH;
        if ((!t->tile[level].have || t->tile[level].number != number) && !fetch(t, level, number)) {
            return mlt_fail(err, MLT_IO, "a tile cannot be read");
        }
        memcpy(out + i * MLT_HASH_LEN, t->tile[level].hashes[(first + i) % MLT_TILE_WIDTH], MLT_HASH_LEN);
    }
    return MLT_OK;
}

struct mlt_hash_source mlt_cli_tiles_source(struct mlt_cli_tiles *t) {
    return (struct mlt_hash_source){.ctx = t, .read = read_hashes};
}

int mlt_cli_tiles_fail(const struct mlt_cli_tiles *t, const struct mlt_error *err) {
    return t->fetch_code ? MLT_EXIT_FAILED : mlt_cli_fail_error(t->cli, err);
}
