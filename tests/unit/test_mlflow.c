// links: mlt_capture mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base_posix/env_posix.h"
#include "capture/mlflow.h"
#include "capture/mlflow_route.h"

static struct mlt_foreign message(const char *body) {
    return (struct mlt_foreign){.body = mlt_str(body),
                                .content_type = "application/x-ndjson",
                                .address = "",
                                .received = "2026-11-25T01:00:00Z"};
}

static void read_vector(struct mlt_buf *out, const char *name) {
    char path[512];
    const char *source = getenv("MLT_SOURCE");
    (void)snprintf(path, sizeof path, "%s/tests/vectors/mlflow/%s", source ? source : ".", name);
    assert_int_equal(mlt_env_read_file(mlt_env_posix(), path, 1 << 20, out, NULL), MLT_OK);
}

static void compare_lines(struct mlt_bytes got, struct mlt_bytes want) {
    struct mlt_cursor g = mlt_cursor_of(got), w = mlt_cursor_of(want);
    for (size_t line = 1; mlt_cursor_left(&g) > 0 || mlt_cursor_left(&w) > 0; line++) {
        struct mlt_bytes a = mlt_cursor_line(&g), b = mlt_cursor_line(&w);
        if (g.failed || w.failed || !mlt_bytes_equal(a, b)) {
            fail_msg("line %zu\n got %.*s\nwant %.*s", line, MLT_ARG(a), MLT_ARG(b));
        }
    }
}

static void test_vectors(void **state) {
    // The exchanges that makers and this receiver have agreed upon become exactly the records that stand beside them.
    (void)state;
    struct mlt_buf exchanges = {0}, records = {0};
    struct mlt_capture out = {0};
    read_vector(&exchanges, "exchanges.ndjson");
    read_vector(&records, "records.ndjson");
    struct mlt_foreign msg = message("");
    msg.body = mlt_buf_bytes(&exchanges);
    assert_int_equal(mlt_capture_mlflow_exchanges(&out, &msg, NULL), MLT_OK);
    assert_int_equal(out.num_rejected, 0);
    compare_lines(mlt_buf_bytes(&out.lines), mlt_buf_bytes(&records));
    mlt_capture_clear(&out);
    mlt_buf_clear(&exchanges);
    mlt_buf_clear(&records);
}

static void test_bad_lines(void **state) {
    // A line that is no exchange is named with what would be right, and the others are taken.
    (void)state;
    static const char body[] =
        "{\"exchange\":\"a\",\"method\":\"GET\",\"path\":\"/"
        "health\",\"started_at\":\"2026-11-25T01:00:00Z\",\"status\":200}\n"
        "{\"exchange\":\"\",\"method\":\"GET\",\"path\":\"/health\",\"started_at\":\"2026-11-25T01:00:00Z\"}\n"
        "\n"
        "[1]\n"
        "{\"exchange\":\"b\",\"exchange\":\"c\"}\n"
        "{\"exchange\":\"d\",\"method\":\"GET\",\"path\":\"health\",\"started_at\":\"2026-11-25T01:00:00Z\"}\n"
        "{\"exchange\":\"e\",\"method\":\"GET\",\"path\":\"/health\",\"started_at\":\"yesterday\"}\n"
        "{\"exchange\":\"f\",\"method\":\"GET\",\"path\":\"/"
        "x\",\"started_at\":\"2026-11-25T01:00:00Z\",\"phase\":\"middle\"}\n";
    struct mlt_capture out = {0};
    struct mlt_foreign msg = message(body);
    assert_int_equal(mlt_capture_mlflow_exchanges(&out, &msg, NULL), MLT_OK);
    assert_int_equal(out.num_records, 1);
    assert_int_equal(out.num_rejected, 6);
    static const struct {
        uint32_t item;
        const char *pointer;
    } wrong[] = {{2, "/exchange"}, {4, ""}, {5, "/exchange"}, {6, "/path"}, {7, "/started_at"}, {8, "/phase"}};
    for (size_t i = 0; i < out.num_rejected; i++) {
        assert_int_equal(out.rejected[i].item, wrong[i].item);
        assert_string_equal(out.rejected[i].problem.pointer, wrong[i].pointer);
    }
    mlt_capture_clear(&out);
}

