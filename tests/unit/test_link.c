// links: mlt_record mlt_testlib
//
// The known answers were computed apart from this code, with Python's hashlib, from the definitions in record/link.h
// and RFC 6962.
#include "lib/drafting.h"
#include "lib/vectors.h"
#include "record/link_tree.h"
#include "record/segment.h"

#include <cmocka.h>

static struct mlt_link link_of(enum mlt_dim dim, const char *a, const char *b) {
    struct mlt_link out;
    const struct mlt_bytes values[] = {mlt_str(a), mlt_str(b)};
    mlt_link_make(&out, dim, values, b ? 2 : 1);
    return out;
}

static void push(struct mlt_link_leaves *leaves, const struct mlt_link *link, uint64_t entry) {
    leaves->leaf = realloc(leaves->leaf, (leaves->num + 1) * sizeof(*leaves->leaf));
    assert_non_null(leaves->leaf);
    leaves->leaf[leaves->num++] = (struct mlt_link_leaf){.link = *link, .entry = entry};
    leaves->cap = leaves->num;
}

static void is_hex(const uint8_t *got, size_t len, const char *hex) {
    uint8_t want[MLT_LINK_LEAF_LEN];
    test_unhex(want, len, hex);
    assert_memory_equal(got, want, len);
}

static void test_known_answers(void **state) {
    // Links, leaves and the root of a small tree have exactly the documented bytes.
    (void)state;
    struct mlt_link a = link_of(MLT_DIM_REQUEST, "req-000417", NULL);
    struct mlt_link b = link_of(MLT_DIM_USES_JOB, "", "x\xC3\xA9");
    is_hex(a.hash, sizeof(a.hash), "4d78d31a20491ae520a486d755775cc558a76156ffa8cb35ebc52ad8f2105679");
    is_hex(b.hash, sizeof(b.hash), "00b3bc54ba1ec3f4f8031bbdbe1f4a0f0d7586c8e5510a07a30c8bf17fe845bb");
    struct mlt_link_leaves leaves = {0};
    push(&leaves, &a, 258);
    push(&leaves, &a, 7);
    push(&leaves, &b, 7);
    struct mlt_link_tree tree = {0};
    assert_int_equal(mlt_link_tree_build(&tree, &leaves, &t.err), MLT_OK);
    uint8_t bytes[MLT_LINK_LEAF_LEN];
    uint8_t hash[MLT_HASH_LEN];
    mlt_link_leaf_encode(bytes, &tree.leaves.leaf[0]);
    is_hex(bytes, sizeof(bytes), "00b3bc54ba1ec3f4f8031bbdbe1f4a0f0d7586c8e5510a07a30c8bf17fe845bb0000000000000007");
    mlt_link_leaf_hash(hash, &tree.leaves.leaf[0]);
    is_hex(hash, sizeof(hash), "69507963854369711c87f8eeac3089440eccab98893da3099992a5b326933e53");
    assert_int_equal(tree.leaves.leaf[1].entry, 7);
    assert_int_equal(tree.leaves.leaf[2].entry, 258);
    is_hex(tree.root, sizeof(tree.root), "36ac223b3565812a82d78717f2ea5c1ee03242f651f690e30667f5a273058c1f");
    struct mlt_link_leaf back;
    mlt_link_leaf_decode(&back, bytes);
    assert_int_equal(mlt_link_leaf_compare(&back, &tree.leaves.leaf[0]), 0);
    mlt_link_tree_clear(&tree);
}

static bool has_link(const struct mlt_link_leaves *leaves, uint64_t entry, struct mlt_link link) {
    size_t num = 0;
    for (size_t i = 0; i < leaves->num; i++) {
        num += leaves->leaf[i].entry == entry && memcmp(&leaves->leaf[i].link, &link, sizeof(link)) == 0;
    }
    assert_true(num <= 1);
    return num == 1;
}

