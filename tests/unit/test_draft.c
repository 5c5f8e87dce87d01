// links: mlt_record mlt_testlib
#include "lib/drafting.h"
#include "lib/sample_records.h"

#define PREDICTION "{\"kind\":\"prediction\",\"request_id\":\"r1\",\"timestamp\":\"2026-11-23T09:40:01Z\""

static void rejected(const char *record, enum mlt_status status, const char *code, const char *pointer,
                     const char *says) {
    size_t before = t.batch.num_drafts;
    struct mlt_problem *p = &t.problem;
    enum mlt_status got = mlt_builder_add(t.builder, &t.batch, &t.producer, mlt_str(record), NULL, 17, p, &t.err);
    if (got != status || strcmp(p->code, code) != 0 || strcmp(p->pointer, pointer) != 0 || !strstr(p->detail, says)) {
        fail_msg("%s: got %s \"%s\" \"%s\" %s", record, mlt_status_name(got), p->code, p->pointer, p->detail);
    }
    assert_int_equal(p->line, 17);
    assert_int_equal(t.batch.num_drafts, before);
}
static void invalid(const char *record, const char *code, const char *pointer, const char *says) {
    rejected(record, MLT_INVALID, code, pointer, says);
}

static void test_entry_bytes(void **state) {
    // The entry has exactly the documented members in their order, and the submitted bytes of every fact.
    (void)state;
    struct mlt_draft *d =
        draft("{ \"event_id\" : \"e\\u002d1\", \"kind\":\"transition\",\"model\":\"a\\/b\",\"model_version\":\"1\",\n"
              "\"to_stage\":\"production\", \"timestamp\" : \"2026-11-23T10:40:01.50+01:00\",\"deployment\":{ "
              "\"region\":\"eu\" }}");
    char *text = mlt_arena_cstr(&t.arena, entry_bytes(d));
    assert_string_equal(text,
                        "{\"v\":1,\"kind\":\"transition\",\"id\":\"e-1\",\"time\":\"2026-11-23T10:40:01.50+01:00\","
                        "\"received\":\"0000-00-00T00:00:00.000000000Z\","
                        "\"producer\":{\"principal\":\"token:serving\",\"assurance\":\"authenticated\"},"
                        "\"facts\":{\"event_id\":\"e\\u002d1\",\"model\":\"a\\/b\",\"model_version\":\"1\","
                        "\"to_stage\":\"production\",\"timestamp\":\"2026-11-23T10:40:01.50+01:00\","
                        "\"deployment\":{ \"region\":\"eu\" }}}");
    assert_false(d->has_payload);
    assert_int_equal(d->sealed.len, 0);
    assert_memory_equal(d->entry + d->received_off, "0000-00-00T00:00:00.000000000Z", MLT_TIME_TEXT_LEN);
}

static void test_every_kind_is_drafted(void **state) {
    // A full record of every kind becomes an entry that reads back as that kind.
    (void)state;
    for (int k = 0; k < MLT_NUM_KINDS; k++) {
        struct mlt_entry e;
        struct mlt_draft *d = draft(SAMPLE_RECORDS[k]);
        read_entry(&e, d);
        assert_int_equal(d->kind, k);
        assert_int_equal(e.kind->kind, k);
        assert_text(e.principal, "token:serving");
        assert_text(e.assurance, "authenticated");
        assert_int_equal(e.received, INT64_C(1795426802000000000));
        assert_int_equal(d->has_payload, e.payload != MLT_JSON_NONE);
        assert_true(d->num_terms >= 3);
        mlt_entry_clear(&e);
    }
}

