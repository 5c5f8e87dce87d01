#include "cli/verify.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/transport.h"
#include "dossier/visible.h"
#include "record/json.h"

static const struct mlt_cli_option options[] = {
    {"key", 'k', "VKEY|FILE", "The trail's verifier key, from somebody other than the trail.", "<file>"},
    {"policy", 'p', "FILE", "A tlog-policy file: logs, witnesses, and how many of them must have cosigned.", "<file>"},
    {"entry", 'e', "FILE", "The exact bytes of the entry that a tlog-proof is about.", "<file>"},
    {"chain", 'c', "FILE", "The log's trail.json: it leads from the given key to the one that signed (files).",
     "<file>"},
    {"receipts", 'r', "FILE", "Receipts of \"append --receipts\": the trail must extend each of them (directories).",
     "<file>"},
    {"tsa-roots", 0, "FILE",
     "Check anchors too, against the time-stamping certificates in this PEM file (directories, bundles).", "<file>"},
    {"threads", 'n', "N", "Threads that hash and unseal (directories; default: one per processor).", NULL},
    {"no-payloads", 0, NULL, "Leave payloads sealed: their slots are checked, their commitments are not (directories).",
     NULL},
    {"resume", 0, "FILE",
     "Where an interrupted run leaves how far it came, and goes on from (directories; default: a file under "
     "~/.local/state/mltrail).",
     "<file>"},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail verify trail", "check everything in ./trail with the key in ./trail.state"},
    {"mltrail verify trail --no-payloads --threads 4", "entries and tree first, payloads another time"},
    {"mltrail verify copy --key trail.vkey --receipts receipts.ndjson", "check a copy, with what you hold yourself"},
    {"mltrail verify https://trail.example.com --key trail.vkey", "fetch everything and compute it again"},
    {"mltrail verify bundle.zip --key trail.vkey", "check an evidence bundle, without trail or network"},
    {"mltrail verify 17.tlog-proof --entry 17.entry --policy policy", "one entry, offline, as witnesses saw it"},
    {0},
};

// A rate is of the machine as it was just then: null where nothing was measured.
static uint64_t rate(uint64_t count, int64_t ns) {
    return ns > 0 ? (uint64_t)((double)count * 1e9 / (double)ns) : 0;
}

static void put_rate(struct mlt_json_writer *w, const char *name, uint64_t count, int64_t ns) {
    mlt_jw_name(w, name);
    ns > 0 ? mlt_jw_u64(w, rate(count, ns)) : mlt_jw_null(w);
}

static void print_rates(struct mlt_cli *cli, const struct mlt_verify_report *r) {
    if (cli->quiet || !cli->err_terminal || r->entries_ns <= 0) {
        return; // for people who watch: a file should be the same tomorrow
    }
    mlt_cli_note(cli, "%" PRIu64 " entries/s with their tree, %" PRIu64 " payloads/s (%s)",
                 rate(r->entries - r->resumed_at, r->entries_ns), rate(r->payloads, r->records_ns),
                 r->payloads_checked ? "unsealed" : "left sealed");
}

