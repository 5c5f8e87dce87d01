// The parts of `verify`.
#ifndef MLT_CLI_VERIFY_H
#define MLT_CLI_VERIFY_H

#include "cli/cli.h"
#include "note/chain.h"
#include "note/policy.h"
#include "record/json.h"
#include "trail/verify.h"

// Whose word is taken, and what the policy says of the checkpoint that was found.
struct mlt_verify_trust {
    bool have_key;
    struct mlt_vkey key;       // --key, or the log key that the policy accepted
    bool known;                // the key was remembered: one that it leads to takes its place
    struct mlt_policy *policy; // --policy; NULL: none
    struct mlt_bytes policy_text;
    struct mlt_policy_verdict judged;
    struct mlt_key_chain *chain; // --chain; NULL: none
};

// verify_trust.c
// mlt_verify_trust_given reads --key, --policy and --chain. False after saying what is wrong; otherwise clear it at the
// end.
bool mlt_verify_trust_given(struct mlt_cli *cli, struct mlt_verify_trust *out);
void mlt_verify_trust_clear(struct mlt_verify_trust *trust);
// mlt_verify_trust_follow takes the key that signed `checkpoint` for the trusted one (of --key, or a log of the
// policy), where `chain` leads from the one to the other and that key may sign this size. False: nothing was to be
// followed.
bool mlt_verify_trust_follow(struct mlt_verify_trust *trust, struct mlt_bytes checkpoint,
                             const struct mlt_key_chain *chain);
// mlt_verify_chain_read gives the chain of a trail.json that is signed by the key in use. NULL: it is none, `err` says
// why.
struct mlt_key_chain *mlt_verify_chain_read(struct mlt_cli *cli, struct mlt_bytes trail_json, struct mlt_error *err);
// mlt_verify_trust_judge holds a signed checkpoint against the policy, if there is one; the log key that it was signed
// with becomes the key. mlt_verify_trust_report makes a fault of a policy that is not satisfied.
void mlt_verify_trust_judge(struct mlt_cli *cli, struct mlt_verify_trust *trust, struct mlt_bytes checkpoint);
void mlt_verify_trust_report(const struct mlt_verify_trust *trust, struct mlt_verify_report *r);
// mlt_verify_trust_find looks for the log of a checkpoint among the known trails, if neither key nor policy was given,
// and judges it by the policy. A change of keys is followed by --chain, or by the trail.json that came along (may be
// empty).
void mlt_verify_trust_find(struct mlt_cli *cli, struct mlt_bytes checkpoint, struct mlt_bytes trail_json,
                           struct mlt_verify_trust *trust);
// mlt_verify_trust_holds: what is signed by the key, and as the policy asks if there is one, is authenticated.
bool mlt_verify_trust_holds(const struct mlt_verify_trust *trust, bool signed_by_key);
// mlt_verify_trust_lacks says, to be put behind the key, why an evidence file that is consistent is not verified;
// "" when it is. mlt_verify_trust_one_log is what stays asserted without the cosignatures of a policy; NULL: nothing.
const char *mlt_verify_trust_lacks(const struct mlt_verify_trust *trust, bool signed_by_key);
const char *mlt_verify_trust_one_log(const struct mlt_verify_trust *trust);
void mlt_verify_trust_print(struct mlt_cli *cli, const struct mlt_verify_trust *trust);
void mlt_verify_trust_json(struct mlt_json_writer *w, const struct mlt_verify_trust *trust); // the member "policy"
void mlt_verify_witnesses_print(struct mlt_cli *cli, size_t num_cosigned, size_t num_witnesses, int64_t earliest,
                                int64_t latest);
void mlt_verify_witness_json(struct mlt_json_writer *w, const char *name, bool cosigned, int64_t seconds);

// verify_file.c
enum mlt_verify_file {
    MLT_FILE_NONE, // no file: a directory, a URL, or nothing
    MLT_FILE_PROOF,
    MLT_FILE_ARCHIVE, // an evidence bundle, or an extract
    MLT_FILE_LINES,   // an extract as NDJSON
    MLT_FILE_OTHER,
};
enum mlt_verify_file mlt_verify_file_of(const char *path);

