// links: mlt_index mlt_base_posix
//
// bench_index [DIR] [MILLIONS]: synthetic predictions (5 M unless told) through admit and added in groups of 1500, then
// look-ups. One thread and the flusher. Every prediction has a name of its own, a subject among 200,000, and the lists
// of a small fleet. Prints one line per measurement.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "index/lookup.h"

#define GROUP 1500
#define TERMS 9

static uint64_t state = 42;

static uint64_t next_random(void) {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// What a keyed hash would give: uniform, and the same for the same value.
static void set_term(struct mlt_term *t, uint8_t dim, uint64_t value) {
    uint64_t saved = state;
    state = value * 0xd6e8feb86659fd93u + dim;
    mlt_store_u64be(t->hash, next_random());
    mlt_store_u64be(t->hash + 8, next_random());
    t->dim = dim;
    state = saved;
}

static void make(struct mlt_draft *d, struct mlt_term *terms, uint64_t i) {
    static uint64_t sequence[16];
    uint64_t node = next_random() % 16;
    set_term(&terms[0], MLT_DIM_REQUEST, i);
    set_term(&terms[1], MLT_DIM_KIND, 0);
    set_term(&terms[2], MLT_DIM_USES_MODEL, i % 5);
    set_term(&terms[3], MLT_DIM_PREDICTED_BY, i % 5 * 10 + i / 1000000);
    set_term(&terms[4], MLT_DIM_NODE, node);
    set_term(&terms[5], MLT_DIM_STREAM, node);
    set_term(&terms[6], MLT_DIM_PRODUCER, 1);
    set_term(&terms[7], MLT_DIM_HOUR, i / 100000);
    set_term(&terms[8], MLT_DIM_SUBJECT, next_random() % 200000);
    *d = (struct mlt_draft){.has_identity = true,
                            .name = terms[0],
                            .terms = terms,
                            .num_terms = TERMS,
                            .has_sequence = true,
                            .stream = terms[5],
                            .sequence = sequence[node]++};
    mlt_store_u64be(d->content, i + 1);
}

static double seconds(void) {
    struct mlt_env *env = mlt_env_posix();
    return (double)env->monotonic(env) / 1e9;
}

// Of this thread: what the committer spends, whoever else uses the machine.
static double cpu_seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long resident_mib(void) {
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL) {
        if (fscanf(f, "%*s %ld", &pages) != 1) {
            pages = 0;
        }
        (void)fclose(f);
    }
    return pages * sysconf(_SC_PAGESIZE) / (1 << 20);
}

static MLT_NORETURN void die(const struct mlt_error *err) {
    (void)fprintf(stderr, "bench_index: %s\n", err->text);
    exit(3);
}

static void append(struct mlt_lookup *lk, uint64_t n) {
    static struct mlt_draft drafts[GROUP];
    static struct mlt_term terms[GROUP][TERMS];
    static const struct mlt_draft *pointers[GROUP];
    struct mlt_error err = {.text = "no directory for the index"};
    double in_index = 0;
    double admitting = 0;
    double adding = 0;
    double longest = 0;
    long peak = 0;
    for (uint64_t at = 0; at < n; at += GROUP) {
        for (size_t i = 0; i < GROUP; i++) {
            make(&drafts[i], terms[i], at + i);
            pointers[i] = &drafts[i];
        }
        double begin = seconds();
        double cpu = cpu_seconds();
        for (size_t i = 0; i < GROUP; i++) {
            bool duplicate;
            uint64_t first;
            if (mlt_lookup_admit(lk, &drafts[i], at + i, &duplicate, &first, &err) != MLT_OK) {
                die(&err);
            }
        }
        double admitted = cpu_seconds();
        if (mlt_lookup_added(lk, pointers, GROUP, at, &err) != MLT_OK) {
            die(&err);
        }
        double took = seconds() - begin;
        admitting += admitted - cpu;
        adding += cpu_seconds() - admitted;
        in_index += took;
        longest = took > longest ? took : longest;
        if (at % (GROUP * 64) == 0) {
            long mib = resident_mib();
            peak = mib > peak ? mib : peak;
        }
    }
    printf("append records=%llu per_second=%.0f ns_per_record=%.0f cpu_ns_admit=%.0f cpu_ns_added=%.0f "
           "longest_group_ms=%.1f peak_rss_mib=%ld\n",
           (unsigned long long)n, (double)n / in_index, in_index * 1e9 / (double)n, admitting * 1e9 / (double)n,
           adding * 1e9 / (double)n, longest * 1e3, peak);
}

