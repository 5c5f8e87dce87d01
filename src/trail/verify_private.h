// What the parts of the verifier share: the report under way, and the trail as the journal completes it in memory.
#ifndef MLT_TRAIL_VERIFY_PRIVATE_H
#define MLT_TRAIL_VERIFY_PRIVATE_H

#include "record/entry.h"
#include "store/files.h"
#include "trail/meta.h"
#include "trail/state.h"
#include "trail/verify.h"

struct mlt_verify {
    struct mlt_env *base;
    struct mlt_env *env; // an overlay over `base`: replaying the journal changes nothing on disk
    const struct mlt_verify_options *opt;
    struct mlt_verify_report *report;
    char dir[MLT_STORE_PATH_MAX];
    bool raw;
    bool rewrapping; // slots are on their way from one key-encryption key to the next
    bool files_open;
    struct mlt_files files;
    bool closed; // the journal has no groups: every file ends exactly where the tree does
    bool journal_sound;
    struct mlt_watermark mark;
    struct mlt_sealer *sealer; // NULL: no key-encryption key
    struct mlt_arena arena;    // of one entry
    struct mlt_buf erased;     // u64 indexes whose slot says erased, in host order
    struct mlt_buf erasures;   // u64 indexes that erasure entries name
};

// mlt_verify_fault notes a fault and makes the verdict false. `index` UINT64_MAX: none.
void mlt_verify_fault(struct mlt_verify *v, enum mlt_verify_what what, const char *file, uint64_t index,
                      const char *fmt, ...) MLT_PRINTF(5, 6);
// Status is that of the machine (no memory, a read that failed); what is wrong with the trail becomes a fault.
enum mlt_status mlt_verify_journal(struct mlt_verify *v, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_verify_entries(struct mlt_verify *v, struct mlt_error *err) MLT_MUST_USE;
// mlt_verify_record checks what an entry binds beyond its own bytes: payload, slot, details, erasures.
enum mlt_status mlt_verify_record(struct mlt_verify *v, uint64_t index, struct mlt_bytes entry,
                                  const uint8_t slot[static MLT_WRAPPED_LEN], struct mlt_bytes sealed,
                                  struct mlt_error *err) MLT_MUST_USE;
// mlt_verify_anchors checks every anchor against opt->tsa_roots; `origin` NULL: not known. verify_anchor.c
enum mlt_status mlt_verify_anchors(struct mlt_verify *v, const char *origin, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_verify_erasures(struct mlt_verify *v, struct mlt_error *err) MLT_MUST_USE;

#endif
