// links: mlt_lineage
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lineage/lineage.h"

#include <cmocka.h>

static void test_reads_every_form(void **state) {
    // Every form of reference reads back its parts; the last slash separates, and parts are percent-decoded.
    static const struct {
        const char *text;
        enum mlt_ref_type type;
        const char *a, *b;
    } cases[] = {
        {"prediction:r-1", MLT_REF_PREDICTION, "r-1", ""},
        {"prediction:a/b:c#1", MLT_REF_PREDICTION, "a/b:c#1", ""},
        {"model:credit/7", MLT_REF_MODEL_VERSION, "credit", "7"},
        {"model:team/credit/7", MLT_REF_MODEL_VERSION, "team/credit", "7"},
        {"model:credit/v%2F7", MLT_REF_MODEL_VERSION, "credit", "v/7"},
        {"dataset:s3%3A//b/loans/2026", MLT_REF_DATASET_VERSION, "s3://b/loans", "2026"},
        {"job:nightly%20%E2%9C%93", MLT_REF_JOB, "nightly \xE2\x9C\x93", ""},
        {"approval:CAB-7", MLT_REF_APPROVAL, "CAB-7", ""},
        {"table:core/loans", MLT_REF_TABLE, "core", "loans"},
        {"table:/loans", MLT_REF_TABLE, "", "loans"},
        {"node:n1", MLT_REF_NODE, "n1", ""},
        {"prediction:%41", MLT_REF_PREDICTION, "A", ""},
    };
    struct mlt_arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mlt_ref ref;
        struct mlt_error err = {0};
        if (mlt_ref_parse(&ref, mlt_str(cases[i].text), &arena, &err) != MLT_OK) {
            fail_msg("%s: %s", cases[i].text, err.text);
        }
        assert_int_equal(ref.type, cases[i].type);
        assert_true(mlt_bytes_is(ref.a, cases[i].a));
        assert_true(mlt_bytes_is(ref.b, cases[i].b));
    }
    mlt_arena_clear(&arena);
}

static void test_reads_an_entry(void **state) {
    // An entry is named by its index in decimal.
    struct mlt_ref ref;
    struct mlt_arena arena = {0};
    (void)state;
    assert_int_equal(mlt_ref_parse(&ref, mlt_str("entry:42"), &arena, NULL), MLT_OK);
    assert_int_equal(ref.type, MLT_REF_ENTRY);
    assert_int_equal(ref.index, 42);
    mlt_arena_clear(&arena);
}

static void test_refuses_what_is_no_reference(void **state) {
    // What is no reference is refused, and the text says what would be right.
    static const char *const cases[] = {
        "",        "r-1",     "model:",    "model:credit", "model:/7",    "model:m/",
        "job:",    "entry:",  "entry:-1",  "entry:042",    "job:%",       "job:%4",
        "job:%zz", "job:%ff", "Model:m/1", "table:core/",  "prediction:", "unknown:a/b"};
    struct mlt_arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mlt_ref ref;
        struct mlt_error err = {0};
        if (mlt_ref_parse(&ref, mlt_str(cases[i]), &arena, &err) != MLT_INVALID) {
            fail_msg("accepted: '%s'", cases[i]);
        }
        assert_true(strlen(err.text) > 10);
    }
    mlt_arena_clear(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_every_form),
        cmocka_unit_test(test_reads_an_entry),
        cmocka_unit_test(test_refuses_what_is_no_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
