// Reading the journal back: which groups are there, and is what is missing a torn tail or damage?
#include <assert.h>
#include <stdlib.h>

#include "store/journal.h"

struct region {
    uint8_t *bytes;
    uint64_t len;
    uint64_t file_off;
    uint64_t nonce;
};

static enum mlt_status region_load(struct region *r, struct mlt_journal *j, unsigned number, struct mlt_error *err) {
    size_t got = 0;
    r->len = j->region_bytes;
    r->file_off = mlt_journal_region_offset(j, number);
    r->nonce = j->header.nonce[number];
    r->bytes = aligned_alloc(MLT_IO_ALIGN, (size_t)r->len);
    if (!r->bytes) {
        return mlt_fail(err, MLT_NOMEM, "no memory to read a journal region of %llu bytes", (unsigned long long)r->len);
    }
    enum mlt_status st = j->env->read(j->env, j->file, r->bytes, (size_t)r->len, r->file_off, &got, err);
    if (!st) {
        memset(r->bytes + got, 0, (size_t)r->len - got); // a file cut short reads as a region without groups there
    }
    return st;
}

static bool stamped(const struct region *r, uint64_t at, uint64_t number, uint32_t sector) {
    uint8_t stamp[8];
    mlt_group_stamp(stamp, r->nonce, number, sector);
    return memcmp(r->bytes + at + MLT_SECTOR_DATA, stamp, sizeof(stamp)) == 0;
}

// Is a group header of this region's present use at `at`, with a length that fits?
static bool peek(const struct region *r, uint64_t at, struct mlt_group *g, uint64_t *len) {
    return mlt_group_peek(g, len, mlt_bytes_of(r->bytes + at, MLT_SECTOR_DATA)) && g->nonce == r->nonce &&
           *len <= r->len && mlt_group_disk_len(*len) <= r->len - at;
}

static bool complete(const struct region *r, uint64_t at, uint64_t number, uint64_t len) {
    uint64_t sectors = mlt_group_disk_len(len) / MLT_SECTOR;
    for (uint64_t i = 0; i < sectors; i++) {
        if (!stamped(r, at + i * MLT_SECTOR, number, (uint32_t)i)) {
            return false;
        }
    }
    return true;
}

// Appends the bytes of a group to `out`, without the stamps.
static void unstamp(const struct region *r, uint64_t at, uint64_t len, struct mlt_buf *out) {
    for (uint64_t done = 0; done < len; done += MLT_SECTOR_DATA) {
        uint64_t left = len - done;
        mlt_buf_put(out, r->bytes + at, left < MLT_SECTOR_DATA ? (size_t)left : MLT_SECTOR_DATA);
        at += MLT_SECTOR;
    }
}

// What fills the last block up is zero: a bit flipped there is damage as anywhere else.
static bool padded(const struct region *r, uint64_t at, uint64_t len) {
    uint8_t any = 0;
    for (uint64_t p = len; p < mlt_group_disk_len(len) / MLT_SECTOR * MLT_SECTOR_DATA; p++) {
        any |= r->bytes[at + p / MLT_SECTOR_DATA * MLT_SECTOR + p % MLT_SECTOR_DATA];
    }
    return any == 0;
}

static enum mlt_status damage(struct mlt_journal *j, uint64_t file_off, uint64_t number, const char *what,
                              struct mlt_error *err) {
    enum mlt_status st = mlt_fail(err, MLT_CORRUPT, "%s: group %llu at offset %llu: %s (FORMAT.md, journal)", j->path,
                                  (unsigned long long)number, (unsigned long long)file_off, what);
    if (err) {
        err->has_offset = true;
        err->offset = file_off;
    }
    return st;
}

// After the last good group: a later group that is whole proves that the one at `at` was whole once.
static enum mlt_status look_beyond(struct mlt_journal *j, const struct region *r, uint64_t at,
                                   struct mlt_journal_tail *tail, struct mlt_error *err) {
    for (uint64_t p = at; p < r->len; p += MLT_IO_ALIGN) {
        struct mlt_group g;
        uint64_t len;
        for (uint64_t s = 0; s < MLT_IO_ALIGN && !tail->torn; s += MLT_SECTOR) {
            tail->torn = stamped(r, p + s, tail->next_group, (uint32_t)((p + s - at) / MLT_SECTOR));
        }
        if (p > at && peek(r, p, &g, &len) && g.number > tail->next_group && complete(r, p, g.number, len)) {
            return damage(j, r->file_off + at, tail->next_group, "unreadable, and a later group is whole", err);
        }
    }
    tail->torn_offset = r->file_off + at;
    return MLT_OK;
}

static enum mlt_status scan_region(struct mlt_journal *j, const struct region *r, mlt_journal_each each, void *ctx,
                                   struct mlt_journal_tail *tail, struct mlt_error *err) {
    struct mlt_buf plain = {0};
    struct mlt_group g;
    uint64_t len;
    uint64_t at = 0;
    enum mlt_status st = MLT_OK;
    while (!st && at < r->len && peek(r, at, &g, &len) && g.number == tail->next_group &&
           complete(r, at, g.number, len)) {
        mlt_buf_reset(&plain);
        unstamp(r, at, len, &plain);
        if (plain.failed) {
            st = mlt_fail(err, MLT_NOMEM, "no memory for a group of %llu bytes", (unsigned long long)len);
            break;
        }
        struct mlt_error why = {0};
        if (!padded(r, at, len)) {
            st = damage(j, r->file_off + at, tail->next_group, "not padded with zeros", err);
            break;
        }
        if (mlt_group_parse(&g, mlt_buf_bytes(&plain), true, &why) != MLT_OK) {
            st = damage(j, r->file_off + at, tail->next_group, why.text, err);
            break;
        }
        st = each(ctx, &g, r->file_off + at, err);
        at += mlt_group_disk_len(len);
        tail->num_groups++;
        tail->next_group++;
    }
    mlt_buf_clear(&plain);
    return st ? st : look_beyond(j, r, at, tail, err);
}

enum mlt_status mlt_journal_scan(struct mlt_journal *j, mlt_journal_each each, void *ctx, struct mlt_journal_tail *tail,
                                 struct mlt_error *err) {
    const struct mlt_journal_header *h = &j->header;
    enum mlt_status st = MLT_OK;
    memset(tail, 0, sizeof(*tail));
    tail->next_group = h->mark.next_group;
    bool first = true;
    for (unsigned i = 1; i <= MLT_JOURNAL_REGIONS && !st; i++) {
        unsigned number = (h->active + i) % MLT_JOURNAL_REGIONS; // the region in use comes last
        if (h->nonce[number] == 0) {
            continue;
        }
        struct region r = {0};
        if (!first && tail->next_group != h->first_group[number]) {
            return damage(j, tail->torn_offset, tail->next_group, "missing, and the next region is in use", err);
        }
        first = false;
        tail->next_group = h->first_group[number];
        tail->torn = false;
        st = region_load(&r, j, number, err);
        if (!st) {
            st = scan_region(j, &r, each, ctx, tail, err);
        }
        free(r.bytes);
    }
    if (!st && tail->next_group < h->mark.next_group) {
        st = damage(j, tail->torn_offset, tail->next_group, "missing, though the watermark covers it", err);
    }
    return st;
}
