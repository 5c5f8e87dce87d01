// links: mlt_bundle
//
// The whole verifier of evidence bundles over any bytes. Nothing that anybody makes of them is signed by this key.
#include <stdlib.h>

#include "bundle/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void verify(struct mlt_bytes zip, const struct mlt_vkey *key, struct mlt_bundle_report *report) {
    struct mlt_arena arena = {0};
    struct mlt_error err = {0};
    const enum mlt_status status = mlt_bundle_verify(zip, key, "mltrail test", &arena, report, &err);
    if ((status && report->verdict) || (!status && report->verdict != (report->num_faults == 0))) {
        abort();
    }
    mlt_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct mlt_bundle_report report;
    const uint8_t seed[32] = {200, 1};
    struct mlt_signer stranger;
    if (mlt_signer_init(&stranger, mlt_str("clinic.example/ml"), seed, NULL) != MLT_OK) {
        abort();
    }
    verify(mlt_bytes_of(data, size), &stranger.vkey, &report);
    if (report.verdict || report.signed_by_key) {
        abort();
    }
    verify(mlt_bytes_of(data, size), NULL, &report);
    mlt_signer_clear(&stranger);
    return 0;
}
