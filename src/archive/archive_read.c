// Reading an archive that somebody else may have made to do harm. libzip parses and unpacks; what it would let pass is
// refused here before a byte is unpacked.
#include <stdlib.h>
#include <zip.h>

#include "archive/archive.h"
#include "archive/archive_layout.h"

#define RATIO_FROM ((uint64_t)1 << 20) // below a mebibyte no ratio harms anybody
#define LOCAL_HEADER "PK\003\004"      // what an archive with members begins with: nothing stands in front
#define END_RECORD_LEN 22              // the end of the directory without a comment: nothing comes after
#define END_RECORD "PK\005\006"

static enum mlt_status fail_zip(struct mlt_error *err, zip_error_t *why, const char *what) {
    switch (zip_error_code_zip(why)) {
    case ZIP_ER_MEMORY:
        return mlt_fail(err, MLT_NOMEM, "%s: out of memory", what);
    case ZIP_ER_NOENT:
        return mlt_fail(err, MLT_NOTFOUND, "%s: %s", what, zip_error_strerror(why));
    case ZIP_ER_EXISTS:
        return mlt_fail(err, MLT_INVALID, "%s: two members have the same name; a name is there once", what);
    case ZIP_ER_OPEN:
    case ZIP_ER_SEEK:
        return mlt_fail(err, MLT_IO, "%s: %s", what, zip_error_strerror(why));
    default:
        return mlt_fail(err, MLT_INVALID, "%s: %s", what, zip_error_strerror(why));
    }
}

static enum mlt_status check_stat(const zip_stat_t *st, const struct mlt_archive_limits *limits, uint64_t *total,
                                  struct mlt_error *err) {
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_CRC;
    if ((st->valid & needed) != needed) {
        return mlt_fail(err, MLT_INVALID, "%s: its length, method or checksum is not in the directory", st->name);
    }
    if (st->comp_method != ZIP_CM_STORE && st->comp_method != ZIP_CM_DEFLATE) {
        return mlt_fail(err, MLT_INVALID, "%s: packed by method %u; stored and deflated members are read", st->name,
                        st->comp_method);
    }
    if ((st->valid & ZIP_STAT_ENCRYPTION_METHOD) && st->encryption_method != ZIP_EM_NONE) {
        return mlt_fail(err, MLT_INVALID, "%s: is encrypted", st->name);
    }
    if (st->size > limits->member_bytes || *total + st->size > limits->total_bytes) {
        return mlt_fail(err, MLT_LIMIT,
                        "%s: unpacks to %llu bytes, beyond the limit of %llu for one member and %llu for all", st->name,
                        (unsigned long long)st->size, (unsigned long long)limits->member_bytes,
                        (unsigned long long)limits->total_bytes);
    }
    if (st->size > RATIO_FROM && st->size / limits->ratio > st->comp_size) {
        return mlt_fail(err, MLT_LIMIT, "%s: unpacks to more than %llu times its packed length", st->name,
                        (unsigned long long)limits->ratio);
    }
    *total += st->size;
    return MLT_OK;
}

static enum mlt_status check_name(const char *name, const char *before, struct mlt_error *err) {
    if (!mlt_archive_name_valid(mlt_str(name))) {
        return mlt_fail(err, MLT_INVALID,
                        "a member has a name that no member of ours has: absolute, with \"..\", too "
                        "long, or with characters other than letters, digits and . _ - /");
    }
    if (before && strcmp(before, name) >= 0) {
        return mlt_fail(err, MLT_INVALID, "%s: comes after %s; members are in the order of their names, each once",
                        name, before);
    }
    return MLT_OK;
}

static enum mlt_status check_member(zip_t *zip, uint64_t i, const char *before, const struct mlt_archive_limits *limits,
                                    struct mlt_archive_entry *out, uint64_t *total, struct mlt_error *err) {
    zip_stat_t st;
    zip_uint32_t comment_len = 0;
    zip_stat_init(&st);
    // The raw name: guessing an encoding would let two different names pass for one.
    const char *name = zip_get_name(zip, i, ZIP_FL_ENC_RAW);
    if (!name || zip_stat_index(zip, i, 0, &st) != 0) {
        return fail_zip(err, zip_get_error(zip), "archive");
    }
    enum mlt_status status = check_name(name, before, err);
    st.name = name;
    if (!status) {
        status = check_stat(&st, limits, total, err);
    }
    (void)zip_file_get_comment(zip, i, &comment_len, ZIP_FL_ENC_RAW);
    if (!status && comment_len > 0) {
        status = mlt_fail(err, MLT_INVALID, "%s: carries a comment", name);
    }
    *out = (struct mlt_archive_entry){name, st.size};
    return status;
}

static enum mlt_status check_directory(struct mlt_archive *a, const struct mlt_archive_limits *limits,
                                       struct mlt_error *err) {
    zip_t *zip = a->zip;
    int comment_len = 0;
    uint64_t total = 0;
    const zip_int64_t num = zip_get_num_entries(zip, 0);
    if (num < 0 || (uint64_t)num > limits->members) {
        return mlt_fail(err, MLT_LIMIT, "the archive has %lld members; at most %llu are read", (long long)num,
                        (unsigned long long)limits->members);
    }
    (void)zip_get_archive_comment(zip, &comment_len, ZIP_FL_ENC_RAW);
    if (comment_len > 0) {
        return mlt_fail(err, MLT_INVALID, "the archive carries a comment");
    }
    a->entries = calloc(num > 0 ? (size_t)num : 1, sizeof(*a->entries));
    if (!a->entries) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a directory of %lld members", (long long)num);
    }
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; !status && i < (size_t)num; i++) {
        const char *before = i > 0 ? a->entries[i - 1].name : NULL;
        status = check_member(zip, i, before, limits, &a->entries[i], &total, err);
        a->num_entries = i + 1;
    }
    return status;
}

