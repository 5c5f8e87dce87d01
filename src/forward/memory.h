// A stream in memory, for producers that would rather lose records than wait or use a disk: bounded, and honest about
// what it dropped.
#ifndef MLT_FORWARD_MEMORY_H
#define MLT_FORWARD_MEMORY_H

#include "forward/parcel.h"
#include "spool/writer.h"

#define MLT_MEMORY_BYTES_DEFAULT ((uint64_t)64 * 1024 * 1024)

// Safe from several threads.
struct mlt_memory;
enum mlt_status mlt_memory_new(struct mlt_memory **out, struct mlt_env *env, const char *serving_node,
                               uint64_t bytes_max, struct mlt_error *err) MLT_MUST_USE;
void mlt_memory_free(struct mlt_memory *m); // NULL accepted
const char *mlt_memory_stream(const struct mlt_memory *m);
// mlt_memory_put, mlt_memory_drop and mlt_memory_end are as those of a writer (spool/writer.h), without a disk.
enum mlt_status mlt_memory_put(struct mlt_memory *m, const struct mlt_spool_item *item, struct mlt_spool_put *out,
                               struct mlt_error *err) MLT_MUST_USE;
uint64_t mlt_memory_drop(struct mlt_memory *m);
enum mlt_status mlt_memory_end(struct mlt_memory *m, struct mlt_error *err) MLT_MUST_USE;

// mlt_memory_fill puts frames from number `frame` on into the parcel; mlt_memory_acked forgets those before `frame`.
void mlt_memory_fill(struct mlt_memory *m, uint64_t frame, struct mlt_parcel *p);
void mlt_memory_acked(struct mlt_memory *m, uint64_t frame);
uint64_t mlt_memory_next(struct mlt_memory *m); // number of the next frame
uint64_t mlt_memory_bytes(struct mlt_memory *m);
uint64_t mlt_memory_lost(struct mlt_memory *m);
bool mlt_memory_ended(struct mlt_memory *m);

#endif
