// links: mlt_trail
//
// Whatever reads as <state>/signing.key or as <state>/kek.note can be written and read again to the same text.
#include <stdlib.h>

#include "trail/kek.h"
#include "trail/key_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void check_key_file(struct mlt_bytes text) {
    static struct mlt_key_file file;
    struct mlt_error err = {0};
    struct mlt_buf first = {0};
    struct mlt_buf second = {0};
    if (mlt_key_file_parse(&file, text, &err) != MLT_OK) {
        require(err.text[0] != '\0');
        return;
    }
    mlt_key_file_format(&first, &file);
    require(mlt_key_file_parse(&file, mlt_buf_bytes(&first), &err) == MLT_OK);
    mlt_key_file_format(&second, &file);
    require(mlt_bytes_equal(mlt_buf_bytes(&first), mlt_buf_bytes(&second)));
    mlt_buf_clear(&first);
    mlt_buf_clear(&second);
}

static void check_note(struct mlt_bytes text) {
    static struct mlt_kek_note note;
    struct mlt_error err = {0};
    struct mlt_buf first = {0};
    struct mlt_buf second = {0};
    if (mlt_kek_note_parse(&note, text, &err) != MLT_OK) {
        require(err.text[0] != '\0');
        return;
    }
    mlt_kek_note_format(&first, &note);
    require(mlt_kek_note_parse(&note, mlt_buf_bytes(&first), &err) == MLT_OK);
    mlt_kek_note_format(&second, &note);
    require(mlt_bytes_equal(mlt_buf_bytes(&first), mlt_buf_bytes(&second)));
    mlt_buf_clear(&first);
    mlt_buf_clear(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_key_file(mlt_bytes_of(data, size));
    check_note(mlt_bytes_of(data, size));
    return 0;
}
