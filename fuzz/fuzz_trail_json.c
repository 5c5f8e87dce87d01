// links: mlt_trail
//
// Whatever parses as trail.json can be written and parsed again to the same text, and is refused by a key that did not
// sign it.
#include <stdlib.h>

#include "trail/meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct mlt_meta meta;
    static struct mlt_meta again;
    struct mlt_error err = {0};
    struct mlt_buf text = {0};
    struct mlt_buf second = {0};
    if (mlt_meta_parse(&meta, mlt_bytes_of(data, size), &err) != MLT_OK) {
        require(err.text[0] != '\0');
        return 0;
    }
    mlt_meta_format(&text, &meta);
    require(mlt_meta_parse(&again, mlt_buf_bytes(&text), &err) == MLT_OK);
    mlt_meta_format(&second, &again);
    require(mlt_bytes_equal(mlt_buf_bytes(&text), mlt_buf_bytes(&second)));
    const struct mlt_vkey nobody = {.type = MLT_KEY_ED25519};
    require(!mlt_meta_verify(&meta, mlt_buf_bytes(&text), &nobody));
    mlt_buf_clear(&text);
    mlt_buf_clear(&second);
    return 0;
}