static void print_json(struct mlt_cli *cli, const struct mlt_verify_report *r, const char *signer,
                       const struct mlt_verify_trust *trust) {
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member_bool(&w, "verdict", r->verdict);
    mlt_jw_member_bool(&w, "authenticated", r->authenticated);
    mlt_jw_member(&w, "key", signer[0] ? signer : NULL);
    mlt_jw_member_u64(&w, "size", r->size);
    mlt_jw_name(&w, "root");
    mlt_jw_hex(&w, mlt_bytes_of(r->root, sizeof r->root));
    mlt_jw_member_u64(&w, "entries", r->entries);
    mlt_jw_member_u64(&w, "payloads", r->payloads);
    mlt_jw_member_u64(&w, "erased", r->erased);
    mlt_jw_member_u64(&w, "details", r->details);
    mlt_jw_member_u64(&w, "anchors", r->anchors);
    mlt_jw_member_u64(&w, "journal_groups", r->journal_groups);
    mlt_jw_member_u64(&w, "commitments", r->commitments);
    mlt_jw_member_u64(&w, "committed", r->committed);
    mlt_jw_member_bool(&w, "payloads_checked", r->payloads_checked);
    mlt_verify_trust_json(&w, trust);
    mlt_jw_member_u64(&w, "resumed_at", r->resumed_at);
    put_rate(&w, "entries_per_second", r->entries - r->resumed_at, r->entries_ns);
    put_rate(&w, "payloads_per_second", r->payloads, r->records_ns);
    mlt_jw_member_u64(&w, "num_faults", r->num_faults);
    mlt_jw_name(&w, "faults");
    mlt_jw_array(&w);
    for (size_t i = 0; i < r->num_faults && i < MLT_VERIFY_FAULTS_MAX; i++) {
        const struct mlt_verify_fault *f = &r->faults[i];
        mlt_jw_object(&w);
        mlt_jw_member(&w, "what", mlt_verify_what_name(f->what));
        mlt_jw_member(&w, "file", f->file);
        mlt_jw_name(&w, "index");
        f->has_index ? mlt_jw_u64(&w, f->index) : mlt_jw_null(&w);
        mlt_jw_member(&w, "text", f->text);
        mlt_jw_end_object(&w);
    }
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
    mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

static void print_fault(struct mlt_cli *cli, const struct mlt_verify_fault *f) {
    struct mlt_buf line = {0};
    mlt_buf_put_str(&line, mlt_verify_what_name(f->what));
    if (f->has_index) {
        mlt_buf_printf(&line, " %" PRIu64, f->index);
    }
    if (f->file[0]) {
        mlt_buf_put_str(&line, " (");
        mlt_visible_put(&line, mlt_str(f->file), MLT_VISIBLE_PLAIN);
        mlt_buf_put_str(&line, ")");
    }
    mlt_buf_put_str(&line, ": ");
    mlt_visible_put(&line, mlt_str(f->text), MLT_VISIBLE_PLAIN);
    mlt_buf_put_str(&line, "\n");
    mlt_cli_out(cli, mlt_buf_bytes(&line));
    mlt_buf_clear(&line);
}

static void print_text(struct mlt_cli *cli, const struct mlt_verify_report *r, const char *signer) {
    char root[2 * MLT_HASH_LEN + 1];
    for (size_t i = 0; i < r->num_faults && i < MLT_VERIFY_FAULTS_MAX; i++) {
        print_fault(cli, &r->faults[i]);
    }
    if (r->num_faults > MLT_VERIFY_FAULTS_MAX) {
        mlt_cli_outf(cli, "and %" PRIu64 " further faults\n", r->num_faults - MLT_VERIFY_FAULTS_MAX);
    }
    const char *on = cli->color ? (r->verdict && r->authenticated ? "\x1b[32m" : "\x1b[31m") : "";
    const char *off = cli->color ? "\x1b[0m" : "";
    struct mlt_buf key = {0};
    mlt_visible_put(&key, mlt_str(signer), MLT_VISIBLE_PLAIN);
    if (!r->verdict) {
        mlt_cli_outf(cli, "%sNOT VERIFIED%s: %" PRIu64 " fault%s\n", on, off, r->num_faults,
                     r->num_faults == 1 ? "" : "s");
    } else if (!r->authenticated) {
        mlt_cli_outf(
            cli, "%sconsistent with key %.*s, not authenticated%s; give --key with the key that its owner gave you\n",
            on, MLT_ARG(mlt_buf_bytes(&key)), off);
    } else {
        mlt_cli_outf(cli, "%sverified%s with key %.*s\n", on, off, MLT_ARG(mlt_buf_bytes(&key)));
    }
    mlt_hex_encode(root, mlt_bytes_of(r->root, sizeof r->root));
    if (r->resumed_at > 0) {
        mlt_cli_outf(cli, "entries below %" PRIu64 " were verified by an earlier run and not read again\n",
                     r->resumed_at);
    }
    mlt_cli_outf(cli, "size %" PRIu64 ", root %s\n", r->size, root);
    mlt_cli_outf(cli, "%" PRIu64 " entries, %" PRIu64 " payloads (%s), %" PRIu64 " erased, %" PRIu64 " details\n",
                 r->entries, r->payloads, r->payloads_checked ? "checked" : "not checked", r->erased, r->details);
    if (r->commitments > 0) {
        mlt_cli_outf(cli, "%" PRIu64 " commitments to the links of entries below %" PRIu64 "\n", r->commitments,
                     r->committed);
    }
    if (r->anchors > 0) {
        mlt_cli_outf(cli, "%" PRIu64 " anchors\n", r->anchors);
    }
    mlt_buf_clear(&key);
}

// name_key says which key a local trail was checked with: the given one, or the one in trail.json.
static void name_key(struct mlt_cli *cli, const struct mlt_vkey *key, const char *dir,
                     char signer[static MLT_VKEY_TEXT_MAX]) {
    struct mlt_buf text = {0};
    struct mlt_json json = {0};
    if (key) {
        mlt_vkey_format(signer, key);
        return;
    }
    const char *path = mlt_arena_printf(&cli->arena, "%s/trail.json", dir);
    if (path && mlt_env_read_file(cli->env, path, MLT_NOTE_MAX, &text, NULL) == MLT_OK &&
        mlt_json_scan(&json, mlt_buf_bytes(&text), NULL) == MLT_OK) {
        mlt_json_at keys = mlt_json_get(&json, 0, "keys");
        mlt_json_at at =
            mlt_json_is(&json, keys, MLT_JSON_ARRAY) ? mlt_json_first(&json, keys) : mlt_json_get(&json, 0, "vkey");
        struct mlt_bytes vkey = mlt_json_string(&json, at, &cli->arena);
        (void)snprintf(signer, MLT_VKEY_TEXT_MAX, "%.*s", MLT_ARG(vkey));
    }
    mlt_json_clear(&json);
    mlt_buf_clear(&text);
}

static int verify_trail(struct mlt_cli *cli, const char *trail, struct mlt_verify_trust *trust) {
    struct mlt_verify_report *report = mlt_arena_zero(&cli->arena, sizeof *report);
    char signer[MLT_VKEY_TEXT_MAX] = "";
    int code;
    if (!report) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    if (mlt_cli_is_url(trail)) {
        if (mlt_cli_value(cli, "receipts")) {
            return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--receipts checks directories; give the directory of the trail");
        }
        if (mlt_cli_value(cli, "tsa-roots")) {
            return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                                "--tsa-roots checks directories and bundles; \"mltrail anchor verify --trail "
                                "URL\" checks anchors from afar");
        }
        // A remembered key adds no log to those that a policy names.
        if (!trust->have_key && (!trust->policy || trust->policy->num_logs == 0)) {
            trust->have_key = trust->known = mlt_known_trail(cli, trail, &trust->key);
        }
        code = mlt_verify_url(cli, trail, trust, report, signer);
    } else {
        name_key(cli, trust->have_key ? &trust->key : NULL, trail, signer);
        code = mlt_verify_dir(cli, trail, trust, report);
    }
    if (code != 0) {
        return code == MLT_EXIT_FALSE ? MLT_EXIT_FAILED : code; // a missing tile means: could not be checked
    }
    if (cli->json) {
        print_json(cli, report, signer, trust);
    } else {
        print_text(cli, report, signer);
        mlt_verify_trust_print(cli, trust);
        print_rates(cli, report);
    }
    return report->verdict && report->authenticated ? MLT_EXIT_TRUE : MLT_EXIT_FALSE;
}

