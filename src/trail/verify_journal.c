// The journal's part of verification: its groups read back and continue the tree; replayed in memory.
#include <stdio.h>

#include "store/rewrap.h"
#include "trail/verify_private.h"

#define NO_INDEX UINT64_MAX

struct replay {
    struct mlt_verify *v;
    uint64_t next_group; // the first above the watermark
    struct mlt_frontier frontier;
    struct mlt_group_hashes hashes;
};

static void group_fault(struct replay *r, const struct mlt_group *g, uint64_t offset, const char *what) {
    mlt_verify_fault(r->v, MLT_VERIFY_JOURNAL, "journal/groups", g->first,
                     "group %llu at offset %llu: %s (FORMAT.md, Groups)", (unsigned long long)g->number,
                     (unsigned long long)offset, what);
}

// A group whose entries are in the files already must say what the files say.
static enum mlt_status compare_group(struct replay *r, const struct mlt_group *g, uint64_t offset,
                                     struct mlt_error *err) {
    uint8_t stored[MLT_HASH_LEN];
    uint8_t leaf[MLT_HASH_LEN];
    struct mlt_bytes entry;
    size_t at = 0;
    enum mlt_status st = MLT_OK;
    if (g->first + g->count > r->v->files.size) {
        group_fault(r, g, offset, "it is below the watermark, but its entries are not");
        return MLT_OK;
    }
    for (uint64_t i = g->first; mlt_group_entry(g, &at, &entry); i++) {
        mlt_merkle_leaf(leaf, entry);
        st = mlt_files_read(&r->v->files, MLT_FILE_HASH, i * MLT_HASH_LEN, stored, sizeof(stored), err);
        if (st || memcmp(leaf, stored, MLT_HASH_LEN) != 0) {
            if (!st || st == MLT_CORRUPT) {
                group_fault(r, g, offset, "its entries differ from those in the files");
                st = MLT_OK;
            }
            break;
        }
    }
    return st;
}

static enum mlt_status replay_group(void *ctx, const struct mlt_group *g, uint64_t offset, struct mlt_error *err) {
    struct replay *r = ctx;
    uint8_t root[MLT_HASH_LEN];
    r->v->report->journal_groups++;
    if (g->number < r->next_group) {
        return compare_group(r, g, offset, err);
    }
    if (g->first != r->v->files.size) {
        group_fault(r, g, offset, "its first entry does not follow the entry before");
        return MLT_CONFLICT; // ends the scan
    }
    mlt_group_hashes_reset(&r->hashes);
    enum mlt_status st = mlt_group_hash(&r->hashes, &r->frontier, g, err);
    if (st) {
        return st;
    }
    mlt_frontier_root(&r->frontier, root);
    if (memcmp(root, g->root, MLT_HASH_LEN) != 0) {
        group_fault(r, g, offset, "its entries do not give the root that it has");
    }
    st = mlt_files_apply(&r->v->files, g, &r->hashes, true, err);
    struct mlt_watermark *mark = &r->v->mark;
    mark->size = r->v->files.size;
    memcpy(mark->root, g->root, MLT_HASH_LEN);
    mark->entries_len = r->v->files.entries_len;
    mark->payloads_len = r->v->files.payloads_len;
    mark->next_group = g->number + 1;
    mark->received = g->received;
    return st;
}

static enum mlt_status scan(struct mlt_verify *v, struct mlt_journal *j, struct mlt_error *err) {
    struct replay r = {.v = v, .next_group = j->header.mark.next_group};
    struct mlt_journal_tail tail;
    struct mlt_error why = {0};
    struct mlt_hash_source src = mlt_files_hashes(&v->files);
    // Wrong hashes below the watermark are found entry by entry later; here they only spoil the roots of groups.
    enum mlt_status st = mlt_merkle_frontier(&src, v->files.size, &r.frontier, &why);
    st = st ? st : mlt_journal_scan(j, replay_group, &r, &tail, &why);
    if (st == MLT_CORRUPT) {
        mlt_verify_fault(v, MLT_VERIFY_JOURNAL, "journal/groups", NO_INDEX, "%s", why.text);
    } else if (st && st != MLT_CONFLICT) {
        *err = why;
        mlt_group_hashes_clear(&r.hashes);
        return st;
    }
    mlt_group_hashes_clear(&r.hashes);
    return MLT_OK;
}

