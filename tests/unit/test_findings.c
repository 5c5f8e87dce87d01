// links: mlt_lineage mlt_memsource
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/allowed.h"
#include "lineage/finding.h"
#include "record/statement.h"

#include <cmocka.h>

#define SHA(c) "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define HASH_MODEL SHA("aa")
#define HASH_DATA SHA("dd")
#define HASH_RAW SHA("ee")
#define HASH_OTHER SHA("11")
#define HASH_OTHER_HEX "1111111111111111111111111111111111111111111111111111111111111111"
#define DEPLOYMENT "{\"environment\":\"prod\",\"region\":\"eu\",\"endpoint\":\"/score\",\"variant\":\"champion\"}"

// The records of a story with nothing wrong. A case replaces, leaves out and adds.
enum slot { RAW, DATA, RUN, VERSION, APPROVAL, MOVE, BEFORE, SERVED, AFTER, TALLY, ACCESS, NUM_SLOTS };

struct line {
    const char *principal, *received, *json;
};

static const struct line CLEAN[NUM_SLOTS] = {
    [RAW] =
        {"etl", "2026-01-01T00:00:10Z",
         "{\"kind\":\"dataset.version\",\"dataset\":\"raw\",\"version\":\"1\",\"timestamp\":\"2026-01-01T00:00:00Z\","
         "\"hash\":\"" HASH_RAW "\",\"sources\":[{\"system\":\"core\",\"table\":\"loans\",\"date_range\":{\"column\":"
         "\"day\",\"from\":\"2025-01-01\",\"to\":\"2026-01-01\"}},{\"system\":\"core\",\"table\":\"codes\","
         "\"date_range\":null}],\"transformations\":[],\"exclusions\":[],\"created_by\":\"etl\"}"},
    [DATA] = {"etl", "2026-01-02T00:00:10Z",
              "{\"kind\":\"dataset.version\",\"dataset\":\"loans\",\"version\":\"7\",\"timestamp\":"
              "\"2026-01-02T00:00:00Z\",\"hash\":\"" HASH_DATA "\",\"inputs\":[{\"dataset\":\"raw\",\"version\":\"1\","
              "\"hash\":\"" HASH_RAW
              "\"}],\"transformations\":[{\"step\":1,\"description\":\"join\"}],\"exclusions\":[{"
              "\"condition\":\"age < 18\",\"reason\":\"minors\",\"rows\":3}],\"created_by\":\"etl\"}"},
    [RUN] =
        {"trainer", "2026-01-03T00:00:10Z",
         "{\"kind\":\"training.run\",\"training_job_id\":\"job-1\",\"timestamp\":\"2026-01-03T00:00:00Z\",\"datasets\":"
         "[{\"role\":\"train\",\"dataset\":\"loans\",\"version\":\"7\",\"hash\":\"" HASH_DATA "\"}],\"git_commit\":"
         "\"abc123\",\"hyperparameters\":{\"depth\":3},\"metrics\":{\"auc\":0.8},\"triggered_by\":\"dana\","
         "\"artifact_hash\":\"" HASH_MODEL "\"}"},
    [VERSION] = {"registry", "2026-01-04T00:00:10Z",
                 "{\"kind\":\"model.version\",\"model\":\"credit\",\"model_version\":\"7\",\"timestamp\":"
                 "\"2026-01-04T00:00:00Z\",\"model_artifact_hash\":\"" HASH_MODEL "\",\"training_job_id\":\"job-1\","
                 "\"registered_by\":\"dana\"}"},
    [APPROVAL] =
        {"erin", "2026-01-05T00:00:10Z",
         "{\"kind\":\"approval\",\"approval_reference\":\"CAB-7\",\"model\":\"credit\",\"model_version\":\"7\","
         "\"verdict\":\"approved\",\"approver\":\"erin\",\"timestamp\":\"2026-01-05T00:00:00Z\","
         "\"model_artifact_hash\":\"" HASH_MODEL "\",\"reason\":\"validated\"}"},
    [MOVE] =
        {"cd", "2026-01-06T00:00:10Z",
         "{\"kind\":\"transition\",\"model\":\"credit\",\"model_version\":\"7\",\"from_stage\":\"none\",\"to_stage\":"
         "\"production\",\"timestamp\":\"2026-01-06T00:00:00Z\",\"performed_by\":\"cd\",\"reason\":\"release\","
         "\"approval_reference\":\"CAB-7\",\"deployment\":" DEPLOYMENT "}"},
    [BEFORE] =
        {"kserve", "2026-01-07T00:00:01Z",
         "{\"kind\":\"prediction\",\"request_id\":\"r-0\",\"timestamp\":\"2026-01-07T00:00:00Z\",\"serving_node\":"
         "\"n1\",\"stream\":\"s\",\"sequence\":1}"},
    [SERVED] = {"kserve", "2026-01-07T00:00:02Z",
                "{\"kind\":\"prediction\",\"request_id\":\"r-1\",\"timestamp\":\"2026-01-07T00:00:01Z\",\"model\":"
                "\"credit\",\"model_version\":\"7\",\"model_artifact_hash\":\"" HASH_MODEL
                "\",\"feature_values\":{\"x\":1},"
                "\"prediction\":0.25,\"serving_node\":\"n1\",\"stream\":\"s\",\"sequence\":2,\"deployment\":" DEPLOYMENT
                "}"},
    [AFTER] =
        {"kserve", "2026-01-07T00:00:03Z",
         "{\"kind\":\"prediction\",\"request_id\":\"r-2\",\"timestamp\":\"2026-01-07T00:00:02Z\",\"serving_node\":"
         "\"n1\",\"stream\":\"s\",\"sequence\":3}"},
    [TALLY] =
        {"kserve", "2026-01-07T00:00:04Z",
         "{\"kind\":\"tally\",\"source\":\"n1\",\"counted\":\"prediction\",\"scope\":{\"serving_node\":\"n1\","
         "\"stream\":\"s\"},\"from\":\"2026-01-07T00:00:00Z\",\"to\":\"2026-01-07T00:00:03Z\",\"count\":3,\"final\":"
         "true}"},
    [ACCESS] = {"proxy", "2026-01-08T00:00:01Z",
                "{\"kind\":\"access\",\"action\":\"read\",\"resource\":{\"type\":\"prediction_log\",\"id\":\"r-1\"},"
                "\"timestamp\":\"2026-01-08T00:00:00Z\",\"principal\":\"frank\",\"source\":{\"address\":\"192.0.2.1\"},"
                "\"outcome\":\"allowed\"}"},
};