static int run(struct mlt_cli *cli) {
    const char *what = cli->num_args > 0 ? cli->args[0] : mlt_cli_trail(cli);
    struct mlt_verify_trust trust;
    int code;
    if (!what || !mlt_verify_trust_given(cli, &trust)) {
        return MLT_EXIT_USAGE;
    }
    const enum mlt_verify_file file = mlt_verify_file_of(what);
    if (file == MLT_FILE_PROOF) {
        code = mlt_verify_proof(cli, what, &trust);
    } else if (file == MLT_FILE_ARCHIVE) {
        code = mlt_verify_bundle(cli, what, &trust);
    } else if (file == MLT_FILE_LINES) {
        code = mlt_verify_lines(cli, what, &trust);
    } else if (mlt_cli_value(cli, "entry")) {
        code = mlt_cli_fail(cli, MLT_EXIT_USAGE, "--entry goes with a tlog-proof, which %s is not", what);
    } else if (trust.chain) {
        code = mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "--chain goes with a file: a bundle, an extract or a tlog-proof; %s has a trail.json of "
                            "its own",
                            what);
    } else if (file == MLT_FILE_OTHER) {
        code = mlt_cli_fail(cli, MLT_EXIT_FAILED,
                            "%s is nothing that can be checked: no evidence bundle, extract or tlog-proof, and no "
                            "directory of a trail",
                            what);
    } else {
        code = verify_trail(cli, what, &trust);
    }
    mlt_verify_trust_clear(&trust);
    return code;
}

const struct mlt_cli_command mlt_cmd_verify = {
    .name = "verify",
    .args = "[DIR|URL|FILE]",
    .summary = "check that a trail is what was signed",
    .text =
        "Reads everything, computes every hash again and compares it with the signed tree head. Changes and repairs "
        "nothing. Exits with 1 when anything is not as signed, and also when the key did not come from outside the "
        "thing verified. On a local directory the key in the state directory serves; for a URL it is --key, or the one "
        "remembered in ~/.config/mltrail/known_trails. With --policy the published checkpoint must satisfy the policy "
        "as "
        "well. A run over a directory that SIGINT or SIGTERM stops leaves where it was, and the same command goes on "
        "from there: the tree that is signed must grow out of what was verified. A tlog-proof is checked offline, "
        "against the entry given with --entry; an evidence bundle (a ZIP) is checked offline from its first byte to "
        "its "
        "last, and its dossier is made again from the entries in it. Where the log changed its key between the one "
        "given "
        "and the one that signed, --chain gives the log's trail.json, which leads from the one to the other; a bundle "
        "made after the change has it within.",
    .words = "<file>",
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
