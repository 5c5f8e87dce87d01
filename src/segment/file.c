#include "segment/file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/crc32c.h"

static const char MAGIC[8] = {'M', 'L', 'T', 'L', 'N', 'K', '0', '1'};
#define CRC_OFF (MLT_SEGMENT_HEADER_LEN - 4)
// One file: 2^40 leaves are 44 TB. Keeps all offsets within 63 bits.
#define LEAVES_MAX (UINT64_C(1) << 40)
#define OUT_BYTES ((size_t)MLT_STREAM_LEAVES * MLT_LINK_LEAF_LEN) // written at a time, of each part
#define NUM_PARTS MLT_TILE_LEVELS                                 // the leaves, and tile levels 1 … 7

void mlt_segment_path(char out[static MLT_SEGMENT_PATH_MAX], const char *trail_dir, uint64_t first, uint64_t end,
                      const char *suffix) {
    (void)snprintf(out, MLT_SEGMENT_PATH_MAX, "%s/links/%llu-%llu%s", trail_dir, (unsigned long long)first,
                   (unsigned long long)end, suffix);
}

enum mlt_status mlt_segment_dir_make(struct mlt_env *env, const char *trail_dir, struct mlt_error *err) {
    char dir[MLT_SEGMENT_PATH_MAX];
    (void)snprintf(dir, sizeof(dir), "%s/links", trail_dir);
    return mlt_env_make_dir(env, dir, false, err);
}

// Where tile level `level` begins; level 0: the leaves; MLT_TILE_LEVELS: the length of the file.
static uint64_t part_off(uint64_t num_leaves, unsigned level) {
    uint64_t off = MLT_SEGMENT_HEADER_LEN;
    for (unsigned l = 0; l < level; l++) {
        off += l == 0 ? num_leaves * MLT_LINK_LEAF_LEN : (num_leaves >> (MLT_TILE_HEIGHT * l)) * MLT_HASH_LEN;
    }
    return off;
}

static void encode_header(uint8_t out[static MLT_SEGMENT_HEADER_LEN], const struct mlt_segment *s) {
    memset(out, 0, MLT_SEGMENT_HEADER_LEN);
    memcpy(out, MAGIC, sizeof(MAGIC));
    mlt_store_u64be(out + 8, s->first);
    mlt_store_u64be(out + 16, s->end);
    mlt_store_u64be(out + 24, s->num_leaves);
    memcpy(out + 32, s->root, MLT_HASH_LEN);
    mlt_store_u32be(out + CRC_OFF, mlt_crc32c(mlt_bytes_of(out, CRC_OFF)));
}

static bool decode_header(struct mlt_segment *out, const uint8_t bytes[static MLT_SEGMENT_HEADER_LEN]) {
    uint8_t again[MLT_SEGMENT_HEADER_LEN];
    out->first = mlt_load_u64be(bytes + 8);
    out->end = mlt_load_u64be(bytes + 16);
    out->num_leaves = mlt_load_u64be(bytes + 24);
    memcpy(out->root, bytes + 32, MLT_HASH_LEN);
    encode_header(again, out); // magic, zeros and CRC at once: there is one way to write a header
    return memcmp(again, bytes, sizeof(again)) == 0 && out->first < out->end && out->num_leaves <= LEAVES_MAX;
}

enum mlt_status mlt_segment_file_open(struct mlt_segment_file *out, struct mlt_env *env, const char *trail_dir,
                                      uint64_t first, uint64_t end, struct mlt_error *err) {
    char path[MLT_SEGMENT_PATH_MAX];
    uint8_t header[MLT_SEGMENT_HEADER_LEN];
    size_t got = 0;
    uint64_t size = 0;
    mlt_segment_path(path, trail_dir, first, end, "");
    *out = (struct mlt_segment_file){.env = env};
    enum mlt_status status = env->open(env, &out->file, path, MLT_OPEN_READ, err);
    if (status != MLT_OK) {
        return status;
    }
    status = env->read(env, out->file, header, sizeof(header), 0, &got, err);
    if (status == MLT_OK) {
        status = env->size(env, out->file, &size, err);
    }
    if (status == MLT_OK &&
        (got != sizeof(header) || !decode_header(&out->segment, header) || out->segment.first != first ||
         out->segment.end != end || size != part_off(out->segment.num_leaves, MLT_TILE_LEVELS))) {
        status = mlt_fail(err, MLT_CORRUPT, "%s is no file of links (docs/FORMAT.md); it is derived and may be deleted",
                          path);
    }
    if (status != MLT_OK) {
        mlt_segment_file_close(out);
    }
    return status;
}

