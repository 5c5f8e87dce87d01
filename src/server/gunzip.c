#include "server/gunzip.h"

#include <stdlib.h>
#include <zlib.h>

#define GZIP_ONLY (16 + MAX_WBITS)        // inflateInit2: a gzip header must be there
#define PIECE_MAX ((size_t)64 * 1024)     // unpacked at a time
#define FED_MAX ((size_t)1 * 1024 * 1024) // zlib counts in unsigned int

struct mlt_gunzip {
    z_stream stream;
    bool begun; // within a member: its end is owed
    size_t fed; // bytes
};

struct mlt_gunzip *mlt_gunzip_new(void) {
    struct mlt_gunzip *z = calloc(1, sizeof *z);
    if (z && inflateInit2(&z->stream, GZIP_ONLY) != Z_OK) {
        free(z);
        return NULL;
    }
    return z;
}

void mlt_gunzip_free(struct mlt_gunzip *z) {
    if (z) {
        inflateEnd(&z->stream);
        free(z);
    }
}

// One piece of output. A body may be several gzip members one after the other.
static enum mlt_status step(struct mlt_gunzip *z, size_t max, struct mlt_buf *out, struct mlt_error *err) {
    if (!z->begun && inflateReset(&z->stream) != Z_OK) {
        return mlt_fail(err, MLT_INTERNAL, "zlib does not start again");
    }
    z->begun = true;
    if (!mlt_buf_reserve(out, PIECE_MAX)) {
        return mlt_fail(err, MLT_NOMEM, "no memory to unpack the body");
    }
    z->stream.next_out = out->data + out->len;
    z->stream.avail_out = PIECE_MAX;
    int rc = inflate(&z->stream, Z_NO_FLUSH);
    out->len += PIECE_MAX - z->stream.avail_out;
    if (out->len > max) {
        return mlt_fail(err, MLT_LIMIT, "unpacked, the body has more than %zu MiB; send it in parts", max >> 20);
    }
    if (rc == Z_MEM_ERROR) {
        return mlt_fail(err, MLT_NOMEM, "no memory to unpack the body");
    }
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
        return mlt_fail(err, MLT_INVALID, "the body is not gzip as its Content-Encoding says: %s",
                        z->stream.msg ? z->stream.msg : "malformed");
    }
    z->begun = rc != Z_STREAM_END;
    return MLT_OK;
}

static enum mlt_status feed(struct mlt_gunzip *z, size_t max, struct mlt_buf *out, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    do {
        status = step(z, max, out, err);
    } while (status == MLT_OK && (z->stream.avail_in > 0 || (z->begun && z->stream.avail_out == 0)));
    return status;
}

enum mlt_status mlt_gunzip_feed(struct mlt_gunzip *z, struct mlt_bytes data, size_t max, struct mlt_buf *out,
                                struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    z->fed += data.len;
    if (z->fed > max) { // empty members, empty blocks and long names unpack to nothing and have no end of their own
        return mlt_fail(err, MLT_LIMIT, "the body has more than %zu MiB as it comes; send it in parts", max >> 20);
    }
    while (status == MLT_OK && data.len > 0) {
        size_t now = data.len < FED_MAX ? data.len : FED_MAX;
        z->stream.next_in = (Bytef *)(uintptr_t)data.ptr; // zlib does not write to it
        z->stream.avail_in = (uInt)now;
        status = feed(z, max, out, err);
        data = mlt_bytes_of(data.ptr + now, data.len - now);
    }
    return status;
}

enum mlt_status mlt_gunzip_end(const struct mlt_gunzip *z, struct mlt_error *err) {
    if (z->begun || z->stream.total_in == 0) {
        return mlt_fail(err, MLT_INVALID, "the gzip body ends in its midst; send all of it");
    }
    return MLT_OK;
}
