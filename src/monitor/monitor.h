// The monitor: follows a log from afar, remembers what it saw, and says when what it sees now cannot be.
//
// A round fetches the checkpoint and holds it against the one remembered: signature and policy, size, consistency (a
// proof computed from the tiles). It fetches what is new, hashes it, compares every tile and the root, reads the
// entries, and then remembers. Whatever does not fit is an alarm with its evidence under <state>/alarms/; a checkpoint
// that raised one of those that speak of the tree is never remembered.
#ifndef MLT_MONITOR_MONITOR_H
#define MLT_MONITOR_MONITOR_H

#include "base/env.h"
#include "lineage/lineage.h"
#include "monitor/mirror.h"
#include "note/policy.h"

enum mlt_alarm_kind {
    MLT_ALARM_SIGNATURE, // the checkpoint is none, or not signed as the key or the policy asks
    MLT_ALARM_ROLLBACK,  // smaller than what was signed before
    MLT_ALARM_FORK,      // does not extend what was signed before
    MLT_ALARM_ENTRIES,   // the entries served are not those that the tree was signed over
    MLT_ALARM_TILE,      // a tile is not that of the entries
    MLT_ALARM_MIRROR,    // a file of our own mirror differs from what is served now
    MLT_ALARM_FORMAT,    // an entry is none (FORMAT.md, Entries)
    MLT_ALARM_RECEIVED,  // `received` goes back
    MLT_ALARM_SEGMENT,   // what the log says about a segment is not so
    MLT_ALARM_STALE,     // nothing new for too long
    MLT_ALARM_FINDING,   // a finding of the wanted severity that was not there before
    MLT_NUM_ALARMS,
};
const char *mlt_alarm_name(enum mlt_alarm_kind kind); // "rollback", …: stable

#define MLT_ALARM_TEXT_LEN 1024

struct mlt_alarm {
    enum mlt_alarm_kind kind;
    char text[MLT_ALARM_TEXT_LEN];
    bool has_index;
    uint64_t index;                // the entry
    struct mlt_bytes before;       // the checkpoint remembered, as signed; len 0: none yet
    struct mlt_bytes now;          // the one served
    const struct mlt_proof *proof; // the consistency proof that does not hold; NULL: none
    struct mlt_bytes bytes;        // what was served otherwise: an entry; len 0: none
    char path[MLT_TILE_PATH_MAX];  // of the tile or bundle; "": none
};

enum mlt_findings_wanted { MLT_FINDINGS_NONE, MLT_FINDINGS_HIGH, MLT_FINDINGS_ALL };

struct mlt_monitor_options {
    struct mlt_env *env;
    struct mlt_mirror_fetch fetch;
    const char *state_dir;
    const char *mirror_dir;          // NULL: none is kept
    const struct mlt_vkey *key;      // NULL: the policy has the log's key
    const struct mlt_policy *policy; // NULL: the key's signature suffices
    int64_t max_age_ns;              // 0: never stale
    enum mlt_findings_wanted findings;
    unsigned num_again; // bundles seen before that are read again in each round
    bool raw;           // entries are not records
    // alarm is told of each alarm once; `evidence` is its directory. Raised again, in a later round, it is counted
    // only.
    void (*alarm)(void *arg, const struct mlt_alarm *alarm, const char *evidence);
    void *alarm_arg;
    void (*progress)(void *arg, uint64_t done, uint64_t total);
    void *progress_arg;
    bool (*go_on)(void *arg); // NULL: always. False ends a round between two bundles; nothing of it is remembered
    void *go_on_arg;
};

struct mlt_monitor_round {
    uint64_t size, size_before;
    uint8_t root[MLT_HASH_LEN];
    uint64_t num_new;       // entries read
    uint64_t num_segments;  // commitments recomputed and found right
    uint64_t num_unchecked; // commitments over entries whose links were let go
    uint64_t num_untold;    // model versions whose story could not be told from entries alone, or for want of room
    uint64_t num_alarms;    // raised in this round, those told before included
};

struct mlt_monitor;
// mlt_monitor_open reads the state. MLT_CORRUPT: it is damaged. MLT_CONFLICT: it is of another log, or somebody else
// monitors with it.
enum mlt_status mlt_monitor_open(struct mlt_monitor **out, const struct mlt_monitor_options *opt,
                                 struct mlt_error *err) MLT_MUST_USE;
// mlt_monitor_step makes one round. Status: could it be made? What was seen is in `out`.
enum mlt_status mlt_monitor_step(struct mlt_monitor *m, struct mlt_monitor_round *out,
                                 struct mlt_error *err) MLT_MUST_USE;
void mlt_monitor_close(struct mlt_monitor *m);

#endif
