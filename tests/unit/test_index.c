// links: mlt_index mlt_base_posix mlt_testlib
//
// Two kinds of test: look-ups against an oracle that keeps every draft in a table (drafts made up here), and an index
// on a real trail.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "crypto/sha256.h"
#include "index/delta.h"
#include "index/private.h"
#include "lib/records.h"

#include <cmocka.h>

#define ORIGIN "example.com/index"

static char dir[64];

static bool unlink_each(void *arg, const char *name) {
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
    return unlink(path) == 0;
}

static void empty_dir(const char *path) {
    struct mlt_env *env = mlt_env_posix();
    (void)env->list(env, path, unlink_each, (void *)(uintptr_t)path, NULL);
}

static int make_dir(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/mlt-index-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state) {
    (void)state;
    empty_dir(dir);
    return rmdir(dir);
}

// ---- drafts and their oracle ----

#define NUM_TERMS 7 // of a draft
#define VALUES 40   // of each list dimension
#define DRAFTS_MAX 21000

struct made {
    struct mlt_draft draft;
    struct mlt_term terms[NUM_TERMS];
};
static struct made *log_of; // every draft that was added
static size_t log_size;

static uint64_t seed = 1;

static uint32_t random_below(uint32_t n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

static struct mlt_term term_of(uint8_t dim, uint32_t n) {
    struct mlt_term t = {.dim = dim};
    uint8_t hash[MLT_HASH_LEN];
    uint8_t in[4];
    mlt_store_u32be(in, n);
    mlt_sha256_one(hash, mlt_bytes_of(in, sizeof(in)));
    memcpy(t.hash, hash, MLT_TERM_LEN);
    return t;
}

static void make(struct made *m, uint32_t request) {
    memset(m, 0, sizeof(*m));
    struct mlt_draft *d = &m->draft;
    d->has_identity = true;
    d->name = term_of(MLT_DIM_REQUEST, request);
    d->owner = random_below(3);
    mlt_store_u32be(d->content, 1 + random_below(1u << 30));
    d->terms = m->terms;
    d->num_terms = NUM_TERMS;
    uint32_t node = random_below(3);
    m->terms[0] = d->name;
    m->terms[1] = term_of(MLT_DIM_KIND, random_below(10) == 0);
    m->terms[2] = term_of(MLT_DIM_NODE, random_below(VALUES));
    m->terms[3] = term_of(MLT_DIM_SUBJECT, random_below(2000));
    m->terms[4] = term_of(MLT_DIM_RESOURCE, random_below(VALUES));
    m->terms[5] = term_of(MLT_DIM_STREAM, node);
    m->terms[6] = term_of(MLT_DIM_KIND, 7);
    d->has_sequence = random_below(8) != 0; // the others are tallies of the stream
    d->stream = m->terms[5];
    static uint64_t next[3];
    next[node] += random_below(50) == 0 ? 5 : 1;
    d->sequence = next[node];
}

static void add_to(struct mlt_lookup *lk, size_t first, size_t n) {
    const struct mlt_draft *drafts[64];
    while (n > 0) {
        size_t k = n < 64 ? n : 64;
        for (size_t i = 0; i < k; i++) {
            drafts[i] = &log_of[first + i].draft;
        }
        assert_int_equal(mlt_lookup_added(lk, drafts, k, first, NULL), MLT_OK);
        first += k;
        n -= k;
    }
}

static struct mlt_lookup *open_lookup(const char *path, size_t size) {
    struct mlt_lookup *lk;
    struct mlt_error err;
    if (mlt_lookup_open(&lk, path, ORIGIN, size, path == NULL, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    return lk;
}

static bool has(size_t entry, const struct mlt_term *t) {
    for (size_t i = 0; i < NUM_TERMS; i++) {
        if (log_of[entry].terms[i].dim == t->dim && memcmp(log_of[entry].terms[i].hash, t->hash, MLT_TERM_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static bool matches(size_t entry, const struct mlt_query *q) {
    for (size_t i = 0; i < q->num_terms; i++) {
        if (!has(entry, &q->terms[i])) {
            return false;
        }
    }
    bool any = q->num_either == 0;
    for (size_t i = 0; i < q->num_either && !any; i++) {
        any = has(entry, &q->either[i]);
    }
    return any;
}

// Asks both and compares page, total and `more`.
static void check_query(struct mlt_lookup *lk, const struct mlt_query *q) {
    static uint64_t want[DRAFTS_MAX];
    static uint64_t have[DRAFTS_MAX];
    size_t num_want = 0;
    uint64_t total = 0;
    bool more = false;
    for (size_t k = 0; k < q->size; k++) {
        size_t e = q->descending ? q->size - 1 - k : k;
        if (!matches(e, q)) {
            continue;
        }
        total++;
        if (q->descending ? e < q->from : e >= q->from) {
            if (num_want < q->limit) {
                want[num_want++] = e;
            } else {
                more = true;
            }
        }
    }
    for (int with_total = 0; with_total < 2; with_total++) {
        struct mlt_answer a = {.out = have, .want_total = with_total};
        assert_int_equal(mlt_lookup_find(lk, q, &a, NULL), MLT_OK);
        assert_int_equal(a.num_out, num_want);
        assert_memory_equal(have, want, num_want * sizeof(*want));
        assert_int_equal(a.more, more);
        if (with_total) {
            assert_int_equal(a.total, total);
        }
    }
}

static void check_random_queries(struct mlt_lookup *lk, size_t size, int n) {
    static const uint8_t dims[] = {MLT_DIM_KIND,     MLT_DIM_NODE,   MLT_DIM_SUBJECT,
                                   MLT_DIM_RESOURCE, MLT_DIM_STREAM, MLT_DIM_REQUEST};
    while (n-- > 0) {
        struct mlt_term terms[3];
        struct mlt_term either[5];
        struct mlt_query q = {.terms = terms, .either = either};
        q.num_terms = random_below(4);
        q.num_either = q.num_terms == 0 || random_below(3) == 0 ? 1 + random_below(5) : 0;
        for (size_t i = 0; i < q.num_terms; i++) {
            terms[i] = term_of(dims[random_below(6)], random_below(random_below(2) ? 4 : VALUES));
        }
        for (size_t i = 0; i < q.num_either; i++) {
            either[i] = term_of(dims[random_below(3)], random_below(VALUES));
        }
        q.size = random_below(2) ? size : random_below((uint32_t)size + 1);
        q.descending = random_below(2);
        q.from = random_below(2) ? (q.descending ? UINT64_MAX : 0) : random_below((uint32_t)size + 1);
        q.limit = random_below(2) ? 20 : random_below((uint32_t)size);
        check_query(lk, &q);
    }
}

static void check_streams(struct mlt_lookup *lk, size_t size) {
    for (uint32_t node = 0; node < 4; node++) {
        struct mlt_term t = term_of(MLT_DIM_STREAM, node);
        struct mlt_stream_runs want = {0};
        static struct mlt_stream_run have[DRAFTS_MAX];
        size_t num;
        for (size_t e = 0; e < size; e++) {
            if (log_of[e].draft.has_sequence && has(e, &t)) {
                struct mlt_stream_run one = {log_of[e].draft.sequence, 1, e, e};
                assert_true(mlt_stream_runs_append(&want, &one));
            }
        }
        assert_int_equal(mlt_lookup_stream(lk, &t, size, have, DRAFTS_MAX, &num, NULL), MLT_OK);
        assert_int_equal(num, want.num_runs);
        if (num > 0) {
            assert_memory_equal(have, want.runs, num * sizeof(*have));
        }
        mlt_stream_runs_clear(&want);
    }
}

static void check_duplicates(struct mlt_lookup *lk, size_t size) {
    for (size_t e = 0; e < size; e += 97) {
        bool duplicate;
        uint64_t first = 0;
        struct mlt_draft d = log_of[e].draft;
        assert_int_equal(mlt_lookup_admit(lk, &d, size, &duplicate, &first, NULL), MLT_OK);
        assert_true(duplicate);
        assert_int_equal(first, e);
        d.content[9]++;
        assert_int_equal(mlt_lookup_admit(lk, &d, size, &duplicate, &first, NULL), MLT_OK);
        assert_false(duplicate);
        mlt_lookup_dropped(lk, size);
    }
}

static void make_log(size_t n) {
    log_of = calloc(n, sizeof(*log_of));
    log_size = n;
    for (size_t i = 0; i < n; i++) {
        make(&log_of[i], (uint32_t)(random_below(5) == 0 ? i / 2 : i));
    }
}

static int remove_log(void **state) {
    free(log_of);
    log_of = NULL;
    return remove_dir(state);
}

// ---- look-ups ----

static void answers_are_those_of_a_table(void **state) {
    // Answers at any size are those of a table of all drafts: in memory, after reopening, and half in files.
    (void)state;
    make_log(DRAFTS_MAX);
    size_t at = 0;
    while (at < log_size) {
        struct mlt_lookup *lk = open_lookup(dir, at);
        assert_true(lk->watermark <= at);
        add_to(lk, lk->watermark, at - lk->watermark);
        size_t n = log_size - at < 4500 ? log_size - at : 4500;
        add_to(lk, at, n);
        at += n;
        check_random_queries(lk, at, 60);
        check_streams(lk, at);
        check_streams(lk, random_below((uint32_t)at + 1));
        check_duplicates(lk, at);
        assert_int_equal(mlt_lookup_close(lk, true, NULL), MLT_OK);
    }
    struct mlt_lookup *lk = open_lookup(dir, at);
    assert_in_range(lk->watermark, at - MLT_DELTA_ENTRIES_MIN, at);
    add_to(lk, lk->watermark, at - lk->watermark);
    check_random_queries(lk, at, 100);
    check_duplicates(lk, at);
    assert_int_equal(mlt_lookup_close(lk, true, NULL), MLT_OK);
}

static void a_death_while_writing_is_made_good(void **state) {
    // A death between the runs and the watermark: what is above the watermark is not seen, and the same delta is
    // written again from the log.
    (void)state;
    make_log(12000);
    struct mlt_lookup *lk = open_lookup(dir, 0);
    add_to(lk, 0, 5000);
    assert_int_equal(mlt_lookup_close(lk, true, NULL), MLT_OK);
    lk = open_lookup(dir, 5000);
    add_to(lk, 5000, 6000);
    assert_int_equal(mlt_delta_write(lk->deltas[0], lk->runs, NULL), MLT_OK);
    uint8_t old[8];
    mlt_store_u64be(old, 5000);
    assert_int_equal(mlt_runs_put_meta(lk->runs, "watermark", mlt_bytes_of(old, 8), NULL), MLT_OK);
    assert_int_equal(mlt_lookup_close(lk, false, NULL), MLT_OK);

    lk = open_lookup(dir, 12000);
    assert_int_equal(lk->watermark, 5000);
    check_random_queries(lk, 5000, 50);
    check_duplicates(lk, 5000);
    add_to(lk, 5000, 7000);
    check_random_queries(lk, 12000, 50);
    check_streams(lk, 12000);
    assert_int_equal(mlt_lookup_close(lk, false, NULL), MLT_OK);
    lk = open_lookup(dir, 12000);
    assert_int_equal(lk->watermark, 11000);
    add_to(lk, 11000, 1000);
    check_random_queries(lk, 12000, 50);
    check_streams(lk, 11500);
    assert_int_equal(mlt_lookup_close(lk, false, NULL), MLT_OK);
}

static void files_of_another_log_are_refused(void **state) {
    // Files of another origin, or ahead of the log, are called corrupt, so that they are made again.
    (void)state;
    make_log(5000);
    struct mlt_lookup *lk = open_lookup(dir, 0);
    add_to(lk, 0, 5000);
    assert_int_equal(mlt_lookup_close(lk, true, NULL), MLT_OK);
    struct mlt_error err;
    assert_int_equal(mlt_lookup_open(&lk, dir, "example.com/other", 5000, false, &err), MLT_CORRUPT);
    assert_non_null(strstr(err.text, "origin"));
    assert_int_equal(mlt_lookup_open(&lk, dir, ORIGIN, 4999, false, &err), MLT_CORRUPT);
    assert_non_null(strstr(err.text, "4999"));
    assert_int_equal(mlt_lookup_open(&lk, dir, ORIGIN, 5000, true, &err), MLT_OK);
    check_random_queries(lk, 5000, 10);
    assert_int_equal(mlt_lookup_close(lk, true, NULL), MLT_OK);
}

static void a_group_sees_its_own_drafts_until_dropped(void **state) {
    // The second of two equal drafts in one group is a duplicate of the first; after the group was dropped neither is
    // known. An erased record is recognised by its name and owner alone.
    (void)state;
    make_log(3);
    struct mlt_lookup *lk = open_lookup(dir, 0);
    struct mlt_draft d = log_of[0].draft;
    bool duplicate;
    uint64_t first = 99;
    assert_int_equal(mlt_lookup_admit(lk, &d, 0, &duplicate, &first, NULL), MLT_OK);
    assert_false(duplicate);
    assert_int_equal(mlt_lookup_admit(lk, &d, 1, &duplicate, &first, NULL), MLT_OK);
    assert_true(duplicate);
    assert_int_equal(first, 0);
    mlt_lookup_dropped(lk, 0);
    assert_int_equal(mlt_lookup_admit(lk, &d, 0, &duplicate, &first, NULL), MLT_OK);
    assert_false(duplicate);
    mlt_lookup_dropped(lk, 0);

    memset(log_of[0].draft.content, 0, MLT_CONTENT_LEN);
    add_to(lk, 0, 1);
    assert_int_equal(mlt_lookup_admit(lk, &d, 1, &duplicate, &first, NULL), MLT_OK);
    assert_true(duplicate);
    d.owner++;
    assert_int_equal(mlt_lookup_admit(lk, &d, 1, &duplicate, &first, NULL), MLT_OK);
    assert_false(duplicate);
    assert_int_equal(mlt_lookup_close(lk, false, NULL), MLT_OK);
}

static void a_long_log_goes_through_segments(void **state) {
    // More entries than two segments: written in the background at the boundaries, found from all of them.
    (void)state;
    const uint64_t n = 2 * MLT_SEGMENT_ENTRIES + 1000;
    struct mlt_lookup *lk = open_lookup(dir, 0);
    struct mlt_term terms[2] = {term_of(MLT_DIM_KIND, 1)};
    struct mlt_draft d = {.has_identity = true, .terms = terms, .num_terms = 2};
    const struct mlt_draft *drafts[1] = {&d};
    for (uint64_t i = 0; i < n; i++) {
        mlt_store_u64be(d.name.hash, i * 0x9e3779b97f4a7c15u);
        mlt_store_u64be(d.name.hash + 8, i);
        d.name.dim = MLT_DIM_REQUEST;
        terms[1] = d.name;
        assert_int_equal(mlt_lookup_added(lk, drafts, 1, i, NULL), MLT_OK);
    }
    uint64_t out[4];
    struct mlt_query q = {
        .terms = terms, .num_terms = 1, .size = n - 1, .from = UINT64_MAX, .descending = true, .limit = 4};
    struct mlt_answer a = {.out = out, .want_total = true};
    assert_int_equal(mlt_lookup_find(lk, &q, &a, NULL), MLT_OK);
    assert_int_equal(a.total, n - 1);
    assert_int_equal(out[0], n - 2);
    q.from = MLT_SEGMENT_ENTRIES + 2;
    assert_int_equal(mlt_lookup_find(lk, &q, &a, NULL), MLT_OK);
    assert_int_equal(out[3], MLT_SEGMENT_ENTRIES - 2);
    for (uint64_t i = 0; i < n; i += 99991) {
        mlt_store_u64be(terms[0].hash, i * 0x9e3779b97f4a7c15u);
        mlt_store_u64be(terms[0].hash + 8, i);
        terms[0].dim = MLT_DIM_REQUEST;
        q = (struct mlt_query){.terms = terms, .num_terms = 1, .size = n, .limit = 4};
        assert_int_equal(mlt_lookup_find(lk, &q, &a, NULL), MLT_OK);
        assert_int_equal(a.total, 1);
        assert_int_equal(out[0], i);
    }
    assert_int_equal(mlt_lookup_close(lk, true, NULL), MLT_OK);
    lk = open_lookup(dir, n);
    assert_int_equal(lk->watermark, 2 * MLT_SEGMENT_ENTRIES);
    assert_int_equal(mlt_lookup_close(lk, true, NULL), MLT_OK);
}

struct reading {
    struct mlt_lookup *lk;
    bool ok;
};

static void *read_while_writing(void *arg) {
    struct reading *r = arg;
    struct mlt_term kind = term_of(MLT_DIM_KIND, 7);
    uint64_t out[100];
    for (int i = 0; i < 300 && r->ok; i++) {
        pthread_rwlock_rdlock(&r->lk->lock);
        uint64_t size = r->lk->end;
        pthread_rwlock_unlock(&r->lk->lock);
        struct mlt_query q = {.terms = &kind, .num_terms = 1, .size = size, .limit = 100};
        struct mlt_answer a = {.out = out, .want_total = true};
        r->ok = mlt_lookup_find(r->lk, &q, &a, NULL) == MLT_OK && a.total == size;
    }
    return NULL;
}

static void readers_see_whole_answers_while_the_writer_goes_on(void **state) {
    // Two readers and a writer whose deltas move to files meanwhile: every total is the size that was asked for.
    (void)state;
    make_log(20000);
    struct mlt_lookup *lk = open_lookup(dir, 0);
    lk->reach = 7000; // writes a delta early, as after a crash
    struct reading r[2] = {{lk, true}, {lk, true}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_while_writing, &r[i]), 0);
    }
    add_to(lk, 0, log_size);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_true(r[i].ok);
    }
    check_random_queries(lk, log_size, 20);
    assert_int_equal(mlt_lookup_close(lk, true, NULL), MLT_OK);
}

// ---- on a trail ----

#define TRAIL_RECORDS 4600 // more than stay in the log alone at close
#define KNOWN_TERMS_MAX 60000

struct trail_test {
    char base[64];
    char path[80];
    struct mlt_env *env;
    struct mlt_error err;
    struct mlt_trail_options opt;
    struct mlt_trail *trail;
    struct mlt_index *ix;
    struct records records;
    struct mlt_term *terms; // of every record, as drafted
    size_t num_terms;
};

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) != MLT_OK) {                                                                                        \
            fail_msg("%s: %s", #call, t->err.text);                                                                    \
        }                                                                                                              \
    } while (0)

static void open_trail(struct trail_test *t) {
    OK(mlt_trail_open(&t->trail, t->env, &t->opt, &t->err));
    OK(mlt_index_open(&t->ix, t->trail, NULL, &t->err));
    struct mlt_admission admission = mlt_index_admission(t->ix);
    OK(mlt_trail_start(t->trail, &admission, &t->err));
    records_reopen(&t->records, t->env, mlt_trail_keys(t->trail));
}

// `cleanly` false: the index is left as a death would leave it.
static void close_trail(struct trail_test *t, bool cleanly) {
    records_close(&t->records);
    OK(mlt_trail_close(t->trail, &t->err));
    if (cleanly) {
        OK(mlt_index_close(t->ix, &t->err));
    } else {
        OK(mlt_lookup_close(t->ix->lookup, false, &t->err));
        free(t->ix);
    }
}

static int set_up_trail(void **state) {
    struct trail_test *t = calloc(1, sizeof(*t));
    t->env = mlt_env_posix();
    snprintf(t->base, sizeof(t->base), "/tmp/mlt-index-trail-XXXXXX");
    if (mkdtemp(t->base) == NULL) {
        return 1;
    }
    snprintf(t->path, sizeof(t->path), "%s/t", t->base);
    t->opt.dir = t->path;
    t->opt.journal_bytes = 1 << 20;
    t->opt.reserve_bytes = 1;
    t->terms = malloc(KNOWN_TERMS_MAX * sizeof(*t->terms));
    OK(mlt_trail_create(t->env, &t->opt, ORIGIN, false, false, &t->err));
    *state = t;
    return 0;
}

static int tear_down_trail(void **state) {
    struct trail_test *t = *state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", t->base);
    int status = system(command);
    free(t->terms);
    free(t);
    return status;
}

static void append(struct trail_test *t, size_t n, enum mlt_added want) {
    struct mlt_receipt receipts[100];
    struct mlt_head head;
    while (n > 0) {
        size_t k = n < 99 ? n : 99;
        mlt_batch_reset(&t->records.batch);
        for (size_t i = 0; i < k; i++) {
            records_prediction(&t->records, 20);
        }
        records_dataset(&t->records, 20000);
        for (size_t i = 0; i < t->records.batch.num_drafts && want == MLT_ADDED_NEW; i++) {
            const struct mlt_draft *d = &t->records.batch.drafts[i];
            for (size_t j = 0; j < d->num_terms && t->num_terms < KNOWN_TERMS_MAX; j++) {
                t->terms[t->num_terms++] = d->terms[j];
            }
        }
        OK(mlt_trail_append_wait(t->trail, &t->records.batch, false, receipts, &head, &t->err));
        for (size_t i = 0; i < k; i++) {
            assert_int_equal(receipts[i].added, want);
        }
        n -= k;
    }
}

// A hash over the answers for every term, at a size.
static void hash_answers(struct trail_test *t, uint64_t size, uint8_t out[static MLT_HASH_LEN]) {
    struct mlt_source src;
    struct mlt_buf all = {0};
    static uint64_t page[MLT_FIND_PAGE_MAX];
    OK(mlt_index_source(t->ix, size, true, &src, &t->err));
    for (size_t i = 0; i < t->num_terms; i += i < 2000 ? 1 : 61) {
        size_t n;
        uint64_t total;
        bool more;
        OK(src.find(src.ctx, &t->terms[i], 1, 0, false, 50, page, &n, &total, &more, &t->err));
        mlt_buf_put(&all, page, n * sizeof(*page));
        mlt_buf_put_u64be(&all, total);
        assert_true(more == (total > 50));
    }
    mlt_sha256_one(out, mlt_buf_bytes(&all));
    assert_false(all.failed);
    mlt_buf_clear(&all);
    mlt_index_source_clear(&src);
}

static void a_rebuilt_index_answers_as_the_first(void **state) {
    // After a clean close, a death, and a removal of the index the answers are those given before; so are those at an
    // earlier size; and what was recorded before is a duplicate.
    struct trail_test *t = *state;
    uint8_t early[MLT_HASH_LEN];
    uint8_t late[MLT_HASH_LEN];
    uint8_t again[MLT_HASH_LEN];
    struct mlt_head head;
    open_trail(t);
    append(t, TRAIL_RECORDS, MLT_ADDED_NEW);
    mlt_trail_head(t->trail, &head);
    uint64_t early_size = head.size;
    close_trail(t, true);
    open_trail(t);
    struct mlt_index_stats stats;
    mlt_index_get_stats(t->ix, &stats);
    assert_int_equal(stats.watermark, early_size);
    append(t, 300, MLT_ADDED_NEW);
    mlt_trail_head(t->trail, &head);
    hash_answers(t, early_size, early);
    hash_answers(t, head.size, late);
    for (int how = 0; how < 3; how++) {
        close_trail(t, how == 0);
        if (how == 2) {
            OK(mlt_index_destroy(t->env, t->path, &t->err));
        }
        open_trail(t);
        hash_answers(t, early_size, again);
        assert_memory_equal(again, early, sizeof(early));
        hash_answers(t, head.size, again);
        assert_memory_equal(again, late, sizeof(late));
        uint64_t next = t->records.next;
        t->records.next = 0;
        append(t, 198, MLT_ADDED_DUPLICATE);
        t->records.next = next;
    }
    close_trail(t, true);
}

static void a_damaged_index_is_made_again(void **state) {
    // Files that RocksDB does not accept are removed and made again from the log.
    struct trail_test *t = *state;
    uint8_t before[MLT_HASH_LEN];
    uint8_t after[MLT_HASH_LEN];
    struct mlt_head head;
    open_trail(t);
    append(t, TRAIL_RECORDS, MLT_ADDED_NEW);
    mlt_trail_head(t->trail, &head);
    hash_answers(t, head.size, before);
    close_trail(t, true);
    char path[120];
    snprintf(path, sizeof(path), "%s/index/CURRENT", t->path);
    OK(mlt_env_replace_file(t->env, path, mlt_str("MANIFEST-999999\n"), false, &t->err));
    open_trail(t);
    hash_answers(t, head.size, after);
    assert_memory_equal(after, before, sizeof(before));
    close_trail(t, true);
}

static void another_content_under_a_name_stands_beside_the_first(void **state) {
    // A record that has the name of an earlier one and other content is new, and both are found.
    struct trail_test *t = *state;
    struct mlt_receipt receipt;
    struct mlt_head head;
    struct mlt_source src;
    uint64_t page[4];
    size_t n;
    open_trail(t);
    for (size_t payload = 20; payload < 22; payload++) {
        t->records.next = 0;
        mlt_batch_reset(&t->records.batch);
        records_prediction(&t->records, payload);
        t->terms[0] = t->records.batch.drafts[0].name;
        OK(mlt_trail_append_wait(t->trail, &t->records.batch, false, &receipt, &head, &t->err));
        assert_int_equal(receipt.added, MLT_ADDED_NEW);
    }
    OK(mlt_index_source(t->ix, head.size, true, &src, &t->err));
    OK(src.find(src.ctx, t->terms, 1, UINT64_MAX, true, 4, page, &n, NULL, NULL, &t->err));
    assert_int_equal(n, 2);
    assert_int_equal(page[0], 1);
    int64_t hour = 498700; // a few days before the records' event time
    OK(mlt_index_find_hours(&src, t->terms, 1, hour, hour + 24 * 366, 0, false, 4, page, &n, NULL, NULL, &t->err));
    assert_int_equal(n, 2);
    OK(mlt_index_find_hours(&src, NULL, 0, hour - 48, hour, 0, false, 4, page, &n, NULL, NULL, &t->err));
    assert_int_equal(n, 0);
    assert_int_equal(mlt_index_find_hours(&src, NULL, 0, 5, 5, 0, false, 4, page, &n, NULL, NULL, NULL), MLT_INVALID);
    mlt_index_source_clear(&src);
    assert_int_equal(mlt_index_source(t->ix, head.size + 1, true, &src, NULL), MLT_INVALID);
    close_trail(t, true);
}

static bool count_each(void *arg, const char *name) {
    (void)name;
    ++*(int *)arg;
    return true;
}

static void a_read_only_index_writes_nothing(void **state) {
    // Read-only, with files and without, the answers are the same and the directory stays as it was.
    struct trail_test *t = *state;
    uint8_t before[MLT_HASH_LEN];
    uint8_t after[MLT_HASH_LEN];
    struct mlt_head head;
    char path[120];
    snprintf(path, sizeof(path), "%s/index", t->path);
    open_trail(t);
    append(t, TRAIL_RECORDS, MLT_ADDED_NEW);
    mlt_trail_head(t->trail, &head);
    hash_answers(t, head.size, before);
    close_trail(t, true);
    t->opt.read_only = true;
    struct mlt_index_options opt = {.read_only = true};
    for (int i = 0; i < 2; i++) {
        int had = 0;
        int has_now = 0;
        OK(t->env->list(t->env, path, count_each, &had, &t->err));
        OK(mlt_trail_open(&t->trail, t->env, &t->opt, &t->err));
        OK(mlt_index_open(&t->ix, t->trail, &opt, &t->err));
        hash_answers(t, head.size, after);
        assert_memory_equal(after, before, sizeof(before));
        OK(mlt_trail_close(t->trail, &t->err));
        OK(mlt_index_close(t->ix, &t->err));
        OK(t->env->list(t->env, path, count_each, &has_now, &t->err));
        assert_int_equal(has_now, had);
        OK(mlt_index_destroy(t->env, t->path, &t->err));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_are_those_of_a_table, make_dir, remove_log),
        cmocka_unit_test_setup_teardown(a_death_while_writing_is_made_good, make_dir, remove_log),
        cmocka_unit_test_setup_teardown(files_of_another_log_are_refused, make_dir, remove_log),
        cmocka_unit_test_setup_teardown(a_group_sees_its_own_drafts_until_dropped, make_dir, remove_log),
        cmocka_unit_test_setup_teardown(a_long_log_goes_through_segments, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(readers_see_whole_answers_while_the_writer_goes_on, make_dir, remove_log),
        cmocka_unit_test_setup_teardown(a_rebuilt_index_answers_as_the_first, set_up_trail, tear_down_trail),
        cmocka_unit_test_setup_teardown(a_damaged_index_is_made_again, set_up_trail, tear_down_trail),
        cmocka_unit_test_setup_teardown(another_content_under_a_name_stands_beside_the_first, set_up_trail,
                                        tear_down_trail),
        cmocka_unit_test_setup_teardown(a_read_only_index_writes_nothing, set_up_trail, tear_down_trail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
