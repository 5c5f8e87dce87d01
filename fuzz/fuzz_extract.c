// links: mlt_bundle
//
// The verifier of NDJSON extracts: lines, of which the last is the statement. And the same bytes as an archive.
#include <stdlib.h>

#include "bundle/extract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void lines(struct mlt_bytes text) {
    static struct mlt_extract_report report;
    struct mlt_extract_check check = {0};
    size_t start = text.len; // of the last line
    while (start > 0 && text.ptr[start - 1] != '\n') {
        start--;
    }
    enum mlt_status status =
        mlt_extract_begin(&check, &report, mlt_bytes_of(text.ptr + start, text.len - start), NULL, NULL);
    struct mlt_cursor c = mlt_cursor_of(mlt_bytes_of(text.ptr, start));
    struct mlt_error err = {0};
    while (!status && mlt_cursor_left(&c) > 0) {
        status = mlt_extract_line(&check, mlt_cursor_line(&c), &err);
    }
    mlt_extract_end(&check);
    if (report.verdict && (report.num_faults > 0 || report.found > report.end - report.first)) {
        abort();
    }
    mlt_arena_clear(&check.arena);
}

static void archive(struct mlt_bytes zip) {
    static struct mlt_extract_report report;
    struct mlt_archive a;
    if (mlt_archive_open(&a, zip, &mlt_bundle_limits, NULL) == MLT_OK) {
        if (mlt_extract_archive(&a, NULL, &report, NULL) != MLT_OK && report.verdict) {
            abort();
        }
        mlt_archive_close(&a);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    lines(mlt_bytes_of(data, size));
    archive(mlt_bytes_of(data, size));
    return 0;
}