static enum mlt_status check_lengths(struct mlt_verify *v, struct mlt_error *err) {
    for (unsigned id = 0; id < MLT_NUM_FILES; id++) {
        uint64_t len;
        uint64_t want = mlt_files_length(id, v->mark.size, v->mark.entries_len, v->mark.payloads_len);
        enum mlt_status st = v->env->size(v->env, v->files.file[id], &len, err);
        if (st) {
            return st;
        }
        if (len < want || (v->closed && len > want)) {
            mlt_verify_fault(v, MLT_VERIFY_FILE, mlt_files_name(id), NO_INDEX,
                             "%llu bytes; a tree of %llu entries needs %llu (FORMAT.md, Files of a trail)",
                             (unsigned long long)len, (unsigned long long)v->mark.size, (unsigned long long)want);
        }
    }
    return MLT_OK;
}

// A file too short for the watermark is a fault of its own; the others are read as far as they go.
static enum mlt_status open_files(struct mlt_verify *v, struct mlt_error *err) {
    struct mlt_error why = {0};
    enum mlt_status st = mlt_files_open_unchecked(&v->files, v->env, v->dir, &v->mark, &why);
    if (st == MLT_CORRUPT || st == MLT_NOTFOUND) {
        const char *name = strlen(why.file) > strlen(v->dir) ? why.file + strlen(v->dir) + 1 : "";
        mlt_verify_fault(v, MLT_VERIFY_FILE, name, NO_INDEX, "%s", why.text);
        return MLT_OK;
    }
    if (st) {
        *err = why;
        return st;
    }
    v->files_open = true;
    struct mlt_rewrap ignored;
    return v->rewrapping ? mlt_rewrap_redo(&ignored, &v->files, err) : MLT_OK;
}

// A header that was never written is zeros; one that a crash tore is possible only where the regions still
// take space.
static enum mlt_status check_headers(struct mlt_verify *v, struct mlt_journal *j, struct mlt_error *err) {
    uint8_t block[MLT_IO_ALIGN];
    uint64_t len;
    uint64_t full = mlt_journal_region_offset(j, MLT_JOURNAL_REGIONS);
    enum mlt_status st = v->env->size(v->env, j->file, &len, err);
    // Between emptying and cutting off, and between taking space and using it, a crash leaves empty regions.
    if (!st && (len < MLT_JOURNAL_HEADERS_LEN || len > full)) {
        mlt_verify_fault(v, MLT_VERIFY_JOURNAL, "journal/groups", NO_INDEX,
                         "%llu bytes; %llu to %llu would be right (FORMAT.md, journal)", (unsigned long long)len,
                         (unsigned long long)MLT_JOURNAL_HEADERS_LEN, (unsigned long long)full);
    }
    bool at_rest = v->closed && len == MLT_JOURNAL_HEADERS_LEN;
    for (uint64_t i = 0; i < 2 && !st; i++) {
        struct mlt_journal_header h;
        size_t got;
        st = v->env->read(v->env, j->file, block, sizeof(block), i * MLT_IO_ALIGN, &got, err);
        if (!st && !mlt_journal_header_parse(&h, mlt_bytes_of(block, got)) && at_rest &&
            !mlt_bytes_all(mlt_bytes_of(block, got), 0)) {
            mlt_verify_fault(v, MLT_VERIFY_JOURNAL, "journal/groups", NO_INDEX,
                             "header %c is not valid (FORMAT.md, journal)", i == 0 ? 'A' : 'B');
        }
    }
    return st;
}

enum mlt_status mlt_verify_journal(struct mlt_verify *v, struct mlt_error *err) {
    char path[MLT_STORE_PATH_MAX + 32];
    struct mlt_journal j = {0};
    struct mlt_error why = {0};
    (void)snprintf(path, sizeof(path), "%s/journal/groups", v->dir);
    enum mlt_status st = mlt_journal_open(&j, v->env, path, &why);
    if (st == MLT_CORRUPT || st == MLT_NOTFOUND) {
        mlt_verify_fault(v, MLT_VERIFY_JOURNAL, "journal/groups", NO_INDEX, "%s", why.text);
        return MLT_OK;
    }
    if (st) {
        *err = why;
        return st;
    }
    v->mark = j.header.mark;
    v->closed = j.header.nonce[0] == 0 && j.header.nonce[1] == 0;
    st = open_files(v, err);
    if (!st && v->files_open) {
        st = check_headers(v, &j, err);
        st = st || v->closed || v->report->live ? st : scan(v, &j, err);
        st = st || v->report->live ? st : check_lengths(v, err);
    }
    mlt_journal_close(&j);
    return st;
}
