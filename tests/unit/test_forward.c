// links: mlt_lineage mlt_memsource
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/memsource.h"
#include "lineage/lineage.h"

#include <cmocka.h>

#define NOW "2026-01-07T00:00:10Z"

// table → raw/1 → loans/7 → j → m/1 → ensemble e/1, with five predictions of m/1 and two of e/1.
static struct mlt_memsource *chain(void) {
    struct mlt_memsource *m = mlt_memsource_new();
    char json[256];
    mlt_memsource_add(m, "e", NOW,
                      "{\"kind\":\"dataset.version\",\"dataset\":\"raw\",\"version\":\"1\",\"sources\":[{\"system\":"
                      "\"core\",\"table\":\"loans\"}]}");
    mlt_memsource_add(m, "e", NOW,
                      "{\"kind\":\"dataset.version\",\"dataset\":\"loans\",\"version\":\"7\",\"inputs\":[{\"dataset\":"
                      "\"raw\",\"version\":\"1\"}]}");
    mlt_memsource_add(
        m, "t", NOW,
        "{\"kind\":\"training.run\",\"training_job_id\":\"j\",\"datasets\":[{\"role\":\"train\",\"dataset\":"
        "\"loans\",\"version\":\"7\"}]}");
    mlt_memsource_add(m, "r", NOW,
                      "{\"kind\":\"model.version\",\"model\":\"m\",\"model_version\":\"1\",\"training_job_id\":\"j\"}");
    mlt_memsource_add(m, "r", NOW,
                      "{\"kind\":\"model.version\",\"model\":\"e\",\"model_version\":\"1\",\"components\":[{\"model\":"
                      "\"m\",\"model_version\":\"1\"}]}");
    mlt_memsource_add(m, "a", NOW,
                      "{\"kind\":\"approval\",\"approval_reference\":\"A-1\",\"model\":\"m\",\"model_version\":\"1\","
                      "\"verdict\":\"approved\",\"approver\":\"a\",\"timestamp\":\"2026-01-07T00:00:00Z\"}");
    mlt_memsource_add(m, "c", NOW,
                      "{\"kind\":\"transition\",\"model\":\"m\",\"model_version\":\"1\",\"to_stage\":\"prod\","
                      "\"approval_reference\":\"A-1\",\"timestamp\":\"2026-01-07T00:00:00Z\"}");
    for (int i = 0; i < 7; i++) {
        snprintf(
            json, sizeof(json),
            "{\"kind\":\"prediction\",\"request_id\":\"r%d\",\"timestamp\":\"2026-01-07T00:00:00Z\",\"model\":\"%s\","
            "\"model_version\":\"1\",\"serving_node\":\"n\"}",
            i, i < 5 ? "m" : "e");
        mlt_memsource_add(m, "k", NOW, json);
    }
    mlt_memsource_add(m, "d", NOW, "{\"kind\":\"decision\",\"result\":\"no\",\"request_ids\":[\"r0\"]}");
    return m;
}

struct answer {
    struct mlt_buf text;
    struct mlt_json json;
    struct mlt_arena arena;
};

static enum mlt_status ask(struct answer *a, struct mlt_memsource *m, const char *ref_text, bool forward, uint64_t from,
                           size_t limit) {
    struct mlt_source source = mlt_memsource_source(m);
    struct mlt_json_writer w;
    struct mlt_ref ref;
    struct mlt_error err = {0};
    *a = (struct answer){0};
    mlt_jw_init(&w, &a->text);
    assert_int_equal(mlt_ref_parse(&ref, mlt_str(ref_text), &a->arena, &err), MLT_OK);
    enum mlt_status status =
        forward ? mlt_forward_json(&source, &ref, from, limit, &w, &err) : mlt_backward_json(&source, &ref, &w, &err);
    if (status == MLT_OK && mlt_json_scan(&a->json, mlt_buf_bytes(&a->text), &err) != MLT_OK) {
        fail_msg("%s: %s in %.*s", ref_text, err.text, (int)a->text.len, (const char *)a->text.data);
    }
    return status;
}

static void clear(struct answer *a) {
    mlt_json_clear(&a->json);
    mlt_buf_clear(&a->text);
    mlt_arena_clear(&a->arena);
}

// The dependant of this kind and way; MLT_JSON_NONE when there is none.
static mlt_json_at dependant(struct answer *a, const char *kind, const char *via) {
    mlt_json_at list = mlt_json_get(&a->json, 0, "depends");
    for (mlt_json_at at = mlt_json_first(&a->json, list); at != MLT_JSON_NONE; at = mlt_json_next(&a->json, list, at)) {
        if (mlt_bytes_is(mlt_json_string(&a->json, mlt_json_get(&a->json, at, "kind"), &a->arena), kind) &&
            mlt_bytes_is(mlt_json_string(&a->json, mlt_json_get(&a->json, at, "via"), &a->arena), via)) {
            return at;
        }
    }
    return MLT_JSON_NONE;
}

static uint64_t count(struct answer *a, const char *kind, const char *via) {
    uint64_t n = 0;
    mlt_json_at at = dependant(a, kind, via);
    return at != MLT_JSON_NONE && mlt_json_u64(&a->json, mlt_json_get(&a->json, at, "count"), &n) ? n : 0;
}

