// links: mlt_segment mlt_base_posix mlt_testlib
#include "segment_trail.h"

struct cover {
    const struct mlt_committed *list;
    size_t num;
    uint64_t covered;
};
static struct cover cover_at(struct fixture *f, uint64_t size) {
    struct cover c;
    OK(mlt_segments_at(f->segments, size, &f->arena, &c.list, &c.num, &c.covered, &f->err));
    uint64_t at = 0;
    for (size_t i = 0; i < c.num; i++) {
        assert_int_equal(c.list[i].segment.first, at);
        assert_in_range(c.list[i].entry, c.list[i].segment.end, size - 1);
        at = c.list[i].segment.end;
    }
    assert_int_equal(at, c.covered);
    return c;
}

static struct mlt_link link_of(enum mlt_dim dim, const char *a, const char *b) {
    struct mlt_link out;
    const struct mlt_bytes values[] = {mlt_str(a), mlt_str(b)};
    mlt_link_make(&out, dim, values, b ? 2 : 1);
    return out;
}

// How many entries below `size` have the link, by proofs that verify.
static uint64_t proved(struct fixture *f, uint64_t size, struct mlt_link link, uint64_t *covered) {
    uint64_t count = 0;
    struct cover c = cover_at(f, size);
    for (size_t i = 0; i < c.num; i++) {
        struct mlt_link_proof p;
        const char *why = "";
        OK(mlt_segments_prove(f->segments, &c.list[i], &link, 100, &f->arena, &p, &f->err));
        if (!mlt_link_proof_verify(&c.list[i].segment, &link, &p, &why)) {
            fail_msg("%s", why);
        }
        count += p.count;
    }
    *covered = c.covered;
    return count;
}

static bool exists(struct fixture *f, uint64_t first, uint64_t end) {
    char path[MLT_SEGMENT_PATH_MAX];
    mlt_segment_path(path, f->dir, first, end, "");
    return access(path, F_OK) == 0;
}

static size_t num_files(struct fixture *f) {
    char path[MLT_SEGMENT_PATH_MAX];
    size_t num = 0;
    (void)snprintf(path, sizeof(path), "%s/links", f->dir);
    OK(f->env->list(f->env, path, count_name, &num, &f->err));
    return num;
}

// A file has the root that a tree in memory has, and proves what that tree proves.
static void test_file_is_the_tree(void **state) {
    struct fixture *f = *state;
    append(f, 900);
    struct mlt_segment_part made;
    size_t bad;
    OK(mlt_segment_build(&f->job, 100, 900, NULL, 0, &made, &bad, &f->err));
    const struct mlt_segment s = made.segment;
    struct mlt_link_leaves leaves = {0};
    for (uint64_t i = 100; i < 900; i++) {
        struct mlt_bytes bytes;
        OK(mlt_trail_entry(f->trail, i, &f->arena, &bytes, &f->err));
        OK(mlt_link_leaves_add(&leaves, i, bytes, &f->arena, &f->err));
    }
    struct mlt_link_tree tree = {0};
    OK(mlt_link_tree_build(&tree, &leaves, &f->err));
    assert_memory_equal(tree.root, s.root, sizeof(s.root));
    assert_int_equal(tree.leaves.num, s.num_leaves);
    struct mlt_segment_file file;
    OK(mlt_segment_file_open(&file, f->env, f->dir, 100, 900, &f->err));
    struct mlt_link_access access = mlt_segment_file_access(&file);
    for (unsigned i = 0; i < 1000; i += 13) {
        char text[16];
        struct mlt_link_proof p;
        (void)snprintf(text, sizeof(text), "r-%u", i);
        struct mlt_link link = link_of(MLT_DIM_REQUEST, text, NULL);
        OK(mlt_link_prove(&access, &link, 10, &f->arena, &p, &f->err));
        assert_true(mlt_link_proof_verify(&s, &link, &p, NULL));
        assert_int_equal(p.count, i >= 100 && i < 900);
        assert_true(p.count == 0 || p.shown[0].leaf.entry == i);
    }
    mlt_segment_file_close(&file);
    mlt_link_tree_clear(&tree);
}

