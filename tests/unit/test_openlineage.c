// links: mlt_capture mlt_testlib
#include "capture/openlineage.h"
#include "lib/contains.h"
#include "lib/drafting.h"

#define PIPELINE "tests/vectors/openlineage/pipeline.ndjson" // what the real client sent for examples/openlineage
#define DBT "tests/vectors/openlineage/dbt.ndjson"           // what `dbt-ol run` sent for two models
#define RECORDED_EVENTS 6
#define RUN_ID "01a21067-37e0-7e30-aeb7-4e697f355f08"

// --- saying things shortly ---

static struct mlt_capture capture;

static void reset(void) {
    mlt_capture_clear(&capture);
    mlt_batch_clear(&t.batch);
}

static struct mlt_foreign message(const char *body) {
    return (struct mlt_foreign){
        .body = mlt_str(body), .content_type = "application/json", .address = "", .received = ""};
}

// Every line is a record that the trail takes.
static void assert_accepted(void) {
    struct mlt_bytes rest = mlt_buf_bytes(&capture.lines);
    size_t num = 0;
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
        assert_non_null(end);
        (void)draft_bytes(mlt_bytes_of(rest.ptr, (size_t)(end - rest.ptr)));
        rest = mlt_bytes_of(end + 1, rest.len - (size_t)(end + 1 - rest.ptr));
        num++;
    }
    assert_int_equal(num, capture.num_records);
}

static void says(const char *what) {
    if (!contains(mlt_buf_bytes(&capture.lines), what)) {
        fail_msg("nothing says %s:\n%.*s", what, MLT_ARG(mlt_buf_bytes(&capture.lines)));
    }
}
static void says_not(const char *what) {
    if (contains(mlt_buf_bytes(&capture.lines), what)) {
        fail_msg("it says %s:\n%.*s", what, MLT_ARG(mlt_buf_bytes(&capture.lines)));
    }
}

static void refused(const char *body, const char *pointer, const char *reason) {
    struct mlt_foreign msg = message(body);
    reset();
    assert_int_equal(mlt_openlineage_event(&capture, &msg, &t.err), MLT_INVALID);
    assert_int_equal(capture.num_records, 0);
    assert_int_equal(capture.num_rejected, 1);
    const struct mlt_problem *p = &capture.rejected[0].problem;
    if (strcmp(p->pointer, pointer) != 0 || !strstr(p->detail, reason)) {
        fail_msg("%s: \"%s\" %s", body, p->pointer, p->detail);
    }
}

#define HEAD                                                                                                           \
    "\"eventTime\":\"2026-11-23T09:40:01Z\",\"producer\":\"https://example.org/p\",\"schemaURL\":\"https://"           \
    "example.org/s\""
#define JOB "\"job\":{\"namespace\":\"ns\",\"name\":\"job\"}"

// --- events ---

static void test_refusals(void **state) {
    // What is no event is refused with the place and what would be right.
    (void)state;
    refused("{", "", "");
    refused("[]", "", "JSON object");
    refused("{" HEAD "}", "", "no `run`");
    refused("{\"producer\":\"p\",\"schemaURL\":\"s\",\"run\":{\"runId\":\"r\"}," JOB "}", "/eventTime", "RFC 3339");
    refused(
        "{\"eventTime\":\"2026-11-23T09:40:01\",\"producer\":\"p\",\"schemaURL\":\"s\",\"run\":{\"runId\":\"r\"}," JOB
        "}",
        "/eventTime", "with a zone");
    refused("{\"eventTime\":\"2026-11-23T09:40:01Z\",\"schemaURL\":\"s\",\"run\":{\"runId\":\"r\"}," JOB "}",
            "/producer", "required");
    refused("{\"eventTime\":\"2026-11-23T09:40:01Z\",\"producer\":\"s\",\"run\":{\"runId\":\"r\"}," JOB "}",
            "/schemaURL", "required");
    refused("{" HEAD ",\"run\":{}," JOB "}", "/run/runId", "required");
    refused("{" HEAD ",\"run\":[]," JOB "}", "/run/runId", "required");
    refused("{" HEAD ",\"run\":{\"runId\":\"r\"}}", "/job", "object");
    refused("{" HEAD ",\"run\":{\"runId\":\"r\"},\"job\":{\"name\":\"j\"}}", "/job/namespace", "required");
    refused("{" HEAD ",\"eventType\":\"DONE\",\"run\":{\"runId\":\"r\"}," JOB "}", "/eventType", "COMPLETE");
    refused("{" HEAD ",\"run\":{\"runId\":\"r\"}," JOB ",\"inputs\":{}}", "/inputs", "array");
    refused("{" HEAD ",\"run\":{\"runId\":\"r\"}," JOB
            ",\"outputs\":[{\"namespace\":\"n\",\"name\":\"a\"},{\"namespace\":\"n\"}]}",
            "/outputs/1/name", "required");
    refused("{" HEAD ",\"dataset\":{\"name\":\"d\"}}", "/dataset/namespace", "required");
}

