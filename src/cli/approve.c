#include "cli/approve.h"

#include <inttypes.h>

#include "cli/transport.h"
#include "dossier/visible.h"
#include "record/statement.h"

static const struct mlt_cli_option options[] = {
    {"reference", 'r', "REF", "Name of the approval, by which transitions refer to it.", NULL},
    {"verdict", 0, "VERDICT", "The decision: approved, rejected or revoked.", "approved rejected revoked"},
    {"approver", 0, "NAME", "Who decides (default: the login name).", NULL},
    {"reason", 0, "TEXT", "Why.", NULL},
    {"artifact-hash", 0, "DIGEST", "Digest of what is approved (default: the one registered in the trail).", NULL},
    {"expires-at", 0, "TIME", "Until when the approval holds, as 2027-01-31T00:00:00Z.", NULL},
    {"role", 0, "TEXT", "In which function the approver acts.", NULL},
    {"condition", 0, "TEXT", "A condition under which it holds; may be given several times.", NULL},
    {"evidence", 0, "TEXT", "What the decision rests on, as job:ID or a document; may be given several times.", NULL},
    {"key", 'k', "FILE", "SSH key to sign with: private, or public with the private half in an agent.", "<file>"},
    {"statement-only", 0, NULL, "Print what is to be signed, and append nothing.", NULL},
    {"statement", 0, "FILE", "Append the approval that this statement speaks of (with --signature).", "<file>"},
    {"signature", 0, "FILE", "Signature over the statement, made elsewhere.", "<file>"},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail approve credit 7 --reference CAB-7 --verdict approved --reason \"validated\" --key ~/.ssh/id_ed25519",
     "approve a version and sign the approval"},
    {"mltrail approve credit 7 --reference CAB-7 --verdict approved --statement-only > cab-7",
     "write down what is to be signed …"},
    {"ssh-keygen -Y sign -n approval@mltrail -f id_ed25519 cab-7", "… sign it where the key is …"},
    {"mltrail approve --statement cab-7 --signature cab-7.sig", "… and append it"},
    {0},
};

void mlt_approving_clear(struct mlt_approving *a) {
    mlt_buf_clear(&a->record);
    mlt_buf_clear(&a->statement);
    mlt_buf_clear(&a->signature);
}

static int read_file(struct mlt_cli *cli, const char *path, size_t max, struct mlt_buf *out) {
    struct mlt_error err = {0};
    return mlt_env_read_file(cli->env, path, max, out, &err) == MLT_OK ? 0 : mlt_cli_fail_error(cli, &err);
}

// What is signed elsewhere says everything itself.
static int take_signed(struct mlt_approving *a) {
    struct mlt_cli *cli = a->cli;
    const char *statement = mlt_cli_value(cli, "statement"), *signature = mlt_cli_value(cli, "signature");
    static const char *const others[] = {"reference", "verdict",   "approver", "reason", "artifact-hash", "expires-at",
                                         "role",      "condition", "evidence", "key",    "statement-only"};
    if (!statement || !signature) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--statement FILE and --signature FILE belong together");
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (mlt_cli_value(cli, others[i])) {
            return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--%s does not go with --statement, which says everything itself",
                                others[i]);
        }
    }
    if (cli->num_args > 0) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "MODEL and VERSION do not go with --statement, which names them");
    }
    int code = read_file(cli, statement, MLT_STATEMENT_MAX, &a->statement);
    code = code == 0 ? read_file(cli, signature, MLT_SSHSIG_ARMOURED_MAX, &a->signature) : code;
    code = code == 0 ? mlt_approve_ask_origin(a) : code;
    return code == 0 ? mlt_approve_from_statement(a) : code;
}

// Whoever signs may take his time: the trail is not held meanwhile.
static int let_go(struct mlt_cli *cli) {
    struct mlt_error err = {0};
    struct mlt_transport *transport = cli->transport;
    cli->transport = NULL;
    return mlt_transport_close(transport, &err) == MLT_OK ? 0 : mlt_cli_fail_error(cli, &err);
}

static int take_options(struct mlt_approving *a) {
    struct mlt_cli *cli = a->cli;
    const char *key = mlt_cli_value(cli, "key");
    if (cli->num_args != 2) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "usage: mltrail approve MODEL VERSION --reference REF --verdict VERDICT, or mltrail "
                            "approve --statement FILE --signature FILE");
    }
    int code = mlt_approve_from_options(a);
    if (code == 0 && key && !mlt_cli_flag(cli, "statement-only")) {
        code = let_go(cli);
        code = code == 0 ? mlt_approve_sign(a, key) : code;
    }
    return code;
}

