// A group: what one commit makes durable, as it lies in the journal (docs/FORMAT.md, "Groups").
//
// A group is a header and five sections. Three of the sections are byte for byte what is appended to entries.dat,
// slots and payloads/data, so that writing behind copies nothing.
//
//   header    0  8  "MLTGRP01"
//             8  8  nonce of this use of the region
//            16  8  number of the group, consecutive over the trail's life
//            24  8  index of the first entry
//            32  4  count of entries, 1..MLT_GROUP_COUNT_MAX
//            36  4  CRC-32C of header and sections with these four bytes zero
//            40  8  received, ns since 1970
//            48  8  length of header and sections
//            56  8  length of the entries section
//            64  8  length of the payloads section
//            72 32  root of the tree that ends with this group
//   entries       u16 length || bytes, per entry
//   slots         60 bytes per entry; zero: no payload
//   lengths       u32 length of the sealed payload, per entry; zero: no payload
//   payloads      sealed payloads, one after the other
//   details       u32 count, then per detail: 32-byte hash || u32 length || bytes
//
// All integers are big-endian. On disk the group is cut into pieces of 504 bytes; each fills a sector of 512 together
// with an eight-byte stamp: u32 (low half of the nonce XOR low half of the group's number) || u32 number of the sector
// within the group. The last sector and the 4096-byte block are filled with zeros, stamped as well. A group all of
// whose stamps are there was written completely.
#ifndef MLT_STORE_GROUP_H
#define MLT_STORE_GROUP_H

#include "base/env.h"
#include "merkle/merkle.h"
#include "record/draft.h"

#define MLT_SECTOR 512      // what a device writes as a whole, at least
#define MLT_SECTOR_DATA 504 // the rest is the stamp
#define MLT_GROUP_HEADER 104
#define MLT_GROUP_COUNT_MAX (1u << 20) // bounds what a reader allocates for a group; a group is bytes-bound before

struct mlt_group {
    uint64_t nonce;
    uint64_t number;
    uint64_t first;
    uint32_t count;
    int64_t received;
    uint8_t root[MLT_HASH_LEN];
    struct mlt_bytes entries;
    struct mlt_bytes slots;
    struct mlt_bytes lengths;
    struct mlt_bytes payloads;
    struct mlt_bytes details;
};

// mlt_group_len is header and sections; mlt_group_disk_len is what that takes in the journal, a multiple of 4096.
uint64_t mlt_group_len(const struct mlt_group *g);
uint64_t mlt_group_disk_len(uint64_t len);
void mlt_group_stamp(uint8_t out[static 8], uint64_t nonce, uint64_t number, uint32_t sector);

// mlt_group_write fills `out`, mlt_group_disk_len(mlt_group_len(g)) bytes.
void mlt_group_write(uint8_t *out, const struct mlt_group *g);

// mlt_group_peek reads the header out of a sector's 504 bytes without believing more than magic and length.
bool mlt_group_peek(struct mlt_group *out, uint64_t *len, struct mlt_bytes sector_data);

// mlt_group_parse reads a whole group from its `len` bytes (stamps taken out), which it borrows. MLT_CORRUPT: what is
// wrong. `checked`: the CRC must fit.
enum mlt_status mlt_group_parse(struct mlt_group *out, struct mlt_bytes bytes, bool checked,
                                struct mlt_error *err) MLT_MUST_USE;

// mlt_group_entry steps through the entries section; `at` begins at 0. False at the end.
bool mlt_group_entry(const struct mlt_group *g, size_t *at, struct mlt_bytes *entry);
// mlt_group_detail steps through the details; `at` begins at 0.
bool mlt_group_detail(const struct mlt_group *g, size_t *at, struct mlt_detail *detail);

// The hashes that a group adds to the files of hash/: level 0 has its leaves.
struct mlt_group_hashes {
    struct mlt_buf level[MLT_TILE_LEVELS];
};
void mlt_group_hashes_reset(struct mlt_group_hashes *h);
void mlt_group_hashes_clear(struct mlt_group_hashes *h);
// mlt_group_hash appends the leaf hashes of all entries, if level 0 is empty, and grows `f` over them.
enum mlt_status mlt_group_hash(struct mlt_group_hashes *h, struct mlt_frontier *f, const struct mlt_group *g,
                               struct mlt_error *err) MLT_MUST_USE;

// A group under construction. Owns its sections.
struct mlt_group_builder {
    struct mlt_buf entries;
    struct mlt_buf slots;
    struct mlt_buf lengths;
    struct mlt_buf payloads;
    struct mlt_buf details;
    uint32_t count;
    uint32_t num_details;
};
void mlt_group_builder_reset(struct mlt_group_builder *b);
void mlt_group_builder_clear(struct mlt_group_builder *b);
// mlt_group_builder_add appends a draft. MLT_LIMIT: entry, payload or details over their limits.
enum mlt_status mlt_group_builder_add(struct mlt_group_builder *b, const struct mlt_draft *d,
                                      struct mlt_error *err) MLT_MUST_USE;
// mlt_group_builder_sections points the sections and the count of `g` into the builder.
void mlt_group_builder_sections(struct mlt_group_builder *b, struct mlt_group *g);
// mlt_group_draft_len is what a draft adds to a group.
uint64_t mlt_group_draft_len(const struct mlt_draft *d);

#endif