static void test_long_names_are_refused(void **state) {
    // A dataset has to be nameable in records: namespace and name have a limit together.
    (void)state;
    char body[2000], name[600];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    (void)snprintf(body, sizeof body, "{" HEAD ",\"dataset\":{\"namespace\":\"x\",\"name\":\"%s\"}}", name);
    refused(body, "/dataset/name", "499");
}

static void test_an_event_is_kept_as_it_came(void **state) {
    // The same bytes are the same record; other bytes are another one. Line breaks do not break the line.
    (void)state;
    struct mlt_foreign msg = message(" {" HEAD ",\n\"eventType\":\"START\",\"run\":{\"runId\":\"r-1\"}," JOB "}\n");
    reset();
    assert_int_equal(mlt_openlineage_event(&capture, &msg, &t.err), MLT_OK);
    assert_int_equal(capture.num_records, 1);
    assert_accepted();
    says("\"correlation\":\"r-1\"");
    says("\"format\":\"openlineage\"");
    says("\"timestamp\":\"2026-11-23T09:40:01Z\"");
    says("\"message\":{\"eventTime\"");
    says("\"event_id\":\"openlineage:");
    assert_int_equal(t.batch.drafts[0].kind, mlt_kind_find(mlt_str("capture"))->kind);
}

static void test_static_events(void **state) {
    // A DatasetEvent that names a version is that version's record; one that does not, and a JobEvent, are kept only.
    (void)state;
    struct mlt_foreign msg = message(
        "{" HEAD
        ",\"dataset\":{\"namespace\":\"s3://b\",\"name\":\"d\",\"facets\":{\"version\":{\"datasetVersion\":\"v7\"},"
        "\"ownership\":{\"owners\":[{\"name\":\"data-team\"}]},\"mltrail_exclusions\":{\"exclusions\":[]}}}}");
    reset();
    assert_int_equal(mlt_openlineage_event(&capture, &msg, &t.err), MLT_OK);
    assert_accepted();
    assert_int_equal(capture.num_records, 2);
    says("\"correlation\":\"dataset:s3://b/d\"");
    says("\"dataset\":\"s3://b/d\",\"version\":\"v7\",\"exclusions\":[],\"created_by\":\"data-team\"");
    reset();
    msg = message("{" HEAD ",\"dataset\":{\"namespace\":\"s3://b\",\"name\":\"d\"}}");
    assert_int_equal(mlt_openlineage_event(&capture, &msg, &t.err), MLT_OK);
    assert_int_equal(capture.num_records, 1);
    reset();
    msg = message("{" HEAD "," JOB ",\"inputs\":[{\"namespace\":\"n\",\"name\":\"a\"}]}");
    assert_int_equal(mlt_openlineage_event(&capture, &msg, &t.err), MLT_OK);
    assert_accepted();
    assert_int_equal(capture.num_records, 1);
    says("\"correlation\":\"job:ns/job\"");
}

static void test_batch(void **state) {
    // A batch keeps its good events and says which are bad.
    (void)state;
    struct mlt_foreign msg = message("[{" HEAD ",\"run\":{\"runId\":\"r-1\"}," JOB "},7,{" HEAD "},{" HEAD
                                     ",\"run\":{\"runId\":\"r-2\"}," JOB "}]");
    reset();
    assert_int_equal(mlt_openlineage_batch(&capture, &msg, &t.err), MLT_OK);
    assert_accepted();
    assert_int_equal(capture.num_records, 2);
    assert_int_equal(capture.num_rejected, 2);
    assert_int_equal(capture.rejected[0].item, 2);
    assert_int_equal(capture.rejected[1].item, 3);
    reset();
    msg = message("{}");
    assert_int_equal(mlt_openlineage_batch(&capture, &msg, &t.err), MLT_INVALID);
    assert_string_equal(capture.rejected[0].problem.code, "not-an-array");
}