static void test_counts_from_each_start(void **state) {
    // From any link of the chain, what depends on it is counted exactly, through all the links between.
    static const struct {
        const char *ref;
        uint64_t datasets, runs, versions, components, predictions;
    } cases[] = {
        {"table:core/loans", 1, 1, 1, 1, 7}, {"dataset:raw/1", 1, 1, 1, 1, 7},
        {"dataset:loans/7", 0, 1, 1, 1, 7},  {"job:j", 0, 0, 1, 1, 7},
        {"model:m/1", 0, 0, 0, 1, 7},        {"model:e/1", 0, 0, 0, 0, 2},
        {"entry:3", 0, 0, 0, 1, 7},          {"approval:A-1", 0, 0, 0, 1, 7},
        {"model:none/1", 0, 0, 0, 0, 0},
    };
    (void)state;
    struct mlt_memsource *m = chain();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer a;
        assert_int_equal(ask(&a, m, cases[i].ref, true, 0, 10), MLT_OK);
        if (count(&a, "dataset.version", "input dataset") != cases[i].datasets ||
            count(&a, "training.run", "training data") != cases[i].runs ||
            count(&a, "model.version", "training run") != cases[i].versions ||
            count(&a, "model.version", "component") != cases[i].components ||
            count(&a, "prediction", "model version") != cases[i].predictions) {
            fail_msg("%s: %.*s", cases[i].ref, (int)a.text.len, (const char *)a.text.data);
        }
        clear(&a);
    }
    mlt_memsource_free(m);
}

static void test_other_starts(void **state) {
    // A node has its predictions, a prediction what was decided on it, an approval the transitions that name it.
    struct mlt_memsource *m = chain();
    struct answer a;
    (void)state;
    assert_int_equal(ask(&a, m, "node:n", true, 0, 10), MLT_OK);
    assert_int_equal(count(&a, "prediction", "serving_node"), 7);
    clear(&a);
    assert_int_equal(ask(&a, m, "prediction:r0", true, 0, 10), MLT_OK);
    assert_int_equal(count(&a, "decision", "request_ids"), 1);
    clear(&a);
    assert_int_equal(ask(&a, m, "approval:A-1", true, 0, 10), MLT_OK);
    assert_int_equal(count(&a, "transition", "approval_reference"), 1);
    clear(&a);
    assert_int_equal(ask(&a, m, "entry:999", true, 0, 10), MLT_NOTFOUND);
    clear(&a);
    mlt_memsource_free(m);
}

static void test_overlap(void **state) {
    // A run that uses two datasets of the table counts once; over one page the answer says that its count may not be
    // exact.
    struct mlt_memsource *m = chain();
    struct answer a;
    (void)state;
    mlt_memsource_add(
        m, "t", NOW,
        "{\"kind\":\"training.run\",\"training_job_id\":\"both\",\"datasets\":[{\"role\":\"train\",\"dataset\":"
        "\"loans\",\"version\":\"7\"},{\"role\":\"test\",\"dataset\":\"raw\",\"version\":\"1\"}]}");
    assert_int_equal(ask(&a, m, "table:core/loans", true, 0, 10), MLT_OK);
    assert_int_equal(count(&a, "training.run", "training data"), 2);
    clear(&a);
    assert_int_equal(ask(&a, m, "table:core/loans", true, 0, 1), MLT_OK);
    assert_non_null(strstr((const char *)mlt_buf_cstr(&a.text), "\"exact\":false"));
    clear(&a);
    mlt_memsource_free(m);
}

static void test_pages(void **state) {
    // Pages of two give every prediction once, in the order of the log, and the count stays exact.
    struct mlt_memsource *m = chain();
    uint64_t from = 0, seen = 0, last = 0;
    (void)state;
    for (int page = 0; page < 10; page++) {
        struct answer a;
        assert_int_equal(ask(&a, m, "dataset:raw/1", true, from, 2), MLT_OK);
        assert_int_equal(count(&a, "prediction", "model version"), 7);
        mlt_json_at at = dependant(&a, "prediction", "model version");
        mlt_json_at items = mlt_json_get(&a.json, at, "items");
        for (mlt_json_at i = mlt_json_first(&a.json, items); i != MLT_JSON_NONE; i = mlt_json_next(&a.json, items, i)) {
            uint64_t entry = 0;
            assert_true(mlt_json_u64(&a.json, mlt_json_get(&a.json, i, "entry"), &entry));
            assert_true(entry > last);
            last = entry;
            seen++;
        }
        bool more = mlt_json_u64(&a.json, mlt_json_get(&a.json, at, "next"), &from);
        clear(&a);
        if (!more) {
            break;
        }
    }
    assert_int_equal(seen, 7);
    mlt_memsource_free(m);
}

static void test_backward(void **state) {
    // The graph behind a reference holds what the story holds, with edges between its nodes.
    static const struct {
        const char *ref;
        size_t nodes;
    } cases[] = {{"prediction:r0", 7}, {"model:e/1", 5}, {"dataset:loans/7", 2},  {"job:j", 3},
                 {"approval:A-1", 6},  {"entry:1", 2},   {"table:core/loans", 0}, {"entry:14", 7}};
    struct mlt_memsource *m = chain();
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer a;
        assert_int_equal(ask(&a, m, cases[i].ref, false, 0, 0), MLT_OK);
        mlt_json_at nodes = mlt_json_get(&a.json, 0, "nodes");
        assert_true(mlt_json_is(&a.json, nodes, MLT_JSON_ARRAY));
        if (a.json.tape[nodes].count != cases[i].nodes) {
            fail_msg("%s: %u nodes: %.*s", cases[i].ref, a.json.tape[nodes].count, (int)a.text.len,
                     (const char *)a.text.data);
        }
        assert_true(mlt_json_is(&a.json, mlt_json_get(&a.json, 0, "findings"), MLT_JSON_ARRAY));
        clear(&a);
    }
    struct answer a;
    assert_int_equal(ask(&a, m, "job:none", false, 0, 0), MLT_NOTFOUND);
    clear(&a);
    mlt_memsource_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_from_each_start),
        cmocka_unit_test(test_other_starts),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_backward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
