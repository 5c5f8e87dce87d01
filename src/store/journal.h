// The journal: two headers and two regions of one preallocated file (docs/FORMAT.md, "journal").
//
//   0        4096  header A      } written in turn; the valid one with the higher sequence counts
//   4096     4096  header B      }
//   8192     R     region 0      groups, each at a multiple of 4096
//   8192+R   R     region 1
//
//   header    0  8  "MLTJRN01"
//             8  8  sequence
//            16  8  R
//            24  8  watermark: tree size
//            32 32  watermark: root
//            64  8  watermark: length of entries.dat
//            72  8  watermark: length of payloads/data
//            80  8  watermark: number of the next group
//            88  8  watermark: received of the last group
//            96 16  nonce of region 0 and of region 1; zero: the region is empty
//           112 16  number of the first group of region 0 and of region 1
//           128  4  region in use
//          4092  4  CRC-32C of the first 4092 bytes
//
// A header is valid if and only if (1) the magic, (2) the CRC, (3) region in use is 0 or 1, and (4) R is a positive
// multiple of 4096. What the watermark covers is durable in the other files; the journal is needed above it.
#ifndef MLT_STORE_JOURNAL_H
#define MLT_STORE_JOURNAL_H

#include "store/group.h"

#define MLT_JOURNAL_REGIONS 2
#define MLT_JOURNAL_HEADERS_LEN ((uint64_t)2 * MLT_IO_ALIGN)
#define MLT_JOURNAL_BYTES_DEFAULT ((uint64_t)64 << 20) // some tenths of a second of work at full speed
#define MLT_JOURNAL_BYTES_MIN ((uint64_t)16 << 10)
#define MLT_JOURNAL_BYTES_MAX ((uint64_t)4 << 30) // sectors are numbered in 32 bits, and a region is read at recovery

struct mlt_watermark {
    uint64_t size;
    uint8_t root[MLT_HASH_LEN];
    uint64_t entries_len;
    uint64_t payloads_len;
    uint64_t next_group;
    int64_t received;
};

struct mlt_journal_header {
    uint64_t sequence;
    uint64_t region_bytes;
    struct mlt_watermark mark;
    uint64_t nonce[MLT_JOURNAL_REGIONS];
    uint64_t first_group[MLT_JOURNAL_REGIONS];
    unsigned active;
};
void mlt_journal_header_encode(uint8_t out[static MLT_IO_ALIGN], const struct mlt_journal_header *h);
bool mlt_journal_header_parse(struct mlt_journal_header *out, struct mlt_bytes block);

// Two threads use a journal: one appends, and whoever writes headers does so under a lock of the store.
struct mlt_journal {
    struct mlt_env *env;
    struct mlt_file *file;
    char path[1024 + 16];
    uint64_t region_bytes; // constant once open
    // With whoever writes headers.
    struct mlt_journal_header header;
    uint8_t *header_block; // MLT_IO_ALIGN-aligned
    // With the one that appends.
    unsigned region;
    uint64_t nonce;  // zero: no region is in use
    uint64_t off;    // in the region: where the next group goes
    uint8_t *buffer; // MLT_IO_ALIGN-aligned
    size_t buffer_cap;
};

enum mlt_status mlt_journal_create(struct mlt_env *env, const char *path, uint64_t region_bytes,
                                   struct mlt_error *err) MLT_MUST_USE;
// mlt_journal_open reads the header. MLT_CORRUPT: neither is valid.
enum mlt_status mlt_journal_open(struct mlt_journal *j, struct mlt_env *env, const char *path,
                                 struct mlt_error *err) MLT_MUST_USE;
void mlt_journal_close(struct mlt_journal *j);

// What a scan found after the last good group.
struct mlt_journal_tail {
    uint64_t num_groups;
    uint64_t next_group;
    bool torn;            // pieces of a group that was not written completely
    uint64_t torn_offset; // in the file
};
typedef enum mlt_status (*mlt_journal_each)(void *ctx, const struct mlt_group *g, uint64_t offset,
                                            struct mlt_error *err);
// mlt_journal_scan gives every group of both regions in order. MLT_CORRUPT: a group that must be there does not read
// back, with its offset.
enum mlt_status mlt_journal_scan(struct mlt_journal *j, mlt_journal_each each, void *ctx, struct mlt_journal_tail *tail,
                                 struct mlt_error *err) MLT_MUST_USE;

// mlt_journal_write_header writes the header into the block that the present one is not in; durable on return.
enum mlt_status mlt_journal_write_header(struct mlt_journal *j, const struct mlt_journal_header *h,
                                         struct mlt_error *err) MLT_MUST_USE;
// mlt_journal_room: does a group of this length fit into what is left of the active region?
bool mlt_journal_room(const struct mlt_journal *j, uint64_t group_len);
// mlt_journal_use_region makes groups go to the beginning of a region from now on; a durable header says so already.
void mlt_journal_use_region(struct mlt_journal *j, unsigned region, uint64_t nonce);
// mlt_journal_append writes a group, with the region's nonce; durable on return.
enum mlt_status mlt_journal_append(struct mlt_journal *j, struct mlt_group *g, struct mlt_error *err) MLT_MUST_USE;
// mlt_journal_scrub overwrites both regions with zeros, so that no wrapped secret outlives its erasure here.
enum mlt_status mlt_journal_scrub(struct mlt_journal *j, struct mlt_error *err) MLT_MUST_USE;
static inline uint64_t mlt_journal_region_offset(const struct mlt_journal *j, unsigned region) {
    return MLT_JOURNAL_HEADERS_LEN + (uint64_t)region * j->region_bytes;
}

#endif
