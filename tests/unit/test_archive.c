// links: mlt_archive
//
// ZIP archives: written the same each time, and read only when nothing about them is odd.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "archive/archive.h"
#include "lib/rawzip.h"

#include <cmocka.h>

static const struct mlt_archive_limits limits = {
    .members = 10, .member_bytes = 8 << 20, .total_bytes = 16 << 20, .ratio = 100};

static enum mlt_status open_raw(const struct rawzip_member *members, size_t num, const char *comment,
                                struct mlt_error *err) {
    struct mlt_buf zip = {0};
    struct mlt_archive a;
    struct mlt_arena arena = {0};
    rawzip_write(&zip, members, num, comment);
    enum mlt_status status = mlt_archive_open(&a, mlt_buf_bytes(&zip), &limits, err);
    for (size_t i = 0; !status && i < a.num_entries; i++) {
        struct mlt_bytes data;
        status = mlt_archive_read(&a, i, &arena, &data, err);
    }
    mlt_archive_close(&a);
    mlt_arena_clear(&arena);
    mlt_buf_clear(&zip);
    return status;
}

static void test_round_trip(void **state) {
    // members come back as they were, sorted, and the bytes do not depend on when or in which order
    (void)state;
    struct mlt_archive_member one[] = {{.name = "b/2.json", .data = mlt_str("two")},
                                       {.name = "a", .data = mlt_str("")}};
    struct mlt_archive_member other[] = {one[1], one[0]};
    struct mlt_buf x = {0}, y = {0};
    struct mlt_error err = {0};
    struct mlt_archive a;
    struct mlt_arena arena = {0};
    struct mlt_bytes data;
    assert_int_equal(mlt_archive_write(one, 2, &x, &err), MLT_OK);
    assert_int_equal(mlt_archive_write(other, 2, &y, &err), MLT_OK);
    assert_true(mlt_bytes_equal(mlt_buf_bytes(&x), mlt_buf_bytes(&y)));
    assert_int_equal(mlt_archive_open(&a, mlt_buf_bytes(&x), &limits, &err), MLT_OK);
    assert_int_equal(a.num_entries, 2);
    assert_string_equal(a.entries[1].name, "b/2.json");
    assert_int_equal(mlt_archive_read(&a, 1, &arena, &data, &err), MLT_OK);
    assert_true(mlt_bytes_is(data, "two"));
    mlt_archive_close(&a);
    mlt_arena_clear(&arena);
    mlt_buf_clear(&x);
    mlt_buf_clear(&y);
}

