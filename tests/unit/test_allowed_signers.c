// links: mlt_note mlt_testlib
#include <stdio.h>

#include "base/time.h"
#include "lib/sshsigner.h"
#include "note/allowed_signers.h"

#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGAc8ZVqD5qgV2DRAwjRPL3xCcDsGFU8tLzy3pbFYBMF"
#define NAMESPACE "approval@mltrail"

static struct mlt_arena arena;
static struct mlt_error err;

static enum mlt_status reads(struct mlt_allowed_signers *out, const char *text) {
    return mlt_allowed_signers_read(out, mlt_str(text), &arena, &err);
}

static void refuses(const char *text, const char *phrase) {
    struct mlt_allowed_signers list;
    err.text[0] = '\0';
    assert_int_equal(reads(&list, text), MLT_INVALID);
    assert_int_equal(list.num, 0);
    if (strstr(err.text, phrase) == NULL) {
        fail_msg("'%s' instead of '%s'", err.text, phrase);
    }
}

static int clear(void **state) {
    (void)state;
    mlt_arena_clear(&arena);
    return 0;
}

static void test_reads(void **state) {
    // Comments and empty lines say nothing; tabs, CRLF, comments after the key and a missing last line end are fine.
    (void)state;
    struct mlt_allowed_signers list;
    assert_int_equal(reads(&list, ""), MLT_OK);
    assert_int_equal(list.num, 0);
    assert_int_equal(reads(&list, "# who\r\n\n  \t\n erin@example.com\t" KEY_A " erin's laptop \"old\r\n"
                                  "a,b namespaces=\"x\",Valid-After=\"20260101\" " KEY_A),
                     MLT_OK);
    assert_int_equal(list.num, 2);
    assert_int_equal(list.signers[0].line, 4);
    assert_true(mlt_bytes_is(list.signers[0].principals, "erin@example.com"));
    assert_null(list.signers[0].namespaces.ptr);
    assert_int_equal(list.signers[1].line, 5);
    assert_true(mlt_bytes_is(list.signers[1].namespaces, "x"));
    assert_true(list.signers[1].has_after && !list.signers[1].has_before);
}

static void test_refuses(void **state) {
    // A line that is not understood is named, and nothing of the file is taken.
    (void)state;
    refuses(KEY_A "\nerin\n", "line 1: "); // the type taken for principals
    refuses("a " KEY_A "\nerin\n", "line 2: a line is PRINCIPALS");
    refuses("erin cert-authority " KEY_A, "certificates are not supported");
    refuses("erin namespaces=\"x\",cert-authority " KEY_A, "certificates are not supported");
    refuses("erin ssh-ed25519-cert-v01@openssh.com AAAA", "certificates are not supported");
    refuses("erin ssh-dss AAAA", "DSA keys are too weak");
    refuses("erin ssh-ed25519", "the key must follow its type");
    refuses("erin ssh-ed25519 !!!!", "the key must follow its type");
    refuses("erin ssh-ed25519 AAAA", "cut off");
    refuses("erin ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGAc8ZVqD5qgV2DRAwjRPL3xCcDsGFU8tLzy3pbFYBMF", "another type");
    refuses("\"erin smith\" " KEY_A, "without quotes");
    refuses("erin no-touch=\"x\" " KEY_A, "no such option");
    refuses("erin namespaces=x " KEY_A, "options as namespaces");
    refuses("erin namespaces=\"x " KEY_A, "not closed");
    refuses("erin namespaces=\"x\\\"y\" " KEY_A, "backslash");
    refuses("erin namespaces=\"x\",namespaces=\"y\" " KEY_A, "given twice");
    refuses("erin namespaces=\"x\", " KEY_A, "a comma separates options");
    refuses("erin namespaces=\"x\"y " KEY_A, "a comma separates options");
    refuses("erin valid-after=\"20260101\",valid-after=\"20260102\" " KEY_A, "given twice");
    refuses("erin valid-after=\"20260102\",valid-before=\"20260102\" " KEY_A, "must be later");
    refuses("erin\x01 " KEY_A, "control character");
    static const char *const times[] = {
        "",           "2026",         "2026-01-01",     "20260230", "20261301", "202601011",
        "2026010124", "202601012460", "20260101246060", "19700101", "Z",        "20260101000000ZZ",
        "2026010A"};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char line[256];
        (void)snprintf(line, sizeof(line), "erin valid-before=\"%s\" %s", times[i], KEY_A);
        refuses(line, "must be a time after 1970");
    }
}

static void test_limits(void **state) {
    // Texts and lists over their limits are refused.
    (void)state;
    struct mlt_allowed_signers list;
    struct mlt_buf text = {0};
    for (size_t i = 0; i < MLT_ALLOWED_SIGNERS_TEXT_MAX; i++) {
        mlt_buf_put_u8(&text, '\n');
    }
    assert_int_equal(mlt_allowed_signers_read(&list, mlt_buf_bytes(&text), &arena, &err), MLT_OK);
    mlt_buf_put_u8(&text, '\n');
    assert_int_equal(mlt_allowed_signers_read(&list, mlt_buf_bytes(&text), &arena, &err), MLT_LIMIT);
    mlt_buf_reset(&text);
    for (size_t i = 0; i < 1100; i++) {
        mlt_buf_put_u8(&text, 'p');
    }
    mlt_buf_put_str(&text, " " KEY_A "\n");
    assert_int_equal(mlt_allowed_signers_read(&list, mlt_buf_bytes(&text), &arena, &err), MLT_INVALID);
    mlt_buf_clear(&text);
}