struct routed {
    const char *method, *path, *native, *action, *resource;
};

static void test_routes(void **state) {
    // Every prefix that MLflow serves its API under leads to the same row; what nobody wrote down follows the method.
    (void)state;
    static const struct routed cases[] = {
        {"GET", "/api/2.0/mlflow/model-versions/get", "getModelVersion", "read", "model_registry"},
        {"HEAD", "/api/2.0/mlflow/model-versions/get", "getModelVersion", "read", "model_registry"},
        {"GET", "/ajax-api/2.0/mlflow/model-versions/get", "getModelVersion", "read", "model_registry"},
        {"GET", "/ajax-api/3.0/mlflow/model-versions/get/", "getModelVersion", "read", "model_registry"},
        {"GET", "/team/a/api/2.0/mlflow/model-versions/get", "getModelVersion", "read", "model_registry"},
        {"POST", "/api/2.0mlflow/experiments/search-datasets", "searchDatasets", "search", "training_data"},
        {"GET", "/ml/get-artifact", "getArtifact", "export", "model_registry"},
        {"GET", "/model-versions/get-artifact", "getModelVersionArtifact", "export", "model_registry"},
        {"PUT", "/api/2.0/mlflow-artifacts/artifacts/1/a/api/2.0/mlflow/runs/get", "uploadArtifact", "create",
         "model_registry"},
        {"GET", "/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files", "getLoggedModelArtifact", "export",
         "model_registry"},
        {"POST", "/graphql", "graphql", "read", "other"},
        {"GET", "/static-files/static/js/main.js", "getStaticFile", "read", "other"},
        {"POST", "/api/2.0/mlflow/registered-models/permissions/create", NULL, "grant", "config"},
        {"POST", "/api/2.0/mlflow/users/create", "createUser", "admin", "config"},
        {"GET", "/api/3.0/mlflow/datasets/d-1/records", "getDatasetRecords", "export", "training_data"},
        {"POST", "/api/3.0/mlflow/traces/search", NULL, "search", "prediction_log"},
        {"POST", "/api/3.0/mlflow/traces/batchGetInfos", NULL, "read", "prediction_log"},
        {"DELETE", "/api/3.0/mlflow/no/such/thing", NULL, "delete", "other"},
        {"POST", "/api/3.0/mlflow/things/create", NULL, "create", "other"},
        {"PURGE", "/", NULL, "update", "other"},
        {"GET", "/", NULL, "read", "other"},
        {"GET", "/api/x.0/mlflow/model-versions/get", NULL, "read", "other"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct routed *c = &cases[i];
        struct mlt_mlflow_match m = mlt_mlflow_route_find(mlt_str(c->method), mlt_str(c->path));
        assert_non_null(m.route);
        if (c->native) {
            assert_non_null(m.route->native);
            assert_string_equal(m.route->native, c->native);
        } else {
            assert_null(m.route->native);
        }
        assert_string_equal(m.action, c->action);
        assert_string_equal(m.route->resource, c->resource);
    }
}

static void test_encoded_path(void **state) {
    // MLflow decodes a path before it looks for the route, so an encoded letter hides nothing.
    (void)state;
    struct mlt_capture out = {0};
    struct mlt_foreign msg = message(
        "{\"exchange\":\"a\",\"method\":\"POST\",\"path\":\"/%61pi/2.0/mlflow/model-versions/transition%2Dstage\","
        "\"started_at\":\"2026-11-25T01:00:00Z\",\"status\":200,\"request\":{\"name\":\"credit\",\"version\":\"3\","
        "\"stage\":\"production\"}}");
    assert_int_equal(mlt_capture_mlflow_exchanges(&out, &msg, NULL), MLT_OK);
    assert_int_equal(out.num_records, 2);
    assert_non_null(strstr(mlt_buf_cstr(&out.lines), "\"to_stage\":\"Production\""));
    mlt_capture_clear(&out);
}

static void test_no_secrets(void **state) {
    // The request of a route that takes passwords, keys or tokens never goes into a record.
    (void)state;
    static const char body[] =
        "{\"exchange\":\"a\",\"method\":\"POST\",\"path\":\"/api/2.0/mlflow/users/"
        "create\",\"started_at\":\"2026-11-25T01:00:00Z\","
        "\"status\":200,\"request\":{\"username\":\"bob\",\"password\":\"hunter2\"}}\n"
        "{\"exchange\":\"b\",\"method\":\"POST\",\"path\":\"/api/2.0/mlflow/"
        "webhooks\",\"started_at\":\"2026-11-25T01:00:00Z\","
        "\"status\":200,\"request\":{\"name\":\"w\",\"secret\":\"hunter2\"}}\n"
        "{\"exchange\":\"c\",\"method\":\"GET\",\"path\":\"/callback\",\"query\":\"code=hunter2\","
        "\"started_at\":\"2026-11-25T01:00:00Z\",\"status\":302}\n"
        "{\"exchange\":\"d\",\"method\":\"POST\",\"path\":\"/api/3.0/mlflow/gateway/secrets/create\","
        "\"started_at\":\"2026-11-25T01:00:00Z\",\"status\":200,\"request\":{\"secret_value\":\"hunter2\"}}\n";
    struct mlt_capture out = {0};
    struct mlt_foreign msg = message(body);
    assert_int_equal(mlt_capture_mlflow_exchanges(&out, &msg, NULL), MLT_OK);
    assert_int_equal(out.num_records, 4);
    const char *text = mlt_buf_cstr(&out.lines);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "user/bob"));
    mlt_capture_clear(&out);
}

