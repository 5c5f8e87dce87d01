// links: mlt_segment mlt_base_posix mlt_testlib
#include "segment/verify.h"
#include "segment_trail.h"

static struct mlt_verify_report *verify(struct fixture *f, struct mlt_segment_verify_report *segments) {
    static struct mlt_verify_report report;
    struct mlt_segment_further further = {.env = f->env};
    const struct mlt_verify_options opt = {
        .dir = f->dir, .further = mlt_segment_verify_further, .further_arg = &further};
    OK(mlt_verify_trail(f->env, &opt, &report, &f->err));
    *segments = further.report;
    return &report;
}

// The same over the API of a trail, with little memory; gives the number of faults, the last of them in `entry`.
struct found {
    struct fixture *f;
    size_t num;
    uint64_t entry[64];
    char text[512];
};
static enum mlt_status entries(void *ctx, uint64_t first, size_t count, struct mlt_buf *out, struct mlt_error *err) {
    struct found *found = ctx;
    return mlt_trail_entries(found->f->trail, first, count, out, err);
}
static void note_fault(void *ctx, uint64_t entry, const char *text) {
    struct found *found = ctx;
    assert_in_range(found->num, 0, 63);
    found->entry[found->num++] = entry;
    (void)snprintf(found->text, sizeof(found->text), "%s", text);
}
static struct found look(struct fixture *f, size_t leaves_max) {
    struct found found = {.f = f};
    struct mlt_segment_verify_report report;
    const struct mlt_segment_verify_options opt = {.size = f->size,
                                                   .entries = entries,
                                                   .fault = note_fault,
                                                   .ctx = &found,
                                                   .env = f->env,
                                                   .scratch = f->base,
                                                   .leaves_max = leaves_max,
                                                   .threads = leaves_max % 4};
    OK(mlt_segment_verify(&opt, &report, &f->err));
    return found;
}

// What segments and seals commit to is found to be so, with any amount of memory.
static void test_true_commitments(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        append(f, 50 + i);
        append_approval(f, i % 2 ? "approved" : "revoked");
        if (i % 3 == 0) {
            OK(mlt_segments_seal(f->segments, f->size, &f->err));
        }
        step_until_done(f);
    }
    struct mlt_segment_verify_report segments;
    struct mlt_verify_report *r = verify(f, &segments);
    if (!r->verdict) {
        fail_msg("%llu: %s", (unsigned long long)r->faults[0].index, r->faults[0].text);
    }
    assert_in_range(segments.commitments, 20, 100);
    assert_int_equal(segments.covered, mlt_segments_covered(f->segments));
    for (size_t leaves_max = 1; leaves_max < 5000; leaves_max *= 7) {
        assert_int_equal(look(f, leaves_max).num, 0);
    }
    // Nothing is left where links were put aside: the trail and its state alone.
    size_t num = 0;
    OK(f->env->list(f->env, f->base, count_name, &num, &f->err));
    assert_int_equal(num, 2);
}

// The trail of the forger: 100 entries, a revocation among them, and a true commitment of 0-64.
static void lay_out(struct fixture *f) {
    append(f, 30);
    append_approval(f, "revoked");
    append(f, 69);
    step_until_done(f);
}

// The commitment that entries give, but for those that are left out.
static struct mlt_segment without(struct fixture *f, uint64_t first, uint64_t end, uint64_t left_out) {
    struct mlt_link_leaves leaves = {0};
    struct mlt_link_tree tree = {0};
    struct mlt_segment s = {.first = first, .end = end};
    for (uint64_t i = first; i < end; i++) {
        struct mlt_bytes bytes;
        OK(mlt_trail_entry(f->trail, i, &f->arena, &bytes, &f->err));
        if (i != left_out) {
            OK(mlt_link_leaves_add(&leaves, i, bytes, &f->arena, &f->err));
        }
    }
    OK(mlt_link_tree_build(&tree, &leaves, &f->err));
    s.num_leaves = tree.leaves.num;
    memcpy(s.root, tree.root, sizeof(s.root));
    mlt_link_tree_clear(&tree);
    return s;
}

#define NONE UINT64_MAX

static struct mlt_segment revocation_dropped(struct fixture *f) {
    return without(f, 0, 90, 30);
}
static struct mlt_segment revocation_replaced(struct fixture *f) {
    struct mlt_segment s = without(f, 0, 90, 30);
    s.num_leaves = without(f, 0, 90, NONE).num_leaves; // the count is right
    return s;
}
static struct mlt_segment counted_wrong(struct fixture *f) {
    struct mlt_segment s = without(f, 64, 90, NONE);
    s.num_leaves++;
    return s;
}
static struct mlt_segment bit_flipped(struct fixture *f) {
    struct mlt_segment s = without(f, 64, 90, NONE);
    s.root[31] ^= 1;
    return s;
}
static struct mlt_segment leaves_a_gap(struct fixture *f) {
    return without(f, 65, 90, NONE);
}
static struct mlt_segment begins_inside(struct fixture *f) {
    return without(f, 63, 90, NONE);
}
static struct mlt_segment ends_inside(struct fixture *f) {
    return without(f, 0, 63, NONE);
}
static struct mlt_segment of_the_future(struct fixture *f) {
    struct mlt_segment s = without(f, 64, 90, NONE);
    s.end = f->size + 1;
    return s;
}
static struct mlt_segment goes_on(struct fixture *f) {
    return without(f, 64, 90, NONE);
}
static struct mlt_segment swallows(struct fixture *f) {
    return without(f, 0, 101, NONE);
}
static struct mlt_segment says_it_again(struct fixture *f) {
    return without(f, 0, 64, NONE);
}

