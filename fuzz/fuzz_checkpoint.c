// links: mlt_note
//
// A checkpoint that parses prints as its first three lines, and nothing but the published one opens under its key.
#include <stdlib.h>

#include "note/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key_text[] = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_bytes input = mlt_bytes_of(data, size);
    struct mlt_checkpoint c;
    struct mlt_error err = {0};
    struct mlt_vkey key;
    if (mlt_checkpoint_parse(&c, input, &err) == MLT_OK) {
        struct mlt_buf printed = {0};
        mlt_checkpoint_format(&printed, &c);
        require(printed.len <= size && memcmp(printed.data, data, printed.len) == 0);
        mlt_buf_clear(&printed);
    } else {
        require(err.text[0] != '\0' && c.origin[0] == '\0');
    }
    require(mlt_vkey_parse(&key, mlt_str(key_text), NULL) == MLT_OK);
    enum mlt_status st = mlt_checkpoint_open(&c, input, &key, &err);
    require(st == MLT_OK || c.origin[0] == '\0');
    require(st != MLT_OK || strcmp(c.origin, key.name) == 0);
    return 0;
}