// --- runs ---

static char recorded[RECORDED_EVENTS][8192];

static void read_recorded(const char *file) {
    FILE *f = fopen(file, "rb");
    assert_non_null(f);
    for (size_t i = 0; i < RECORDED_EVENTS; i++) {
        assert_non_null(fgets(recorded[i], sizeof recorded[i], f));
        recorded[i][strcspn(recorded[i], "\n")] = '\0';
    }
    assert_int_equal(fclose(f), 0);
}

// A log that knows the datasets that the pipeline made before.
static enum mlt_status find_made(void *ctx, struct mlt_bytes dataset, struct mlt_bytes but, int64_t by,
                                 struct mlt_arena *arena, struct mlt_openlineage_known *out, struct mlt_error *err) {
    (void)ctx;
    (void)but;
    (void)by;
    (void)arena;
    (void)err;
    bool made = mlt_bytes_is(dataset, "sqlite://warehouse.example.org/clinic.db/extracted") ||
                mlt_bytes_is(dataset, "sqlite://warehouse.example.org/clinic.db/measured");
    *out = (struct mlt_openlineage_known){made, mlt_str(made ? "before" : NULL)};
    return MLT_OK;
}
static const struct mlt_openlineage_log made_before = {NULL, find_made};

static void tell(const char *const *events, size_t num, const struct mlt_openlineage_log *log) {
    struct mlt_bytes raw[16];
    for (size_t i = 0; i < num; i++) {
        raw[i] = mlt_str(events[i]);
    }
    reset();
    assert_int_equal(mlt_openlineage_tell(&capture, raw, num, log, &t.err), MLT_OK);
    assert_accepted();
}

static void test_extract(void **state) {
    // The source table with its dates and query, an exclusion list that is empty, the digest of the rows.
    (void)state;
    read_recorded(PIPELINE);
    tell((const char *const[]){recorded[0], recorded[1]}, 2, &made_before);
    assert_int_equal(capture.num_records, 1);
    says("\"kind\":\"dataset.version\",\"dataset\":\"sqlite://warehouse.example.org/clinic.db/extracted\"");
    says(
        "\"sources\":[{\"system\":\"sqlite://warehouse.example.org/clinic.db\",\"table\":\"biopsies\",\"date_range\":{"
        "\"column\":\"biopsy_date\",\"from\":\"2022-01-01\",\"to\":\"2024-07-01\"},\"query\":\"SELECT * FROM biopsies");
    says("\"rows\":569}]");
    says("\"exclusions\":[]");
    says("\"created_by\":\"ana@example.org\"");
    says("\"hash\":{\"mltrail-rows-1\":\"");
    says("biopsy_date >= '2022-01-01' AND biopsy_date < '2024-07-01')\"");
    says("\"rows_in\":569,\"rows_out\":456");
    says("\"git_commit\":\"");
    says_not("\"inputs\"");
}

static void test_clean(void **state) {
    // A dataset that the trail knows is an input, not a source; exclusions with their reasons; what became of columns.
    (void)state;
    read_recorded(PIPELINE);
    tell((const char *const[]){recorded[2], recorded[3]}, 2, &made_before);
    says("\"sources\":[],\"inputs\":[{\"dataset\":\"sqlite://warehouse.example.org/clinic.db/"
         "extracted\",\"version\":\"before\"");
    says("\"exclusions\":[{\"condition\":\"mean_concavity = 0\",\"reason\":\"taken as not measured\",\"rows\":");
    says("\"approved_by\":\"data-board@example.org\"}]");
    says("{\"step\":\"all rows\",\"description\":\"sqlite://warehouse.example.org/clinic.db/extracted.mean_concavity "
         "(INDIRECT "
         "FILTER)\"}");
    says("{\"step\":\"column mean_radius\",\"description\":\"");
    says("\"description\":\"Leaves out biopsies that were not measured; rounds features.\"");
}

