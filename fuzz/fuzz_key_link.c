// links: mlt_note
//
// Whatever parses as a change of keys is what its own writing gives, byte for byte, and verifies under no other keys.
#include <stdlib.h>

#include "note/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct mlt_key_link link;
    static struct mlt_vkey old_key;
    static struct mlt_vkey new_key;
    struct mlt_error err = {0};
    struct mlt_buf text = {0};
    if (mlt_key_link_parse(&link, &old_key, &new_key, mlt_bytes_of(data, size), &err) != MLT_OK) {
        require(err.text[0] != '\0');
        return 0;
    }
    mlt_key_link_format(&text, &link, &old_key, &new_key);
    require(mlt_bytes_equal(mlt_buf_bytes(&text), mlt_bytes_of(data, size)));
    require(mlt_key_link_is_succession(&old_key, &new_key) || link.kept == link.size);
    const struct mlt_vkey nobody = {.type = MLT_KEY_ED25519};
    require(!mlt_key_link_verify(&link, &nobody, &new_key));
    require(!mlt_key_link_verify(&link, &old_key, &nobody));
    mlt_buf_clear(&text);
    return 0;
}
