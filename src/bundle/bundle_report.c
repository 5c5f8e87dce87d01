// What the verifier has to say: faults, and what is asserted.
#include <stdio.h>

#include "bundle/bundle_read.h"

void mlt_bundle_fault(struct mlt_bundle_reading *r, const char *where, const char *fmt, ...) {
    if (r->report->num_faults < MLT_BUNDLE_FAULTS_MAX) {
        struct mlt_bundle_fault *f = &r->report->faults[r->report->num_faults];
        va_list args;
        va_start(args, fmt);
        (void)snprintf(f->where, sizeof(f->where), "%s", where);
        (void)vsnprintf(f->text, sizeof(f->text), fmt, args);
        va_end(args);
    }
    r->report->num_faults++;
}

void mlt_bundle_assert(struct mlt_bundle_reading *r, const char *fmt, ...) {
    struct mlt_bundle_report *out = r->report;
    char text[sizeof(out->asserted[0])];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    for (size_t i = 0; i < out->num_asserted && i < MLT_BUNDLE_ASSERTED_MAX; i++) {
        if (strcmp(out->asserted[i], text) == 0) {
            return;
        }
    }
    if (out->num_asserted < MLT_BUNDLE_ASSERTED_MAX) {
        memcpy(out->asserted[out->num_asserted], text, sizeof(text));
    }
    out->num_asserted++;
}

// A status is the bundle's fault when its bytes were at fault, and the machine's otherwise.
enum mlt_status mlt_bundle_blame(struct mlt_bundle_reading *r, const char *where, enum mlt_status status) {
    if (status == MLT_INVALID || status == MLT_LIMIT || status == MLT_CORRUPT || status == MLT_NOTFOUND ||
        status == MLT_DENIED) {
        mlt_bundle_fault(r, where, "%s", r->err->text);
        mlt_error_clear(r->err);
        return MLT_OK;
    }
    return status;
}

void mlt_bundle_copy_text(char *out, size_t cap, struct mlt_bytes text) {
    (void)snprintf(out, cap, "%.*s", (int)(text.len < cap ? text.len : cap - 1),
                   text.ptr ? (const char *)text.ptr : "");
}
