#include <stdio.h>
#include <unistd.h>

#include "cli/pin.h"
#include "record/json.h"
#include "server/api.h"

static const struct mlt_cli_option options[] = {
    {"origin", 'o', "NAME", "Name of the trail, signed into every checkpoint (default: HOST/BASENAME).", NULL},
    {"raw", 0, NULL, "Make a plain transparency log: entries verbatim, no records.", NULL},
    {"public", 0, NULL, "Let anybody fetch the entries (never the payloads).", NULL},
    {"pkcs11", 0, "URI", "Sign with the Ed25519 key that a PKCS#11 token keeps.", NULL},
    {"pkcs11-kek", 0, "URI", "Wrap the key-encryption key with the AES key that a token keeps.", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail init trail --origin example.com/credit", "make ./trail, its keys in ./trail.state"},
    {"mltrail init /srv/trail --origin example.com/credit --state /secure/trail", "keep the keys on another disk"},
    {"mltrail init trail --pkcs11 'pkcs11:token=trail;object=signing' --pkcs11-kek 'pkcs11:token=trail;object=kek'",
     "keep them in a hardware security module"},
    {0},
};

#define HOST_NAME_MAX_LEN 256

// The name is not said in the directory, so it is made of what is at hand: host and last part of the path.
static const char *default_origin(struct mlt_cli *cli, const char *dir) {
    char host[HOST_NAME_MAX_LEN] = "localhost";
    (void)gethostname(host, sizeof host - 1);
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }
    size_t start = len;
    while (start > 0 && dir[start - 1] != '/') {
        start--;
    }
    return mlt_arena_printf(&cli->arena, "%s/%.*s", host, (int)(len - start), dir + start);
}

static enum mlt_status make_token(struct mlt_cli *cli, const char *state, const char *path, struct mlt_error *err) {
    struct mlt_grant grant = {.rights = MLT_MAY_ALL, .payloads = true};
    char token[64];
    char line[sizeof token + 1];
    enum mlt_status status = mlt_token_make(cli->env, state, "admin", &grant, 0, token, err);
    if (status == MLT_OK) {
        int len = snprintf(line, sizeof line, "%s\n", token);
        status = mlt_env_replace_file(cli->env, path, mlt_bytes_of(line, (size_t)len), true, err);
    }
    mlt_wipe(token, sizeof token);
    mlt_wipe(line, sizeof line);
    return status;
}

static enum mlt_status read_vkey(struct mlt_cli *cli, const struct mlt_trail_options *opt,
                                 char out[static MLT_VKEY_TEXT_MAX], struct mlt_error *err) {
    struct mlt_trail *trail = NULL;
    struct mlt_trail_options reading = *opt;
    reading.read_only = true;
    enum mlt_status status = mlt_trail_open(&trail, cli->env, &reading, err);
    if (status == MLT_OK) {
        mlt_vkey_format(out, mlt_trail_vkey(trail));
        status = mlt_trail_close(trail, err);
    }
    return status;
}

static void tell(struct mlt_cli *cli, const char *dir, const char *state, const char *token_path, const char *vkey,
                 const char *origin) {
    if (cli->json) {
        struct mlt_buf out = {0};
        struct mlt_json_writer w;
        mlt_jw_init(&w, &out);
        mlt_jw_object(&w);
        mlt_jw_member(&w, "trail", dir);
        mlt_jw_member(&w, "origin", origin);
        mlt_jw_member(&w, "vkey", vkey);
        mlt_jw_member(&w, "state", state);
        mlt_jw_member(&w, "token_file", token_path);
        mlt_jw_end_object(&w);
        mlt_cli_out_json(cli, mlt_buf_bytes(&out));
        mlt_buf_clear(&out);
        return;
    }
    mlt_cli_outf(cli,
                 "Made the trail %s in %s.\n\n"
                 "Verifier key (give it to everybody who is to check the trail):\n  %s\n\n"
                 "Signing key and tokens are in %s: keep it private and back it up apart from the trail.\n"
                 "The token with every grant is in %s.\n\n"
                 "Next:\n"
                 "  mltrail serve %s\n"
                 "  mltrail --trail %s append < records.ndjson\n",
                 origin, dir, vkey, state, token_path, dir, dir);
}

static int run(struct mlt_cli *cli) {
    const char *dir = cli->args[0];
    const char *state = mlt_cli_state_of(cli, dir);
    const char *origin = mlt_cli_value(cli, "origin");
    origin = origin ? origin : default_origin(cli, dir);
    const char *token_path = mlt_arena_printf(&cli->arena, "%s/admin.token", state);
    struct mlt_trail_options opt = {.dir = dir,
                                    .state_dir = state,
                                    .pin = mlt_cli_pin(cli),
                                    .signing_uri = mlt_cli_value(cli, "pkcs11"),
                                    .kek_uri = mlt_cli_value(cli, "pkcs11-kek")};
    char vkey[MLT_VKEY_TEXT_MAX];
    struct mlt_error err = {0};
    if (mlt_cli_is_url(dir)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "%s is a URL; a trail is made in a directory", dir);
    }
    if (!origin || !mlt_note_name_valid(mlt_str(origin))) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "\"%s\" cannot be an origin; give --origin a name without spaces and '+', such as "
                            "example.com/credit",
                            origin ? origin : "");
    }
    if (mlt_trail_create(cli->env, &opt, origin, mlt_cli_flag(cli, "raw"), mlt_cli_flag(cli, "public"), &err) !=
            MLT_OK ||
        make_token(cli, state, token_path, &err) != MLT_OK || read_vkey(cli, &opt, vkey, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    tell(cli, dir, state, token_path, vkey, origin);
    return MLT_EXIT_TRUE;
}

const struct mlt_cli_command mlt_cmd_init = {
    .name = "init",
    .args = "DIR",
    .summary = "make a trail and its key",
    .text = "Makes the directory DIR with an empty trail, and beside it a directory with the signing key, the key that "
            "payloads are sealed with, and the first token. An existing trail is never touched.",
    .words = "<dir>",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
