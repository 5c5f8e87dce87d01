// links: mlt_server mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "server/grant.h"

static bool covers(const struct mlt_grant *grant, const char *kind, const char *record, char why[static 256]) {
    struct mlt_json json = {0};
    assert_int_equal(mlt_json_scan(&json, mlt_str(record), NULL), MLT_OK);
    bool ok = mlt_grant_covers_facts(grant, mlt_str(kind), &json, 0, why);
    mlt_json_clear(&json);
    return ok;
}

static void test_patterns(void **state) {
    // A grant without patterns covers everything; with patterns it covers what one of them matches.
    (void)state;
    struct mlt_grant g = {.rights = MLT_MAY_READ};
    assert_true(mlt_grant_covers_kind(&g, mlt_str("anything")));
    snprintf(g.kinds[0], sizeof g.kinds[0], "prediction");
    snprintf(g.kinds[1], sizeof g.kinds[1], "x-*");
    assert_true(mlt_grant_covers_kind(&g, mlt_str("prediction")));
    assert_true(mlt_grant_covers_kind(&g, mlt_str("x-mine")));
    assert_false(mlt_grant_covers_kind(&g, mlt_str("predictions")));
    assert_false(mlt_grant_covers_kind(&g, mlt_str("")));
    snprintf(g.models[0], sizeof g.models[0], "team-a/*");
    assert_true(mlt_grant_covers_model(&g, mlt_str("team-a/credit")));
    assert_false(mlt_grant_covers_model(&g, mlt_str("team-b/credit")));
    assert_false(mlt_grant_covers_model(&g, mlt_bytes_of("team-a/\0x", 9)));
}

static void test_names_in_records(void **state) {
    // Every model and dataset that a record names must be covered, in lists as well, however the name is escaped.
    (void)state;
    char why[256];
    struct mlt_grant g = {.rights = MLT_MAY_APPEND};
    snprintf(g.models[0], sizeof g.models[0], "a*");
    snprintf(g.datasets[0], sizeof g.datasets[0], "d*");
    assert_true(covers(&g, "prediction", "{\"model\":\"a1\"}", why));
    assert_true(covers(&g, "prediction", "{\"model\":\"\\u0061bc\"}", why));
    assert_false(covers(&g, "prediction", "{\"model\":\"\\u0062\"}", why));
    assert_non_null(strstr(why, "model"));
    assert_false(covers(&g, "training.run", "{\"datasets\":[{\"dataset\":\"d\"},{\"dataset\":\"x\"}]}", why));
    assert_non_null(strstr(why, "dataset"));
    assert_false(covers(&g, "model.version", "{\"model\":\"a\",\"components\":[{\"model\":\"z\"}]}", why));
}

static void test_round_trip(void **state) {
    // What is written is read back the same; a right that there is not is refused by name.
    (void)state;
    struct mlt_grant g;
    struct mlt_grant back;
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    struct mlt_json json = {0};
    struct mlt_error err;
    mlt_grant_producer(&g);
    assert_true(mlt_grant_covers_kind(&g, mlt_str("prediction")));
    assert_true(mlt_grant_covers_kind(&g, mlt_str("training.run")));
    assert_false(mlt_grant_covers_kind(&g, mlt_str("approval")));
    assert_int_equal(g.rights, MLT_MAY_APPEND);
    mlt_jw_init(&w, &text);
    mlt_jw_object(&w);
    mlt_grant_write(&g, &w);
    mlt_jw_end_object(&w);
    assert_int_equal(mlt_json_scan(&json, mlt_buf_bytes(&text), &err), MLT_OK);
    assert_int_equal(mlt_grant_read(&back, &json, 0, &err), MLT_OK);
    assert_memory_equal(&back, &g, sizeof g);
    assert_int_equal(mlt_json_scan(&json, mlt_str("{\"rights\":[\"rule\"]}"), &err), MLT_OK);
    assert_int_equal(mlt_grant_read(&back, &json, 0, &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "\"rule\""));
    mlt_json_clear(&json);
    mlt_buf_clear(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_names_in_records),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
