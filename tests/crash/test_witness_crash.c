// links: mlt_witness mlt_base_posix mlt_testlib
//
// A witness whose disk fails or stops at any operation, in every way, never cosigns two trees that contradict each
// other, nor a smaller one after a larger one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "lib/simdisk.h"
#include "lib/small_log.h"
#include "witness/witness.h"

#define DIR "w"
#define FORK 3 // leaves in common
#define SAID_MAX 64

static struct small_log branch[2]; // one key

// Everything that the witness ever cosigned.
struct said {
    struct {
        unsigned branch;
        uint64_t size;
    } head[SAID_MAX];
    size_t num;
};

static bool consistent(const struct said *said) {
    for (size_t i = 0; i < said->num; i++) {
        for (size_t k = i + 1; k < said->num; k++) {
            bool forked =
                said->head[i].branch != said->head[k].branch && said->head[i].size > FORK && said->head[k].size > FORK;
            if (forked || said->head[k].size < said->head[i].size) {
                return false;
            }
        }
    }
    return true;
}

static void submit(struct mlt_witness *w, struct said *said, unsigned which, uint64_t old, uint64_t size) {
    struct mlt_buf body = {0};
    struct mlt_witness_answer a = {0};
    if (old > size) {
        return;
    }
    small_log_request(&branch[which], old, size, &body);
    mlt_witness_add_checkpoint(w, mlt_buf_bytes(&body), &a);
    if (a.status == 200) {
        assert_true(said->num < SAID_MAX);
        said->head[said->num].branch = which;
        said->head[said->num++].size = size;
    }
    mlt_buf_clear(&a.body);
    mlt_buf_clear(&body);
}

// kept_size asks the witness itself.
static uint64_t kept_size(struct mlt_witness *w) {
    struct mlt_buf body = {0};
    struct mlt_witness_answer a = {0};
    uint64_t size = 0;
    mlt_buf_put_str(&body, "old 1\n\n");
    small_log_note(&branch[0], 1, &body);
    mlt_witness_add_checkpoint(w, mlt_buf_bytes(&body), &a);
    if (a.status == 409) {
        assert_true(mlt_decimal_decode(&size, mlt_bytes_of(a.body.data, a.body.len - 1)));
    }
    mlt_buf_clear(&a.body);
    mlt_buf_clear(&body);
    return size;
}

// A log that forked tries both branches, honestly about sizes.
static void try_both(struct mlt_witness *w, struct said *said) {
    for (unsigned i = 0; i < 4; i++) {
        uint64_t old = kept_size(w);
        submit(w, said, i % 2, old, old + 2);
        submit(w, said, (i + 1) % 2, old, old);
        submit(w, said, (i + 1) % 2, old, old + 1);
        submit(w, said, i % 2, 0, 4);
    }
}

static void one_life(struct simdisk *disk, struct said *said) {
    struct mlt_witness *w = NULL;
    if (mlt_witness_open(&w, simdisk_env(disk), DIR, false, NULL) == MLT_OK) {
        try_both(w, said);
        mlt_witness_close(w);
    }
}

static void prepare(struct simdisk *disk) {
    struct mlt_vkey vkey;
    assert_int_equal(mlt_witness_create(simdisk_env(disk), DIR, "w", &vkey, NULL), MLT_OK);
    assert_int_equal(mlt_witness_add_log(simdisk_env(disk), DIR, &branch[0].signer.vkey, NULL), MLT_OK);
}

// True: the fault happened within the script, so a later one may be tried.
static bool run_with(enum simdisk_fault fault, uint64_t at, uint64_t seed) {
    struct simdisk *disk = simdisk_new(seed);
    struct said said = {0};
    prepare(disk);
    simdisk_plan(disk, fault, at);
    one_life(disk, &said);
    bool fired = simdisk_fired(disk);
    if (simdisk_dead(disk)) {
        simdisk_reboot(disk);
    } else {
        simdisk_restart(disk);
    }
    one_life(disk, &said);
    if (!consistent(&said)) {
        fail_msg("fault %d at operation %llu, seed %llu: two trees were cosigned", (int)fault, (unsigned long long)at,
                 (unsigned long long)seed);
    }
    assert_true(said.num > 0);
    simdisk_free(disk);
    return fired;
}

static void test_grid(void **state) {
    static const enum simdisk_fault faults[] = {SIMDISK_ERROR_APPLIED, SIMDISK_ERROR_NOT_APPLIED, SIMDISK_DEATH_BEFORE,
                                                SIMDISK_DEATH_DURING, SIMDISK_DEATH_AFTER};
    size_t runs = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            uint64_t at = 1;
            while (run_with(faults[i], at, seed)) {
                at++;
            }
            runs += at;
        }
    }
    assert_true(runs > 100);
}

static void test_net(void **state) {
    // The net and not only the fish: on a disk that says "synced" and is not, the oracle sees two trees.
    bool caught = false;
    (void)state;
    for (uint64_t seed = 1; seed <= 20 && !caught; seed++) {
        struct simdisk *disk = simdisk_new(seed);
        struct said said = {0};
        prepare(disk);
        simdisk_lie(disk, true);
        one_life(disk, &said);
        simdisk_kill(disk);
        simdisk_reboot(disk);
        simdisk_lie(disk, false);
        struct mlt_witness *w = NULL;
        if (mlt_witness_open(&w, simdisk_env(disk), DIR, false, NULL) == MLT_OK) {
            submit(w, &said, 1, kept_size(w), 5);
            try_both(w, &said);
            mlt_witness_close(w);
        }
        caught = !consistent(&said);
        simdisk_free(disk);
    }
    assert_true(caught);
}

int main(void) {
    small_log_init(&branch[0], "log.example.com/forking", 1, FORK, "a");
    small_log_init(&branch[1], "log.example.com/forking", 1, FORK, "b");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_grid), cmocka_unit_test(test_net)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    small_log_clear(&branch[0]);
    small_log_clear(&branch[1]);
    return failed;
}
