#include "segment/build.h"

#include <assert.h>
#include <stdlib.h>

#include "segment/run.h"

#define CHUNK_ENTRIES 1024 // read at a time: 64 MiB at most, under 1 MiB as a rule
#define STOP_STEP 16384    // leaves between two questions whether to stop: a few milliseconds
#define SCRATCH_KEEP ((size_t)256 * 1024)

struct build {
    const struct mlt_segment_job *job;
    struct mlt_trail *trail;
    struct mlt_env *env;
    uint64_t first, end;
    size_t leaves_max;
    struct mlt_link_leaves leaves;
    struct mlt_arena scratch;
    struct mlt_buf bundle;
    struct mlt_run *runs; // what did not fit into memory: with 2^20 entries of 256 links each, 256 of them
    size_t num_runs;
};

static enum mlt_status check_stop(const struct build *b, struct mlt_error *err) {
    return b->job->stop && b->job->stop(b->job->stop_arg) ? mlt_fail(err, MLT_BUSY, "stopped") : MLT_OK;
}

// Takes the leaves gathered so far as one more run, in memory.
static enum mlt_status add_run(struct build *b, struct mlt_error *err) {
    struct mlt_run *grown = realloc(b->runs, (b->num_runs + 1) * sizeof(*grown));
    if (!grown) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a run of links");
    }
    b->runs = grown;
    mlt_link_leaves_sort(&b->leaves);
    b->runs[b->num_runs++] = (struct mlt_run){.num_leaves = b->leaves.num, .leaves = b->leaves};
    b->leaves = (struct mlt_link_leaves){0};
    return MLT_OK;
}

static enum mlt_status spill(struct build *b, struct mlt_error *err) {
    char path[MLT_SEGMENT_PATH_MAX];
    mlt_segment_path(path, mlt_trail_dir(b->trail), b->first, b->end, ".run.tmp");
    enum mlt_status status = add_run(b, err);
    return status ? status : mlt_run_put_aside(&b->runs[b->num_runs - 1], b->env, path, err);
}

static enum mlt_status gather_bundle(struct build *b, uint64_t first, struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&b->bundle));
    enum mlt_status status = MLT_OK;
    for (uint64_t index = first; mlt_cursor_left(&c) > 0 && status == MLT_OK; index++) {
        struct mlt_bytes entry = mlt_cursor_take(&c, mlt_cursor_u16be(&c));
        status = c.failed ? mlt_fail(err, MLT_CORRUPT, "entries from %llu are cut", (unsigned long long)first)
                          : mlt_link_leaves_add(&b->leaves, index, entry, &b->scratch, err);
        if (status == MLT_OK && b->leaves.num >= b->leaves_max) {
            status = spill(b, err);
        }
    }
    mlt_arena_recycle(&b->scratch, SCRATCH_KEEP);
    return status;
}

static enum mlt_status gather(struct build *b, uint64_t from, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    for (uint64_t at = from; at < b->end && status == MLT_OK; at += CHUNK_ENTRIES) {
        size_t count = b->end - at < CHUNK_ENTRIES ? (size_t)(b->end - at) : CHUNK_ENTRIES;
        mlt_buf_reset(&b->bundle);
        status = check_stop(b, err);
        status = status ? status : mlt_trail_entries(b->trail, at, count, &b->bundle, err);
        status = status ? status : gather_bundle(b, at, err);
    }
    return status;
}

// A part's leaves are checked on their way: a commitment must not inherit what befell a derived file.
struct part {
    const struct mlt_segment_part *want;
    struct mlt_segment_file file;
    struct mlt_sha256_stream *hash; // of all leaves, when their hash is known, else …
    struct mlt_link_hasher hasher;  // … of the tree
    struct mlt_link_leaf last;
    uint64_t num;
};

struct inputs {
    struct part *parts;
    size_t num_parts;
    struct mlt_stream *streams; // of the parts, the runs and the leaves in memory
    size_t num_streams;
};

static void close_inputs(struct inputs *in) {
    for (size_t i = 0; in->streams && i < in->num_streams; i++) {
        mlt_stream_clear(&in->streams[i]);
    }
    for (size_t i = 0; in->parts && i < in->num_parts; i++) {
        mlt_segment_file_close(&in->parts[i].file);
        mlt_sha256_stream_free(in->parts[i].hash);
    }
    free(in->streams);
    free(in->parts);
}

