#include "lib/vectors.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

bool test_read_file(const char *path, struct mlt_buf *out) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        return false;
    }
    uint8_t chunk[4096];
    size_t got;
    mlt_buf_reset(out);
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        mlt_buf_put(out, chunk, got);
    }
    bool good = !ferror(file) && !out->failed;
    (void)fclose(file);
    return good;
}

void test_source_path(char *out, size_t cap, const char *relative) {
    const char *root = getenv("MLT_SOURCE");
    int len = snprintf(out, cap, "%s/%s", root ? root : ".", relative);
    assert_true(len > 0 && (size_t)len < cap);
}

bool test_shared_path(char *out, size_t cap, const char *relative) {
    char beside[1024];
    const char *root = getenv("MLT_SHARED");
    if (!root) {
        test_source_path(beside, sizeof(beside), "../shared");
        root = beside;
    }
    struct stat st;
    int len = snprintf(out, cap, "%s/%s", root, relative);
    assert_true(len > 0 && (size_t)len < cap);
    if (stat(out, &st) != 0) {
        (void)printf("skipped: no %s (set MLT_SHARED to the folder of published vectors)\n", out);
        return false;
    }
    return true;
}

void test_unhex(uint8_t *out, size_t out_len, const char *hex) {
    assert_true(mlt_hex_decode(out, out_len, mlt_str(hex)));
}

void test_unbase64(uint8_t *out, size_t out_len, const char *base64) {
    size_t len = 0;
    assert_true(mlt_base64_decode(out, out_len, &len, mlt_str(base64)));
    assert_int_equal(len, out_len);
}
