// What the files of the monitor share.
//
// monitor.c           the round
// monitor_state.c     what is remembered, as a file
// monitor_alarm.c     alarms and their evidence
// monitor_sample.c    bundles seen before, read again
// monitor_entry.c     what is read of each new entry
// monitor_stream.c    sequence numbers of predictions
// monitor_segment.c   what the log commits to about segments
// monitor_finding.c   findings about model versions
#ifndef MLT_MONITOR_PRIVATE_H
#define MLT_MONITOR_PRIVATE_H

#include "monitor/monitor.h"
#include "trail/meta.h"

#define MLT_MONITOR_PATH_MAX 1200
#define MLT_MONITOR_STATE_LEN_MAX ((size_t)64 << 20)
#define MLT_MONITOR_STREAMS_MAX 65536 // nodes times their restarts; further ones are not followed
#define MLT_MONITOR_GAPS_MAX 8        // open at a time in one stream; further ones are one with the last
#define MLT_MONITOR_TOLD_MAX 4096     // alarms remembered as told; beyond, the oldest may be told again

// A serving stream: the next number expected, and the numbers passed over. Records of one stream may come in another
// order, so that a gap is one only when it is still there a round later.
struct mlt_monitor_gap {
    uint64_t from, to; // [from, to)
    uint64_t entry;    // the one that came after it
    uint64_t round;    // in which it was seen first
    bool told;
};
struct mlt_monitor_stream {
    uint8_t hash[MLT_HASH_LEN]; // of node and stream, as a link has it
    uint64_t next;
    size_t num_gaps;
    struct mlt_monitor_gap gap[MLT_MONITOR_GAPS_MAX];
};

// A file of sorted links: those of entries [first, end).
struct mlt_monitor_run {
    uint64_t id, first, end, num;
};
#define MLT_MONITOR_RUNS_MAX 256 // merged at a time within 10 MiB (segment/stream.h)

// Remembered from one round to the next. Plain data, copied at the beginning of a round and put back when it fails.
struct mlt_monitor_state {
    struct mlt_buf note; // the checkpoint accepted last, as signed; empty: none yet
    struct mlt_checkpoint head;
    struct mlt_mirror_tree tree;
    uint64_t round;
    int64_t received;       // of the last entry
    int64_t grown;          // our clock, when the log had grown last
    uint64_t segments;      // commitments found right
    uint64_t segment_end;   // entries below were committed to
    uint64_t links_from;    // the links of entries below were let go
    uint64_t links_round;   // which file has the links that are in no run
    uint64_t pending_from;  // of entries from here on
    uint64_t next_run;      // id of the next run
    struct mlt_buf runs;    // struct mlt_monitor_run
    uint64_t governance;    // bytes of its file
    struct mlt_buf streams; // struct mlt_monitor_stream, in order of their hashes
    struct mlt_buf told;    // SHA-256 of alarms told
};
void mlt_monitor_state_clear(struct mlt_monitor_state *s);
bool mlt_monitor_state_copy(struct mlt_monitor_state *to, const struct mlt_monitor_state *from); // false: no memory
void mlt_monitor_state_format(struct mlt_buf *out, const struct mlt_monitor_state *s);
// MLT_CORRUPT: not such a state, or damaged; `out` is cleared.
enum mlt_status mlt_monitor_state_parse(struct mlt_monitor_state *out, struct mlt_bytes text,
                                        struct mlt_error *err) MLT_MUST_USE;

struct mlt_monitor {
    struct mlt_monitor_options opt;
    struct mlt_monitor_state state; // as of the last round that was good
    struct mlt_monitor_state next;  // of this round
    struct mlt_mirror mirror;
    struct mlt_mirror_dir dir;
    struct mlt_file *lock;
    struct mlt_buf served; // the checkpoint of this round
    struct mlt_checkpoint head;
    struct mlt_monitor_round *round;
    struct mlt_meta *meta;  // trail.json, once a change of keys was followed; its chain leads from the key asked for
    uint64_t tree_alarms;   // of this round, those after which nothing is remembered
    struct mlt_arena arena; // of one entry
    struct mlt_entry entry;
    struct mlt_monitor_findings *findings;
    struct mlt_monitor_segments *segments;
};

// mlt_monitor_alarm raises one: counted, its evidence written, told unless it was before. MLT_IO, …: the evidence could
// not be written.
enum mlt_status mlt_monitor_alarm(struct mlt_monitor *m, struct mlt_alarm *alarm, struct mlt_error *err,
                                  const char *fmt, ...) MLT_PRINTF(4, 5) MLT_MUST_USE;

// mlt_monitor_read_again reads a few bundles again that were seen before.
enum mlt_status mlt_monitor_read_again(struct mlt_monitor *m, struct mlt_error *err) MLT_MUST_USE;
// mlt_monitor_read_entry looks at one new entry.
enum mlt_status mlt_monitor_read_entry(struct mlt_monitor *m, uint64_t index, struct mlt_bytes bytes,
                                       struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_monitor_read_sequence(struct mlt_monitor *m, uint64_t index, const struct mlt_entry *e,
                                          struct mlt_error *err) MLT_MUST_USE;
// Links, and the commitments to them: `<state>/links-<round>` has the links that are in no run under `<state>/links`.
enum mlt_status mlt_monitor_segments_open(struct mlt_monitor *m, struct mlt_error *err) MLT_MUST_USE;
void mlt_monitor_segments_close(struct mlt_monitor *m);
enum mlt_status mlt_monitor_read_links(struct mlt_monitor *m, uint64_t index, const struct mlt_entry *e,
                                       struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_monitor_segments_save(struct mlt_monitor *m,
                                          struct mlt_error *err) MLT_MUST_USE; // before the state
void mlt_monitor_segments_saved(struct mlt_monitor *m, uint64_t round_before); // and after it
enum mlt_status mlt_monitor_segments_revert(struct mlt_monitor *m, struct mlt_error *err) MLT_MUST_USE;

// Findings: `<state>/governance` has the entries that model versions, their data, approvals and transitions are told
// from; appended to, cut to what the state says.
enum mlt_status mlt_monitor_findings_open(struct mlt_monitor *m, struct mlt_error *err) MLT_MUST_USE;
void mlt_monitor_findings_close(struct mlt_monitor *m);
enum mlt_status mlt_monitor_read_governance(struct mlt_monitor *m, uint64_t index, const struct mlt_entry *e,
                                            struct mlt_bytes bytes, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_monitor_tell_findings(struct mlt_monitor *m, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_monitor_findings_save(struct mlt_monitor *m, struct mlt_error *err) MLT_MUST_USE;
void mlt_monitor_findings_revert(struct mlt_monitor *m);

// mlt_monitor_tell_gaps raises what has stayed open since an earlier round.
enum mlt_status mlt_monitor_tell_gaps(struct mlt_monitor *m, struct mlt_error *err) MLT_MUST_USE;

#endif