// verify_evidence.c
struct mlt_bundle_fault;
struct mlt_verify_evidence {
    bool verdict;
    bool signed_by_key; // the key came from outside
    const struct mlt_vkey *key;
    const struct mlt_bundle_fault *faults;
    uint64_t num_faults;
};
// mlt_verify_evidence_print prints the faults and the verdict, and gives it back.
bool mlt_verify_evidence_print(struct mlt_cli *cli, struct mlt_verify_evidence e, const struct mlt_verify_trust *trust);
void mlt_verify_evidence_json_head(struct mlt_json_writer *w, const char *what, struct mlt_verify_evidence e,
                                   const struct mlt_verify_trust *trust);
void mlt_verify_evidence_json_faults(struct mlt_json_writer *w, struct mlt_verify_evidence e);

// verify_proof.c
int mlt_verify_proof(struct mlt_cli *cli, const char *path, struct mlt_verify_trust *trust);

// verify_bundle.c: also an extract in an archive
int mlt_verify_bundle(struct mlt_cli *cli, const char *path, struct mlt_verify_trust *trust);

// verify_extract.c
struct mlt_archive;
int mlt_verify_lines(struct mlt_cli *cli, const char *path, struct mlt_verify_trust *trust);
int mlt_verify_extract_archive(struct mlt_cli *cli, const char *path, struct mlt_archive *a,
                               const struct mlt_verify_trust *trust);

// verify_key.c
// mlt_verify_key_read takes a vkey, or the first line of the file of that name; `what` names the argument in messages.
bool mlt_verify_key_read(struct mlt_cli *cli, const char *what, const char *given, struct mlt_vkey *out);
// mlt_verify_key_given reads --key, a vkey or the file of one. False after saying what is wrong; `*have` is set
// otherwise.
bool mlt_verify_key_given(struct mlt_cli *cli, struct mlt_vkey *out, bool *have);
// mlt_verify_key_offered is the vkey that the trail at hand names itself, {NULL,0} if it does not: it authenticates
// nothing.
struct mlt_bytes mlt_verify_key_offered(struct mlt_cli *cli);

// known_trails.c: ~/.config/mltrail/known_trails, lines of "URL VKEY".
bool mlt_known_trail(struct mlt_cli *cli, const char *url, struct mlt_vkey *out);
// mlt_known_trail_of finds the key of a known trail by its origin.
bool mlt_known_trail_of(struct mlt_cli *cli, const char *origin, struct mlt_vkey *out);
// mlt_known_trail_ask asks on the terminal whether to trust the key and remembers it; false without a terminal or a
// yes.
bool mlt_known_trail_ask(struct mlt_cli *cli, const char *url, const struct mlt_vkey *key);

// mlt_known_trail_replace remembers another key for a trail that is known, which the known one led to.
void mlt_known_trail_replace(struct mlt_cli *cli, const char *url, const struct mlt_vkey *key);

// verify_chain.c: for a checkpoint that `trusted` did not sign. Fetches trail.json and follows the changes of keys from
// `trusted` on. True: a key that it leads to signed `note`; `head` is set, and `chain`, whose trees are to be met on
// the way through the entries. False: it does not, with what is wrong in `err`.
bool mlt_verify_by_chain(struct mlt_cli *cli, struct mlt_bytes note, const struct mlt_vkey *trusted,
                         struct mlt_checkpoint *head, struct mlt_key_chain *chain, struct mlt_error *err);

// mlt_verify_policy_by_chain does the same for a policy that names logs by their older keys: the key becomes that of
// `trust`.
bool mlt_verify_policy_by_chain(struct mlt_cli *cli, struct mlt_bytes note, struct mlt_verify_trust *trust,
                                struct mlt_key_chain *chain);

// verify_url.c: fetches checkpoint, tiles and entry bundles, and computes every hash again. 0, or the exit
// status after saying why it could not be checked. `*signer` gets "name+keyid" of the
// checkpoint.
int mlt_verify_url(struct mlt_cli *cli, const char *url, struct mlt_verify_trust *trust, struct mlt_verify_report *out,
                   char signer[static MLT_VKEY_TEXT_MAX]);

// verify_dir.c: 0, or the exit status after saying why it could not be checked.
int mlt_verify_dir(struct mlt_cli *cli, const char *dir, struct mlt_verify_trust *trust,
                   struct mlt_verify_report *report);

#endif
