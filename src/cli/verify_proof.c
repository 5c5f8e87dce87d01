// `verify FILE.tlog-proof --entry FILE`: one entry, offline. The question goes to the public verifier, as an outsider's
// would.
#include <inttypes.h>
#include <stdio.h>

#include "cli/verify.h"
#include "dossier/visible.h"
#include "mltrail/verify.h"
#include "note/checkpoint.h"

#define PROOF_FILE_MAX (512 * 1024)  // a proof has at most four notes' length
#define ENTRY_FILE_MAX (1024 * 1024) // an entry has at most 65,535 bytes; larger ones are read to be told so

struct proof_check {
    struct mltrail_trust *trust;
    struct mlt_buf proof, entry;
    struct mltrail_verdict verdict;
    struct mltrail_checkpoint checkpoint;
    uint64_t index;
};

static enum mltrail_status make_trust(struct proof_check *c, const struct mlt_verify_trust *given,
                                      struct mltrail_error *err) {
    char vkey[MLT_VKEY_TEXT_MAX] = "";
    if (given->have_key) {
        mlt_vkey_format(vkey, &given->key);
    }
    if (!given->policy) {
        return mltrail_trust_new_key(&c->trust, vkey, strlen(vkey), err);
    }
    return mltrail_trust_new_policy(&c->trust, (const char *)given->policy_text.ptr, given->policy_text.len, vkey,
                                    strlen(vkey), err);
}

static void print_json(struct mlt_cli *cli, const struct proof_check *c) {
    const struct mltrail_checkpoint *cp = &c->checkpoint;
    bool holds = c->verdict.holds;
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member_bool(&w, "verdict", holds);
    mlt_jw_member(&w, "reason", mltrail_reason_name(c->verdict.reason));
    mlt_jw_member(&w, "why", holds ? NULL : c->verdict.why);
    if (holds) {
        mlt_jw_member_u64(&w, "index", c->index);
        mlt_jw_member(&w, "origin", cp->origin);
        mlt_jw_member_u64(&w, "size", cp->size);
        mlt_jw_name(&w, "root");
        mlt_jw_hex(&w, mlt_bytes_of(cp->root, sizeof cp->root));
        mlt_jw_member(&w, "key", cp->log_key);
        mlt_jw_member_u64(&w, "num_cosigned", cp->num_cosigned);
        mlt_jw_name(&w, "witnesses");
        mlt_jw_array(&w);
        for (size_t i = 0; i < cp->num_witnesses; i++) {
            mlt_verify_witness_json(&w, mltrail_trust_witness_name(c->trust, i), cp->cosigned[i], cp->cosigned_at[i]);
        }
        mlt_jw_end_array(&w);
    }
    mlt_jw_end_object(&w);
    mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

static void print_text(struct mlt_cli *cli, const struct proof_check *c) {
    const struct mltrail_checkpoint *cp = &c->checkpoint;
    const char *on = cli->color ? (c->verdict.holds ? "\x1b[32m" : "\x1b[31m") : "";
    const char *off = cli->color ? "\x1b[0m" : "";
    char root[2 * MLTRAIL_HASH_LEN + 1];
    struct mlt_buf line = {0};
    if (!c->verdict.holds) {
        mlt_buf_printf(&line, "%sNOT VERIFIED%s: ", on, off);
        mlt_visible_put(&line, mlt_str(c->verdict.why), MLT_VISIBLE_PLAIN);
    } else {
        mlt_hex_encode(root, mlt_bytes_of(cp->root, sizeof cp->root));
        mlt_buf_printf(&line, "%sverified%s with key ", on, off);
        mlt_visible_put(&line, mlt_str(cp->log_key), MLT_VISIBLE_PLAIN);
        mlt_buf_printf(&line, "\nentry %" PRIu64 " of %" PRIu64 " in ", c->index, cp->size);
        mlt_visible_put(&line, mlt_str(cp->origin), MLT_VISIBLE_PLAIN);
        mlt_buf_printf(&line, ", root %s", root);
    }
    mlt_buf_put_str(&line, "\n");
    mlt_cli_out(cli, mlt_buf_bytes(&line));
    mlt_buf_clear(&line);
    if (c->verdict.holds && cp->num_witnesses > 0) {
        mlt_verify_witnesses_print(cli, cp->num_cosigned, cp->num_witnesses, cp->earliest, cp->latest);
    }
    if (c->verdict.reason == MLTRAIL_OTHER_ROOT && c->entry.len > 0 && c->entry.data[c->entry.len - 1] == '\n') {
        mlt_cli_note(cli, "the entry's file ends in a newline, which counts as part of the entry; "
                          "\"mltrail prove --entry FILE\" writes the exact bytes");
    }
}

// Whether the proof can be read at all is for the verifier to say.
static void follow(struct mlt_cli *cli, const struct proof_check *c, struct mlt_verify_trust *trust) {
    struct mlt_tlog_proof proof;
    if (mlt_tlog_proof_parse(&proof, &cli->arena, mlt_buf_bytes(&c->proof), NULL) == MLT_OK) {
        (void)mlt_verify_trust_follow(trust, proof.checkpoint, trust->chain);
    }
}

static int check(struct mlt_cli *cli, struct proof_check *c, const char *path, struct mlt_verify_trust *trust) {
    struct mlt_error err = {0};
    struct mltrail_error public_err = {0};
    if (mlt_env_read_file(cli->env, path, PROOF_FILE_MAX, &c->proof, &err) != MLT_OK ||
        mlt_env_read_file(cli->env, mlt_cli_value(cli, "entry"), ENTRY_FILE_MAX, &c->entry, &err) != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "%s", err.text);
    }
    follow(cli, c, trust);
    enum mltrail_status st = make_trust(c, trust, &public_err);
    if (st == MLTRAIL_OK) {
        st = mltrail_verify_tlog_proof(&c->verdict, &c->index, &c->checkpoint, c->trust, c->proof.data, c->proof.len,
                                       c->entry.data, c->entry.len, &public_err);
    }
    if (st != MLTRAIL_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "%s could not be checked: %s", path, public_err.text);
    }
    if (cli->json) {
        print_json(cli, c);
    } else {
        print_text(cli, c);
    }
    return c->verdict.holds ? MLT_EXIT_TRUE : MLT_EXIT_FALSE;
}

int mlt_verify_proof(struct mlt_cli *cli, const char *path, struct mlt_verify_trust *trust) {
    struct proof_check c = {0};
    if (!mlt_cli_value(cli, "entry")) {
        return mlt_cli_fail(
            cli, MLT_EXIT_USAGE,
            "%s proves that an entry is in a log; give the entry with --entry FILE (\"mltrail prove\" writes "
            "it with its own --entry)",
            path);
    }
    if (!trust->have_key && !trust->policy) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "a proof cannot vouch for itself; give --key or --policy, from somebody other than the one "
                            "who gave you the proof");
    }
    if (mlt_cli_value(cli, "receipts")) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--receipts checks directories; give the directory of the trail");
    }
    int code = check(cli, &c, path, trust);
    mltrail_trust_free(c.trust);
    mlt_buf_clear(&c.proof);
    mlt_buf_clear(&c.entry);
    return code;
}