static void test_names_that_do_not_fit(void **state) {
    // A name that is too long is cut between characters: the access is recorded all the same.
    (void)state;
    struct mlt_buf body = {0};
    struct mlt_capture out = {0};
    mlt_buf_put_str(&body, "{\"exchange\":\"a\",\"method\":\"GET\",\"path\":\"/api/2.0/mlflow/registered-models/get\","
                           "\"started_at\":\"2026-11-25T01:00:00Z\",\"status\":404,\"query\":\"name=x");
    for (size_t i = 0; i < 2000; i++) {
        mlt_buf_put_str(&body, "%C3%A9");
    }
    mlt_buf_put_str(&body, "\"}");
    struct mlt_foreign msg = message(mlt_buf_cstr(&body));
    assert_int_equal(mlt_capture_mlflow_exchanges(&out, &msg, NULL), MLT_OK);
    assert_int_equal(out.num_records, 1);
    struct mlt_json json = {0};
    assert_int_equal(mlt_json_scan(&json, mlt_bytes_of(out.lines.data, out.lines.len - 1), NULL), MLT_OK);
    struct mlt_bytes id = mlt_json_string(&json, mlt_json_get(&json, mlt_json_get(&json, 0, "resource"), "id"), NULL);
    assert_int_equal(id.len, MLT_MLFLOW_NAME_MAX - 1); // x and 499 letters of two bytes
    mlt_json_clear(&json);
    mlt_capture_clear(&out);
    mlt_buf_clear(&body);
}

static void test_code_of_run(void **state) {
    // What MLflow says of the code counts; the client's plugin fills in what it leaves out, and says what no commit
    // has.
    (void)state;
    struct mlt_capture out = {0};
    struct mlt_foreign msg = message(
        "{\"exchange\":\"a\",\"method\":\"POST\",\"path\":\"/api/2.0/mlflow/runs/update\","
        "\"started_at\":\"2026-11-25T01:00:00Z\",\"status\":200,\"run\":{\"info\":{\"run_id\":\"r\",\"status\":"
        "\"FINISHED\"},\"data\":{\"tags\":[{\"key\":\"mlflow.source.git.commit\",\"value\":\"c1\"},"
        "{\"key\":\"mltrail.git_commit\",\"value\":\"c2\"},{\"key\":\"mltrail.git_repository\",\"value\":\"u\"},"
        "{\"key\":\"mltrail.git_dirty\",\"value\":\"true\"}]}}}");
    assert_int_equal(mlt_capture_mlflow_exchanges(&out, &msg, NULL), MLT_OK);
    const char *text = mlt_buf_cstr(&out.lines);
    assert_non_null(strstr(text, "\"git_commit\":\"c1\",\"git_repository\":\"u\",\"git_dirty\":true"));
    mlt_capture_clear(&out);
}

