// `mltrail import`: what other systems left in files becomes records. Records have the identities that their systems
// gave them, so that an import that was broken off is simply run again: what is there already is known again.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "capture/bentoml.h"
#include "capture/kserve_blob.h"
#include "capture/sagemaker.h"
#include "cli/batch.h"
#include "cli/import.h"
#include "cli/lines.h"
#include "cli/mlflow_source.h"

#define PIECE_LINES 1000
#define PIECE_BYTES ((size_t)8 * 1024 * 1024)
#define GROUP_LINES 100000                    // lines that must not be parted; more is no group
#define WHOLE_MAX ((size_t)256 * 1024 * 1024) // a file that is one message
#define LINE_MAX_BYTES ((size_t)32 * 1024 * 1024)
#define REJECTED_KEPT ((size_t)4096) // of a rejected line: enough to see what it was

static const struct mlt_cli_option options[] = {
    {"set", 's', "NAME=VALUE",
     "Add this member to the records that lack it, such as model=credit or serving_node=a1; may be given several "
     "times.",
     NULL},
    {"schema", 0, "FILE", "bentoml: the schema log (default: beside the data, ../schema/schema.N.log).", "<file>"},
    {"zone", 'z', "ZONE", "bentoml: zone of times that have none, Z (default) or such as +01:00.", NULL},
    MLT_MLFLOW_SOURCE_OPTIONS,
    {"experiment", 'e', "NAME", "mlflow: the runs of this experiment alone; may be given several times.", NULL},
    {"dry-run", 0, NULL, "mlflow: read everything and say what would be appended.", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail import bentoml monitoring/credit/data/data.*.log", "rows that a BentoML service monitored"},
    {"mltrail import sagemaker --set model=credit --set model_version=7 "
     "capture/credit/AllTraffic/2026/11/23/09/*.jsonl",
     "captured calls of an endpoint; its name is taken from the path"},
    {"mltrail import kserve-blob logs/credit/predictor/*.json", "requests and responses that KServe's logger stored"},
    {"mltrail import ndjson --json records.ndjson", "records as they are"},
    {"mltrail import mlflow http://127.0.0.1:5000", "runs, models, versions, stages and aliases of an MLflow server"},
    {"mltrail import mlflow https://mlflow.example.com --user audit --password-file pw --dry-run",
     "what that would append"},
    {0},
};

struct mlt_import {
    struct mlt_cli *cli;
    const struct mlt_import_format *format;
    const char *source; // file or address, for messages
    struct mlt_buf batch;
    struct {
        uint64_t number;
        bool told; // it was rejected here, and goes to the trail to be kept
    } sent[MLT_BATCH_RECORDS];
    size_t num_sent;
    uint64_t records; // of the source
    uint64_t accepted, duplicates, rejected, ignored;
    uint64_t files, bytes, total_bytes;
    struct mlt_progress progress;
};

static void tell(struct mlt_import *im, const char *what, uint64_t number, struct mlt_bytes pointer,
                 struct mlt_bytes detail) {
    mlt_batch_tell(&im->progress, im->source, what, number, pointer, detail);
}

// --- sending ---

static void tell_problem(void *arg, uint64_t line, struct mlt_bytes pointer, struct mlt_bytes detail) {
    struct mlt_import *im = arg;
    if (line >= 1 && line <= im->num_sent && !im->sent[line - 1].told) {
        tell(im, "record", im->sent[line - 1].number, pointer, detail);
    }
}

static int flush(struct mlt_import *im) {
    struct mlt_batch_answer answer = {0};
    if (im->num_sent == 0) {
        return 0;
    }
    int code = im->batch.failed ? mlt_cli_fail(im->cli, MLT_EXIT_FAILED, "no memory for a batch")
                                : mlt_batch_send(im->cli, mlt_buf_bytes(&im->batch), NULL, &im->progress, &answer);
    im->accepted += answer.accepted;
    im->duplicates += answer.duplicates;
    im->rejected += answer.rejected;
    mlt_batch_each_problem(&answer, tell_problem, im);
    mlt_batch_answer_clear(&answer);
    mlt_buf_reset(&im->batch);
    im->num_sent = 0;
    return code;
}

static int sent(struct mlt_import *im, uint64_t number, bool told) {
    mlt_buf_put_u8(&im->batch, '\n');
    im->sent[im->num_sent].number = number;
    im->sent[im->num_sent++].told = told;
    return im->num_sent == MLT_BATCH_RECORDS || im->batch.len >= MLT_BATCH_BYTES ? flush(im) : 0;
}

// The members of --set that the record lacks go behind its own.
static void put_set(struct mlt_import *im, const struct mlt_json *json) {
    size_t at = 0;
    struct mlt_json_writer w;
    for (const char *set; (set = mlt_cli_next(im->cli, "set", &at)) != NULL;) {
        size_t len = strcspn(set, "=");
        if (mlt_json_get_bytes(json, 0, mlt_bytes_of(set, len)) == MLT_JSON_NONE) {
            mlt_buf_put_u8(&im->batch, ',');
            mlt_jw_init(&w, &im->batch);
            mlt_jw_string(&w, mlt_bytes_of(set, len));
            mlt_buf_put_u8(&im->batch, ':');
            mlt_jw_init(&w, &im->batch);
            mlt_jw_cstr(&w, set + len + 1);
        }
    }
}

static int send_record(struct mlt_import *im, struct mlt_bytes record, uint64_t number) {
    struct mlt_json json = {0};
    bool add = mlt_cli_value(im->cli, "set") && mlt_json_scan(&json, record, NULL) == MLT_OK &&
               mlt_json_is(&json, 0, MLT_JSON_OBJECT) && mlt_json_first(&json, 0) != MLT_JSON_NONE;
    if (add) {
        struct mlt_bytes raw = mlt_json_raw(&json, 0);
        mlt_buf_put(&im->batch, raw.ptr, raw.len - 1);
        put_set(im, &json);
        mlt_buf_put_u8(&im->batch, '}');
    } else {
        mlt_buf_put_bytes(&im->batch, record);
    }
    mlt_json_clear(&json);
    return sent(im, number, false);
}

// What was not understood goes to the trail as what it is, no record: it is rejected there too, and so kept.
static int send_rejected(struct mlt_import *im, const struct mlt_capture_rejected *r, uint64_t number) {
    struct mlt_json_writer w;
    struct mlt_bytes kept = mlt_bytes_of(r->raw.ptr, r->raw.len < REJECTED_KEPT ? r->raw.len : REJECTED_KEPT);
    tell(im, im->format->unit == MLT_IMPORT_LINES ? "line" : "item", number, mlt_str(r->problem.pointer),
         mlt_str(r->problem.detail));
    mlt_jw_init(&w, &im->batch);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "not_imported");
    mlt_jw_object(&w);
    mlt_jw_member(&w, "format", im->format->name);
    mlt_jw_member(&w, "source", im->source);
    mlt_jw_member_u64(&w, "number", number);
    mlt_jw_member(&w, "code", r->problem.code);
    mlt_jw_member(&w, "pointer", r->problem.pointer);
    mlt_jw_member(&w, "detail", r->problem.detail);
    mlt_jw_member_u64(&w, "bytes", r->raw.len);
    mlt_jw_member_bytes(&w, "input", kept);
    mlt_jw_end_object(&w);
    mlt_jw_end_object(&w);
    return sent(im, number, true);
}

