// links: mlt_record mlt_testlib
//
// `test_kind --print` writes docs/RECORDS.md anew from the tables.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/sample_records.h"
#include "record/members.h"

#include <cmocka.h>

static const char *const TYPE_NAMES[] = {
    [MLT_T_ANY] = "any value",
    [MLT_T_STRING] = "string",
    [MLT_T_TIME] = "time",
    [MLT_T_NUMBER] = "number",
    [MLT_T_COUNT] = "count",
    [MLT_T_BOOL] = "true or false",
    [MLT_T_OBJECT] = "object",
    [MLT_T_ARRAY] = "array",
    [MLT_T_STRINGS] = "array of strings",
    [MLT_T_DIGEST] = "digest",
    [MLT_T_ENUM] = "",
    [MLT_T_OBJECTS] = "array of objects",
    [MLT_T_STRUCT] = "object",
    [MLT_T_DATE_OR_TIME_OR_NULL] = "date, time or null",
    [MLT_T_STRING_OR_OBJECT] = "string or object",
};

static const char INTRODUCTION[] =
    "# Records\n"
    "\n"
    "A record is one JSON object: `kind` and the kind's members. In a batch each stands on a line of its own "
    "(NDJSON).\n"
    "This page is made from the tables in `src/record/` (`test_kind --print`); a test fails when they differ.\n"
    "\n"
    "**Marks.** `*` is required: without it, or with a member of the wrong type, the record is rejected with the "
    "member's\n"
    "JSON pointer, what is wrong and what would be right. `+` is evidence that an audit asks for: its absence is "
    "recorded and is a\n"
    "finding. **payload** members are sealed and can be erased; the entry holds a commitment to each. All others are "
    "facts,\n"
    "in plain sight in the entry: put nothing there that concerns a person. `null` says as much as leaving the member "
    "out.\n"
    "\n"
    "**Members that no table has** are kept: they are payload, and the entry does not even show their names.\n"
    "\n"
    "**Types.** A *time* is RFC 3339 with a zone (`2026-11-23T09:40:01.123Z`). A *count* is a whole number from 0 to\n"
    "18446744073709551615. A *digest* is `\"sha256:\"` and 64 lower-case hexadecimal digits, or an object of digests "
    "by algorithm\n"
    "(`sha256`, `sha512`, `oms`, `dirHash`, `oci`, …): two of them differ only if an algorithm that both have differs. "
    "Objects may have\n"
    "further members beside those listed.\n"
    "\n"
    "**Limits.** ";

static void put_limits(struct mlt_buf *out) {
    mlt_buf_printf(
        out,
        "A record has at most %d MiB and %d members, %d of them payload; its payload has at most %d MiB. Facts over\n"
        "%d KiB are kept beside the entry, bound to it by their hashes, up to %d MiB. What names something has at "
        "most\n"
        "%d bytes. JSON nests at most %d deep.\n",
        MLT_RECORD_MAX >> 20, MLT_RECORD_MEMBERS_MAX, MLT_PAYLOAD_MEMBERS_MAX, MLT_PAYLOAD_MAX >> 20,
        MLT_FACTS_INLINE_MAX >> 10, MLT_DETAILS_MAX >> 20, MLT_NAME_MAX, MLT_JSON_DEPTH_MAX);
}

static void put_member(struct mlt_buf *out, const struct mlt_member *m, const char *parent) {
    mlt_buf_printf(out, "| `%s%s`%s%s | ", parent, m->name, m->flags & MLT_M_REQUIRED ? " \\*" : "",
                   m->flags & MLT_M_EVIDENCE ? " +" : "");
    if (m->type == MLT_T_ENUM) {
        for (size_t i = 0; m->values[i]; i++) {
            mlt_buf_printf(out, "%s`%s`", i ? ", " : "", m->values[i]);
        }
    } else {
        mlt_buf_put_str(out, TYPE_NAMES[m->type]);
    }
    mlt_buf_printf(out, " | %s | %s |\n", m->flags & MLT_M_PAYLOAD ? "payload" : parent[0] ? "" : "fact", m->about);
    if (m->members) {
        char inner[128];
        snprintf(inner, sizeof(inner), "%s%s%s.", parent, m->name, m->type == MLT_T_OBJECTS ? "[]" : "");
        for (const struct mlt_member *i = m->members; i->name; i++) {
            put_member(out, i, inner);
        }
    }
}

