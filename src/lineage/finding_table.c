// What can be wrong: every finding, once. docs/FINDINGS.md is this table in words.
#include "lineage/finding.h"

#define DEF(id, code, severity, absence, criteria, effect, action)                                                     \
    [id] = {code, severity, absence, criteria, effect, action}

const struct mlt_finding_def mlt_finding_table[MLT_NUM_FINDINGS] = {
    DEF(MLT_F_MODEL_VERSION_UNKNOWN, "model-version-unknown", MLT_SEV_HIGH, true,
        "A model version that is in use is registered in the trail, before it is used.",
        "Where the model came from cannot be told from this trail.",
        "Record the model.version, or find out why this version was in use without being registered."),
    DEF(MLT_F_MODEL_VERSION_UNRESOLVED, "model-version-unresolved", MLT_SEV_HIGH, true,
        "A prediction names its model and version, or its deployment and time lead to exactly one.",
        "Which model made the prediction cannot be told.",
        "Let the serving system send model and model_version, or record the transitions of the deployment."),
    DEF(MLT_F_MODEL_VERSION_RESOLVED, "model-version-resolved", MLT_SEV_INFO, false,
        "A prediction names its model version itself.",
        "The version is what the trail says was in production there and then, by claimed times; the server that "
        "answered "
        "did not say so.",
        "Let the serving system send model_version."),
    DEF(MLT_F_COMPONENT_UNKNOWN, "component-unknown", MLT_SEV_MEDIUM, true,
        "Every component and base model of a model version is registered in the trail.",
        "A part of the model has no known origin.", "Record the model.version of the component."),
    DEF(MLT_F_TRAINING_RUN_UNKNOWN, "training-run-unknown", MLT_SEV_HIGH, true,
        "The training job that a model version names has a training.run record.",
        "On what data, with which code and by whom the model was trained cannot be told.",
        "Record the training.run, or correct training_job_id of the model.version."),
    DEF(MLT_F_DATASET_UNKNOWN, "dataset-unknown", MLT_SEV_HIGH, true,
        "Every dataset version that a training run or another dataset names has a dataset.version record.",
        "The data cannot be traced to its sources.", "Record the dataset.version."),
    DEF(MLT_F_SERVED_UNCLEAR, "served-unclear", MLT_SEV_MEDIUM, false,
        "Of the predictions with one request_id, one was served: the others are shadows, challengers or failed.",
        "Which answer the caller got cannot be told.",
        "Let the serving system send deployment.variant and status with each prediction."),
    DEF(MLT_F_SERVED_NONE, "served-none", MLT_SEV_LOW, false, "Of the predictions with one request_id, one was served.",
        "All recorded predictions are shadows, challengers or failed: the request was not answered, or the answer was "
        "not "
        "recorded.",
        "Find out what the caller got."),
    DEF(MLT_F_PREDICTION_AMBIGUOUS, "prediction-ambiguous", MLT_SEV_MEDIUM, false,
        "A prediction record that leaves out model, version or deployment completes exactly one earlier record.",
        "It fits several; which of them it belongs to cannot be told, and it stands alone.",
        "Let the producer send model, model_version and deployment."),
    DEF(MLT_F_PREDICTION_UNANSWERED, "prediction-unanswered", MLT_SEV_MEDIUM, true,
        "A request that an inference logger recorded has its response in the trail too.",
        "What the model answered is not in the trail: it failed, or the logger lost the response on the way.",
        "Look at the serving system's own log for this request; mltrail reconcile requests lists all of them."),
    DEF(MLT_F_PREDICTION_UNASKED, "prediction-unasked", MLT_SEV_MEDIUM, true,
        "A response that an inference logger recorded has its request in the trail too.",
        "What the model was asked is not in the trail: the logger lost the request on the way, or logs responses only.",
        "Let the logger send requests and responses (mode all); mltrail reconcile requests lists all of them."),
    DEF(MLT_F_LINEAGE_LOOP, "lineage-loop", MLT_SEV_MEDIUM, false,
        "Datasets come from earlier datasets and models are made of earlier models, never of themselves.",
        "The records contradict each other: the origin cannot be as they say.",
        "Correct the inputs or components of one of the records."),
    DEF(MLT_F_LINEAGE_TOO_DEEP, "lineage-too-deep", MLT_SEV_MEDIUM, false, "The lineage can be walked to its end.",
        "The walk stopped at its limit; what lies behind is not in this answer.",
        "Ask for the lineage of the record where the walk ended."),
    DEF(MLT_F_LIST_TRUNCATED, "list-truncated", MLT_SEV_INFO, false, "An answer holds all records that belong to it.",
        "There are more than an answer holds; the count is exact, the list is cut.",
        "List the rest with search or the records endpoint."),

    DEF(MLT_F_ARTIFACT_DIFFERS_REGISTERED, "artifact-differs-registered", MLT_SEV_CRITICAL, false,
        "The artifact that made a prediction is the one that was registered for its model version.",
        "Something else than the registered model made the prediction.",
        "Find out what was running on the serving node, and since when."),
    DEF(MLT_F_ARTIFACT_DIFFERS_TRAINED, "artifact-differs-trained", MLT_SEV_HIGH, false,
        "The artifact that is registered is the one that the training run produced.",
        "The registered model is not what was trained: data, code and metrics of the run do not describe it.",
        "Find out what happened to the artifact between training and registration."),
    DEF(MLT_F_ARTIFACT_NOT_COMPARABLE, "artifact-not-comparable", MLT_SEV_LOW, false,
        "Digests of one artifact share an algorithm.", "Whether it is the same artifact could not be checked.",
        "Let all sources record a digest by the same algorithm."),

    DEF(MLT_F_APPROVAL_MISSING, "approval-missing", MLT_SEV_CRITICAL, true,
        "A model version in use has an approval, the one that its transition names.",
        "Nobody is on record as having approved the model.",
        "Stop using the version, or record the approval that exists elsewhere; it will show when it was recorded."),
    DEF(MLT_F_APPROVAL_REJECTED, "approval-rejected", MLT_SEV_CRITICAL, false,
        "A model version in use was not rejected.", "The model was used against the verdict of its approver.",
        "Stop using the version, or obtain a new approval."),
    DEF(MLT_F_APPROVAL_AFTER_DEPLOYMENT, "approval-after-deployment", MLT_SEV_HIGH, false,
        "The approval comes before the transition that it approves, in the log and by its claimed time.",
        "The model was deployed before it was approved, or the approval cannot be shown to be older.",
        "Find out why it was deployed without approval; record approvals when they are given."),
    DEF(MLT_F_APPROVAL_EXPIRED, "approval-expired", MLT_SEV_HIGH, false,
        "The approval is valid at the time of the prediction.", "The model was used after its approval had ended.",
        "Renew the approval or retire the version."),
    DEF(MLT_F_APPROVAL_REVOKED, "approval-revoked", MLT_SEV_CRITICAL, false,
        "The approval is not revoked at the time of the prediction.",
        "The model was used after its approval had been taken back.", "Stop using the version."),
    DEF(MLT_F_APPROVAL_REVOKED_LATER, "approval-revoked-later", MLT_SEV_INFO, false, "The approval is still in force.",
        "The prediction was covered when it was made; the approval was revoked since.",
        "Read the reason of the revocation: it may concern this prediction."),
    DEF(MLT_F_APPROVAL_OTHER_ARTIFACT, "approval-other-artifact", MLT_SEV_CRITICAL, false,
        "The artifact that was approved is the one that is registered and that made the prediction.",
        "What was approved is not what was used.",
        "Find out which artifact the approver looked at, and have the right "
        "one approved."),
    DEF(MLT_F_APPROVAL_OTHER_VERSION, "approval-other-version", MLT_SEV_HIGH, false,
        "The approval that a transition names is for the version that it moves.",
        "The transition rests on an approval for something else.",
        "Correct approval_reference of the transition, or obtain an approval for this version."),
    DEF(MLT_F_APPROVAL_CLAIMED, "approval-claimed", MLT_SEV_MEDIUM, false,
        "The approver submitted the approval, or signed it.", "Somebody else says that the approver approved.",
        "Let the approver sign (mltrail approve) or submit it."),
    DEF(MLT_F_APPROVAL_SIGNATURE_UNCHECKED, "approval-signature-unchecked", MLT_SEV_LOW, false,
        "There are allowed signers to hold the key of a signature against.",
        "The signature is good by its own key; whose key that is cannot be told, and the approver is no better known "
        "than without it.",
        "Set allowed_signers (mltrail settings set allowed_signers @FILE)."),
    DEF(MLT_F_APPROVAL_SIGNATURE_INVALID, "approval-signature-invalid", MLT_SEV_CRITICAL, false,
        "The signature of an approval is a good one over its statement, made for approvals.",
        "Nobody signed this: the signature is forged, damaged, or was made over something else.",
        "Ask the approver what was signed, and find out who submitted the record."),
    DEF(MLT_F_APPROVAL_STATEMENT_OTHER_TRAIL, "approval-statement-other-trail", MLT_SEV_CRITICAL, false,
        "The statement that the approver signed names this trail.",
        "The approval was given elsewhere and brought here: it approves nothing in this trail.",
        "Find out who submitted the record; let the approver sign for this trail if the approval was meant for it."),
    DEF(MLT_F_APPROVAL_STATEMENT_DIFFERS, "approval-statement-differs", MLT_SEV_CRITICAL, false,
        "The statement that the approver signed says what is recorded.",
        "What is recorded as approved is not what the approver signed.",
        "Read the statement, which holds; find out who submitted the record and what else was recorded under its "
        "reference."),
    DEF(MLT_F_APPROVAL_SIGNER_NOT_ALLOWED, "approval-signer-not-allowed", MLT_SEV_HIGH, false,
        "The key of a signature is one that the allowed signers give to the approver, for approvals.",
        "Somebody signed, and nothing says that it was the approver.",
        "Find out whose key it is; add it to allowed_signers if it is the approver's."),
    DEF(MLT_F_APPROVAL_SIGNATURE_EXPIRED, "approval-signature-expired", MLT_SEV_HIGH, false,
        "The key of a signature is valid for the approver when the record is received.",
        "The record came at a time when the key was not, or no longer, the approver's.",
        "Ask the approver whether the signature is theirs, and let it be made again with a key that is valid."),
    DEF(MLT_F_APPROVER_TRIGGERED_TRAINING, "approver-triggered-training", MLT_SEV_HIGH, false,
        "Whoever approves a model did not trigger its training.", "The approval is not independent.",
        "Have the version approved by somebody else."),

    DEF(MLT_F_TRANSITION_MISSING, "transition-missing", MLT_SEV_HIGH, true,
        "A model version in use has been brought into use by a recorded transition.",
        "Who deployed the model, when and why cannot be told.", "Record the transition."),
    DEF(MLT_F_FROM_STAGE_MISMATCH, "from-stage-mismatch", MLT_SEV_MEDIUM, false,
        "A transition starts from the stage where the version stands.",
        "A transition in between was not recorded, or records came out of order.",
        "Record the missing transition, or correct from_stage."),
    DEF(MLT_F_PREDICTION_OUTSIDE_PRODUCTION, "prediction-outside-production", MLT_SEV_HIGH, false,
        "A prediction is made while its version is in production at its deployment.",
        "The version served a request at a time when it was not in production there.",
        "Find out what the deployment was running; record missing transitions."),
    DEF(MLT_F_IN_FORCE_DIFFERS, "in-force-differs", MLT_SEV_MEDIUM, false,
        "The transition in force is the same by the order of the log and by claimed times.",
        "The claimed times tell another story than the order in which records arrived; only the order is proved.",
        "Find out which clock was wrong or which record came late."),

    DEF(MLT_F_DATASET_DIGEST_DIFFERS, "dataset-digest-differs", MLT_SEV_CRITICAL, false,
        "The digest of a dataset is the same where it is used and where it is recorded.",
        "What was used for training is not what is recorded as this version.",
        "Find out which data was used; give changed data a new version."),
    DEF(MLT_F_DATASET_DIGEST_NOT_COMPARABLE, "dataset-digest-not-comparable", MLT_SEV_LOW, false,
        "Digests of one dataset share an algorithm.", "Whether it is the same data could not be checked.",
        "Let all sources record a digest by the same algorithm."),
    DEF(MLT_F_EXCLUSIONS_NOT_STATED, "exclusions-not-stated", MLT_SEV_MEDIUM, true,
        "A dataset version states what was left out of it and why, if only by an empty list.",
        "Whether and why records were left out cannot be told.",
        "Record exclusions; an empty list says that there were "
        "none."),
    DEF(MLT_F_DATE_RANGE_MISSING, "date-range-missing", MLT_SEV_MEDIUM, true,
        "Every source of a dataset version states its date range; null says that it is unrestricted.",
        "From which period the data comes cannot be told.", "Record date_range of the source."),
    DEF(MLT_F_SOURCES_EMPTY, "sources-empty", MLT_SEV_MEDIUM, true,
        "A dataset version comes from source tables or from other dataset versions.",
        "The data comes from nowhere that is recorded.", "Record sources or inputs of the dataset version."),

    DEF(MLT_F_STREAM_GAP, "stream-gap", MLT_SEV_HIGH, true, "Sequence numbers of a serving stream are contiguous.",
        "Predictions of this stream were made and are not in the trail.",
        "Let the producer send what its spool still holds; find out why records are missing."),
    DEF(MLT_F_STREAM_REPEAT, "stream-repeat", MLT_SEV_MEDIUM, false,
        "A sequence number of a serving stream is used once.",
        "Two predictions have one number: a number cannot stand for one prediction, and the count does not add up.",
        "Give every serving process a stream of its own."),
    DEF(MLT_F_STREAM_TAIL_MISSING, "stream-tail-missing", MLT_SEV_HIGH, true,
        "A stream has as many predictions as its tally says.",
        "The last predictions of the stream are not in the trail.",
        "Let the producer send what its spool still holds; find out why records are missing."),
    DEF(MLT_F_STREAM_BEYOND_FINAL, "stream-beyond-final", MLT_SEV_MEDIUM, false, "A stream ends with its final tally.",
        "The tally is wrong, or predictions were added after the end.",
        "Find out what was sent after the stream was closed."),
    DEF(MLT_F_STREAM_OPEN, "stream-open", MLT_SEV_INFO, true,
        "A stream is closed by a final tally, so that missing last predictions show.",
        "Gaps inside the stream were looked for; whether its end is missing cannot be told yet.",
        "None while the serving process runs; otherwise record a final tally."),
    DEF(MLT_F_STREAM_UNCHECKED, "stream-unchecked", MLT_SEV_LOW, true,
        "A prediction has its place in the stream of its serving node.",
        "Whether predictions are missing could not be checked.",
        "Let the serving system send serving_node, stream and sequence."),

    DEF(MLT_F_BATCH_MISSING, "batch-missing", MLT_SEV_MEDIUM, true, "A node that signs what it logs signs all of it.",
        "The node has not signed this prediction, or the batch that it is in was withheld.",
        "Wait for the next batch of a running process; otherwise let the node send what its spool holds, and find out "
        "why "
        "the batch is missing."),
    DEF(MLT_F_BATCH_SIGNATURE_INVALID, "batch-signature-invalid", MLT_SEV_HIGH, false,
        "A batch carries the signature of its node over the statement that it shows.",
        "What the node signed is not what is here.", "Find out who submitted the batch; see its producer."),
    DEF(MLT_F_BATCH_SIGNER_NOT_ALLOWED, "batch-signer-not-allowed", MLT_SEV_HIGH, false,
        "A batch is signed by a key that the allowed signers name for its serving node.",
        "Somebody signed for the node who may not, or the node's key is not set.",
        "Set the key of the node among the allowed signers, or find out whose key it is."),
    DEF(MLT_F_BATCH_RECORD_DIFFERS, "batch-record-differs", MLT_SEV_CRITICAL, false,
        "A prediction is the one that its node signed.",
        "The record was changed between the node and the trail, or is not the node's.",
        "Ask the node for its record; compare with its spool."),
    DEF(MLT_F_BATCH_CHAIN_BROKEN, "batch-chain-broken", MLT_SEV_HIGH, false,
        "Each batch of a stream follows the one that its node signed before it.",
        "A batch was dropped, changed or put in between.",
        "Let the node send what its spool still holds; find out why the batch is missing."),
    DEF(MLT_F_BATCH_UNCHECKED, "batch-unchecked", MLT_SEV_LOW, false,
        "A signed batch can be checked: whose key it is, and which records it is over.",
        "That the record is what the node signed is not shown here.",
        "Set allowed_signers with the keys of the serving nodes; ask as somebody who may see payloads; where too many "
        "batches were sent, see by whom."),

    DEF(MLT_F_EVENT_AFTER_RECEIPT, "event-after-receipt", MLT_SEV_MEDIUM, false,
        "A record claims a time before it was received.",
        "The claimed time is wrong: it lies after the server had the record.", "Set the clock of the producer."),
    DEF(MLT_F_EVENT_LONG_BEFORE_RECEIPT, "event-long-before-receipt", MLT_SEV_LOW, false,
        "A record is sent within 24 hours of what it records.",
        "The claimed time rests on the producer's word: the log proves only that the record existed when it was "
        "received.",
        "Send records as things happen; for imported history, keep the original log with it."),

    DEF(MLT_F_CONFLICTING_RECORDS, "conflicting-records", MLT_SEV_HIGH, false, "Records of the same thing agree.",
        "Two records contradict each other; both stand.",
        "Find out which is right, and record a correction that says so."),
    DEF(MLT_F_MEMBERS_BY_ANOTHER, "members-by-another", MLT_SEV_MEDIUM, false,
        "What a record says is said by the producer that made it.",
        "Members that it left out were added by another producer: they are that one's word, and no signature of the "
        "first one covers them.",
        "Find out whether the other producer may speak of it; give producers tokens for the kinds and models that are "
        "theirs."),
    DEF(MLT_F_EVIDENCE_MISSING, "evidence-missing", MLT_SEV_LOW, true, "A record holds every member that is evidence.",
        "What is not recorded cannot be shown.",
        "Let the source send the members, or record them with the same identity: they complete the record."),
    DEF(MLT_F_PAYLOAD_MISSING, "payload-missing", MLT_SEV_CRITICAL, false,
        "A payload is present, or its erasure is recorded.",
        "Confidential members of the record are gone without an erasure.",
        "Restore the payload files; run mltrail verify."),
    DEF(MLT_F_PAYLOAD_ERASED, "payload-erased", MLT_SEV_INFO, false, "A record can be read in full.",
        "Confidential members were erased; the entry and its proofs stand.", "See the erasure record for its ground."),
    DEF(MLT_F_RECORD_CORRECTED, "record-corrected", MLT_SEV_INFO, false, "A record stands as it was first made.",
        "A later record corrects it; both versions are shown.", "Read both."),
};

