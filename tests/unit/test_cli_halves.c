// links: mlt_cli mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/halves.h"

#include <cmocka.h>

static struct mlt_cli_half half_of(uint64_t number, bool response, uint64_t row, uint64_t entry) {
    struct mlt_cli_half h = {.response = response, .row = row, .entry = entry};
    uint8_t hash[MLT_HASH_LEN], text[8];
    mlt_store_u64be(text, number);
    mlt_sha256_one(hash, mlt_bytes_of(text, sizeof(text)));
    memcpy(h.key, hash, sizeof(h.key));
    mlt_store_u64be(h.digest, number);
    return h;
}

struct seen {
    uint64_t groups, halves, pairs;
    uint8_t last[16];
};

static enum mlt_status see(void *arg, const struct mlt_cli_half *group, size_t num, struct mlt_error *err) {
    struct seen *s = arg;
    (void)err;
    assert_true(s->groups == 0 || memcmp(s->last, group[0].key, sizeof(s->last)) < 0);
    memcpy(s->last, group[0].key, sizeof(s->last));
    for (size_t i = 1; i < num; i++) {
        const struct mlt_cli_half *a = &group[i - 1], *b = &group[i];
        assert_memory_equal(a->key, b->key, sizeof(a->key));
        assert_memory_equal(a->digest, b->digest, sizeof(a->digest));
        assert_true(a->response != b->response ? b->response
                    : a->row != b->row         ? a->row < b->row
                                               : a->entry < b->entry);
    }
    s->groups++;
    s->halves += num;
    s->pairs += !group[0].response && group[num - 1].response;
    return MLT_OK;
}

static void sorted(uint64_t num) {
    struct mlt_cli_halves h;
    struct mlt_error err = {0};
    struct seen seen = {0};
    uint64_t sent = 0, lost = 0;
    mlt_cli_halves_init(&h);
    for (uint64_t pass = 0; pass < 2; pass++) {
        for (uint64_t i = 0; i < num; i++) {
            const struct mlt_cli_half half = half_of(i, pass == 1, i % 3, pass * num + i);
            if (pass == 1 && i % 10 == 9) {
                lost++;
                continue;
            }
            assert_int_equal(mlt_cli_halves_add(&h, &half, &err), MLT_OK);
            sent++;
        }
    }
    assert_int_equal(h.total, sent);
    assert_int_equal(mlt_cli_halves_each(&h, see, &seen, &err), MLT_OK);
    assert_int_equal(seen.groups, num);
    assert_int_equal(seen.halves, sent);
    assert_int_equal(seen.pairs, num - lost);
    mlt_cli_halves_clear(&h);
}

static void test_in_memory(void **state) {
    // What fits in memory needs no file.
    (void)state;
    sorted(0);
    sorted(1);
    sorted(1000);
}

static void test_through_a_file(void **state) {
    // What does not fit comes out the same through sorted runs: at the edge of a run and over several.
    (void)state;
    sorted(MLT_HALVES_RUN * 10 / 19); // exactly one run
    sorted(MLT_HALVES_RUN + 7);
}

static enum mlt_status refuse(void *arg, const struct mlt_cli_half *group, size_t num, struct mlt_error *err) {
    (void)arg, (void)group, (void)num;
    return mlt_fail(err, MLT_BUSY, "no");
}

static void test_a_refusal_ends_it(void **state) {
    // What the taker says ends the walk.
    struct mlt_cli_halves h;
    struct mlt_error err = {0};
    const struct mlt_cli_half half = half_of(1, false, 0, 0);
    (void)state;
    mlt_cli_halves_init(&h);
    assert_int_equal(mlt_cli_halves_add(&h, &half, &err), MLT_OK);
    assert_int_equal(mlt_cli_halves_each(&h, refuse, NULL, &err), MLT_BUSY);
    mlt_cli_halves_clear(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_memory),
        cmocka_unit_test(test_through_a_file),
        cmocka_unit_test(test_a_refusal_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
