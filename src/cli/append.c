#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/batch.h"
#include "cli/lines.h"
#include "record/draft.h"

static const struct mlt_cli_option options[] = {
    {"kind", 'k', "KIND", "Kind of the records that do not name theirs.",
     "prediction dataset.version training.run model.version approval transition access decision oversight explanation "
     "notice outcome correction tally capture batch"},
    {"ack", 0, "LEVEL",
     "durable: on disk and signed (default); proven: also in a published checkpoint with the witnesses' quorum.",
     "durable proven"},
    {"receipts", 'r', "FILE", "Add a line per record to FILE: index, leaf hash and signed checkpoint.", "<file>"},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail append < records.ndjson", "append one record per line to ./trail"},
    {"mltrail append --kind prediction --receipts receipts.ndjson day.ndjson", "and keep the receipts"},
    {"mltrail append --ack proven --receipts receipts.ndjson run.ndjson", "keep an offline proof for every record"},
    {"mltrail --trail https://trail.example.com --token-file ci.token append run.ndjson", "append to a server"},
    {0},
};

struct appending {
    struct mlt_cli *cli;
    struct mlt_buf body;
    uint64_t line_numbers[MLT_BATCH_RECORDS];
    size_t num_lines;
    const char *file; // NULL: standard input
    bool name_files;
    FILE *receipts;
    bool proven; // --ack proven
    uint64_t read, accepted, duplicates, rejected;
    uint64_t unproven; // batches that are durable only, although --ack proven
    bool has_index;
    uint64_t first_index, last_index;
    char *checkpoint;       // of the last batch
    struct mlt_arena notes; // holds `checkpoint`
    struct mlt_progress progress;
};

static void reject(struct appending *a, uint64_t line, struct mlt_bytes pointer, struct mlt_bytes detail) {
    mlt_batch_tell(&a->progress, !a->name_files ? NULL : a->file ? a->file : "-", "line", line, pointer, detail);
}

// The server counts lines from 1 within the batch; people want the line of their file.
static uint64_t file_line(const struct appending *a, uint64_t batch_line) {
    return batch_line >= 1 && batch_line <= a->num_lines ? a->line_numbers[batch_line - 1] : 0;
}

static void report_problem(void *arg, uint64_t line, struct mlt_bytes pointer, struct mlt_bytes detail) {
    struct appending *a = arg;
    reject(a, file_line(a, line), pointer, detail);
}

static bool save_receipts(struct appending *a, const struct mlt_json *json) {
    mlt_json_at list = mlt_json_get(json, 0, "receipts");
    struct mlt_buf out = {0};
    for (mlt_json_at n = mlt_json_first(json, list); n != MLT_JSON_NONE; n = mlt_json_next(json, list, n)) {
        struct mlt_json_writer w;
        mlt_jw_init(&w, &out);
        mlt_jw_object(&w);
        if (a->file) {
            mlt_jw_member(&w, "file", a->file);
        }
        mlt_jw_member_u64(&w, "line", file_line(a, mlt_batch_number(json, n, "line")));
        mlt_jw_member_u64(&w, "index", mlt_batch_number(json, n, "index"));
        mlt_jw_member_raw(&w, "leaf", mlt_json_raw(json, mlt_json_get(json, n, "leaf")));
        mlt_jw_member_bool(&w, "duplicate", mlt_json_is(json, mlt_json_get(json, n, "duplicate"), MLT_JSON_TRUE));
        mlt_jw_member_raw(&w, "checkpoint", mlt_json_raw(json, mlt_json_get(json, 0, "checkpoint")));
        mlt_json_at proof = mlt_json_get(json, n, "proof");
        if (proof != MLT_JSON_NONE) {
            mlt_jw_member_raw(&w, "proof", mlt_json_raw(json, proof));
        }
        mlt_jw_end_object(&w);
        mlt_buf_put_u8(&out, '\n');
    }
    bool saved = !out.failed && fwrite(out.data, 1, out.len, a->receipts) == out.len && fflush(a->receipts) == 0;
    mlt_buf_clear(&out);
    return saved;
}