static void forged(struct fixture *f, const char *name, struct mlt_segment (*make)(struct fixture *f),
                   const char *want) {
    struct mlt_segment s = make(f);
    uint64_t entry;
    OK(commit(f, &s, &entry, &f->err));
    append(f, 3);
    struct mlt_segment_verify_report segments;
    struct mlt_verify_report *r = verify(f, &segments);
    if (!want) {
        if (!r->verdict) {
            fail_msg("%s: %s", name, r->faults[0].text);
        }
        return;
    }
    if (r->verdict || r->num_faults != 1 || !strstr(r->faults[0].text, want)) {
        fail_msg("%s: %llu faults: %s", name, (unsigned long long)r->num_faults, r->faults[0].text);
    }
    assert_int_equal(r->faults[0].what, MLT_VERIFY_COMMITMENT);
    assert_true(r->faults[0].has_index);
    assert_int_equal(r->faults[0].index, entry);
    assert_int_equal(look(f, 10).num, 1);
}

// A commitment that is not true of the entries, or does not fit among the others, is a fault of its control entry; one
// that is true and fits is none. The forger has the trail's key: everything else verifies.
static void test_forged_commitments(void **state) {
    static const struct {
        const char *name;
        struct mlt_segment (*make)(struct fixture *f);
        const char *want; // NULL: no fault
    } cases[] = {
        {"revocation dropped", revocation_dropped, "the commitment says"},
        {"revocation replaced", revocation_replaced, "are others than the commitment says"},
        {"counted wrong", counted_wrong, "the commitment says"},
        {"bit flipped", bit_flipped, "are others than the commitment says"},
        {"gap", leaves_a_gap, "nothing commits to the links of entries 64 to 64"},
        {"begins inside", begins_inside, "segment 63-90 cuts through an earlier one"},
        {"ends inside", ends_inside, "segment 0-63 cuts through an earlier one"},
        {"of the future", of_the_future, "all lie before the entry that commits to it"},
        {"goes on", goes_on, NULL},
        {"swallows", swallows, NULL},
        {"says it again", says_it_again, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lay_out(*state);
        forged(*state, cases[i].name, cases[i].make, cases[i].want);
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
    }
}

// Among many commitments exactly the wrong ones are named.
static void test_the_wrong_ones_among_many(void **state) {
    struct fixture *f = *state;
    uint64_t wrong[16];
    size_t num_wrong = 0;
    uint64_t first = 0;
    for (size_t i = 0; i < 40; i++) {
        append(f, 3 + i % 7);
        uint64_t end = f->size - i % 3;
        struct mlt_segment_part made;
        size_t bad;
        OK(mlt_segment_build(&f->job, first, end, NULL, 0, &made, &bad, &f->err));
        struct mlt_segment s = made.segment;
        if (i % 5 == 2) {
            s.root[i % MLT_HASH_LEN] ^= 0x80;
        }
        uint64_t entry;
        OK(commit(f, &s, &entry, &f->err));
        if (i % 5 == 2) {
            wrong[num_wrong++] = entry;
        }
        first = i % 4 == 3 ? end : first; // a few seals of one beginning, then on
    }
    for (size_t leaves_max = 1; leaves_max < 1000; leaves_max *= 30) {
        struct found found = look(f, leaves_max);
        assert_int_equal(found.num, num_wrong);
        for (size_t i = 0; i < num_wrong; i++) {
            assert_int_equal(found.entry[i], wrong[i]);
        }
    }
}

// How much a verification read, and when it is to stop.
struct pacing {
    uint64_t bytes, most;
};
static bool pace(void *arg, uint64_t bytes) {
    struct pacing *p = arg;
    p->bytes += bytes;
    return p->bytes <= p->most;
}
static enum mlt_status verify_paced(struct fixture *f, bool further, uint64_t most, uint64_t *bytes) {
    static struct mlt_verify_report report;
    struct mlt_segment_further segments = {.env = f->env};
    struct pacing p = {.most = most};
    const struct mlt_verify_options opt = {.dir = f->dir,
                                           .further = further ? mlt_segment_verify_further : NULL,
                                           .further_arg = &segments,
                                           .past_cache = true,
                                           .pace = pace,
                                           .pace_arg = &p};
    enum mlt_status status = mlt_verify_trail(f->env, &opt, &report, &f->err);
    *bytes = p.bytes;
    if (status == MLT_OK) {
        assert_true(report.verdict);
        assert_int_equal(report.bytes_read, p.bytes);
    }
    return status;
}

// What commitments are computed from is read twice, counted and paced like all the rest, and a stop ends it.
static void test_reading_is_paced(void **state) {
    struct fixture *f = *state;
    uint64_t without_them, with_them, stopped;
    uint64_t len = 0;
    append(f, 3000);
    OK(mlt_segments_seal(f->segments, f->size, &f->err));
    for (uint64_t i = 0; i < f->size; i++) {
        struct mlt_bytes bytes;
        OK(mlt_trail_entry(f->trail, i, &f->arena, &bytes, &f->err));
        len += 2 + bytes.len;
        mlt_arena_reset(&f->arena);
    }
    OK(verify_paced(f, false, UINT64_MAX, &without_them));
    OK(verify_paced(f, true, UINT64_MAX, &with_them));
    assert_in_range(with_them - without_them, len + len / 2, 2 * len);
    assert_int_equal(verify_paced(f, true, without_them, &stopped), MLT_BUSY);
    assert_in_range(stopped, without_them + 1, with_them - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_true_commitments),
        TEST(test_forged_commitments),
        TEST(test_the_wrong_ones_among_many),
        TEST(test_reading_is_paced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
