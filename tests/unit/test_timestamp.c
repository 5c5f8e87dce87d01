// links: mlt_crypto mlt_base_posix mlt_testlib OpenSSL::Crypto
//
// Tokens in tests/vectors/timestamp were made by `openssl ts -reply` and `openssl cms -sign` (tests/lib/authority.py).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/time.h"
#include "crypto/timestamp.h"
#include "lib/timestamp_vectors.h"

static const uint8_t nonce[MLT_TIMESTAMP_NONCE_LEN] = {0x81, 2, 3, 4,
                                                       5,    6, 7, 8}; // the highest bit is set: DER pads it

struct vectors {
    struct mlt_buf note, granted, token;
    uint8_t imprint[MLT_HASH_LEN];
    struct mlt_timestamp_roots *roots;
};

static int set_up(void **state) {
    static struct vectors v;
    timestamp_vector(&v.note, "note");
    timestamp_vector(&v.granted, "granted.tsr");
    timestamp_vector(&v.token, "good.tst");
    mlt_sha256_one(v.imprint, mlt_buf_bytes(&v.note));
    v.roots = timestamp_vector_roots("root.pem");
    *state = &v;
    return 0;
}

static int tear_down(void **state) {
    struct vectors *v = *state;
    mlt_buf_clear(&v->note);
    mlt_buf_clear(&v->granted);
    mlt_buf_clear(&v->token);
    mlt_timestamp_roots_free(v->roots);
    *v = (struct vectors){0};
    return 0;
}

static struct mlt_timestamp_verdict verify(const struct vectors *v, struct mlt_bytes token,
                                           const struct mlt_timestamp_roots *roots, struct mlt_timestamp *says) {
    struct mlt_timestamp_verdict verdict;
    struct mlt_error err = {0};
    assert_int_equal(mlt_timestamp_verify(says, token, v->imprint, roots, &verdict, &err), MLT_OK);
    assert_true(verdict.good == (verdict.why[0] == '\0'));
    assert_int_equal(ERR_peek_error(), 0); // nothing is left for the next caller on this thread
    return verdict;
}

static struct mlt_timestamp_verdict verify_file(const struct vectors *v, const char *name) {
    struct mlt_buf token = {0};
    timestamp_vector(&token, name);
    struct mlt_timestamp_verdict verdict = verify(v, mlt_buf_bytes(&token), v->roots, NULL);
    mlt_buf_clear(&token);
    return verdict;
}

static struct mlt_timestamp_verdict answer(const struct vectors *v, struct mlt_bytes response, const uint8_t *with,
                                           struct mlt_buf *token) {
    struct mlt_timestamp_verdict verdict;
    struct mlt_error err = {0};
    assert_int_equal(mlt_timestamp_answer(response, v->imprint, with, token, &verdict, &err), MLT_OK);
    assert_true(verdict.good == (verdict.why[0] == '\0'));
    assert_true(verdict.good == (token->len > 0));
    return verdict;
}

static void test_request(void **state) {
    // A request is the DER that RFC 3161 section 2.4.1 asks for, byte for byte as made by hand.
    struct vectors *v = *state;
    struct mlt_buf query = {0}, expected = {0};
    timestamp_vector(&expected, "query.tsq");
    assert_int_equal(mlt_timestamp_request(&query, v->imprint, nonce, NULL), MLT_OK);
    assert_true(mlt_bytes_equal(mlt_buf_bytes(&query), mlt_buf_bytes(&expected)));
    mlt_buf_clear(&query);
    mlt_buf_clear(&expected);
}

static void test_answer(void **state) {
    // A granted answer to this request gives its token, which is the one that `openssl ts -token_out` takes from it.
    struct vectors *v = *state;
    struct mlt_buf token = {0};
    assert_true(answer(v, mlt_buf_bytes(&v->granted), nonce, &token).good);
    assert_true(mlt_bytes_equal(mlt_buf_bytes(&token), mlt_buf_bytes(&v->token)));
    mlt_buf_clear(&token);
}