void mlt_segment_file_close(struct mlt_segment_file *f) {
    if (f && f->file) {
        f->env->close(f->env, f->file);
        f->file = NULL;
    }
}

static enum mlt_status read_exactly(struct mlt_segment_file *f, void *out, size_t len, uint64_t off,
                                    struct mlt_error *err) {
    size_t got = 0;
    enum mlt_status status = f->env->read(f->env, f->file, out, len, off, &got, err);
    if (status == MLT_OK && got != len) {
        status = mlt_fail(err, MLT_CORRUPT, "the file of links %llu-%llu was cut", (unsigned long long)f->segment.first,
                          (unsigned long long)f->segment.end);
    }
    return status;
}

static enum mlt_status file_leaves(void *ctx, uint64_t first, size_t count, struct mlt_link_leaf *out,
                                   struct mlt_error *err) {
    struct mlt_segment_file *f = ctx;
    uint8_t bytes[MLT_TILE_WIDTH * MLT_LINK_LEAF_LEN];
    assert(count <= MLT_TILE_WIDTH && first <= f->segment.num_leaves && count <= f->segment.num_leaves - first);
    enum mlt_status status =
        read_exactly(f, bytes, count * MLT_LINK_LEAF_LEN, MLT_SEGMENT_HEADER_LEN + first * MLT_LINK_LEAF_LEN, err);
    for (size_t i = 0; i < count && status == MLT_OK; i++) {
        mlt_link_leaf_decode(&out[i], bytes + i * MLT_LINK_LEAF_LEN);
    }
    return status;
}

static enum mlt_status file_hashes(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                   struct mlt_error *err) {
    struct mlt_segment_file *f = ctx;
    assert(level >= 1 && level < MLT_TILE_LEVELS);
    return read_exactly(f, out, count * MLT_HASH_LEN, part_off(f->segment.num_leaves, level) + first * MLT_HASH_LEN,
                        err);
}

struct mlt_link_access mlt_segment_file_access(struct mlt_segment_file *f) {
    return (struct mlt_link_access){
        .ctx = f, .num_leaves = f->segment.num_leaves, .leaves = file_leaves, .hashes = file_hashes};
}

// One part of the file, written from its beginning to its end.
struct part {
    uint64_t off;
    size_t len;
    uint8_t bytes[OUT_BYTES];
};

struct mlt_segment_writer {
    struct mlt_env *env;
    struct mlt_file *file;
    struct mlt_segment segment;
    struct mlt_link_hasher hasher;
    char temporary[MLT_SEGMENT_PATH_MAX];
    char path[MLT_SEGMENT_PATH_MAX];
    char dir[MLT_SEGMENT_PATH_MAX];
    bool finished;
    struct mlt_sha256_stream *leaves_hash; // NULL: nobody asks
    struct part part[NUM_PARTS];
};

enum mlt_status mlt_segment_writer_open(struct mlt_segment_writer **out, struct mlt_env *env, const char *trail_dir,
                                        uint64_t first, uint64_t end, uint64_t num_leaves, struct mlt_error *err) {
    assert(first < end && num_leaves <= LEAVES_MAX);
    struct mlt_segment_writer *w = calloc(1, sizeof(*w));
    *out = w;
    if (!w) {
        return mlt_fail(err, MLT_NOMEM, "no memory to write a file of links");
    }
    w->env = env;
    w->segment = (struct mlt_segment){.first = first, .end = end, .num_leaves = num_leaves};
    mlt_link_hasher_init(&w->hasher);
    mlt_segment_path(w->path, trail_dir, first, end, "");
    mlt_segment_path(w->temporary, trail_dir, first, end, ".tmp");
    (void)snprintf(w->dir, sizeof(w->dir), "%s/links", trail_dir);
    for (unsigned l = 0; l < NUM_PARTS; l++) {
        w->part[l].off = part_off(num_leaves, l);
    }
    enum mlt_status status = mlt_segment_dir_make(env, trail_dir, err);
    if (status == MLT_OK) {
        status = env->unlink(env, w->temporary, err); // what a crash left may be longer
        status = status == MLT_NOTFOUND ? MLT_OK : status;
    }
    if (status == MLT_OK) {
        status = env->open(env, &w->file, w->temporary, MLT_OPEN_WRITE | MLT_OPEN_CREATE | MLT_OPEN_EXCLUSIVE, err);
    }
    if (status != MLT_OK) {
        mlt_segment_writer_close(w);
        *out = NULL;
    }
    return status;
}