static void test_digest_of_a_callers_own(void **state) {
    // Whoever logs an input may name its version by any text; only what looks like MLflow's digest is called one.
    (void)state;
    struct mlt_capture out = {0};
    struct mlt_foreign msg = message(
        "{\"exchange\":\"a\",\"method\":\"POST\",\"path\":\"/api/2.0/mlflow/runs/update\","
        "\"started_at\":\"2026-11-25T01:00:00Z\",\"status\":200,\"run\":{\"info\":{\"run_id\":\"r\",\"status\":"
        "\"FINISHED\"},\"inputs\":{\"dataset_inputs\":[{\"dataset\":{\"name\":\"db/t\",\"digest\":"
        "\"01a210b7-466c-737a-ac2f-f8eb9e4a4c82\"}},{\"dataset\":{\"name\":\"p\",\"digest\":\"1a2b3c4d\"}}]}}}");
    assert_int_equal(mlt_capture_mlflow_exchanges(&out, &msg, NULL), MLT_OK);
    const char *text = mlt_buf_cstr(&out.lines);
    assert_non_null(strstr(text, "\"dataset\":\"db/t\",\"version\":\"01a210b7-466c-737a-ac2f-f8eb9e4a4c82\"}"));
    assert_non_null(strstr(text, "\"version\":\"1a2b3c4d\",\"hash\":{\"mlflow-md5-8\":\"1a2b3c4d\"}"));
    mlt_capture_clear(&out);
}

static const char *delivery_header(void *arg, const char *name) {
    return strcmp(name, "X-MLflow-Delivery-Id") == 0 ? arg : NULL;
}

static void test_webhook(void **state) {
    // A delivery is kept as it came, under its own identifier; without one it cannot be told from a repetition.
    (void)state;
    char id[] = "0b3c7e0e-6f0e-4d4b-9a0f-3f1f6a1d2c3b";
    struct mlt_capture out = {0};
    struct mlt_foreign msg =
        message("{\"entity\": \"model_version_alias\", \"action\": \"created\", \"timestamp\": "
                "\"2026-11-25T01:00:00.5+00:00\", \"data\": {\"name\": \"credit\", \"alias\": \"champion\", "
                "\"version\": \"3\"}}");
    assert_int_equal(mlt_capture_mlflow_webhook(&out, &msg, NULL), MLT_INVALID);
    assert_int_equal(out.num_rejected, 1);
    mlt_capture_clear(&out);
    msg.header = delivery_header;
    msg.header_arg = id;
    assert_int_equal(mlt_capture_mlflow_webhook(&out, &msg, NULL), MLT_OK);
    const char *text = mlt_buf_cstr(&out.lines);
    assert_non_null(strstr(text, "\"event_id\":\"mlflow-webhook/0b3c7e0e-"));
    assert_non_null(strstr(text, "\"derived\":[\"model_version_alias.created credit/3\"]"));
    assert_non_null(strstr(text, "\"timestamp\":\"2026-11-25T01:00:00.5+00:00\""));
    mlt_capture_clear(&out);
    msg.body = mlt_str("{\"action\":\"created\"}");
    assert_int_equal(mlt_capture_mlflow_webhook(&out, &msg, NULL), MLT_INVALID);
    mlt_capture_clear(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_no_secrets),
        cmocka_unit_test(test_encoded_path),
        cmocka_unit_test(test_webhook),
        cmocka_unit_test(test_names_that_do_not_fit),
        cmocka_unit_test(test_code_of_run),
        cmocka_unit_test(test_digest_of_a_callers_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
