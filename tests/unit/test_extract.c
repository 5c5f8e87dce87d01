// links: mlt_bundle mlt_base_posix
//
// Extracts: a range is whole with its statement, and not when anything in it or in the statement is another.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "bundle/extract.h"
#include "lib/bundle_trail.h"

#include <cmocka.h>

struct fixture {
    struct bundle_trail b;
    struct mlt_extract_report report;
    struct mlt_extract_statement statement;
    struct mlt_extract_hidden hidden[16];
    char vkey[MLT_VKEY_TEXT_MAX];
    struct mlt_error err;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    bundle_trail_open(&f->b);
    trail_fill(&f->b.t);
    bundle_trail_ready(&f->b, "r-1");
    mlt_vkey_format(f->vkey, &f->b.t.signer.vkey);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    bundle_trail_close(&f->b);
    free(f);
    return 0;
}

static void state_range(struct fixture *f, uint64_t first, uint64_t end) {
    f->statement = (struct mlt_extract_statement){.first = first,
                                                  .end = end,
                                                  .found = end - first,
                                                  .checkpoint = mlt_buf_bytes(&f->b.t.checkpoint),
                                                  .key = mlt_str(f->vkey)};
    trail_check(f->b.now.prove(&f->b.t, first, &f->statement.first_proof, &f->err), &f->err);
    trail_check(f->b.now.prove(&f->b.t, end - 1, &f->statement.last_proof, &f->err), &f->err);
}

// Entries are given as NDJSON lines; `left_out` is passed over, `changed` gets one byte more.
static bool check(struct fixture *f, uint64_t left_out, uint64_t changed, const struct mlt_vkey *key) {
    struct mlt_extract_check c;
    struct mlt_buf text = {0};
    mlt_extract_put(&text, &f->statement);
    trail_check(mlt_extract_begin(&c, &f->report, mlt_buf_bytes(&text), key, &f->err), &f->err);
    for (uint64_t i = f->statement.first; i < f->statement.end; i++) {
        const struct mlt_draft *d = &f->b.t.batch.drafts[i];
        mlt_buf_reset(&text);
        mlt_buf_printf(&text, "{\"index\":%llu,\"entry\":", (unsigned long long)i);
        mlt_buf_put(&text, d->entry, d->entry_len - (i == changed));
        mlt_buf_put_str(&text, i == changed ? ",\"x\":1}}" : "}");
        if (i != left_out) {
            trail_check(mlt_extract_line(&c, mlt_buf_bytes(&text), &f->err), &f->err);
        }
    }
    mlt_extract_end(&c);
    mlt_arena_clear(&c.arena);
    mlt_buf_clear(&text);
    return f->report.verdict;
}

static void test_every_range(void **state) {
    // every range of the trail is whole as it is, and not with any entry changed or left out
    struct fixture *f = *state;
    for (uint64_t first = 0; first < f->b.t.num; first++) {
        for (uint64_t end = first + 1; end <= f->b.t.num; end++) {
            state_range(f, first, end);
            assert_true(check(f, UINT64_MAX, UINT64_MAX, &f->b.t.signer.vkey));
            assert_true(f->report.signed_by_key);
            assert_int_equal(f->report.found, end - first);
            for (uint64_t i = first; i < end; i++) {
                assert_false(check(f, i, UINT64_MAX, &f->b.t.signer.vkey));
                assert_false(check(f, UINT64_MAX, i, &f->b.t.signer.vkey));
            }
        }
    }
}

static void test_keys(void **state) {
    // without a key from outside the named one is used and said to be; another key says false
    struct fixture *f = *state;
    struct mlt_signer other;
    const uint8_t seed[32] = {77};
    state_range(f, 2, 7);
    assert_true(check(f, UINT64_MAX, UINT64_MAX, NULL));
    assert_false(f->report.signed_by_key);
    assert_int_equal(mlt_signer_init(&other, mlt_str(TRAIL_ORIGIN), seed, &f->err), MLT_OK);
    assert_false(check(f, UINT64_MAX, UINT64_MAX, &other.vkey));
    mlt_signer_clear(&other);
}

static void test_hidden(void **state) {
    // an entry that is not shown is there by its hash; a wrong hash, or none, is missed
    struct fixture *f = *state;
    state_range(f, 2, 7);
    f->statement.found = 4;
    f->statement.hidden = f->hidden;
    f->statement.num_hidden = 1;
    f->hidden[0].at = 4;
    memcpy(f->hidden[0].hash, f->b.t.leaves[4], MLT_HASH_LEN);
    assert_true(check(f, 4, UINT64_MAX, NULL));
    assert_false(check(f, UINT64_MAX, UINT64_MAX, NULL)); // shown and hidden
    f->hidden[0].hash[0] ^= 1;
    assert_false(check(f, 4, UINT64_MAX, NULL));
}

static void test_times(void **state) {
    // an entry that was not received in the time that was asked for has no place in the range
    struct fixture *f = *state;
    char time[MLT_TIME_TEXT_LEN + 1];
    state_range(f, 2, 7);
    mlt_time_format(time, INT64_C(1795428000) * MLT_NS_PER_S + 2 * 60 * MLT_NS_PER_S);
    f->statement.from = mlt_str(time);
    assert_true(check(f, UINT64_MAX, UINT64_MAX, NULL));
    f->statement.to = mlt_str(time);
    assert_false(check(f, UINT64_MAX, UINT64_MAX, NULL));
    f->statement.to = mlt_str("tomorrow");
    assert_false(check(f, UINT64_MAX, UINT64_MAX, NULL));
}

static void test_statements(void **state) {
    // a statement that counts wrong or proves something else is none
    struct fixture *f = *state;
    state_range(f, 2, 7);
    f->statement.found = 4;
    assert_false(check(f, UINT64_MAX, UINT64_MAX, NULL));
    state_range(f, 2, 7);
    f->statement.first_proof = f->statement.last_proof;
    assert_false(check(f, UINT64_MAX, UINT64_MAX, NULL));
    state_range(f, 2, 7);
    f->statement.last_proof.hash[0][5] ^= 4;
    assert_false(check(f, UINT64_MAX, UINT64_MAX, NULL));
    state_range(f, 2, 7);
    f->statement.checkpoint = mlt_buf_bytes(&f->b.note_then); // an earlier tree
    assert_false(check(f, UINT64_MAX, UINT64_MAX, NULL));
}

static void test_not_a_statement(void **state) {
    // anything else is a fault
    struct fixture *f = *state;
    static const char *const texts[] = {"", "{}", "null", "{\"extract\":\"mltrail/v2 extract\"}", "[1,2"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct mlt_extract_check c;
        trail_check(mlt_extract_begin(&c, &f->report, mlt_str(texts[i]), NULL, &f->err), &f->err);
        mlt_extract_end(&c);
        assert_false(f->report.verdict);
        assert_true(f->report.num_faults > 0);
        mlt_arena_clear(&c.arena);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_every_range), TEST(test_keys),       TEST(test_hidden),
        TEST(test_times),       TEST(test_statements), TEST(test_not_a_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
