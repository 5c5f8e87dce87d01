// The signature of an approval: made by the user's ssh-keygen, checked here before anything is appended.
#include "cli/approve.h"
#include "cli/ssh_sign.h"
#include "cli/transport.h"
#include "note/allowed_signers.h"
#include "record/statement.h"

int mlt_approve_sign(struct mlt_approving *a, const char *key_file) {
    struct mlt_error err = {0};
    enum mlt_status status =
        mlt_ssh_sign(&a->signature, key_file, MLT_STATEMENT_NAMESPACE, mlt_buf_bytes(&a->statement), &err);
    return status == MLT_OK ? 0 : mlt_cli_fail_error(a->cli, &err);
}

// The text of the setting; {NULL,0}: never set. False: it could not be read, as by a token that may only approve.
static bool ask_signers(struct mlt_cli *cli, struct mlt_bytes *text) {
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    const struct mlt_call call = {.method = "GET", .path = "/v1/settings"};
    struct mlt_error err = {0};
    *text = (struct mlt_bytes){0};
    bool read = mlt_transport_send(cli->transport, &call, &reply, &err) == MLT_OK && reply.status == 200 &&
                mlt_json_scan(&json, mlt_buf_bytes(&reply.body), &err) == MLT_OK;
    mlt_json_at items = read ? mlt_json_get(&json, 0, "items") : MLT_JSON_NONE;
    for (mlt_json_at n = items == MLT_JSON_NONE ? items : mlt_json_first(&json, items); n != MLT_JSON_NONE;
         n = mlt_json_next(&json, items, n)) {
        mlt_json_at value = mlt_json_get(&json, n, "value");
        if (mlt_bytes_is(mlt_json_string(&json, mlt_json_get(&json, n, "name"), &cli->arena), "allowed_signers") &&
            mlt_json_is(&json, value, MLT_JSON_STRING)) {
            *text = mlt_arena_copy(&cli->arena, mlt_json_string(&json, value, &cli->arena));
        }
    }
    mlt_json_clear(&json);
    mlt_reply_clear(&reply);
    return read;
}

// What the trail will say of the key, told while it can still be put right.
static void note_signer(struct mlt_approving *a, const struct mlt_sshsig *sig) {
    static const char *const findings[] = {
        [MLT_SIGNER_UNKNOWN] = "is not among the allowed signers",
        [MLT_SIGNER_OTHER_PRINCIPAL] = "is allowed for somebody else",
        [MLT_SIGNER_OTHER_NAMESPACE] = "is not allowed for approvals, by its namespaces",
        [MLT_SIGNER_NOT_YET] = "is not yet valid",
        [MLT_SIGNER_EXPIRED] = "is no longer valid",
    };
    struct mlt_cli *cli = a->cli;
    struct mlt_bytes text;
    struct mlt_allowed_signers list;
    struct mlt_error err = {0};
    const struct mlt_allowed_signer *signer;
    if (!ask_signers(cli, &text)) {
        return;
    }
    if (!text.ptr) {
        mlt_cli_note(cli, "the trail has no allowed signers: the signature is not held against any until an admin sets "
                          "allowed_signers");
        return;
    }
    if (mlt_allowed_signers_read(&list, text, &cli->arena, &err) != MLT_OK) {
        mlt_cli_note(cli, "the allowed signers of the trail cannot be read: %s", err.text);
        return;
    }
    enum mlt_signer_verdict verdict = mlt_allowed_signers_find(&list, mlt_str(a->approver), &sig->key, sig->name_space,
                                                               cli->env->now(cli->env), &signer);
    if (verdict != MLT_SIGNER_ALLOWED) {
        mlt_cli_note(cli, "the key %s %s (approver \"%s\"): the trail will say so", a->fingerprint, findings[verdict],
                     a->approver);
    }
}

int mlt_approve_check(struct mlt_approving *a) {
    struct mlt_sshsig *sig = mlt_arena_take(&a->cli->arena, sizeof *sig);
    const char *why = "out of memory";
    struct mlt_error err = {0};
    bool good;
    if (!sig || !mlt_sshsig_read(sig, mlt_buf_bytes(&a->signature), &why)) {
        return mlt_cli_fail(a->cli, MLT_EXIT_FALSE, "this is no signature: %s", why);
    }
    if (mlt_sshsig_verify(&good, &why, sig, mlt_buf_bytes(&a->statement), MLT_STATEMENT_NAMESPACE, &err) != MLT_OK) {
        return mlt_cli_fail_error(a->cli, &err);
    }
    if (!good) {
        return mlt_cli_fail(a->cli, MLT_EXIT_FALSE,
                            "the signature is not one over this statement: %s; sign with ssh-keygen -Y sign -n %s", why,
                            MLT_STATEMENT_NAMESPACE);
    }
    mlt_ssh_key_fingerprint(a->fingerprint, &sig->key);
    const char *trail = mlt_cli_trail(a->cli);
    int code = mlt_cli_open(a->cli);
    if (code == 0 && (a->may_read || !mlt_cli_is_url(trail))) {
        note_signer(a, sig);
    }
    return code;
}
