#include "store/journal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/crc32c.h"

#define HEADER_CRC_OFF 4092
#define SCRUB_CHUNK ((size_t)1 << 20)
static const char MAGIC[8] = {'M', 'L', 'T', 'J', 'R', 'N', '0', '1'};

void mlt_journal_header_encode(uint8_t out[static MLT_IO_ALIGN], const struct mlt_journal_header *h) {
    memset(out, 0, MLT_IO_ALIGN);
    memcpy(out, MAGIC, sizeof(MAGIC));
    mlt_store_u64be(out + 8, h->sequence);
    mlt_store_u64be(out + 16, h->region_bytes);
    mlt_store_u64be(out + 24, h->mark.size);
    memcpy(out + 32, h->mark.root, MLT_HASH_LEN);
    mlt_store_u64be(out + 64, h->mark.entries_len);
    mlt_store_u64be(out + 72, h->mark.payloads_len);
    mlt_store_u64be(out + 80, h->mark.next_group);
    mlt_store_u64be(out + 88, (uint64_t)h->mark.received);
    for (size_t i = 0; i < MLT_JOURNAL_REGIONS; i++) {
        mlt_store_u64be(out + 96 + 8 * i, h->nonce[i]);
        mlt_store_u64be(out + 112 + 8 * i, h->first_group[i]);
    }
    mlt_store_u32be(out + 128, h->active);
    mlt_store_u32be(out + HEADER_CRC_OFF, mlt_crc32c(mlt_bytes_of(out, HEADER_CRC_OFF)));
}

bool mlt_journal_header_parse(struct mlt_journal_header *out, struct mlt_bytes block) {
    memset(out, 0, sizeof(*out));
    if (block.len != MLT_IO_ALIGN || memcmp(block.ptr, MAGIC, sizeof(MAGIC)) != 0 ||
        mlt_load_u32be(block.ptr + HEADER_CRC_OFF) != mlt_crc32c(mlt_bytes_of(block.ptr, HEADER_CRC_OFF))) {
        return false;
    }
    const uint8_t *p = block.ptr;
    out->sequence = mlt_load_u64be(p + 8);
    out->region_bytes = mlt_load_u64be(p + 16);
    out->mark.size = mlt_load_u64be(p + 24);
    memcpy(out->mark.root, p + 32, MLT_HASH_LEN);
    out->mark.entries_len = mlt_load_u64be(p + 64);
    out->mark.payloads_len = mlt_load_u64be(p + 72);
    out->mark.next_group = mlt_load_u64be(p + 80);
    out->mark.received = (int64_t)mlt_load_u64be(p + 88);
    for (size_t i = 0; i < MLT_JOURNAL_REGIONS; i++) {
        out->nonce[i] = mlt_load_u64be(p + 96 + 8 * i);
        out->first_group[i] = mlt_load_u64be(p + 112 + 8 * i);
    }
    out->active = mlt_load_u32be(p + 128);
    return out->active < MLT_JOURNAL_REGIONS && out->region_bytes >= MLT_JOURNAL_BYTES_MIN &&
           out->region_bytes <= MLT_JOURNAL_BYTES_MAX && out->region_bytes % MLT_IO_ALIGN == 0 &&
           out->mark.size <= MLT_TREE_MAX;
}

static enum mlt_status reserve_buffer(struct mlt_journal *j, size_t len, struct mlt_error *err) {
    if (j->buffer_cap >= len) {
        return MLT_OK;
    }
    size_t cap = j->buffer_cap ? j->buffer_cap : (size_t)MLT_IO_ALIGN * 16;
    while (cap < len) {
        cap *= 2;
    }
    free(j->buffer);
    j->buffer_cap = 0;
    j->buffer = aligned_alloc(MLT_IO_ALIGN, cap);
    if (!j->buffer) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a journal buffer of %zu bytes", cap);
    }
    j->buffer_cap = cap;
    return MLT_OK;
}

enum mlt_status mlt_journal_create(struct mlt_env *env, const char *path, uint64_t region_bytes,
                                   struct mlt_error *err) {
    if (region_bytes < MLT_JOURNAL_BYTES_MIN || region_bytes > MLT_JOURNAL_BYTES_MAX ||
        region_bytes % MLT_IO_ALIGN != 0) {
        return mlt_fail(err, MLT_INVALID,
                        "a journal region of %llu bytes: a multiple of %d from %llu to %llu would be right",
                        (unsigned long long)region_bytes, MLT_IO_ALIGN, (unsigned long long)MLT_JOURNAL_BYTES_MIN,
                        (unsigned long long)MLT_JOURNAL_BYTES_MAX);
    }
    struct mlt_journal j = {.env = env};
    (void)snprintf(j.path, sizeof(j.path), "%s", path);
    j.header_block = aligned_alloc(MLT_IO_ALIGN, MLT_IO_ALIGN);
    if (!j.header_block) {
        return mlt_fail(err, MLT_NOMEM, "no memory to create %s", path);
    }
    enum mlt_status st = env->open(env, &j.file, path, MLT_OPEN_WRITE | MLT_OPEN_CREATE, err);
    if (!st) {
        st = env->truncate(env, j.file, MLT_JOURNAL_HEADERS_LEN, err);
    }
    struct mlt_journal_header h = {.region_bytes = region_bytes};
    mlt_merkle_empty(h.mark.root);
    if (!st) {
        st = mlt_journal_write_header(&j, &h, err);
    }
    mlt_journal_close(&j);
    return st;
}

