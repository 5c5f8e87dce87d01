#include "store/group.h"

#include <assert.h>

#include "store/crc32c.h"

#define HEADER_CRC_OFF 36
static const char MAGIC[8] = {'M', 'L', 'T', 'G', 'R', 'P', '0', '1'};

uint64_t mlt_group_len(const struct mlt_group *g) {
    return (uint64_t)MLT_GROUP_HEADER + g->entries.len + g->slots.len + g->lengths.len + g->payloads.len +
           g->details.len;
}

uint64_t mlt_group_disk_len(uint64_t len) {
    uint64_t sectors = (len + MLT_SECTOR_DATA - 1) / MLT_SECTOR_DATA;
    uint64_t blocks = (sectors * MLT_SECTOR + MLT_IO_ALIGN - 1) / MLT_IO_ALIGN;
    return blocks * MLT_IO_ALIGN;
}

void mlt_group_stamp(uint8_t out[static 8], uint64_t nonce, uint64_t number, uint32_t sector) {
    mlt_store_u32be(out, (uint32_t)nonce ^ (uint32_t)number);
    mlt_store_u32be(out + 4, sector);
}

static void header_encode(uint8_t out[static MLT_GROUP_HEADER], const struct mlt_group *g) {
    memcpy(out, MAGIC, sizeof(MAGIC));
    mlt_store_u64be(out + 8, g->nonce);
    mlt_store_u64be(out + 16, g->number);
    mlt_store_u64be(out + 24, g->first);
    mlt_store_u32be(out + 32, g->count);
    mlt_store_u32be(out + HEADER_CRC_OFF, 0);
    mlt_store_u64be(out + 40, (uint64_t)g->received);
    mlt_store_u64be(out + 48, mlt_group_len(g));
    mlt_store_u64be(out + 56, g->entries.len);
    mlt_store_u64be(out + 64, g->payloads.len);
    memcpy(out + 72, g->root, MLT_HASH_LEN);
}

// Spreads bytes over sectors, leaving room for the stamps.
struct spread {
    uint8_t *out;
    uint64_t at; // position in the group without stamps
};

static void spread_put(struct spread *s, struct mlt_bytes b) {
    while (b.len > 0) {
        uint64_t sector = s->at / MLT_SECTOR_DATA;
        size_t within = (size_t)(s->at % MLT_SECTOR_DATA);
        size_t n = MLT_SECTOR_DATA - within;
        n = n < b.len ? n : b.len;
        memcpy(s->out + sector * MLT_SECTOR + within, b.ptr, n);
        s->at += n;
        b.ptr += n;
        b.len -= n;
    }
}

void mlt_group_write(uint8_t *out, const struct mlt_group *g) {
    uint8_t header[MLT_GROUP_HEADER];
    header_encode(header, g);
    const struct mlt_bytes parts[] = {
        {header, sizeof(header)}, g->entries, g->slots, g->lengths, g->payloads, g->details};
    uint32_t crc = MLT_CRC32C_BEGIN;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        crc = mlt_crc32c_add(crc, parts[i]);
    }
    mlt_store_u32be(header + HEADER_CRC_OFF, mlt_crc32c_end(crc));

    uint64_t disk_len = mlt_group_disk_len(mlt_group_len(g));
    struct spread s = {out, 0};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        spread_put(&s, parts[i]);
    }
    uint64_t used = s.at / MLT_SECTOR_DATA * MLT_SECTOR + s.at % MLT_SECTOR_DATA;
    memset(out + used, 0, (size_t)(disk_len - used));
    for (uint64_t i = 0; i < disk_len / MLT_SECTOR; i++) {
        mlt_group_stamp(out + i * MLT_SECTOR + MLT_SECTOR_DATA, g->nonce, g->number, (uint32_t)i);
    }
}

