// links: mlt_record mlt_testlib
#include "lib/drafting.h"
#include "lib/sample_records.h"

static const char GOOD[] = "{\"v\":1,\"kind\":\"x-a\",\"id\":\"i\",\"time\":null,\"received\":\"2026-11-23T09:40:01Z\","
                           "\"producer\":{\"principal\":\"p\",\"assurance\":\"local\"},\"facts\":{}}";

static enum mlt_status parse(const char *text) {
    struct mlt_entry e;
    enum mlt_status status = mlt_entry_parse(&e, &t.arena, mlt_str(text), &t.err);
    if (status == MLT_OK) {
        mlt_entry_clear(&e);
    }
    return status;
}

static void test_parse(void **state) {
    // An entry reads back into its parts; times are read, absent parts say so.
    (void)state;
    struct mlt_entry e;
    assert_int_equal(mlt_entry_parse(&e, &t.arena, mlt_str(GOOD), &t.err), MLT_OK);
    assert_int_equal(e.kind->kind, MLT_KIND_CUSTOM);
    assert_text(e.kind_name, "x-a");
    assert_text(e.id, "i");
    assert_text(e.principal, "p");
    assert_text(e.assurance, "local");
    assert_false(e.has_time);
    assert_int_equal(e.time_text.len, 0);
    assert_int_equal(e.received, INT64_C(1795426801000000000));
    assert_true(mlt_json_is(&e.json, e.facts, MLT_JSON_OBJECT));
    assert_int_equal(e.details, MLT_JSON_NONE);
    assert_int_equal(e.payload, MLT_JSON_NONE);
    mlt_entry_clear(&e);
    mlt_entry_clear(NULL);
    assert_int_equal(mlt_entry_parse(&e, &t.arena,
                                     mlt_str("{\"v\":1,\"kind\":\"later.kind\",\"id\":\"i\",\"time\":"
                                             "\"2026-11-23T10:40:01+01:00\",\"received\":\"2026-11-23T09:40:01Z\","
                                             "\"producer\":{\"principal\":\"p\",\"assurance\":\"local\"},"
                                             "\"facts\":{\"a\":1},\"details\":{},\"payload\":{}}"),
                                     &t.err),
                     MLT_OK);
    assert_null(e.kind);
    assert_true(e.has_time);
    assert_int_equal(e.time, e.received);
    assert_int_not_equal(e.details, MLT_JSON_NONE);
    assert_int_not_equal(e.payload, MLT_JSON_NONE);
    mlt_entry_clear(&e);
}

static void test_parse_refuses(void **state) {
    // Bytes that are no entry are damage, whatever is wrong with them.
    (void)state;
    static const char *const swaps[][2] = {
        {"\"v\":1", "\"v\":2"},
        {"\"v\":1", "\"v\":\"1\""},
        {"\"kind\":\"x-a\"", "\"kind\":7"},
        {"\"id\":\"i\"", "\"id\":null"},
        {"\"time\":null", "\"time\":\"noon\""},
        {"\"time\":null", "\"time\":5"},
        {"\"time\":null,", ""},
        {"2026-11-23T09:40:01Z", "2026-11-23"},
        {"\"producer\":{\"principal\":\"p\",\"assurance\":\"local\"}", "\"producer\":\"p\""},
        {",\"assurance\":\"local\"", ""},
        {"\"facts\":{}", "\"facts\":[]"},
        {"\"facts\":{}", "\"facts\":{},\"details\":[]"},
        {"\"facts\":{}", "\"facts\":{},\"payload\":\"\""},
        {"{}}", "{}"},
    };
    assert_int_equal(parse(GOOD), MLT_OK);
    assert_int_equal(parse(""), MLT_CORRUPT);
    assert_int_equal(parse("[]"), MLT_CORRUPT);
    for (size_t i = 0; i < sizeof(swaps) / sizeof(swaps[0]); i++) {
        const char *at = strstr(GOOD, swaps[i][0]);
        assert_non_null(at);
        char *text =
            mlt_arena_printf(&t.arena, "%.*s%s%s", (int)(at - GOOD), GOOD, swaps[i][1], at + strlen(swaps[i][0]));
        if (parse(text) != MLT_CORRUPT) {
            fail_msg("accepted: %s", text);
        }
    }
}