static enum mlt_status open_source(struct mlt_archive *out, zip_source_t *source, zip_error_t *why,
                                   const struct mlt_archive_limits *limits, struct mlt_error *err) {
    *out = (struct mlt_archive){0};
    out->zip = source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, why) : NULL;
    if (!out->zip) {
        zip_source_free(source);
        return fail_zip(err, why, "archive");
    }
    enum mlt_status status = check_directory(out, limits, err);
    status = status ? status : mlt_archive_check_layout(source, err);
    if (status) {
        mlt_archive_close(out);
    }
    return status;
}

static enum mlt_status not_ours(struct mlt_error *err) {
    return mlt_fail(err, MLT_INVALID, "this is no ZIP archive from its first byte to its last");
}

enum mlt_status mlt_archive_open(struct mlt_archive *out, struct mlt_bytes bytes,
                                 const struct mlt_archive_limits *limits, struct mlt_error *err) {
    zip_error_t why;
    *out = (struct mlt_archive){0};
    if (bytes.len < END_RECORD_LEN || memcmp(bytes.ptr, LOCAL_HEADER, 4) != 0 ||
        memcmp(bytes.ptr + bytes.len - END_RECORD_LEN, END_RECORD, 4) != 0) {
        return not_ours(err);
    }
    zip_error_init(&why);
    const enum mlt_status status =
        open_source(out, zip_source_buffer_create(bytes.ptr, bytes.len, 0, &why), &why, limits, err);
    zip_error_fini(&why);
    return status;
}

enum mlt_status mlt_archive_open_file(struct mlt_archive *out, const char *path,
                                      const struct mlt_archive_limits *limits, struct mlt_error *err) {
    zip_error_t why;
    zip_error_init(&why);
    const enum mlt_status status = open_source(out, zip_source_file_create(path, 0, -1, &why), &why, limits, err);
    zip_error_fini(&why);
    return status;
}

void mlt_archive_close(struct mlt_archive *a) {
    if (a && a->zip) {
        zip_discard(a->zip);
        free(a->entries);
        *a = (struct mlt_archive){0};
    }
}

static int compare_name(const void *name, const void *entry) {
    return strcmp(name, ((const struct mlt_archive_entry *)entry)->name);
}

size_t mlt_archive_find(const struct mlt_archive *a, const char *name) {
    const struct mlt_archive_entry *found =
        a->num_entries > 0 ? bsearch(name, a->entries, a->num_entries, sizeof(*a->entries), compare_name) : NULL;
    return found ? (size_t)(found - a->entries) : SIZE_MAX;
}

// Reads exactly the length that the directory names; the read after it makes libzip compare length and checksum.
enum mlt_status mlt_archive_stream(struct mlt_archive *a, size_t i,
                                   enum mlt_status (*take)(void *ctx, struct mlt_bytes piece, struct mlt_error *err),
                                   void *ctx, struct mlt_error *err) {
    const struct mlt_archive_entry *entry = &a->entries[i];
    uint8_t piece[MLT_ARCHIVE_PIECE];
    zip_file_t *file = zip_fopen_index(a->zip, i, 0);
    enum mlt_status status = MLT_OK;
    uint64_t left = entry->len;
    if (!file) {
        return fail_zip(err, zip_get_error(a->zip), entry->name);
    }
    for (;;) {
        const zip_int64_t got = zip_fread(file, piece, sizeof(piece));
        if (got < 0) {
            status = fail_zip(err, zip_file_get_error(file), entry->name);
        } else if ((uint64_t)got > left || (got == 0 && left > 0)) {
            status = mlt_fail(err, MLT_INVALID, "%s: has another length than the directory says", entry->name);
        } else if (got > 0) {
            left -= (uint64_t)got;
            status = take(ctx, mlt_bytes_of(piece, (size_t)got), err);
        }
        if (status || got == 0) {
            break;
        }
    }
    (void)zip_fclose(file);
    return status;
}

struct whole {
    uint8_t *at;
};

static enum mlt_status append_piece(void *ctx, struct mlt_bytes piece, struct mlt_error *err) {
    struct whole *whole = ctx;
    (void)err;
    memcpy(whole->at, piece.ptr, piece.len);
    whole->at += piece.len;
    return MLT_OK;
}

enum mlt_status mlt_archive_read(struct mlt_archive *a, size_t i, struct mlt_arena *arena, struct mlt_bytes *out,
                                 struct mlt_error *err) {
    const uint64_t len = a->entries[i].len;
    uint8_t *bytes = mlt_arena_take(arena, len > 0 ? len : 1);
    struct whole whole = {bytes};
    if (!bytes) {
        return mlt_fail(err, MLT_NOMEM, "no memory for %s", a->entries[i].name);
    }
    *out = mlt_bytes_of(bytes, len);
    return mlt_archive_stream(a, i, append_piece, &whole, err);
}
