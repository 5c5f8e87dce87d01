#include "store/recovery.h"

#include <stdio.h>

#define READ_BACK_ENTRIES 1024 // entries re-read at a time

struct replay {
    const struct mlt_journal_header *header;
    struct mlt_files *files;
    const struct mlt_signed_head *head;
    struct mlt_frontier frontier;
    struct mlt_watermark mark;
    struct mlt_group_hashes hashes;
    struct mlt_buf details;
    bool apply;    // the second pass
    bool head_met; // the tree has the signed root at the signed size
};

static enum mlt_status corrupt_group(const struct mlt_group *g, uint64_t offset, const char *what,
                                     struct mlt_error *err) {
    enum mlt_status st = mlt_fail(err, MLT_CORRUPT, "journal/groups: group %llu at offset %llu: %s (FORMAT.md, Groups)",
                                  (unsigned long long)g->number, (unsigned long long)offset, what);
    if (err) {
        err->has_offset = true;
        err->offset = offset;
    }
    return st;
}

static void meet_head(struct replay *r, const uint8_t root[static MLT_HASH_LEN]) {
    if (r->head->known && r->frontier.size == r->head->size) {
        r->head_met = memcmp(root, r->head->root, MLT_HASH_LEN) == 0;
    }
}

static enum mlt_status apply_group(struct replay *r, const struct mlt_group *g, struct mlt_error *err) {
    struct mlt_detail detail;
    size_t at = 0;
    while (mlt_group_detail(g, &at, &detail)) {
        mlt_buf_put(&r->details, detail.hash, MLT_HASH_LEN);
    }
    if (r->details.failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory to recover details");
    }
    return mlt_files_apply(r->files, g, &r->hashes, true, err);
}

// A group below the watermark is in the files already; one above must continue the tree and give the root it claims.
static enum mlt_status replay_group(void *ctx, const struct mlt_group *g, uint64_t offset, struct mlt_error *err) {
    struct replay *r = ctx;
    uint8_t root[MLT_HASH_LEN];
    if (g->number < r->header->mark.next_group) {
        return MLT_OK;
    }
    if (g->first != r->frontier.size) {
        return corrupt_group(g, offset, "its first entry does not follow the entry before", err);
    }
    mlt_group_hashes_reset(&r->hashes);
    enum mlt_status st = mlt_group_hash(&r->hashes, &r->frontier, g, err);
    if (st) {
        return st;
    }
    mlt_frontier_root(&r->frontier, root);
    if (memcmp(root, g->root, MLT_HASH_LEN) != 0) {
        return corrupt_group(g, offset, "its entries do not give the root that it has", err);
    }
    r->mark.size = r->frontier.size;
    memcpy(r->mark.root, root, MLT_HASH_LEN);
    r->mark.next_group = g->number + 1;
    r->mark.received = g->received;
    r->mark.entries_len += g->entries.len;
    r->mark.payloads_len += g->payloads.len;
    meet_head(r, root);
    return r->apply ? apply_group(r, g, err) : MLT_OK;
}

// Both passes begin at the watermark, whose root the files must have.
static enum mlt_status begin_pass(struct replay *r, struct mlt_error *err) {
    uint8_t root[MLT_HASH_LEN];
    struct mlt_hash_source src = mlt_files_hashes(r->files);
    r->mark = r->header->mark;
    enum mlt_status st = mlt_merkle_frontier(&src, r->mark.size, &r->frontier, err);
    if (st) {
        return st;
    }
    mlt_frontier_root(&r->frontier, root);
    if (memcmp(root, r->mark.root, MLT_HASH_LEN) != 0) {
        return mlt_fail(err, MLT_CORRUPT,
                        "%s/hash: the hashes do not give the root that the journal has at size %llu "
                        "(FORMAT.md, hash)",
                        r->files->dir, (unsigned long long)r->mark.size);
    }
    meet_head(r, root);
    return MLT_OK;
}