static enum mlt_status open_payload(const struct mlt_entry *e, const struct mlt_draft *d, struct mlt_bytes *plain) {
    return mlt_entry_open_payload(e, t.sealer, d->wrapped, d->sealed, &t.arena, plain, &t.err);
}

static void test_open_payload(void **state) {
    // The payload opens to the submitted members, byte for byte, unknown ones under their own names.
    (void)state;
    struct mlt_entry e;
    struct mlt_bytes plain;
    struct mlt_draft *d = draft("{\"kind\":\"prediction\",\"request_id\":\"r\",\"timestamp\":\"2026-11-23T09:40:01Z\","
                                "\"prediction\": { \"p\" : 0.8730 }, \"model\":\"m\",\"zip\\u0020code\":\"1\\/2\","
                                "\"~1\":true,\"subject\":null}");
    read_entry(&e, d);
    assert_int_equal(open_payload(&e, d, &plain), MLT_OK);
    assert_text(plain, "{\"prediction\":{ \"p\" : 0.8730 },\"zip\\u0020code\":\"1\\/2\",\"~1\":true,\"subject\":null}");
    mlt_entry_clear(&e);
}

static void test_open_payload_of_every_kind(void **state) {
    // What every sample submits as payload comes back.
    (void)state;
    for (int k = 0; k < MLT_NUM_KINDS; k++) {
        struct mlt_entry e;
        struct mlt_bytes plain;
        struct mlt_draft *d = draft(SAMPLE_RECORDS[k]);
        read_entry(&e, d);
        assert_int_equal(open_payload(&e, d, &plain), d->has_payload ? MLT_OK : MLT_CORRUPT);
        mlt_entry_clear(&e);
    }
}

static void test_open_payload_finds_changes(void **state) {
    // A changed seal, secret or commitment, one too many or too few, are found and named.
    (void)state;
    struct mlt_entry e;
    struct mlt_bytes plain;
    struct mlt_draft *d = draft("{\"kind\":\"x-a\",\"first\":1,\"private\":{\"a\":2}}");
    read_entry(&e, d);
    assert_int_equal(open_payload(&e, d, &plain), MLT_OK);
    uint8_t *sealed = (uint8_t *)(uintptr_t)d->sealed.ptr;
    for (size_t i = 0; i < d->sealed.len; i++) {
        sealed[i] ^= 1;
        assert_int_equal(open_payload(&e, d, &plain), MLT_CORRUPT);
        assert_null(plain.ptr);
        sealed[i] ^= 1;
    }
    d->wrapped[0] ^= 1;
    assert_int_equal(open_payload(&e, d, &plain), MLT_CORRUPT);
    d->wrapped[0] ^= 1;
    struct mlt_bytes whole = d->sealed;
    d->sealed.len = MLT_SEAL_TAG_LEN;
    assert_int_equal(open_payload(&e, d, &plain), MLT_CORRUPT);
    d->sealed = whole;
    mlt_entry_clear(&e);

    static const char *const names[] = {"~1", "private"};
    char *text = mlt_arena_cstr(&t.arena, entry_bytes(d));
    for (size_t i = 0; i < 2; i++) {
        char *changed = mlt_arena_cstr(&t.arena, mlt_str(text));
        char *at = strstr(changed, names[i]) + strlen(names[i]) + 3;
        *at = *at == 'A' ? 'B' : 'A';
        assert_int_equal(mlt_entry_parse(&e, &t.arena, mlt_str(changed), &t.err), MLT_OK);
        assert_int_equal(open_payload(&e, d, &plain), MLT_CORRUPT);
        assert_non_null(strstr(t.err.text, i ? "private" : "first"));
        mlt_entry_clear(&e);
    }
    const char *commitments = strstr(text, "\"payload\":{") + strlen("\"payload\":{");
    char *more = mlt_arena_printf(&t.arena, "%.*s\"~2\":\"%044d\",%s", (int)(commitments - text), text, 0, commitments);
    assert_int_equal(mlt_entry_parse(&e, &t.arena, mlt_str(more), &t.err), MLT_OK);
    assert_int_equal(open_payload(&e, d, &plain), MLT_CORRUPT);
    mlt_entry_clear(&e);
    const char *second = strchr(commitments, ',') + 1;
    char *fewer = mlt_arena_printf(&t.arena, "%.*s%s", (int)(commitments - text), text, second);
    assert_int_equal(mlt_entry_parse(&e, &t.arena, mlt_str(fewer), &t.err), MLT_OK);
    assert_int_equal(open_payload(&e, d, &plain), MLT_CORRUPT);
    mlt_entry_clear(&e);
}

