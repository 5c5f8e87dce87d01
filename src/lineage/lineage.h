// The walk from a prediction back to its sources, forward from anything, and what is wrong on the way.
//
// Reads through struct mlt_source alone. Everything lives in the caller's arena.
#ifndef MLT_LINEAGE_LINEAGE_H
#define MLT_LINEAGE_LINEAGE_H

#include "crypto/ssh_key.h"
#include "record/digest.h"
#include "record/source.h"

// One logical record: an entry, the entries that complete it, and those that contradict it. Members are looked up over
// all of them, the earliest first.
struct mlt_node {
    enum mlt_kind kind;
    uint64_t entry;         // index of the first entry
    struct mlt_part *parts; // the entries, in log order; parts[0] is `entry`
    size_t num_parts;
    size_t number;                  // position within its list of the story
    struct mlt_bytes name, version; // that a version, run or dataset was looked up by
    bool has_row;                   // of a prediction: its position in the request
    uint64_t row;
    struct mlt_signature_check *signatures; // of an approval in a story: one for each entry that carries a signature
    size_t num_signatures;
};
struct mlt_part {
    uint64_t index;
    struct mlt_entry entry;
    struct mlt_json facts;   // with the details put back
    struct mlt_json payload; // empty unless payload_state is MLT_PAYLOAD_OPEN
    struct mlt_json masked;  // names of members that are not in `payload` though it is open; empty: none
    enum mlt_payload_state payload_state;
    enum mlt_half {
        MLT_HALF_NONE,
        MLT_HALF_REQUEST,
        MLT_HALF_RESPONSE,
        MLT_HALF_EVENT // both, as told of it at another moment
    } half;            // of a prediction
    enum mlt_relation {
        MLT_REL_FIRST,
        MLT_REL_COMPLETES,
        MLT_REL_CONFLICTS,
        MLT_REL_CORROBORATES,
        MLT_REL_CORRECTS
    } relation;
};
// A member of a node: the value and the part that it comes from. json NULL: not recorded.
struct mlt_value {
    const struct mlt_json *json;
    mlt_json_at at;
    uint64_t entry;
    enum mlt_payload_state payload; // for a payload member that is not here: why
};
struct mlt_value mlt_node_get(const struct mlt_node *node, const char *member);
// mlt_part_withholds says why a payload member that the entry commits to, under the name that the entry gives it, is
// not here; MLT_PAYLOAD_OPEN: it is here, MLT_PAYLOAD_NONE: the entry knows no such member.
enum mlt_payload_state mlt_part_withholds(const struct mlt_part *part, struct mlt_bytes name);
struct mlt_bytes mlt_node_string(const struct mlt_node *node, const char *member,
                                 struct mlt_arena *arena);                      // {NULL,0}: absent or no string
struct mlt_bytes mlt_node_raw(const struct mlt_node *node, const char *member); // raw JSON; {NULL,0}: absent

// Whether the signature of an approval is good, by whom it names, at its time: what follows from the records and from
// the allowed signers in force.
struct mlt_signature_check {
    enum mlt_signature_verdict {
        MLT_SIGNATURE_GOOD,
        MLT_SIGNATURE_UNCHECKED,   // it is one, and there is nothing to hold its key against
        MLT_SIGNATURE_INVALID,     // forged, malformed, or over something else than an approval
        MLT_SIGNATURE_OTHER_TRAIL, // the statement names another origin
        MLT_SIGNATURE_DIFFERS,     // the statement and the members of the record
        MLT_SIGNATURE_NOT_ALLOWED, // the key is not one that the approver may approve with
        MLT_SIGNATURE_EXPIRED,     // it is, at another time
    } verdict;
    const char *why;                               // NULL: good
    uint64_t entry;                                // carries the signature
    uint64_t setting;                              // the allowed signers in force; UINT64_MAX: none, or not asked
    char fingerprint[MLT_SSH_FINGERPRINT_LEN + 1]; // of the key; empty: the signature could not be read
};
const char *mlt_signature_verdict_name(enum mlt_signature_verdict verdict); // "good", "unchecked", "invalid", …
// mlt_node_signed: the approver signed it, and the signature is good.
bool mlt_node_signed(const struct mlt_node *approval);

