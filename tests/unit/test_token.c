// links: mlt_server mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base_posix/env_posix.h"
#include "server/token.h"

static char dir[64];

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/mlt-token-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static bool known(const char *text, int64_t now) {
    struct mlt_tokens tokens;
    struct mlt_token found;
    uint8_t hash[MLT_HASH_LEN];
    assert_int_equal(mlt_tokens_init(&tokens, NULL), MLT_OK);
    assert_int_equal(mlt_tokens_load(&tokens, mlt_env_posix(), dir, "tokens.json", "tokens", NULL), MLT_OK);
    mlt_sha256_one(hash, mlt_str(text));
    bool ok = mlt_tokens_find(&tokens, hash, now, &found);
    mlt_tokens_clear(&tokens);
    return ok;
}

static void test_life(void **state) {
    // A token is found from when it is made until it expires or is revoked; the file holds its hash alone.
    (void)state;
    struct mlt_env *env = mlt_env_posix();
    struct mlt_grant grant;
    struct mlt_error err;
    char a[64];
    char b[64];
    int64_t now = env->now(env);
    mlt_grant_producer(&grant);
    assert_int_equal(mlt_token_make(env, dir, "ci", &grant, 0, a, &err), MLT_OK);
    assert_int_equal(mlt_token_make(env, dir, "short", &grant, now + 1000, b, &err), MLT_OK);
    assert_int_equal(strlen(a), 47);
    assert_memory_equal(a, "mlt_", 4);
    assert_int_equal(strspn(a + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
    assert_true(known(a, now + 5000));
    assert_true(known(b, now));
    assert_false(known(b, now + 1000));
    assert_false(known("mlt_guess", now));
    struct mlt_buf text = {0};
    char path[96];
    snprintf(path, sizeof path, "%s/tokens.json", dir);
    assert_int_equal(mlt_env_read_file(env, path, 1 << 20, &text, &err), MLT_OK);
    assert_null(strstr(mlt_buf_cstr(&text), a));
    mlt_buf_reset(&text);
    assert_int_equal(mlt_token_list(env, dir, &text, &err), MLT_OK);
    assert_non_null(strstr(mlt_buf_cstr(&text), "\"name\":\"ci\""));
    assert_null(strstr(mlt_buf_cstr(&text), "sha256"));
    mlt_buf_clear(&text);
    assert_int_equal(mlt_token_revoke(env, dir, "ci", &err), MLT_OK);
    assert_false(known(a, now));
    assert_int_equal(mlt_token_revoke(env, dir, "ci", &err), MLT_NOTFOUND);
}

static void test_same_name(void **state) {
    // A second token under a name is refused, so that revoking a name ends all there is.
    (void)state;
    struct mlt_grant grant = {.rights = MLT_MAY_READ};
    struct mlt_error err;
    char text[64];
    assert_int_equal(mlt_token_make(mlt_env_posix(), dir, "one", &grant, 0, text, &err), MLT_OK);
    assert_int_equal(mlt_token_make(mlt_env_posix(), dir, "one", &grant, 0, text, &err), MLT_CONFLICT);
    assert_int_equal(mlt_token_make(mlt_env_posix(), dir, "", &grant, 0, text, &err), MLT_INVALID);
}

static void test_damaged_list(void **state) {
    // A list that does not parse is reported, and what was read before stays in force.
    (void)state;
    struct mlt_env *env = mlt_env_posix();
    struct mlt_grant grant = {.rights = MLT_MAY_READ};
    struct mlt_error err;
    struct mlt_tokens tokens;
    struct mlt_token found;
    char text[64];
    char path[96];
    uint8_t hash[MLT_HASH_LEN];
    assert_int_equal(mlt_token_make(env, dir, "kept", &grant, 0, text, &err), MLT_OK);
    assert_int_equal(mlt_tokens_init(&tokens, &err), MLT_OK);
    assert_int_equal(mlt_tokens_load(&tokens, env, dir, "tokens.json", "tokens", &err), MLT_OK);
    snprintf(path, sizeof path, "%s/tokens.json", dir);
    assert_int_equal(mlt_env_replace_file(env, path, mlt_str("{\"tokens\":[{\"name\":\"x\"}]}"), true, &err), MLT_OK);
    assert_int_equal(mlt_tokens_load(&tokens, env, dir, "tokens.json", "tokens", &err), MLT_CORRUPT);
    assert_non_null(strstr(err.text, "tokens.json"));
    mlt_sha256_one(hash, mlt_str(text));
    assert_true(mlt_tokens_find(&tokens, hash, env->now(env), &found));
    mlt_tokens_clear(&tokens);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_list, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
