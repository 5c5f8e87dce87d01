// links: mlt_note mlt_testlib
//
// The conversation of litewitness.txt (torchwood 341dc2f) is the source of the well-formed requests.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/vectors.h"
#include "note/add_checkpoint.h"

#include <cmocka.h>

#define NOTE                                                                                                           \
    "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562\n"                            \
    "1\nKgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n"                                                              \
    "\xe2\x80\x94 sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562 "                \
    "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=\n"
#define HASH_LINE "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"

static enum mlt_status parse(struct mlt_add_checkpoint *out, const struct mlt_buf *body, struct mlt_error *err) {
    return mlt_add_checkpoint_parse(out, mlt_buf_bytes(body), err);
}

static void test_requests_read_back(void **state) {
    // A request with 0, 1 and 63 hashes parses into its parts and prints as it was.
    (void)state;
    const size_t nums[] = {0, 1, MLT_ADD_CHECKPOINT_HASHES_MAX};
    for (size_t i = 0; i < 3; i++) {
        struct mlt_buf body = {0};
        struct mlt_buf printed = {0};
        struct mlt_add_checkpoint request;
        mlt_buf_printf(&body, "old %zu\n", i);
        for (size_t n = 0; n < nums[i]; n++) {
            mlt_buf_put_str(&body, HASH_LINE);
        }
        mlt_buf_put_str(&body, "\n" NOTE);
        assert_int_equal(parse(&request, &body, NULL), MLT_OK);
        assert_int_equal(request.old_size, i);
        assert_int_equal(request.proof.num_hashes, nums[i]);
        assert_true(nums[i] == 0 || (request.proof.hash[0][0] == 0x2a && request.proof.hash[0][1] == 1));
        assert_true(mlt_bytes_is(request.note, NOTE));
        mlt_add_checkpoint_format(&printed, &request);
        assert_true(mlt_bytes_equal(mlt_buf_bytes(&printed), mlt_buf_bytes(&body)));
        mlt_buf_clear(&body);
        mlt_buf_clear(&printed);
    }
}

static void test_malformed_requests_are_refused(void **state) {
    // What is not a request is refused with what it lacks, and nothing of it is handed out.
    (void)state;
    const struct {
        const char *body;
        const char *text;
    } cases[] = {
        {"", "old <decimal size>"},
        {"old 1", "old <decimal size>"},
        {"old \n\n" NOTE, "old <decimal size>"},
        {"old  1\n\n" NOTE, "old <decimal size>"},
        {"old 01\n\n" NOTE, "old <decimal size>"},
        {"old -1\n\n" NOTE, "old <decimal size>"},
        {"old 18446744073709551616\n\n" NOTE, "old <decimal size>"},
        {"Old 1\n\n" NOTE, "old <decimal size>"},
        {"old 1\r\n\r\n" NOTE, "old <decimal size>"},
        {"old 1\nKgEA\n\n" NOTE, "proof hash 1 must be 44 characters"},
        {"old 1\n" HASH_LINE " " HASH_LINE "\n" NOTE, "proof hash 2 must be 44 characters"},
        {"old 1\n" HASH_LINE, "no empty line before the checkpoint"},
        {"old 1\n\n", "no checkpoint after its empty line"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mlt_add_checkpoint request;
        struct mlt_error err;
        assert_int_equal(mlt_add_checkpoint_parse(&request, mlt_str(cases[i].body), &err), MLT_INVALID);
        if (!strstr(err.text, cases[i].text)) {
            fail_msg("case %zu: %s", i, err.text);
        }
        assert_int_equal(request.note.len, 0);
        assert_int_equal(request.proof.num_hashes, 0);
    }
}

static void test_limits(void **state) {
    // Sixty-four hashes and a body over the limit are refused.
    (void)state;
    struct mlt_buf body = {0};
    struct mlt_add_checkpoint request;
    struct mlt_error err;
    mlt_buf_put_str(&body, "old 1\n");
    for (size_t n = 0; n <= MLT_ADD_CHECKPOINT_HASHES_MAX; n++) {
        mlt_buf_put_str(&body, HASH_LINE);
    }
    mlt_buf_put_str(&body, "\n" NOTE);
    assert_int_equal(parse(&request, &body, &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "over 63 hashes"));
    while (body.len <= MLT_ADD_CHECKPOINT_MAX) {
        mlt_buf_put_str(&body, NOTE);
    }
    assert_int_equal(parse(&request, &body, NULL), MLT_LIMIT);
    mlt_buf_clear(&body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_read_back),
        cmocka_unit_test(test_malformed_requests_are_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