static int send_capture(struct mlt_import *im, const struct mlt_capture *capture, uint64_t before) {
    struct mlt_bytes rest = mlt_buf_bytes(&capture->lines);
    struct mlt_bytes line;
    int code = 0;
    size_t kept = capture->num_rejected < MLT_CAPTURE_REJECTED_MAX ? capture->num_rejected : MLT_CAPTURE_REJECTED_MAX;
    while (code == 0 && mlt_capture_next_line(&rest, &line)) {
        code = send_record(im, line, ++im->records);
    }
    for (size_t i = 0; code == 0 && i < kept; i++) {
        code = send_rejected(im, &capture->rejected[i], before + capture->rejected[i].item);
    }
    im->rejected += capture->num_rejected - kept;
    im->ignored += capture->num_ignored;
    return code;
}

// --- files ---

struct about_file {
    const char *path, *zone;
};

static const char *header(void *arg, const char *name) {
    const struct about_file *about = arg;
    return strcmp(name, MLT_IMPORT_FILE) == 0 ? about->path : strcmp(name, MLT_IMPORT_ZONE) == 0 ? about->zone : NULL;
}

static int translate(struct mlt_import *im, struct mlt_bytes message, uint64_t before) {
    struct about_file about = {.path = im->source, .zone = mlt_cli_value(im->cli, "zone")};
    char now[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(now, im->cli->env->now(im->cli->env));
    struct mlt_foreign msg = {.body = message,
                              .content_type = im->format->content_type ? im->format->content_type : "",
                              .header = header,
                              .header_arg = &about,
                              .address = "",
                              .received = now};
    struct mlt_capture capture = {0};
    struct mlt_error err = {0};
    enum mlt_status status = im->format->translate(&capture, &msg, &err);
    int code = status == MLT_OK || (status == MLT_INVALID && capture.num_rejected > 0)
                   ? send_capture(im, &capture, before)
                   : mlt_cli_fail_error(im->cli, &err);
    mlt_capture_clear(&capture);
    return code;
}

// A piece of lines under way.
struct piece {
    struct mlt_buf text; // preamble and lines
    size_t preamble;
    uint64_t preamble_lines;
    uint64_t first; // lines of the file before it
    size_t num_lines;
    size_t last; // where the last line begins
};

static int end_piece(struct mlt_import *im, struct piece *p) {
    if (p->num_lines == 0) {
        return 0;
    }
    int code = p->text.failed ? mlt_cli_fail(im->cli, MLT_EXIT_FAILED, "no memory for the lines of %s", im->source)
                              : translate(im, mlt_buf_bytes(&p->text), p->first - p->preamble_lines);
    p->first += p->num_lines;
    p->text.len = p->preamble;
    p->num_lines = 0;
    mlt_progress_step(&im->progress, im->bytes, im->total_bytes);
    return code;
}

static bool piece_is_full(const struct mlt_import *im, const struct piece *p, struct mlt_bytes next) {
    if (p->num_lines == 0 || (p->num_lines < PIECE_LINES && p->text.len < PIECE_BYTES)) {
        return false;
    }
    struct mlt_bytes last = mlt_bytes_of(p->text.data + p->last, p->text.len - p->last - 1);
    return p->num_lines >= GROUP_LINES || !im->format->belongs || !im->format->belongs(last, next);
}

static int import_lines(struct mlt_import *im, FILE *in, struct piece *p) {
    struct mlt_lines lines = {.in = in, .max = LINE_MAX_BYTES};
    int code = 0;
    while (code == 0 && mlt_lines_next(&lines)) {
        if (piece_is_full(im, p, mlt_buf_bytes(&lines.line))) {
            code = end_piece(im, p);
        }
        if (lines.too_long) {
            tell(im, "line", lines.number, (struct mlt_bytes){0},
                 mlt_str("the line has more than 32 MiB and is passed over"));
            im->rejected++;
            mlt_buf_reset(&lines.line);
        }
        im->bytes += lines.line.len + 1;
        p->last = p->text.len;
        mlt_buf_put_bytes(&p->text, mlt_buf_bytes(&lines.line));
        mlt_buf_put_u8(&p->text, '\n');
        p->num_lines++;
    }
    code = code == 0 ? end_piece(im, p) : code;
    if (lines.failed && code == 0) {
        code =
            mlt_cli_fail(im->cli, MLT_EXIT_FAILED, "cannot read %s after line %" PRIu64, im->source, lines.number - 1);
    }
    mlt_buf_clear(&lines.line);
    return code;
}

static int import_whole(struct mlt_import *im, FILE *in, struct piece *p) {
    char part[65536];
    size_t got;
    while (p->text.len <= WHOLE_MAX && (got = fread(part, 1, sizeof part, in)) > 0) {
        mlt_buf_put(&p->text, part, got);
        im->bytes += got;
    }
    if (ferror(in)) {
        return mlt_cli_fail(im->cli, MLT_EXIT_FAILED, "cannot read %s", im->source);
    }
    if (p->text.len > WHOLE_MAX) {
        return mlt_cli_fail(im->cli, MLT_EXIT_FAILED, "%s has more than %zu MiB; split it", im->source,
                            WHOLE_MAX >> 20);
    }
    p->num_lines = 1;
    return end_piece(im, p);
}

static int import_stream(struct mlt_import *im, FILE *in) {
    struct piece p = {0};
    int code = im->format->preamble ? im->format->preamble(im, im->source, &p.text) : 0;
    p.preamble = p.text.len;
    p.preamble_lines = p.text.len > 0;
    if (code == 0) {
        code = im->format->unit == MLT_IMPORT_WHOLE ? import_whole(im, in, &p) : import_lines(im, in, &p);
    }
    mlt_buf_clear(&p.text);
    return code;
}

static int import_file(struct mlt_import *im, const char *path) {
    im->source = path;
    if (strcmp(path, "-") == 0) {
        return import_stream(im, stdin);
    }
    FILE *in = fopen(path, "re");
    if (!in) {
        return mlt_cli_fail(im->cli, MLT_EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
    }
    int code = import_stream(im, in);
    (void)fclose(in);
    return code;
}

// --- bentoml: the schema lies beside the data ---

// …/data/data.N.log[.DATE] → …/schema/schema.N.log
static const char *schema_beside(struct mlt_cli *cli, const char *data) {
    const char *name = strrchr(data, '/');
    name = name ? name + 1 : data;
    if (strncmp(name, "data.", 5) != 0) {
        return NULL;
    }
    int digits = (int)strspn(name + 5, "0123456789");
    if (digits == 0 || strncmp(name + 5 + digits, ".log", 4) != 0) {
        return NULL;
    }
    return mlt_arena_printf(&cli->arena, "%.*s../schema/schema.%.*s.log", (int)(name - data), data, digits, name + 5);
}

// The last line of the schema log: each start of the service adds one.
static int bentoml_schema(struct mlt_import *im, const char *file, struct mlt_buf *out) {
    struct mlt_cli *cli = im->cli;
    const char *given = mlt_cli_value(cli, "schema");
    const char *path = given ? given : schema_beside(cli, file);
    FILE *in = path ? fopen(path, "re") : NULL;
    if (!in) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "%s: its schema log is not at %s; say where with --schema", file,
                            path ? path : "../schema/schema.N.log");
    }
    struct mlt_lines lines = {.in = in, .max = LINE_MAX_BYTES};
    while (mlt_lines_next(&lines)) {
        if (mlt_bentoml_is_schema(mlt_buf_bytes(&lines.line))) {
            mlt_buf_reset(out);
            mlt_buf_put_bytes(out, mlt_buf_bytes(&lines.line));
            mlt_buf_put_u8(out, '\n');
        }
    }
    (void)fclose(in);
    mlt_buf_clear(&lines.line);
    return out->len > 0 ? 0 : mlt_cli_fail(cli, MLT_EXIT_FAILED, "%s has no line of a BentoML schema log", path);
}