bool mlt_group_peek(struct mlt_group *out, uint64_t *len, struct mlt_bytes sector_data) {
    memset(out, 0, sizeof(*out));
    *len = 0;
    if (sector_data.len < MLT_GROUP_HEADER || memcmp(sector_data.ptr, MAGIC, sizeof(MAGIC)) != 0) {
        return false;
    }
    const uint8_t *p = sector_data.ptr;
    out->nonce = mlt_load_u64be(p + 8);
    out->number = mlt_load_u64be(p + 16);
    out->first = mlt_load_u64be(p + 24);
    out->count = mlt_load_u32be(p + 32);
    out->received = (int64_t)mlt_load_u64be(p + 40);
    *len = mlt_load_u64be(p + 48);
    memcpy(out->root, p + 72, MLT_HASH_LEN);
    return *len >= MLT_GROUP_HEADER;
}

static enum mlt_status corrupt(struct mlt_error *err, const char *what) {
    return mlt_fail(err, MLT_CORRUPT, "%s (FORMAT.md, Groups)", what);
}

static bool crc_fits(struct mlt_bytes bytes) {
    static const uint8_t zero[4];
    uint32_t crc = mlt_crc32c_add(MLT_CRC32C_BEGIN, mlt_bytes_of(bytes.ptr, HEADER_CRC_OFF));
    crc = mlt_crc32c_add(crc, mlt_bytes_of(zero, sizeof(zero)));
    crc = mlt_crc32c_add(crc, mlt_bytes_of(bytes.ptr + HEADER_CRC_OFF + 4, bytes.len - HEADER_CRC_OFF - 4));
    return mlt_crc32c_end(crc) == mlt_load_u32be(bytes.ptr + HEADER_CRC_OFF);
}

// Do the sections hold exactly `count` entries, slots and payloads?
static enum mlt_status check_sections(const struct mlt_group *g, struct mlt_error *err) {
    size_t at = 0;
    uint32_t num_entries = 0;
    struct mlt_bytes entry;
    while (mlt_group_entry(g, &at, &entry)) {
        num_entries++;
    }
    if (at != g->entries.len || num_entries != g->count) {
        return corrupt(err, "the entries section does not hold the entries that the header counts");
    }
    uint64_t payload_len = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        uint32_t len = mlt_load_u32be(g->lengths.ptr + (size_t)i * 4);
        if ((len == 0) != mlt_bytes_all(mlt_bytes_of(g->slots.ptr + (size_t)i * MLT_WRAPPED_LEN, MLT_WRAPPED_LEN), 0)) {
            return corrupt(err, "an entry has a slot without a payload, or a payload without a slot");
        }
        payload_len += len;
    }
    if (payload_len != g->payloads.len) {
        return corrupt(err, "the payload lengths do not add up to the payloads section");
    }
    struct mlt_detail detail;
    uint32_t num_details = 0;
    at = 0;
    while (mlt_group_detail(g, &at, &detail)) {
        num_details++;
    }
    if (at != g->details.len || num_details != mlt_load_u32be(g->details.ptr)) {
        return corrupt(err, "the details section does not hold the details that it counts");
    }
    return MLT_OK;
}

enum mlt_status mlt_group_parse(struct mlt_group *out, struct mlt_bytes bytes, bool checked, struct mlt_error *err) {
    uint64_t len;
    if (!mlt_group_peek(out, &len, bytes) || len != bytes.len) {
        return corrupt(err, "no group header, or one of another length");
    }
    if (checked && !crc_fits(bytes)) {
        return corrupt(err, "the CRC-32C does not fit");
    }
    if (out->count == 0 || out->count > MLT_GROUP_COUNT_MAX) {
        return corrupt(err, "a count of entries of zero or over the limit");
    }
    if (out->first > MLT_TREE_MAX - out->count) {
        return corrupt(err, "entries beyond the largest tree");
    }
    uint64_t entries_len = mlt_load_u64be(bytes.ptr + 56);
    uint64_t payloads_len = mlt_load_u64be(bytes.ptr + 64);
    if (entries_len > len || payloads_len > len) {
        return corrupt(err, "a section longer than the group");
    }
    struct mlt_cursor c = mlt_cursor_of(bytes);
    (void)mlt_cursor_take(&c, MLT_GROUP_HEADER);
    out->entries = mlt_cursor_take(&c, (size_t)entries_len);
    out->slots = mlt_cursor_take(&c, (size_t)out->count * MLT_WRAPPED_LEN);
    out->lengths = mlt_cursor_take(&c, (size_t)out->count * 4);
    out->payloads = mlt_cursor_take(&c, (size_t)payloads_len);
    out->details = mlt_cursor_take(&c, mlt_cursor_left(&c));
    if (c.failed || out->details.len < 4) {
        return corrupt(err, "sections longer than the group");
    }
    return check_sections(out, err);
}