static enum mlt_status behind_head(const struct replay *r, const struct mlt_journal *j,
                                   const struct mlt_journal_tail *tail, struct mlt_error *err) {
    uint64_t len;
    if (tail->torn) {
        enum mlt_status st = mlt_fail(err, MLT_CORRUPT,
                                      "%s: group %llu at offset %llu is incomplete, though the signed head of size "
                                      "%llu covers it (FORMAT.md, journal)",
                                      j->path, (unsigned long long)tail->next_group,
                                      (unsigned long long)tail->torn_offset, (unsigned long long)r->head->size);
        if (err) {
            err->has_offset = true;
            err->offset = tail->torn_offset;
        }
        return st;
    }
    enum mlt_status st = j->env->size(j->env, r->files->file[MLT_FILE_ENTRIES], &len, err);
    if (!st && len > r->mark.entries_len) {
        return mlt_fail(err, MLT_CORRUPT,
                        "%s: group %llu at offset %llu is missing, though the signed head of size "
                        "%llu covers it and entries.dat goes on after it (FORMAT.md, journal)",
                        j->path, (unsigned long long)tail->next_group, (unsigned long long)tail->torn_offset,
                        (unsigned long long)r->head->size);
    }
    return st ? st
              : mlt_fail(err, MLT_CONFLICT,
                         "this trail ends at size %llu, but a head of size %llu was signed "
                         "last: an older copy of the trail was put in its place. Nothing was written; "
                         "`mltrail recover` starts a successor",
                         (unsigned long long)r->mark.size, (unsigned long long)r->head->size);
}

// Does the tree that ends at `mark` extend the last signed head?
static enum mlt_status check_head(struct replay *r, const struct mlt_journal *j, const struct mlt_journal_tail *tail,
                                  struct mlt_error *err) {
    uint8_t root[MLT_HASH_LEN];
    const struct mlt_signed_head *head = r->head;
    if (!head->known || r->head_met) {
        return MLT_OK;
    }
    if (head->size > r->mark.size) {
        return behind_head(r, j, tail, err);
    }
    memset(root, 0, sizeof(root));
    if (head->size <= r->header->mark.size) {
        struct mlt_hash_source src = mlt_files_hashes(r->files);
        enum mlt_status st = mlt_merkle_root(&src, head->size, root, err);
        if (st || memcmp(root, head->root, MLT_HASH_LEN) == 0) {
            return st;
        }
    }
    char want[2 * MLT_HASH_LEN + 1];
    char have[2 * MLT_HASH_LEN + 1];
    mlt_hex_encode(want, mlt_bytes_of(head->root, MLT_HASH_LEN));
    mlt_hex_encode(have, mlt_bytes_of(root, MLT_HASH_LEN));
    return mlt_fail(err, MLT_CONFLICT,
                    "the tree of %llu entries does not extend the head signed last: at size %llu "
                    "it was signed with root %s, this tree has %s. Nothing was written",
                    (unsigned long long)r->mark.size, (unsigned long long)head->size, want, have);
}

// A journal without groups belongs to a trail that was closed: nothing may lie beyond its end.
static enum mlt_status check_closed(struct replay *r, struct mlt_error *err) {
    struct mlt_files *f = r->files;
    for (unsigned id = 0; id < MLT_NUM_FILES; id++) {
        uint64_t len;
        uint64_t want = mlt_files_length(id, f->size, f->entries_len, f->payloads_len);
        enum mlt_status st = f->env->size(f->env, f->file[id], &len, err);
        if (st) {
            return st;
        }
        if (len != want) {
            return mlt_fail(err, MLT_CORRUPT,
                            "%s/%s has %llu bytes, %llu entries need %llu (FORMAT.md, Files of a "
                            "trail)",
                            f->dir, mlt_files_name(id), (unsigned long long)len, (unsigned long long)f->size,
                            (unsigned long long)want);
        }
    }
    return MLT_OK;
}