// A segment made from files of smaller ones and from entries is the one made from entries alone.
static void test_parts_make_the_same_segment(void **state) {
    struct fixture *f = *state;
    append(f, 700);
    struct mlt_segment_part want, got, parts[2];
    size_t bad;
    OK(mlt_segment_build(&f->job, 0, 700, NULL, 0, &want, &bad, &f->err));
    OK(mlt_segment_build(&f->job, 0, 300, NULL, 0, &parts[0], &bad, &f->err));
    OK(mlt_segment_build(&f->job, 300, 301, NULL, 0, &parts[1], &bad, &f->err));
    OK(mlt_segment_build(&f->job, 0, 700, parts, 2, &got, &bad, &f->err));
    assert_memory_equal(got.segment.root, want.segment.root, sizeof(want.segment.root));
    assert_int_equal(got.segment.num_leaves, want.segment.num_leaves);
    assert_int_equal(bad, 2);
    // A part that is not what it is said to be is named, and nothing is left of the attempt.
    size_t files = num_files(f);
    parts[1].segment.root[0] ^= 1;
    assert_int_equal(mlt_segment_build(&f->job, 0, 600, parts, 2, &got, &bad, &f->err), MLT_CORRUPT);
    assert_int_equal(bad, 1);
    assert_int_equal(num_files(f), files);
}

// With little memory the links are put aside in runs, and the segment is the same; no run is left.
static void test_little_memory(void **state) {
    struct fixture *f = *state;
    append(f, 500);
    struct mlt_segment_part want, got;
    size_t bad;
    OK(mlt_segment_build(&f->job, 3, 490, NULL, 0, &want, &bad, &f->err));
    for (size_t leaves_max = 1; leaves_max < 600; leaves_max = 3 * leaves_max + 1) {
        const struct mlt_segment_job job = {.trail = f->trail, .leaves_max = leaves_max};
        OK(mlt_segment_build(&job, 3, 490, NULL, 0, &got, &bad, &f->err));
        assert_memory_equal(&got.segment, &want.segment, sizeof(want.segment));
        assert_memory_equal(got.leaves, want.leaves, sizeof(want.leaves));
        assert_int_equal(num_files(f), 1);
    }
}

static bool at_once(void *arg) {
    return --*(int *)arg < 0;
}

// A build that is told to stop leaves nothing behind.
static void test_stop(void **state) {
    struct fixture *f = *state;
    append(f, 100);
    struct mlt_segment_part got;
    size_t bad;
    for (int after = 0; after < 2; after++) {
        int left = after;
        const struct mlt_segment_job job = {.trail = f->trail, .stop = at_once, .stop_arg = &left};
        assert_int_equal(mlt_segment_build(&job, 0, 100, NULL, 0, &got, &bad, &f->err), MLT_BUSY);
        assert_int_equal(num_files(f), 0);
    }
}

// Flipping any bit of a part's file keeps it from being merged, and names it.
static void test_damaged_part_is_found(void **state) {
    struct fixture *f = *state;
    append(f, 40);
    struct mlt_segment_part part, got;
    char path[MLT_SEGMENT_PATH_MAX];
    size_t bad;
    OK(mlt_segment_build(&f->job, 0, 20, NULL, 0, &part, &bad, &f->err));
    mlt_segment_path(path, f->dir, 0, 20, "");
    struct mlt_file *file;
    OK(f->env->open(f->env, &file, path, MLT_OPEN_WRITE, &f->err));
    uint64_t size;
    OK(f->env->size(f->env, file, &size, &f->err));
    for (uint64_t at = 0; at < size; at += 7) {
        uint8_t byte;
        size_t n;
        OK(f->env->read(f->env, file, &byte, 1, at, &n, &f->err));
        byte ^= 0x04;
        OK(f->env->write(f->env, file, &byte, 1, at, &f->err));
        for (int known = 0; known < 2; known++) { // by its root, and by the hash that this process made
            part.is_known = known;
            assert_int_equal(mlt_segment_build(&f->job, 0, 40, &part, 1, &got, &bad, &f->err), MLT_CORRUPT);
            assert_int_equal(bad, 0);
        }
        byte ^= 0x04;
        OK(f->env->write(f->env, file, &byte, 1, at, &f->err));
    }
    f->env->close(f->env, file);
    OK(mlt_segment_build(&f->job, 0, 40, &part, 1, &got, &bad, &f->err));
}