// --- the command ---

static const struct mlt_import_format formats[] = {
    {.name = "bentoml", .translate = mlt_capture_bentoml, .preamble = bentoml_schema, .belongs = mlt_bentoml_belongs},
    {.name = "sagemaker", .translate = mlt_capture_sagemaker},
    {.name = "kserve-blob", .translate = mlt_capture_kserve_blob, .unit = MLT_IMPORT_WHOLE},
    {.name = "cloudevents", .translate = mlt_capture_event_lines},
    {.name = "ndjson", .translate = mlt_capture_records},
    {.name = "mlflow", .max_args = 1, .run = mlt_import_mlflow},
    {.name = NULL},
};

static const struct mlt_import_format *find_format(struct mlt_cli *cli, const char *name) {
    const char *names[sizeof formats / sizeof formats[0]] = {0};
    for (size_t i = 0; formats[i].name; i++) {
        names[i] = formats[i].name;
        if (strcmp(name, names[i]) == 0) {
            return &formats[i];
        }
    }
    (void)mlt_cli_unknown(cli, "format", name, names);
    return NULL;
}

static bool options_are_right(struct mlt_cli *cli) {
    size_t at = 0;
    int64_t when;
    const char *zone = mlt_cli_value(cli, "zone");
    for (const char *set; (set = mlt_cli_next(cli, "set", &at)) != NULL;) {
        if (set[0] == '=' || !strchr(set, '=')) {
            (void)mlt_cli_fail(cli, MLT_EXIT_USAGE, "--set %s: give NAME=VALUE, such as model=credit", set);
            return false;
        }
    }
    if (zone) {
        const char *time = mlt_arena_printf(&cli->arena, "2026-01-01T00:00:00%s", zone);
        if (!time || !mlt_time_parse(&when, mlt_str(time))) {
            (void)mlt_cli_fail(cli, MLT_EXIT_USAGE, "--zone %s: give Z or an offset such as +01:00", zone);
            return false;
        }
    }
    return true;
}

