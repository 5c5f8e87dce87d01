// Policies (C2SP tlog-policy): which logs a verifier accepts, which witnesses it knows, and how many of them must have
// cosigned a checkpoint.
#ifndef MLT_NOTE_POLICY_H
#define MLT_NOTE_POLICY_H

#include "note/checkpoint.h"

// The specification asks for at least 32 of each. A note has room for MLT_NOTE_SIGNATURES_MAX signatures, so a quorum
// over many more witnesses could never be met.
#define MLT_POLICY_LOGS_MAX 64
#define MLT_POLICY_WITNESSES_MAX 64
#define MLT_POLICY_GROUPS_MAX 64
#define MLT_POLICY_TEXT_MAX 262144 // 256 KiB: every line at its longest key, a name and a URL of 1 KiB
#define MLT_POLICY_NAME_MAX MLT_NOTE_NAME_MAX
#define MLT_POLICY_NO_GROUP (-1)

struct mlt_policy_log {
    struct mlt_vkey vkey; // MLT_KEY_ED25519; its name is the origin
    struct mlt_bytes url; // as written; len 0: none
};
struct mlt_policy_witness {
    struct mlt_bytes name; // within the policy; the name on signature lines is vkey.name
    struct mlt_vkey vkey;  // MLT_KEY_COSIGNATURE_V1
    struct mlt_bytes url;
    int group; // the group that it is a member of, or MLT_POLICY_NO_GROUP
};
struct mlt_policy_group {
    struct mlt_bytes name;
    size_t threshold; // 1..num_members
    size_t num_members;
    int group; // the group that it is a member of itself, always a later one
};
enum mlt_policy_quorum { MLT_QUORUM_NONE, MLT_QUORUM_WITNESS, MLT_QUORUM_GROUP };

// All slices are copies in `arena`. Zero is a valid empty state for clear only: no policy accepts by default.
struct mlt_policy {
    struct mlt_arena arena;
    struct mlt_policy_log *logs;
    size_t num_logs;
    struct mlt_policy_witness *witnesses;
    size_t num_witnesses;
    struct mlt_policy_group *groups; // members are defined before the groups that they are in
    size_t num_groups;
    enum mlt_policy_quorum quorum;
    size_t quorum_idx; // into witnesses or groups
};

// mlt_policy_parse copies what it keeps of `text`. MLT_INVALID: the error names the line and what would be right. Also
// refused: one underlying key on two lines, be they of logs or of witnesses (a log that is its own witness adds
// nothing).
enum mlt_status mlt_policy_parse(struct mlt_policy *out, struct mlt_bytes text, struct mlt_error *err) MLT_MUST_USE;
void mlt_policy_clear(struct mlt_policy *policy); // NULL and zero accepted
// mlt_policy_check is the invariant of a parsed policy.
bool mlt_policy_check(const struct mlt_policy *policy);

// A verdict on a signed checkpoint, and what it rests on.
#define MLT_POLICY_WHY_LEN 256
enum mlt_policy_reason { // the rungs of the ladder, in order
    MLT_POLICY_UNJUDGED = 0,
    MLT_POLICY_NO_LOG,          // no log key was accepted at all
    MLT_POLICY_OTHER_ORIGIN,    // none of the accepted ones is of this origin
    MLT_POLICY_BAD_SIGNATURE,   // a signature line of the log's key does not verify
    MLT_POLICY_UNSIGNED,        // no signature line of the log's key
    MLT_POLICY_BAD_COSIGNATURE, // a signature line of a witness's key does not verify
    MLT_POLICY_NO_QUORUM,
    MLT_POLICY_HOLDS,
};
struct mlt_policy_verdict {
    bool holds; // reason == MLT_POLICY_HOLDS
    enum mlt_policy_reason reason;
    char why[MLT_POLICY_WHY_LEN]; // when false: one sentence without a full stop; otherwise empty
    struct mlt_checkpoint checkpoint;
    const struct mlt_vkey *log_key; // of the policy or the caller; NULL: no good signature by a log key
    size_t num_witnesses;           // n, those of the policy
    size_t num_cosigned;            // k of them
    bool cosigned[MLT_POLICY_WITNESSES_MAX];
    uint64_t time[MLT_POLICY_WITNESSES_MAX]; // seconds since 1970; 0 where cosigned is false
    uint64_t earliest;                       // of these times; both 0 when nobody cosigned
    uint64_t latest;
};

// mlt_policy_judge holds a parsed note against the policy. The ladder: the note has a good signature by an accepted log
// key whose name is the origin; no signature under an accepted log key or a witness key of the policy is bad; those who
// cosigned make up the quorum. `log_key` (may be NULL) is one more log key, for policies that leave the log to their
// context. Times are reported, not judged.
//
// MLT_INVALID: the text is not a checkpoint. MLT_NOMEM: not every signature could be checked. `out->holds` is false.
enum mlt_status mlt_policy_judge(struct mlt_policy_verdict *out, const struct mlt_policy *policy,
                                 const struct mlt_vkey *log_key, const struct mlt_note *note,
                                 struct mlt_error *err) MLT_MUST_USE;

#endif
