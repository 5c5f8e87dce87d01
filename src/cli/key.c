#include <inttypes.h>
#include <unistd.h>

#include "cli/confirm.h"
#include "cli/pin.h"
#include "cli/transport.h"
#include "record/json.h"
#include "server/api.h"
#include "server/witnessing.h"
#include "trail/keys.h"
#include "trail/meta.h"

static const struct mlt_cli_option options[] = {
    {"reason", 'r', "TEXT", "Why the key changes; kept in the trail (with rotate-signing and rotate-kek).", NULL},
    {"pkcs11", 0, "URI", "Take the new signing key from a token, or wrap the new kek with the token's AES key.", NULL},
    {"in-file", 0, NULL, "Let the key leave the token that it is in.", NULL},
    {"yes", 'y', NULL, "Do not ask (with rotate-kek).", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail key show", "which keys the trail has and had"},
    {"mltrail key export > trail.vkey", "the verifier key, for those who check the trail"},
    {"mltrail key rotate-signing --reason \"yearly\"", "go on with a new signing key"},
    {"mltrail key rotate-signing --reason \"into the HSM\" --pkcs11 'pkcs11:token=trail;object=signing'",
     "go on with a key that a token keeps"},
    {"mltrail key rotate-kek --reason \"erasures of May hold in backups\" --yes",
     "destroy the key that older backups need"},
    {0},
};

// What `show` says, from a directory or, without what is in <state>, from a URL.
struct shown {
    struct mlt_key_chain chain;
    bool has_state;
    bool signing_in_token;
    bool kek_in_token;
    bool kek_unfinished;
    char fingerprint[2 * MLT_KEK_FINGERPRINT_LEN + 1];
};

static void show_json(struct mlt_cli *cli, const struct shown *s) {
    struct mlt_buf out = {0};
    struct mlt_buf note = {0};
    struct mlt_json_writer w;
    char vkey[MLT_VKEY_TEXT_MAX];
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "origin", s->chain.keys[0].name);
    mlt_jw_name(&w, "keys");
    mlt_jw_array(&w);
    for (size_t i = 0; i < s->chain.num_keys; i++) {
        mlt_jw_object(&w);
        mlt_vkey_format(vkey, &s->chain.keys[i]);
        mlt_jw_member(&w, "vkey", vkey);
        mlt_jw_name(&w, "since_size");
        mlt_jw_u64(&w, i + 1 < s->chain.num_keys ? s->chain.links[i].kept : 0);
        mlt_jw_name(&w, "until_size");
        i > 0 ? mlt_jw_u64(&w, s->chain.links[i - 1].size) : mlt_jw_null(&w);
        mlt_jw_name(&w, "statement");
        if (i + 1 < s->chain.num_keys) {
            mlt_buf_reset(&note);
            mlt_key_link_format(&note, &s->chain.links[i], &s->chain.keys[i + 1], &s->chain.keys[i]);
            mlt_jw_string(&w, mlt_buf_bytes(&note));
        } else {
            mlt_jw_null(&w);
        }
        mlt_jw_end_object(&w);
    }
    mlt_jw_end_array(&w);
    if (s->has_state) {
        mlt_jw_member(&w, "signing_key_in", s->signing_in_token ? "token" : "file");
        mlt_jw_member(&w, "kek_in", s->kek_in_token ? "token" : "file");
        mlt_jw_member(&w, "kek_fingerprint", s->fingerprint[0] ? s->fingerprint : NULL);
        mlt_jw_member_bool(&w, "kek_rotation_unfinished", s->kek_unfinished);
    }
    mlt_jw_end_object(&w);
    mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
    mlt_buf_clear(&note);
}

static void show_text(struct mlt_cli *cli, const struct shown *s) {
    char vkey[MLT_VKEY_TEXT_MAX];
    for (size_t i = 0; i < s->chain.num_keys; i++) {
        mlt_vkey_format(vkey, &s->chain.keys[i]);
        mlt_cli_outf(cli, "%s %s\n", i == 0 ? "in use: " : "before: ", vkey);
        if (i + 1 < s->chain.num_keys) {
            const struct mlt_key_link *link = &s->chain.links[i];
            mlt_cli_outf(cli, "         since size %" PRIu64, link->kept);
            if (link->kept < link->size) {
                mlt_cli_outf(cli, ", as the successor of a trail of size %" PRIu64 ": %" PRIu64 " entries were lost",
                             link->size, link->size - link->kept);
            }
            mlt_cli_outf(cli, "\n");
        }
    }
    if (s->has_state) {
        mlt_cli_outf(cli, "signing key: in a %s\n", s->signing_in_token ? "PKCS#11 token" : "file");
        mlt_cli_outf(cli, "key-encryption key: %s, fingerprint %s%s\n",
                     s->kek_in_token ? "wrapped by a PKCS#11 token" : "in a file",
                     s->fingerprint[0] ? s->fingerprint : "not known without the token",
                     s->kek_unfinished ? "; its rotation is not finished, \"mltrail key rotate-kek\" goes on" : "");
    }
}