enum mlt_severity { MLT_SEV_INFO, MLT_SEV_LOW, MLT_SEV_MEDIUM, MLT_SEV_HIGH, MLT_SEV_CRITICAL };

struct mlt_finding {
    const char *code; // stable, e.g. "approval-missing"
    enum mlt_severity severity;
    const char *criteria, *effect, *action;
    char *condition; // what was found, with the values
    uint64_t *entries;
    size_t num_entries;
    uint64_t known_since; // the entry with which it became known (highest of `entries`); UINT64_MAX: an absence
    uint64_t resolved_by; // the later entry that resolved it; UINT64_MAX: open
};

// How a link was made, for the picture and the proof.
struct mlt_edge {
    const struct mlt_node *from, *to;
    const char *how; // "names", "resolved" (by the trail itself), …
};

struct mlt_node_list {
    struct mlt_node **nodes;
    size_t num;
    uint64_t total; // more than num when capped
};

// A prediction that does not name its model version, and the one that the trail says was in production there and then.
struct mlt_resolution {
    const struct mlt_node *prediction;
    struct mlt_bytes model, model_version;
    uint64_t entry;            // the transition that it rests on
    struct mlt_value artifact; // the digest that the version is registered with; json NULL: none
};

// The transition in force for a prediction, by log order and by claimed time.
struct mlt_in_force {
    const struct mlt_node *by_log, *by_time; // NULL: none
};

// Whether the served prediction is what its node signed (record/producer_batch.h).
struct mlt_batch_check {
    enum mlt_batch_verdict {
        MLT_BATCH_NONE, // the stream has no signed batches
        MLT_BATCH_GOOD,
        MLT_BATCH_MISSING,   // it has, and none of them covers the prediction
        MLT_BATCH_UNCHECKED, // nothing to hold its key against, a payload is not here, or too many were sent to find it
        MLT_BATCH_INVALID,   // not signed, forged, or over something else than its members say
        MLT_BATCH_NOT_ALLOWED, // the key is not one that the node may sign with
        MLT_BATCH_DIFFERS,     // the record is not the one that was signed
        MLT_BATCH_BROKEN,      // what was signed before is missing, or another
    } verdict;
    uint64_t entry;                                // of the batch; UINT64_MAX: none was judged
    uint64_t setting;                              // the allowed signers in force; UINT64_MAX: none, or not asked
    char fingerprint[MLT_SSH_FINGERPRINT_LEN + 1]; // of the key; empty: the signature could not be read
};
const char *mlt_batch_verdict_name(enum mlt_batch_verdict verdict); // "good", "missing", …

struct mlt_story {
    struct mlt_bytes request_id; // without the row
    bool has_row;                // only this row was asked for
    uint64_t row;
    struct mlt_node_list predictions;    // all with this request_id
    const struct mlt_node *served;       // the one that was served, NULL when it cannot be told
    struct mlt_node_list model_versions; // of the predictions, and their components
    struct mlt_node_list training_runs;
    struct mlt_node_list dataset_versions; // with the inputs behind them
    struct mlt_node_list approvals;
    struct mlt_node_list transitions;
    struct mlt_node_list
        access; // to the prediction, its model versions, its datasets, and reads of the trail about them
    struct mlt_node_list related; // decision, oversight, explanation, notice, outcome, corrections
    struct mlt_in_force in_force; // of `served`
    struct mlt_edge *edges;
    size_t num_edges;
    struct mlt_finding *findings; // sorted: severity descending, then code, then first entry
    size_t num_findings;
    // Completeness of the served prediction's stream.
    bool stream_checked;
    struct mlt_stream_run *runs;
    size_t num_runs;
    uint64_t gaps, repeats;
    struct mlt_batch_check batch;
    struct mlt_resolution *resolutions;
    size_t num_resolutions;
    struct mlt_story_tape *tapes; // for mlt_story_clear
};