// A text replaced in one record: what a case changes.
struct edit {
    enum slot slot;
    const char *old, *new; // old NULL: leave the record out
};

// How the approval is signed: everything as it should be, but for what is given here.
struct signing {
    const char *origin;            // of the statement
    const char *stated, *recorded; // a text of the statement, replaced after signing in the record
    const char *statement;         // is signed instead of one
    const char *name_space;
    const char *signature; // stands in the record instead of one
    bool forged;           // a byte of the signature is changed
    bool unstated;         // without the statement
    uint8_t key;           // 0: the first
    // The setting, of which the key is put for '%'.
    const char *allowed; // NULL: none is set
};

struct finding_case {
    const char *code; // what the defect gives, and nothing else …
    const char *also; // … but this, which cannot be without it
    struct edit edits[3];
    size_t num_edits;
    struct line extra[3]; // appended at the end
    size_t num_extra;
    struct line early[2]; // put in front of the served prediction
    size_t num_early;
    const struct signing *signing;  // of the approval; NULL: it is not signed
    enum mlt_payload_state payload; // of the served prediction, when not open
};

static char *edited(const char *json, const struct edit *e) {
    const char *at = strstr(json, e->old);
    if (at == NULL) {
        fail_msg("'%s' is not in %s", e->old, json);
    }
    size_t len = strlen(json) + strlen(e->new) + 1;
    char *out = calloc(1, len);
    assert_non_null(out);
    snprintf(out, len, "%.*s%s%s", (int)(at - json), json, e->new, at + strlen(e->old));
    return out;
}