// Whole segments are committed to in the background and merged by sixteens; proofs over them count exactly; files of
// what was superseded are gone; and the same is known after a restart.
static void test_segments_grow_and_merge(void **state) {
    struct fixture *f = *state;
    append(f, 10);
    append_approval(f, "approved");
    append(f, ENTRIES * 17);
    step_until_done(f);
    struct cover c = cover_at(f, f->size);
    assert_int_equal(c.list[0].segment.end, ENTRIES * 16);
    assert_int_equal(c.num, 2);
    assert_int_equal(c.covered, ENTRIES * 17);
    assert_false(exists(f, 0, ENTRIES));
    assert_true(exists(f, 0, ENTRIES * 16));
    append_approval(f, "revoked");
    append(f, ENTRIES);
    step_until_done(f);
    for (int turn = 0; turn < 2; turn++) {
        uint64_t covered;
        assert_int_equal(proved(f, f->size, link_of(MLT_DIM_APPROVES, "m", "1"), &covered), 2);
        assert_int_equal(covered, ENTRIES * 18);
        assert_int_equal(proved(f, f->size, link_of(MLT_DIM_APPROVES, "m", "2"), &covered), 0);
        assert_int_equal(proved(f, f->size, link_of(MLT_DIM_REQUEST, "r-77", NULL), &covered), 1);
        // As of an earlier size, before the merge: the small segments, built again.
        assert_int_equal(proved(f, ENTRIES * 17 + 15, link_of(MLT_DIM_APPROVES, "m", "1"), &covered), 1);
        assert_in_range(covered, ENTRIES, ENTRIES * 16);
        reopen_segments(f);
    }
    step_until_done(f); // removes what the question about the past had made
    assert_false(exists(f, 0, ENTRIES));
    append(f, ENTRIES * 16 * 3);
    step_until_done(f);
    c = cover_at(f, f->size);
    assert_int_equal(c.list[0].segment.end, ENTRIES * 16);
    assert_int_equal(c.list[1].segment.end, ENTRIES * 32);
}

// A seal covers the tail, the next one supersedes it, and a thousand of them leave one file.
static void test_seals(void **state) {
    struct fixture *f = *state;
    uint64_t covered;
    append(f, 5);
    OK(mlt_segments_seal(f->segments, f->size, &f->err));
    assert_int_equal(proved(f, f->size, link_of(MLT_DIM_REQUEST, "r-3", NULL), &covered), 1);
    assert_int_equal(covered, 5);
    uint64_t before = f->size;
    OK(mlt_segments_seal(f->segments, 3, &f->err)); // covered already
    assert_int_equal(f->size, before);
    for (int i = 0; i < 20; i++) {
        append(f, 1);
        uint64_t end = f->size;
        OK(mlt_segments_seal(f->segments, end, &f->err));
        assert_int_equal(cover_at(f, f->size).covered, end);
        assert_int_equal(num_files(f), 1);
    }
    // Across the end of a whole segment, and after a restart, with the last seal's file damaged or gone.
    reopen_segments(f);
    struct cover c = cover_at(f, f->size);
    char path[MLT_SEGMENT_PATH_MAX];
    mlt_segment_path(path, f->dir, c.list[0].segment.first, c.list[0].segment.end, "");
    assert_int_equal(truncate(path, 300), 0);
    append(f, ENTRIES);
    uint64_t end = f->size;
    OK(mlt_segments_seal(f->segments, end, &f->err));
    c = cover_at(f, f->size);
    assert_int_equal(c.num, 2);
    assert_int_equal(c.covered, end);
    assert_int_equal(num_files(f), 2);
    assert_int_equal(proved(f, f->size, link_of(MLT_DIM_REQUEST, "r-3", NULL), &covered), 1);
    // The tail is digested by then: chunks are as good as entries.
    append(f, ENTRIES / 2);
    step_until_done(f);
    end = f->size;
    OK(mlt_segments_seal(f->segments, end, &f->err));
    assert_int_equal(cover_at(f, f->size).covered, end);
    assert_int_equal(proved(f, f->size, link_of(MLT_DIM_REQUEST, "r-3", NULL), &covered), 1);
    append(f, ENTRIES);
    step_until_done(f);
    assert_int_equal(cover_at(f, f->size).covered % ENTRIES, 0);
}