static void test_train(void **state) {
    // A run that trains: the run with its parameters, metrics, data and person, and the model with its digest.
    (void)state;
    read_recorded(PIPELINE);
    tell((const char *const[]){recorded[4], recorded[5]}, 2, &made_before);
    assert_int_equal(capture.num_records, 2);
    says("\"kind\":\"training.run\",\"training_job_id\":\"" RUN_ID "\"");
    says("\"datasets\":[{\"role\":\"train\",\"dataset\":\"sqlite://warehouse.example.org/clinic.db/"
         "measured\",\"version\":\"before\"");
    says("\"hyperparameters\":{\"C\":\"0.5\",\"max_iter\":\"1000\",\"random_state\":\"7\"}");
    says("\"metrics\":{\"train_auc\":");
    says("\"trigger\":\"manual\",\"triggered_by\":\"ana@example.org\"");
    says("\"artifact_hash\":{\"sha256\":\"");
    says("\"kind\":\"model.version\",\"model\":\"tumour-risk\",\"model_version\":\"" RUN_ID "\"");
    says("\"training_job_id\":\"" RUN_ID "\",\"registered_by\":\"ana@example.org\",\"origin\":\"trained\"");
}

static void test_training_on_raw_tables(void **state) {
    // A training run on tables that the trail knows nothing of: what it read of them is a dataset version of its own.
    (void)state;
    read_recorded(PIPELINE);
    tell((const char *const[]){recorded[4], recorded[5]}, 2, NULL);
    assert_int_equal(capture.num_records, 3);
    says("\"dataset\":\"clinic/train/reads/sqlite://warehouse.example.org/clinic.db/measured\",\"version\":\"" RUN_ID
         "\"");
    says("\"sources\":[{\"system\":\"sqlite://warehouse.example.org/clinic.db\",\"table\":\"measured\"");
    says("\"datasets\":[{\"role\":\"train\",\"dataset\":\"clinic/train/reads/");
}

static enum mlt_status find_dbt(void *ctx, struct mlt_bytes dataset, struct mlt_bytes but, int64_t by,
                                struct mlt_arena *arena, struct mlt_openlineage_known *out, struct mlt_error *err) {
    (void)ctx;
    (void)but;
    (void)by;
    (void)arena;
    (void)err;
    bool made = mlt_bytes_is(dataset, "duckdb://clinic.duckdb/clinic.main.raw");
    *out = (struct mlt_openlineage_known){made, mlt_str(made ? "before" : NULL)};
    return MLT_OK;
}

static void test_dbt(void **state) {
    // What dbt's wrapper sends of a model: a dataset version with its SQL and columns, no machine-learning model.
    (void)state;
    static const struct mlt_openlineage_log log = {NULL, find_dbt};
    read_recorded(DBT);
    tell((const char *const[]){recorded[2], recorded[4]}, 2, &log);
    assert_int_equal(capture.num_records, 1);
    says("\"dataset\":\"duckdb://clinic.duckdb/clinic.main.clean\"");
    says("\"sources\":[],\"inputs\":[{\"dataset\":\"duckdb://clinic.duckdb/clinic.main.raw\",\"version\":\"before\"}]");
    says("\"step\":\"dbt/clinic.main.clinic.clean\",\"description\":\"select id, v from");
    says("{\"step\":\"column v\",\"description\":\"duckdb://clinic.duckdb/clinic.main.raw.v\"}");
}

static void test_order_does_not_matter(void **state) {
    // The same events in any order, and some of them twice, give the same bytes.
    (void)state;
    read_recorded(PIPELINE);
    for (size_t run = 0; run < RECORDED_EVENTS; run += 2) {
        tell((const char *const[]){recorded[run], recorded[run + 1]}, 2, &made_before);
        struct mlt_bytes first = mlt_arena_copy(&t.arena, mlt_buf_bytes(&capture.lines));
        tell((const char *const[]){recorded[run + 1], recorded[run]}, 2, &made_before);
        assert_true(mlt_bytes_equal(first, mlt_buf_bytes(&capture.lines)));
        tell((const char *const[]){recorded[run + 1], recorded[run], recorded[run + 1], recorded[run]}, 4,
             &made_before);
        assert_true(mlt_bytes_equal(first, mlt_buf_bytes(&capture.lines)));
    }
}

#define EVENT(type, time, run_facets, inputs, outputs)                                                                 \
    "{\"eventType\":\"" type "\",\"eventTime\":\"" time                                                                \
    "\",\"producer\":\"p\",\"schemaURL\":\"s\",\"run\":{\"runId\":\"r\","                                              \
    "\"facets\":{" run_facets "}}," JOB ",\"inputs\":[" inputs "],\"outputs\":[" outputs "]}"