static void test_personal_members_stay_out(void **state) {
    // What concerns a person is in the sealed payload and nowhere in the entry, nor is the name of an unknown member.
    (void)state;
    struct mlt_draft *d =
        draft(PREDICTION ",\"feature_values\":{\"age\":4711},\"prediction\":4712,\"subject\":\"s4713\","
                         "\"explanation\":\"x4714\",\"caller\":\"c4715\",\"private\":{\"p\":4716},"
                         "\"postcode_4717\":\"u4718\"}");
    static const char *const secrets[] = {"age", "471", "postcode"};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        assert_lacks(d, secrets[i]);
    }
    static const char *const names[] = {
        "\"feature_values\":\"", "\"prediction\":\"", "\"subject\":\"", "\"explanation\":\"",
        "\"caller\":\"",         "\"private\":\"",    "\"~1\":\""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_contains(d, names[i]);
    }
    assert_true(d->has_payload);
    d = draft("{\"kind\":\"access\",\"action\":\"read\",\"resource\":{\"type\":\"other\"},\"timestamp\":"
              "\"2026-11-23T09:40:01Z\",\"principal\":\"q1\",\"source\":{\"host\":\"q2\"},\"query\":\"q3\",\"session\":"
              "\"q4\","
              "\"on_behalf_of\":\"q5\"}");
    for (char c = '1'; c <= '5'; c++) {
        char secret[] = {'q', c, '\0'};
        assert_lacks(d, secret);
    }
}

static void test_member_names_match_unescaped(void **state) {
    // A member is a fact or payload by what its name says, not by how it is spelt.
    (void)state;
    struct mlt_draft *d = draft(PREDICTION ",\"mode\\u006c\":\"m\",\"su\\u0062ject\":\"hidden\"}");
    assert_contains(d, "\"mode\\u006c\":\"m\"");
    assert_contains(d, "\"payload\":{\"subject\":\"");
    assert_lacks(d, "hidden");
}

static void test_custom_kinds(void **state) {
    // Of a kind of the user's own everything is payload but what `public` lists; `private` never is public.
    (void)state;
    struct mlt_draft *d =
        draft("{\"kind\":\"x-a\",\"public\":[\"b\",\"private\",\"nowhere\"],\"b\":1,\"c\":2,\"private\":{},"
              "\"d\":3}");
    assert_contains(d, "\"facts\":{\"public\":[\"b\",\"private\",\"nowhere\"],\"b\":1}");
    assert_contains(d, "\"payload\":{\"~1\":\"");
    assert_contains(d, "\"private\":\"");
    assert_contains(d, "\"~2\":\"");
    assert_lacks(d, "\"~3\"");
}

static void test_issued_ids(void **state) {
    // A record without event_id gets a UUID of version 7 with the server's milliseconds; no two are equal.
    (void)state;
    char ids[2][37];
    for (int i = 0; i < 2; i++) {
        struct mlt_entry e;
        read_entry(&e, draft(PREDICTION "}"));
        assert_int_equal(e.id.len, 36);
        memcpy(ids[i], e.id.ptr, 36);
        ids[i][36] = '\0';
        mlt_entry_clear(&e);
        assert_int_equal(strtoull(ids[i], NULL, 16), 1795426801123 >> 16);
        assert_int_equal(strtoull(ids[i] + 9, NULL, 16), 1795426801123 & 0xFFFF);
        assert_int_equal(ids[i][14], '7');
        assert_non_null(strchr("89ab", ids[i][19]));
        for (int k = 0; k < 36; k++) {
            assert_int_equal(ids[i][k] == '-', k == 8 || k == 13 || k == 18 || k == 23);
        }
    }
    assert_string_not_equal(ids[0], ids[1]);
}

static void test_secrets_are_never_used_twice(void **state) {
    // The same record twice gives other ciphertexts, other wrapped secrets, other commitments.
    (void)state;
    draft(SAMPLE_RECORDS[MLT_KIND_PREDICTION]);
    draft(SAMPLE_RECORDS[MLT_KIND_PREDICTION]);
    const struct mlt_draft *a = &t.batch.drafts[0];
    const struct mlt_draft *b = &t.batch.drafts[1];
    assert_int_equal(a->sealed.len, b->sealed.len);
    assert_memory_not_equal(a->sealed.ptr, b->sealed.ptr, a->sealed.len);
    assert_memory_not_equal(a->wrapped, b->wrapped, MLT_WRAPPED_LEN);
    assert_memory_not_equal(a->entry + a->entry_len - 40, b->entry + b->entry_len - 40, 30);
}

