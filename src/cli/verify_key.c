#include "cli/transport.h"
#include "cli/verify.h"

#define KEY_FILE_MAX 4096

static struct mlt_bytes first_line(struct mlt_bytes text) {
    const uint8_t *end = text.len > 0 ? memchr(text.ptr, '\n', text.len) : NULL;
    size_t len = end ? (size_t)(end - text.ptr) : text.len;
    while (len > 0 && text.ptr[len - 1] <= ' ') {
        len--;
    }
    return mlt_bytes_of(text.ptr, len);
}

bool mlt_verify_key_read(struct mlt_cli *cli, const char *what, const char *given, struct mlt_vkey *out) {
    struct mlt_error err = {0};
    struct mlt_error file_err = {0};
    struct mlt_buf text = {0};
    if (mlt_vkey_parse(out, mlt_str(given), &err) == MLT_OK) {
        return true;
    }
    if (mlt_env_read_file(cli->env, given, KEY_FILE_MAX, &text, &file_err) != MLT_OK) {
        (void)mlt_cli_fail(cli, MLT_EXIT_USAGE,
                           "%s is neither a verifier key (%s) nor a file that can be read (%s); the owner of the trail "
                           "makes the file with \"mltrail key export > FILE\"",
                           what, strchr(given, '+') ? err.text : "name+hash+key", file_err.text);
        return false;
    }
    bool good = mlt_vkey_parse(out, first_line(mlt_buf_bytes(&text)), &err) == MLT_OK;
    if (!good) {
        (void)mlt_cli_fail(cli, MLT_EXIT_USAGE, "the first line of %s is no verifier key: %s", given, err.text);
    }
    mlt_buf_clear(&text);
    return good;
}

bool mlt_verify_key_given(struct mlt_cli *cli, struct mlt_vkey *out, bool *have) {
    const char *given = mlt_cli_value(cli, "key");
    *have = given != NULL;
    return !given || mlt_verify_key_read(cli, "--key", given, out);
}

struct mlt_bytes mlt_verify_key_offered(struct mlt_cli *cli) {
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    struct mlt_bytes vkey = {0};
    const struct mlt_call call = {.method = "GET", .path = "/readyz"};
    if (mlt_transport_send(cli->transport, &call, &reply, NULL) == MLT_OK && reply.status == 200 &&
        mlt_json_scan(&json, mlt_buf_bytes(&reply.body), NULL) == MLT_OK) {
        vkey = mlt_arena_copy(&cli->arena, mlt_json_string(&json, mlt_json_get(&json, 0, "vkey"), &cli->arena));
    }
    mlt_json_clear(&json);
    mlt_reply_clear(&reply);
    return vkey;
}