static void count(struct appending *a, const struct mlt_batch_answer *answer) {
    const struct mlt_json *json = &answer->json;
    uint64_t first, last;
    a->accepted += answer->accepted;
    a->duplicates += answer->duplicates;
    a->rejected += answer->rejected;
    a->unproven += answer->reply.status == 202;
    if (mlt_json_u64(json, mlt_json_get(json, 0, "first_index"), &first) &&
        mlt_json_u64(json, mlt_json_get(json, 0, "last_index"), &last)) {
        a->first_index = a->has_index && a->first_index < first ? a->first_index : first;
        a->last_index = a->has_index && a->last_index > last ? a->last_index : last;
        a->has_index = true;
    }
    mlt_json_at checkpoint = mlt_json_get(json, 0, "checkpoint");
    if (mlt_json_is(json, checkpoint, MLT_JSON_STRING)) {
        mlt_arena_reset(&a->notes);
        a->checkpoint = mlt_arena_cstr(&a->notes, mlt_json_string(json, checkpoint, &a->notes));
    }
}

static int flush_batch(struct appending *a) {
    static const char *const queries[2][2] = {{NULL, "receipts=all"}, {"ack=proven", "receipts=all&ack=proven"}};
    struct mlt_batch_answer answer = {0};
    if (a->num_lines == 0) {
        return 0;
    }
    int code =
        mlt_batch_send(a->cli, mlt_buf_bytes(&a->body), queries[a->proven][a->receipts != NULL], &a->progress, &answer);
    if (code == 0) {
        mlt_progress_step(&a->progress, a->read, 0);
        mlt_batch_each_problem(&answer, report_problem, a);
        count(a, &answer);
        if (a->receipts && !save_receipts(a, &answer.json)) {
            code = mlt_cli_fail(a->cli, MLT_EXIT_FAILED, "cannot write %s", mlt_cli_value(a->cli, "receipts"));
        }
    }
    mlt_batch_answer_clear(&answer);
    mlt_buf_reset(&a->body);
    a->num_lines = 0;
    return code;
}

// put_line adds the record to the batch, with the default kind where it names none. What is no JSON object goes as it
// is: the trail says what is wrong with it, and keeps the attempt.
static void put_line(struct appending *a, struct mlt_bytes line) {
    const char *kind = mlt_cli_value(a->cli, "kind");
    struct mlt_json json = {0};
    if (kind && mlt_json_scan(&json, line, NULL) == MLT_OK && mlt_json_is(&json, 0, MLT_JSON_OBJECT) &&
        mlt_json_get(&json, 0, "kind") == MLT_JSON_NONE) {
        struct mlt_bytes raw = mlt_json_raw(&json, 0);
        struct mlt_json_writer w;
        mlt_buf_put_str(&a->body, "{\"kind\":");
        mlt_jw_init(&w, &a->body);
        mlt_jw_cstr(&w, kind);
        mlt_buf_put_str(&a->body, mlt_json_first(&json, 0) == MLT_JSON_NONE ? "" : ",");
        mlt_buf_put(&a->body, raw.ptr + 1, raw.len - 1);
    } else {
        mlt_buf_put_bytes(&a->body, line);
    }
    mlt_buf_put_u8(&a->body, '\n');
    mlt_json_clear(&json);
}

static int append_stream(struct appending *a, FILE *in) {
    struct mlt_lines lines = {.in = in, .max = MLT_RECORD_MAX};
    int code = 0;
    while (code == 0 && mlt_lines_next(&lines)) {
        if (lines.too_long) {
            reject(a, lines.number, (struct mlt_bytes){0},
                   mlt_str("the line is too long; a record has at most 20 MiB"));
            a->rejected++;
            continue;
        }
        if (mlt_lines_blank(&lines)) {
            continue;
        }
        if (a->num_lines > 0 && a->body.len + lines.line.len > MLT_BATCH_BYTES) {
            code = flush_batch(a);
        }
        a->line_numbers[a->num_lines++] = lines.number;
        a->read++;
        put_line(a, mlt_buf_bytes(&lines.line));
        if (code == 0 && (a->num_lines == MLT_BATCH_RECORDS || a->body.len >= MLT_BATCH_BYTES)) {
            code = flush_batch(a);
        }
    }
    code = code == 0 ? flush_batch(a) : code;
    if (lines.failed && code == 0) {
        code = mlt_cli_fail(a->cli, MLT_EXIT_FAILED, "cannot read %s after line %" PRIu64,
                            a->file ? a->file : "standard input", lines.number - 1);
    }
    mlt_buf_clear(&lines.line);
    return code;
}

