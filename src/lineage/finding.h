// Findings: one table of what can be wrong, and the checks that add to a story.
#ifndef MLT_LINEAGE_FINDING_H
#define MLT_LINEAGE_FINDING_H

#include "lineage/walk.h"

enum mlt_finding_id {
    // Who and what: names that lead nowhere.
    MLT_F_MODEL_VERSION_UNKNOWN,
    MLT_F_MODEL_VERSION_UNRESOLVED,
    MLT_F_MODEL_VERSION_RESOLVED,
    MLT_F_COMPONENT_UNKNOWN,
    MLT_F_TRAINING_RUN_UNKNOWN,
    MLT_F_DATASET_UNKNOWN,
    MLT_F_SERVED_UNCLEAR,
    MLT_F_SERVED_NONE,
    MLT_F_PREDICTION_AMBIGUOUS,
    MLT_F_PREDICTION_UNANSWERED,
    MLT_F_PREDICTION_UNASKED,
    MLT_F_LINEAGE_LOOP,
    MLT_F_LINEAGE_TOO_DEEP,
    MLT_F_LIST_TRUNCATED,
    // Artifact.
    MLT_F_ARTIFACT_DIFFERS_REGISTERED,
    MLT_F_ARTIFACT_DIFFERS_TRAINED,
    MLT_F_ARTIFACT_NOT_COMPARABLE,
    // Approval.
    MLT_F_APPROVAL_MISSING,
    MLT_F_APPROVAL_REJECTED,
    MLT_F_APPROVAL_AFTER_DEPLOYMENT,
    MLT_F_APPROVAL_EXPIRED,
    MLT_F_APPROVAL_REVOKED,
    MLT_F_APPROVAL_REVOKED_LATER,
    MLT_F_APPROVAL_OTHER_ARTIFACT,
    MLT_F_APPROVAL_OTHER_VERSION,
    MLT_F_APPROVAL_CLAIMED,
    MLT_F_APPROVAL_SIGNATURE_UNCHECKED,
    MLT_F_APPROVAL_SIGNATURE_INVALID,
    MLT_F_APPROVAL_STATEMENT_OTHER_TRAIL,
    MLT_F_APPROVAL_STATEMENT_DIFFERS,
    MLT_F_APPROVAL_SIGNER_NOT_ALLOWED,
    MLT_F_APPROVAL_SIGNATURE_EXPIRED,
    MLT_F_APPROVER_TRIGGERED_TRAINING,
    // Deployment.
    MLT_F_TRANSITION_MISSING,
    MLT_F_FROM_STAGE_MISMATCH,
    MLT_F_PREDICTION_OUTSIDE_PRODUCTION,
    MLT_F_IN_FORCE_DIFFERS,
    // Data.
    MLT_F_DATASET_DIGEST_DIFFERS,
    MLT_F_DATASET_DIGEST_NOT_COMPARABLE,
    MLT_F_EXCLUSIONS_NOT_STATED,
    MLT_F_DATE_RANGE_MISSING,
    MLT_F_SOURCES_EMPTY,
    // Completeness of the stream.
    MLT_F_STREAM_GAP,
    MLT_F_STREAM_REPEAT,
    MLT_F_STREAM_TAIL_MISSING,
    MLT_F_STREAM_BEYOND_FINAL,
    MLT_F_STREAM_OPEN,
    MLT_F_STREAM_UNCHECKED,
    // What the serving node signed.
    MLT_F_BATCH_MISSING,
    MLT_F_BATCH_SIGNATURE_INVALID,
    MLT_F_BATCH_SIGNER_NOT_ALLOWED,
    MLT_F_BATCH_RECORD_DIFFERS,
    MLT_F_BATCH_CHAIN_BROKEN,
    MLT_F_BATCH_UNCHECKED,
    // Time.
    MLT_F_EVENT_AFTER_RECEIPT,
    MLT_F_EVENT_LONG_BEFORE_RECEIPT,
    // Evidence.
    MLT_F_CONFLICTING_RECORDS,
    MLT_F_MEMBERS_BY_ANOTHER,
    MLT_F_EVIDENCE_MISSING,
    MLT_F_PAYLOAD_MISSING,
    MLT_F_PAYLOAD_ERASED,
    MLT_F_RECORD_CORRECTED,
    MLT_NUM_FINDINGS,
};

// A definition: what the rule is, what it means when it is broken, what to do about it.
struct mlt_finding_def {
    const char *code;
    enum mlt_severity severity;
    bool absence; // something is not there, hence no entry made it known
    const char *criteria, *effect, *action;
};
extern const struct mlt_finding_def mlt_finding_table[MLT_NUM_FINDINGS];

const char *mlt_severity_name(enum mlt_severity severity);
// mlt_finding_document writes docs/FINDINGS.md from the table.
void mlt_finding_document(struct mlt_buf *out);

#define MLT_FINDING_ENTRIES_MAX 64 // named by one finding; its text says how many there are

// The entries that a finding rests on, as they are gathered.
struct mlt_grounds {
    uint64_t entries[MLT_FINDING_ENTRIES_MAX];
    size_t num;
};
void mlt_grounds_add(struct mlt_grounds *g, uint64_t entry);                   // once each; more than fit are left out
void mlt_grounds_add_node(struct mlt_grounds *g, const struct mlt_node *node); // NULL: nothing

// mlt_finding_add adds one finding to the story; `fmt` is the condition.
enum mlt_status mlt_finding_add(struct mlt_walk *w, enum mlt_finding_id id, const struct mlt_grounds *grounds,
                                const char *fmt, ...) MLT_PRINTF(4, 5) MLT_MUST_USE;
// mlt_finding_add_resolved is the same for what the later entry `resolved_by` has put right.
enum mlt_status mlt_finding_add_resolved(struct mlt_walk *w, enum mlt_finding_id id, const struct mlt_grounds *grounds,
                                         uint64_t resolved_by, const char *fmt, ...) MLT_PRINTF(5, 6) MLT_MUST_USE;
void mlt_finding_sort(struct mlt_story *story);

// The checks, a file each. Those that take a subject are about one version in use.
enum mlt_status mlt_check_identity(struct mlt_walk *w, const struct mlt_subject *s) MLT_MUST_USE;
enum mlt_status mlt_check_artifact(struct mlt_walk *w, const struct mlt_subject *s) MLT_MUST_USE;
enum mlt_status mlt_check_approval(struct mlt_walk *w, const struct mlt_subject *s) MLT_MUST_USE;
enum mlt_status mlt_check_deployment(struct mlt_walk *w, const struct mlt_subject *s) MLT_MUST_USE;
enum mlt_status mlt_check_halves(struct mlt_walk *w) MLT_MUST_USE;
enum mlt_status mlt_check_links(struct mlt_walk *w) MLT_MUST_USE;
enum mlt_status mlt_check_data(struct mlt_walk *w) MLT_MUST_USE;
enum mlt_status mlt_check_stages(struct mlt_walk *w) MLT_MUST_USE;
enum mlt_status mlt_check_stream(struct mlt_walk *w) MLT_MUST_USE;
enum mlt_status mlt_check_batch(struct mlt_walk *w) MLT_MUST_USE;
enum mlt_status mlt_check_time(struct mlt_walk *w) MLT_MUST_USE;
enum mlt_status mlt_check_evidence(struct mlt_walk *w) MLT_MUST_USE;

// mlt_node_label names a node for people: "model.version credit/7". In the arena.
const char *mlt_node_label(const struct mlt_walk *w, const struct mlt_node *node);

#endif