// A dataset.version whose sources and transformations have these lengths.
static struct mlt_bytes long_dataset(struct mlt_buf *out, size_t sources_len, size_t transformations_len) {
    mlt_buf_reset(out);
    mlt_buf_put_str(out,
                    "{\"kind\":\"dataset.version\",\"dataset\":\"d\",\"version\":\"1\",\"sources\":[{\"query\":\"");
    for (size_t i = 0; i < sources_len; i++) {
        mlt_buf_put_u8(out, 'q');
    }
    mlt_buf_put_str(out, "\"} ],\"transformations\":[{\"description\":\"");
    for (size_t i = 0; i < transformations_len; i++) {
        mlt_buf_put_u8(out, 'd');
    }
    mlt_buf_put_str(out, "\"}]}");
    assert_false(out->failed);
    return mlt_buf_bytes(out);
}

static void test_long_facts_spill(void **state) {
    // Facts over the limit leave the entry, largest first and no more than needed, bound to it by hash and length.
    (void)state;
    struct mlt_buf text = {0};
    struct mlt_draft *d = draft_bytes(long_dataset(&text, 9000, 6000));
    assert_int_equal(d->num_details, 0);
    assert_lacks(d, "\"details\"");
    d = draft_bytes(long_dataset(&text, 9000, 16000));
    assert_int_equal(d->num_details, 1);
    assert_contains(d, "\"sources\":[");
    d = draft_bytes(long_dataset(&text, 30000, 40000));
    assert_int_equal(d->num_details, 2);
    assert_true(d->entry_len < 1000);
    for (size_t i = 0; i < 2; i++) {
        uint8_t hash[MLT_HASH_LEN];
        char hex[2 * MLT_HASH_LEN + 1];
        char want[160];
        mlt_sha256_one(hash, d->details[i].bytes);
        assert_memory_equal(hash, d->details[i].hash, sizeof(hash));
        mlt_hex_encode(hex, mlt_bytes_of(hash, sizeof(hash)));
        snprintf(want, sizeof(want), "\"%s\":{\"sha256\":\"%s\",\"length\":%zu}", i ? "transformations" : "sources",
                 hex, d->details[i].bytes.len);
        assert_contains(d, want);
    }
    assert_memory_equal(d->details[0].bytes.ptr, "[{\"query\":\"qqq", 14);
    assert_memory_equal(d->details[0].bytes.ptr + d->details[0].bytes.len - 4, "\"} ]", 4);
    mlt_buf_clear(&text);
}

static void test_details_are_bounded(void **state) {
    // More facts than the stated limit are refused with a reason.
    (void)state;
    struct mlt_buf text = {0};
    long_dataset(&text, MLT_DETAILS_MAX, 0);
    rejected(mlt_buf_cstr(&text), MLT_LIMIT, "details-too-large", "", "16777216");
    long_dataset(&text, MLT_DETAILS_MAX - 1000, 0);
    draft_bytes(mlt_buf_bytes(&text));
    long_dataset(&text, MLT_RECORD_MAX, 0);
    rejected(mlt_buf_cstr(&text), MLT_LIMIT, "record-too-large", "", "20971520");
    mlt_buf_clear(&text);
}

static void test_payload_is_bounded(void **state) {
    // A payload over the limit, or of more members than an entry has room for, is refused with a reason.
    (void)state;
    struct mlt_buf text = {0};
    mlt_buf_put_str(&text, PREDICTION ",\"prediction\":\"");
    for (size_t i = 0; i < MLT_PAYLOAD_MAX; i++) {
        mlt_buf_put_u8(&text, 'p');
    }
    mlt_buf_put_str(&text, "\"}");
    rejected(mlt_buf_cstr(&text), MLT_LIMIT, "payload-too-large", "", "4194304");
    static const int too_many[] = {300, 600};
    for (size_t i = 0; i < 2; i++) {
        mlt_buf_reset(&text);
        mlt_buf_put_str(&text, PREDICTION);
        for (int k = 0; k < too_many[i]; k++) {
            mlt_buf_printf(&text, ",\"m%d\":0", k);
        }
        mlt_buf_put_u8(&text, '}');
        rejected(mlt_buf_cstr(&text), MLT_LIMIT, "too-many-members", "", "one object");
    }
    mlt_buf_reset(&text);
    mlt_buf_put_str(&text, PREDICTION ",\"");
    for (size_t i = 0; i <= MLT_SEAL_NAME_MAX; i++) {
        mlt_buf_put_u8(&text, 'n');
    }
    mlt_buf_put_str(&text, "\":0}");
    rejected(mlt_buf_cstr(&text), MLT_LIMIT, "name-too-long", "", "65535");
    mlt_buf_clear(&text);
}