static void test_false_answers(void **state) {
    // Another nonce, another imprint, a refusal, bytes behind, and no bytes: false, each with its reason.
    struct vectors *v = *state;
    struct mlt_buf token = {0}, response = {0};
    static const uint8_t other_nonce[MLT_TIMESTAMP_NONCE_LEN] = {1};
    struct mlt_timestamp_verdict verdict = answer(v, mlt_buf_bytes(&v->granted), other_nonce, &token);
    assert_non_null(strstr(verdict.why, "nonce"));

    v->imprint[0] ^= 1;
    verdict = answer(v, mlt_buf_bytes(&v->granted), nonce, &token);
    v->imprint[0] ^= 1;
    assert_non_null(strstr(verdict.why, "imprint"));

    timestamp_vector(&response, "rejected.tsr");
    verdict = answer(v, mlt_buf_bytes(&response), nonce, &token);
    assert_non_null(strstr(verdict.why, "did not grant it: status 2"));

    mlt_buf_reset(&response);
    mlt_buf_put_bytes(&response, mlt_buf_bytes(&v->granted));
    mlt_buf_put_u8(&response, 0);
    verdict = answer(v, mlt_buf_bytes(&response), nonce, &token);
    assert_non_null(strstr(verdict.why, "no time-stamp response"));
    assert_false(answer(v, mlt_bytes_of(NULL, 0), nonce, &token).good);
    mlt_buf_clear(&response);
    mlt_buf_clear(&token);
}

static void test_good_token(void **state) {
    // A good token says when, how exactly, under which policy and by whom, whether it is proved or only read.
    struct vectors *v = *state;
    struct mlt_timestamp says, read;
    struct mlt_timestamp_verdict verdict = verify(v, mlt_buf_bytes(&v->token), v->roots, &says);
    assert_string_equal(verdict.why, "");
    assert_int_equal(mlt_timestamp_read(&read, mlt_buf_bytes(&v->token), NULL), MLT_OK);
    assert_memory_equal(says.imprint, v->imprint, MLT_HASH_LEN);
    assert_string_equal(says.policy, "1.3.6.1.4.1.32473.1");
    assert_string_equal(says.authority, "CN=Example TSA,O=Example");
    assert_true(says.has_accuracy);
    assert_int_equal(says.accuracy_ns, 1500000000);
    assert_int_equal(says.gen_time % MLT_NS_PER_S, 0);
    assert_true(says.gen_time > INT64_C(1700000000) * MLT_NS_PER_S);
    assert_true(strlen(says.serial) > 0 && strspn(says.serial, "0123456789ABCDEF") == strlen(says.serial));
    assert_int_equal(read.gen_time, says.gen_time);
    assert_string_equal(read.serial, says.serial);
    assert_string_equal(read.authority, says.authority);
}

static void test_no_nonce(void **state) {
    // A token without a nonce is as good: a nonce protects the exchange. One made by other software is as good, too.
    struct vectors *v = *state;
    assert_string_equal(verify_file(v, "no-nonce.tst").why, "");
    assert_string_equal(verify_file(v, "by-hand.tst").why, "");
}

static void test_false_tokens(void **state) {
    // A certificate that had expired, that is not for time stamping, or not for it alone and critically; other bytes;
    // another root: false.
    struct vectors *v = *state;
    assert_non_null(strstr(verify_file(v, "expired.tst").why, "expired"));
    assert_non_null(strstr(verify_file(v, "no-usage.tst").why, "purpose"));
    assert_non_null(strstr(verify_file(v, "soft-usage.tst").why, "purpose"));
    assert_non_null(strstr(verify_file(v, "sha512.tst").why, "SHA-256"));
    assert_false(verify_file(v, "granted.tsr").good);

    struct mlt_timestamp_roots *other = timestamp_vector_roots("other.pem");
    struct mlt_timestamp_verdict verdict = verify(v, mlt_buf_bytes(&v->token), other, NULL);
    assert_non_null(strstr(verdict.why, "issuer"));
    mlt_timestamp_roots_free(other);

    v->imprint[31] ^= 1;
    verdict = verify(v, mlt_buf_bytes(&v->token), v->roots, NULL);
    v->imprint[31] ^= 1;
    assert_non_null(strstr(verdict.why, "other bytes"));
}

