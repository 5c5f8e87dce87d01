// links: mlt_base mlt_testlib
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "lib/vectors.h"

#include <cmocka.h>

#define S MLT_NS_PER_S

static void test_accepts_rfc3339(void **state) {
    // Every form that RFC 3339 allows is read, to the nanosecond.
    (void)state;
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.5Z", 500000000},
        {"1969-12-31T23:59:59.999999999Z", -1},
        {"1985-04-12T23:20:50.52Z", 482196050 * S + 520000000},        // RFC 3339 section 5.8
        {"1996-12-19T16:39:57-08:00", 851042397 * S},                  // RFC 3339 section 5.8
        {"1990-12-31T23:59:60Z", 662688000 * S},                       // RFC 3339 section 5.8, a leap second
        {"1990-12-31T15:59:60-08:00", 662688000 * S},                  // RFC 3339 section 5.8
        {"1937-01-01T12:00:27.87+00:20", -1041337173 * S + 870000000}, // RFC 3339 section 5.8
        {"2000-02-29t00:00:00z", 951782400 * S},
        {"2026-11-23 00:00:00Z", 1795392000 * S},
        {"2026-11-23T00:00:00.1234567899999Z", 1795392000 * S + 123456789},
        {"2026-11-23T05:30:00+05:30", 1795392000 * S},
        {"2026-11-22T00:01:00-23:59", 1795392000 * S},
        {"2026-11-23T00:00:00-00:00", 1795392000 * S},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t got = 1;
        assert_true(mlt_time_parse(&got, mlt_str(cases[i].text)));
        assert_int_equal(got, cases[i].want);
    }
}

static void test_refuses_what_is_not_rfc3339(void **state) {
    // Missing zones, impossible dates and clocks, stray characters and times out of range are refused.
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-11-23",
        "2026-11-23T00:00:00",
        "2026-11-23T00:00Z",
        "2026-11-23T00:00:00.Z",
        "2026-11-23T00:00:00,5Z",
        "2026-11-23T00:00:00 Z",
        "2026-11-23  00:00:00Z",
        "2026-11-23T00:00:00Zx",
        "2026-11-23T00:00:00Z\n",
        " 2026-11-23T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T00:60:00Z",
        "2026-11-23T00:00:61Z",
        "2026-11-23T00:00:00+24:00",
        "2026-11-23T00:00:00+00:60",
        "2026-11-23T00:00:00+0000",
        "2026-11-23T00:00:00+00",
        "2026-11-23T00:00:00+",
        "2026-13-23T00:00:00Z",
        "2026-00-23T00:00:00Z",
        "2026-11-00T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-11-23_00:00:00Z",
        "26-11-23T00:00:00Z",
        "02026-11-23T00:00:00Z",
        "2026-1-23T00:00:00Z",
        "-026-11-23T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "1600-01-01T00:00:00Z",
        "2300-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t got;
        if (mlt_time_parse(&got, mlt_str(bad[i]))) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

static void test_formats_fixed_width(void **state) {
    // A formatted instant always has the same width and reads back as itself, before 1970 too.
    (void)state;
    static const struct {
        int64_t ns;
        const char *want;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000000Z"},
        {-1, "1969-12-31T23:59:59.999999999Z"},
        {1795392000 * S + 123456789, "2026-11-23T00:00:00.123456789Z"},
        {951782400 * S, "2000-02-29T00:00:00.000000000Z"},
        {-9214560000 * S, "1678-01-01T00:00:00.000000000Z"},
        {9214646400 * S - 1, "2261-12-31T23:59:59.999999999Z"},
        {INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[MLT_TIME_TEXT_LEN + 1];
        mlt_time_format(text, cases[i].ns);
        assert_string_equal(text, cases[i].want);
        assert_int_equal(strlen(text), MLT_TIME_TEXT_LEN);
    }
}

static void test_every_day_round_trips(void **state) {
    // Every day from 1678 to 2261 is one after the day before, and reads back from its text.
    (void)state;
    const int64_t day = 86400 * S;
    char before[MLT_TIME_TEXT_LEN + 1] = "";
    int64_t num_days = 0;
    for (int64_t at = -9214560000 * S + 3723 * S; at < 9214646400 * S; at += day, num_days++) {
        char text[MLT_TIME_TEXT_LEN + 1];
        int64_t back = 0;
        mlt_time_format(text, at);
        assert_true(strcmp(before, text) < 0);
        assert_true(mlt_time_parse(&back, mlt_str(text)));
        assert_true(back == at);
        memcpy(before, text, sizeof(before));
    }
    assert_int_equal(num_days, 213301);
}

static void test_dates_are_midnights(void **state) {
    // A date alone is its midnight in UTC; a date-time is read as it stands; a cut date is neither.
    (void)state;
    int64_t got = 1;
    assert_true(mlt_date_parse(&got, mlt_str("2026-11-23")));
    assert_true(got == 1795392000 * S);
    assert_true(mlt_date_parse(&got, mlt_str("2026-11-23T01:00:00+01:00")));
    assert_true(got == 1795392000 * S);
    assert_false(mlt_date_parse(&got, mlt_str("2026-11-2")));
    assert_false(mlt_date_parse(&got, mlt_str("2026-11-23Z")));
    assert_false(mlt_date_parse(&got, mlt_str("2026-02-30")));
    assert_false(mlt_date_parse(&got, mlt_str("9999-12-31")));
    assert_false(mlt_date_parse(&got, mlt_str("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_rfc3339),     cmocka_unit_test(test_refuses_what_is_not_rfc3339),
        cmocka_unit_test(test_formats_fixed_width), cmocka_unit_test(test_every_day_round_trips),
        cmocka_unit_test(test_dates_are_midnights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
