// links: mlt_bundle mlt_base_posix
//
// Evidence bundles: what is made verifies, and what is changed in any way does not, and is named.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "lib/bundle_trail.h"
#include "lib/contains.h"

#include <cmocka.h>

struct fixture {
    struct bundle_trail b;
    struct mlt_buf zip, entries;
    struct mlt_arena arena;
    struct mlt_bundle_report report;
    struct mlt_error err;
};

static void make(struct fixture *f) {
    mlt_buf_reset(&f->zip);
    mlt_buf_reset(&f->entries);
    if (mlt_bundle_make(&f->b.req, &f->zip, &f->entries, &f->err) != MLT_OK) {
        fail_msg("%s", f->err.text);
    }
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    bundle_trail_open(&f->b);
    trail_fill(&f->b.t);
    trail_add(&f->b.t, "portal",
              "{\"kind\":\"approval\",\"approval_reference\":\"CAB-2\",\"model\":\"fna\",\"model_version\":\"7\","
              "\"verdict\":\"revoked\",\"approver\":\"okafor\",\"timestamp\":\"2026-11-23T09:59:00Z\","
              "\"reason\":\"drift\"}");
    bundle_trail_ready(&f->b, "r-1");
    make(f);
    *state = f;
    return 0;
}

#define PAD_LEN 20000 // longer than an entry's facts may be

// The same with a correction whose reference is too long for its entry: segments do not commit to what it corrects.
static int set_up_long(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    struct mlt_buf text = {0};
    assert_non_null(f);
    bundle_trail_open(&f->b);
    trail_fill(&f->b.t);
    mlt_buf_printf(&text, "{\"kind\":\"correction\",\"corrects\":{\"entry\":%d,\"note\":\"", E_PREDICTION);
    for (size_t i = 0; i < PAD_LEN; i++) {
        mlt_buf_put_u8(&text, 'x');
    }
    mlt_buf_put_str(&text, "\"},\"members\":{\"serving_node\":\"n2\"},\"reason\":\"wrong node\"}");
    trail_add(&f->b.t, "portal", mlt_buf_cstr(&text));
    mlt_buf_clear(&text);
    bundle_trail_ready(&f->b, "r-1");
    make(f);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    bundle_trail_close(&f->b);
    mlt_buf_clear(&f->zip);
    mlt_buf_clear(&f->entries);
    mlt_arena_clear(&f->arena);
    free(f);
    return 0;
}

static bool verify(struct fixture *f, struct mlt_bytes zip, const struct mlt_vkey *key) {
    if (mlt_bundle_verify(zip, key, BUILD, &f->arena, &f->report, &f->err) != MLT_OK) {
        fail_msg("could not check: %s", f->err.text);
    }
    return f->report.verdict;
}

static void test_holds(void **state) {
    // a bundle verifies with the key from outside, and says so of the key alone without it
    struct fixture *f = *state;
    if (!verify(f, mlt_buf_bytes(&f->zip), &f->b.t.signer.vkey)) {
        bundle_show_faults(&f->report);
        fail_msg("not verified");
    }
    assert_true(f->report.signed_by_key);
    assert_true(f->report.same_build);
    assert_int_equal(f->report.size, f->b.size);
    assert_int_equal(f->report.checkpoint_size, f->b.size + 1);
    assert_int_equal(f->report.segments, 1);
    assert_true(f->report.links > 10);
    assert_true(f->report.shown > 3);
    assert_int_equal(f->report.masked, 0);
    assert_true(verify(f, mlt_buf_bytes(&f->zip), NULL));
    assert_false(f->report.signed_by_key);
}

static void test_same_bytes(void **state) {
    // the same request gives the same bytes
    struct fixture *f = *state;
    struct mlt_buf again = {0}, entries = {0};
    assert_int_equal(mlt_bundle_make(&f->b.req, &again, &entries, &f->err), MLT_OK);
    assert_true(mlt_bytes_equal(mlt_buf_bytes(&again), mlt_buf_bytes(&f->zip)));
    mlt_buf_clear(&again);
    mlt_buf_clear(&entries);
}

static void test_asserted(void **state) {
    // the stream's runs are asserted and named, and that there is no anchor; nothing else is
    struct fixture *f = *state;
    assert_true(verify(f, mlt_buf_bytes(&f->zip), &f->b.t.signer.vkey));
    for (size_t i = 0; i < f->report.num_asserted; i++) {
        print_message("asserted: %s\n", f->report.asserted[i]);
    }
    assert_int_equal(f->report.num_asserted, 2);
    assert_non_null(strstr(f->report.asserted[0], "the stream"));
    assert_non_null(strstr(f->report.asserted[1], "\"anchor\": 0 in all"));
}

