#include "cli/list.h"

static const struct mlt_cli_option options[] = {
    {"resource", 'r', "TYPE[:ID]", "Access to this resource, such as prediction_log:req-8f2c.",
     "model_registry prediction_log training_data trail config other"},
    {"principal", 'p', "NAME", "Access by this principal.", NULL},
    {"from", 0, "TIME", "Not before: a date or an RFC 3339 time.", NULL},
    {"to", 0, "TIME", "Before: a date or an RFC 3339 time.", NULL},
    {"limit", 'n', "N", "At most N records (default: 50).", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail access --resource training_data", "who touched the training data, newest first"},
    {"mltrail access --principal local:alice --from 2026-11-01", "what one principal did"},
    {0},
};

static const struct mlt_column columns[] = {
    {"INDEX", "index", 20},
    {"TIME", "entry/time|entry/received", 30},
    {"PRINCIPAL", "payload/principal", 32},
    {"ACTION", "entry/facts/action", 16},
    {"RESOURCE", "entry/facts/resource/type", 16},
    {"ID", "entry/facts/resource/id", 40},
    {"OUTCOME", "entry/facts/outcome", 8},
};

static int run(struct mlt_cli *cli) {
    struct mlt_buf query = {0};
    const char *resource = mlt_cli_value(cli, "resource");
    if (resource) {
        const char *colon = strchr(resource, ':');
        size_t len = colon ? (size_t)(colon - resource) : strlen(resource);
        mlt_query_add(&query, "resource_type", mlt_arena_cstr(&cli->arena, mlt_bytes_of(resource, len)));
        mlt_query_add(&query, "resource_id", colon ? colon + 1 : NULL);
    }
    mlt_query_add(&query, "principal", mlt_cli_value(cli, "principal"));
    mlt_query_add(&query, "from", mlt_cli_value(cli, "from"));
    mlt_query_add(&query, "to", mlt_cli_value(cli, "to"));
    int code = mlt_cli_list(cli, "/v1/access", &query, columns, sizeof columns / sizeof columns[0]);
    mlt_buf_clear(&query);
    return code;
}

const struct mlt_cli_command mlt_cmd_access = {
    .name = "access",
    .args = "",
    .summary = "list who read or changed what",
    .text = "Lists access to the model registry, the prediction log, the training data and the trail itself, newest "
            "first.",
    .options = options,
    .examples = examples,
    .run = run,
};
