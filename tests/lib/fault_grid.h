// The fault grid: a script runs on a simulated disk again and again, each time with one fault at one operation.
//
// The program of a grid understands `--seeds N`, which runs every fault at every operation with N seeds, and
// `--script NAME --seed S --fault F --at N`, which replays one run. A run that fails prints the words that replay it.
#ifndef MLT_TESTS_LIB_FAULT_GRID_H
#define MLT_TESTS_LIB_FAULT_GRID_H

#include "lib/simdisk.h"

struct fault_run {
    unsigned script; // of fault_grid.scripts
    uint64_t seed;
    enum simdisk_fault fault;
    uint64_t at;
    bool lying; // the disk says it synced and did not
};

#define FAULT_WHY_MAX 256

struct fault_grid {
    const char *program;
    const char *const *scripts;
    unsigned num_scripts;
    // True when everything holds that must hold after `r`; else `why` says what does not. `*operations` is how many
    // the script made.
    bool (*run)(const struct fault_run *r, uint64_t *operations, char why[static FAULT_WHY_MAX]);
};

// fault_grid_quick runs one of the five faults at each operation of a script, with two seeds; how many runs failed.
size_t fault_grid_quick(const struct fault_grid *g, unsigned script);

// fault_grid_caught says how many of the machine's deaths at operations `from`, `from + step`, … `to` are noticed on a
// disk that lies. None: the grid would notice nothing.
size_t fault_grid_caught(const struct fault_grid *g, unsigned script, uint64_t from, uint64_t to, uint64_t step);

// fault_grid_asked does what the command line asks for, and puts the exit status into `*status`; false when it asks for
// nothing, which means the program's tests.
bool fault_grid_asked(const struct fault_grid *g, int argc, char **argv, int *status);

#endif
