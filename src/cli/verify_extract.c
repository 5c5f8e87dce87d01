// `verify FILE` of an extract, as an archive or as NDJSON.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "bundle/extract.h"
#include "cli/lines.h"
#include "cli/verify.h"

static const char STATEMENT[] = MLT_EXTRACT_BEGINS;

// What nobody who has the extract alone can know.
#define NUM_ASSERTED_MAX 6
static size_t asserted(const struct mlt_extract_report *r, const struct mlt_verify_trust *trust,
                       const char *out[static NUM_ASSERTED_MAX]) {
    size_t num = 0;
    if (r->kind[0] || r->model[0]) {
        out[num++] = "that the filter left out nothing that it names";
    }
    if (r->from[0] || r->to[0]) {
        out[num++] = "that no entry beside the range was received in the time asked for";
    }
    if (r->unsalted > 0) {
        out[num++] = "payloads, where there are any: without salts they cannot be held against the entries";
    }
    if (r->other_how_to) {
        out[num++] = "what VERIFY.txt says: this build writes another";
    }
    out[num++] = "that no later entry outside the range corrects or revokes one of these";
    out[num] = mlt_verify_trust_one_log(trust);
    return num + (out[num] != NULL);
}

static struct mlt_verify_evidence evidence_of(const struct mlt_extract_report *r) {
    return (struct mlt_verify_evidence){r->verdict, r->signed_by_key, &r->key, r->faults, r->num_faults};
}

static void print_text(struct mlt_cli *cli, const struct mlt_extract_report *r, const struct mlt_verify_trust *trust,
                       bool trusted) {
    const char *rest[NUM_ASSERTED_MAX];
    char root[2 * MLT_HASH_LEN + 1];
    if (!mlt_verify_evidence_print(cli, evidence_of(r), trust)) {
        return;
    }
    mlt_hex_encode(root, mlt_bytes_of(r->head.root, MLT_HASH_LEN));
    const char *proved = trusted ? "proved" : "consistent"; // nothing is proved under a key from nowhere
    if (r->first == r->end) {
        mlt_cli_out_line(cli, "an empty range, at entry %" PRIu64 " of %s", r->first, r->head.origin);
    } else {
        mlt_cli_out_line(
            cli, "%s: entries %" PRIu64 " to %" PRIu64 " of %s: %" PRIu64 " expected, %" PRIu64 " shown, none missing",
            proved, r->first, r->end - 1, r->head.origin, r->end - r->first, r->found);
    }
    mlt_cli_out_line(cli, "%s: in the log of %" PRIu64 ", root %s", proved, r->head.size, root);
    mlt_cli_out_line(cli, "%s: %" PRIu64 " details, %" PRIu64 " payload members shown, %" PRIu64 " masked", proved,
                     r->details, r->shown, r->masked);
    if (r->signed_by_key) {
        mlt_verify_trust_print(cli, trust);
    }
    const size_t num = asserted(r, trust, rest);
    for (size_t i = 0; i < num; i++) {
        mlt_cli_out_line(cli, "asserted: %s", rest[i]);
    }
}

static void print_json(struct mlt_cli *cli, const struct mlt_extract_report *r, const struct mlt_verify_trust *trust) {
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    const char *rest[NUM_ASSERTED_MAX];
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_verify_evidence_json_head(&w, "extract", evidence_of(r), trust);
    mlt_jw_member(&w, "origin", r->head.origin);
    mlt_jw_member_u64(&w, "first", r->first);
    mlt_jw_member_u64(&w, "end", r->end);
    mlt_jw_member_u64(&w, "expected", r->end - r->first);
    mlt_jw_member_u64(&w, "found", r->found);
    mlt_jw_member_u64(&w, "checkpoint_size", r->head.size);
    mlt_jw_name(&w, "root");
    mlt_jw_hex(&w, mlt_bytes_of(r->head.root, MLT_HASH_LEN));
    mlt_jw_member_u64(&w, "details", r->details);
    mlt_jw_member_u64(&w, "payloads", r->payloads);
    mlt_jw_member_u64(&w, "members_shown", r->shown);
    mlt_jw_member_u64(&w, "members_masked", r->masked);
    mlt_verify_trust_json(&w, trust);
    mlt_jw_name(&w, "asserted");
    mlt_jw_array(&w);
    const size_t num = asserted(r, trust, rest);
    for (size_t i = 0; i < num; i++) {
        mlt_jw_cstr(&w, rest[i]);
    }
    mlt_jw_end_array(&w);
    mlt_verify_evidence_json_faults(&w, evidence_of(r));
    mlt_jw_end_object(&w);
    mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

static int print(struct mlt_cli *cli, const struct mlt_extract_report *r, const struct mlt_verify_trust *trust) {
    const bool trusted = mlt_verify_trust_holds(trust, r->signed_by_key);
    if (cli->json) {
        print_json(cli, r, trust);
    } else {
        print_text(cli, r, trust, trusted);
    }
    return r->verdict && trusted ? MLT_EXIT_TRUE : MLT_EXIT_FALSE;
}

static int check_options(struct mlt_cli *cli) {
    if (mlt_cli_value(cli, "tsa-roots")) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--tsa-roots checks directories and bundles; this is an extract");
    }
    return 0;
}

