#include "cli/json_text.h"
#include "cli/transport.h"
#include "dossier/dossier.h"
#include "record/kind.h"

static const struct mlt_cli_option options[] = {
    {"format", 'f', "FORMAT", "text, json, html or bundle (default: text).", "text json html bundle"},
    {"output", 'o', "FILE", "Write to FILE instead of standard output.", "<file>"},
    {"at-size", 0, "N", "Answer as of the first N entries: the same bytes whenever it is asked.", NULL},
    {"disclose", 0, "LIST",
     "Of a bundle: the payload members to show, comma-separated (default: all that you may see).", NULL},
    {"mask", 0, "LIST", "Of a bundle: payload members to leave out; that they were recorded stays proved.", NULL},
    {"strict", 0, NULL, "Exit with 1 when there are findings.", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail report req-8f2c", "the whole story behind one prediction"},
    {"mltrail report req-8f2c --format html -o dossier.html", "the same as one file to hand on"},
    {"mltrail report req-8f2c --format bundle -o evidence.zip", "evidence that verifies offline (mltrail verify)"},
    {"mltrail report req-8f2c --format bundle --mask subject,feature_values -o evidence.zip", "without who it was"},
    {"mltrail report req-8f2c --strict --quiet > /dev/null", "a check for scripts"},
    {0},
};

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_HTML, FORMAT_BUNDLE, FORMAT_UNKNOWN };

static enum format chosen_format(const struct mlt_cli *cli) {
    static const char *const names[] = {"text", "json", "html", "bundle"};
    const char *name = mlt_cli_value(cli, "format");
    if (!name) {
        return cli->json ? FORMAT_JSON : FORMAT_TEXT;
    }
    for (int i = 0; i < FORMAT_UNKNOWN; i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum format)i;
        }
    }
    return FORMAT_UNKNOWN;
}

static int print(struct mlt_cli *cli, enum format format, struct mlt_bytes dossier) {
    const char *file = mlt_cli_value(cli, "output");
    bool to_terminal = !file || strcmp(file, "-") == 0;
    struct mlt_buf out = {0};
    struct mlt_error err = {0};
    enum mlt_status status = MLT_OK;
    if (format == FORMAT_JSON && to_terminal) {
        mlt_cli_out_json(cli, dossier);
        return 0;
    }
    if (format == FORMAT_JSON) {
        mlt_buf_put_bytes(&out, dossier);
    } else if (format == FORMAT_HTML) {
        status = mlt_dossier_html(dossier, &out, &err);
    } else {
        status = mlt_dossier_text(dossier, cli->color && to_terminal, to_terminal ? mlt_cli_width() : 0, &out, &err);
    }
    int code = status == MLT_OK ? mlt_cli_out_to(cli, file, mlt_buf_bytes(&out)) : mlt_cli_fail_error(cli, &err);
    mlt_buf_clear(&out);
    return code;
}

// passes says whether a dossier holds under --strict: no finding, and every entry it rests on is proved.
static bool passes(struct mlt_cli *cli, struct mlt_bytes dossier) {
    struct mlt_json json = {0};
    bool pass = false;
    if (mlt_json_scan(&json, dossier, NULL) == MLT_OK) {
        mlt_json_at verdict = mlt_json_path(&json, 0, "integrity/verdict");
        pass = mlt_json_first(&json, mlt_json_get(&json, 0, "findings")) == MLT_JSON_NONE &&
               mlt_bytes_is(mlt_json_string(&json, verdict, &cli->arena), "verified");
    }
    mlt_json_clear(&json);
    return pass;
}

static struct mlt_bytes without_entry(struct mlt_bytes name) {
    const uint8_t *dot = name.len > 0 ? memchr(name.ptr, '.', name.len) : NULL;
    const size_t skip = dot ? (size_t)(dot - name.ptr) + 1 : 0;
    return mlt_bytes_of(name.ptr + skip, name.len - skip);
}