enum mlt_status mlt_journal_open(struct mlt_journal *j, struct mlt_env *env, const char *path, struct mlt_error *err) {
    memset(j, 0, sizeof(*j));
    j->env = env;
    (void)snprintf(j->path, sizeof(j->path), "%s", path);
    j->header_block = aligned_alloc(MLT_IO_ALIGN, MLT_IO_ALIGN);
    if (!j->header_block) {
        return mlt_fail(err, MLT_NOMEM, "no memory to open %s", path);
    }
    enum mlt_status st = env->open(env, &j->file, path, MLT_OPEN_WRITE | MLT_OPEN_DIRECT, err);
    bool found = false;
    for (uint64_t i = 0; i < 2 && !st; i++) {
        struct mlt_journal_header h;
        size_t got;
        st = env->read(env, j->file, j->header_block, MLT_IO_ALIGN, i * MLT_IO_ALIGN, &got, err);
        if (!st && mlt_journal_header_parse(&h, mlt_bytes_of(j->header_block, got)) &&
            (!found || h.sequence > j->header.sequence)) {
            j->header = h;
            found = true;
        }
    }
    if (!st && !found) {
        st = mlt_fail(err, MLT_CORRUPT, "%s: neither header is valid (FORMAT.md, journal)", path);
    }
    j->region_bytes = j->header.region_bytes;
    if (st) {
        mlt_journal_close(j);
    }
    return st;
}

void mlt_journal_close(struct mlt_journal *j) {
    if (j->file) {
        j->env->close(j->env, j->file);
        j->file = NULL;
    }
    free(j->buffer);
    free(j->header_block);
    j->buffer = NULL;
    j->header_block = NULL;
    j->buffer_cap = 0;
}

enum mlt_status mlt_journal_write_header(struct mlt_journal *j, const struct mlt_journal_header *h,
                                         struct mlt_error *err) {
    struct mlt_journal_header next = *h;
    next.sequence = j->header.sequence + 1;
    mlt_journal_header_encode(j->header_block, &next);
    enum mlt_status st =
        j->env->write_synced(j->env, j->file, j->header_block, MLT_IO_ALIGN, next.sequence % 2 * MLT_IO_ALIGN, err);
    if (!st) {
        j->header = next;
    }
    return st;
}

bool mlt_journal_room(const struct mlt_journal *j, uint64_t group_len) {
    return j->nonce != 0 && mlt_group_disk_len(group_len) <= j->region_bytes - j->off;
}

void mlt_journal_use_region(struct mlt_journal *j, unsigned region, uint64_t nonce) {
    j->region = region;
    j->nonce = nonce;
    j->off = 0;
}

enum mlt_status mlt_journal_append(struct mlt_journal *j, struct mlt_group *g, struct mlt_error *err) {
    uint64_t disk_len = mlt_group_disk_len(mlt_group_len(g));
    assert(mlt_journal_room(j, mlt_group_len(g)));
    enum mlt_status st = reserve_buffer(j, (size_t)disk_len, err);
    if (st) {
        return st;
    }
    g->nonce = j->nonce;
    mlt_group_write(j->buffer, g);
    uint64_t at = mlt_journal_region_offset(j, j->region) + j->off;
    st = j->env->write_synced(j->env, j->file, j->buffer, (size_t)disk_len, at, err);
    if (!st) {
        j->off += disk_len;
    }
    return st;
}

enum mlt_status mlt_journal_scrub(struct mlt_journal *j, struct mlt_error *err) {
    enum mlt_status st = reserve_buffer(j, SCRUB_CHUNK, err);
    if (st) {
        return st;
    }
    memset(j->buffer, 0, SCRUB_CHUNK);
    uint64_t end = mlt_journal_region_offset(j, MLT_JOURNAL_REGIONS);
    for (uint64_t at = MLT_JOURNAL_HEADERS_LEN; at < end && !st; at += SCRUB_CHUNK) {
        size_t len = end - at < SCRUB_CHUNK ? (size_t)(end - at) : SCRUB_CHUNK;
        st = j->env->write_synced(j->env, j->file, j->buffer, len, at, err);
    }
    return st;
}