static void test_roots(void **state) {
    // Roots are PEM; text around them is passed over; none, and half of one, are refused.
    (void)state;
    struct mlt_buf pem = {0}, again = {0};
    struct mlt_timestamp_roots *roots = NULL;
    timestamp_vector(&pem, "root.pem");
    timestamp_vector(&again, "root.pem");
    size_t one = pem.len;
    mlt_buf_put_str(&pem, "a remark\n");
    mlt_buf_put_bytes(&pem, mlt_buf_bytes(&again));
    assert_int_equal(mlt_timestamp_roots_new(&roots, mlt_buf_bytes(&pem), NULL), MLT_OK);
    assert_int_equal(mlt_timestamp_roots_count(roots), 2);
    mlt_timestamp_roots_free(roots);
    roots = NULL;
    assert_int_equal(mlt_timestamp_roots_new(&roots, mlt_bytes_of(pem.data, one / 2), NULL), MLT_INVALID);
    assert_int_equal(mlt_timestamp_roots_new(&roots, mlt_str("no PEM\n"), NULL), MLT_INVALID);
    assert_int_equal(mlt_timestamp_roots_new(&roots, mlt_bytes_of(NULL, 0), NULL), MLT_INVALID);
    memcpy(pem.data + one / 2, "!!!!", 4);
    assert_int_equal(mlt_timestamp_roots_new(&roots, mlt_bytes_of(pem.data, one), NULL), MLT_INVALID);
    assert_null(roots);
    mlt_buf_clear(&pem);
    mlt_buf_clear(&again);
}

// openssl_verifies asks the command, at the time that the token names.
static bool openssl_verifies(struct mlt_bytes token, int64_t at_ns) {
    extern char **environ;
    char name[] = "/tmp/mltrail-token-XXXXXX", note[1024], root[1024], at[24];
    int fd = mkstemp(name);
    assert_true(fd >= 0 && write(fd, token.ptr, token.len) == (ssize_t)token.len);
    (void)close(fd);
    test_source_path(note, sizeof note, "tests/vectors/timestamp/note");
    test_source_path(root, sizeof root, "tests/vectors/timestamp/root.pem");
    (void)snprintf(at, sizeof at, "%lld", (long long)(at_ns / MLT_NS_PER_S));
    const char *argv[] = {"openssl", "ts",      "-verify", "-token_in", "-in", name, "-data",
                          note,      "-CAfile", root,      "-attime",   at,    NULL};
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    int status = -1;
    assert_int_equal(posix_spawn_file_actions_init(&quiet), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0), 0);
    assert_int_equal(posix_spawnp(&pid, "openssl", &quiet, NULL, (char *const *)(uintptr_t)argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)posix_spawn_file_actions_destroy(&quiet);
    (void)unlink(name);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_openssl_agrees(void **state) {
    // `openssl ts -verify` judges every vector as we do.
    struct vectors *v = *state;
    static const struct {
        const char *name;
        bool good;
    } tokens[] = {{"good.tst", true},      {"no-nonce.tst", true},    {"by-hand.tst", true}, {"expired.tst", false},
                  {"no-usage.tst", false}, {"soft-usage.tst", false}, {"granted.tsr", false}};
    struct mlt_timestamp says;
    assert_int_equal(mlt_timestamp_read(&says, mlt_buf_bytes(&v->token), NULL), MLT_OK);
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        struct mlt_buf token = {0};
        timestamp_vector(&token, tokens[i].name);
        assert_int_equal(verify_file(v, tokens[i].name).good, tokens[i].good);
        assert_int_equal(openssl_verifies(mlt_buf_bytes(&token), says.gen_time), tokens[i].good);
        mlt_buf_clear(&token);
    }
}