static void test_widest_entry(void **state) {
    // A record at every limit at once still gives an entry that a bundle can hold, or is refused with a reason.
    (void)state;
    struct mlt_buf text = {0};
    mlt_buf_put_str(&text, "{\"kind\":\"x-wide\",\"event_id\":\"");
    for (int i = 0; i < 1024; i++) {
        mlt_buf_put_u8(&text, 'e');
    }
    mlt_buf_put_str(&text, "\",\"public\":[");
    for (int i = 0; i < 200; i++) {
        mlt_buf_printf(&text, "%s\"f%d\"", i ? "," : "", i);
    }
    mlt_buf_put_str(&text, "]");
    for (int i = 0; i < 200; i++) {
        mlt_buf_printf(&text, ",\"f%d\":\"%0100d\",\"p%d\":0", i, i, i);
    }
    mlt_buf_put_u8(&text, '}');
    memset(t.producer.principal, '\x01', sizeof(t.producer.principal) - 1);
    struct mlt_draft *d = draft_bytes(mlt_buf_bytes(&text));
    assert_true(d->entry_len <= MLT_ENTRY_MAX);
    assert_true(d->num_details > 0);
    mlt_buf_clear(&text);
}

static void test_what_is_no_record(void **state) {
    // Text that is no JSON object is refused with the place and the reason.
    (void)state;
    invalid("", "not-json", "", "at byte 0");
    invalid("[]", "not-an-object", "", "an array");
    invalid("\"prediction\"", "not-an-object", "", "a string");
    invalid(PREDICTION ",\"model\":}", "not-json", "/model", "");
    invalid(PREDICTION ",\"model\":\"\xFF\"}", "invalid-utf8", "/model", "UTF-8");
    invalid(PREDICTION ",\"request_id\":\"r2\"}", "duplicate-member", "/request_id", "stands twice");
    struct mlt_buf deep = {0};
    struct mlt_buf pointer = {0};
    mlt_buf_put_str(&deep, PREDICTION ",\"private\":{\"a\":");
    mlt_buf_put_str(&pointer, "/private/a");
    for (int i = 2; i < MLT_JSON_DEPTH_MAX; i++) {
        mlt_buf_put_u8(&deep, '[');
        mlt_buf_put_str(&pointer, "/0");
    }
    mlt_buf_put_str(&deep, "[");
    rejected(mlt_buf_cstr(&deep), MLT_LIMIT, "too-deep", mlt_buf_cstr(&pointer), "64");
    mlt_buf_clear(&deep);
    mlt_buf_clear(&pointer);
}

static void test_kinds_are_checked(void **state) {
    // A record needs a kind that it may have; a slip of the pen gets a suggestion.
    (void)state;
    invalid("{}", "missing-kind", "/kind", "kind is required");
    invalid("{\"kind\":7}", "wrong-type", "/kind", "a number");
    invalid("{\"kind\":\"predicton\"}", "unknown-kind", "/kind", "did you mean \"prediction\"");
    invalid("{\"kind\":\"modelversion\"}", "unknown-kind", "/kind", "did you mean \"model.version\"");
    invalid("{\"kind\":\"zebra\"}", "unknown-kind", "/kind", "x-");
    invalid("{\"kind\":\"x-\"}", "unknown-kind", "/kind", "x-");
    static const char *const server_only[] = {"control", "alert", "export", "erasure", "hold", "anchor"};
    for (size_t i = 0; i < sizeof(server_only) / sizeof(server_only[0]); i++) {
        char record[64];
        snprintf(record, sizeof(record), "{\"kind\":\"%s\"}", server_only[i]);
        invalid(record, "server-only-kind", "/kind", server_only[i]);
    }
}