static void test_names(void **state) {
    // only plain relative names are names
    (void)state;
    static const char *const good[] = {"a", "a/b.json", "entries/17.json", "..a", "a..b/c"};
    static const char *const bad[] = {"",      "/a", "a/",   "a//b", "..",  "../a",    "a/../b",
                                      "a/./b", ".",  "a\\b", "a b",  "C:a", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(mlt_archive_name_valid(mlt_str(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(mlt_archive_name_valid(mlt_str(bad[i])));
    }
}

static void test_stored(void **state) {
    // a stored archive in order is read: what follows fails for its own reason alone
    (void)state;
    struct mlt_error err = {0};
    const struct rawzip_member m[] = {{.name = "a", .data = mlt_str("1")}, {.name = "b", .data = mlt_str("2")}};
    assert_int_equal(open_raw(m, 2, "", &err), MLT_OK);
}

#define REFUSED(status, why, comment, ...)                                                                             \
    do {                                                                                                               \
        struct mlt_error refused = {0};                                                                                \
        const struct rawzip_member odd[] = {__VA_ARGS__};                                                              \
        assert_int_equal(open_raw(odd, sizeof(odd) / sizeof(odd[0]), comment, &refused), status);                      \
        if (!strstr(refused.text, why)) {                                                                              \
            fail_msg("\"%s\" does not say \"%s\"", refused.text, why);                                                 \
        }                                                                                                              \
    } while (0)

static void test_refused(void **state) {
    // whatever is odd is refused, with its reason
    (void)state;
    const struct mlt_bytes x = mlt_str("x");
    REFUSED(MLT_INVALID, "a name that no member", "", {.name = "../a", .data = x});
    REFUSED(MLT_INVALID, "a name that no member", "", {.name = "/etc/passwd", .data = x});
    REFUSED(MLT_INVALID, "a name is there once", "", {.name = "a", .data = x}, {.name = "a", .data = x});
    REFUSED(MLT_INVALID, "in the order of their names", "", {.name = "b", .data = x}, {.name = "a", .data = x});
    REFUSED(MLT_INVALID, "no ZIP archive", "hello", {.name = "a", .data = x});
    REFUSED(MLT_INVALID, "method 12", "", {.name = "a", .data = x, .method = 12});
    REFUSED(MLT_INVALID, "", "", {.name = "a", .data = x, .flags = 1});
    REFUSED(MLT_INVALID, "", "", {.name = "a", .data = x, .local_name = "b"});
    REFUSED(MLT_INVALID, "", "", {.name = "a", .data = x, .claimed_len = 2});
    REFUSED(MLT_LIMIT, "beyond the limit", "", {.name = "a", .data = x, .claimed_len = 9 << 20});
}

static void test_layout(void **state) {
    // nothing stands between members, none has a second name, and all are plain files
    (void)state;
    static const char hidden[] = "PK\003\004\024\0\0\0\0\0\0\0\041\0\0\0\0\0\0\0\0\0\0\0\0\0\001\0\0\0z";
    static const char name[] = "up\006\0\001\276\027\267\350b"; // the UTF-8 name "b", of what is named "a"
    static const char time[] = "UT\005\0\003\0\0\0\0";
    static const char why[] = "not laid out as ours";
    const struct mlt_bytes x = mlt_str("x");
    REFUSED(MLT_INVALID, why, "", {.name = "a", .data = x},
            {.name = "b", .data = x, .before = mlt_bytes_of(hidden, sizeof(hidden) - 1)});
    REFUSED(MLT_INVALID, why, "", {.name = "a", .data = x, .extra = mlt_bytes_of(name, sizeof(name) - 1)});
    REFUSED(MLT_INVALID, why, "", {.name = "a", .data = x, .extra = mlt_bytes_of(time, sizeof(time) - 1)});
    REFUSED(MLT_INVALID, why, "", {.name = "a", .data = x, .attributes = 0120777U << 16});
    REFUSED(MLT_INVALID, why, "", {.name = "a", .data = x, .attributes = 0x10});
}

static void test_very_many(void **state) {
    // more members than 16 bits count are laid out with 64-bit numbers
    (void)state;
    static struct mlt_archive_member many[66000];
    static char names[66000][8];
    const struct mlt_archive_limits wide = {
        .members = 100000, .member_bytes = 8 << 20, .total_bytes = 16 << 20, .ratio = 100};
    struct mlt_buf zip = {0};
    struct mlt_error err = {0};
    struct mlt_archive a;
    for (size_t i = 0; i < 66000; i++) {
        snprintf(names[i], sizeof(names[i]), "m%05zu", i);
        many[i] = (struct mlt_archive_member){.name = names[i], .data = mlt_str("x")};
    }
    assert_int_equal(mlt_archive_write(many, 66000, &zip, &err), MLT_OK);
    assert_int_equal(mlt_archive_open(&a, mlt_buf_bytes(&zip), &wide, &err), MLT_OK);
    assert_int_equal(a.num_entries, 66000);
    mlt_archive_close(&a);
    mlt_buf_clear(&zip);
}

static void test_bombs(void **state) {
    // too many members, too many bytes, too good a ratio
    (void)state;
    static uint8_t zeros[4 << 20];
    struct mlt_archive_member many[11];
    char names[11][8];
    struct mlt_buf zip = {0};
    struct mlt_error err = {0};
    struct mlt_archive a;
    for (size_t i = 0; i < 11; i++) {
        snprintf(names[i], sizeof(names[i]), "m%02zu", i);
        many[i] = (struct mlt_archive_member){.name = names[i], .data = mlt_str("x")};
    }
    assert_int_equal(mlt_archive_write(many, 11, &zip, &err), MLT_OK);
    assert_int_equal(mlt_archive_open(&a, mlt_buf_bytes(&zip), &limits, &err), MLT_LIMIT);
    mlt_buf_reset(&zip);
    many[0].data = mlt_bytes_of(zeros, sizeof(zeros));
    assert_int_equal(mlt_archive_write(many, 1, &zip, &err), MLT_OK);
    assert_int_equal(mlt_archive_open(&a, mlt_buf_bytes(&zip), &limits, &err), MLT_LIMIT);
    assert_non_null(strstr(err.text, "times its packed length"));
    mlt_buf_clear(&zip);
}

static void test_every_byte(void **state) {
    // a flipped bit is refused, or leaves the members as they were: there are bytes that mean nothing (times)
    (void)state;
    struct mlt_archive_member m[] = {{.name = "a", .data = mlt_str("some text, some text")},
                                     {.name = "b", .data = mlt_str("more")}};
    struct mlt_buf zip = {0};
    struct mlt_error err = {0};
    size_t passed = 0;
    assert_int_equal(mlt_archive_write(m, 2, &zip, &err), MLT_OK);
    for (size_t i = 0; i < zip.len; i++) {
        struct mlt_archive a;
        struct mlt_arena arena = {0};
        zip.data[i] ^= 0x40;
        enum mlt_status status = mlt_archive_open(&a, mlt_buf_bytes(&zip), &limits, &err);
        bool same = !status && a.num_entries == 2;
        for (size_t n = 0; same && n < 2; n++) {
            struct mlt_bytes data;
            status = mlt_archive_read(&a, n, &arena, &data, &err);
            if (status) {
                break;
            }
            same = mlt_bytes_equal(data, m[n].data);
        }
        assert_true(status || same || a.num_entries != 2 || strcmp(a.entries[0].name, "a") != 0 ||
                    strcmp(a.entries[1].name, "b") != 0);
        passed += !status;
        mlt_archive_close(&a);
        mlt_arena_clear(&arena);
        zip.data[i] ^= 0x40;
    }
    assert_true(passed < zip.len / 2);
    mlt_buf_clear(&zip);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_names),     cmocka_unit_test(test_stored),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_bombs),     cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_layout),     cmocka_unit_test(test_very_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
