// links: mlt_trail mlt_base_posix mlt_testlib
//
// Publications with others who sign beside the log.
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base_posix/env_posix.h"
#include "lib/records.h"
#include "lib/tempdir.h"
#include "trail/trail.h"

#include <cmocka.h>

#define WAIT_MS 10000 // for what must come: only a broken run waits so long

struct fixture {
    char base[TEMPDIR_MAX];
    char dir[80];
    struct mlt_env *env;
    struct mlt_error err;
    struct mlt_trail_options opt;
    struct mlt_trail *trail;
    struct records records;
    atomic_int asked;
    atomic_int told;   // of publications
    atomic_int forked; // told of a fork
    atomic_int answer; // enum mlt_status of the hook
    int64_t again_ns;
};

static enum mlt_status cosign(void *arg, const struct mlt_head *head, const struct mlt_hash_source *hashes,
                              struct mlt_buf *note, struct mlt_cosigned *out, struct mlt_error *err) {
    struct fixture *f = arg;
    uint8_t root[MLT_HASH_LEN];
    atomic_fetch_add(&f->asked, 1);
    assert_int_equal(mlt_merkle_root(hashes, head->size, root, err), MLT_OK);
    assert_memory_equal(root, head->root, MLT_HASH_LEN);
    out->quorum = true;
    out->again_ns = f->again_ns;
    mlt_buf_put(note, head->note, head->note_len);
    mlt_buf_put_str(note, "\xe2\x80\x94 w AAAAAAA=\n");
    enum mlt_status answer = (enum mlt_status)atomic_load(&f->answer);
    return answer ? mlt_fail(err, answer, "as the test wants") : MLT_OK;
}

static void published(void *arg, uint64_t size, struct mlt_bytes note, const struct mlt_cosigned *cosigned) {
    struct fixture *f = arg;
    assert_true(size > 0 || note.len > 0);
    assert_true(cosigned->quorum);
    atomic_fetch_add(&f->told, 1);
}

static void forked(void *arg, const struct mlt_error *err) {
    struct fixture *f = arg;
    assert_string_equal(err->text, "as the test wants");
    atomic_fetch_add(&f->forked, 1);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->env = mlt_env_posix();
    tempdir_make(f->base, "publisher");
    (void)snprintf(f->dir, sizeof(f->dir), "%s/t", f->base);
    f->opt = (struct mlt_trail_options){.dir = f->dir,
                                        .journal_bytes = 256 << 10,
                                        .reserve_bytes = 1,
                                        .publish_interval_ns = MLT_NS_PER_S / 10,
                                        .cosign = cosign,
                                        .cosign_arg = f,
                                        .published = published,
                                        .published_arg = f,
                                        .forked = forked,
                                        .forked_arg = f};
    assert_int_equal(mlt_trail_create(f->env, &f->opt, "example.org/test", false, false, &f->err), MLT_OK);
    assert_int_equal(mlt_trail_open(&f->trail, f->env, &f->opt, &f->err), MLT_OK);
    assert_int_equal(mlt_trail_start(f->trail, NULL, &f->err), MLT_OK);
    records_open(&f->records, f->env, mlt_trail_keys(f->trail));
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    records_close(&f->records);
    if (f->trail) {
        (void)mlt_trail_close(f->trail, &f->err);
    }
    tempdir_remove(f->base);
    free(f);
    return 0;
}

static uint64_t append(struct fixture *f) {
    struct mlt_receipt receipt;
    struct mlt_head head;
    mlt_batch_reset(&f->records.batch);
    records_prediction(&f->records, 50);
    assert_int_equal(mlt_trail_append_wait(f->trail, &f->records.batch, false, &receipt, &head, &f->err), MLT_OK);
    return head.size;
}

static uint64_t size_published(struct fixture *f) {
    struct mlt_buf note = {0};
    struct mlt_checkpoint c = {0};
    struct mlt_arena arena = {0};
    struct mlt_note parsed;
    assert_int_equal(mlt_trail_checkpoint(f->trail, &note, &f->err), MLT_OK);
    assert_int_equal(mlt_note_parse(&parsed, &arena, mlt_buf_bytes(&note), &f->err), MLT_OK);
    assert_int_equal(mlt_checkpoint_parse(&c, parsed.text, &f->err), MLT_OK);
    mlt_arena_clear(&arena);
    mlt_buf_clear(&note);
    return c.size;
}

static void wait_for(atomic_int *count, int least) {
    for (int i = 0; i < WAIT_MS / 10 && atomic_load(count) < least; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_true(atomic_load(count) >= least);
}

static void test_beside(void **state) {
    // What others signed is published with the checkpoint, and `published` is told.
    struct fixture *f = *state;
    struct mlt_buf note = {0};
    uint64_t size = append(f);
    assert_int_equal(mlt_trail_publish(f->trail, &f->err), MLT_OK);
    assert_int_equal(size_published(f), size);
    assert_int_equal(mlt_trail_checkpoint(f->trail, &note, &f->err), MLT_OK);
    assert_non_null(strstr(mlt_buf_cstr(&note), "\n\xe2\x80\x94 w AAAAAAA=\n"));
    assert_true(atomic_load(&f->told) >= 1);
    mlt_buf_clear(&note);
}

static void test_not_now(void **state) {
    // MLT_BUSY leaves the checkpoint as it was; records are taken, and a later publication makes up for it.
    struct fixture *f = *state;
    append(f);
    assert_int_equal(mlt_trail_publish(f->trail, &f->err), MLT_OK);
    uint64_t before = size_published(f);
    atomic_store(&f->answer, MLT_BUSY);
    uint64_t size = append(f);
    assert_int_equal(mlt_trail_publish(f->trail, &f->err), MLT_BUSY);
    int asked = atomic_load(&f->asked);
    wait_for(&f->asked, asked + 2); // the publisher goes on trying
    assert_int_equal(size_published(f), before);
    atomic_store(&f->answer, MLT_OK);
    int told = atomic_load(&f->told);
    wait_for(&f->told, told + 1);
    assert_int_equal(size_published(f), size);
    // and at the end a publication that cannot be had is no failure
    atomic_store(&f->answer, MLT_BUSY);
    append(f);
    assert_int_equal(mlt_trail_close(f->trail, &f->err), MLT_OK);
    f->trail = NULL;
}

static void test_fork(void **state) {
    // Once somebody knows another history nothing is published any more; the owner is told once.
    struct fixture *f = *state;
    append(f);
    assert_int_equal(mlt_trail_publish(f->trail, &f->err), MLT_OK);
    uint64_t before = size_published(f);
    atomic_store(&f->answer, MLT_CONFLICT);
    append(f);
    assert_int_equal(mlt_trail_publish(f->trail, &f->err), MLT_CONFLICT);
    wait_for(&f->forked, 1);
    int asked = atomic_load(&f->asked);
    atomic_store(&f->answer, MLT_OK);
    assert_int_equal(mlt_trail_publish(f->trail, &f->err), MLT_CONFLICT);
    assert_int_equal(atomic_load(&f->asked), asked);
    assert_int_equal(atomic_load(&f->forked), 1);
    assert_int_equal(size_published(f), before);
}

static void test_again(void **state) {
    // Though nothing changes, it is published again when the others' signatures get old.
    struct fixture *f = *state;
    f->again_ns = MLT_NS_PER_S / 10;
    append(f);
    wait_for(&f->told, 1);
    int told = atomic_load(&f->told);
    wait_for(&f->told, told + 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_beside), TEST(test_not_now), TEST(test_fork), TEST(test_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
