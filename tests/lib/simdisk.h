// A disk in memory that can fail: an implementation of struct mlt_env for the crash grid.
//
// Every file has the bytes that are durable and a list of later writes, cut into sectors of 512 bytes. Sync makes them
// durable. At death each sector that was not synced is kept, lost or torn, by a seeded choice of its own, in any
// order; so are names that were not made durable with sync_dir. simdisk_reboot gives what survived. A sync that fails
// loses what it did not write, and the next one says nothing of it.
#ifndef MLT_TESTS_LIB_SIMDISK_H
#define MLT_TESTS_LIB_SIMDISK_H

#include "base/env.h"

enum simdisk_fault {
    SIMDISK_NONE,
    SIMDISK_ERROR_APPLIED,     // reports an error, and did it all the same
    SIMDISK_ERROR_NOT_APPLIED, // reports an error, and did nothing
    SIMDISK_DEATH_BEFORE,      // the machine stops; nothing of this operation happened
    SIMDISK_DEATH_DURING,      // … some sectors of it did
    SIMDISK_DEATH_AFTER,       // … it is done, but nobody was told
};
#define SIMDISK_NUM_FAULTS (SIMDISK_DEATH_AFTER + 1)
extern const char *const simdisk_fault_names[SIMDISK_NUM_FAULTS]; // as in "replay with … --fault error-applied"

struct simdisk;

struct simdisk *simdisk_new(uint64_t seed);
void simdisk_free(struct simdisk *d);
struct mlt_env *simdisk_env(struct simdisk *d);
// simdisk_plan injects `fault` at operation number `at` (1-based) counted from now; operations are those that change
// the disk: write, write_synced, sync, truncate, allocate, rename, unlink, mkdir, sync_dir, and creation by open.
void simdisk_plan(struct simdisk *d, enum simdisk_fault fault, uint64_t at);
uint64_t simdisk_operations(struct simdisk *d); // since the plan was made
bool simdisk_fired(struct simdisk *d);
bool simdisk_dead(struct simdisk *d);
// simdisk_kill stops the machine now.
void simdisk_kill(struct simdisk *d);
// simdisk_reboot makes what survived the state of the disk; open files of before are void.
void simdisk_reboot(struct simdisk *d);
// simdisk_restart ends the process, not the machine: files of before are void, what was written stays.
void simdisk_restart(struct simdisk *d);
void simdisk_lie(struct simdisk *d, bool lying);              // sync reports success and does nothing
void simdisk_fill(struct simdisk *d, uint64_t bytes_left);    // UINT64_MAX: no limit
void simdisk_read_error(struct simdisk *d, const char *path); // reads of this path fail; NULL: none
void simdisk_clock(struct simdisk *d, int64_t ns);
// simdisk_bytes gives a file's present content for tampering; NULL when absent.
uint8_t *simdisk_bytes(struct simdisk *d, const char *path, uint64_t *len);

#endif
