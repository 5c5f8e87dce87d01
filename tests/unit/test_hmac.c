// links: mlt_crypto mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/hmac.h"

static void check(struct mlt_bytes key, const struct mlt_bytes *parts, size_t num_parts, const char *want) {
    uint8_t mac[MLT_HASH_LEN];
    char hex[2 * MLT_HASH_LEN + 1];
    mlt_hmac_sha256(mac, key, parts, num_parts);
    mlt_hex_encode(hex, mlt_bytes_of(mac, sizeof mac));
    assert_string_equal(hex, want);
}

static void test_rfc_4231(void **state) {
    // The test cases 1, 2, 6 of RFC 4231: a short key, a text in parts, a key longer than a block.
    (void)state;
    uint8_t key[131];
    memset(key, 0x0b, 20);
    struct mlt_bytes text = mlt_str("Hi There");
    check(mlt_bytes_of(key, 20), &text, 1, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    const struct mlt_bytes parts[] = {mlt_str("what do ya "), mlt_str(""), mlt_str("want for nothing?")};
    check(mlt_str("Jefe"), parts, 3, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    text = mlt_str("Test Using Larger Than Block-Size Key - Hash Key First");
    check(mlt_bytes_of(key, sizeof key), &text, 1, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rfc_4231)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