static void test_links_of_entries(void **state) {
    // An entry has links to what its facts name, each once, and none of what its payload says or what many share.
    (void)state;
    struct mlt_link_leaves leaves = {0};
    static const char *const records[] = {
        "{\"kind\":\"prediction\",\"request_id\":\"r-1\",\"timestamp\":\"2026-11-23T09:40:01Z\",\"model\":\"m\","
        "\"model_version\":\"1\",\"subject\":\"s\",\"serving_node\":\"n\"}",
        "{\"kind\":\"approval\",\"approval_reference\":\"a-1\",\"model\":\"m\",\"model_version\":\"1\",\"verdict\":"
        "\"revoked\",\"approver\":\"p\",\"timestamp\":\"2026-11-23T09:40:01Z\"}",
        "{\"kind\":\"decision\",\"result\":\"no\",\"timestamp\":\"2026-11-23T09:40:01Z\",\"request_ids\":[\"r-1\",\"r-"
        "2\",\"r-1\"]}",
    };
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        struct mlt_draft *d = draft(records[i]);
        struct mlt_entry e;
        read_entry(&e, d); // now it has its `received`
        mlt_entry_clear(&e);
        assert_int_equal(mlt_link_leaves_add(&leaves, i, entry_bytes(d), &t.arena, &t.err), MLT_OK);
    }
    assert_true(has_link(&leaves, 0, link_of(MLT_DIM_REQUEST, "r-1", NULL)));
    assert_false(has_link(&leaves, 0, link_of(MLT_DIM_SUBJECT, "s", NULL)));
    assert_false(has_link(&leaves, 0, link_of(MLT_DIM_PREDICTED_BY, "m", "1")));
    assert_true(has_link(&leaves, 1, link_of(MLT_DIM_APPROVES, "m", "1")));
    assert_true(has_link(&leaves, 1, link_of(MLT_DIM_APPROVAL, "a-1", NULL)));
    assert_true(has_link(&leaves, 2, link_of(MLT_DIM_REQUEST, "r-1", NULL)));
    assert_true(has_link(&leaves, 2, link_of(MLT_DIM_REQUEST, "r-2", NULL)));
    // What is no entry is said to be none, and adds nothing.
    size_t before = leaves.num;
    assert_int_equal(mlt_link_leaves_add(&leaves, 3, mlt_str("{\"v\":1}"), &t.arena, &t.err), MLT_CORRUPT);
    assert_int_equal(leaves.num, before);
    mlt_link_leaves_clear(&leaves);
}

static bool is_partial(const char *record, size_t *num_links) {
    struct mlt_link_leaves leaves = {0};
    struct mlt_link partial;
    struct mlt_entry e;
    struct mlt_draft *d = draft(record);
    read_entry(&e, d);
    mlt_entry_clear(&e);
    assert_int_equal(mlt_link_leaves_add(&leaves, 0, entry_bytes(d), &t.arena, &t.err), MLT_OK);
    mlt_link_make(&partial, MLT_DIM_PARTIAL, NULL, 0);
    bool has = has_link(&leaves, 0, partial);
    *num_links = leaves.num;
    mlt_link_leaves_clear(&leaves);
    return has;
}

static void test_what_an_entry_cannot_commit_to_is_said(void **state) {
    // An entry whose facts were spilled, or that refers to too many things, says that it may have further links.
    (void)state;
    size_t num = 0;
    struct mlt_buf text = {0};
    static const struct {
        unsigned ids;
        size_t id_len;
        bool partial;
        size_t num;
    } cases[] = {
        {10, 10, false, 11},   // and its own event
        {254, 10, false, 255}, // the most that fit
        {300, 10, true, 256},
        {20, 900, true, 2}, // spilled: its event, and that it is partial
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mlt_buf_reset(&text);
        mlt_buf_put_str(&text, "{\"kind\":\"decision\",\"result\":\"no\",\"timestamp\":\"2026-11-23T09:40:01Z\","
                               "\"request_ids\":[");
        for (unsigned k = 0; k < cases[i].ids; k++) {
            mlt_buf_printf(&text, "%s\"%0*u\"", k ? "," : "", (int)cases[i].id_len, k);
        }
        mlt_buf_put_str(&text, "]}");
        assert_int_equal(is_partial(mlt_buf_cstr(&text), &num), cases[i].partial);
        assert_int_equal(num, cases[i].num);
    }
    mlt_buf_clear(&text);
}

// A tree of the leaves as they stand, sorted or not: what a liar would commit to.
struct stage {
    struct mlt_link_tree tree;
    struct mlt_segment segment;
};