// Members that no table has can be masked as well: a name that is not known is remarked on, for it may be a slip that
// shows what was to be hidden.
static void remark_on_names(struct mlt_cli *cli, const char *option) {
    const char *list = mlt_cli_value(cli, option);
    while (list && *list) {
        const size_t len = strcspn(list, ",");
        const struct mlt_bytes name = without_entry(mlt_bytes_of(list, len));
        bool payload = false, fact = false;
        for (int k = 0; k < MLT_NUM_KINDS; k++) {
            const struct mlt_member *m = mlt_kind_member(mlt_kind_info((enum mlt_kind)k), name);
            payload = payload || (m && (m->flags & MLT_M_PAYLOAD));
            fact = fact || (m && !(m->flags & MLT_M_PAYLOAD));
        }
        if (!payload) {
            mlt_cli_note(cli, "--%s \"%.*s\": %s", option, (int)len, list,
                         fact ? "that is a fact, and facts are always shown"
                              : "no kind of record has a payload member of this name");
        }
        list += len + (list[len] == ',');
    }
}

static int check_combination(struct mlt_cli *cli, enum format format) {
    const char *file = mlt_cli_value(cli, "output");
    if (format != FORMAT_BUNDLE && (mlt_cli_value(cli, "disclose") || mlt_cli_value(cli, "mask"))) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "--disclose and --mask choose what a bundle shows; add --format bundle");
    }
    if (format == FORMAT_BUNDLE && mlt_cli_flag(cli, "strict")) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "--strict reads findings; ask for text, json or html, and for the "
                            "bundle by itself");
    }
    if (format == FORMAT_BUNDLE && cli->out_terminal && (!file || strcmp(file, "-") == 0)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "a bundle is a ZIP and no text; name a file with -o");
    }
    return 0;
}

static int run(struct mlt_cli *cli) {
    enum format format = chosen_format(cli);
    if (format == FORMAT_UNKNOWN) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no format \"%s\"; there are text, json, html and bundle",
                            mlt_cli_value(cli, "format"));
    }
    uint64_t at_size;
    if (!mlt_cli_number(cli, "at-size", &at_size)) {
        return MLT_EXIT_USAGE;
    }
    int code = check_combination(cli, format);
    if (code != 0) {
        return code;
    }
    remark_on_names(cli, "mask");
    remark_on_names(cli, "disclose");
    struct mlt_buf path = {0};
    struct mlt_buf query = {0};
    struct mlt_reply reply = {0};
    mlt_buf_put_str(&path, "/v1/predictions");
    mlt_path_add(&path, mlt_str(cli->args[0]));
    mlt_buf_put_str(&path, "/dossier");
    mlt_query_add(&query, "format", format == FORMAT_BUNDLE ? "bundle" : "json");
    mlt_query_add(&query, "at_size", mlt_cli_value(cli, "at-size"));
    mlt_query_add(&query, "disclose", mlt_cli_value(cli, "disclose"));
    mlt_query_add(&query, "mask", mlt_cli_value(cli, "mask"));
    code = mlt_cli_get(cli, mlt_buf_cstr(&path), mlt_buf_cstr(&query), &reply);
    if (code == 0 && format == FORMAT_BUNDLE) {
        code = mlt_cli_out_to(cli, mlt_cli_value(cli, "output"), mlt_buf_bytes(&reply.body));
    } else if (code == 0) {
        code = print(cli, format, mlt_buf_bytes(&reply.body));
    }
    if (code == 0 && mlt_cli_flag(cli, "strict") && !passes(cli, mlt_buf_bytes(&reply.body))) {
        code = MLT_EXIT_FALSE;
    }
    mlt_reply_clear(&reply);
    mlt_buf_clear(&path);
    mlt_buf_clear(&query);
    return code;
}

const struct mlt_cli_command mlt_cmd_report = {
    .name = "report",
    .args = "REQUEST_ID",
    .summary = "print the dossier of a prediction",
    .text = "Prints everything that the trail knows behind the prediction with this request id: source data, training "
            "data, training, approval, deployment, the prediction, who looked at it, and what is missing or "
            "contradictory. Exits with 1 when no prediction has this id.",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