#define START(run_facets, inputs) EVENT("START", "2026-11-23T09:00:00Z", run_facets, inputs, "")
#define COMPLETE(run_facets, inputs, outputs) EVENT("COMPLETE", "2026-11-23T10:00:00Z", run_facets, inputs, outputs)
#define TABLE(name, facets) "{\"namespace\":\"db\",\"name\":\"" name "\",\"inputFacets\":{" facets "}}"
#define OUTPUT(name, facets) "{\"namespace\":\"db\",\"name\":\"" name "\",\"facets\":{" facets "}}"

static void test_a_run_that_goes_on_says_nothing(void **state) {
    // Nothing is told before an event ends the run.
    (void)state;
    tell((const char *const[]){START("", TABLE("a", ""))}, 1, NULL);
    assert_int_equal(capture.num_records, 0);
}

static void test_late_events_add(void **state) {
    // What comes after the end completes the record: the members that were there stay as they are.
    (void)state;
    tell((const char *const[]){COMPLETE("", "", OUTPUT("o", ""))}, 1, NULL);
    says("\"dataset\":\"db/"
         "o\",\"version\":\"r\",\"timestamp\":\"2026-11-23T10:00:00Z\",\"transformations\":[{\"step\":\"ns/job\"}]");
    says_not("sources");
    says_not("exclusions");
    tell((const char *const[]){COMPLETE("", "", OUTPUT("o", "")), START("", TABLE("a", "")),
                               EVENT("OTHER", "2026-11-23T11:00:00Z", "\"mltrail_exclusions\":{\"exclusions\":[]}", "",
                                     "")},
         3, NULL);
    says("\"timestamp\":\"2026-11-23T10:00:00Z\"");
    says("\"sources\":[{\"system\":\"db\",\"table\":\"a\"}]");
    says("\"exclusions\":[]");
    says("\"transformations\":[{\"step\":\"ns/job\"}]");
}

static void test_failed_runs(void **state) {
    // A run that failed made nothing; that it trained is told. A later COMPLETE counts.
    (void)state;
    tell((const char *const[]){EVENT("FAIL", "2026-11-23T09:30:00Z", "", "", OUTPUT("o", ""))}, 1, NULL);
    assert_int_equal(capture.num_records, 0);
    tell((const char *const[]){EVENT("ABORT", "2026-11-23T09:30:00Z", "", "",
                                     OUTPUT("m", "\"datasetType\":{\"datasetType\":\"MODEL\"}"))},
         1, NULL);
    assert_int_equal(capture.num_records, 1);
    says("training.run");
    tell((const char *const[]){EVENT("FAIL", "2026-11-23T09:30:00Z", "", "", OUTPUT("o", "")),
                               COMPLETE("", "", OUTPUT("o", ""))},
         2, NULL);
    assert_int_equal(capture.num_records, 1);
}

static void test_dbt_models_are_no_models(void **state) {
    // dbt's jobs are of type MODEL; what they make is a table.
    (void)state;
#define TYPED(integration)                                                                                             \
    "{\"eventType\":\"COMPLETE\"," HEAD                                                                                \
    ",\"run\":{\"runId\":\"r\"},\"job\":{\"namespace\":\"ns\",\"name\":\"job\",\"facets\":{"                           \
    "\"jobType\":{\"processingType\":\"BATCH\",\"integration\":\"" integration "\",\"jobType\":\"MODEL\"}}}}"
    tell((const char *const[]){TYPED("DBT")}, 1, NULL);
    assert_int_equal(capture.num_records, 0);
    tell((const char *const[]){TYPED("SAGEMAKER")}, 1, NULL);
    assert_int_equal(capture.num_records, 1);
    says("training.run");
}