static void hash_as_it_stands(struct stage *s, uint64_t end) {
    struct mlt_frontier f = {.size = 0};
    uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
    assert_in_range(s->tree.leaves.num, 1, MLT_TILE_WIDTH - 1); // no tile is complete
    for (size_t i = 0; i < s->tree.leaves.num; i++) {
        uint8_t hash[MLT_HASH_LEN];
        mlt_link_leaf_hash(hash, &s->tree.leaves.leaf[i]);
        (void)mlt_frontier_add(&f, hash, roots);
    }
    s->segment = (struct mlt_segment){.first = 100, .end = end, .num_leaves = s->tree.leaves.num};
    mlt_frontier_root(&f, s->segment.root);
}

static void prove(struct stage *s, const struct mlt_link *link, struct mlt_link_proof *out) {
    const struct mlt_link_access access = mlt_link_tree_access(&s->tree);
    assert_int_equal(mlt_link_prove(&access, link, 100, &t.arena, out, &t.err), MLT_OK);
}

// Leaves 0 … 8 of the stage: three links below, three with the link itself, three above.
static struct mlt_link low, same, high;
static void set_stage(struct stage *s) {
    *s = (struct stage){0};
    memset(&low, 0x10, sizeof(low));
    memset(&same, 0x20, sizeof(same));
    memset(&high, 0x30, sizeof(high));
    for (uint64_t i = 0; i < 9; i++) {
        push(&s->tree.leaves, i < 3 ? &low : i < 6 ? &same : &high, 100 + i);
    }
    hash_as_it_stands(s, 109);
}

typedef void forge(struct stage *s, struct mlt_link_proof *p);
static struct mlt_link_witness *shown(struct mlt_link_proof *p, size_t i) {
    // The proof was made by this test, in memory of its own.
    return (struct mlt_link_witness *)(uintptr_t)&p->shown[i];
}
static void witness_at(struct stage *s, struct mlt_link_witness *w, uint64_t at) {
    struct mlt_link_proof p;
    prove(s, &s->tree.leaves.leaf[at].link, &p);
    *w = p.shown[at - p.at];
}

static void no_entries(struct stage *s, struct mlt_link_proof *p) {
    (void)p;
    s->segment.end = s->segment.first;
}
static void at_beyond(struct stage *s, struct mlt_link_proof *p) {
    p->at = s->segment.num_leaves + 1;
}
static void count_beyond(struct stage *s, struct mlt_link_proof *p) {
    p->count = s->segment.num_leaves - p->at + 1;
}
static void count_wraps(struct stage *s, struct mlt_link_proof *p) {
    (void)s;
    p->count = UINT64_MAX - p->at + 2;
}
static void no_before(struct stage *s, struct mlt_link_proof *p) {
    (void)s;
    p->has_before = false;
}
static void no_after(struct stage *s, struct mlt_link_proof *p) {
    (void)s;
    p->has_after = false;
}
static void run_to_the_end(struct stage *s, struct mlt_link_proof *p) {
    p->count = s->segment.num_leaves - p->at; // then nothing may come after
}
static void before_elsewhere(struct stage *s, struct mlt_link_proof *p) {
    witness_at(s, &p->before, p->at - 2); // true, and below, but not the neighbour
}
static void before_has_no_proof(struct stage *s, struct mlt_link_proof *p) {
    (void)s;
    p->before.proof.hash[1][5] ^= 1;
}
static void before_is_made_up(struct stage *s, struct mlt_link_proof *p) {
    (void)s;
    p->before.leaf.entry++;
}
static void before_is_one_of_them(struct stage *s, struct mlt_link_proof *p) {
    p->at++; // hides the first of the run
    p->count--;
    witness_at(s, &p->before, p->at - 1);
}
static void after_elsewhere(struct stage *s, struct mlt_link_proof *p) {
    witness_at(s, &p->after, p->at + p->count + 1);
}
static void after_is_cut(struct stage *s, struct mlt_link_proof *p) {
    (void)s;
    p->after.proof.num_hashes--;
}
static void after_is_one_of_them(struct stage *s, struct mlt_link_proof *p) {
    p->count--; // hides the last of the run
    p->num_shown--;
    witness_at(s, &p->after, p->at + p->count);
}
static void shown_outside(struct stage *s, struct mlt_link_proof *p) {
    witness_at(s, shown(p, 2), p->at + p->count);
}
static void shown_twice(struct stage *s, struct mlt_link_proof *p) {
    (void)s;
    *shown(p, 1) = p->shown[0];
}
static void shown_but_the_newest(struct stage *s, struct mlt_link_proof *p) {
    (void)s;
    p->num_shown--;
}
static void shown_of_another_link(struct stage *s, struct mlt_link_proof *p) {
    (void)s;
    shown(p, 1)->leaf.link.hash[0] ^= 1;
}
static void shown_of_another_entry(struct stage *s, struct mlt_link_proof *p) {
    (void)s;
    shown(p, 1)->leaf.entry = 107;
}
static void shown_outside_the_segment(struct stage *s, struct mlt_link_proof *p) {
    // The tree holds a leaf that the segment has no right to.
    s->tree.leaves.leaf[5].entry = 1000;
    hash_as_it_stands(s, 109);
    prove(s, &same, p);
}
static void entries_do_not_ascend(struct stage *s, struct mlt_link_proof *p) {
    s->tree.leaves.leaf[4].entry = 105;
    s->tree.leaves.leaf[5].entry = 104;
    hash_as_it_stands(s, 109);
    struct mlt_link_proof q;
    prove(s, &same, &q); // the search still finds the run
    *p = q;
}
static void the_same_entry_twice(struct stage *s, struct mlt_link_proof *p) {
    s->tree.leaves.leaf[5].entry = 104;
    hash_as_it_stands(s, 109);
    prove(s, &same, p);
}

