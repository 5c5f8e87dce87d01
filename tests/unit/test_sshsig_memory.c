// links: mlt_crypto
//
// The first, second, … allocation of a check fails, until it gets through: each time the status says so, never that a
// good signature is false. One deliberately false signature shows that the verdict is looked at.
#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/sshsig.h"

#include <cmocka.h>

#define ALLOCATIONS_MAX 100000 // more than any check makes: a bound for the loop

static long countdown = -1; // negative: no allocation fails

static bool fails(void) {
    return countdown >= 0 && countdown-- == 0;
}
static void *take(size_t len, const char *file, int line) {
    (void)file;
    (void)line;
    return fails() ? NULL : malloc(len);
}
static void *again(void *p, size_t len, const char *file, int line) {
    (void)file;
    (void)line;
    return fails() ? NULL : realloc(p, len);
}
static void give(void *p, const char *file, int line) {
    (void)file;
    (void)line;
    free(p);
}

static void read_file(const char *name, char *out, size_t cap, size_t *len) {
    const char *root = getenv("MLT_SOURCE");
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/fuzz/corpus/sshsig/%s", root != NULL ? root : ".", name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    *len = fread(out, 1, cap, f);
    (void)fclose(f);
}

static void test_no_memory_is_not_a_false_signature(void **state) {
    // Whichever allocation fails, a good signature is good or could not be checked.
    (void)state;
    static const char *const names[] = {"ed25519-256", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        static char text[MLT_SSHSIG_ARMOURED_MAX];
        static struct mlt_sshsig sig;
        size_t len;
        const char *why;
        bool good = false;
        long n = 0;
        read_file(names[i], text, sizeof(text), &len);
        assert_true(mlt_sshsig_read(&sig, mlt_bytes_of(text, len), &why));
        // The library's own beginnings, once a process, are not what is tested.
        assert_int_equal(mlt_sshsig_verify(&good, &why, &sig, mlt_str("seed\n"), "fuzz", NULL), MLT_OK);
        assert_true(good);
        for (bool got_through = false; !got_through && n < ALLOCATIONS_MAX; n++) {
            struct mlt_error err = {0};
            countdown = n;
            enum mlt_status status = mlt_sshsig_verify(&good, &why, &sig, mlt_str("seed\n"), "fuzz", &err);
            got_through = countdown >= 0; // none was made to fail
            countdown = -1;
            if (good != (status == MLT_OK) || (status != MLT_OK && status != MLT_NOMEM) || (got_through && !good)) {
                fail_msg("%s, allocation %ld: status %d, %s", names[i], n, (int)status, good ? "good" : why);
            }
        }
        assert_true(n > 3 && n < ALLOCATIONS_MAX);
        print_message("%s: %ld allocations failed in turn\n", names[i], n - 1);
        assert_int_equal(mlt_sshsig_verify(&good, &why, &sig, mlt_str("other\n"), "fuzz", NULL), MLT_OK);
        assert_false(good);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_memory_is_not_a_false_signature)};
    if (CRYPTO_set_mem_functions(take, again, give) != 1) {
        (void)fprintf(stderr, "OpenSSL has allocated already\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
