// links: mlt_dossier
//
// The renderings of a dossier and of an answer, over any bytes: a bundle's dossier comes from whoever made the bundle.
#include <stdlib.h>

#include "dossier/dossier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// No rendering of terminal text may let an escape through when no colours were asked for.
static void check_text(const struct mlt_buf *out) {
    if (out->len && memchr(out->data, '\033', out->len)) {
        abort();
    }
}

// A page has two script elements of its own, whatever it shows.
static void check_scripts(const char *page) {
    unsigned num = 0;
    for (const char *at = page; (at = strstr(at, "<script")) != NULL; at++) {
        num++;
    }
    if (num != 2) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_buf out = {0};
    const struct mlt_bytes json = mlt_bytes_of(data, size);
    if (mlt_dossier_html(json, &out, NULL) == MLT_OK) {
        check_scripts(mlt_buf_cstr(&out));
    }
    mlt_buf_reset(&out);
    if (mlt_dossier_text(json, false, 40, &out, NULL) == MLT_OK) {
        check_text(&out);
    }
    mlt_buf_reset(&out);
    if (mlt_ask_text(json, false, 0, &out, NULL) == MLT_OK) {
        check_text(&out);
    }
    mlt_buf_clear(&out);
    return 0;
}