#define SIGNER_KEY 1
#define TRAIL_ORIGIN "example.org/memsource"

static void make_signature(struct mlt_buf *out, const struct signing *s, struct mlt_bytes message) {
    struct mlt_buf blob = {0};
    sshsigner_blob(&blob, s->key != 0 ? s->key : SIGNER_KEY,
                   s->name_space != NULL ? s->name_space : MLT_STATEMENT_NAMESPACE, message);
    blob.data[blob.len - 1] ^= s->forged;
    sshsigner_armour(out, mlt_buf_bytes(&blob));
    mlt_buf_clear(&blob);
}

// The record with statement and signature.
static char *signed_record(const char *json, const struct signing *s) {
    struct mlt_json record = {0};
    struct mlt_buf statement = {0}, signature = {0}, out = {0};
    struct mlt_json_writer w;
    struct mlt_error err = {0};
    struct mlt_bytes origin = mlt_str(s->origin != NULL ? s->origin : TRAIL_ORIGIN);
    char *edited_json = s->recorded != NULL ? edited(json, &(struct edit){.old = s->stated, .new = s->recorded}) : NULL;
    assert_int_equal(mlt_json_scan(&record, mlt_str(json), &err), MLT_OK);
    if (s->statement != NULL) {
        mlt_buf_put_str(&statement, s->statement);
    } else if (mlt_statement_write(&statement, origin, &record, 0, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    if (s->signature != NULL) {
        mlt_buf_put_str(&signature, s->signature);
    } else {
        make_signature(&signature, s, mlt_buf_bytes(&statement));
    }
    mlt_buf_put_str(&out, edited_json != NULL ? edited_json : json);
    out.len--; // the brace
    mlt_jw_init(&w, &out);
    if (!s->unstated) {
        mlt_buf_put_str(&out, ",\"statement\":");
        mlt_jw_string(&w, mlt_buf_bytes(&statement));
    }
    mlt_buf_put_str(&out, ",\"signature\":");
    mlt_jw_init(&w, &out);
    mlt_jw_string(&w, mlt_buf_bytes(&signature));
    mlt_buf_put_str(&out, "}");
    char *text = strdup(mlt_buf_cstr(&out));
    mlt_json_clear(&record);
    mlt_buf_clear(&statement);
    mlt_buf_clear(&signature);
    mlt_buf_clear(&out);
    free(edited_json);
    return text;
}

static void add_slot(struct mlt_memsource *m, const struct finding_case *c, enum slot slot) {
    const struct line *line = &CLEAN[slot];
    char *json = NULL;
    for (size_t i = 0; i < c->num_edits; i++) {
        if (c->edits[i].slot != slot) {
            continue;
        }
        if (c->edits[i].old == NULL) {
            free(json);
            return;
        }
        char *next = edited(json != NULL ? json : line->json, &c->edits[i]);
        free(json);
        json = next;
    }
    if (slot == APPROVAL && c->signing != NULL) {
        char *with = signed_record(json != NULL ? json : line->json, c->signing);
        free(json);
        json = with;
        if (c->signing->allowed != NULL) {
            allowed_set(m, SIGNER_KEY, c->signing->allowed);
        }
    }
    uint64_t index = mlt_memsource_add(m, line->principal, line->received, json != NULL ? json : line->json);
    if (slot == SERVED && c->payload != MLT_PAYLOAD_OPEN) {
        mlt_memsource_set_payload(m, index, c->payload);
    }
    free(json);
}

static struct mlt_memsource *build(const struct finding_case *c) {
    struct mlt_memsource *m = mlt_memsource_new();
    for (size_t slot = 0; slot < NUM_SLOTS; slot++) {
        for (size_t i = 0; slot == SERVED && i < c->num_early; i++) {
            mlt_memsource_add(m, c->early[i].principal, c->early[i].received, c->early[i].json);
        }
        add_slot(m, c, (enum slot)slot);
    }
    for (size_t i = 0; i < c->num_extra; i++) {
        mlt_memsource_add(m, c->extra[i].principal, c->extra[i].received, c->extra[i].json);
    }
    return m;
}

static bool has_finding(const struct mlt_story *story, const char *code) {
    for (size_t i = 0; i < story->num_findings; i++) {
        if (strcmp(story->findings[i].code, code) == 0) {
            return true;
        }
    }
    return false;
}

// Whether `code` is a word of the list.
static bool is_one_of(const char *code, const char *list) {
    size_t len = strlen(code);
    for (const char *at = list; at != NULL && (at = strstr(at, code)) != NULL; at += len) {
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

// The findings of the case's story are its code and those of `also`, each of them, and no others.
static bool case_holds(const struct finding_case *c, bool loud) {
    struct mlt_memsource *m = build(c);
    struct mlt_source source = mlt_memsource_source(m);
    struct mlt_arena arena = {0};
    struct mlt_story *story;
    struct mlt_error err = {0};
    const char *name = c->code != NULL ? c->code : "clean";
    bool holds = true;
    if (mlt_story_tell(&source, mlt_str("r-1"), &arena, &story, &err) != MLT_OK) {
        fail_msg("%s: %s", name, err.text);
    }
    for (size_t i = 0; i < story->num_findings; i++) {
        const struct mlt_finding *f = &story->findings[i];
        bool wanted = (c->code != NULL && strcmp(f->code, c->code) == 0) || is_one_of(f->code, c->also);
        if (!wanted || f->num_entries == 0 || f->condition[0] == '\0') {
            holds = false;
            if (loud) {
                print_message("%s: %s with %zu entries: %s\n", name, f->code, f->num_entries, f->condition);
            }
        }
    }
    for (size_t i = 0; i < MLT_NUM_FINDINGS; i++) {
        const char *code = mlt_finding_table[i].code;
        bool wanted = (c->code != NULL && strcmp(code, c->code) == 0) || is_one_of(code, c->also);
        if (wanted && !has_finding(story, code)) {
            holds = false;
            if (loud) {
                print_message("%s: %s not found\n", name, code);
            }
        }
    }
    mlt_story_clear(story);
    mlt_arena_clear(&arena);
    mlt_memsource_free(m);
    return holds;
}

#include "findings_cases.h"

static void test_clean_story_has_no_findings(void **state) {
    // A story in which every record is there and agrees gives no finding at all.
    (void)state;
    assert_true(case_holds(&(struct finding_case){0}, true));
}

static void test_whole_seconds_are_no_contradiction(void **state) {
    // An approval within the second that its transition is rounded to is not after it.
    const struct finding_case within = {EDITS(1, REPLACE(APPROVAL, "2026-01-05T00:00:00Z", "2026-01-06T00:00:00.14Z")),
                                        .also = "event-after-receipt"};
    (void)state;
    assert_true(case_holds(&within, true));
}

static void test_digests_by_other_algorithms_are_no_contradiction(void **state) {
    // Who knows a dataset by another digest says nothing else about it; another digest by the same algorithm does.
#define RAW_BY(hash)                                                                                                   \
    EXTRA(1, {"etl", "2026-01-08T00:00:02Z",                                                                           \
              "{\"kind\":\"dataset.version\",\"dataset\":\"raw\",\"version\":\"1\",\"hash\":" hash "}"})
    const struct finding_case other = {RAW_BY("{\"mlflow-md5-8\":\"0badcafe\"}")};
    const struct finding_case differs = {RAW_BY("{\"mlflow-md5-8\":\"0badcafe\",\"sha256\":\"" HASH_OTHER_HEX "\"}"),
                                         .code = "conflicting-records"};
    (void)state;
    assert_true(case_holds(&other, true));
    assert_true(case_holds(&differs, true));
}

static void test_signed_approval_has_no_findings(void **state) {
    // Signed by an allowed key, the approval of somebody else than the producer is no claim; whoever may sign, and for
    // how long, is a setting.
    static const char *const settings[] = {"zoe %\n", "# comment\n\n*,!erin namespaces=\"approval@*\" %\n",
                                           "zoe valid-after=\"20260105\",valid-before=\"20260105000010\" %\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        struct signing signing = {.allowed = settings[i]};
        const struct finding_case c = {.signing = &signing, EDITS(1, BY_ZOE)};
        assert_true(case_holds(&c, true));
    }
}

static void test_signed_after_it_was_claimed(void **state) {
    // An approval that somebody else recorded first, and the approver signed later, is one approval, and signed.
    (void)state;
    struct mlt_memsource *m = build(&(struct finding_case){EDITS(1, BY_ZOE)});
    struct mlt_arena arena = {0};
    struct mlt_error err = {0};
    struct mlt_story *story;
    struct mlt_source source = mlt_memsource_source(m);
    char *json = edited(CLEAN[APPROVAL].json, &(struct edit)BY_ZOE);
    char *record = signed_record(json, &(struct signing){0});
    assert_int_equal(mlt_story_tell(&source, mlt_str("r-1"), &arena, &story, &err), MLT_OK);
    assert_true(has_finding(story, "approval-claimed"));
    mlt_story_clear(story);
    allowed_set(m, SIGNER_KEY, "zoe %\n");
    uint64_t later = mlt_memsource_add(m, "zoe-laptop", "2026-01-08T00:00:10Z", record);
    source = mlt_memsource_source(m);
    assert_int_equal(mlt_story_tell(&source, mlt_str("r-1"), &arena, &story, &err), MLT_OK);
    assert_int_equal(story->approvals.num, 1);
    assert_int_equal(story->approvals.nodes[0]->num_signatures, 1);
    assert_int_equal(story->approvals.nodes[0]->signatures[0].entry, later);
    assert_true(mlt_node_signed(story->approvals.nodes[0]));
    assert_false(has_finding(story, "approval-claimed"));
    mlt_story_clear(story);
    mlt_arena_clear(&arena);
    mlt_memsource_free(m);
    free(json);
    free(record);
}

static void test_each_defect_gives_its_finding(void **state) {
    // Every defect gives exactly its finding (and those named that cannot be without it).
    bool all = true;
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        bool holds = case_holds(&CASES[i], true);
        all = all && holds;
    }
    assert_true(all);
}

static void test_the_net_catches(void **state) {
    // A finding that is expected and not there, and one that is there and not expected, both fail a case.
    (void)state;
    assert_false(case_holds(&(struct finding_case){.code = "approval-missing"}, false));
    assert_false(case_holds(&(struct finding_case){EDITS(1, WITHOUT(APPROVAL))}, false));
}

static void test_every_finding_has_a_case(void **state) {
    // No code of the table goes untested: each is in the cases here or has a test of its own (below, and in
    // test_finding_batch.c).
    static const char *const apart[] = {"lineage-too-deep",        "list-truncated",           "batch-missing",
                                        "batch-signature-invalid", "batch-signer-not-allowed", "batch-record-differs",
                                        "batch-chain-broken",      "batch-unchecked"};
    (void)state;
    for (size_t i = 0; i < MLT_NUM_FINDINGS; i++) {
        const char *code = mlt_finding_table[i].code;
        bool tested = false;
        assert_non_null(code);
        for (size_t n = 0; n < sizeof(CASES) / sizeof(CASES[0]); n++) {
            tested = tested || strcmp(CASES[n].code, code) == 0;
        }
        for (size_t n = 0; n < sizeof(apart) / sizeof(apart[0]); n++) {
            tested = tested || strcmp(apart[n], code) == 0;
        }
        if (!tested) {
            fail_msg("no test for %s", code);
        }
    }
}

static struct mlt_story *tell(struct mlt_memsource *m, const char *request, struct mlt_arena *arena) {
    struct mlt_source source = mlt_memsource_source(m);
    struct mlt_story *story = NULL;
    struct mlt_error err = {0};
    if (mlt_story_tell(&source, mlt_str(request), arena, &story, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    return story;
}

static void test_walk_ends_at_its_depth(void **state) {
    // A chain of inputs longer than the limit is walked to the limit, and the answer says so.
    (void)state;
    struct mlt_memsource *m = build(&(struct finding_case){0});
    struct mlt_arena arena = {0};
    char json[512];
    mlt_memsource_add(
        m, "etl", "2026-01-02T00:00:10Z",
        "{\"kind\":\"dataset.version\",\"dataset\":\"raw\",\"version\":\"1\",\"inputs\":[{\"dataset\":\"d\","
        "\"version\":\"0\"}]}");
    for (int i = 0; i < MLT_STORY_DEPTH_MAX + 10; i++) {
        snprintf(json, sizeof(json),
                 "{\"kind\":\"dataset.version\",\"dataset\":\"d\",\"version\":\"%d\",\"hash\":\"" HASH_RAW
                 "\",\"transformations\":[],\"exclusions\":[],\"created_by\":\"etl\",\"inputs\":[{\"dataset\":\"d\","
                 "\"version\":\"%d\"}]}",
                 i, i + 1);
        mlt_memsource_add(m, "etl", "2026-01-02T00:00:10Z", json);
    }
    struct mlt_story *story = tell(m, "r-1", &arena);
    assert_true(has_finding(story, "lineage-too-deep"));
    assert_true(story->dataset_versions.num <= MLT_STORY_DEPTH_MAX + 1);
    mlt_story_clear(story);
    mlt_arena_clear(&arena);
    mlt_memsource_free(m);
}

static void test_long_list_is_cut_and_counted(void **state) {
    // More accesses than an answer holds are counted exactly, the newest are listed, and the cut is a finding.
    (void)state;
    struct mlt_memsource *m = build(&(struct finding_case){0});
    struct mlt_arena arena = {0};
    for (int i = 0; i < MLT_STORY_ACCESS_MAX + 5; i++) {
        mlt_memsource_add(m, CLEAN[ACCESS].principal, CLEAN[ACCESS].received, CLEAN[ACCESS].json);
    }
    struct mlt_story *story = tell(m, "r-1", &arena);
    assert_int_equal(story->access.num, MLT_STORY_ACCESS_MAX);
    assert_int_equal(story->access.total, MLT_STORY_ACCESS_MAX + 6);
    assert_int_equal(story->num_findings, 1);
    assert_string_equal(story->findings[0].code, "list-truncated");
    mlt_story_clear(story);
    mlt_arena_clear(&arena);
    mlt_memsource_free(m);
}

static void test_document_is_the_table(void **state) {
    // docs/FINDINGS.md says what the table says. MLT_WRITE_DOCS=1 writes it.
    (void)state;
    const char *root = getenv("MLT_SOURCE");
    char path[1024];
    struct mlt_buf want = {0}, have = {0};
    snprintf(path, sizeof(path), "%s/docs/FINDINGS.md", root != NULL ? root : ".");
    mlt_finding_document(&want);
    if (getenv("MLT_WRITE_DOCS") != NULL) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(want.data, 1, want.len, file), want.len);
        fclose(file);
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("%s is not there", path);
    }
    char block[4096];
    for (size_t got; (got = fread(block, 1, sizeof(block), file)) > 0;) {
        mlt_buf_put(&have, block, got);
    }
    fclose(file);
    assert_int_equal(want.len, have.len);
    assert_memory_equal(want.data, have.data, want.len);
    mlt_buf_clear(&want);
    mlt_buf_clear(&have);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_story_has_no_findings),
        cmocka_unit_test(test_whole_seconds_are_no_contradiction),
        cmocka_unit_test(test_digests_by_other_algorithms_are_no_contradiction),
        cmocka_unit_test(test_signed_approval_has_no_findings),
        cmocka_unit_test(test_signed_after_it_was_claimed),
        cmocka_unit_test(test_each_defect_gives_its_finding),
        cmocka_unit_test(test_the_net_catches),
        cmocka_unit_test(test_every_finding_has_a_case),
        cmocka_unit_test(test_walk_ends_at_its_depth),
        cmocka_unit_test(test_long_list_is_cut_and_counted),
        cmocka_unit_test(test_document_is_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