static int append_file(struct appending *a, const char *path) {
    a->file = strcmp(path, "-") == 0 ? NULL : path;
    if (!a->file) {
        return append_stream(a, stdin);
    }
    FILE *in = fopen(path, "re");
    if (!in) {
        return mlt_cli_fail(a->cli, MLT_EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
    }
    int code = append_stream(a, in);
    (void)fclose(in);
    return code;
}

static void tell(struct appending *a) {
    struct mlt_cli *cli = a->cli;
    struct mlt_buf out = {0};
    if (cli->json) {
        struct mlt_json_writer w;
        mlt_jw_init(&w, &out);
        mlt_jw_object(&w);
        mlt_jw_member_u64(&w, "accepted", a->accepted);
        mlt_jw_member_u64(&w, "duplicates", a->duplicates);
        mlt_jw_member_u64(&w, "rejected", a->rejected);
        mlt_jw_name(&w, "first_index");
        a->has_index ? mlt_jw_u64(&w, a->first_index) : mlt_jw_null(&w);
        mlt_jw_name(&w, "last_index");
        a->has_index ? mlt_jw_u64(&w, a->last_index) : mlt_jw_null(&w);
        mlt_jw_member(&w, "checkpoint", a->checkpoint);
        mlt_jw_end_object(&w);
        mlt_cli_out_json(cli, mlt_buf_bytes(&out));
        mlt_buf_clear(&out);
        return;
    }
    mlt_cli_outf(cli, "%" PRIu64 " accepted, %" PRIu64 " duplicate, %" PRIu64 " rejected\n", a->accepted, a->duplicates,
                 a->rejected);
    if (a->has_index) {
        mlt_cli_outf(cli, "entries %" PRIu64 " to %" PRIu64 "\n", a->first_index, a->last_index);
    }
    if (a->checkpoint) {
        mlt_cli_out(cli, mlt_str("\n"));
        mlt_cli_out_text(cli, mlt_str(a->checkpoint));
    }
    mlt_buf_clear(&out);
}

static int open_trail(struct mlt_cli *cli) {
    struct mlt_error err = {0};
    const char *trail = mlt_cli_trail(cli);
    if (!trail) {
        return MLT_EXIT_USAGE;
    }
    return mlt_transport_open(&cli->transport, cli, trail, &err) == MLT_OK ? 0 : mlt_cli_fail_error(cli, &err);
}

static int run(struct mlt_cli *cli) {
    char dash[] = "-";
    char *standard_input[] = {dash};
    struct appending a = {.cli = cli, .name_files = cli->num_args > 1};
    const char *receipts = mlt_cli_value(cli, "receipts");
    const char *ack = mlt_cli_value(cli, "ack");
    if (ack && strcmp(ack, "durable") != 0 && strcmp(ack, "proven") != 0) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--ack %s: there are durable and proven", ack);
    }
    a.proven = ack && strcmp(ack, "proven") == 0;
    mlt_progress_init(&a.progress, cli, "records");
    int code = open_trail(cli);
    if (code == 0 && receipts && !(a.receipts = fopen(receipts, "ae"))) {
        code = mlt_cli_fail(cli, MLT_EXIT_FAILED, "cannot write %s: %s", receipts, strerror(errno));
    }
    char **files = cli->num_args > 0 ? cli->args : standard_input;
    for (int i = 0; code == 0 && i < (cli->num_args > 0 ? cli->num_args : 1); i++) {
        code = append_file(&a, files[i]);
    }
    mlt_progress_end(&a.progress);
    if (a.receipts && fclose(a.receipts) != 0 && code == 0) {
        code = mlt_cli_fail(cli, MLT_EXIT_FAILED, "cannot write %s", receipts);
    }
    if (code == 0 || a.accepted + a.duplicates > 0) {
        tell(&a); // also what was taken before it went wrong
    }
    mlt_buf_clear(&a.body);
    mlt_arena_clear(&a.notes);
    if (code == 0 && a.unproven > 0) {
        mlt_cli_note(cli,
                     "the records are durable, but no published checkpoint with the quorum covers all of them yet");
    }
    return code != 0 ? code : a.rejected > 0 || a.unproven > 0 ? MLT_EXIT_FALSE : MLT_EXIT_TRUE;
}

const struct mlt_cli_command mlt_cmd_append = {
    .name = "append",
    .args = "[FILE...]",
    .summary = "append records, one JSON object per line",
    .text =
        "Reads records from the files, or from standard input, and appends them in batches. A record is on disk "
        "and covered by a signed tree head when its batch is answered. Lines that are no valid record are named on "
        "standard error and the others are kept; the exit status is then 1. With --ack proven each batch waits for a "
        "published checkpoint that covers it, and receipts carry a C2SP tlog-proof; what gets none within half a "
        "minute is durable all the same, and the exit status is 1.",
    .words = "<file>",
    .max_args = 1000000,
    .options = options,
    .examples = examples,
    .run = run,
};
