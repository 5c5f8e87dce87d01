// Reading the files of a trail in big steps, at the pace that was asked for.
#include "trail/verify_private.h"

#define WINDOW ((size_t)1 << 20) // several bundles; larger gains nothing over the page cache

// What a slice needs of a file whose parts have one length: a thread that reads on would read for another one.
static size_t window_len(enum mlt_files_id id) {
    switch (id) {
    case MLT_FILE_ENTRIES:
    case MLT_FILE_PAYLOADS:
        return WINDOW;
    case MLT_FILE_ENTRIES_INDEX:
        return (size_t)(MLT_SLICE_BUNDLES + 1) * 8;
    case MLT_FILE_PAYLOADS_INDEX:
        return (size_t)MLT_SLICE_BUNDLES * MLT_FILES_BLOCK_LEN;
    case MLT_FILE_SLOTS:
        return (size_t)MLT_SLICE_BUNDLES * MLT_FILES_BUNDLE * MLT_WRAPPED_LEN;
    default:
        return (size_t)MLT_SLICE_BUNDLES * MLT_TILE_WIDTH * MLT_HASH_LEN;
    }
}

void mlt_windows_init(struct mlt_windows *w) {
    memset(w, 0, sizeof(*w));
    for (unsigned id = 0; id < MLT_NUM_FILES; id++) {
        w->file[id].id = id;
    }
}

void mlt_windows_clear(struct mlt_windows *w) {
    for (unsigned id = 0; id < MLT_NUM_FILES; id++) {
        mlt_buf_clear(&w->file[id].bytes);
    }
}

// What was cached before is dropped first, so that the device is read; what this read brought in is dropped as well: it
// is of no use to anybody else. A file system that cannot is read as it is.
static enum mlt_status fill(struct mlt_window *w, const struct mlt_verify *v, uint64_t off, size_t want,
                            struct mlt_error *err) {
    size_t got = 0;
    struct mlt_file *file = v->files.file[w->id];
    mlt_buf_reset(&w->bytes);
    if (!mlt_buf_reserve(&w->bytes, want)) {
        return mlt_fail(err, MLT_NOMEM, "no memory to read %zu bytes", want);
    }
    if (v->opt->past_cache) {
        (void)v->env->drop_cache(v->env, file, off, want, NULL);
    }
    enum mlt_status st = v->env->read(v->env, file, w->bytes.data, want, off, &got, err);
    if (v->opt->past_cache) {
        (void)v->env->drop_cache(v->env, file, off, want, NULL);
    }
    w->bytes.len = st ? 0 : got;
    w->off = off;
    if (!st && v->opt->pace && !v->opt->pace(v->opt->pace_arg, got)) {
        st = mlt_fail(err, MLT_BUSY, "stopped before the end");
    }
    return st;
}

enum mlt_status mlt_window_at(struct mlt_windows *all, const struct mlt_verify *v, enum mlt_files_id id, uint64_t off,
                              size_t len, struct mlt_bytes *out, struct mlt_error *err) {
    struct mlt_window *w = &all->file[id];
    *out = (struct mlt_bytes){0};
    if (off < w->off || off - w->off > w->bytes.len || w->bytes.len - (size_t)(off - w->off) < len) {
        enum mlt_status st = fill(w, v, off, len > window_len(id) ? len : window_len(id), err);
        all->bytes_read += w->bytes.len;
        if (st) {
            return st;
        }
    }
    size_t at = (size_t)(off - w->off);
    size_t left = w->bytes.len - at;
    *out = mlt_bytes_of(w->bytes.data + at, left < len ? left : len);
    return MLT_OK;
}

uint8_t *mlt_window_bytes(struct mlt_windows *w, enum mlt_files_id id, struct mlt_bytes part) {
    struct mlt_buf *bytes = &w->file[id].bytes;
    return bytes->data + (part.ptr - bytes->data);
}
