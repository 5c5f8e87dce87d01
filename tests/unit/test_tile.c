// links: mlt_merkle mlt_testlib
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/vectors.h"
#include "merkle/merkle.h"

#include <cmocka.h>

static void test_path_vectors(void **state) {
    // Paths are those of tlog-tiles and of tessera's api/layout tests, in both directions.
    (void)state;
    static const struct {
        const char *path;
        struct mlt_tile_id id;
    } cases[] = {
        {"tile/0/000", {false, 0, 0, 256}},
        {"tile/0/000.p/1", {false, 0, 0, 1}},
        {"tile/1/000.p/255", {false, 1, 0, 255}},
        {"tile/0/999", {false, 0, 999, 256}},
        {"tile/0/x001/000", {false, 0, 1000, 256}},
        {"tile/15/x455/667", {false, 15, 455667, 256}},
        {"tile/15/x123/x456/789.p/41", {false, 15, 123456789, 41}},
        {"tile/63/x001/x234/067", {false, 63, 1234067, 256}},
        {"tile/entries/000", {true, 0, 0, 256}},
        {"tile/entries/x123/x456/789", {true, 0, 123456789, 256}},
        {"tile/entries/x001/x234/067.p/8", {true, 0, 1234067, 8}},
        {"tile/entries/x018/x446/x744/x073/x709/x551/615.p/255", {true, 0, UINT64_MAX, 255}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mlt_tile_id id;
        char path[MLT_TILE_PATH_MAX];
        if (!mlt_tile_path_parse(&id, mlt_str(cases[i].path))) {
            fail_msg("refused: %s", cases[i].path);
        }
        assert_int_equal(id.entries, cases[i].id.entries);
        assert_int_equal(id.level, cases[i].id.level);
        assert_true(id.number == cases[i].id.number);
        assert_int_equal(id.width, cases[i].id.width);
        mlt_tile_path_format(path, &id);
        assert_string_equal(path, cases[i].path);
    }
}

static void test_other_paths_are_refused(void **state) {
    // A path has one spelling; every other one, and everything around it, is refused.
    (void)state;
    static const char *const bad[] = {
        "",
        "tile",
        "tile/",
        "/tile/0/000",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/000/",
        "tile/0/000.",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/-1",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/000 ",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/99999999999999999999/000",
        "tile//000",
        "tile/x/000",
        "tile/0/x000/001",
        "tile/0/x000",
        "tile/0/x001",
        "tile/0/x001/",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/x001/2",
        "tile/0/xx01/002",
        "tile/0/x01/002",
        "tile/0/X001/002",
        "tile/0/../000",
        "tile/entries",
        "tile/entries/",
        "tile/entries/0/000",
        "tile/entries/000.p/256",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct mlt_tile_id id;
        if (mlt_tile_path_parse(&id, mlt_str(bad[i]))) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
    struct mlt_tile_id id;
    assert_false(mlt_tile_path_parse(&id, mlt_bytes_of("tile/0/000\0", 11)));
    assert_false(mlt_tile_path_parse(&id, mlt_bytes_of(NULL, 0)));
}

static void test_widths(void **state) {
    // Widths are those of the tlog-tiles example: 70,000 leaves are 273 full tiles and 112 hashes, and so on up.
    (void)state;
    static const struct {
        uint64_t size;
        unsigned level;
        uint64_t number;
        unsigned want;
    } cases[] = {
        {0, 0, 0, 0},
        {1, 0, 0, 1},
        {255, 0, 0, 255},
        {256, 0, 0, 256},
        {256, 0, 1, 0},
        {256, 1, 0, 1},
        {255, 1, 0, 0},
        {70000, 0, 272, 256},
        {70000, 0, 273, 112},
        {70000, 0, 274, 0},
        {70000, 1, 0, 256},
        {70000, 1, 1, 17},
        {70000, 1, 2, 0},
        {70000, 2, 0, 1},
        {70000, 3, 0, 0},
        {70000, 63, 0, 0},
        {70000, 8, 0, 0},
        {70000, 0, UINT64_MAX, 0},
        {UINT64_MAX, 0, UINT64_MAX >> 8, 255},
        {UINT64_MAX, 7, 0, 255},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(mlt_tile_width(cases[i].size, cases[i].level, cases[i].number), cases[i].want);
    }
}

static void assert_file_is(const char *folder, const char *path, const uint8_t *want, size_t want_len) {
    char full[1200];
    struct mlt_buf buf = {0};
    (void)snprintf(full, sizeof(full), "%s/%s", folder, path);
    if (!test_read_file(full, &buf)) {
        fail_msg("cannot read %s", full);
    }
    assert_int_equal(buf.len, want_len);
    assert_memory_equal(buf.data, want, want_len);
    mlt_buf_clear(&buf);
}

static void test_mirror_tiles(void **state) {
    // The published tiles of a log of 300 entries "record <i>" are what our tree writes, byte for byte.
    (void)state;
    static const char folder[] = "vectors/sunlight-mirror/cmd/skylight/testdata/witness/mirror/"
                                 "000de184301123b9278c086a7d9f68c9577e83872224c197058fd90784ea9706";
    static uint8_t level0[300][MLT_HASH_LEN];
    uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
    uint8_t level1[MLT_HASH_LEN];
    struct mlt_frontier f = {0};
    char path[1024];
    if (!test_shared_path(path, sizeof(path), folder)) {
        skip();
    }
    for (unsigned i = 0; i < 300; i++) {
        char entry[32];
        int len = snprintf(entry, sizeof(entry), "record %u", i);
        mlt_merkle_leaf(level0[i], mlt_bytes_of(entry, (size_t)len));
        if (mlt_frontier_add(&f, level0[i], roots) > 0) {
            memcpy(level1, roots[0], sizeof(level1));
        }
    }
    static const struct {
        struct mlt_tile_id id;
        unsigned first;
    } tiles[] = {{{false, 0, 0, 256}, 0}, {{false, 0, 1, 44}, 256}};
    for (size_t i = 0; i < 2; i++) {
        char tile[MLT_TILE_PATH_MAX];
        mlt_tile_path_format(tile, &tiles[i].id);
        assert_int_equal(mlt_tile_width(300, 0, tiles[i].id.number), tiles[i].id.width);
        assert_file_is(path, tile, level0[tiles[i].first], (size_t)tiles[i].id.width * MLT_HASH_LEN);
    }
    assert_file_is(path, "tile/1/000.p/1", level1, sizeof(level1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_vectors),
        cmocka_unit_test(test_other_paths_are_refused),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_mirror_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
