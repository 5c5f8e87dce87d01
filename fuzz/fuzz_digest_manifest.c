// links: mlt_cli
//
// Manifests of models: signatures, statements, records and lists from elsewhere.
#include <stdlib.h>

#include "cli/digest_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_digest_manifest m = {0};
    struct mlt_arena arena = {0};
    struct mlt_error err = {0};
    enum mlt_status status = mlt_digest_manifest_parse(&m, mlt_bytes_of(data, size), &arena, &err);
    if (status == MLT_OK && !mlt_json_is(&m.json, m.resources, MLT_JSON_ARRAY)) {
        abort();
    }
    if (status != MLT_OK && err.text[0] == '\0') {
        abort();
    }
    for (mlt_json_at at = mlt_json_first(&m.json, m.resources); status == MLT_OK && at != MLT_JSON_NONE;
         at = mlt_json_next(&m.json, m.resources, at)) {
        (void)mlt_json_string(&m.json, mlt_json_get(&m.json, at, "name"), &arena);
    }
    mlt_arena_clear(&arena);
    mlt_digest_manifest_clear(&m);
    return 0;
}
