#include "cli/resolve.h"

#include "cli/json_text.h"
#include "cli/transport.h"

static int resolve_request(struct mlt_cli *cli, const char *id, uint64_t *out, size_t *num) {
    struct mlt_buf path = {0};
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    mlt_buf_put_str(&path, "/v1/predictions");
    mlt_path_add(&path, mlt_str(id));
    int code = mlt_cli_get(cli, mlt_buf_cstr(&path), NULL, &reply);
    code = code == 0 ? mlt_cli_scan(cli, &json, mlt_buf_bytes(&reply.body)) : code;
    if (code == 0) {
        mlt_json_at items = mlt_json_get(&json, 0, "items");
        for (mlt_json_at n = mlt_json_first(&json, items); n != MLT_JSON_NONE; n = mlt_json_next(&json, items, n)) {
            if (*num < MLT_RESOLVE_MAX && mlt_json_u64(&json, mlt_json_path(&json, n, "index|entry"), &out[*num])) {
                (*num)++;
            }
        }
        if (*num == 0) {
            code = mlt_cli_fail(cli, MLT_EXIT_FALSE, "no prediction has the request id \"%s\"", id);
        }
    }
    mlt_json_clear(&json);
    mlt_reply_clear(&reply);
    mlt_buf_clear(&path);
    return code;
}

int mlt_cli_resolve(struct mlt_cli *cli, const char *text, uint64_t out[static MLT_RESOLVE_MAX], size_t *num) {
    bool entry = strncmp(text, "entry:", 6) == 0;
    *num = 0;
    if (mlt_decimal_decode(&out[0], mlt_str(entry ? text + 6 : text))) {
        *num = 1;
        return 0;
    }
    if (entry) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "\"%s\" names no entry; write entry:17", text);
    }
    return resolve_request(cli, strncmp(text, "prediction:", 11) == 0 ? text + 11 : text, out, num);
}