// Keys and links have to be good before they are shown as the trail's.
static enum mlt_status check_chain(const struct mlt_key_chain *chain, struct mlt_error *err) {
    return mlt_key_chain_leads(chain, &chain->keys[0])
               ? MLT_OK
               : mlt_fail(err, MLT_CORRUPT, "a change of keys has a bad signature (FORMAT.md, Keys)");
}

static enum mlt_status read_dir(struct mlt_cli *cli, const char *dir, struct shown *out, struct mlt_error *err) {
    const char *state_dir = mlt_cli_state_of(cli, dir);
    const char *path = mlt_arena_printf(&cli->arena, "%s/signing.key", state_dir);
    struct mlt_key_file *file = mlt_arena_zero(&cli->arena, sizeof *file);
    struct mlt_record_keys keys = {0};
    struct mlt_kek kek = {0};
    if (!path || !file) {
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    enum mlt_status st = mlt_key_file_read(file, cli->env, path, err);
    st = st ? st : check_chain(&file->chain, err);
    if (!st) {
        out->chain = file->chain;
        out->has_state = true;
        out->signing_in_token = mlt_key_file_in_token(file);
        st = mlt_kek_load(&keys, &kek, cli->env, state_dir, NULL, err);
        out->kek_in_token = kek.uri[0] != '\0';
        if (!st) {
            mlt_kek_fingerprint(out->fingerprint, keys.kek);
            out->kek_unfinished = keys.has_old_kek;
        } else if (out->kek_in_token) {
            st = MLT_OK; // nobody is asked for a PIN to be shown this
        }
    }
    mlt_wipe(file, sizeof *file);
    mlt_wipe(&keys, sizeof keys);
    mlt_wipe(&kek, sizeof kek);
    return st;
}

static int read_url(struct mlt_cli *cli, struct shown *out) {
    struct mlt_reply reply = {0};
    struct mlt_error err = {0};
    struct mlt_meta *meta = mlt_arena_zero(&cli->arena, sizeof *meta);
    if (!meta) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    int code = mlt_cli_get(cli, "/trail.json", NULL, &reply);
    if (code == 0 && (mlt_meta_parse(meta, mlt_buf_bytes(&reply.body), &err) != MLT_OK ||
                      check_chain(&meta->chain, &err) != MLT_OK)) {
        code = mlt_cli_fail(cli, MLT_EXIT_FAILED, "what is served as trail.json is none: %s", err.text);
    }
    out->chain = meta->chain;
    mlt_reply_clear(&reply);
    return code;
}

static int read_shown(struct mlt_cli *cli, const char *trail, struct shown **out) {
    struct mlt_error err = {0};
    *out = mlt_arena_zero(&cli->arena, sizeof **out);
    if (!*out) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    if (mlt_cli_is_url(trail)) {
        return read_url(cli, *out);
    }
    return read_dir(cli, trail, *out, &err) == MLT_OK ? 0 : mlt_cli_fail_error(cli, &err);
}

static int show(struct mlt_cli *cli, const char *trail) {
    struct shown *s;
    int code = read_shown(cli, trail, &s);
    if (code == 0) {
        cli->json ? show_json(cli, s) : show_text(cli, s);
    }
    return code;
}

static int export_vkey(struct mlt_cli *cli, const char *trail) {
    struct shown *s;
    char vkey[MLT_VKEY_TEXT_MAX];
    int code = read_shown(cli, trail, &s);
    if (code == 0) {
        mlt_vkey_format(vkey, &s->chain.keys[0]);
        mlt_cli_outf(cli, "%s\n", vkey);
    }
    return code;
}

// --- changes ---

static int explain(struct mlt_cli *cli, const struct mlt_error *err) {
    if (err->status == MLT_BUSY) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "%s; stop the server first: keys change while nobody writes",
                            err->text);
    }
    return mlt_cli_fail_error(cli, err);
}

// ready refuses what cannot be done, before anybody is asked.
static int ready(struct mlt_cli *cli, const char *trail, struct mlt_key_change *how) {
    struct mlt_principal *who = mlt_arena_zero(&cli->arena, sizeof *who);
    if (!who) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    if (mlt_cli_is_url(trail)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "keys change where the trail is; give --trail DIR instead of a URL");
    }
    if (mlt_transport_served(trail)) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED,
                            "%s is being served; stop the server first: keys change while nobody "
                            "writes",
                            trail);
    }
    mlt_principal_local(who, (unsigned)geteuid());
    *how = (struct mlt_key_change){.by = who->name,
                                   .reason = mlt_cli_value(cli, "reason"),
                                   .uri = mlt_cli_value(cli, "pkcs11"),
                                   .in_file = mlt_cli_flag(cli, "in-file")};
    if (!how->reason || !how->reason[0]) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "a change needs --reason TEXT, which the trail keeps");
    }
    return 0;
}

