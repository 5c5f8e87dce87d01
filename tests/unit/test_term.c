// links: mlt_record mlt_testlib
//
// The known answers were computed apart from this code, with Python's hashlib, from the definition in record/term.h.
#include "lib/drafting.h"
#include "lib/sample_records.h"
#include "lib/vectors.h"
#include "record/digest.h"

static void term_is(enum mlt_dim dim, const struct mlt_bytes *values, size_t num_values, const char *hex) {
    struct mlt_term term;
    uint8_t want[MLT_TERM_LEN];
    test_unhex(want, sizeof(want), hex);
    mlt_term_make(&term, t.keys.index_key, dim, values, num_values);
    assert_memory_equal(term.hash, want, sizeof(want));
    assert_int_equal(term.dim, dim);
}

static void test_term_known_answer(void **state) {
    // A term has exactly the documented bytes.
    (void)state;
    const struct mlt_bytes one[] = {mlt_str("req-000417")};
    const struct mlt_bytes two[] = {{0}, mlt_str("x\xC3\xA9")};
    term_is(MLT_DIM_REQUEST, one, 1, "20fd522afe5ca8d0f4d2ef066536cda6");
    term_is(MLT_DIM_USES_JOB, two, 2, "030643d0153841e1ffac8a81094f0bd7");
    term_is(MLT_DIM_KIND, NULL, 0, "8c8686c94a2695c971a3aa0946850412");
}

static void test_cached_terms_are_the_same(void **state) {
    // A term through the cache is the term without it, the first time and again, for values of every length.
    (void)state;
    static struct mlt_term_cache cache;
    char text[2 * MLT_TERM_CACHE_KEY_MAX];
    memset(text, 'm', sizeof(text));
    for (size_t a = 0; a < MLT_TERM_CACHE_KEY_MAX + 5; a++) {
        for (size_t b = 0; b<MLT_TERM_CACHE_KEY_MAX + 5; b += a + b> 100 ? 1 : 7) {
            struct mlt_bytes values[] = {mlt_bytes_of(text, a), mlt_bytes_of(text, b), {0}};
            struct mlt_term want;
            mlt_term_make(&want, t.keys.index_key, MLT_DIM_USES_VERSION, values, 3);
            for (int turn = 0; turn < 2; turn++) {
                struct mlt_term got;
                mlt_term_make_cached(&cache, &got, t.keys.index_key, MLT_DIM_USES_VERSION, values, 3);
                assert_memory_equal(&got, &want, sizeof(want));
            }
        }
    }
}