static void look_up(struct mlt_lookup *lk, const char *what, const struct mlt_query *q, int rounds) {
    static uint64_t out[10000];
    struct mlt_answer a = {.out = out, .want_total = true};
    struct mlt_error err = {.text = "no directory for the index"};
    double first = 0;
    double begin = seconds();
    for (int i = 0; i <= rounds; i++) {
        if (mlt_lookup_find(lk, q, &a, &err) != MLT_OK) {
            die(&err);
        }
        if (i == 0) {
            first = seconds() - begin;
            begin = seconds();
        }
    }
    printf("%s total=%llu page=%zu first_us=%.0f warm_us=%.1f\n", what, (unsigned long long)a.total, a.num_out,
           first * 1e6, (seconds() - begin) / rounds * 1e6);
}

static void look_up_all(struct mlt_lookup *lk, uint64_t n) {
    struct mlt_term t[2];
    struct mlt_query q = {.terms = t, .num_terms = 1, .size = n, .limit = 50, .from = UINT64_MAX, .descending = true};
    set_term(&t[0], MLT_DIM_USES_MODEL, 1);
    look_up(lk, "model_first_page", &q, 200);
    set_term(&t[0], MLT_DIM_KIND, 0);
    look_up(lk, "kind_first_page", &q, 200);
    q.size = n - n / 3;
    look_up(lk, "kind_first_page_at_size", &q, 200);
    q.size = n;
    set_term(&t[0], MLT_DIM_SUBJECT, 77);
    look_up(lk, "subject", &q, 200);
    set_term(&t[0], MLT_DIM_REQUEST, n / 3);
    look_up(lk, "name", &q, 200);
    set_term(&t[0], MLT_DIM_USES_MODEL, 1);
    set_term(&t[1], MLT_DIM_NODE, 3);
    q.num_terms = 2;
    look_up(lk, "model_and_node", &q, 50);
}

static void absent(struct mlt_lookup *lk, uint64_t n) {
    struct mlt_draft d;
    struct mlt_term terms[TERMS];
    struct mlt_error err = {.text = "no directory for the index"};
    enum { ROUNDS = 200000 };
    double spent = 0;
    for (uint64_t i = 0; i < ROUNDS / 1000; i++) {
        double begin = cpu_seconds();
        for (uint64_t k = 0; k < 1000; k++) {
            bool duplicate;
            uint64_t first;
            make(&d, terms, n * 2 + i * 1000 + k);
            if (mlt_lookup_admit(lk, &d, n, &duplicate, &first, &err) != MLT_OK) {
                die(&err);
            }
        }
        spent += cpu_seconds() - begin;
        mlt_lookup_dropped(lk, n);
    }
    printf("absent_name cpu_ns=%.0f\n", spent * 1e9 / ROUNDS);
}

int main(int argc, char **argv) {
    char made[] = "/tmp/mlt-bench-index-XXXXXX";
    const char *dir = argc > 1 ? argv[1] : mkdtemp(made);
    uint64_t n = (argc > 2 ? strtoull(argv[2], NULL, 10) : 5) * 1000000;
    n = n / GROUP * GROUP;
    struct mlt_lookup *lk = NULL;
    struct mlt_error err = {.text = "no directory for the index"};
    if (dir == NULL || mlt_lookup_open(&lk, dir, "example.com/bench", 0, false, &err) != MLT_OK) {
        die(&err);
    }
    append(lk, n);
    absent(lk, n);
    look_up_all(lk, n);
    printf("end rss_mib=%ld name_runs=%llu\n", resident_mib(),
           (unsigned long long)mlt_runs_count(lk->runs, MLT_RUN_NAMES));
    double begin = seconds();
    if (mlt_lookup_close(lk, true, &err) != MLT_OK) {
        die(&err);
    }
    printf("close seconds=%.2f dir=%s\n", seconds() - begin, dir);
    return 0;
}