// Reads back, from the device, the entries that were replayed, and holds them against their leaf hashes.
static enum mlt_status read_back_entries(const struct replay *r, struct mlt_error *err) {
    struct mlt_buf bundle = {0};
    uint8_t leaf[MLT_HASH_LEN];
    uint8_t stored[MLT_HASH_LEN];
    enum mlt_status st = MLT_OK;
    uint64_t index = r->header->mark.size;
    while (index < r->mark.size && !st) {
        uint64_t count = r->mark.size - index < READ_BACK_ENTRIES ? r->mark.size - index : READ_BACK_ENTRIES;
        mlt_buf_reset(&bundle);
        st = mlt_files_entries(r->files, index, count, &bundle, err);
        struct mlt_group g = {.entries = mlt_buf_bytes(&bundle)};
        struct mlt_bytes entry;
        size_t at = 0;
        while (!st && mlt_group_entry(&g, &at, &entry)) {
            mlt_merkle_leaf(leaf, entry);
            st = mlt_files_read(r->files, MLT_FILE_HASH, index * MLT_HASH_LEN, stored, sizeof(stored), err);
            if (!st && memcmp(leaf, stored, MLT_HASH_LEN) != 0) {
                st = mlt_fail(err, MLT_CORRUPT, "%s/entries.dat: entry %llu does not read back as written",
                              r->files->dir, (unsigned long long)index);
            }
            index++;
        }
    }
    mlt_buf_clear(&bundle);
    return st;
}

static enum mlt_status read_back(const struct replay *r, struct mlt_error *err) {
    uint8_t root[MLT_HASH_LEN];
    struct mlt_hash_source src = mlt_files_hashes(r->files);
    enum mlt_status st = mlt_merkle_root(&src, r->mark.size, root, err);
    if (!st && memcmp(root, r->mark.root, MLT_HASH_LEN) != 0) {
        st = mlt_fail(err, MLT_CORRUPT, "%s/hash does not read back as written: another root at size %llu",
                      r->files->dir, (unsigned long long)r->mark.size);
    }
    return st ? st : read_back_entries(r, err);
}

static enum mlt_status second_pass(struct replay *r, struct mlt_journal *j, struct mlt_error *err) {
    struct mlt_journal_tail tail;
    r->apply = true;
    enum mlt_status st = begin_pass(r, err);
    st = st ? st : mlt_journal_scan(j, replay_group, r, &tail, err);
    st = st ? st : mlt_files_sync_details(r->files, mlt_buf_bytes(&r->details), err);
    st = st ? st : mlt_files_trim(r->files, err);
    st = st ? st : read_back(r, err);
    if (st) {
        return st;
    }
    struct mlt_journal_header done = {.region_bytes = j->region_bytes, .mark = r->mark};
    return mlt_journal_write_header(j, &done, err);
}

enum mlt_status mlt_recover(struct mlt_journal *journal, struct mlt_files *files, const struct mlt_signed_head *head,
                            struct mlt_frontier *frontier, struct mlt_watermark *mark, struct mlt_error *err) {
    struct mlt_journal_header header = journal->header;
    struct replay r = {.header = &header, .files = files, .head = head};
    struct mlt_journal_tail tail = {0};
    bool closed = header.nonce[0] == 0 && header.nonce[1] == 0;
    enum mlt_status st = begin_pass(&r, err);
    st = st ? st : mlt_journal_scan(journal, replay_group, &r, &tail, err);
    st = st ? st : check_head(&r, journal, &tail, err);
    if (!st) {
        st = closed ? check_closed(&r, err) : second_pass(&r, journal, err);
    }
    if (!st) {
        *frontier = r.frontier;
        *mark = r.mark;
    }
    mlt_group_hashes_clear(&r.hashes);
    mlt_buf_clear(&r.details);
    return st ? mlt_context(err, st, "recover") : MLT_OK;
}