static void test_each_rung_fails_for_its_reason(void **state) {
    // A proof that is wrong in one way is refused for exactly that reason.
    (void)state;
    static const struct {
        const char *name;
        forge *forge;
        const char *why;
    } cases[] = {
        {"no entries", no_entries, "the segment is empty of entries"},
        {"at beyond", at_beyond, "it counts more leaves than the segment has"},
        {"count beyond", count_beyond, "it counts more leaves than the segment has"},
        {"count wraps", count_wraps, "it counts more leaves than the segment has"},
        {"no before", no_before, "a neighbour is missing, or there is one beyond the end of the tree"},
        {"no after", no_after, "a neighbour is missing, or there is one beyond the end of the tree"},
        {"run to the end", run_to_the_end, "a neighbour is missing, or there is one beyond the end of the tree"},
        {"before elsewhere", before_elsewhere, "the leaf before is not in the segment's tree at its place"},
        {"before without proof", before_has_no_proof, "the leaf before is not in the segment's tree at its place"},
        {"before made up", before_is_made_up, "the leaf before is not in the segment's tree at its place"},
        {"before in the run", before_is_one_of_them, "the leaf before does not come before the link"},
        {"after elsewhere", after_elsewhere, "the leaf after is not in the segment's tree at its place"},
        {"after cut", after_is_cut, "the leaf after is not in the segment's tree at its place"},
        {"after in the run", after_is_one_of_them, "the leaf after does not come after the link"},
        {"not the newest", shown_but_the_newest, "the leaves that are shown are not the newest of the run"},
        {"shown outside", shown_outside, "a leaf that is shown is not within the run"},
        {"shown twice", shown_twice, "a leaf that is shown is not within the run"},
        {"shown of another link", shown_of_another_link, "a leaf that is shown has another link"},
        {"shown of another entry", shown_of_another_entry,
         "a leaf that is shown is not in the segment's tree at its place"},
        {"shown outside the segment", shown_outside_the_segment,
         "a leaf that is shown is not in the segment's tree at its place"},
        {"not ascending", entries_do_not_ascend, "leaves that are shown do not ascend"},
        {"one entry twice", the_same_entry_twice, "leaves that are shown do not ascend"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stage s;
        struct mlt_link_proof p;
        const char *why = NULL;
        set_stage(&s);
        prove(&s, &same, &p);
        assert_true(mlt_link_proof_verify(&s.segment, &same, &p, &why));
        assert_null(why);
        assert_true(p.at == 3 && p.count == 3 && p.num_shown == 3);
        cases[i].forge(&s, &p);
        bool verdict = mlt_link_proof_verify(&s.segment, &same, &p, &why);
        if (verdict || !why || strcmp(why, cases[i].why) != 0) {
            fail_msg("%s: %s", cases[i].name, verdict ? "accepted" : why);
        }
        assert_false(mlt_link_proof_verify(&s.segment, &same, &p, NULL));
        mlt_link_tree_clear(&s.tree);
    }
}

static uint64_t seed;
static uint64_t draw(uint64_t below) { // xorshift64*: the seed is printed when a test fails
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * UINT64_C(0x2545F4914F6CDD1D) % below;
}

static struct mlt_link some_link(uint64_t number) {
    char text[32];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    return link_of(MLT_DIM_REQUEST, text, NULL);
}

// What a proof must say, by the definition: look at every leaf.
static void agrees_with_definition(const struct mlt_link_leaves *leaves, const struct mlt_link *link,
                                   const struct mlt_link_proof *p, size_t max_shown) {
    uint64_t below = 0;
    uint64_t count = 0;
    for (size_t i = 0; i < leaves->num; i++) {
        int order = memcmp(leaves->leaf[i].link.hash, link->hash, MLT_LINK_LEN);
        below += order < 0;
        count += order == 0;
    }
    assert_int_equal(p->count, count);
    assert_int_equal(p->at, below);
    assert_int_equal(p->num_shown, count < max_shown ? count : max_shown);
    for (size_t i = 0; i < p->num_shown; i++) {
        uint64_t newer = 0;
        bool there = false;
        for (size_t k = 0; k < leaves->num; k++) {
            bool has = memcmp(leaves->leaf[k].link.hash, link->hash, MLT_LINK_LEN) == 0;
            newer += has && leaves->leaf[k].entry > p->shown[i].leaf.entry;
            there = there || (has && leaves->leaf[k].entry == p->shown[i].leaf.entry);
        }
        assert_true(there);
        assert_int_equal(newer, p->num_shown - 1 - i); // the newest ones, oldest of them first
    }
}

static void flip_something(struct mlt_link_proof *p) {
    struct mlt_link_witness *all[3] = {p->has_before ? &p->before : NULL, p->has_after ? &p->after : NULL,
                                       p->num_shown ? shown(p, draw(p->num_shown)) : NULL};
    struct mlt_link_witness *w = all[draw(3)];
    if (!w) {
        p->count++;
    } else if (w->proof.num_hashes == 0 || draw(4) == 0) {
        w->leaf.entry ^= UINT64_C(1) << draw(64);
    } else {
        w->proof.hash[draw(w->proof.num_hashes)][draw(MLT_HASH_LEN)] ^= (uint8_t)(1 << draw(8));
    }
}

static void test_random_segments(void **state) {
    // Over random segments, proofs of links that are there and of links that are not say what the definition says, and
    // no longer verify once a bit of them is flipped.
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 255, 256, 257, 700, 5000, 66000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        seed = 1000 + i;
        uint64_t alphabet = sizes[i] / 3 + 2;
        struct mlt_link_leaves leaves = {.leaf = calloc(sizes[i] + 1, sizeof(*leaves.leaf)), .cap = sizes[i] + 1};
        struct mlt_link_leaves copy = {.leaf = calloc(sizes[i] + 1, sizeof(*leaves.leaf))};
        for (size_t k = 0; k < sizes[i]; k++) { // every other link never occurs; an entry has no link twice
            leaves.leaf[leaves.num++] = (struct mlt_link_leaf){some_link(2 * draw(alphabet)), 50 + k};
            copy.leaf[copy.num++] = leaves.leaf[k];
        }
        struct mlt_link_tree tree = {0};
        assert_int_equal(mlt_link_tree_build(&tree, &leaves, &t.err), MLT_OK);
        struct mlt_segment segment = {.first = 50, .end = 51 + sizes[i], .num_leaves = tree.leaves.num};
        memcpy(segment.root, tree.root, sizeof(segment.root));
        const struct mlt_link_access access = mlt_link_tree_access(&tree);
        for (int turn = 0; turn < 60; turn++) {
            size_t max_shown = draw(2) ? 1000 : 2;
            struct mlt_link link = some_link(draw(2 * alphabet));
            struct mlt_link_proof p;
            const char *why = "";
            assert_int_equal(mlt_link_prove(&access, &link, max_shown, &t.arena, &p, &t.err), MLT_OK);
            if (!mlt_link_proof_verify(&segment, &link, &p, &why)) {
                fail_msg("seed %zu, turn %d: %s", 1000 + i, turn, why);
            }
            agrees_with_definition(&copy, &link, &p, max_shown);
            flip_something(&p);
            assert_false(mlt_link_proof_verify(&segment, &link, &p, NULL));
            mlt_arena_reset(&t.arena);
        }
        mlt_link_leaves_clear(&copy);
        mlt_link_tree_clear(&tree);
    }
}