static uint64_t size_of(char **files, int num) {
    uint64_t total = 0;
    for (int i = 0; i < num; i++) {
        FILE *in = fopen(files[i], "re");
        if (in && fseek(in, 0, SEEK_END) == 0 && ftell(in) > 0) {
            total += (uint64_t)ftell(in);
        }
        if (in) {
            (void)fclose(in);
        }
    }
    return total;
}

static void tell_result(struct mlt_import *im) {
    struct mlt_cli *cli = im->cli;
    if (!cli->json) {
        mlt_cli_outf(cli, "%" PRIu64 " accepted, %" PRIu64 " duplicate, %" PRIu64 " rejected", im->accepted,
                     im->duplicates, im->rejected);
        mlt_cli_outf(cli, im->ignored ? ", %" PRIu64 " of no concern\n" : "\n", im->ignored);
        return;
    }
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "format", im->format->name);
    mlt_jw_member_u64(&w, "sources", im->files);
    mlt_jw_member_u64(&w, "accepted", im->accepted);
    mlt_jw_member_u64(&w, "duplicates", im->duplicates);
    mlt_jw_member_u64(&w, "rejected", im->rejected);
    mlt_jw_member_u64(&w, "ignored", im->ignored);
    mlt_jw_end_object(&w);
    mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