static void put_kind(struct mlt_buf *out, const struct mlt_kind_info *kind) {
    mlt_buf_printf(out, "\n## %s%s\n\n%s%s\n", kind->name, kind->kind == MLT_KIND_CUSTOM ? "…" : "", kind->about,
                   kind->server_only ? " Only the server writes it." : "");
    mlt_buf_put_str(out, "\n| member | type | | what it says |\n|---|---|---|---|\n");
    for (const struct mlt_member *m = kind->members; m->name; m++) {
        put_member(out, m, "");
    }
    mlt_buf_printf(out, "\n```json\n%s\n```\n", SAMPLE_RECORDS[kind->kind]);
}

static void put_document(struct mlt_buf *out) {
    mlt_buf_put_str(out, INTRODUCTION);
    put_limits(out);
    for (int k = 0; k < MLT_NUM_KINDS; k++) {
        put_kind(out, mlt_kind_info((enum mlt_kind)k));
    }
}

static void test_document_is_current(void **state) {
    // docs/RECORDS.md says what the tables say; `test_kind --print > docs/RECORDS.md` makes it so.
    (void)state;
    struct mlt_buf want = {0};
    put_document(&want);
    FILE *f = fopen("docs/RECORDS.md", "rb");
    if (!f) {
        fail_msg("docs/RECORDS.md is missing; run from the root of the source");
        return;
    }
    char *have = malloc(want.len + 1);
    assert_non_null(have);
    size_t len = fread(have, 1, want.len + 1, f);
    fclose(f);
    assert_false(want.failed);
    if (len != want.len || memcmp(have, want.data, len) != 0) {
        fail_msg("docs/RECORDS.md differs from the tables; make it anew with test_kind --print");
    }
    free(have);
    mlt_buf_clear(&want);
}

static void check_table(const struct mlt_member *members, const char *where, bool top) {
    size_t num = 0;
    for (const struct mlt_member *m = members; m->name; m++, num++) {
        for (const struct mlt_member *before = members; before != m; before++) {
            if (strcmp(before->name, m->name) == 0) {
                fail_msg("%s has %s twice", where, m->name);
            }
        }
        assert_non_null(m->about);
        assert_int_equal(m->values != NULL, m->type == MLT_T_ENUM);
        assert_int_equal(m->members != NULL, m->type == MLT_T_OBJECTS || m->type == MLT_T_STRUCT);
        assert_true(strcmp(m->name, "kind") != 0 || !top);
        assert_true(top || !(m->flags & MLT_M_PAYLOAD)); // a member is sealed as a whole or not at all
        assert_false((m->flags & MLT_M_REQUIRED) && (m->flags & MLT_M_EVIDENCE));
        if (m->members) {
            check_table(m->members, m->name, false);
        }
    }
    assert_true(num <= MLT_KIND_MEMBERS_MAX);
}

static void test_tables_are_sound(void **state) {
    // No member stands twice, every enumeration has its values, every kind can carry a time, an id and private members.
    (void)state;
    for (int k = 0; k < MLT_NUM_KINDS; k++) {
        const struct mlt_kind_info *kind = mlt_kind_info((enum mlt_kind)k);
        assert_int_equal(kind->kind, k);
        check_table(kind->members, kind->name, true);
        assert_int_equal(mlt_kind_member(kind, mlt_str("timestamp"))->type, MLT_T_TIME);
        assert_int_equal(mlt_kind_member(kind, mlt_str("event_id"))->type, MLT_T_STRING);
        assert_int_equal(mlt_kind_member(kind, mlt_str("private"))->flags, MLT_M_PAYLOAD);
    }
    assert_null(mlt_kind_info(MLT_NUM_KINDS));
}

static void test_members_are_found(void **state) {
    // Every member of every table is found under its name, and nothing else is.
    (void)state;
    static const char *const absent[] = {"", "x", "kind", "request_i", "request_id_", "Request_id", "request\0id"};
    for (int k = 0; k < MLT_NUM_KINDS; k++) {
        const struct mlt_kind_info *kind = mlt_kind_info((enum mlt_kind)k);
        for (const struct mlt_member *m = kind->members; m->name; m++) {
            assert_ptr_equal(mlt_kind_member(kind, mlt_str(m->name)), m);
        }
        for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
            assert_null(mlt_kind_member(kind, mlt_str(absent[i])));
        }
    }
}

