// A log from afar (C2SP tlog-tiles): entry bundles are fetched and hashed, and every tile that is served is compared
// with what follows from the entries. Grows: what was computed up to one size is where the next size goes on from.
//
// Knows no network: bytes come through struct mlt_mirror_fetch, from a server or from a directory of flat files.
#ifndef MLT_MONITOR_MIRROR_H
#define MLT_MONITOR_MIRROR_H

#include "merkle/merkle.h"

#define MLT_BUNDLE_LEN_MAX ((size_t)MLT_TILE_WIDTH * (2 + UINT16_MAX)) // tlog-tiles: u16 length and bytes, 256 times
#define MLT_TILE_LEN_MAX ((size_t)MLT_TILE_WIDTH * MLT_HASH_LEN)

// get fetches `path` ("checkpoint", "tile/0/000"), at most `max` bytes, into `out`, which is reset first.
// MLT_NOTFOUND: it is not there. MLT_LIMIT: longer than `max`.
struct mlt_mirror_fetch {
    void *ctx;
    enum mlt_status (*get)(void *ctx, const char *path, size_t max, struct mlt_buf *out, struct mlt_error *err);
};

enum mlt_mirror_fault {
    MLT_MIRROR_BUNDLE,  // cannot be taken apart, or has bytes left over
    MLT_MIRROR_TILE,    // not what follows from the entries
    MLT_MIRROR_CHANGED, // an entry that was something else when it was seen before
};

// Who watches; each may be NULL. A status other than MLT_OK from one of them ends the walk.
struct mlt_mirror_watch {
    void *ctx;
    void (*fault)(void *ctx, enum mlt_mirror_fault what, const char *path, bool has_index, uint64_t index,
                  const char *text);
    enum mlt_status (*entry)(void *ctx, uint64_t index, struct mlt_bytes entry, struct mlt_error *err);
    // keep gets every bundle and tile as it was served, once it was found to be right.
    enum mlt_status (*keep)(void *ctx, const char *path, struct mlt_bytes bytes, struct mlt_error *err);
    enum mlt_status (*step)(void *ctx, uint64_t done, uint64_t size, struct mlt_error *err); // after each bundle
};

// The tree so far. Zero is the empty one.
struct mlt_mirror_tree {
    struct mlt_frontier frontier;
    uint8_t row[MLT_TILE_LEVELS][MLT_TILE_WIDTH][MLT_HASH_LEN]; // the last, partial tile of each level
};

struct mlt_mirror {
    struct mlt_mirror_fetch fetch;
    struct mlt_mirror_watch watch;
    struct mlt_mirror_tree tree;
    struct mlt_buf bundle, tile; // scratch
    uint64_t size;               // of the tree that is being walked to
    bool broken;                 // a bundle could not be taken apart: what follows has no place
};
void mlt_mirror_clear(struct mlt_mirror *m);

// mlt_mirror_grow fetches what leads from tree.frontier.size to `size` and adds it. Faults go to the watcher; whether
// the root is the signed one is for the caller to say. Status: could it be fetched?
enum mlt_status mlt_mirror_grow(struct mlt_mirror *m, uint64_t size, struct mlt_error *err) MLT_MUST_USE;

// Hashes as they are served for a tree of `size` leaves: for proofs. Nothing about them is known to be true.
struct mlt_mirror_hashes {
    struct mlt_mirror_fetch fetch;
    uint64_t size;
    struct mlt_buf tile;
};
struct mlt_hash_source mlt_mirror_hash_source(struct mlt_mirror_hashes *h);

// A directory that holds `checkpoint`, `tile/…` as flat files. mirror_dir.c
struct mlt_mirror_dir {
    struct mlt_env *env;
    char dir[1024];
};
struct mlt_env;
enum mlt_status mlt_mirror_dir_init(struct mlt_mirror_dir *d, struct mlt_env *env, const char *dir,
                                    struct mlt_error *err) MLT_MUST_USE;
struct mlt_mirror_fetch mlt_mirror_dir_fetch(struct mlt_mirror_dir *d);
// mlt_mirror_dir_keep stores one file; a full tile or bundle that is there already is compared instead, MLT_CONFLICT
// when it differs. Durable on return.
enum mlt_status mlt_mirror_dir_keep(struct mlt_mirror_dir *d, const char *path, struct mlt_bytes bytes,
                                    struct mlt_error *err) MLT_MUST_USE;

#endif