// The record as it goes into the trail.
static int append(struct mlt_approving *a, struct mlt_reply *reply) {
    struct mlt_buf body = {0};
    struct mlt_json_writer w;
    mlt_buf_put_bytes(&body, mlt_buf_bytes(&a->record));
    if (a->signature.len > 0 && body.len > 0) {
        body.len--; // the brace
        mlt_buf_put_str(&body, ",\"statement\":");
        mlt_jw_init(&w, &body);
        mlt_jw_string(&w, mlt_buf_bytes(&a->statement));
        mlt_buf_put_str(&body, ",\"signature\":");
        mlt_jw_init(&w, &body);
        mlt_jw_string(&w, mlt_buf_bytes(&a->signature));
        mlt_buf_put_u8(&body, '}');
    }
    const struct mlt_call call = {
        .method = "POST", .path = "/v1/records", .content_type = "application/json", .body = mlt_buf_bytes(&body)};
    int code =
        body.failed ? mlt_cli_fail(a->cli, MLT_EXIT_FAILED, "out of memory") : mlt_cli_send(a->cli, &call, reply);
    mlt_buf_clear(&body);
    return code;
}

static void tell_json(const struct mlt_approving *a, const struct mlt_json *receipt) {
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    static const char *const from_receipt[] = {"index", "leaf", "duplicate", "tree_size", "checkpoint"};
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "approval_reference", a->reference);
    mlt_jw_member(&w, "model", a->model);
    mlt_jw_member(&w, "model_version", a->version);
    mlt_jw_member(&w, "verdict", a->verdict);
    mlt_jw_member(&w, "approver", a->approver);
    mlt_jw_member(&w, "key", a->fingerprint[0] ? a->fingerprint : NULL);
    for (size_t i = 0; i < sizeof from_receipt / sizeof from_receipt[0]; i++) {
        mlt_jw_member_raw(&w, from_receipt[i], mlt_json_raw(receipt, mlt_json_get(receipt, 0, from_receipt[i])));
    }
    mlt_jw_end_object(&w);
    mlt_cli_out_json(a->cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

static void tell_text(const struct mlt_approving *a, const struct mlt_json *receipt) {
    struct mlt_buf out = {0};
    uint64_t index = 0;
    struct mlt_bytes checkpoint = mlt_json_string(receipt, mlt_json_get(receipt, 0, "checkpoint"), &a->cli->arena);
    (void)mlt_json_u64(receipt, mlt_json_get(receipt, 0, "index"), &index);
    mlt_buf_printf(&out, "entry %" PRIu64 ": %s %s %s by %s, reference %s", index, a->model, a->version, a->verdict,
                   a->approver, a->reference);
    if (a->fingerprint[0]) {
        mlt_buf_printf(&out, "\nsigned with %s", a->fingerprint);
    }
    mlt_buf_put_str(&out, "\n\n");
    mlt_buf_put_bytes(&out, checkpoint);
    mlt_cli_out_text(a->cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

static int append_and_tell(struct mlt_approving *a) {
    struct mlt_reply reply = {0};
    struct mlt_json receipt = {0};
    struct mlt_error err = {0};
    int code = append(a, &reply);
    if (code == 0 && (mlt_json_scan(&receipt, mlt_buf_bytes(&reply.body), &err) != MLT_OK ||
                      mlt_json_get(&receipt, 0, "index") == MLT_JSON_NONE)) {
        code = mlt_cli_fail(a->cli, MLT_EXIT_FAILED, "the answer holds no receipt: %s", err.text);
    } else if (code == 0) {
        a->cli->json ? tell_json(a, &receipt) : tell_text(a, &receipt);
    }
    mlt_json_clear(&receipt);
    mlt_reply_clear(&reply);
    return code;
}

static int run(struct mlt_cli *cli) {
    struct mlt_approving a = {.cli = cli};
    bool elsewhere = mlt_cli_value(cli, "statement") || mlt_cli_value(cli, "signature");
    int code = elsewhere ? take_signed(&a) : take_options(&a);
    if (code == 0 && mlt_cli_flag(cli, "statement-only")) {
        mlt_cli_out_text(cli, mlt_buf_bytes(&a.statement));
    } else if (code == 0) {
        code = a.signature.len > 0 ? mlt_approve_check(&a) : 0;
        code = code == 0 ? append_and_tell(&a) : code;
    }
    mlt_approving_clear(&a);
    return code;
}

const struct mlt_cli_command mlt_cmd_approve = {
    .name = "approve",
    .args = "[MODEL VERSION]",
    .summary = "approve, reject or revoke a model version, signed with an SSH key",
    .text =
        "Appends an approval. With --key it is signed: ssh-keygen signs a statement of the approval, which names this "
        "trail, so that it counts nowhere else; agents, passphrases and security keys work as they do with ssh, and no "
        "private key passes through mltrail. Dossiers show the approver as signed when the key is one that the setting "
        "allowed_signers gives to the approver at the time when the record is received. Without a signature the name "
        "of the approver is a claim, unless the approver submits the record.",
    .min_args = 0,
    .max_args = 2,
    .options = options,
    .examples = examples,
    .run = run,
};
