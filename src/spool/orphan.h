// What a process left in a spool when it died, taken over by whoever opens the directory (docs/FORMAT.md, "Spool").
#ifndef MLT_SPOOL_ORPHAN_H
#define MLT_SPOOL_ORPHAN_H

#include "spool/reader.h"

#define MLT_ORPHAN_DAMAGE_MAX 256 // kept of one stream; further ones are counted

struct mlt_orphan {
    struct mlt_env *env;
    char *dir;
    char stream[MLT_SPOOL_STREAM_LEN];
    struct mlt_file *lock_file;
    struct mlt_spool_header header;  // of the last segment that has one
    struct mlt_spool_place at;       // what the server has
    struct mlt_spool_place until;    // for mlt_spool_read
    struct mlt_spool_place end;      // behind the last good frame: where the owed tally goes
    uint64_t count, lost;            // highest prediction number, and numbers that no readable frame has
    bool finished;                   // the last frame is the final tally
    bool ack_beyond;                 // .ack leads behind the end of the last segment
    uint64_t torn;                   // bytes of a torn tail
    uint64_t bytes;                  // of its segments
    struct mlt_spool_damage *damage; // MLT_ORPHAN_DAMAGE_MAX
    size_t num_damage;               // may exceed it
};

// mlt_orphan_find takes over the next stream of the directory whose writer is gone, in order of their names after
// `after` ("": from the first). `*out` NULL: there is none. A directory that is not there has none.
enum mlt_status mlt_orphan_find(struct mlt_orphan **out, struct mlt_env *env, const char *dir, const char *after,
                                struct mlt_error *err) MLT_MUST_USE;
// mlt_orphan_owe appends the tally that the writer owes, if it does, and makes it durable. To be called once, before
// the rest is sent.
enum mlt_status mlt_orphan_owe(struct mlt_orphan *o, struct mlt_error *err) MLT_MUST_USE;
// mlt_orphan_acked notes that everything before `place` is at the server.
enum mlt_status mlt_orphan_acked(struct mlt_orphan *o, const struct mlt_spool_place *place,
                                 struct mlt_error *err) MLT_MUST_USE;
// mlt_orphan_damaged notes damage that reading came upon: the segment is kept under another name.
void mlt_orphan_damaged(struct mlt_orphan *o, const struct mlt_spool_damage *damage);
// mlt_orphan_remove ends a stream that is at the server to its end: its files go, damaged ones stay under another name.
void mlt_orphan_remove(struct mlt_orphan *o);
// mlt_orphan_free gives it back to whoever comes next. NULL accepted.
void mlt_orphan_free(struct mlt_orphan *o);
// mlt_orphan_forget is for the child of a fork: it closes the lock and leaves all else.
void mlt_orphan_forget(struct mlt_orphan *o);

// mlt_orphan_survey finds out what env, dir and stream are a stream of, without changing anything; taking over does it.
// MLT_NOTFOUND: it has nothing, not even damage.
enum mlt_status mlt_orphan_survey(struct mlt_orphan *o, struct mlt_error *err) MLT_MUST_USE;

#endif
