// links: mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "lib/simdisk.h"

#include <cmocka.h>

// What was synced survives; what was not may not; over some seeds both happen.
static void test_power_loss(void **state) {
    (void)state;
    unsigned kept = 0;
    unsigned lost = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct simdisk *d = simdisk_new(seed);
        struct mlt_env *env = simdisk_env(d);
        struct mlt_file *f;
        uint8_t sector[512];
        uint64_t len;
        memset(sector, 'a', sizeof(sector));
        assert_int_equal(env->open(env, &f, "/f", MLT_OPEN_WRITE | MLT_OPEN_CREATE, NULL), MLT_OK);
        assert_int_equal(env->write(env, f, sector, sizeof(sector), 0, NULL), MLT_OK);
        assert_int_equal(env->sync(env, f, NULL), MLT_OK);
        assert_int_equal(env->sync_dir(env, "", NULL), MLT_OK);
        memset(sector, 'b', sizeof(sector));
        assert_int_equal(env->write(env, f, sector, sizeof(sector), 512, NULL), MLT_OK);
        env->close(env, f);
        simdisk_kill(d);
        simdisk_reboot(d);
        const uint8_t *bytes = simdisk_bytes(d, "/f", &len);
        assert_non_null(bytes);
        assert_true(len >= 512 && bytes[0] == 'a' && bytes[511] == 'a');
        bool whole = len == 1024 && bytes[512] == 'b' && bytes[1023] == 'b';
        kept += whole;
        lost += !whole;
        simdisk_free(d);
    }
    assert_true(kept > 0 && lost > 0);
}

// A name that was not made durable may be gone; one that was is not.
static void test_names(void **state) {
    (void)state;
    unsigned gone = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct simdisk *d = simdisk_new(seed);
        struct mlt_env *env = simdisk_env(d);
        uint64_t len;
        assert_int_equal(mlt_env_replace_file(env, "/f", mlt_str("one"), false, NULL), MLT_OK);
        assert_int_equal(env->sync_dir(env, "", NULL), MLT_OK);
        struct mlt_file *f;
        assert_int_equal(env->open(env, &f, "/g", MLT_OPEN_WRITE | MLT_OPEN_CREATE, NULL), MLT_OK);
        env->close(env, f);
        simdisk_kill(d);
        simdisk_reboot(d);
        assert_non_null(simdisk_bytes(d, "/f", &len));
        struct mlt_error err;
        gone += env->open(env, &f, "/g", MLT_OPEN_READ, &err) == MLT_NOTFOUND;
        if (f) {
            env->close(env, f);
        }
        simdisk_free(d);
    }
    assert_true(gone > 0 && gone < 20);
}

// A fault comes at its operation, applied or not as asked.
static void test_faults(void **state) {
    (void)state;
    struct simdisk *d = simdisk_new(1);
    struct mlt_env *env = simdisk_env(d);
    struct mlt_file *f;
    uint64_t len;
    assert_int_equal(env->open(env, &f, "/f", MLT_OPEN_WRITE | MLT_OPEN_CREATE, NULL), MLT_OK);
    simdisk_plan(d, SIMDISK_ERROR_NOT_APPLIED, 2);
    assert_int_equal(env->write(env, f, "a", 1, 0, NULL), MLT_OK);
    assert_int_equal(env->write(env, f, "b", 1, 0, NULL), MLT_IO);
    assert_true(simdisk_fired(d) && simdisk_bytes(d, "/f", &len)[0] == 'a');
    simdisk_plan(d, SIMDISK_ERROR_APPLIED, 1);
    assert_int_equal(env->write(env, f, "b", 1, 0, NULL), MLT_IO);
    assert_int_equal(simdisk_bytes(d, "/f", &len)[0], 'b');
    simdisk_fill(d, 1);
    assert_int_equal(env->write(env, f, "cccc", 4, 1, NULL), MLT_NOSPACE);
    simdisk_plan(d, SIMDISK_DEATH_BEFORE, 1);
    assert_int_equal(env->sync(env, f, NULL), MLT_IO);
    assert_true(simdisk_dead(d));
    env->close(env, f);
    simdisk_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_power_loss), cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
