#include "cli/witness.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/json_text.h"
#include "cli/policy_file.h"
#include "cli/transport.h"
#include "cli/verify.h"
#include "dossier/visible.h"
#include "trail/meta.h"
#include "witness/witness.h"

static const struct mlt_cli_option options[] = {
    {"name", 'n', "NAME", "init: the witness's name on cosignatures, such as witness.example.com/w1.", NULL},
    {"policy", 0, "FILE", "add-log: every log of this policy (C2SP tlog-policy).", "<file>"},
    {"listen", 'l', "ADDRESS", "serve: HOST:PORT, [IPV6]:PORT or :PORT (default: 127.0.0.1:8471).", NULL},
    {"port-file", 0, "FILE", "serve: write the port there once connections are accepted (with --listen HOST:0).",
     "<file>"},
    {"insecure", 0, NULL, "serve: allow plain HTTP on an address that is not loopback (TLS is in front).", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail witness init w1 --name witness.example.com/w1", "make a witness and print its verifier key"},
    {"mltrail witness add-log w1 trail.vkey", "let it cosign that log"},
    {"mltrail witness add-log w1 trail.json", "follow it to its new signing key"},
    {"mltrail witness serve w1 --listen 127.0.0.1:8471", "cosign until SIGTERM or SIGINT"},
    {"mltrail witness status w1", "which logs it has cosigned, and how far"},
    {"mltrail witness status", "who cosigns the own trail, and who does not"},
    {0},
};

#define ADD_MAX 64 // logs in one command; --policy takes as many

static int init(struct mlt_cli *cli, const char *dir) {
    const char *name = mlt_cli_value(cli, "name");
    struct mlt_vkey vkey;
    char text[MLT_VKEY_TEXT_MAX];
    struct mlt_error err = {0};
    if (!name) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "a witness needs --name NAME, such as witness.example.com/w1");
    }
    if (mlt_witness_create(cli->env, dir, name, &vkey, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    mlt_vkey_format(text, &vkey);
    if (cli->json) {
        struct mlt_buf out = {0};
        struct mlt_json_writer w;
        mlt_jw_init(&w, &out);
        mlt_jw_object(&w);
        mlt_jw_member(&w, "witness", dir);
        mlt_jw_member(&w, "name", name);
        mlt_jw_member(&w, "vkey", text);
        mlt_jw_end_object(&w);
        mlt_cli_out_json(cli, mlt_buf_bytes(&out));
        mlt_buf_clear(&out);
    } else {
        mlt_cli_outf(cli, "%s\n", text);
        mlt_cli_note(cli,
                     "give this verifier key to those who are to rely on the witness; \"mltrail witness add-log %s "
                     "VKEY\" comes next",
                     dir);
    }
    return MLT_EXIT_TRUE;
}

static int add_one(struct mlt_cli *cli, const char *dir, const struct mlt_vkey *log) {
    struct mlt_error err = {0};
    if (mlt_witness_add_log(cli->env, dir, log, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    mlt_cli_note(cli, "%s is known", log->name);
    return 0;
}

// A trail.json says which keys the log had: whoever knows an older one is led to the one in use.
static int add_trail_json(struct mlt_cli *cli, const char *dir, const char *path, struct mlt_bytes text) {
    struct mlt_meta *meta = mlt_arena_zero(&cli->arena, sizeof *meta);
    struct mlt_error err = {0};
    enum mlt_status st = meta ? mlt_meta_parse(meta, text, &err) : mlt_fail(&err, MLT_NOMEM, "out of memory");
    if (st == MLT_OK && !mlt_meta_verify(meta, text, &meta->chain.keys[0])) {
        st = mlt_fail(&err, MLT_INVALID, "it is not signed by the key in use, or a change of keys in it is not");
    }
    if (st != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "%s is no trail.json that holds: %s", path, err.text);
    }
    if (mlt_witness_follow_log(cli->env, dir, &meta->chain, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    mlt_cli_note(cli, "%s is known", meta->origin);
    return 0;
}

// A verifier key, a file of one, or a trail.json.
static int add_argument(struct mlt_cli *cli, const char *dir, const char *argument) {
    struct mlt_buf text = {0};
    struct mlt_vkey log;
    int code;
    if (mlt_env_read_file(cli->env, argument, MLT_META_LEN_MAX, &text, NULL) == MLT_OK && text.len > 0 &&
        text.data[0] == '{') {
        code = add_trail_json(cli, dir, argument, mlt_buf_bytes(&text));
    } else {
        code = mlt_verify_key_read(cli, argument, argument, &log) ? add_one(cli, dir, &log) : MLT_EXIT_USAGE;
    }
    mlt_buf_clear(&text);
    return code;
}

static int add_policy(struct mlt_cli *cli, const char *dir, const char *path) {
    struct mlt_policy policy;
    int code = mlt_cli_policy(cli, path, &policy, NULL);
    for (size_t i = 0; code == 0 && i < policy.num_logs; i++) {
        code = add_one(cli, dir, &policy.logs[i].vkey);
    }
    mlt_policy_clear(&policy);
    return code;
}

static int add_logs(struct mlt_cli *cli, const char *dir) {
    const char *policy = mlt_cli_value(cli, "policy");
    struct mlt_witness *w = NULL;
    struct mlt_error err = {0};
    if (!policy && cli->num_args < 3) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "which log? Give its verifier key, a file of it, its trail.json, or --policy FILE");
    }
    if (mlt_witness_open(&w, cli->env, dir, true, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    mlt_witness_close(w);
    int code = policy ? add_policy(cli, dir, policy) : 0;
    for (int i = 2; code == 0 && i < cli->num_args; i++) {
        code = add_argument(cli, dir, cli->args[i]);
    }
    return code;
}

// -- status -----------------------------------------------------------------------------------------------------------

static bool write_log(void *arg, const struct mlt_witness_log *log) {
    struct mlt_json_writer *w = arg;
    char vkey[MLT_VKEY_TEXT_MAX];
    char time[MLT_TIME_TEXT_LEN + 1];
    mlt_vkey_format(vkey, &log->vkey);
    mlt_jw_object(w);
    mlt_jw_member(w, "origin", log->vkey.name);
    mlt_jw_member(w, "vkey", vkey);
    mlt_jw_name(w, "size");
    log->has_head ? mlt_jw_u64(w, log->head.size) : mlt_jw_null(w);
    mlt_jw_name(w, "root");
    log->has_head ? mlt_jw_hex(w, mlt_bytes_of(log->head.root, MLT_HASH_LEN)) : mlt_jw_null(w);
    bool fits = log->has_head && log->time < (uint64_t)(INT64_MAX / MLT_NS_PER_S);
    if (fits) {
        mlt_time_format(time, (int64_t)log->time * MLT_NS_PER_S);
    }
    mlt_jw_member(w, "cosigned_at", fits ? time : NULL);
    mlt_jw_end_object(w);
    return true;
}

static int show(struct mlt_cli *cli, struct mlt_bytes text, const struct mlt_column *columns, size_t num_columns) {
    struct mlt_json json = {0};
    struct mlt_error err = {0};
    int code = 0;
    if (cli->json) {
        mlt_cli_out_json(cli, text);
    } else if (mlt_json_scan(&json, text, &err) != MLT_OK) {
        code = mlt_cli_fail_error(cli, &err);
    } else {
        mlt_json_table(cli, &json, mlt_json_get(&json, 0, "items"), columns, num_columns);
    }
    mlt_json_clear(&json);
    return code;
}

static int witness_status(struct mlt_cli *cli, const char *dir) {
    static const struct mlt_column columns[] = {
        {"ORIGIN", "origin", 60}, {"SIZE", "size", 20}, {"COSIGNED AT", "cosigned_at", 30}};
    struct mlt_witness *witness = NULL;
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    struct mlt_error err = {0};
    char vkey[MLT_VKEY_TEXT_MAX];
    if (mlt_witness_open(&witness, cli->env, dir, true, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    mlt_vkey_format(vkey, mlt_witness_vkey(witness));
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "witness", mlt_witness_vkey(witness)->name);
    mlt_jw_member(&w, "vkey", vkey);
    mlt_jw_name(&w, "items");
    mlt_jw_array(&w);
    enum mlt_status status = mlt_witness_each(witness, write_log, &w, &err);
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
    mlt_witness_close(witness);
    int code = status != MLT_OK ? mlt_cli_fail_error(cli, &err)
                                : show(cli, mlt_buf_bytes(&out), columns, sizeof columns / sizeof columns[0]);
    mlt_buf_clear(&out);
    return code;
}

// trail_status asks the trail who cosigns it; false (1) when its policy is not met.
static int trail_status(struct mlt_cli *cli) {
    static const struct mlt_column columns[] = {{"WITNESS", "name", 40},          {"STATE", "state", 12},
                                                {"SIZE", "cosigned_size", 20},    {"COSIGNED AT", "cosigned_at", 30},
                                                {"LATENCY ms", "latency_ms", 10}, {"LAST ERROR", "last_error", 80}};
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    int code = mlt_cli_get(cli, "/v1/witnesses", NULL, &reply);
    if (code == 0) {
        code = show(cli, mlt_buf_bytes(&reply.body), columns, sizeof columns / sizeof columns[0]);
    }
    if (code == 0 && mlt_json_scan(&json, mlt_buf_bytes(&reply.body), NULL) == MLT_OK) {
        mlt_json_at met = mlt_json_path(&json, 0, "quorum_met");
        bool holds = met == MLT_JSON_NONE || mlt_json_is(&json, met, MLT_JSON_TRUE);
        if (!cli->json) {
            struct mlt_buf line = {0};
            mlt_json_show(&line, &json, mlt_json_get(&json, 0, "assurance"));
            mlt_cli_outf(cli, "%.*s\n", MLT_ARG(mlt_buf_bytes(&line)));
            mlt_buf_clear(&line);
        }
        code = holds ? MLT_EXIT_TRUE : MLT_EXIT_FALSE;
    }
    mlt_json_clear(&json);
    mlt_reply_clear(&reply);
    return code;
}

static int run(struct mlt_cli *cli) {
    const char *what = cli->args[0];
    const char *dir = cli->num_args > 1 ? cli->args[1] : NULL;
    if (strcmp(what, "init") == 0 && cli->num_args == 2) {
        return init(cli, dir);
    }
    if (strcmp(what, "add-log") == 0 && dir) {
        return add_logs(cli, dir);
    }
    if (strcmp(what, "serve") == 0 && cli->num_args == 2) {
        return mlt_witness_serve(cli, dir);
    }
    if (strcmp(what, "status") == 0 && cli->num_args <= 2) {
        return dir ? witness_status(cli, dir) : trail_status(cli);
    }
    return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                        "usage: mltrail witness init DIR --name NAME, witness add-log DIR VKEY ..., witness serve DIR, "
                        "or witness status [DIR]");
}

const struct mlt_cli_command mlt_cmd_witness = {
    .name = "witness",
    .args = "init DIR|add-log DIR VKEY...|serve DIR|status [DIR]",
    .summary = "cosign others' logs; see who cosigns the own",
    .text =
        "A witness (C2SP tlog-witness) remembers the largest tree that it has seen of each log it knows, and cosigns a "
        "checkpoint only when it extends that. Let somebody else run one for your trail, and run one for theirs. "
        "A log that changed its signing key is followed with its trail.json, which leads from the known key to the new "
        "one; what was cosigned before still counts. "
        "Without DIR, status is about the trail: who cosigned its checkpoint; it exits with 1 when the quorum of the "
        "policy given to \"mltrail serve --policy\" is not met.",
    .words = "init add-log serve status",
    .min_args = 1,
    .max_args = 2 + ADD_MAX,
    .options = options,
    .examples = examples,
    .run = run,
};