static void test_default_kind(void **state) {
    // The kind of the batch stands in for an absent one, and gives way to one that is there.
    (void)state;
    assert_int_equal(mlt_builder_add(t.builder, &t.batch, &t.producer,
                                     mlt_str("{\"request_id\":\"r\",\"timestamp\":\"2026-11-23T09:40:01Z\"}"),
                                     "prediction", 3, &t.problem, &t.err),
                     MLT_OK);
    assert_int_equal(t.batch.drafts[0].kind, MLT_KIND_PREDICTION);
    assert_int_equal(t.batch.drafts[0].line, 3);
    assert_int_equal(mlt_builder_add(t.builder, &t.batch, &t.producer, mlt_str("{\"kind\":\"x-b\"}"), "prediction", 4,
                                     &t.problem, &t.err),
                     MLT_OK);
    assert_int_equal(t.batch.drafts[1].kind, MLT_KIND_CUSTOM);
    draft(PREDICTION "}");
    draft("{\"request_id\":\"r1\",\"kind\":\"prediction\",\"timestamp\":\"2026-11-23T09:40:01Z\"}");
    assert_memory_equal(t.batch.drafts[2].content, t.batch.drafts[3].content, 16);
}

static void test_required_members(void **state) {
    // Each missing required member is named, with the misspelt one that may have been meant.
    (void)state;
    invalid("{\"kind\":\"prediction\",\"timestamp\":\"2026-11-23T09:40:01Z\"}", "missing-member", "/request_id",
            "request_id is required");
    invalid("{\"kind\":\"prediction\",\"requestid\":\"r\",\"timestamp\":\"2026-11-23T09:40:01Z\"}", "missing-member",
            "/request_id", "\"requestid\"");
    invalid("{\"kind\":\"prediction\",\"request_id\":\"r\"}", "missing-member", "/timestamp", "required");
    invalid("{\"kind\":\"prediction\",\"request_id\":null,\"timestamp\":\"2026-11-23T09:40:01Z\"}", "missing-member",
            "/request_id", "required");
    invalid("{\"kind\":\"prediction\",\"request_id\":\"\",\"timestamp\":\"2026-11-23T09:40:01Z\"}", "bad-value",
            "/request_id", "empty");
    invalid(
        "{\"kind\":\"access\",\"action\":\"read\",\"timestamp\":\"2026-11-23T09:40:01Z\",\"resource\":{\"id\":\"x\"}}",
        "missing-member", "/resource/type", "required");
}

static void test_values_are_checked(void **state) {
    // A value of the wrong type or form is refused at its pointer, with what would be right.
    (void)state;
    invalid(PREDICTION ",\"model\":7}", "wrong-type", "/model", "must be a string, not a number");
    invalid(PREDICTION ",\"sequence\":-1}", "wrong-type", "/sequence", "whole number");
    invalid(PREDICTION ",\"sequence\":1.0}", "wrong-type", "/sequence", "whole number");
    invalid(PREDICTION ",\"confidence\":\"0.5\"}", "wrong-type", "/confidence", "a number, not a string");
    invalid(PREDICTION ",\"status\":\"good\"}", "bad-value", "/status", "ok, error, fallback, timeout");
    invalid(PREDICTION ",\"status\":1}", "bad-value", "/status", "ok, error");
    invalid(PREDICTION ",\"private\":[]}", "wrong-type", "/private", "an object, not an array");
    invalid(PREDICTION ",\"deployment\":\"eu\"}", "wrong-type", "/deployment", "an object");
    invalid(PREDICTION ",\"deployment\":{\"variant\":\"best\"}}", "bad-value", "/deployment/variant", "champion");
    invalid(PREDICTION ",\"event_id\":\"\"}", "bad-value", "/event_id", "1 to");
    invalid(PREDICTION ",\"model_artifact_hash\":\"9f86\"}", "bad-digest", "/model_artifact_hash", "sha256:");
    invalid(PREDICTION ",\"model_artifact_hash\":\"sha256:9F86\"}", "bad-digest", "/model_artifact_hash", "64");
    invalid(PREDICTION ",\"model_artifact_hash\":{}}", "bad-digest", "/model_artifact_hash", "at least one");
    invalid(PREDICTION ",\"model_artifact_hash\":{\"oms\":1}}", "wrong-type", "/model_artifact_hash/oms", "string");
    invalid(PREDICTION ",\"model_artifact_hash\":{\"sha256\":\"x\"}}", "bad-digest", "/model_artifact_hash/sha256",
            "64");
    invalid("{\"kind\":\"prediction\",\"request_id\":\"r\",\"timestamp\":\"yesterday\"}", "bad-time", "/timestamp",
            "RFC 3339");
    invalid("{\"kind\":\"prediction\",\"request_id\":\"r\",\"timestamp\":\"2026-11-23T09:40:01\"}", "bad-time",
            "/timestamp", "zone");
    invalid("{\"kind\":\"prediction\",\"request_id\":\"r\",\"timestamp\":1795426801}", "wrong-type", "/timestamp",
            "a time");
    invalid("{\"kind\":\"decision\",\"result\":1,\"request_ids\":[\"a\",2]}", "wrong-type", "/request_ids/1",
            "a string");
    invalid("{\"kind\":\"training.run\",\"training_job_id\":\"j\",\"git_dirty\":\"no\"}", "wrong-type", "/git_dirty",
            "true or false");
    invalid("{\"kind\":\"training.run\",\"training_job_id\":\"j\",\"environment\":[]}", "wrong-type", "/environment",
            "a string or an object");
}

