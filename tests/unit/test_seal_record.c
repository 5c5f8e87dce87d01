// links: mlt_record mlt_testlib
//
// What the commitments of an entry are for: one member can be shown to somebody who has the entry alone, and proved,
// while the others stay hidden.
#include "lib/drafting.h"

static struct mlt_draft *d;
static struct mlt_entry e;
static struct mlt_json plain;
static uint8_t secret[MLT_SECRET_LEN];

static int set_up(void **state) {
    if (drafting_begin(state) != 0) {
        return 1;
    }
    struct mlt_bytes text;
    d = draft("{\"kind\":\"prediction\",\"request_id\":\"r\",\"timestamp\":\"2026-11-23T09:40:01Z\","
              "\"feature_values\":{\"age\": 24},\"prediction\":{\"p\":0.870},\"subject\":\"s\",\"zip\":\"10115\"}");
    read_entry(&e, d);
    plain = (struct mlt_json){0};
    return mlt_entry_open_payload(&e, t.sealer, d->wrapped, d->sealed, &t.arena, &text, &t.err) != MLT_OK ||
           mlt_json_scan(&plain, text, &t.err) != MLT_OK ||
           mlt_seal_unwrap(t.sealer, secret, d->wrapped, &t.err) != MLT_OK;
}
static int tear_down(void **state) {
    mlt_json_clear(&plain);
    mlt_entry_clear(&e);
    return drafting_end(state);
}

// Does the entry commit, under `listed`, to this name and value with this salt?
static bool proves(const char *listed, const uint8_t salt[static MLT_HASH_LEN], const char *name, const char *value) {
    uint8_t commitment[MLT_HASH_LEN];
    char text[45];
    mlt_seal_commit(commitment, salt, mlt_str(name), mlt_str(value));
    mlt_base64_encode(text, mlt_bytes_of(commitment, sizeof(commitment)));
    return mlt_bytes_is(mlt_json_string(&e.json, mlt_json_get(&e.json, e.payload, listed), &t.arena), text);
}

static void test_one_member_is_disclosed(void **state) {
    // Salt, name and value bytes of one member suffice to check it against the entry.
    (void)state;
    uint8_t salt[MLT_HASH_LEN];
    mlt_seal_salt(salt, secret, mlt_str("prediction"));
    assert_true(proves("prediction", salt, "prediction", "{\"p\":0.870}"));
    assert_false(proves("prediction", salt, "prediction", "{\"p\":0.87}"));
    assert_false(proves("prediction", salt, "predictions", "{\"p\":0.870}"));
    assert_false(proves("feature_values", salt, "feature_values", "{\"age\": 24}"));
    mlt_seal_salt(salt, secret, mlt_str("feature_values"));
    assert_true(proves("feature_values", salt, "feature_values", "{\"age\": 24}"));
}

static void test_unknown_member_is_disclosed_with_its_name(void **state) {
    // The name of an unknown member is inside its commitment.
    (void)state;
    uint8_t salt[MLT_HASH_LEN];
    mlt_seal_salt(salt, secret, mlt_str("zip"));
    assert_true(proves("~1", salt, "zip", "\"10115\""));
    assert_false(proves("~1", salt, "~1", "\"10115\""));
}

static void test_salts_do_not_tell_each_other(void **state) {
    // Each member has a salt of its own, so that a disclosed one says nothing about a member that was not disclosed.
    (void)state;
    static const char *const names[] = {"feature_values", "prediction", "subject", "zip"};
    uint8_t salts[4][MLT_HASH_LEN];
    for (size_t i = 0; i < 4; i++) {
        mlt_seal_salt(salts[i], secret, mlt_str(names[i]));
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(salts[i], salts[k], MLT_HASH_LEN);
        }
    }
}

static void test_plaintext_begins_with_its_encoding(void **state) {
    // The sealed bytes are the encoding, zero for raw, and then the object.
    (void)state;
    uint8_t *open = mlt_arena_take(&t.arena, d->sealed.len);
    assert_int_equal(mlt_seal_open(t.sealer, open, secret, d->sealed, &t.err), MLT_OK);
    assert_int_equal(open[0], 0);
    assert_memory_equal(open + 1, plain.text.ptr, plain.text.len);
    assert_int_equal(d->sealed.len, 1 + plain.text.len + MLT_SEAL_TAG_LEN);
}

static void test_other_encoding_is_refused(void **state) {
    // A plaintext of an encoding that this build does not know is refused by its number.
    (void)state;
    struct mlt_bytes out;
    uint8_t *again = mlt_arena_take(&t.arena, d->sealed.len);
    assert_int_equal(mlt_seal_payload(t.sealer, again, secret, mlt_str("\x05{}"), &t.err), MLT_OK);
    assert_int_equal(mlt_entry_open_payload(&e, t.sealer, d->wrapped, mlt_bytes_of(again, 3 + MLT_SEAL_TAG_LEN),
                                            &t.arena, &out, &t.err),
                     MLT_CORRUPT);
    assert_non_null(strstr(t.err.text, "encoding 5"));
    static const char *const bad[] = {"", "[]", "{", "{\"prediction\":1}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t text[32] = {0};
        memcpy(text + 1, bad[i], strlen(bad[i]));
        struct mlt_bytes plaintext = mlt_bytes_of(text, 1 + strlen(bad[i]));
        assert_int_equal(mlt_seal_payload(t.sealer, again, secret, plaintext, &t.err), MLT_OK);
        assert_int_equal(mlt_entry_open_payload(&e, t.sealer, d->wrapped,
                                                mlt_bytes_of(again, plaintext.len + MLT_SEAL_TAG_LEN), &t.arena, &out,
                                                &t.err),
                         MLT_CORRUPT);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_one_member_is_disclosed),      TEST(test_unknown_member_is_disclosed_with_its_name),
        TEST(test_salts_do_not_tell_each_other), TEST(test_plaintext_begins_with_its_encoding),
        TEST(test_other_encoding_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