static void line(struct mlt_buf *out, const char *label, const char *text) {
    mlt_buf_printf(out, "- *%s*: %s\n", label, text);
}

void mlt_finding_document(struct mlt_buf *out) {
    mlt_buf_put_str(out,
                    "# Findings\n\n"
                    "A finding is a contradiction or an absence that follows from the records. It is derived, never "
                    "stored: the same trail at\nthe same size gives the same findings. Each names the entries that "
                    "it rests on, what was found (`condition`), the entry\nwith which it became known (none for an "
                    "absence) and the later entry that resolved it, if any. Codes are stable.\n\n"
                    "This page is made from `src/lineage/finding_table.c`; a test compares them.\n\n"
                    "| code | severity | what the rule is |\n|---|---|---|\n");
    for (size_t i = 0; i < MLT_NUM_FINDINGS; i++) {
        const struct mlt_finding_def *def = &mlt_finding_table[i];
        mlt_buf_printf(out, "| [`%s`](#%s) | %s | %s |\n", def->code, def->code, mlt_severity_name(def->severity),
                       def->criteria);
    }
    for (size_t i = 0; i < MLT_NUM_FINDINGS; i++) {
        const struct mlt_finding_def *def = &mlt_finding_table[i];
        mlt_buf_printf(out, "\n## %s\n\n", def->code);
        line(out, "severity", mlt_severity_name(def->severity));
        line(out, "criteria", def->criteria);
        line(out, "effect", def->effect);
        line(out, "action", def->action);
    }
}