static void test_kinds_are_found(void **state) {
    // Kinds are found by their whole names; x- kinds need a name of their own.
    (void)state;
    for (int k = 0; k < MLT_KIND_CUSTOM; k++) {
        const struct mlt_kind_info *kind = mlt_kind_info((enum mlt_kind)k);
        assert_ptr_equal(mlt_kind_find(mlt_str(kind->name)), kind);
        assert_int_equal(kind->server_only, k >= MLT_KIND_CONTROL);
    }
    assert_int_equal(mlt_kind_find(mlt_str("x-incident"))->kind, MLT_KIND_CUSTOM);
    assert_null(mlt_kind_find(mlt_str("x-")));
    assert_null(mlt_kind_find(mlt_str("x")));
    assert_null(mlt_kind_find(mlt_str("")));
    assert_null(mlt_kind_find(mlt_str("Prediction")));
    assert_null(mlt_kind_find(mlt_str("predictions")));
}

static void test_members_of_the_mission(void **state) {
    // The members that the mission names are marked as it marks them.
    (void)state;
    static const struct {
        enum mlt_kind kind;
        const char *name;
        unsigned flags;
    } marks[] = {
        {MLT_KIND_PREDICTION, "request_id", MLT_M_REQUIRED},
        {MLT_KIND_PREDICTION, "timestamp", MLT_M_REQUIRED},
        {MLT_KIND_PREDICTION, "model", MLT_M_EVIDENCE},
        {MLT_KIND_PREDICTION, "model_version", MLT_M_EVIDENCE},
        {MLT_KIND_PREDICTION, "model_artifact_hash", MLT_M_EVIDENCE},
        {MLT_KIND_PREDICTION, "feature_values", MLT_M_EVIDENCE | MLT_M_PAYLOAD},
        {MLT_KIND_PREDICTION, "prediction", MLT_M_EVIDENCE | MLT_M_PAYLOAD},
        {MLT_KIND_PREDICTION, "serving_node", MLT_M_EVIDENCE},
        {MLT_KIND_PREDICTION, "subject", MLT_M_PAYLOAD},
        {MLT_KIND_DATASET_VERSION, "hash", MLT_M_EVIDENCE},
        {MLT_KIND_DATASET_VERSION, "sources", MLT_M_EVIDENCE},
        {MLT_KIND_DATASET_VERSION, "exclusions", MLT_M_EVIDENCE},
        {MLT_KIND_TRAINING_RUN, "training_job_id", MLT_M_REQUIRED},
        {MLT_KIND_TRAINING_RUN, "triggered_by", MLT_M_EVIDENCE},
        {MLT_KIND_MODEL_VERSION, "training_job_id", MLT_M_EVIDENCE},
        {MLT_KIND_APPROVAL, "verdict", MLT_M_REQUIRED},
        {MLT_KIND_APPROVAL, "approver", MLT_M_REQUIRED},
        {MLT_KIND_APPROVAL, "timestamp", MLT_M_REQUIRED},
        {MLT_KIND_TRANSITION, "to_stage", MLT_M_REQUIRED},
        {MLT_KIND_TRANSITION, "from_stage", MLT_M_EVIDENCE},
        {MLT_KIND_TRANSITION, "approval_reference", MLT_M_EVIDENCE},
        {MLT_KIND_ACCESS, "action", MLT_M_REQUIRED},
        {MLT_KIND_ACCESS, "principal", MLT_M_EVIDENCE | MLT_M_PAYLOAD},
        {MLT_KIND_ACCESS, "source", MLT_M_EVIDENCE | MLT_M_PAYLOAD},
        {MLT_KIND_ACCESS, "outcome", MLT_M_EVIDENCE},
        {MLT_KIND_ACCESS, "on_behalf_of", MLT_M_PAYLOAD},
        {MLT_KIND_CORRECTION, "corrects", MLT_M_REQUIRED},
        {MLT_KIND_TALLY, "count", MLT_M_REQUIRED},
    };
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const struct mlt_member *m = mlt_kind_member(mlt_kind_info(marks[i].kind), mlt_str(marks[i].name));
        assert_non_null(m);
        assert_int_equal(m->flags, marks[i].flags);
    }
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--print") == 0) {
        struct mlt_buf out = {0};
        put_document(&out);
        fwrite(out.data, 1, out.len, stdout);
        mlt_buf_clear(&out);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document_is_current),    cmocka_unit_test(test_tables_are_sound),
        cmocka_unit_test(test_members_are_found),      cmocka_unit_test(test_kinds_are_found),
        cmocka_unit_test(test_members_of_the_mission),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