bool mlt_group_entry(const struct mlt_group *g, size_t *at, struct mlt_bytes *entry) {
    if (g->entries.len - *at < 2) {
        return false;
    }
    size_t len = mlt_load_u16be(g->entries.ptr + *at);
    if (g->entries.len - *at - 2 < len) {
        return false;
    }
    *entry = mlt_bytes_of(g->entries.ptr + *at + 2, len);
    *at += 2 + len;
    return true;
}

bool mlt_group_detail(const struct mlt_group *g, size_t *at, struct mlt_detail *detail) {
    if (*at == 0) {
        *at = 4; // the count
    }
    if (g->details.len < *at || g->details.len - *at < MLT_HASH_LEN + 4) {
        return false;
    }
    const uint8_t *p = g->details.ptr + *at;
    size_t len = mlt_load_u32be(p + MLT_HASH_LEN);
    if (g->details.len - *at - MLT_HASH_LEN - 4 < len) {
        return false;
    }
    memcpy(detail->hash, p, MLT_HASH_LEN);
    detail->bytes = mlt_bytes_of(p + MLT_HASH_LEN + 4, len);
    *at += MLT_HASH_LEN + 4 + len;
    return true;
}

void mlt_group_hashes_reset(struct mlt_group_hashes *h) {
    for (size_t i = 0; i < MLT_TILE_LEVELS; i++) {
        mlt_buf_reset(&h->level[i]);
    }
}

void mlt_group_hashes_clear(struct mlt_group_hashes *h) {
    for (size_t i = 0; i < MLT_TILE_LEVELS; i++) {
        mlt_buf_clear(&h->level[i]);
    }
}

enum mlt_status mlt_group_hash(struct mlt_group_hashes *h, struct mlt_frontier *f, const struct mlt_group *g,
                               struct mlt_error *err) {
    if (h->level[0].len == 0) {
        size_t at = 0;
        struct mlt_bytes entry;
        uint8_t leaf[MLT_HASH_LEN];
        while (mlt_group_entry(g, &at, &entry)) {
            mlt_merkle_leaf(leaf, entry);
            mlt_buf_put(&h->level[0], leaf, sizeof(leaf));
        }
    }
    if (h->level[0].failed || h->level[0].len != (size_t)g->count * MLT_HASH_LEN) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the hashes of a group of %u entries", g->count);
    }
    for (uint32_t i = 0; i < g->count; i++) {
        uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
        size_t num_roots = mlt_frontier_add(f, h->level[0].data + (size_t)i * MLT_HASH_LEN, roots);
        for (size_t level = 1; level <= num_roots && level < MLT_TILE_LEVELS; level++) {
            mlt_buf_put(&h->level[level], roots[level - 1], MLT_HASH_LEN);
        }
    }
    for (size_t level = 1; level < MLT_TILE_LEVELS; level++) {
        if (h->level[level].failed) {
            return mlt_fail(err, MLT_NOMEM, "no memory for the hashes of a group of %u entries", g->count);
        }
    }
    return MLT_OK;
}

void mlt_group_builder_reset(struct mlt_group_builder *b) {
    mlt_buf_reset(&b->entries);
    mlt_buf_reset(&b->slots);
    mlt_buf_reset(&b->lengths);
    mlt_buf_reset(&b->payloads);
    mlt_buf_reset(&b->details);
    mlt_buf_put_u32be(&b->details, 0);
    b->count = 0;
    b->num_details = 0;
}

