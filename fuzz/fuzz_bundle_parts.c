// links: mlt_bundle
//
// The parsers of a bundle's JSON members: what one takes, its writer writes in a form that it takes again, and the
// same.
#include <stdlib.h>

#include "bundle/extract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef bool rewrite_fn(struct mlt_bytes text, struct mlt_arena *arena, struct mlt_buf *out);

static bool absence(struct mlt_bytes text, struct mlt_arena *arena, struct mlt_buf *out) {
    struct mlt_bundle_absence a;
    const bool good = mlt_bundle_get_absence(&a, text, arena, NULL) == MLT_OK;
    if (good) {
        mlt_bundle_put_absence(out, &a);
    }
    return good;
}

static bool answers(struct mlt_bytes text, struct mlt_arena *arena, struct mlt_buf *out) {
    struct mlt_bundle_answers a;
    const bool good = mlt_bundle_get_answers(&a, text, arena, NULL) == MLT_OK;
    if (good) {
        mlt_bundle_put_answers(out, &a);
    }
    return good;
}

static bool payload(struct mlt_bytes text, struct mlt_arena *arena, struct mlt_buf *out) {
    struct mlt_bundle_payload p;
    const bool good = mlt_bundle_get_payload(&p, text, arena, NULL) == MLT_OK;
    if (good) {
        mlt_bundle_put_payload(out, &p);
    }
    return good;
}

static bool consistency(struct mlt_bytes text, struct mlt_arena *arena, struct mlt_buf *out) {
    struct mlt_bundle_consistency c;
    const bool good = mlt_bundle_get_consistency(&c, text, NULL) == MLT_OK;
    (void)arena;
    if (good) {
        mlt_bundle_put_consistency(out, &c);
    }
    return good;
}

static bool statement(struct mlt_bytes text, struct mlt_arena *arena, struct mlt_buf *out) {
    struct mlt_extract_statement s;
    const bool good = mlt_extract_get(&s, text, arena, NULL) == MLT_OK;
    if (good) {
        mlt_extract_put(out, &s);
    }
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static rewrite_fn *const forms[] = {absence, answers, payload, consistency, statement};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct mlt_arena arena = {0};
        struct mlt_buf once = {0}, twice = {0};
        if (forms[i](mlt_bytes_of(data, size), &arena, &once) && !once.failed &&
            (!forms[i](mlt_buf_bytes(&once), &arena, &twice) ||
             !mlt_bytes_equal(mlt_buf_bytes(&once), mlt_buf_bytes(&twice)))) {
            abort();
        }
        mlt_buf_clear(&once);
        mlt_buf_clear(&twice);
        mlt_arena_clear(&arena);
    }
    return 0;
}