static void assert_same_look_up(const struct mlt_draft *a, const struct mlt_draft *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->has_payload, b->has_payload);
    assert_int_equal(a->has_identity, b->has_identity);
    assert_memory_equal(a->name.hash, b->name.hash, MLT_TERM_LEN);
    assert_int_equal(a->name.dim, b->name.dim);
    assert_true(a->owner == b->owner);
    assert_memory_equal(a->content, b->content, sizeof(a->content));
    assert_int_equal(a->num_terms, b->num_terms);
    for (size_t i = 0; i < a->num_terms; i++) {
        assert_int_equal(a->terms[i].dim, b->terms[i].dim);
        assert_memory_equal(a->terms[i].hash, b->terms[i].hash, MLT_TERM_LEN);
    }
    assert_int_equal(a->has_sequence, b->has_sequence);
    assert_true(a->sequence == b->sequence);
    assert_int_equal(a->stream.dim, b->stream.dim);
    assert_memory_equal(a->stream.hash, b->stream.hash, MLT_TERM_LEN);
    assert_int_equal(a->has_event_time, b->has_event_time);
    assert_true(a->event_time == b->event_time);
}

// The facts of an entry with its details put back, as a reader of the log makes them.
static void restore_facts(struct mlt_buf *out, const struct mlt_entry *e, const struct mlt_draft *d) {
    mlt_buf_put_bytes(out, mlt_json_raw(&e->json, e->facts));
    size_t i = 0;
    for (mlt_json_at n = mlt_json_first(&e->json, e->details); n != MLT_JSON_NONE;
         n = mlt_json_next(&e->json, e->details, n), i++) {
        out->len--; // the closing brace
        if (out->len > 1) {
            mlt_buf_put_u8(out, ',');
        }
        mlt_buf_put_bytes(out, mlt_json_raw(&e->json, n));
        mlt_buf_put_u8(out, ':');
        mlt_buf_put_bytes(out, d->details[i].bytes);
        mlt_buf_put_u8(out, '}');
    }
    assert_false(out->failed);
}

static void redraft(struct mlt_draft *out, struct mlt_draft *d, bool with_payload) {
    struct mlt_entry e;
    struct mlt_buf facts_text = {0};
    struct mlt_json facts = {0};
    struct mlt_json payload = {0};
    struct mlt_bytes plain;
    read_entry(&e, d);
    restore_facts(&facts_text, &e, d);
    assert_int_equal(mlt_json_scan(&facts, mlt_buf_bytes(&facts_text), &t.err), MLT_OK);
    if (with_payload && d->has_payload) {
        assert_int_equal(open_payload(&e, d, &plain), MLT_OK);
        assert_int_equal(mlt_json_scan(&payload, plain, &t.err), MLT_OK);
    }
    assert_int_equal(
        mlt_entry_redraft(out, &t.arena, &e, &facts, payload.num_tokens ? &payload : NULL, &t.keys, &t.err), MLT_OK);
    mlt_json_clear(&facts);
    mlt_json_clear(&payload);
    mlt_buf_clear(&facts_text);
    mlt_entry_clear(&e);
}

static void test_redraft_equals_the_first_time(void **state) {
    // For every kind the index can be rebuilt: an entry read back is found by the same terms and has the same identity.
    (void)state;
    for (int k = 0; k < MLT_NUM_KINDS; k++) {
        struct mlt_draft again;
        struct mlt_draft *d = draft(SAMPLE_RECORDS[k]);
        redraft(&again, d, true);
        assert_same_look_up(&again, d);
    }
}

