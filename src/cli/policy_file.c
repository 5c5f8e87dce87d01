#include "cli/policy_file.h"

int mlt_cli_policy(struct mlt_cli *cli, const char *path, struct mlt_policy *out, struct mlt_buf *text) {
    struct mlt_buf own = {0};
    struct mlt_error err = {0};
    struct mlt_buf *read = text ? text : &own;
    *out = (struct mlt_policy){0};
    int code = 0;
    enum mlt_status status = mlt_env_read_file(cli->env, path, MLT_POLICY_TEXT_MAX, read, &err);
    if (status != MLT_OK) {
        code = mlt_cli_fail(cli, MLT_EXIT_USAGE, "cannot read the policy %s: %s", path, err.text);
    } else if (mlt_policy_parse(out, mlt_buf_bytes(read), &err) != MLT_OK) {
        code = mlt_cli_fail(cli, MLT_EXIT_USAGE, "the policy %s: %s", path, err.text);
    }
    mlt_buf_clear(&own);
    return code;
}