#define MLT_STORY_PREDICTIONS_MAX 1000 // rows of one request
#define MLT_STORY_ACCESS_MAX 1000      // newest; `total` tells how many there are
#define MLT_STORY_DEPTH_MAX 64         // datasets behind datasets, components in components

// mlt_node_submitted_by: the person speaks for himself when he submitted one of the records, also by the name of a
// token, certificate or local user.
bool mlt_node_submitted_by(const struct mlt_node *node, struct mlt_bytes person);

// mlt_story_tell walks from a request_id, from the id that pairs the halves of a prediction (its event_id), or, when no
// prediction has it as it stands, from one row of a request, "ID#ROW". MLT_NOTFOUND: no prediction has this request_id.
enum mlt_status mlt_story_tell(const struct mlt_source *src, struct mlt_bytes request_id, struct mlt_arena *arena,
                               struct mlt_story **out, struct mlt_error *err) MLT_MUST_USE;
// mlt_story_resolution: of a prediction that does not name its version; NULL: none.
struct mlt_resolution *mlt_story_resolution(const struct mlt_story *story, const struct mlt_node *prediction);
// mlt_request_row splits "ID#ROW" at its last '#'. False: it is no such text.
bool mlt_request_row(struct mlt_bytes asked, struct mlt_bytes *request_id, uint64_t *row);
// mlt_story_clear frees what the arena does not hold (tapes).
void mlt_story_clear(struct mlt_story *story);
// mlt_story_tell_version walks from a model version instead (no prediction; `predictions` empty).
enum mlt_status mlt_story_tell_version(const struct mlt_source *src, struct mlt_bytes model, struct mlt_bytes version,
                                       struct mlt_arena *arena, struct mlt_story **out,
                                       struct mlt_error *err) MLT_MUST_USE;

// mlt_production_find finds the version of `model` that was last moved to production, in log order; with `by` (NULL:
// the end of the log) only transitions that claim no later time count. `*version` (in the arena or in what the source
// gave) is empty when there is none; `*entry` is the transition, untouched then.
enum mlt_status mlt_production_find(const struct mlt_source *src, struct mlt_bytes model, const int64_t *by,
                                    struct mlt_arena *arena, struct mlt_bytes *version, uint64_t *entry,
                                    struct mlt_error *err) MLT_MUST_USE;

// References in commands and URLs: "prediction:ID", "model:NAME/VERSION", "dataset:NAME/VERSION", "job:ID",
// "approval:REFERENCE", "table:SYSTEM/TABLE", "node:NAME", "entry:INDEX". In NAME/VERSION the last slash separates;
// percent-encoding inside the parts.
struct mlt_ref {
    enum mlt_ref_type {
        MLT_REF_PREDICTION,
        MLT_REF_MODEL_VERSION,
        MLT_REF_DATASET_VERSION,
        MLT_REF_JOB,
        MLT_REF_APPROVAL,
        MLT_REF_TABLE,
        MLT_REF_NODE,
        MLT_REF_ENTRY
    } type;
    struct mlt_bytes a, b;
    uint64_t index;
};
enum mlt_status mlt_ref_parse(struct mlt_ref *out, struct mlt_bytes text, struct mlt_arena *arena,
                              struct mlt_error *err) MLT_MUST_USE;

// mlt_forward_json writes what depends on `ref`: per kind the count and one page of entries
// {"ref":…,"depends":[{"kind":…,"via":…,"count":n,"exact":bool,"items":[…],"next":cursor|null},…],"tree_size":n}.
// `exact` is false when entries that use several of the names may be counted once for each (lists over one page only).
enum mlt_status mlt_forward_json(const struct mlt_source *src, const struct mlt_ref *ref, uint64_t from, size_t limit,
                                 struct mlt_json_writer *w, struct mlt_error *err) MLT_MUST_USE;
// mlt_backward_json writes the graph behind `ref` {"ref":…,"nodes":[…],"edges":[…],"findings":[…],"tree_size":n}.
enum mlt_status mlt_backward_json(const struct mlt_source *src, const struct mlt_ref *ref, struct mlt_json_writer *w,
                                  struct mlt_error *err) MLT_MUST_USE;

#endif