static enum mlt_signer_verdict find(const char *text, const char *principal, uint8_t key_number, const char *time,
                                    size_t *line) {
    struct mlt_allowed_signers list;
    const struct mlt_allowed_signer *signer;
    struct mlt_buf blob = {0};
    struct mlt_ssh_key key;
    const char *why;
    int64_t at;
    if (reads(&list, text) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    assert_true(mlt_time_parse(&at, mlt_str(time)));
    mlt_signing_key_free(sshsigner_key(key_number, &blob));
    assert_true(mlt_ssh_key_read(&key, mlt_buf_bytes(&blob), &why));
    enum mlt_signer_verdict verdict =
        mlt_allowed_signers_find(&list, mlt_str(principal), &key, mlt_str(NAMESPACE), at, &signer);
    *line = signer != NULL ? signer->line : 0;
    assert_true((signer != NULL) == (verdict != MLT_SIGNER_UNKNOWN));
    mlt_buf_clear(&blob);
    return verdict;
}

// The text with the public key of this number for every '#'.
static char *with_key(const char *text, uint8_t number) {
    struct mlt_buf key = {0}, out = {0};
    sshsigner_public(&key, number);
    for (; *text != '\0'; text++) {
        if (*text == '#') {
            mlt_buf_put_bytes(&out, mlt_buf_bytes(&key));
        } else {
            mlt_buf_put_u8(&out, (uint8_t)*text);
        }
    }
    char *copy = mlt_arena_cstr(&arena, mlt_buf_bytes(&out));
    mlt_buf_clear(&key);
    mlt_buf_clear(&out);
    assert_non_null(copy);
    return copy;
}

static void test_finds(void **state) {
    // The nearest line counts: one that allows before one that expired, one of his before one of somebody else.
    (void)state;
    size_t line;
    char *text = with_key("zoe #\nerin valid-before=\"20260101\" #\nerin valid-after=\"20260201\" #\n", 1);
    assert_int_equal(find(text, "erin", 1, "2026-01-01T00:00:00Z", &line), MLT_SIGNER_ALLOWED);
    assert_int_equal(line, 2);
    assert_int_equal(find(text, "erin", 1, "2026-01-01T00:00:00.000000001Z", &line), MLT_SIGNER_EXPIRED);
    assert_int_equal(line, 2);
    assert_int_equal(find(text, "erin", 1, "2026-02-01T00:00:00Z", &line), MLT_SIGNER_ALLOWED);
    assert_int_equal(line, 3);
    assert_int_equal(find(text, "frank", 1, "2026-02-01T00:00:00Z", &line), MLT_SIGNER_OTHER_PRINCIPAL);
    assert_int_equal(line, 1);
    assert_int_equal(find(text, "erin", 2, "2026-02-01T00:00:00Z", &line), MLT_SIGNER_UNKNOWN);
    text = with_key("erin namespaces=\"git\" #\n", 1);
    assert_int_equal(find(text, "erin", 1, "2026-02-01T00:00:00Z", &line), MLT_SIGNER_OTHER_NAMESPACE);
    text = with_key("erin namespaces=\"\" #\n", 1);
    assert_int_equal(find(text, "erin", 1, "2026-02-01T00:00:00Z", &line), MLT_SIGNER_OTHER_NAMESPACE);
    text = with_key("erin valid-after=\"202602010000Z\" #\n", 1);
    assert_int_equal(find(text, "erin", 1, "2026-01-31T23:59:59.999999999Z", &line), MLT_SIGNER_NOT_YET);
}

static void test_patterns(void **state) {
    // Patterns match as a whole; many stars do not make it slow.
    (void)state;
    static const struct {
        const char *principals, *principal;
        bool matches;
    } cases[] = {
        {"erin", "erin", true},
        {"erin", "erin2", false},
        {"eri", "erin", false},
        {"*", "erin", true},
        {"*", "", true},
        {"e*n", "erin", true},
        {"e*i", "erin", false},
        {"*r*n", "erin", true},
        {"????", "erin", true},
        {"???", "erin", false},
        {"?????", "erin", false},
        {"a,erin", "erin", true},
        {"a,b", "erin", false},
        {"!erin,*", "erin", false},
        {"*,!erin", "erin", false},
        {"!zoe", "erin", false},
        {"!zoe,erin", "erin", true},
        {"!*", "erin", false},
        {"a**b", "ab", true},
        {"*.example.com", "x.example.com", true},
        {"*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t line;
        char format[128];
        (void)snprintf(format, sizeof(format), "%s #\n", cases[i].principals);
        enum mlt_signer_verdict verdict =
            find(with_key(format, 1), cases[i].principal, 1, "2026-01-01T00:00:00Z", &line);
        if ((verdict == MLT_SIGNER_ALLOWED) != cases[i].matches) {
            fail_msg("%s against %s", cases[i].principals, cases[i].principal);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_reads, clear),    cmocka_unit_test_teardown(test_refuses, clear),
        cmocka_unit_test_teardown(test_limits, clear),   cmocka_unit_test_teardown(test_finds, clear),
        cmocka_unit_test_teardown(test_patterns, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
