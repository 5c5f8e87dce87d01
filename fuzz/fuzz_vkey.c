// links: mlt_note
//
// A key has one text: what parses, as verifier or signing key, prints as it was.
#include <stdlib.h>

#include "note/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

// A fuzzer does not find the hash in a key id by chance: this gives the input its own, so that what follows runs too.
static void check_with_right_id(struct mlt_bytes input) {
    struct mlt_vkey key = {.type = MLT_KEY_ED25519};
    struct mlt_vkey back;
    char text[MLT_VKEY_TEXT_MAX];
    if (input.len < sizeof(key.key)) {
        return;
    }
    struct mlt_bytes name = mlt_bytes_of(input.ptr + sizeof(key.key), input.len - sizeof(key.key));
    if (!mlt_note_name_valid(name)) {
        return;
    }
    memcpy(key.key, input.ptr, sizeof(key.key));
    memcpy(key.name, name.ptr, name.len);
    key.key_id = mlt_key_id(name, MLT_KEY_ED25519, mlt_bytes_of(key.key, sizeof(key.key)));
    mlt_vkey_format(text, &key);
    require(mlt_vkey_parse(&back, mlt_str(text), NULL) == MLT_OK);
    require(strcmp(back.name, key.name) == 0 && memcmp(back.key, key.key, sizeof(key.key)) == 0);
    require(back.key_id == key.key_id && back.type == key.type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_bytes input = mlt_bytes_of(data, size);
    struct mlt_error err = {0};
    struct mlt_vkey key;
    struct mlt_signer signer;
    if (mlt_vkey_parse(&key, input, &err) == MLT_OK) {
        char text[MLT_VKEY_TEXT_MAX];
        mlt_vkey_format(text, &key);
        require(mlt_bytes_is(input, text));
    } else {
        require(err.text[0] != '\0');
    }
    if (mlt_signer_parse(&signer, input, &err) == MLT_OK) {
        mlt_signer_clear(&signer);
    } else {
        require(signer.key == NULL);
    }
    check_with_right_id(input);
    return 0;
}