static int run(struct mlt_cli *cli) {
    const struct mlt_import_format *format = find_format(cli, cli->args[0]);
    if (!format || !options_are_right(cli)) {
        return MLT_EXIT_USAGE;
    }
    if (format->max_args > 0 && cli->num_args - 1 > format->max_args) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "import %s takes at most %d arguments, not %d", format->name,
                            format->max_args, cli->num_args - 1);
    }
    if (format->run) {
        return format->run(cli);
    }
    struct mlt_import *im = mlt_arena_zero(&cli->arena, sizeof *im);
    if (!im) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "no memory");
    }
    im->cli = cli;
    im->format = format;
    mlt_progress_init(&im->progress, cli, "bytes");
    int code = mlt_cli_open(cli);
    im->total_bytes = size_of(cli->args + 1, cli->num_args - 1);
    for (int i = 1; code == 0 && i < cli->num_args; i++) {
        im->records = 0;
        code = import_file(im, cli->args[i]);
        int sent_rest = flush(im);
        code = code ? code : sent_rest;
        im->files += code == 0;
    }
    mlt_progress_end(&im->progress);
    if (code == 0 || im->accepted + im->duplicates > 0) {
        tell_result(im); // also what was taken before it went wrong
    }
    mlt_buf_clear(&im->batch);
    return code ? code : im->rejected > 0 ? MLT_EXIT_FALSE : MLT_EXIT_TRUE;
}

const struct mlt_cli_command mlt_cmd_import = {
    .name = "import",
    .args = "FORMAT SOURCE...",
    .summary = "bring in what other systems recorded",
    .text =
        "Reads what another system left in files and appends it as records. Formats: bentoml (monitoring data), "
        "sagemaker "
        "(data capture), kserve-blob (the inference logger's files), cloudevents (an event or an array of events a "
        "line), "
        "ndjson (records, as append takes them). What cannot be read is named on standard error and kept in the "
        "trail as "
        "rejected input; the rest is appended, and the exit status is then 1. Records have the identities of their "
        "source: an import that was broken off is run again, and adds what is missing. mlflow reads an MLflow server "
        "over its API instead: runs that are over, versions with digests of their files, and stages and aliases "
        "where the trail has them otherwise, at the times that MLflow claims.",
    .words = "bentoml sagemaker kserve-blob cloudevents ndjson mlflow",
    .min_args = 2,
    .max_args = 1000000,
    .options = options,
    .examples = examples,
    .run = run,
};