static void test_long_record_is_not_lost(void **state) {
    // what a long record refers to is proved from its details, which are in the bundle; nothing is asserted for it
    struct fixture *f = *state;
    if (!verify(f, mlt_buf_bytes(&f->zip), &f->b.t.signer.vkey)) {
        bundle_show_faults(&f->report);
        fail_msg("not verified");
    }
    assert_true(contains(f->report.dossier, "wrong node"));
    assert_int_equal(f->report.details, 1);
    for (size_t i = 0; i < f->report.num_asserted; i++) {
        assert_null(strstr(f->report.asserted[i], "corrects"));
        assert_null(strstr(f->report.asserted[i], "more than they commit to"));
    }
}

// The index of a liar: everything but the entry after the last one of the fixture.
static enum mlt_status find_but_one(void *ctx, const struct mlt_term *terms, size_t num_terms, uint64_t from,
                                    bool descending, size_t limit, uint64_t *out, size_t *num_out, uint64_t *total,
                                    bool *more, struct mlt_error *err) {
    const struct bundle_trail *b = ctx;
    const enum mlt_status status =
        b->now.find(ctx, terms, num_terms, from, descending, limit, out, num_out, total, more, err);
    size_t kept = 0;
    for (size_t i = 0; status == MLT_OK && i < *num_out; i++) {
        if (out[i] != E_ALL) {
            out[kept++] = out[i];
        } else if (total) {
            (*total)--;
        }
    }
    *num_out = status == MLT_OK ? kept : 0;
    return status;
}

static void test_long_record_cannot_be_left_out(void **state) {
    // a bundle whose maker's index forgot the long record does not verify
    struct fixture *f = *state;
    f->b.then.find = find_but_one;
    make(f);
    assert_false(verify(f, mlt_buf_bytes(&f->zip), &f->b.t.signer.vkey));
    assert_int_equal(f->report.num_faults, 1);
    assert_string_equal(f->report.faults[0].where, "dossier.json");
    assert_non_null(strstr(f->report.faults[0].text, "contradicts what is proved"));
    assert_false(contains(f->report.dossier, "wrong node"));
}

static void test_states(void **state) {
    // a payload that was erased, or that the maker may not see, stays closed, and that is proved as well
    struct fixture *f = *state;
    f->b.t.erased[E_PREDICTION] = true;
    f->b.t.withheld[E_ACCESS] = true;
    make(f);
    if (!verify(f, mlt_buf_bytes(&f->zip), &f->b.t.signer.vkey)) {
        bundle_show_faults(&f->report);
        fail_msg("not verified");
    }
    assert_true(contains(f->report.dossier, "\"withheld\":\"erased\""));
    assert_true(contains(f->report.dossier, "\"withheld\":\"not-granted\""));
    assert_true(contains(f->report.dossier, "payload-erased"));
}

static void test_no_prediction(void **state) {
    // there is no bundle of what is not there
    struct fixture *f = *state;
    struct mlt_buf zip = {0}, entries = {0};
    f->b.req.request_id = mlt_str("nobody");
    assert_int_equal(mlt_bundle_make(&f->b.req, &zip, &entries, &f->err), MLT_NOTFOUND);
    assert_int_equal(zip.len, 0);
    mlt_buf_clear(&zip);
    mlt_buf_clear(&entries);
}

static void test_not_an_archive(void **state) {
    // what is no archive is a verdict of false, not an error
    struct fixture *f = *state;
    assert_false(verify(f, mlt_str("PK\003\004 and nothing after it that helps"), NULL));
    assert_int_equal(f->report.num_faults, 1);
    assert_false(verify(f, mlt_str(""), NULL));
    assert_false(verify(f, mlt_bytes_of(f->zip.data, f->zip.len - 1), NULL));
}

static void test_choice(void **state) {
    // members are chosen by name, for all records or one
    (void)state;
    const struct mlt_bundle_choice all = {0}, one = {.only = mlt_str("a,17.b")}, most = {.not = mlt_str("17.b,c")};
    assert_true(mlt_bundle_shows(&all, 1, mlt_str("x")));
    assert_true(mlt_bundle_shows(&one, 1, mlt_str("a")));
    assert_true(mlt_bundle_shows(&one, 17, mlt_str("b")));
    assert_false(mlt_bundle_shows(&one, 18, mlt_str("b")));
    assert_false(mlt_bundle_shows(&most, 17, mlt_str("b")));
    assert_true(mlt_bundle_shows(&most, 18, mlt_str("b")));
    assert_false(mlt_bundle_shows(&most, 18, mlt_str("c")));
    assert_true(mlt_bundle_masks_anywhere(&most, mlt_str("b"))); // of entry 17: no correction of it may tell
    assert_true(mlt_bundle_masks_anywhere(&most, mlt_str("c")));
    assert_false(mlt_bundle_masks_anywhere(&most, mlt_str("a")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_asserted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_record_is_not_lost, set_up_long, tear_down),
        cmocka_unit_test_setup_teardown(test_long_record_cannot_be_left_out, set_up_long, tear_down),
        cmocka_unit_test_setup_teardown(test_states, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_prediction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_an_archive, set_up, tear_down),
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