static void test_facets_that_say_nonsense(void **state) {
    // Facets of other types than the spec's are left out; the record that comes of the rest is taken.
    (void)state;
    tell((const char *const[]){COMPLETE(
             "\"mltrail_actor\":7,\"tags\":{\"tags\":{}},\"executionParameters\":{\"parameters\":[7,{\"key\":\"a\","
             "\"value\":{\"x\":\n1}},"
             "{\"key\":\"a\"},{\"name\":\"b\"}]},\"nominalTime\":{\"nominalStartTime\":\"never\"},\"mltrail_metrics\":{"
             "\"metrics\":[]}",
             TABLE("a", "\"subset\":{\"inputCondition\":7},\"inputStatistics\":{\"rowCount\":-1}"),
             OUTPUT("m",
                    "\"datasetType\":{\"datasetType\":\"model\"},\"mltrail_datasetDigest\":{\"algorithm\":\"sha256\","
                    "\"value\":\"zz\"}") "," OUTPUT("o", "\"mltrail_exclusions\":{\"exclusions\":[7,{}]},\"version\":{"
                                                         "\"datasetVersion\":8},\"columnLineage\":[]"))},
         1, NULL);
    says("\"hyperparameters\":{\"a\":{\"x\":1}}");
    says_not("rows_in");
    says_not("model_artifact_hash");
    says("\"dataset\":\"db/o\",\"version\":\"r\"");
}

static void test_several_digests(void **state) {
    // Digests of one content by several algorithms are one set; what is none is left out.
    (void)state;
    tell((const char *const[]){COMPLETE(
             "", "",
             OUTPUT("o", "\"mltrail_datasetDigest\":{\"algorithm\":\"dirHash\",\"value\":\"11\","
                         "\"others\":{\"oms\":\"22\",\"sha256\":\"zz\",\"dirHash\":\"33\",\"x\":7}}"))},
         1, NULL);
    says("\"hash\":{\"dirHash\":\"11\",\"oms\":\"22\"}");
}

static void test_deleted_facets(void **state) {
    // `_deleted` takes a facet back.
    (void)state;
    tell((const char *const[]){EVENT("RUNNING", "2026-11-23T09:30:00Z", "", "",
                                     OUTPUT("o", "\"version\":{\"datasetVersion\":\"v1\"}")),
                               COMPLETE("", "", OUTPUT("o", "\"version\":{\"_deleted\":true}"))},
         2, NULL);
    says("\"dataset\":\"db/o\",\"version\":\"r\"");
}

// --- date ranges ---

#define FIELD(name) "{\"type\":\"field\",\"field\":\"" name "\"}"
#define LITERAL(value) "{\"type\":\"literal\",\"value\":\"" value "\"}"
#define CMP(left, comparison, right)                                                                                   \
    "{\"type\":\"compare\",\"left\":" left ",\"comparison\":\"" comparison "\",\"right\":" right "}"
#define BOTH(left, operator, right)                                                                                    \
    "{\"type\":\"binary\",\"left\":" left ",\"operator\":\"" operator"\",\"right\":" right "}"
#define GE(date) CMP(FIELD("d"), "GREATER_EQUAL_THAN", LITERAL(date))
#define GT(date) CMP(FIELD("d"), "GREATER_THAN", LITERAL(date))
#define LT(date) CMP(FIELD("d"), "LESS_THAN", LITERAL(date))
#define LE(date) CMP(FIELD("d"), "LESS_EQUAL_THAN", LITERAL(date))
#define EQ(date) CMP(FIELD("d"), "EQUAL", LITERAL(date))
#define OTHER CMP(FIELD("status"), "EQUAL", LITERAL("closed"))
#define DAY(value) "{\"dimensions\":{\"region\":\"eu\",\"day\":\"" value "\"}}"