static enum mlt_status open_part(struct build *b, struct part *part, struct mlt_stream *stream,
                                 const struct mlt_segment_part *want, struct mlt_error *err) {
    const struct mlt_segment *s = &want->segment;
    part->want = want;
    mlt_link_hasher_init(&part->hasher);
    enum mlt_status status = mlt_segment_file_open(&part->file, b->env, mlt_trail_dir(b->trail), s->first, s->end, err);
    if (status == MLT_OK && (part->file.segment.num_leaves != s->num_leaves ||
                             memcmp(part->file.segment.root, s->root, MLT_HASH_LEN) != 0)) {
        status = mlt_fail(err, MLT_CORRUPT, "the file of links %llu-%llu has another root",
                          (unsigned long long)s->first, (unsigned long long)s->end);
    }
    status = status ? status
                    : mlt_stream_of_file(stream, b->env, part->file.file, MLT_SEGMENT_HEADER_LEN, s->num_leaves, err);
    if (status == MLT_OK && want->is_known) {
        part->hash = stream->hash = mlt_sha256_stream_new();
        status = part->hash ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory to check links");
    }
    return status;
}

static enum mlt_status open_inputs(struct build *b, const struct mlt_segment_part *parts, size_t num_parts,
                                   struct inputs *in, size_t *bad_part, struct mlt_error *err) {
    *in = (struct inputs){.num_parts = num_parts, .num_streams = num_parts + b->num_runs};
    in->parts = calloc(num_parts + 1, sizeof(*in->parts)); // never 0 bytes
    in->streams = calloc(in->num_streams + 1, sizeof(*in->streams));
    if (!in->parts || !in->streams) {
        return mlt_fail(err, MLT_NOMEM, "no memory to merge %zu files of links", in->num_streams);
    }
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; i < num_parts && status == MLT_OK; i++) {
        status = open_part(b, &in->parts[i], &in->streams[i], &parts[i], err);
        *bad_part = status == MLT_CORRUPT || status == MLT_NOTFOUND ? i : num_parts;
    }
    for (size_t i = 0; i < b->num_runs && status == MLT_OK; i++) {
        status = mlt_run_stream(&b->runs[i], &in->streams[num_parts + i], err);
    }
    return status;
}

static bool is_as_wanted(struct part *part) {
    uint8_t got[MLT_HASH_LEN];
    if (part->hash) {
        mlt_sha256_stream_end(part->hash, got);
    } else {
        mlt_link_hasher_root(&part->hasher, got);
    }
    return memcmp(got, part->hash ? part->want->leaves : part->want->segment.root, sizeof(got)) == 0;
}

static enum mlt_status check_parts(const struct inputs *in, size_t *bad_part, struct mlt_error *err) {
    for (size_t i = 0; i < in->num_parts; i++) {
        const struct mlt_segment *s = &in->parts[i].want->segment;
        if (!is_as_wanted(&in->parts[i])) {
            *bad_part = i;
            return mlt_fail(err, MLT_CORRUPT, "the file of links %llu-%llu does not hold the links of its root",
                            (unsigned long long)s->first, (unsigned long long)s->end);
        }
    }
    return MLT_OK;
}

// A part's leaf must be one that the part may have, after the one before.
static enum mlt_status check_leaf(struct part *part, const struct mlt_link_leaf *leaf, struct mlt_error *err) {
    uint8_t tile_roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
    const struct mlt_segment *s = &part->want->segment;
    bool in_order = part->num == 0 || mlt_link_leaf_compare(&part->last, leaf) < 0;
    if (leaf->entry < s->first || leaf->entry >= s->end || !in_order) {
        return mlt_fail(err, MLT_CORRUPT, "the file of links %llu-%llu is damaged", (unsigned long long)s->first,
                        (unsigned long long)s->end);
    }
    part->num++;
    part->last = *leaf;
    if (!part->hash) {
        (void)mlt_link_hasher_add(&part->hasher, leaf, tile_roots);
    }
    return MLT_OK;
}

