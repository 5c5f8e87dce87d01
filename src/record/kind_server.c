// Member tables of the kinds that only the server writes, and of those that users name themselves.
#include "record/kind_tables.h"

// clang-format off
static const struct mlt_member SOURCE[] = {
    MEMBER("address", STRING, 0, "network address"),
    MEMBER("host", STRING, 0, "host name"),
    MEMBER("user_agent", STRING, 0, "program"),
    MEMBERS_END,
};
const struct mlt_member mlt_members_control[] = {
    MEMBER("control", STRING, REQ, "`setting`, `logging-started`, `logging-stopped`, `clock-step`, `key-rotated`, `kek-rotated`, `recovered`, "
                                   "`rejected-input`, `forward-lost`, `damage`, `scrub`, `segment`, `denied-window`, `read-window` and "
                                   "others"),
    MEMBER_TIMESTAMP,
    MEMBER("name", STRING, 0, "of the setting, key or file"),
    MEMBER("value", ANY, 0, "of the setting, or what was found"),
    MEMBER("reason", STRING, 0, "why"),
    MEMBER("set_by", STRING, 0, "who changed it"),
    MEMBER("code", STRING, 0, "of the problem"),
    MEMBER("pointer", STRING, PAY, "to the member of the input that was wrong"),
    MEMBER("detail", STRING, PAY, "what was wrong with it"),
    MEMBER("line", COUNT, 0, "of the input"),
    MEMBER("count", COUNT, 0, "how often"),
    MEMBER("bytes", COUNT, 0, "length of the whole input"),
    MEMBER("from", TIME, 0, "since when"),
    MEMBER("to", TIME, 0, "until when"),
    MEMBER("entries", ARRAY, 0, "which entries are concerned"),
    MEMBER("first", COUNT, 0, "`segment`: the first entry whose links it commits to"),
    MEMBER("end", COUNT, 0, "`segment`: the entry after the last one"),
    MEMBER("links", COUNT, 0, "`segment`: how many links these entries have"),
    MEMBER("root", STRING, 0, "`segment`: root of the tree of these links, in hexadecimal"),
    MEMBER("input", STRING, PAY, "the beginning of the input that was rejected"),
    MEMBER("input_encoding", STRING, 0, "`base64` when the input was no text"),
    MEMBER("principal", STRING, PAY, "who tried"),
    MEMBER("principals", ANY, PAY, "who tried, several"),
    MEMBER_OF("source", STRUCT, PAY, SOURCE, "from where"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

static const char *const SEVERITY[] = {"info", "low", "medium", "high", "critical", NULL};
const struct mlt_member mlt_members_alert[] = {
    MEMBER("detection", STRING, REQ, "the rule that raised it"),
    MEMBER_ENUM("severity", REQ, SEVERITY, "how bad"),
    MEMBER_TIMESTAMP,
    MEMBER("from", TIME, 0, "beginning of what was seen"),
    MEMBER("to", TIME, 0, "end of what was seen"),
    MEMBER("count", COUNT, 0, "how many accesses"),
    MEMBER("entries", ARRAY, 0, "which entries"),
    MEMBER("principal", STRING, PAY, "whose access it was"),
    MEMBER("explanation", ANY, PAY, "what was usual, what was seen"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

const struct mlt_member mlt_members_export[] = {
    MEMBER("performed_by", STRING, REQ, "who exported"),
    MEMBER_TIMESTAMP,
    MEMBER("format", STRING, 0, "of what left"),
    MEMBER("hash", DIGEST, 0, "digest of what left"),
    MEMBER("count", COUNT, 0, "how many entries"),
    MEMBER("bytes", COUNT, 0, "how much"),
    MEMBER("entries", ARRAY, 0, "which entries"),
    MEMBER("purpose", STRING, 0, "what for"),
    MEMBER("recipient", STRING, PAY, "for whom"),
    MEMBER("query", ANY, PAY, "what was asked"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

const struct mlt_member mlt_members_erasure[] = {
    MEMBER("entries", ARRAY, REQ, "whose payloads are destroyed"),
    MEMBER("ground", STRING, REQ, "why they may be: the clause, request or expiry"),
    MEMBER("requested_by", STRING, REQ, "the first principal"),
    MEMBER("approved_by", STRING, REQ, "the second principal"),
    MEMBER_TIMESTAMP,
    MEMBER("reason", STRING, 0, "more about it"),
    MEMBER("subject", STRING, PAY, "whose data it was"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

static const char *const HOLD[] = {"placed", "released", NULL};
const struct mlt_member mlt_members_hold[] = {
    MEMBER("hold", STRING, REQ, "identifies the hold"),
    MEMBER_ENUM("action", REQ, HOLD, "whether it begins or ends"),
    MEMBER("performed_by", STRING, REQ, "who placed or released it"),
    MEMBER_TIMESTAMP,
    MEMBER("scope", ANY, 0, "what may not be erased"),
    MEMBER("entries", ARRAY, 0, "which entries"),
    MEMBER("reason", STRING, 0, "why"),
    MEMBER("subject", STRING, PAY, "whose data is held"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

const struct mlt_member mlt_members_anchor[] = {
    MEMBER("anchor", STRING, REQ, "`rfc3161`: a time-stamp token over a checkpoint"),
    MEMBER("tree_size", COUNT, REQ, "the tree that was anchored"),
    MEMBER("root", STRING, REQ, "its root hash, in hexadecimal"),
    MEMBER_TIMESTAMP,
    MEMBER("checkpoint", STRING, 0, "the published checkpoint that was stamped, verbatim, with its cosignatures"),
    MEMBER("imprint", DIGEST, 0, "of that checkpoint: what the token is for"),
    MEMBER("url", STRING, 0, "the service that was asked"),
    MEMBER("authority", STRING, 0, "who attests: the name in the certificate that signed"),
    MEMBER("gen_time", TIME, 0, "when, as the authority says"),
    MEMBER("accuracy_ns", COUNT, 0, "how exact it says that is, in nanoseconds"),
    MEMBER("serial", STRING, 0, "of the token, in hexadecimal"),
    MEMBER("policy", STRING, 0, "under which it was issued: an object identifier"),
    MEMBER("token", STRING, 0, "the token (DER), in base64"),
    MEMBER("token_hash", DIGEST, 0, "digest of the token"),
    MEMBER("roots", DIGEST, 0, "of the file of trusted certificates that the server checked the token with; absent: "
                               "it did not"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

const struct mlt_member mlt_members_custom[] = {
    MEMBER_TIMESTAMP,
    MEMBER("public", STRINGS, 0, "names of the members that are facts; all others are payload"),
    MEMBERS_COMMON,
    MEMBERS_END,
};
