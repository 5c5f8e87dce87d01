#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/export_extract.h"

static const struct mlt_cli_option options[] = {
    {"from", 0, "TIME", "Not received before: a date or an RFC 3339 time.", NULL},
    {"to", 0, "TIME", "Received before: a date or an RFC 3339 time.", NULL},
    {"from-entry", 0, "N", "From this entry of the log on.", NULL},
    {"to-entry", 0, "N", "Up to this entry, itself not included.", NULL},
    {"kind", 'k', "KIND", "Records of this kind; of a bundle, payloads of this kind.",
     "prediction dataset.version training.run model.version approval transition access decision oversight explanation "
     "notice outcome correction tally control alert export erasure hold anchor"},
    {"model", 'm', "MODEL", "Records about this model; of a bundle, payloads about it.", NULL},
    {"format", 'f', "FORMAT", "ndjson: one entry a line (default). bundle: a ZIP of every entry of the range.",
     "ndjson bundle"},
    {"output", 'o', "FILE", "Write to FILE instead of standard output.", "<file>"},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail export --from 2026-11-01 --to 2026-12-01 > november.ndjson", "the entries of a month"},
    {"mltrail export --kind transition --model credit", "the deployments of one model"},
    {"mltrail export --from 2026-11-01 --to 2026-12-01 --format bundle -o november.zip",
     "as one file that verifies offline"},
    {"mltrail verify november.zip --key trail.vkey", "nothing of that month is missing"},
    {0},
};

static void put_line(struct mlt_cli *cli, FILE *file, struct mlt_bytes line) {
    if (!file) {
        mlt_cli_out_json(cli, line);
    } else if (line.len > 0) {
        (void)fwrite(line.ptr, 1, line.len, file); // ferror tells at the end
        (void)putc('\n', file);
    }
}

// A line of the trail's answer goes out as it came.
static int put_lines(struct mlt_cli *cli, struct mlt_extract *x, FILE *file) {
    struct mlt_extract_pages pages;
    struct mlt_json json = {0};
    struct mlt_bytes line;
    int code = 0;
    mlt_extract_pages_init(&pages, x, true, "plain");
    while (code == 0 && !cli->out_closed && (code = mlt_extract_pages_next(&pages, &line)) == 0 && line.len > 0) {
        uint64_t index;
        if (mlt_json_scan(&json, line, NULL) != MLT_OK ||
            !mlt_json_u64(&json, mlt_json_get(&json, 0, "index"), &index)) {
            code = mlt_cli_fail(cli, MLT_EXIT_FAILED, "the trail's answer is no extract");
        } else if ((code = mlt_extract_shown(x, index)) == 0) {
            put_line(cli, file, line);
        }
    }
    mlt_json_clear(&json);
    mlt_extract_pages_clear(&pages);
    return code;
}

static int export_to(struct mlt_cli *cli, struct mlt_extract *x, FILE *file) {
    struct mlt_buf statement = {0};
    int code = put_lines(cli, x, file);
    code = code == 0 ? mlt_extract_close(x) : code;
    if (code == 0) {
        mlt_extract_put(&statement, &x->statement);
        put_line(cli, file, mlt_buf_bytes(&statement));
        code = statement.failed ? mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory") : 0;
    }
    mlt_buf_clear(&statement);
    return code;
}

// A file is there whole or not at all.
static int export_file(struct mlt_cli *cli, struct mlt_extract *x, const char *path) {
    const char *part = mlt_arena_printf(&cli->arena, "%s.part", path);
    FILE *file = part ? mlt_export_create(part) : NULL;
    if (!file) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "cannot write %s.part: %s", path, strerror(errno));
    }
    int code = export_to(cli, x, file);
    const bool written = !ferror(file) && fflush(file) == 0;
    (void)fclose(file);
    if (code == 0 && (!written || rename(part, path) != 0)) {
        code = mlt_cli_fail(cli, MLT_EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
    }
    if (code != 0) {
        (void)unlink(part);
    }
    return code;
}

static int run(struct mlt_cli *cli) {
    const char *format = mlt_cli_value(cli, "format"), *file = mlt_cli_value(cli, "output");
    const bool bundle = format && strcmp(format, "bundle") == 0;
    struct mlt_extract x;
    if (format && !bundle && strcmp(format, "ndjson") != 0) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no format \"%s\"; there are ndjson and bundle", format);
    }
    if (bundle && (!file || strcmp(file, "-") == 0)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "a bundle is a ZIP; name a file with -o");
    }
    if (!mlt_cli_kind(cli)) {
        return MLT_EXIT_USAGE;
    }
    int code = mlt_extract_open(cli, &x);
    if (code == 0) {
        code = bundle                           ? mlt_export_archive(cli, &x, file)
               : file && strcmp(file, "-") != 0 ? export_file(cli, &x, file)
                                                : export_to(cli, &x, NULL);
    }
    mlt_extract_clear(&x);
    return code;
}

const struct mlt_cli_command mlt_cmd_export = {
    .name = "export",
    .args = "",
    .summary = "print entries, one a line",
    .text =
        "Prints the entries of a range that satisfy every filter given, as JSON, one a line, in log order, and after "
        "them a line that proves that the range is whole (\"mltrail verify FILE\"). As a bundle: a ZIP of every "
        "entry of the range, with salts for the payload members in it; there a filter holds back payloads alone.",
    .options = options,
    .examples = examples,
    .run = run,
};
