// links: mlt_store mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "lib/simdisk.h"
#include "store/crc32c.h"
#include "store/journal.h"

#include <cmocka.h>

#define REGION ((uint64_t)32 << 10)
#define PATH "/j"

struct fixture {
    struct simdisk *disk;
    struct mlt_env *env;
    struct mlt_journal journal;
    struct mlt_group_builder builder;
    struct mlt_frontier frontier;
    uint64_t number;
    struct mlt_error err;
};

static void must(struct fixture *f, enum mlt_status st) {
    if (st) {
        fail_msg("%s", f->err.text);
    }
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->disk = simdisk_new(3);
    f->env = simdisk_env(f->disk);
    must(f, mlt_journal_create(f->env, PATH, REGION, &f->err));
    must(f, f->env->sync_dir(f->env, "", &f->err));
    must(f, mlt_journal_open(&f->journal, f->env, PATH, &f->err));
    struct mlt_journal_header h = {.region_bytes = REGION, .nonce = {77, 0}};
    must(f, mlt_journal_write_header(&f->journal, &h, &f->err));
    mlt_journal_use_region(&f->journal, 0, 77);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    mlt_journal_close(&f->journal);
    mlt_group_builder_clear(&f->builder);
    simdisk_free(f->disk);
    free(f);
    return 0;
}

static void append(struct fixture *f, size_t entry_len) {
    struct mlt_group g = {.number = f->number++, .first = f->frontier.size, .received = 5};
    struct mlt_group_hashes hashes = {0};
    struct mlt_draft d = {.entry_len = entry_len};
    d.entry = calloc(1, entry_len);
    assert_non_null(d.entry);
    mlt_group_builder_reset(&f->builder);
    must(f, mlt_group_builder_add(&f->builder, &d, &f->err));
    mlt_group_builder_sections(&f->builder, &g);
    must(f, mlt_group_hash(&hashes, &f->frontier, &g, &f->err));
    mlt_frontier_root(&f->frontier, g.root);
    assert_true(mlt_journal_room(&f->journal, mlt_group_len(&g)));
    must(f, mlt_journal_append(&f->journal, &g, &f->err));
    mlt_group_hashes_clear(&hashes);
    free(d.entry);
}

static enum mlt_status count_group(void *ctx, const struct mlt_group *g, uint64_t offset, struct mlt_error *err) {
    uint64_t *count = ctx;
    (void)offset;
    (void)err;
    assert_int_equal(g->number, *count);
    (*count)++;
    return MLT_OK;
}

static enum mlt_status scan(struct fixture *f, uint64_t *count, struct mlt_journal_tail *tail) {
    *count = 0;
    return mlt_journal_scan(&f->journal, count_group, count, tail, &f->err);
}

// The checksum is the one of RFC 3720: its check value is known.
static void test_crc32c(void **state) {
    (void)state;
    assert_int_equal(mlt_crc32c(mlt_str("123456789")), 0xe3069283);
}

// What was appended is found again, in order.
static void test_scan(void **state) {
    struct fixture *f = *state;
    uint64_t count;
    struct mlt_journal_tail tail;
    append(f, 10);
    append(f, 9000); // several blocks
    append(f, 504);
    must(f, scan(f, &count, &tail));
    assert_int_equal(count, 3);
    assert_false(tail.torn);
}

// A last group without its end is a torn tail, and one with nothing at all is no group.
static void test_torn_tail(void **state) {
    struct fixture *f = *state;
    uint64_t count;
    uint64_t len;
    struct mlt_journal_tail tail;
    append(f, 10);
    append(f, 5000);
    uint8_t *bytes = simdisk_bytes(f->disk, PATH, &len);
    uint64_t second = MLT_JOURNAL_HEADERS_LEN + 4096;
    memset(bytes + second + 4096, 0, 512);
    must(f, scan(f, &count, &tail));
    assert_int_equal(count, 1);
    assert_true(tail.torn);
    assert_int_equal(tail.torn_offset, second);

    // The same with its first sector lost: the others still have their stamps.
    memset(bytes + second, 0, 512);
    must(f, scan(f, &count, &tail));
    assert_true(tail.torn);

    memset(bytes + second, 0, 8192);
    must(f, scan(f, &count, &tail));
    assert_int_equal(count, 1);
    assert_false(tail.torn);
}

// A group that was written completely and does not read back is damage, wherever it is.
static void test_rot(void **state) {
    struct fixture *f = *state;
    uint64_t count;
    uint64_t len;
    struct mlt_journal_tail tail;
    append(f, 600);
    append(f, 600);
    uint8_t *bytes = simdisk_bytes(f->disk, PATH, &len);
    uint64_t last = MLT_JOURNAL_HEADERS_LEN + 4096;
    bytes[last + 300] ^= 1;
    assert_int_equal(scan(f, &count, &tail), MLT_CORRUPT);
    assert_true(f->err.has_offset);
    assert_int_equal(f->err.offset, last);
    bytes[last + 300] ^= 1;

    // Incomplete, with a whole group behind it: that was whole once as well.
    bytes[MLT_JOURNAL_HEADERS_LEN + 511] ^= 1;
    assert_int_equal(scan(f, &count, &tail), MLT_CORRUPT);
    assert_int_equal(f->err.offset, MLT_JOURNAL_HEADERS_LEN);
}

// A torn header leaves the one before in force.
static void test_torn_header(void **state) {
    struct fixture *f = *state;
    uint64_t len;
    uint8_t *bytes = simdisk_bytes(f->disk, PATH, &len);
    uint64_t sequence = f->journal.header.sequence;
    bytes[sequence % 2 * 4096 + 100] ^= 1;
    mlt_journal_close(&f->journal);
    must(f, mlt_journal_open(&f->journal, f->env, PATH, &f->err));
    assert_int_equal(f->journal.header.sequence, sequence - 1);
    bytes[(sequence - 1) % 2 * 4096 + 100] ^= 1;
    mlt_journal_close(&f->journal);
    assert_int_equal(mlt_journal_open(&f->journal, f->env, PATH, &f->err), MLT_CORRUPT);
}

// Groups of an earlier use of a region do not count in the next one.
static void test_reuse(void **state) {
    struct fixture *f = *state;
    uint64_t count;
    struct mlt_journal_tail tail;
    append(f, 10);
    append(f, 10);
    struct mlt_journal_header h = f->journal.header;
    h.nonce[0] = 78;
    h.first_group[0] = h.mark.next_group = 0;
    must(f, mlt_journal_write_header(&f->journal, &h, &f->err));
    mlt_journal_use_region(&f->journal, 0, 78);
    f->number = 0;
    append(f, 10);
    must(f, scan(f, &count, &tail));
    assert_int_equal(count, 1);
    assert_false(tail.torn);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c),
        cmocka_unit_test_setup_teardown(test_scan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_torn_tail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_torn_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reuse, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
