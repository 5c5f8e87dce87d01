// The files that are written behind the journal (docs/FORMAT.md, "Files of a trail"): entries, hashes, payloads, slots,
// details. Every one of them follows from the groups; each but details/ is only appended to.
//
//   entries.dat     u16 length || bytes per entry
//   entries.idx     u64 per 256 entries: where entry 256*k begins in entries.dat
//   hash/<L>        32 bytes per hash of tile level L
//   payloads/data   sealed payloads, one after the other
//   payloads/index  per 256 entries a block of 1032 bytes: u64 where the block's payloads begin in payloads/data, then
//                   256 x u32 where each entry's payload ends, counted from there. The last block is cut short.
//   slots           60 bytes per entry: the wrapped secret; all zero: no payload; all 0xff: erased
//   details/<hex>   one file per detail, named by its SHA-256; written once
#ifndef MLT_STORE_FILES_H
#define MLT_STORE_FILES_H

#include "store/journal.h"

#define MLT_STORE_PATH_MAX 1024
#define MLT_FILES_LEN_MAX ((uint64_t)INT64_MAX) // off_t: a position above it is damage, not something to read at
#define MLT_FILES_BUNDLE 256 // entries per entries.idx offset and payload index block: a tile's width
#define MLT_FILES_BLOCK_LEN (8 + 4 * MLT_FILES_BUNDLE)

enum mlt_files_id {
    MLT_FILE_ENTRIES,
    MLT_FILE_ENTRIES_INDEX,
    MLT_FILE_PAYLOADS,
    MLT_FILE_PAYLOADS_INDEX,
    MLT_FILE_SLOTS,
    MLT_FILE_HASH, // and one per further level
    MLT_NUM_FILES = MLT_FILE_HASH + MLT_TILE_LEVELS,
};

struct mlt_files {
    struct mlt_env *env;
    char dir[MLT_STORE_PATH_MAX];
    struct mlt_file *file[MLT_NUM_FILES];
    // Where the next group goes. Owned by the one that applies groups.
    uint64_t size;
    uint64_t entries_len;
    uint64_t payloads_len;
    uint64_t block_base; // where the payloads of the last block begin; counts when size % 256 != 0
    struct mlt_buf scratch;
};

// mlt_files_name is the path within the trail; static.
const char *mlt_files_name(enum mlt_files_id id);
// mlt_files_length says how long a file is in a trail of `size` entries.
uint64_t mlt_files_length(enum mlt_files_id id, uint64_t size, uint64_t entries_len, uint64_t payloads_len);

enum mlt_status mlt_files_create(struct mlt_env *env, const char *dir, struct mlt_error *err) MLT_MUST_USE;
// mlt_files_open opens at a watermark. MLT_CORRUPT: a file is shorter than that.
enum mlt_status mlt_files_open(struct mlt_files *f, struct mlt_env *env, const char *dir,
                               const struct mlt_watermark *mark, bool writable, struct mlt_error *err) MLT_MUST_USE;
// mlt_files_open_unchecked is the same for verification: lengths are not looked at. MLT_CORRUPT: a file is missing;
// `err->file` is its path.
enum mlt_status mlt_files_open_unchecked(struct mlt_files *f, struct mlt_env *env, const char *dir,
                                         const struct mlt_watermark *mark, struct mlt_error *err) MLT_MUST_USE;
void mlt_files_close(struct mlt_files *f);

// mlt_files_apply writes a group behind: the one way in which these files grow, on every commit and at recovery. Not
// durable until synced. `recovering`: what a crash left of a detail may be replaced.
enum mlt_status mlt_files_apply(struct mlt_files *f, const struct mlt_group *g, const struct mlt_group_hashes *h,
                                bool recovering, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_files_sync(struct mlt_files *f, struct mlt_error *err) MLT_MUST_USE;
// mlt_files_sync_details makes details durable: `hashes` are 32 bytes each.
enum mlt_status mlt_files_sync_details(struct mlt_files *f, struct mlt_bytes hashes,
                                       struct mlt_error *err) MLT_MUST_USE;
// mlt_files_trim cuts off what lies beyond `size` and drops the page cache, so that the next read is from the device.
enum mlt_status mlt_files_trim(struct mlt_files *f, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_files_erase_slot(struct mlt_files *f, uint64_t index, struct mlt_error *err) MLT_MUST_USE;

// Reading, in files_read.c. Thread-safe beside one that applies, for indexes below what was applied before.
// mlt_files_read reads exactly `len` bytes; MLT_CORRUPT when the file ends before.
enum mlt_status mlt_files_read(const struct mlt_files *f, enum mlt_files_id id, uint64_t off, void *out, size_t len,
                               struct mlt_error *err) MLT_MUST_USE;
// mlt_files_bundle_offset says where entry 256*`bundle` begins in entries.dat.
enum mlt_status mlt_files_bundle_offset(const struct mlt_files *f, uint64_t bundle, uint64_t *out,
                                        struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_files_entry(const struct mlt_files *f, uint64_t index, struct mlt_arena *arena,
                                struct mlt_bytes *out, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_files_entries(const struct mlt_files *f, uint64_t first, uint64_t count, struct mlt_buf *out,
                                  struct mlt_error *err) MLT_MUST_USE;
// mlt_files_payload_range says where an entry's sealed payload lies; `*len` 0: none.
enum mlt_status mlt_files_payload_range(const struct mlt_files *f, uint64_t index, uint64_t *off, uint64_t *len,
                                        struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_files_sealed(const struct mlt_files *f, uint64_t index, struct mlt_arena *arena,
                                 struct mlt_bytes *sealed, uint8_t slot[static MLT_WRAPPED_LEN],
                                 struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_files_detail(const struct mlt_files *f, const uint8_t hash[static MLT_HASH_LEN],
                                 struct mlt_arena *arena, struct mlt_bytes *out, struct mlt_error *err) MLT_MUST_USE;
// mlt_files_hashes reads hash/: bounded by the file, not by a size. `f` must outlive it.
struct mlt_hash_source mlt_files_hashes(const struct mlt_files *f);
void mlt_files_detail_path(const struct mlt_files *f, char out[static MLT_STORE_PATH_MAX + 80],
                           const uint8_t hash[static MLT_HASH_LEN]);

#endif
