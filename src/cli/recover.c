#include <inttypes.h>
#include <unistd.h>

#include "cli/confirm.h"
#include "cli/pin.h"
#include "cli/transport.h"
#include "record/json.h"
#include "server/witnessing.h"
#include "trail/keys.h"

static const struct mlt_cli_option options[] = {
    {"reason", 'r', "TEXT", "Why an older copy is gone on with; kept in the trail.", NULL},
    {"origin", 'o', "NAME", "Name of the successor (default: the old name and /2, or the next number).", NULL},
    {"pkcs11", 0, "URI", "Take the successor's signing key from a token.", NULL},
    {"in-file", 0, NULL, "Let the key leave the token that it is in.", NULL},
    {"yes", 'y', NULL, "Do not ask.", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail recover trail --reason \"disk failed, restored from the backup of Monday\"",
     "go on with ./trail, which was restored from a backup"},
    {0},
};

static const char *describe(struct mlt_cli *cli, const struct mlt_recovery *plan) {
    return mlt_arena_printf(
        &cli->arena,
        "%s signed a tree of %" PRIu64 " entries; here are the first %" PRIu64 " of them. Entries %" PRIu64
        " to %" PRIu64 " are lost. If they are anywhere, restore them instead. "
        "The trail goes on as %s with a new key, and its first entry says so.",
        plan->old_origin, plan->last.size, plan->kept, plan->kept, plan->last.size - 1, plan->new_origin);
}

static void tell(struct mlt_cli *cli, const struct mlt_recovery *plan) {
    if (!cli->json) {
        mlt_cli_outf(cli, "recovered: %s goes on from size %" PRIu64 "; %" PRIu64 " entries of %s are lost\n",
                     plan->new_origin, plan->kept, plan->last.size - plan->kept, plan->old_origin);
        mlt_cli_note(cli, "give \"mltrail key export\" to those who check the trail; the old key leads to the new one");
        return;
    }
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "old_origin", plan->old_origin);
    mlt_jw_member(&w, "new_origin", plan->new_origin);
    mlt_jw_member_u64(&w, "last_signed_size", plan->last.size);
    mlt_jw_member_u64(&w, "kept_size", plan->kept);
    mlt_jw_member_u64(&w, "lost", plan->last.size - plan->kept);
    mlt_jw_end_object(&w);
    mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

static int run(struct mlt_cli *cli) {
    const char *dir = cli->args[0];
    struct mlt_recovery *plan = mlt_arena_zero(&cli->arena, sizeof *plan);
    struct mlt_principal *who = mlt_arena_zero(&cli->arena, sizeof *who);
    struct mlt_error err = {0};
    struct mlt_trail_options opt = {.dir = dir, .state_dir = mlt_cli_state(cli), .pin = mlt_cli_pin(cli)};
    bool watched = false;
    if (!plan || !who) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    if (mlt_cli_is_url(dir)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "%s is a URL; give the directory of the trail", dir);
    }
    if (mlt_transport_served(dir)) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "%s is being served; stop the server first", dir);
    }
    mlt_principal_local(who, (unsigned)geteuid());
    const struct mlt_key_change how = {.by = who->name,
                                       .reason = mlt_cli_value(cli, "reason"),
                                       .uri = mlt_cli_value(cli, "pkcs11"),
                                       .in_file = mlt_cli_flag(cli, "in-file")};
    if (!how.reason || !how.reason[0]) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "a recovery needs --reason TEXT, which the trail keeps");
    }
    if (mlt_trail_plan_recovery(cli->env, &opt, mlt_cli_value(cli, "origin"), plan, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    const char *what = describe(cli, plan);
    int code = what ? mlt_cli_confirm(cli, what) : mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    if (code != 0) {
        return code;
    }
    if (mlt_witnessing_hold(cli->env, &opt, &watched, &err) != MLT_OK ||
        mlt_trail_recover(cli->env, &opt, plan, &how, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    tell(cli, plan);
    if (watched) {
        mlt_cli_note(cli,
                     "the witnesses of the policy know no log %s: give their operators %s/trail.json, for `mltrail "
                     "witness add-log DIR trail.json`; a policy with a log line needs one with the new key",
                     plan->new_origin, dir);
    }
    return 0;
}

const struct mlt_cli_command mlt_cmd_recover = {
    .name = "recover",
    .args = "DIR",
    .summary = "go on with a trail that was restored from an older backup",
    .text = "A trail that does not extend the head signed last refuses to start: an older copy was put in its place. "
            "Where that copy is all that is left, recover makes it a successor: the entries that are there stay, the "
            "origin and the signing key are new, and the first entry under the new origin names the old checkpoint and "
            "the entries that were lost. Receipts for those entries show the loss; all others hold.",
    .words = "<dir>",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
