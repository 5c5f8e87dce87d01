#include <stdio.h>
#include <unistd.h>

#include "cli/verify.h"
#include "dossier/visible.h"

#define KNOWN_FILE "known_trails"
#define KNOWN_MAX (1024 * 1024) // thousands of trails

static bool read_known(struct mlt_cli *cli, const char *path, struct mlt_buf *out) {
    struct mlt_error err = {0};
    enum mlt_status status = mlt_env_read_file(cli->env, path, KNOWN_MAX, out, &err);
    if (status != MLT_OK && status != MLT_NOTFOUND) {
        mlt_cli_note(cli, "%s is passed over: %s", path, err.text);
    }
    return status == MLT_OK;
}

static struct mlt_bytes without_slash(const char *url) {
    struct mlt_bytes b = mlt_str(url);
    while (b.len > 0 && b.ptr[b.len - 1] == '/') {
        b.len--;
    }
    return b;
}

static bool is_about(struct mlt_bytes line, struct mlt_bytes url) {
    return url.len > 0 && line.len > url.len && memcmp(line.ptr, url.ptr, url.len) == 0 && line.ptr[url.len] == ' ';
}

// The key of the first line about `url` (empty: of any) whose key is named `origin` (NULL: whatever its name).
static bool find_known(struct mlt_cli *cli, struct mlt_bytes url, const char *origin, struct mlt_vkey *out) {
    const char *path = mlt_cli_home_file(cli, KNOWN_FILE);
    struct mlt_buf text = {0};
    bool found = false;
    if (path && read_known(cli, path, &text)) {
        mlt_buf_put_u8(&text, '\n');
        struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&text));
        while (!found && mlt_cursor_left(&c) > 0) {
            const struct mlt_bytes line = mlt_cursor_line(&c);
            const uint8_t *space = line.len > 0 ? memchr(line.ptr, ' ', line.len) : NULL;
            found = space && (url.len == 0 || is_about(line, url)) &&
                    mlt_vkey_parse(out, mlt_bytes_of(space + 1, line.len - (size_t)(space + 1 - line.ptr)), NULL) ==
                        MLT_OK &&
                    (!origin || strcmp(out->name, origin) == 0);
        }
    }
    mlt_buf_clear(&text);
    return found;
}

bool mlt_known_trail(struct mlt_cli *cli, const char *url, struct mlt_vkey *out) {
    const struct mlt_bytes wanted = without_slash(url);
    return wanted.len > 0 && find_known(cli, wanted, NULL, out);
}

// A key is named as the origin of its log, whatever the URL that the log was met at.
bool mlt_known_trail_of(struct mlt_cli *cli, const char *origin, struct mlt_vkey *out) {
    return find_known(cli, (struct mlt_bytes){0}, origin, out);
}

// remember puts the line in place of what there was about the trail.
static void remember(struct mlt_cli *cli, const char *url, const char *vkey) {
    const char *path = mlt_cli_home_file(cli, KNOWN_FILE);
    struct mlt_buf before = {0};
    struct mlt_buf text = {0};
    struct mlt_error err = {0};
    if (!path) {
        return;
    }
    mlt_cli_make_parents(cli, path);
    if (read_known(cli, path, &before) && before.len > 0 && before.data[before.len - 1] != '\n') {
        mlt_buf_put_u8(&before, '\n');
    }
    struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&before));
    while (mlt_cursor_left(&c) > 0) {
        struct mlt_bytes line = mlt_cursor_line(&c);
        if (!is_about(line, without_slash(url))) {
            mlt_buf_printf(&text, "%.*s\n", MLT_ARG(line));
        }
    }
    mlt_buf_printf(&text, "%.*s %s\n", MLT_ARG(without_slash(url)), vkey);
    if (before.failed || text.failed ||
        mlt_env_replace_file(cli->env, path, mlt_buf_bytes(&text), true, &err) != MLT_OK) {
        mlt_cli_note(cli, "the key is not remembered: %s", err.text[0] ? err.text : "out of memory");
    }
    mlt_buf_clear(&before);
    mlt_buf_clear(&text);
}

void mlt_known_trail_replace(struct mlt_cli *cli, const char *url, const struct mlt_vkey *key) {
    char vkey[MLT_VKEY_TEXT_MAX];
    mlt_vkey_format(vkey, key);
    remember(cli, url, vkey);
}

bool mlt_known_trail_ask(struct mlt_cli *cli, const char *url, const struct mlt_vkey *key) {
    char vkey[MLT_VKEY_TEXT_MAX];
    char answer[16] = "";
    if (!cli->err_terminal || isatty(STDIN_FILENO) != 1) {
        return false;
    }
    mlt_vkey_format(vkey, key);
    struct mlt_buf shown = {0};
    mlt_visible_put(&shown, mlt_str(vkey), MLT_VISIBLE_PLAIN);
    (void)fprintf(stderr,
                  "The trail at %s is not known yet. It says that its key is\n  %.*s\n"
                  "Compare it with what its owner gave you. Trust it from now on (yes/no)? ",
                  url, MLT_ARG(mlt_buf_bytes(&shown)));
    mlt_buf_clear(&shown);
    if (!fgets(answer, sizeof answer, stdin) || strcmp(answer, "yes\n") != 0) {
        return false;
    }
    remember(cli, url, vkey);
    return true;
}