static void test_redraft_of_odd_records(void **state) {
    // Escapes, white space, nulls, unknown members, no time and no identity make no difference between the two.
    (void)state;
    static const char *const records[] = {
        "{\"kind\":\"pre\\u0064iction\",\"request_\\u0069d\":\"r\\u00e9\",\"timestamp\":\"2026-11-23T09:40:01\\u005a\","
        "\"feature_values\":{ \"a\" : [ 1 ] },\"n\":null,\"serving_node\":null,\"sequence\":4,\"z z\":{ }}",
        "{\"kind\":\"x-a\"}",
        "{\"kind\":\"x-a\",\"event_id\":null,\"timestamp\":null,\"public\":[\"\\u0061\"],\"a\":[ ],\"b\":[ ]}",
        "{\"kind\":\"correction\",\"corrects\":\"e-1\",\"members\":{}}",
        "{\"kind\":\"access\",\"action\":\"read\",\"resource\":{\"type\":\"other\"},\"timestamp\":\"2026-11-23T09:40:"
        "01Z\"}",
        "{\"kind\":\"transition\",\"model\":\"m\",\"model_version\":\"1\",\"to_stage\":\"a\",\"timestamp\":"
        "\"1969-12-31T23:30:00Z\",\"deployment\":{}}",
    };
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        struct mlt_draft again;
        struct mlt_draft *d = draft(records[i]);
        redraft(&again, d, true);
        assert_same_look_up(&again, d);
    }
}

static void test_redraft_with_details(void **state) {
    // Facts that spilled count as if they had stayed.
    (void)state;
    struct mlt_buf text = {0};
    mlt_buf_put_str(&text, "{\"kind\":\"training.run\",\"training_job_id\":\"j\",\"datasets\":[");
    for (int i = 0; i < 200; i++) {
        mlt_buf_printf(&text, "%s{\"dataset\":\"d\",\"version\":\"%0100d\"}", i ? "," : "", i);
    }
    mlt_buf_put_str(&text, "]}");
    struct mlt_draft again;
    struct mlt_draft *d = draft_bytes(mlt_buf_bytes(&text));
    assert_int_equal(d->num_details, 1);
    assert_true(d->num_terms > 200);
    redraft(&again, d, true);
    assert_same_look_up(&again, d);
    mlt_buf_clear(&text);
}

static void test_redraft_without_payload(void **state) {
    // After an erasure the identity stays, the content is zero, and terms from the payload are gone.
    (void)state;
    static const uint8_t zero[16];
    struct mlt_draft again;
    struct mlt_draft *d = draft(SAMPLE_RECORDS[MLT_KIND_PREDICTION]);
    redraft(&again, d, false);
    assert_memory_equal(again.content, zero, sizeof(zero));
    assert_memory_equal(again.name.hash, d->name.hash, MLT_TERM_LEN);
    assert_true(again.owner == d->owner && again.has_identity && again.has_payload);
    assert_int_equal(again.num_terms, d->num_terms - 1); // the subject
    for (size_t i = 0; i < again.num_terms; i++) {
        assert_int_not_equal(again.terms[i].dim, MLT_DIM_SUBJECT);
    }
}

static void test_redraft_of_a_later_kind(void **state) {
    // An entry of a kind that this build does not know is still found by kind, producer and id.
    (void)state;
    struct mlt_entry e;
    struct mlt_draft again;
    struct mlt_json facts = {0};
    assert_int_equal(mlt_entry_parse(&e, &t.arena,
                                     mlt_str("{\"v\":1,\"kind\":\"later.kind\",\"id\":\"i\",\"time\":null,\"received\":"
                                             "\"2026-11-23T09:40:01Z\",\"producer\":{\"principal\":\"p\",\"assurance\":"
                                             "\"local\"},\"facts\":{\"event_id\":\"i\",\"model\":\"m\"}}"),
                                     &t.err),
                     MLT_OK);
    assert_int_equal(mlt_json_scan(&facts, mlt_json_raw(&e.json, e.facts), &t.err), MLT_OK);
    assert_int_equal(mlt_entry_redraft(&again, &t.arena, &e, &facts, NULL, &t.keys, &t.err), MLT_OK);
    struct mlt_term want;
    struct mlt_bytes values[] = {mlt_str("later.kind"), mlt_str("i")};
    mlt_term_make(&want, t.keys.index_key, MLT_DIM_EVENT, values, 2);
    assert_true(again.has_identity);
    assert_memory_equal(again.name.hash, want.hash, MLT_TERM_LEN);
    assert_int_equal(again.num_terms, 3);
    mlt_json_clear(&facts);
    mlt_entry_clear(&e);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, drafting_begin, drafting_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_parse),
        TEST(test_parse_refuses),
        TEST(test_open_payload),
        TEST(test_open_payload_of_every_kind),
        TEST(test_open_payload_finds_changes),
        TEST(test_redraft_equals_the_first_time),
        TEST(test_redraft_of_odd_records),
        TEST(test_redraft_with_details),
        TEST(test_redraft_without_payload),
        TEST(test_redraft_of_a_later_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