static void test_equal_leaves_are_refused(void **state) {
    // A tree with a leaf twice is not built: no two leaves of a segment are equal.
    (void)state;
    struct mlt_link_leaves leaves = {0};
    struct mlt_link_tree tree = {0};
    struct mlt_link a = some_link(1);
    push(&leaves, &a, 4);
    push(&leaves, &a, 4);
    assert_int_equal(mlt_link_tree_build(&tree, &leaves, &t.err), MLT_INVALID);
    assert_int_equal(leaves.num, 0);
    mlt_link_tree_clear(&tree);
}

static enum mlt_status read_commitment(struct mlt_segment *out, const char *facts, uint64_t index) {
    char text[512];
    (void)snprintf(
        text, sizeof(text),
        "{\"v\":1,\"kind\":\"control\",\"id\":\"i\",\"time\":null,\"received\":"
        "\"2026-11-23T09:40:01.000000000Z\",\"producer\":{\"principal\":\"mltrail\",\"assurance\":\"local\"},"
        "\"facts\":{%s}}",
        facts);
    struct mlt_entry e;
    assert_int_equal(mlt_entry_parse(&e, &t.arena, mlt_str(text), &t.err), MLT_OK);
    enum mlt_status status = mlt_segment_read(out, &e, index, &t.err);
    mlt_entry_clear(&e);
    return status;
}