void mlt_group_builder_clear(struct mlt_group_builder *b) {
    mlt_buf_clear(&b->entries);
    mlt_buf_clear(&b->slots);
    mlt_buf_clear(&b->lengths);
    mlt_buf_clear(&b->payloads);
    mlt_buf_clear(&b->details);
}

static enum mlt_status check_draft(const struct mlt_group_builder *b, const struct mlt_draft *d,
                                   struct mlt_error *err) {
    if (d->entry_len > MLT_ENTRY_MAX) {
        return mlt_fail(err, MLT_LIMIT, "an entry of %zu bytes; at most %d are allowed", d->entry_len, MLT_ENTRY_MAX);
    }
    if (d->has_payload && d->sealed.len > MLT_PAYLOAD_MAX + MLT_SEAL_TAG_LEN) {
        return mlt_fail(err, MLT_LIMIT, "a payload of %zu bytes; at most %d are allowed", d->sealed.len,
                        MLT_PAYLOAD_MAX);
    }
    uint64_t details_len = 0;
    for (size_t i = 0; i < d->num_details; i++) {
        details_len += d->details[i].bytes.len;
    }
    if (details_len > MLT_DETAILS_MAX) {
        return mlt_fail(err, MLT_LIMIT, "details of %llu bytes; at most %d are allowed",
                        (unsigned long long)details_len, MLT_DETAILS_MAX);
    }
    if (b->count == MLT_GROUP_COUNT_MAX) {
        return mlt_fail(err, MLT_LIMIT, "more than %u entries in one group", MLT_GROUP_COUNT_MAX);
    }
    return MLT_OK;
}

enum mlt_status mlt_group_builder_add(struct mlt_group_builder *b, const struct mlt_draft *d, struct mlt_error *err) {
    static const uint8_t no_slot[MLT_WRAPPED_LEN];
    enum mlt_status st = check_draft(b, d, err);
    if (st) {
        return st;
    }
    assert(!d->has_payload || d->sealed.len >= MLT_SEAL_TAG_LEN);
    mlt_buf_put_u16be(&b->entries, (uint16_t)d->entry_len);
    mlt_buf_put(&b->entries, d->entry, d->entry_len);
    mlt_buf_put(&b->slots, d->has_payload ? d->wrapped : no_slot, MLT_WRAPPED_LEN);
    mlt_buf_put_u32be(&b->lengths, d->has_payload ? (uint32_t)d->sealed.len : 0);
    if (d->has_payload) {
        mlt_buf_put_bytes(&b->payloads, d->sealed);
    }
    for (size_t i = 0; i < d->num_details; i++) {
        mlt_buf_put(&b->details, d->details[i].hash, MLT_HASH_LEN);
        mlt_buf_put_u32be(&b->details, (uint32_t)d->details[i].bytes.len);
        mlt_buf_put_bytes(&b->details, d->details[i].bytes);
        b->num_details++;
    }
    b->count++;
    if (b->entries.failed || b->slots.failed || b->lengths.failed || b->payloads.failed || b->details.failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a group of %u entries", b->count);
    }
    return MLT_OK;
}

void mlt_group_builder_sections(struct mlt_group_builder *b, struct mlt_group *g) {
    mlt_store_u32be(b->details.data, b->num_details);
    g->count = b->count;
    g->entries = mlt_buf_bytes(&b->entries);
    g->slots = mlt_buf_bytes(&b->slots);
    g->lengths = mlt_buf_bytes(&b->lengths);
    g->payloads = mlt_buf_bytes(&b->payloads);
    g->details = mlt_buf_bytes(&b->details);
}

uint64_t mlt_group_draft_len(const struct mlt_draft *d) {
    uint64_t len = 2 + (uint64_t)d->entry_len + MLT_WRAPPED_LEN + 4 + (d->has_payload ? d->sealed.len : 0);
    for (size_t i = 0; i < d->num_details; i++) {
        len += MLT_HASH_LEN + 4 + (uint64_t)d->details[i].bytes.len;
    }
    return len;
}
