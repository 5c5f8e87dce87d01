// What bundles and extracts have in common when they are told of.
#include <inttypes.h>

#include "bundle/bundle.h"
#include "cli/verify.h"

bool mlt_verify_evidence_print(struct mlt_cli *cli, struct mlt_verify_evidence e,
                               const struct mlt_verify_trust *trust) {
    const bool trusted = mlt_verify_trust_holds(trust, e.signed_by_key);
    const char *on = cli->color ? (e.verdict && trusted ? "\x1b[32m" : "\x1b[31m") : "";
    const char *off = cli->color ? "\x1b[0m" : "";
    char vkey[MLT_VKEY_TEXT_MAX] = "";
    for (size_t i = 0; i < e.num_faults && i < MLT_BUNDLE_FAULTS_MAX; i++) {
        mlt_cli_out_line(cli, "%s%s%s", e.faults[i].where, e.faults[i].where[0] ? ": " : "", e.faults[i].text);
    }
    if (e.num_faults > MLT_BUNDLE_FAULTS_MAX) {
        mlt_cli_outf(cli, "and %" PRIu64 " further faults\n", e.num_faults - MLT_BUNDLE_FAULTS_MAX);
    }
    if (trust->policy && !trust->judged.holds) {
        mlt_cli_out_line(cli, "checkpoint: the policy is not satisfied: %s", trust->judged.why);
    }
    if (!e.verdict) {
        mlt_cli_outf(cli, "%sNOT VERIFIED%s: %" PRIu64 " fault%s\n", on, off, e.num_faults,
                     e.num_faults == 1 ? "" : "s");
        return false;
    }
    mlt_vkey_format(vkey, e.key);
    mlt_cli_outf(cli, "%s%s%s ", on, trusted ? "verified" : "consistent", off);
    mlt_cli_out_line(cli, "with key %s%s", vkey, mlt_verify_trust_lacks(trust, e.signed_by_key));
    return true;
}

void mlt_verify_evidence_json_head(struct mlt_json_writer *w, const char *what, struct mlt_verify_evidence e,
                                   const struct mlt_verify_trust *trust) {
    char vkey[MLT_VKEY_TEXT_MAX] = "";
    mlt_vkey_format(vkey, e.key);
    mlt_jw_member_bool(w, "verdict", e.verdict);
    mlt_jw_member_bool(w, "authenticated", mlt_verify_trust_holds(trust, e.signed_by_key));
    mlt_jw_member(w, "what", what);
    mlt_jw_member(w, "key", e.key->name[0] ? vkey : NULL);
}

void mlt_verify_evidence_json_faults(struct mlt_json_writer *w, struct mlt_verify_evidence e) {
    mlt_jw_member_u64(w, "num_faults", e.num_faults);
    mlt_jw_name(w, "faults");
    mlt_jw_array(w);
    for (size_t i = 0; i < e.num_faults && i < MLT_BUNDLE_FAULTS_MAX; i++) {
        mlt_jw_object(w);
        mlt_jw_member(w, "where", e.faults[i].where);
        mlt_jw_member(w, "text", e.faults[i].text);
        mlt_jw_end_object(w);
    }
    mlt_jw_end_array(w);
}