#define ROOT "36ac223b3565812a82d78717f2ea5c1ee03242f651f690e30667f5a273058c1f"

static void test_commitments_read_back(void **state) {
    // A commitment is read as it was written through the builder; one that no segment can have made is refused.
    (void)state;
    struct mlt_segment want = {.first = 16, .end = 48, .num_leaves = 99};
    memset(want.root, 0xab, sizeof(want.root));
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &text);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "kind", "control");
    mlt_segment_write(&w, &want);
    mlt_jw_end_object(&w);
    struct mlt_draft *d = draft_bytes(mlt_buf_bytes(&text));
    assert_false(d->has_payload); // all of it is facts
    struct mlt_entry e;
    struct mlt_segment got;
    read_entry(&e, d);
    assert_true(mlt_segment_is(&e));
    assert_int_equal(mlt_segment_read(&got, &e, 48, &t.err), MLT_OK);
    assert_true(got.first == 16 && got.end == 48 && got.num_leaves == 99);
    assert_memory_equal(got.root, want.root, sizeof(got.root));
    assert_int_equal(mlt_segment_read(&got, &e, 47, &t.err), MLT_CORRUPT); // it lies within its own segment
    mlt_entry_clear(&e);
    mlt_buf_clear(&text);

    static const char *const bad[] = {
        "\"control\":\"setting\",\"first\":0,\"end\":9,\"links\":9,\"root\":\"" ROOT "\"",
        "\"control\":\"segment\",\"end\":9,\"links\":9,\"root\":\"" ROOT "\"",
        "\"control\":\"segment\",\"first\":0,\"end\":\"9\",\"links\":9,\"root\":\"" ROOT "\"",
        "\"control\":\"segment\",\"first\":0,\"end\":9,\"links\":-1,\"root\":\"" ROOT "\"",
        "\"control\":\"segment\",\"first\":0,\"end\":9,\"links\":9",
        "\"control\":\"segment\",\"first\":0,\"end\":9,\"links\":9,\"root\":7",
        "\"control\":\"segment\",\"first\":0,\"end\":9,\"links\":9,\"root\":\"\"",
        "\"control\":\"segment\",\"first\":0,\"end\":9,\"links\":9,\"root\":\"" ROOT "0\"",
        "\"control\":\"segment\",\"first\":9,\"end\":9,\"links\":9,\"root\":\"" ROOT "\"",
        "\"control\":\"segment\",\"first\":0,\"end\":11,\"links\":9,\"root\":\"" ROOT "\"",
        "\"control\":\"segment\",\"first\":0,\"end\":1,\"links\":257,\"root\":\"" ROOT "\"",
    };
    assert_int_equal(
        read_commitment(&got, "\"control\":\"segment\",\"first\":0,\"end\":9,\"links\":9,\"root\":\"" ROOT "\"", 10),
        MLT_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (read_commitment(&got, bad[i], 10) != MLT_CORRUPT) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, drafting_begin, drafting_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_known_answers),
        TEST(test_links_of_entries),
        TEST(test_what_an_entry_cannot_commit_to_is_said),
        TEST(test_each_rung_fails_for_its_reason),
        TEST(test_random_segments),
        TEST(test_equal_leaves_are_refused),
        TEST(test_commitments_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