// A commitment that leaves out a link is found when its file is built from the entries: nothing is proved from it.
static void test_a_left_out_link_is_found(void **state) {
    struct fixture *f = *state;
    append(f, 9);
    append_approval(f, "revoked");
    struct mlt_segment s;
    struct mlt_arena scratch = {0};
    struct mlt_link_leaves leaves = {0};
    struct mlt_link_tree tree = {0};
    for (uint64_t i = 0; i < 9; i++) { // all but the revocation
        struct mlt_bytes bytes;
        OK(mlt_trail_entry(f->trail, i, &scratch, &bytes, &f->err));
        OK(mlt_link_leaves_add(&leaves, i, bytes, &scratch, &f->err));
    }
    OK(mlt_link_tree_build(&tree, &leaves, &f->err));
    s = (struct mlt_segment){.first = 0, .end = 10, .num_leaves = tree.leaves.num};
    memcpy(s.root, tree.root, sizeof(s.root));
    uint64_t entry;
    OK(commit(f, &s, &entry, &f->err));
    reopen_segments(f);
    struct cover c = cover_at(f, f->size);
    struct mlt_link link = link_of(MLT_DIM_APPROVES, "m", "1");
    struct mlt_link_proof p;
    assert_int_equal(mlt_segments_prove(f->segments, &c.list[0], &link, 10, &f->arena, &p, &f->err), MLT_CORRUPT);
    assert_non_null(strstr(f->err.text, "run verify"));
    mlt_link_tree_clear(&tree);
    mlt_arena_clear(&scratch);
}

static void *step_along(void *arg) {
    struct fixture *f = arg;
    struct mlt_error err = {0};
    bool more;
    enum mlt_status status = MLT_OK;
    while (!atomic_load(&f->stop) && (status == MLT_OK || status == MLT_BUSY)) {
        status = mlt_segments_step(f->segments, &more, &err);
    }
    return status == MLT_OK || status == MLT_BUSY ? NULL : f;
}

static void *prove_along(void *arg) {
    struct fixture *f = arg;
    struct mlt_arena arena = {0};
    struct mlt_link link = link_of(MLT_DIM_REQUEST, "r-5", NULL);
    bool good = true;
    while (!atomic_load(&f->stop) && good) {
        struct mlt_error err = {0};
        struct cover c;
        good = mlt_segments_at(f->segments, UINT64_MAX, &arena, &c.list, &c.num, &c.covered, &err) == MLT_OK;
        for (size_t i = 0; i < c.num && good; i++) {
            struct mlt_link_proof p;
            good = mlt_segments_prove(f->segments, &c.list[i], &link, 10, &arena, &p, &err) == MLT_OK &&
                   p.count == (i == 0);
        }
        mlt_arena_reset(&arena);
    }
    mlt_arena_clear(&arena);
    return good ? NULL : f;
}

// Seals, proofs and the work in the background go on beside each other.
static void test_threads(void **state) {
    struct fixture *f = *state;
    pthread_t threads[2];
    append(f, 10);
    assert_int_equal(pthread_create(&threads[0], NULL, step_along, f), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, prove_along, f), 0);
    for (int i = 0; i < 150; i++) {
        pthread_mutex_lock(&f->append_mu);
        append(f, 11);
        uint64_t end = f->size;
        pthread_mutex_unlock(&f->append_mu);
        OK(mlt_segments_seal(f->segments, end, &f->err));
        assert_in_range(mlt_segments_covered(f->segments), end, UINT64_MAX);
    }
    atomic_store(&f->stop, true);
    for (int i = 0; i < 2; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    step_until_done(f);
    assert_int_equal(cover_at(f, f->size).list[0].segment.end, ENTRIES * 16);
}

static void test_options_are_checked(void **state) {
    struct fixture *f = *state;
    static const uint64_t bad[] = {1, 15, 17, 1000};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct mlt_segments *s;
        const struct mlt_segments_options opt = {.trail = f->trail, .entries = bad[i]};
        assert_int_equal(mlt_segments_open(&s, &opt, &f->err), MLT_INVALID);
        assert_null(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_file_is_the_tree),
        TEST(test_parts_make_the_same_segment),
        TEST(test_little_memory),
        TEST(test_stop),
        TEST(test_damaged_part_is_found),
        TEST(test_segments_grow_and_merge),
        TEST(test_seals),
        TEST(test_a_left_out_link_is_found),
        TEST(test_threads),
        TEST(test_options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