int mlt_verify_extract_archive(struct mlt_cli *cli, const char *path, struct mlt_archive *a,
                               const struct mlt_verify_trust *trust) {
    struct mlt_error err = {0};
    const int code = check_options(cli);
    if (code != 0) {
        return code;
    }
    struct mlt_extract_report *report = mlt_arena_zero(&cli->arena, sizeof *report);
    if (!report || mlt_extract_archive(a, trust->have_key ? &trust->key : NULL, report, &err) != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "%s could not be checked: %s", path,
                            report ? err.text : "out of memory");
    }
    return print(cli, report, trust);
}

// --- NDJSON: the last line first, then all of them ---

static int last_line(struct mlt_cli *cli, const char *path, FILE *in, struct mlt_bytes *out) {
    struct mlt_lines lines = {.in = in, .max = MLT_EXTRACT_STATEMENT_MAX};
    struct mlt_buf last = {0};
    while (mlt_lines_next(&lines)) {
        if (lines.line.len > sizeof STATEMENT && memcmp(lines.line.data, STATEMENT, sizeof STATEMENT - 1) == 0) {
            mlt_buf_reset(&last);
            mlt_buf_put_bytes(&last, mlt_buf_bytes(&lines.line));
        }
    }
    *out = mlt_arena_copy(&cli->arena, mlt_buf_bytes(&last));
    mlt_buf_clear(&last);
    mlt_buf_clear(&lines.line);
    if (fseek(in, 0, SEEK_SET) != 0 || ferror(in)) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "cannot read %s twice: %s", path, strerror(errno));
    }
    return 0;
}

static enum mlt_status check_lines(struct mlt_extract_check *c, FILE *in, struct mlt_bytes statement,
                                   struct mlt_error *err) {
    struct mlt_lines lines = {.in = in, .max = MLT_EXTRACT_STATEMENT_MAX};
    enum mlt_status status = MLT_OK;
    bool ended = false;
    while (!status && mlt_lines_next(&lines)) {
        const struct mlt_bytes text = mlt_buf_bytes(&lines.line);
        if (ended) {
            mlt_extract_fault(c, "line", "%" PRIu64 " follows the statement", lines.number);
            break;
        }
        ended = mlt_bytes_equal(text, statement);
        status = ended ? MLT_OK : mlt_extract_line(c, text, err);
    }
    mlt_buf_clear(&lines.line);
    return status;
}

static int verify_lines(struct mlt_cli *cli, const char *path, FILE *in, struct mlt_verify_trust *trust) {
    struct mlt_extract_check c = {0};
    struct mlt_extract_statement s;
    struct mlt_error err = {0};
    struct mlt_bytes statement;
    struct mlt_extract_report *report = mlt_arena_zero(&cli->arena, sizeof *report);
    int code = check_options(cli);
    code = code == 0 ? last_line(cli, path, in, &statement) : code;
    if (code != 0 || !report) {
        return code != 0 ? code : mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    if (statement.len == 0) {
        return mlt_cli_fail(cli, MLT_EXIT_FALSE,
                            "%s has no statement of its range: it was cut, or made by an earlier version", path);
    }
    if (mlt_extract_get(&s, statement, &cli->arena, NULL) == MLT_OK) {
        mlt_verify_trust_find(cli, s.checkpoint, mlt_str(NULL), trust);
    }
    enum mlt_status status = mlt_extract_begin(&c, report, statement, trust->have_key ? &trust->key : NULL, &err);
    status = status ? status : check_lines(&c, in, statement, &err);
    mlt_extract_end(&c);
    mlt_arena_clear(&c.arena);
    return status ? mlt_cli_fail(cli, MLT_EXIT_FAILED, "%s could not be checked: %s", path, err.text)
                  : print(cli, report, trust);
}

int mlt_verify_lines(struct mlt_cli *cli, const char *path, struct mlt_verify_trust *trust) {
    FILE *in = fopen(path, "re");
    if (!in) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
    }
    const int code = verify_lines(cli, path, in, trust);
    (void)fclose(in);
    return code;
}
