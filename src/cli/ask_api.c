#include <ctype.h>

#include "cli/transport.h"
#include "record/json.h"

static void put_encoded(struct mlt_buf *out, struct mlt_bytes text) {
    static const char digits[] = "0123456789ABCDEF";
    bool dots = mlt_bytes_is(text, ".") || mlt_bytes_is(text, ".."); // would be taken for a step in the path
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c < 0x80 && (isalnum(c) || c == '-' || c == '_' || c == '~' || (c == '.' && !dots))) {
            mlt_buf_put_u8(out, c);
        } else {
            mlt_buf_put_u8(out, '%');
            mlt_buf_put_u8(out, (uint8_t)digits[c >> 4]);
            mlt_buf_put_u8(out, (uint8_t)digits[c & 15]);
        }
    }
}

void mlt_query_add(struct mlt_buf *query, const char *name, const char *value) {
    if (value) {
        mlt_buf_printf(query, "%s%s=", query->len > 0 ? "&" : "", name);
        put_encoded(query, mlt_str(value));
    }
}

void mlt_path_add(struct mlt_buf *path, struct mlt_bytes segment) {
    mlt_buf_put_u8(path, '/');
    put_encoded(path, segment);
}

static int exit_for(int http_status) {
    switch (http_status) {
    case 404:
    case 410:
        return MLT_EXIT_FALSE;
    case 400:
    case 413:
    case 415:
    case 422:
        return MLT_EXIT_USAGE;
    default:
        return MLT_EXIT_FAILED;
    }
}

int mlt_cli_explain(struct mlt_cli *cli, const struct mlt_reply *reply) {
    struct mlt_json json = {0};
    int code = exit_for(reply->status);
    struct mlt_bytes detail = {0};
    struct mlt_bytes pointer = {0};
    if (mlt_json_scan(&json, mlt_buf_bytes(&reply->body), NULL) == MLT_OK) {
        detail = mlt_json_string(&json, mlt_json_get(&json, 0, "detail"), &cli->arena);
        pointer = mlt_json_string(&json, mlt_json_get(&json, 0, "pointer"), &cli->arena);
    }
    const char *hint = "";
    if (reply->status == 401) {
        hint = "; give a token with --token-file FILE or in MLTRAIL_TOKEN";
    }
    if (detail.len > 0) {
        (void)mlt_cli_fail(cli, code, "%.*s%s%.*s%s", MLT_ARG(pointer), pointer.len ? ": " : "", MLT_ARG(detail), hint);
    } else {
        (void)mlt_cli_fail(cli, code, "the server answered %d and no reason%s", reply->status, hint);
    }
    mlt_json_clear(&json);
    return code;
}

int mlt_cli_scan(struct mlt_cli *cli, struct mlt_json *json, struct mlt_bytes answer) {
    struct mlt_error err = {0};
    return mlt_json_scan(json, answer, &err) == MLT_OK
               ? 0
               : mlt_cli_fail(cli, MLT_EXIT_FAILED, "the answer is no JSON: %s", err.text);
}

int mlt_cli_open(struct mlt_cli *cli) {
    struct mlt_error err = {0};
    const char *trail = cli->transport ? "" : mlt_cli_trail(cli);
    if (!trail) {
        return MLT_EXIT_USAGE;
    }
    return cli->transport || mlt_transport_open(&cli->transport, cli, trail, &err) == MLT_OK
               ? 0
               : mlt_cli_fail_error(cli, &err);
}

int mlt_cli_send(struct mlt_cli *cli, const struct mlt_call *call, struct mlt_reply *reply) {
    struct mlt_error err = {0};
    int code = mlt_cli_open(cli);
    if (code != 0) {
        return code;
    }
    if (mlt_transport_send(cli->transport, call, reply, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    return reply->status >= 200 && reply->status < 300 ? 0 : mlt_cli_explain(cli, reply);
}

int mlt_cli_get(struct mlt_cli *cli, const char *path, const char *query, struct mlt_reply *reply) {
    const struct mlt_call call = {.method = "GET", .path = path, .query = query};
    if (!path) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    return mlt_cli_send(cli, &call, reply);
}