static bool same_stamp(const struct mlt_timestamp *a, const struct mlt_timestamp *b) {
    return a->gen_time == b->gen_time && memcmp(a->imprint, b->imprint, MLT_HASH_LEN) == 0 &&
           strcmp(a->serial, b->serial) == 0 && strcmp(a->policy, b->policy) == 0 && a->accuracy_ns == b->accuracy_ns;
}

#define ASK_OPENSSL_EVERY 37 // flips: a process each; a prime, so that all eight bits have their turn

static void test_flips(void **state) {
    // Whatever bit is flipped: no crash, and a token that still verifies says the same; only what no signature covers
    // can have changed. `openssl ts -verify` agrees on each one that is asked.
    struct vectors *v = *state;
    struct mlt_timestamp says, now;
    size_t accepted = 0, asked = 0;
    assert_true(verify(v, mlt_buf_bytes(&v->token), v->roots, &says).good);
    for (size_t bit = 0; bit < v->token.len * 8; bit++) {
        v->token.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct mlt_timestamp_verdict verdict = verify(v, mlt_buf_bytes(&v->token), v->roots, &now);
        accepted += verdict.good;
        assert_true(!verdict.good || same_stamp(&now, &says));
        if (bit % ASK_OPENSSL_EVERY == 0) {
            asked++;
            if (openssl_verifies(mlt_buf_bytes(&v->token), says.gen_time) != verdict.good) {
                fail_msg("bit %zu: openssl does not agree that it is %s (%s)", bit, verdict.good ? "good" : "false",
                         verdict.why);
            }
        }
        v->token.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    print_message("%zu flips, %zu still verify (unsigned fields), openssl asked about %zu\n", v->token.len * 8,
                  accepted, asked);
    assert_true(accepted < v->token.len * 8 / 50);
}

static void test_cuts(void **state) {
    // A token or an answer that was cut anywhere is false.
    struct vectors *v = *state;
    struct mlt_buf token = {0};
    struct mlt_timestamp says;
    for (size_t len = 0; len < v->token.len; len++) {
        assert_false(verify(v, mlt_bytes_of(v->token.data, len), v->roots, NULL).good);
        assert_int_equal(mlt_timestamp_read(&says, mlt_bytes_of(v->token.data, len), NULL), MLT_INVALID);
        assert_false(answer(v, mlt_bytes_of(v->granted.data, len), nonce, &token).good);
    }
    mlt_buf_clear(&token);
}

static void test_too_long(void **state) {
    // Beyond a mebibyte nothing is parsed.
    struct vectors *v = *state;
    struct mlt_buf long_one = {0}, token = {0};
    struct mlt_timestamp says;
    assert_true(mlt_buf_reserve(&long_one, MLT_TIMESTAMP_MAX + 1));
    memset(long_one.data, 0x30, MLT_TIMESTAMP_MAX + 1);
    memcpy(long_one.data, v->token.data, v->token.len);
    struct mlt_bytes bytes = mlt_bytes_of(long_one.data, MLT_TIMESTAMP_MAX + 1);
    assert_int_equal(mlt_timestamp_read(&says, bytes, NULL), MLT_LIMIT);
    assert_false(verify(v, bytes, v->roots, NULL).good);
    assert_non_null(strstr(answer(v, bytes, nonce, &token).why, "1048577"));
    mlt_buf_clear(&long_one);
    mlt_buf_clear(&token);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),    cmocka_unit_test(test_answer),         cmocka_unit_test(test_false_answers),
        cmocka_unit_test(test_good_token), cmocka_unit_test(test_no_nonce),       cmocka_unit_test(test_false_tokens),
        cmocka_unit_test(test_roots),      cmocka_unit_test(test_openssl_agrees), cmocka_unit_test(test_flips),
        cmocka_unit_test(test_cuts),       cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