static int rotate_signing(struct mlt_cli *cli, const char *trail) {
    struct mlt_key_change how;
    struct mlt_error err = {0};
    struct mlt_trail_options opt = {.dir = trail, .state_dir = mlt_cli_state(cli), .pin = mlt_cli_pin(cli)};
    bool watched = false;
    int code = ready(cli, trail, &how);
    if (code != 0) {
        return code;
    }
    if (mlt_witnessing_hold(cli->env, &opt, &watched, &err) != MLT_OK ||
        mlt_trail_rotate_signing(cli->env, &opt, &how, &err) != MLT_OK) {
        return explain(cli, &err);
    }
    mlt_cli_note(cli, "the key is replaced; who trusts the old one is led to the new one by trail.json");
    if (watched) {
        mlt_cli_note(cli,
                     "the witnesses of the policy cosign nothing by the new key before their operators have followed "
                     "it: give them %s/trail.json, for `mltrail witness add-log DIR trail.json`",
                     trail);
    }
    return show(cli, trail);
}

static void tell_kek(struct mlt_cli *cli, const struct mlt_kek_change *done) {
    if (cli->json) {
        struct mlt_buf out = {0};
        struct mlt_json_writer w;
        mlt_jw_init(&w, &out);
        mlt_jw_object(&w);
        mlt_jw_member_bool(&w, "resumed", done->resumed);
        mlt_jw_member(&w, "old_fingerprint", done->old_fingerprint);
        mlt_jw_member(&w, "new_fingerprint", done->new_fingerprint);
        mlt_jw_member_u64(&w, "secrets", done->num_wrapped);
        mlt_jw_member_u64(&w, "erased", done->num_erased);
        mlt_jw_end_object(&w);
        mlt_cli_out_json(cli, mlt_buf_bytes(&out));
        mlt_buf_clear(&out);
        return;
    }
    mlt_cli_outf(cli, "%s: %" PRIu64 " secrets are under the key %s, %s is destroyed\n",
                 done->resumed ? "an interrupted rotation was finished" : "rotated", done->num_wrapped,
                 done->new_fingerprint, done->old_fingerprint);
    mlt_cli_note(cli, "payloads in copies made before cannot be opened any more; make a new backup now");
}

static int rotate_kek(struct mlt_cli *cli, const char *trail) {
    struct mlt_key_change how;
    struct mlt_kek_change done;
    struct mlt_error err = {0};
    struct mlt_progress progress;
    struct mlt_trail_options opt = {.dir = trail, .state_dir = mlt_cli_state(cli), .pin = mlt_cli_pin(cli)};
    bool watched = false;
    int code = ready(cli, trail, &how);
    code = code ? code
                : mlt_cli_confirm(cli, "Every secret goes under a new key, and the old key is destroyed: payloads in "
                                       "backups made so far cannot be opened any more.");
    if (code != 0) {
        return code;
    }
    mlt_progress_init(&progress, cli, "rewrapping");
    how.progress = mlt_progress_step;
    how.progress_arg = &progress;
    enum mlt_status st = mlt_witnessing_hold(cli->env, &opt, &watched, &err);
    st = st ? st : mlt_trail_rotate_kek(cli->env, &opt, &how, &done, &err);
    mlt_progress_end(&progress);
    if (st != MLT_OK) {
        return explain(cli, &err);
    }
    tell_kek(cli, &done);
    return 0;
}

static int run(struct mlt_cli *cli) {
    static const struct {
        const char *name;
        int (*run)(struct mlt_cli *cli, const char *trail);
    } verbs[] = {
        {"show", show}, {"export", export_vkey}, {"rotate-signing", rotate_signing}, {"rotate-kek", rotate_kek}};
    const char *trail = mlt_cli_trail(cli);
    if (!trail) {
        return MLT_EXIT_USAGE;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(cli->args[0], verbs[i].name) == 0) {
            return verbs[i].run(cli, trail);
        }
    }
    return mlt_cli_fail(cli, MLT_EXIT_USAGE, "usage: mltrail key show, export, rotate-signing, or rotate-kek");
}

const struct mlt_cli_command mlt_cmd_key = {
    .name = "key",
    .args = "show|export|rotate-signing|rotate-kek",
    .summary = "show and replace the keys of a trail",
    .text =
        "A new signing key is signed for by the old one and signs for it: who trusts either can verify the whole "
        "trail, "
        "and receipts from before hold. A new key-encryption key makes payloads in older backups unreadable, which is "
        "how an erasure holds there. Keys change while nobody writes: stop the server first. A change that was "
        "interrupted leaves a trail that opens; rotate-kek goes on where it was.",
    .words = "show export rotate-signing rotate-kek",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