// All leaves of the inputs, in order, into a new file.
static enum mlt_status merge_inputs(const struct build *b, struct inputs *in, struct mlt_segment_writer *w,
                                    size_t *bad_part, struct mlt_error *err) {
    struct mlt_merge merge;
    const struct mlt_stream *from = in->streams;
    enum mlt_status status = mlt_merge_init(&merge, in->streams, in->num_streams, err);
    if (status != MLT_OK) {
        return status;
    }
    for (uint64_t n = 0; status == MLT_OK && from; n++) {
        struct mlt_link_leaf leaf;
        status = n % STOP_STEP == 0 ? check_stop(b, err) : MLT_OK;
        status = status ? status : mlt_merge_next(&merge, &leaf, &from, err);
        if (status == MLT_OK && from && (size_t)(from - in->streams) < in->num_parts) {
            status = check_leaf(&in->parts[from - in->streams], &leaf, err);
            *bad_part = status ? (size_t)(from - in->streams) : in->num_parts;
        }
        if (status == MLT_OK && from) {
            status = mlt_segment_writer_add(w, &leaf, err);
        }
    }
    mlt_merge_clear(&merge);
    return status ? status : check_parts(in, bad_part, err);
}

static enum mlt_status write_segment(struct build *b, const struct mlt_segment_part *parts, size_t num_parts,
                                     struct mlt_segment_part *out, size_t *bad_part, struct mlt_error *err) {
    struct inputs in;
    struct mlt_segment_writer *w = NULL;
    uint64_t num_leaves = 0;
    for (size_t i = 0; i < b->num_runs; i++) {
        num_leaves += b->runs[i].num_leaves;
    }
    for (size_t i = 0; i < num_parts; i++) {
        num_leaves += parts[i].segment.num_leaves;
    }
    enum mlt_status status = open_inputs(b, parts, num_parts, &in, bad_part, err);
    if (status == MLT_OK) {
        status = mlt_segment_writer_open(&w, b->env, mlt_trail_dir(b->trail), b->first, b->end, num_leaves, err);
    }
    struct mlt_sha256_stream *leaves = mlt_sha256_stream_new();
    if (status == MLT_OK && !leaves) {
        status = mlt_fail(err, MLT_NOMEM, "no memory to hash links");
    }
    if (status == MLT_OK) {
        mlt_segment_writer_hash(w, leaves);
        status = merge_inputs(b, &in, w, bad_part, err);
    }
    if (status == MLT_OK) {
        status = mlt_segment_writer_finish(w, &out->segment, err);
        out->is_known = status == MLT_OK;
        mlt_sha256_stream_end(leaves, out->leaves);
    }
    mlt_sha256_stream_free(leaves);
    mlt_segment_writer_close(w);
    close_inputs(&in);
    return status;
}

static void clear(struct build *b) {
    for (size_t i = 0; i < b->num_runs; i++) {
        mlt_run_clear(&b->runs[i]);
    }
    free(b->runs);
    mlt_link_leaves_clear(&b->leaves);
    mlt_arena_clear(&b->scratch);
    mlt_buf_clear(&b->bundle);
}

enum mlt_status mlt_segment_build(const struct mlt_segment_job *job, uint64_t first, uint64_t end,
                                  const struct mlt_segment_part *parts, size_t num_parts, struct mlt_segment_part *out,
                                  size_t *bad_part, struct mlt_error *err) {
    assert(first < end);
    struct build b = {.job = job, .trail = job->trail, .env = mlt_trail_env(job->trail), .first = first, .end = end};
    b.leaves_max = job->leaves_max ? job->leaves_max : MLT_BUILD_LEAVES_MAX;
    uint64_t covered = first;
    for (size_t i = 0; i < num_parts; i++) {
        assert(parts[i].segment.first == covered && parts[i].segment.end <= end);
        covered = parts[i].segment.end;
    }
    *bad_part = num_parts;
    enum mlt_status status = mlt_segment_dir_make(b.env, mlt_trail_dir(job->trail), err);
    status = status ? status : gather(&b, covered, err);
    status = status ? status : add_run(&b, err);
    status = status ? status : write_segment(&b, parts, num_parts, out, bad_part, err);
    clear(&b);
    return status ? mlt_context(err, status, "links of entries %llu to %llu", (unsigned long long)first,
                                (unsigned long long)(end - 1))
                  : MLT_OK;
}
