#include "cli/list.h"

static const struct mlt_cli_option options[] = {
    {"kind", 'k', "KIND", "Records of this kind.",
     "prediction dataset.version training.run model.version approval transition access decision oversight explanation "
     "notice outcome correction tally control alert export erasure hold anchor"},
    {"model", 'm', "MODEL", "Records about this model.", NULL},
    {"model-version", 0, "VERSION", "Records about this version (with --model).", NULL},
    {"node", 0, "NODE", "Predictions of this serving node.", NULL},
    {"principal", 0, "NAME", "Records that name this person or service.", NULL},
    {"producer", 0, "NAME", "Records that this principal submitted.", NULL},
    {"subject", 0, "SUBJECT", "Records about this person.", NULL},
    {"from", 0, "TIME", "Not before: a date or an RFC 3339 time.", NULL},
    {"to", 0, "TIME", "Before: a date or an RFC 3339 time.", NULL},
    {"order", 0, "ORDER", "asc or desc (default: as the trail answers).", "asc desc"},
    {"limit", 'n', "N", "At most N records (default: 50).", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail search --kind approval --model credit", "who approved which version"},
    {"mltrail search --kind prediction --from 2026-11-01 --to 2026-11-02 --json", "predictions of a day, for programs"},
    {0},
};

static const struct mlt_column columns[] = {
    {"INDEX", "index", 20},
    {"TIME", "entry/time|entry/received", 30},
    {"KIND", "entry/kind", 24},
    {"ID",
     "entry/facts/request_id|entry/facts/approval_reference|entry/facts/training_job_id|entry/facts/dataset|"
     "entry/facts/event_id|entry/id",
     40},
    {"MODEL", "entry/facts/model", 24},
    {"VERSION", "entry/facts/model_version|entry/facts/version", 16},
    {"PRODUCER", "entry/producer/principal", 32},
};

static int run(struct mlt_cli *cli) {
    static const struct {
        const char *option, *param;
    } filters[] = {{"kind", "kind"},       {"model", "model"},         {"model-version", "model_version"},
                   {"node", "node"},       {"principal", "principal"}, {"producer", "producer"},
                   {"subject", "subject"}, {"from", "from"},           {"to", "to"},
                   {"order", "order"}};
    struct mlt_buf query = {0};
    if (!mlt_cli_kind(cli)) {
        return MLT_EXIT_USAGE;
    }
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        mlt_query_add(&query, filters[i].param, mlt_cli_value(cli, filters[i].option));
    }
    int code = mlt_cli_list(cli, "/v1/records", &query, columns, sizeof columns / sizeof columns[0]);
    mlt_buf_clear(&query);
    return code;
}

const struct mlt_cli_command mlt_cmd_search = {
    .name = "search",
    .args = "",
    .summary = "find records by kind, model, node, person or time",
    .text = "Lists the records that satisfy every filter given.",
    .options = options,
    .examples = examples,
    .run = run,
};