static enum mlt_status flush(struct mlt_segment_writer *w, struct part *part, struct mlt_error *err) {
    enum mlt_status status =
        part->len > 0 ? w->env->write(w->env, w->file, part->bytes, part->len, part->off, err) : MLT_OK;
    if (part == &w->part[0] && w->leaves_hash) {
        mlt_sha256_stream_add(w->leaves_hash, part->bytes, part->len);
    }
    part->off += part->len;
    part->len = 0;
    return status;
}

static enum mlt_status put(struct mlt_segment_writer *w, struct part *part, const uint8_t *bytes, size_t len,
                           struct mlt_error *err) {
    enum mlt_status status = len > OUT_BYTES - part->len ? flush(w, part, err) : MLT_OK;
    memcpy(part->bytes + part->len, bytes, len);
    part->len += len;
    return status;
}

void mlt_segment_writer_hash(struct mlt_segment_writer *w, struct mlt_sha256_stream *leaves) {
    w->leaves_hash = leaves;
}

enum mlt_status mlt_segment_writer_add(struct mlt_segment_writer *w, const struct mlt_link_leaf *leaf,
                                       struct mlt_error *err) {
    uint8_t bytes[MLT_LINK_LEAF_LEN];
    uint8_t tile_roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
    const struct mlt_segment *s = &w->segment;
    if (leaf->entry < s->first || leaf->entry >= s->end || w->hasher.frontier.size == s->num_leaves) {
        return mlt_fail(err, MLT_CORRUPT, "a link of entry %llu does not belong to segment %llu-%llu",
                        (unsigned long long)leaf->entry, (unsigned long long)s->first, (unsigned long long)s->end);
    }
    int num_roots = mlt_link_hasher_add(&w->hasher, leaf, tile_roots);
    if (num_roots < 0) {
        return mlt_fail(err, MLT_CORRUPT, "links of segment %llu-%llu are not in order", (unsigned long long)s->first,
                        (unsigned long long)s->end);
    }
    mlt_link_leaf_encode(bytes, leaf);
    enum mlt_status status = put(w, &w->part[0], bytes, sizeof(bytes), err);
    for (int l = 0; l < num_roots && status == MLT_OK; l++) {
        status = put(w, &w->part[l + 1], tile_roots[l], MLT_HASH_LEN, err);
    }
    return status;
}

enum mlt_status mlt_segment_writer_finish(struct mlt_segment_writer *w, struct mlt_segment *out,
                                          struct mlt_error *err) {
    uint8_t header[MLT_SEGMENT_HEADER_LEN];
    if (w->hasher.frontier.size != w->segment.num_leaves) {
        return mlt_fail(err, MLT_CORRUPT, "segment %llu-%llu has %llu links where %llu were counted",
                        (unsigned long long)w->segment.first, (unsigned long long)w->segment.end,
                        (unsigned long long)w->hasher.frontier.size, (unsigned long long)w->segment.num_leaves);
    }
    mlt_link_hasher_root(&w->hasher, w->segment.root);
    encode_header(header, &w->segment);
    enum mlt_status status = MLT_OK;
    for (unsigned l = 0; l < NUM_PARTS && status == MLT_OK; l++) {
        status = flush(w, &w->part[l], err);
    }
    status = status ? status : w->env->write(w->env, w->file, header, sizeof(header), 0, err);
    status = status ? status : w->env->sync(w->env, w->file, err);
    status = status ? status : w->env->rename(w->env, w->temporary, w->path, err);
    w->finished = status == MLT_OK;
    status = status ? status : w->env->sync_dir(w->env, w->dir, err);
    *out = w->segment;
    return status;
}

void mlt_segment_writer_close(struct mlt_segment_writer *w) {
    if (!w) {
        return;
    }
    if (w->file) {
        w->env->close(w->env, w->file);
        if (!w->finished) {
            (void)w->env->unlink(w->env, w->temporary, NULL);
        }
    }
    free(w);
}