static bool has(const struct mlt_draft *d, enum mlt_dim dim, const char *a, const char *b) {
    struct mlt_term want;
    struct mlt_bytes values[] = {mlt_str(a), mlt_str(b)};
    mlt_term_make(&want, t.keys.index_key, dim, values, b ? 2 : 1);
    for (size_t i = 0; i < d->num_terms; i++) {
        if (d->terms[i].dim == want.dim && memcmp(d->terms[i].hash, want.hash, MLT_TERM_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static void test_terms_by_kind(void **state) {
    // Records of each kind are found by everything that term.h lists for them.
    (void)state;
    static const struct {
        enum mlt_kind kind;
        enum mlt_dim dim;
        const char *a, *b;
    } want[] = {
        {MLT_KIND_PREDICTION, MLT_DIM_REQUEST, "req-000417", NULL},
        {MLT_KIND_PREDICTION, MLT_DIM_USES_MODEL, "credit-default", NULL},
        {MLT_KIND_PREDICTION, MLT_DIM_USES_VERSION, "credit-default", "3.2.1"},
        {MLT_KIND_PREDICTION, MLT_DIM_PREDICTED_BY, "credit-default", "3.2.1"},
        {MLT_KIND_PREDICTION, MLT_DIM_NODE, "node-7", NULL},
        {MLT_KIND_PREDICTION, MLT_DIM_STREAM, "node-7", "8f2c"},
        {MLT_KIND_PREDICTION, MLT_DIM_SUBJECT, "customer-81", NULL},
        {MLT_KIND_PREDICTION, MLT_DIM_HOUR, "498729", NULL},
        {MLT_KIND_PREDICTION, MLT_DIM_PRODUCER, "token:serving", NULL},
        {MLT_KIND_DATASET_VERSION, MLT_DIM_DATASET_VERSION, "loans", "2026-10"},
        {MLT_KIND_DATASET_VERSION, MLT_DIM_TABLE, "core-banking", "loans"},
        {MLT_KIND_DATASET_VERSION, MLT_DIM_USES_DATASET, "payments", "2026-10"},
        {MLT_KIND_TRAINING_RUN, MLT_DIM_JOB, "job-118", NULL},
        {MLT_KIND_TRAINING_RUN, MLT_DIM_USES_DATASET, "loans", "2026-10"},
        {MLT_KIND_TRAINING_RUN, MLT_DIM_USES_COMPONENT, "credit-base", "1"},
        {MLT_KIND_MODEL_VERSION, MLT_DIM_MODEL_VERSION, "credit-default", "3.2.1"},
        {MLT_KIND_MODEL_VERSION, MLT_DIM_USES_MODEL, "credit-default", NULL},
        {MLT_KIND_MODEL_VERSION, MLT_DIM_USES_JOB, "job-118", NULL},
        {MLT_KIND_MODEL_VERSION, MLT_DIM_USES_COMPONENT, "tokenizer", "2"},
        {MLT_KIND_APPROVAL, MLT_DIM_APPROVES, "credit-default", "3.2.1"},
        {MLT_KIND_APPROVAL, MLT_DIM_USES_VERSION, "credit-default", "3.2.1"},
        {MLT_KIND_APPROVAL, MLT_DIM_APPROVAL, "CAB-2026-118", NULL},
        {MLT_KIND_TRANSITION, MLT_DIM_MOVES, "credit-default", "3.2.1"},
        {MLT_KIND_TRANSITION, MLT_DIM_APPROVAL, "CAB-2026-118", NULL},
        {MLT_KIND_TRANSITION, MLT_DIM_STAGE, "production", NULL},
        {MLT_KIND_TRANSITION, MLT_DIM_EVENT, "transition", "argo-5512"},
        {MLT_KIND_ACCESS, MLT_DIM_RESOURCE, "training_data", "loans/2026-10"},
        {MLT_KIND_ACCESS, MLT_DIM_PRINCIPAL, "ana", NULL},
        {MLT_KIND_DECISION, MLT_DIM_REQUEST, "req-000417", NULL},
        {MLT_KIND_DECISION, MLT_DIM_REQUEST, "req-000418", NULL},
        {MLT_KIND_DECISION, MLT_DIM_SUBJECT, "customer-81", NULL},
        {MLT_KIND_OVERSIGHT, MLT_DIM_REQUEST, "req-000417", NULL},
        {MLT_KIND_EXPLANATION, MLT_DIM_REQUEST, "req-000417", NULL},
        {MLT_KIND_NOTICE, MLT_DIM_REQUEST, "req-000417", NULL},
        {MLT_KIND_OUTCOME, MLT_DIM_REQUEST, "req-000417", NULL},
        {MLT_KIND_CORRECTION, MLT_DIM_CORRECTS, "41", NULL},
        {MLT_KIND_CAPTURE, MLT_DIM_CORRELATION, "openlineage", "3f5e83fa-3480-44ff-99c5-ff943904e5e8"},
        {MLT_KIND_TALLY, MLT_DIM_STREAM, "node-7", "8f2c"},
        {MLT_KIND_CONTROL, MLT_DIM_SETTING, "production_stages", NULL},
        {MLT_KIND_CONTROL, MLT_DIM_CONTROL, "setting", NULL},
        {MLT_KIND_CUSTOM, MLT_DIM_EVENT, "x-incident", "inc-5"},
        {MLT_KIND_CUSTOM, MLT_DIM_KIND, "x-incident", NULL},
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        struct mlt_draft *d = draft(SAMPLE_RECORDS[want[i].kind]);
        if (!has(d, want[i].dim, want[i].a, want[i].b)) {
            fail_msg("%s lacks dimension %d of %s", mlt_kind_info(want[i].kind)->name, (int)want[i].dim, want[i].a);
        }
        assert_true(d->kind == MLT_KIND_CUSTOM || has(d, MLT_DIM_KIND, mlt_kind_info(d->kind)->name, NULL));
    }
    struct mlt_term deployment;
    struct mlt_bytes parts[] = {mlt_str("production"), mlt_str("eu-1"), mlt_str("credit"), mlt_str("champion")};
    mlt_term_make(&deployment, t.keys.index_key, MLT_DIM_DEPLOYMENT, parts, 4);
    struct mlt_draft *d = draft(SAMPLE_RECORDS[MLT_KIND_TRANSITION]);
    bool found = false;
    for (size_t i = 0; i < d->num_terms; i++) {
        found |= d->terms[i].dim == MLT_DIM_DEPLOYMENT && memcmp(d->terms[i].hash, deployment.hash, MLT_TERM_LEN) == 0;
    }
    assert_true(found);
}

static void test_terms_do_not_repeat(void **state) {
    // No term stands twice, and the name is among them.
    (void)state;
    for (int k = 0; k < MLT_NUM_KINDS; k++) {
        struct mlt_draft *d = draft(SAMPLE_RECORDS[k]);
        bool named = false;
        for (size_t i = 0; i < d->num_terms; i++) {
            named |= memcmp(&d->terms[i], &d->name, sizeof(d->name)) == 0;
            for (size_t n = 0; n < i; n++) {
                assert_memory_not_equal(&d->terms[i], &d->terms[n], sizeof(d->name));
            }
        }
        assert_int_equal(named, d->has_identity);
    }
}

static void test_number_of_terms_is_bounded(void **state) {
    // A record that names more than the index takes keeps its own name and as many terms as fit.
    (void)state;
    struct mlt_buf text = {0};
    mlt_buf_put_str(&text, "{\"kind\":\"decision\",\"event_id\":\"e\",\"result\":1,\"request_ids\":[");
    for (int i = 0; i < 1000; i++) {
        mlt_buf_printf(&text, "%s\"r%d\"", i ? "," : "", i);
    }
    mlt_buf_put_str(&text, "]}");
    struct mlt_draft *d = draft_bytes(mlt_buf_bytes(&text));
    assert_int_equal(d->num_terms, MLT_TERMS_MAX);
    assert_true(has(d, MLT_DIM_EVENT, "decision", "e"));
    assert_true(has(d, MLT_DIM_REQUEST, "r0", NULL));
    mlt_buf_clear(&text);
}

// Two records in one batch, by the same producer.
static void compare(const char *a, const char *b, bool same_name, bool same_owner, bool same_content) {
    mlt_batch_reset(&t.batch);
    draft(a);
    draft(b);
    const struct mlt_draft *x = &t.batch.drafts[0];
    const struct mlt_draft *y = &t.batch.drafts[1];
    assert_true(x->has_identity && y->has_identity);
    assert_int_equal(memcmp(&x->name, &y->name, sizeof(x->name)) == 0, same_name);
    assert_int_equal(x->owner == y->owner, same_owner);
    assert_int_equal(memcmp(x->content, y->content, sizeof(x->content)) == 0, same_content);
}

#define TIME "\"timestamp\":\"2026-11-23T09:40:01Z\""

static void test_identity(void **state) {
    // What is the same record again, and what is another under the same name.
    (void)state;
    // White space, order and spelling of names make no difference.
    compare("{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"prediction\":{\"a\":[1,2]}}",
            "{ \"predictio\\u006e\" : { \"a\" : [1 ,2] }, " TIME ",\"request_id\":\"r\",\"kind\":\"prediction\"}", true,
            true, true);
    // A value does, and so does one more member.
    compare("{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"prediction\":1}",
            "{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"prediction\":2}", true, true, false);
    compare("{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"prediction\":1}",
            "{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"prediction\":1,\"model\":\"m\"}", true, true,
            false);
    // Bytes do not move between name and value.
    compare("{\"kind\":\"x-a\",\"event_id\":\"e\",\"ab\":\"c\"}", "{\"kind\":\"x-a\",\"event_id\":\"e\",\"a\":\"bc\"}",
            true, true, false);
    // Rows of one request stand side by side.
    compare("{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"row\":1}",
            "{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"row\":2}", true, false, false);
    // So do halves: one that is erased is not the other.
    compare("{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"half\":\"request\"}",
            "{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"half\":\"response\"}", true, false, false);
    compare("{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"half\":\"request\",\"event_id\":\"1\"}",
            "{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"half\":\"request\",\"event_id\":\"2\"}", true,
            false, false);
    compare("{\"kind\":\"dataset.version\",\"dataset\":\"d\",\"version\":\"1\"}",
            "{\"kind\":\"dataset.version\",\"dataset\":\"d\",\"version\":\"2\"}", false, true, false);
    compare("{\"kind\":\"model.version\",\"model\":\"a\",\"model_version\":\"1\"}",
            "{\"kind\":\"dataset.version\",\"dataset\":\"a\",\"version\":\"1\"}", false, true, false);
    compare("{\"kind\":\"approval\",\"approval_reference\":\"a\",\"model\":\"m\",\"model_version\":\"1\",\"verdict\":"
            "\"approved\",\"approver\":\"p\"," TIME "}",
            "{\"kind\":\"approval\",\"approval_reference\":\"a\",\"model\":\"m\",\"model_version\":\"1\",\"verdict\":"
            "\"revoked\",\"approver\":\"p\"," TIME "}",
            false, true, false);
    compare("{\"kind\":\"x-a\",\"event_id\":\"e\"}", "{\"kind\":\"x-b\",\"event_id\":\"e\"}", false, true, false);
}

static void test_producers_own_their_records(void **state) {
    // The same record of another producer has the same name and content and another owner.
    (void)state;
    draft(SAMPLE_RECORDS[MLT_KIND_PREDICTION]);
    snprintf(t.producer.principal, sizeof(t.producer.principal), "token:gateway");
    draft(SAMPLE_RECORDS[MLT_KIND_PREDICTION]);
    const struct mlt_draft *a = &t.batch.drafts[0];
    const struct mlt_draft *b = &t.batch.drafts[1];
    assert_memory_equal(&a->name, &b->name, sizeof(a->name));
    assert_memory_equal(a->content, b->content, sizeof(a->content));
    assert_true(a->owner != b->owner);
}

static void test_records_without_identity(void **state) {
    // A record that nothing identifies is never taken for another, and is found by the id that it was given.
    (void)state;
    struct mlt_entry e;
    struct mlt_draft *d = draft("{\"kind\":\"x-a\",\"b\":1}");
    read_entry(&e, d);
    assert_false(d->has_identity);
    assert_true(has(d, MLT_DIM_EVENT, "x-a", mlt_arena_cstr(&t.arena, e.id)));
    mlt_entry_clear(&e);
}

static void test_streams(void **state) {
    // A prediction with a sequence has a place in its stream; without a stream it is in the node's unnamed one.
    (void)state;
    struct mlt_draft *d = draft(SAMPLE_RECORDS[MLT_KIND_PREDICTION]);
    assert_true(d->has_sequence && d->sequence == 417);
    struct mlt_term stream;
    struct mlt_bytes named[] = {mlt_str("node-7"), mlt_str("8f2c")};
    mlt_term_make(&stream, t.keys.index_key, MLT_DIM_STREAM, named, 2);
    assert_memory_equal(&d->stream, &stream, sizeof(stream));
    d = draft("{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"serving_node\":\"n\",\"sequence\":0}");
    struct mlt_bytes unnamed[] = {mlt_str("n"), {0}};
    mlt_term_make(&stream, t.keys.index_key, MLT_DIM_STREAM, unnamed, 2);
    assert_true(d->has_sequence && d->sequence == 0);
    assert_memory_equal(&d->stream, &stream, sizeof(stream));
    d = draft("{\"kind\":\"prediction\",\"request_id\":\"r\"," TIME ",\"sequence\":0}");
    assert_false(d->has_sequence);
    d = draft(SAMPLE_RECORDS[MLT_KIND_TALLY]);
    assert_false(d->has_sequence);
}

static void test_hours_before_1970(void **state) {
    // Hours are counted down before 1970, without a gap.
    (void)state;
    struct mlt_draft *d = draft("{\"kind\":\"x-a\",\"timestamp\":\"1969-12-31T23:59:59.9Z\"}");
    assert_true(has(d, MLT_DIM_HOUR, "-1", NULL));
    d = draft("{\"kind\":\"x-a\",\"timestamp\":\"1970-01-01T00:00:00Z\"}");
    assert_true(has(d, MLT_DIM_HOUR, "0", NULL));
    d = draft("{\"kind\":\"x-a\",\"timestamp\":\"1969-12-31T23:00:00Z\"}");
    assert_true(has(d, MLT_DIM_HOUR, "-1", NULL));
}

static void test_digests_compare(void **state) {
    // Two digests differ only if an algorithm that both have differs.
    (void)state;
    static const struct {
        const char *a, *b;
        enum mlt_digest_match want;
    } cases[] = {
        {"\"sha256:ab\"", "\"sha256:ab\"", MLT_DIGEST_SAME},
        {"\"sha256:ab\"", "\"sha256:ac\"", MLT_DIGEST_DIFFERENT},
        {"\"sha256:ab\"", "\"sha512:ab\"", MLT_DIGEST_NOT_COMPARABLE},
        {"\"sha256:ab\"", "{\"sha256\":\"ab\",\"oms\":\"x\"}", MLT_DIGEST_SAME},
        {"\"sha256:ab\"", "{\"sha256\":\"sha256:ab\"}", MLT_DIGEST_SAME},
        {"\"sha256:ab\"", "{\"oms\":\"x\"}", MLT_DIGEST_NOT_COMPARABLE},
        {"{\"sha256\":\"ab\",\"oms\":\"x\"}", "{\"oms\":\"x\"}", MLT_DIGEST_SAME},
        {"{\"sha256\":\"ab\",\"oms\":\"x\"}", "{\"sha256\":\"ab\",\"oms\":\"y\"}", MLT_DIGEST_DIFFERENT},
        {"{\"sha256\":\"ab\",\"oms\":\"x\"}", "{\"dirHash\":\"x\",\"oci\":\"y\"}", MLT_DIGEST_NOT_COMPARABLE},
        {"{}", "{}", MLT_DIGEST_NOT_COMPARABLE},
        {"null", "\"sha256:ab\"", MLT_DIGEST_NOT_COMPARABLE},
        {"\"ab\"", "\"ab\"", MLT_DIGEST_NOT_COMPARABLE},
        {"7", "{\"sha256\":7}", MLT_DIGEST_NOT_COMPARABLE},
        {"{\"sha256\":7}", "{\"sha256\":7}", MLT_DIGEST_NOT_COMPARABLE},
    };
    struct mlt_json a = {0};
    struct mlt_json b = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(mlt_json_scan(&a, mlt_str(cases[i].a), &t.err), MLT_OK);
        assert_int_equal(mlt_json_scan(&b, mlt_str(cases[i].b), &t.err), MLT_OK);
        assert_int_equal(mlt_digest_compare(&a, 0, &b, 0), cases[i].want);
        assert_int_equal(mlt_digest_compare(&b, 0, &a, 0), cases[i].want);
    }
    assert_int_equal(mlt_digest_compare(&a, MLT_JSON_NONE, &b, 0), MLT_DIGEST_NOT_COMPARABLE);
    assert_int_equal(mlt_digest_compare(NULL, 0, &b, 0), MLT_DIGEST_NOT_COMPARABLE);
    mlt_json_clear(&a);
    mlt_json_clear(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, drafting_begin, drafting_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_term_known_answer),
        TEST(test_cached_terms_are_the_same),
        TEST(test_terms_by_kind),
        TEST(test_terms_do_not_repeat),
        TEST(test_number_of_terms_is_bounded),
        TEST(test_identity),
        TEST(test_producers_own_their_records),
        TEST(test_records_without_identity),
        TEST(test_streams),
        TEST(test_hours_before_1970),
        TEST(test_digests_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