static const struct {
    const char *condition, *range;
} RANGES[] = {
    {BOTH(GE("2024-01-01"), "AND", LT("2025-01-01")), "\"from\":\"2024-01-01\",\"to\":\"2025-01-01\"}"},
    {GE("2024-01-01"), "\"from\":\"2024-01-01\",\"to\":null}"},
    {GT("2024-01-01"), "\"from\":\"2024-01-01\",\"to\":null,\"from_exclusive\":true}"},
    {LE("2024-12-31"), "\"from\":null,\"to\":\"2025-01-01\"}"},
    {LE("2024-12-31T23:59:59Z"), "\"from\":null,\"to\":\"2024-12-31T23:59:59Z\",\"to_inclusive\":true}"},
    {EQ("2024-02-29"), "\"from\":\"2024-02-29\",\"to\":\"2024-03-01\"}"},
    {GE("2024-01-01 12:00:00"), "\"from\":\"2024-01-01 12:00:00Z\",\"to\":null,\"zone\":\"not stated, read as UTC\"}"},
    {GE("'2024-01-01'"), "\"from\":\"2024-01-01\",\"to\":null}"},
    {CMP(LITERAL("2024-01-01"), "LESS_EQUAL_THAN", FIELD("d")), "\"from\":\"2024-01-01\",\"to\":null}"},
    {CMP(LITERAL("2024-01-01"), "GREATER_THAN", FIELD("d")), "\"from\":null,\"to\":\"2024-01-01\"}"},
    {BOTH(BOTH(GE("2024-01-01"), "AND", OTHER), "AND", BOTH(GE("2024-02-01"), "AND", LT("2024-06-01"))),
     "\"from\":\"2024-02-01\",\"to\":\"2024-06-01\"}"},
    {BOTH(BOTH(GE("2024-01-01"), "AND", LT("2024-02-01")), "OR", BOTH(GE("2024-06-01"), "AND", LT("2024-07-01"))),
     "\"from\":\"2024-01-01\",\"to\":\"2024-07-01\"}"},
    {BOTH(GE("2024-01-01"), "OR", OTHER), NULL},
    {BOTH(OTHER, "OR", GE("2024-01-01")), NULL},
    {BOTH(GE("2024-01-01"), "OR", CMP(FIELD("e"), "LESS_THAN", LITERAL("2020-01-01"))), NULL},
    {OTHER, NULL},
    {"{\"type\":\"partition\",\"partitions\":[" DAY("2024-03-02") "," DAY("2024-03-01") "]}",
     "\"from\":\"2024-03-01\",\"to\":\"2024-03-03\"}"},
    {"{\"type\":\"partition\",\"partitions\":[" DAY("2024-12") "]}", "\"from\":\"2024-12-01\",\"to\":\"2025-01-01\"}"},
    {"{\"type\":\"partition\",\"partitions\":[" DAY("2024-12") "," DAY("all") "]}", NULL},
    {"{\"type\":\"partition\",\"partitions\":[" DAY("2262-04") "]}", NULL},
    {"{\"type\":\"location\",\"locations\":[\"s3://b/1\"]}", NULL},
};

static void test_date_ranges(void **state) {
    // A range is what the condition says, never narrower; where it says nothing about dates, there is none.
    (void)state;
    for (size_t i = 0; i < sizeof RANGES / sizeof RANGES[0]; i++) {
        char event[4096];
        (void)snprintf(event, sizeof event,
                       COMPLETE("", TABLE("a", "\"subset\":{\"inputCondition\":%s}"), OUTPUT("o", "")),
                       RANGES[i].condition);
        tell((const char *const[]){event}, 1, NULL);
        if (RANGES[i].range) {
            says(RANGES[i].range);
        } else {
            says_not("date_range");
        }
        says("{\"step\":\"subset read\",\"description\":\"db/a: ");
    }
}

static void test_other_ranges(void **state) {
    // Our own facet can say that nothing was restricted; the run's nominal time is named as what it is.
    (void)state;
    tell((const char *const[]){COMPLETE(
             "\"nominalTime\":{\"nominalStartTime\":\"2026-01-01T00:00:00Z\",\"nominalEndTime\":"
             "\"2026-02-01T00:00:00Z\"}",
             TABLE("a", "\"mltrail_dateRange\":{}") "," TABLE("b", ""), OUTPUT("o", ""))},
         1, NULL);
    says("\"table\":\"a\",\"date_range\":{\"from\":null,\"to\":null}}");
    says("\"table\":\"b\",\"date_range\":{\"from\":\"2026-01-01T00:00:00Z\",\"to\":\"2026-02-01T00:00:00Z\",\"basis\":"
         "\"nominalTime "
         "of the run\"}}");
}

static int finish(void **state) {
    reset();
    return drafting_end(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_long_names_are_refused),
        cmocka_unit_test(test_an_event_is_kept_as_it_came),
        cmocka_unit_test(test_static_events),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_extract),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_train),
        cmocka_unit_test(test_training_on_raw_tables),
        cmocka_unit_test(test_dbt),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_a_run_that_goes_on_says_nothing),
        cmocka_unit_test(test_late_events_add),
        cmocka_unit_test(test_failed_runs),
        cmocka_unit_test(test_dbt_models_are_no_models),
        cmocka_unit_test(test_facets_that_say_nonsense),
        cmocka_unit_test(test_several_digests),
        cmocka_unit_test(test_deleted_facets),
        cmocka_unit_test(test_date_ranges),
        cmocka_unit_test(test_other_ranges),
    };
    return cmocka_run_group_tests(tests, drafting_begin, finish);
}