static void test_nested_values_are_checked(void **state) {
    // Inside lists and objects the pointer leads to the very value.
    (void)state;
#define DATASET "{\"kind\":\"dataset.version\",\"dataset\":\"d\",\"version\":\"1\","
    invalid(DATASET "\"sources\":{}}", "wrong-type", "/sources", "an array of objects");
    invalid(DATASET "\"sources\":[{},7]}", "wrong-type", "/sources/1", "an object, not a number");
    invalid(DATASET "\"sources\":[{},{\"date_range\":{\"from\":\"last year\"}}]}", "bad-time",
            "/sources/1/date_range/from", "2026-11-23");
    invalid(DATASET "\"sources\":[{\"date_range\":{\"to\":5}}]}", "wrong-type", "/sources/0/date_range/to",
            "a date, a time or null");
    invalid(DATASET "\"inputs\":[{\"version\":\"1\"}]}", "missing-member", "/inputs/0/dataset", "required");
    invalid(DATASET "\"transformations\":[{\"code\":{\"path\":1}}]}", "wrong-type", "/transformations/0/code/path",
            "a string");
    draft(DATASET "\"sources\":[{\"date_range\":{\"from\":\"2020-01-01\",\"to\":null}},{\"date_range\":null}],"
                  "\"exclusions\":[],\"inputs\":null}");
}

static void test_null_is_absent(void **state) {
    // A null member that is not required is kept as it is and counts as not given.
    (void)state;
    struct mlt_draft *d = draft("{\"kind\":\"tally\",\"source\":\"s\",\"counted\":\"prediction\",\"from\":"
                                "\"2026-11-23T09:00:00Z\",\"to\":\"2026-11-23T10:00:00Z\",\"count\":1,\"scope\":null,"
                                "\"timestamp\":null,\"event_id\":null,\"private\":null}");
    assert_contains(d, "\"time\":null");
    assert_contains(d, "\"scope\":null,\"timestamp\":null,\"event_id\":null");
    assert_false(d->has_identity);
    assert_false(d->has_event_time);
}

static void test_batches_are_reused(void **state) {
    // A batch can be used again after a reset, and after it was cleared.
    (void)state;
    draft(PREDICTION "}");
    assert_int_equal(t.batch.num_drafts, 1);
    mlt_batch_reset(&t.batch);
    assert_int_equal(t.batch.num_drafts, 0);
    draft(PREDICTION "}");
    assert_int_equal(t.batch.num_drafts, 1);
    mlt_batch_clear(&t.batch);
    assert_null(t.batch.drafts);
    mlt_batch_clear(NULL);
    mlt_builder_free(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, drafting_begin, drafting_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_entry_bytes),
        TEST(test_every_kind_is_drafted),
        TEST(test_personal_members_stay_out),
        TEST(test_member_names_match_unescaped),
        TEST(test_custom_kinds),
        TEST(test_issued_ids),
        TEST(test_secrets_are_never_used_twice),
        TEST(test_long_facts_spill),
        TEST(test_details_are_bounded),
        TEST(test_payload_is_bounded),
        TEST(test_widest_entry),
        TEST(test_what_is_no_record),
        TEST(test_kinds_are_checked),
        TEST(test_default_kind),
        TEST(test_required_members),
        TEST(test_values_are_checked),
        TEST(test_nested_values_are_checked),
        TEST(test_null_is_absent),
        TEST(test_batches_are_reused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
