#include "cli/json_text.h"
#include "cli/transport.h"
#include "dossier/dossier.h"

static const struct mlt_cli_option options[] = {
    {"request-id", 'r', "ID", "The prediction that the question is about.", NULL},
    {"model", 'm', "MODEL", "The model that the question is about.", NULL},
    {"model-version", 0, "VERSION", "Its version.", NULL},
    {"at", 0, "TIME", "The time that the question is about: a date or an RFC 3339 time.", NULL},
    {"at-size", 0, "N", "Answer as of the first N entries.", NULL},
    {"limit", 'n', "N", "List at most N questions.", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail ask", "the questions that can be asked"},
    {"mltrail ask PRD-01 --request-id req-8f2c", "one of them, with the evidence"},
    {0},
};

static int catalogue(struct mlt_cli *cli) {
    static const struct mlt_column columns[] = {{"ID", "id", 12}, {"NEEDS", "params", 30}, {"QUESTION", "text", 200}};
    struct mlt_buf out = {0};
    struct mlt_json json = {0};
    struct mlt_json_writer w;
    uint64_t limit = mlt_num_questions;
    struct mlt_error err = {0};
    if (!mlt_cli_number(cli, "limit", &limit)) {
        return MLT_EXIT_USAGE;
    }
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "items");
    mlt_jw_array(&w);
    for (size_t i = 0; i < mlt_num_questions && i < limit; i++) {
        mlt_jw_object(&w);
        mlt_jw_member(&w, "id", mlt_questions[i].id);
        mlt_jw_member(&w, "params", mlt_questions[i].params);
        mlt_jw_member(&w, "text", mlt_questions[i].text);
        mlt_jw_end_object(&w);
    }
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
    int code = MLT_EXIT_TRUE;
    if (cli->json) {
        mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    } else if (mlt_json_scan(&json, mlt_buf_bytes(&out), &err) != MLT_OK) {
        code = mlt_cli_fail_error(cli, &err);
    } else {
        mlt_json_table(cli, &json, mlt_json_get(&json, 0, "items"), columns, sizeof columns / sizeof columns[0]);
    }
    mlt_json_clear(&json);
    mlt_buf_clear(&out);
    return code;
}

static int print(struct mlt_cli *cli, struct mlt_bytes answer) {
    struct mlt_json json = {0};
    struct mlt_buf out = {0};
    struct mlt_error err = {0};
    bool answered = mlt_json_scan(&json, answer, NULL) == MLT_OK &&
                    mlt_json_is(&json, mlt_json_get(&json, 0, "answered"), MLT_JSON_TRUE);
    int code = answered ? MLT_EXIT_TRUE : MLT_EXIT_FALSE;
    if (cli->json) {
        mlt_cli_out_json(cli, answer);
    } else if (mlt_ask_text(answer, cli->color, mlt_cli_width(), &out, &err) == MLT_OK) {
        mlt_cli_out(cli, mlt_buf_bytes(&out));
    } else {
        code = mlt_cli_fail_error(cli, &err);
    }
    mlt_json_clear(&json);
    mlt_buf_clear(&out);
    return code;
}

static int run(struct mlt_cli *cli) {
    if (cli->num_args == 0) {
        return catalogue(cli);
    }
    struct mlt_buf path = {0};
    struct mlt_buf query = {0};
    struct mlt_reply reply = {0};
    mlt_buf_put_str(&path, "/v1/questions");
    mlt_path_add(&path, mlt_str(cli->args[0]));
    mlt_query_add(&query, "request_id", mlt_cli_value(cli, "request-id"));
    mlt_query_add(&query, "model", mlt_cli_value(cli, "model"));
    mlt_query_add(&query, "model_version", mlt_cli_value(cli, "model-version"));
    mlt_query_add(&query, "at", mlt_cli_value(cli, "at"));
    mlt_query_add(&query, "at_size", mlt_cli_value(cli, "at-size"));
    int code = mlt_cli_get(cli, mlt_buf_cstr(&path), query.len > 0 ? mlt_buf_cstr(&query) : NULL, &reply);
    code = code == 0 ? print(cli, mlt_buf_bytes(&reply.body)) : code;
    mlt_reply_clear(&reply);
    mlt_buf_clear(&path);
    mlt_buf_clear(&query);
    return code;
}

const struct mlt_cli_command mlt_cmd_ask = {
    .name = "ask",
    .args = "[QUESTION]",
    .summary = "answer a catalogued question, with evidence",
    .text =
        "Without a question, lists those that there are. Exits with 1 when the trail cannot answer; what is missing "
        "is then said.",
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
