// Hashes of the trail at hand, fetched by tile.
#ifndef MLT_CLI_TILES_H
#define MLT_CLI_TILES_H

#include "cli/cli.h"
#include "merkle/merkle.h"

struct mlt_cli_tiles {
    struct mlt_cli *cli;
    uint64_t size;  // of the tree
    int fetch_code; // exit status of a fetch that failed, already explained
    // The tile of each level that was fetched last: whoever asks, asks for neighbours.
    struct {
        bool have;
        uint64_t number;
        uint8_t hashes[MLT_TILE_WIDTH][MLT_HASH_LEN];
    } tile[MLT_TILE_LEVELS];
};
struct mlt_hash_source mlt_cli_tiles_source(struct mlt_cli_tiles *t); // borrows
// mlt_cli_tiles_fail gives the exit status for an error of reading, after saying what is wrong.
int mlt_cli_tiles_fail(const struct mlt_cli_tiles *t, const struct mlt_error *err);

#endif
