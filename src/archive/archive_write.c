#include <assert.h>
#include <stdlib.h>
#include <zip.h>

#include "archive/archive.h"

// The first moment that a ZIP can name, and one that no clock or zone has a say in.
#define DOS_DATE_1980_01_01 0x21
#define DOS_TIME_MIDNIGHT 0
#define DEFLATE_LEVEL 6

static int by_name(const void *a, const void *b) {
    const struct mlt_archive_member *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static enum mlt_status fail_zip(struct mlt_error *err, zip_error_t *why, const char *what) {
    const enum mlt_status status = zip_error_code_zip(why) == ZIP_ER_MEMORY ? MLT_NOMEM : MLT_IO;
    return mlt_fail(err, status, "%s: %s", what, zip_error_strerror(why));
}

static enum mlt_status add_member(zip_t *zip, const struct mlt_archive_member *m, struct mlt_error *err) {
    zip_source_t *source = m->path ? zip_source_file(zip, m->path, m->start, (zip_int64_t)m->len)
                                   : zip_source_buffer(zip, m->data.ptr, m->data.len, 0);
    if (!source) {
        return fail_zip(err, zip_get_error(zip), m->name);
    }
    const zip_int64_t at = zip_file_add(zip, m->name, source, ZIP_FL_ENC_UTF_8);
    if (at < 0) {
        zip_source_free(source);
        return fail_zip(err, zip_get_error(zip), m->name);
    }
    if (zip_set_file_compression(zip, (zip_uint64_t)at, ZIP_CM_DEFLATE, DEFLATE_LEVEL) != 0 ||
        zip_file_set_dostime(zip, (zip_uint64_t)at, DOS_TIME_MIDNIGHT, DOS_DATE_1980_01_01, 0) != 0) {
        return fail_zip(err, zip_get_error(zip), m->name);
    }
    return MLT_OK;
}

static enum mlt_status add_members(zip_t *zip, struct mlt_archive_member *members, size_t num, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    if (num > 1) {
        qsort(members, num, sizeof(*members), by_name);
    }
    for (size_t i = 0; !status && i < num; i++) {
        assert(mlt_archive_name_valid(mlt_str(members[i].name)));
        assert(i == 0 || strcmp(members[i - 1].name, members[i].name) != 0);
        status = add_member(zip, &members[i], err);
    }
    return status;
}

// Takes what was written out of the source that held it.
static enum mlt_status take_out(zip_source_t *source, struct mlt_buf *out, struct mlt_error *err) {
    zip_stat_t st;
    zip_stat_init(&st);
    if (zip_source_open(source) != 0) {
        return fail_zip(err, zip_source_error(source), "archive");
    }
    enum mlt_status status = MLT_OK;
    const bool known = zip_source_stat(source, &st) == 0 && (st.valid & ZIP_STAT_SIZE) != 0;
    if (known && !mlt_buf_reserve(out, st.size)) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for an archive of %llu bytes", (unsigned long long)st.size);
    } else if (!known || zip_source_read(source, out->data + out->len, st.size) != (zip_int64_t)st.size) {
        status = fail_zip(err, zip_source_error(source), "archive");
    } else {
        out->len += st.size;
    }
    (void)zip_source_close(source);
    return status;
}

enum mlt_status mlt_archive_write(struct mlt_archive_member *members, size_t num, struct mlt_buf *out,
                                  struct mlt_error *err) {
    zip_error_t why;
    zip_error_init(&why);
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &why);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_TRUNCATE, &why) : NULL;
    enum mlt_status status = MLT_OK;
    if (!zip) {
        status = fail_zip(err, &why, "archive");
        zip_source_free(source);
        zip_error_fini(&why);
        return status;
    }
    zip_source_keep(source); // closing the archive gives its own away
    status = add_members(zip, members, num, err);
    if (status) {
        zip_discard(zip);
    } else if (zip_close(zip) != 0) {
        status = fail_zip(err, zip_get_error(zip), "archive");
        zip_discard(zip);
    } else {
        status = take_out(source, out, err);
    }
    zip_source_free(source);
    zip_error_fini(&why);
    return status;
}

enum mlt_status mlt_archive_write_file(struct mlt_archive_member *members, size_t num, const char *path,
                                       struct mlt_error *err) {
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (!zip) {
        return mlt_fail(err, MLT_IO, "cannot write %s: libzip error %d", path, code);
    }
    enum mlt_status status = add_members(zip, members, num, err);
    if (!status && zip_close(zip) == 0) {
        return MLT_OK;
    }
    status = status ? status : fail_zip(err, zip_get_error(zip), path);
    zip_discard(zip);
    return status;
}
