#include "lib/fault_grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUICK_SEEDS 2

static bool run_reported(const struct fault_grid *g, const struct fault_run *r) {
    uint64_t operations;
    char why[FAULT_WHY_MAX] = "";
    bool good = g->run(r, &operations, why);
    if (!good) {
        fprintf(stderr, "replay with: %s --script %s --seed %llu --fault %s --at %llu\n  %s\n", g->program,
                g->scripts[r->script], (unsigned long long)r->seed, simdisk_fault_names[r->fault],
                (unsigned long long)r->at, why);
    }
    return good;
}

static size_t run_grid(const struct fault_grid *g, unsigned script, uint64_t num_seeds, bool every_fault) {
    uint64_t length = 0;
    size_t failed = 0;
    char why[FAULT_WHY_MAX] = "";
    const struct fault_run plain = {.script = script, .seed = 1};
    if (!g->run(&plain, &length, why)) {
        fprintf(stderr, "%s, without a fault: %s\n", g->scripts[script], why);
        return 1;
    }
    for (uint64_t seed = 1; seed <= num_seeds; seed++) {
        for (uint64_t at = 1; at <= length; at++) {
            for (unsigned f = SIMDISK_ERROR_APPLIED; f <= SIMDISK_DEATH_AFTER; f++) {
                if (every_fault || (at + seed) % 5 + 1 == f) {
                    const struct fault_run r = {script, seed, f, at, false};
                    failed += !run_reported(g, &r);
                }
            }
        }
    }
    printf("%s: %llu operations, %llu seeds, %zu failed\n", g->scripts[script], (unsigned long long)length,
           (unsigned long long)num_seeds, failed);
    return failed;
}

size_t fault_grid_quick(const struct fault_grid *g, unsigned script) {
    return run_grid(g, script, QUICK_SEEDS, false);
}

size_t fault_grid_caught(const struct fault_grid *g, unsigned script, uint64_t from, uint64_t to, uint64_t step) {
    size_t caught = 0;
    for (uint64_t at = from; at <= to; at += step) {
        uint64_t operations;
        char why[FAULT_WHY_MAX];
        const struct fault_run r = {script, at, SIMDISK_DEATH_BEFORE, at, true};
        caught += !g->run(&r, &operations, why);
    }
    return caught;
}

static unsigned named(const char *const *names, size_t num, const char *name) {
    for (unsigned i = 0; i < num; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    fprintf(stderr, "no %s\n", name);
    exit(2);
}

bool fault_grid_asked(const struct fault_grid *g, int argc, char **argv, int *status) {
    struct fault_run r = {.seed = 1};
    uint64_t seeds = 0;
    size_t failed = 0;
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--seeds") == 0) {
            seeds = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--script") == 0) {
            r.script = named(g->scripts, g->num_scripts, value);
        } else if (strcmp(argv[i], "--seed") == 0) {
            r.seed = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--fault") == 0) {
            r.fault = named(simdisk_fault_names, SIMDISK_NUM_FAULTS, value);
        } else if (strcmp(argv[i], "--at") == 0) {
            r.at = strtoull(value, NULL, 10);
        } else {
            fprintf(stderr, "usage: %s [--seeds N | --script NAME --seed S --fault F --at N]\n", g->program);
            exit(2);
        }
    }
    if (r.fault) {
        failed = !run_reported(g, &r);
    } else if (seeds) {
        for (unsigned script = 0; script < g->num_scripts; script++) {
            failed += run_grid(g, script, seeds, true);
        }
    } else {
        return false;
    }
    *status = failed ? 1 : 0;
    return true;
}
