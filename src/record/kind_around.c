// Member tables of the kinds around a prediction: what was decided, who looked at it, what was said, what came of it;
// and corrections, tallies, and messages of other systems.
#include "record/kind_tables.h"

// clang-format off
#define MEMBER_REQUEST_ID(flags) MEMBER("request_id", STRING, flags, "the prediction that it is about")
#define MEMBER_REQUEST_IDS(flags) MEMBER("request_ids", STRINGS, flags, "the predictions that it is about")
#define MEMBER_CASE_ID MEMBER("case_id", STRING, 0, "the case, application or claim; must be opaque")

static const char *const ROLE_OF_AI[] = {"sole", "main", "one-factor", "advice", NULL};
const struct mlt_member mlt_members_decision[] = {
    MEMBER("result", ANY, REQ | PAY, "what was decided"),
    MEMBER_REQUEST_IDS(EVI),
    MEMBER_TIMESTAMP,
    MEMBER("adverse", BOOL, EVI, "whether it went against the person"),
    MEMBER_ENUM("role_of_ai", EVI, ROLE_OF_AI, "how much the prediction weighed"),
    MEMBER("decider", STRING, EVI, "the person or rule that decided"),
    MEMBER_REQUEST_ID(0),
    MEMBER_CASE_ID,
    MEMBER("rule", STRING, 0, "the rule that was applied"),
    MEMBER("policy_version", STRING, 0, "version of the rules"),
    MEMBER("use_case", STRING, 0, "what for"),
    MEMBER("jurisdiction", STRING, 0, "which law applies"),
    MEMBER("subject", STRING, PAY, "whom it is about"),
    MEMBER("reason", ANY, PAY, "why"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

static const char *const REVIEW[] = {"agree", "override", "escalate", "stop", NULL};
const struct mlt_member mlt_members_oversight[] = {
    MEMBER_ENUM("verdict", REQ, REVIEW, "what the reviewer did"),
    MEMBER_REQUEST_IDS(EVI),
    MEMBER_TIMESTAMP,
    MEMBER("reviewer", STRING, EVI, "who reviewed"),
    MEMBER("reason", STRING, EVI | PAY, "why"),
    MEMBER_REQUEST_ID(0),
    MEMBER_CASE_ID,
    MEMBER("competence", STRING, 0, "what qualifies the reviewer, or where that is on record"),
    MEMBER("authority", STRING, 0, "what the reviewer may do"),
    MEMBER("opened_at", TIME, 0, "when the reviewer began to look"),
    MEMBER("closed_at", TIME, 0, "when the reviewer was done"),
    MEMBER("shown", ANY, PAY, "what the reviewer saw"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

const struct mlt_member mlt_members_explanation[] = {
    MEMBER_REQUEST_ID(REQ),
    MEMBER("factors", ARRAY, REQ | PAY, "what weighed, each with rank and direction"),
    MEMBER_TIMESTAMP,
    MEMBER("method", STRING, EVI, "how the factors were computed"),
    MEMBER("method_version", STRING, EVI, "version of the method"),
    MEMBER_REQUEST_IDS(0),
    MEMBER("counterfactual", ANY, PAY, "what would have changed the result"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

const struct mlt_member mlt_members_notice[] = {
    MEMBER("notice_type", STRING, REQ, "such as `adverse-action` or `ai-use`"),
    MEMBER_REQUEST_IDS(EVI),
    MEMBER_TIMESTAMP,
    MEMBER("sent_at", TIME, EVI, "when it was sent"),
    MEMBER("channel", STRING, EVI, "how"),
    MEMBER("template_version", STRING, EVI, "version of the text"),
    MEMBER("deadline", TIME, 0, "until when it had to be sent"),
    MEMBER_REQUEST_ID(0),
    MEMBER_CASE_ID,
    MEMBER("recipient", STRING, PAY, "to whom"),
    MEMBER("reasons", ARRAY, PAY, "the reasons that were given"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

const struct mlt_member mlt_members_outcome[] = {
    MEMBER_REQUEST_ID(REQ),
    MEMBER("value", ANY, REQ | PAY, "what happened"),
    MEMBER_TIMESTAMP,
    MEMBER("observed_at", TIME, EVI, "when it was known"),
    MEMBER("outcome_source", STRING, EVI, "where it is known from"),
    MEMBER_REQUEST_IDS(0),
    MEMBER_CASE_ID,
    MEMBERS_COMMON,
    MEMBERS_END,
};

const struct mlt_member mlt_members_correction[] = {
    MEMBER("corrects", STRING_OR_OBJECT, REQ, "the record that is wrong: its id, or `{\"entry\": index}`"),
    MEMBER("members", OBJECT, REQ | PAY, "the members as they should read"),
    MEMBER_TIMESTAMP,
    MEMBER("reason", STRING, EVI, "why"),
    MEMBER("corrected_by", STRING, EVI, "who corrects"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

const struct mlt_member mlt_members_capture[] = {
    MEMBER("format", STRING, REQ, "what the message is: `openlineage`, `mlflow-webhook`, `cloudevents`, …"),
    MEMBER("correlation", STRING, EVI, "what ties messages of this format together, such as the id of a run"),
    MEMBER_TIMESTAMP,
    MEMBER("digest", DIGEST, 0, "of the message, byte by byte as it was received"),
    MEMBER("message", ANY, EVI | PAY, "the message: its JSON, or a string of base64 when it is no JSON"),
    MEMBER("content_type", STRING, 0, "of the message, as its sender names it"),
    MEMBER("derived", STRINGS, 0, "what was made of it, as references: `job:ID`, `dataset:NAME/VERSION`, …"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

static const struct mlt_member SCOPE[] = {
    MEMBER("serving_node", STRING, 0, "one node"),
    MEMBER("stream", STRING, 0, "one of its streams; not given: the unnamed one"),
    MEMBER("model", STRING, 0, "one model"),
    MEMBERS_END,
};
const struct mlt_member mlt_members_tally[] = {
    MEMBER("source", STRING, REQ, "who counted"),
    MEMBER("counted", STRING, REQ, "the kind of record that was counted"),
    MEMBER("from", TIME, REQ, "from when"),
    MEMBER("to", TIME, REQ, "until when"),
    MEMBER("count", COUNT, REQ, "how many; for a stream, since its start"),
    MEMBER_OF("scope", STRUCT, 0, SCOPE, "of what; not given: all"),
    MEMBER("final", BOOL, 0, "nothing follows: the stream has ended"),
    MEMBER("lost", COUNT, 0, "how many numbers of the stream were taken and dropped before they could be sent"),
    MEMBER("recovered", BOOL, 0, "another process counted what a process that died had left behind"),
    MEMBER_TIMESTAMP,
    MEMBERS_COMMON,
    MEMBERS_END,
};

const struct mlt_member mlt_members_batch[] = {
    MEMBER("serving_node", STRING, REQ, "the node that signs"),
    MEMBER("stream", STRING, REQ, "the stream that its predictions are in"),
    MEMBER("first", COUNT, REQ, "sequence number of the first prediction of the batch"),
    MEMBER("last", COUNT, REQ, "and of the last one"),
    MEMBER("count", COUNT, REQ, "how many there are: all numbers from the first to the last"),
    MEMBER("root", DIGEST, REQ, "tree hash (RFC 6962) over the leaves"),
    MEMBER("previous", DIGEST, 0, "digest of the statement before; not given: the first of the stream"),
    MEMBER("statement", STRING, REQ, "what was signed, verbatim"),
    MEMBER("signature", STRING, EVI, "its SSH signature (SSHSIG, armored), in the namespace `batch@mltrail`"),
    MEMBER("key", STRING, 0, "the public key of the signer"),
    MEMBER("nonce", STRING, EVI | PAY, "64 hexadecimal digits that the leaves were hashed with"),
    MEMBER("leaves", STRINGS, EVI | PAY, "hash of each prediction with the nonce, hexadecimal, in order"),
    MEMBER_TIMESTAMP,
    MEMBERS_COMMON,
    MEMBERS_END,
};
