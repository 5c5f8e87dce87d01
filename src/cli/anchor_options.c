#include "cli/anchor.h"

#include "server/anchoring.h"

int mlt_anchor_authorities(struct mlt_cli *cli, const char *roots_option, struct mlt_anchoring_options *out) {
    const char *list = mlt_cli_value(cli, "tsa");
    struct mlt_error err = {0};
    if (!list) {
        return 0;
    }
    const char **urls = mlt_arena_zero(&cli->arena, (MLT_ANCHORING_MAX + 1) * sizeof *urls);
    if (!urls) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    size_t num = 0;
    while (*list && num <= MLT_ANCHORING_MAX) {
        size_t len = strcspn(list, ",");
        urls[num++] = mlt_arena_cstr(&cli->arena, mlt_bytes_of(list, len));
        list += len + (list[len] == ',');
    }
    out->urls = urls;
    out->num_urls = num;
    out->roots_file = mlt_cli_setting(cli, roots_option, NULL, cli->config.tsa_roots);
    if (num == 0) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--tsa names no authority; give its URL, or several with commas");
    }
    if (mlt_anchoring_check(cli->env, out, &err) != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--tsa or --%s: %s", roots_option, err.text);
    }
    return 0;
}

int mlt_anchor_roots(struct mlt_cli *cli, const char *option, struct mlt_timestamp_roots **out) {
    const char *file = mlt_cli_setting(cli, option, NULL, cli->config.tsa_roots);
    struct mlt_buf pem = {0};
    struct mlt_error err = {0};
    *out = NULL;
    if (!file) {
        return 0;
    }
    enum mlt_status status = mlt_env_read_file(cli->env, file, MLT_TIMESTAMP_ROOTS_MAX, &pem, &err);
    status = status ? status : mlt_timestamp_roots_new(out, mlt_buf_bytes(&pem), &err);
    mlt_buf_clear(&pem);
    return status == MLT_OK ? 0 : mlt_cli_fail(cli, MLT_EXIT_USAGE, "--%s %s: %s", option, file, err.text);
}
