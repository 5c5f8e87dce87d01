#define _DEFAULT_SOURCE // TIOCGWINSZ
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "dossier/visible.h"

#define WIDTH_DEFAULT 100
#define WIDTH_MIN 40
#define LINE_MAX_LEN 2048 // twice an error's text; what is longer is cut

void mlt_cli_out(struct mlt_cli *cli, struct mlt_bytes text) {
    if (text.len > 0 && !cli->out_closed && fwrite(text.ptr, 1, text.len, stdout) != text.len && errno == EPIPE) {
        cli->out_closed = true;
    }
}

void mlt_cli_outf(struct mlt_cli *cli, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    if (!cli->out_closed && vfprintf(stdout, fmt, args) < 0 && errno == EPIPE) {
        cli->out_closed = true;
    }
    va_end(args);
}

// harmless says whether the character may go to a terminal as it is. JSON has escaped those below 0x20 already.
static bool harmless(struct mlt_bytes character) {
    if (character.len == 1) {
        return (character.ptr[0] >= 0x20 && character.ptr[0] < 0x7f) || character.ptr[0] == '\n';
    }
    struct mlt_buf shown = {0};
    mlt_visible_put(&shown, character, MLT_VISIBLE_PLAIN);
    bool same = mlt_bytes_equal(mlt_buf_bytes(&shown), character);
    mlt_buf_clear(&shown);
    return same;
}

void mlt_cli_out_json(struct mlt_cli *cli, struct mlt_bytes json) {
    while (json.len > 0 && json.ptr[json.len - 1] == '\n') {
        json.len--;
    }
    if (!cli->out_terminal) {
        mlt_cli_out(cli, json);
        mlt_cli_out(cli, mlt_str("\n"));
        return;
    }
    struct mlt_buf out = {0};
    while (json.len > 0) {
        const uint8_t *at = json.ptr;
        uint32_t c = mlt_visible_next(&json);
        struct mlt_bytes character = mlt_bytes_of(at, (size_t)(json.ptr - at));
        if (harmless(character)) {
            mlt_buf_put_bytes(&out, character);
        } else if (c > 0xffff) {
            mlt_buf_printf(&out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            mlt_buf_printf(&out, "\\u%04x", c);
        }
    }
    mlt_buf_put_u8(&out, '\n');
    mlt_cli_out(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

void mlt_cli_out_line(struct mlt_cli *cli, const char *fmt, ...) {
    char text[LINE_MAX_LEN];
    struct mlt_buf out = {0};
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    mlt_visible_put(&out, mlt_str(text), MLT_VISIBLE_PLAIN);
    mlt_buf_put_u8(&out, '\n');
    mlt_cli_out(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

void mlt_cli_out_text(struct mlt_cli *cli, struct mlt_bytes text) {
    struct mlt_buf out = {0};
    if (!cli->out_terminal) {
        mlt_cli_out(cli, text);
        return;
    }
    while (text.len > 0) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        mlt_visible_put(&out, mlt_bytes_of(text.ptr, len), MLT_VISIBLE_PLAIN);
        mlt_buf_put_u8(&out, '\n');
        len += end != NULL;
        text = mlt_bytes_of(text.ptr + len, text.len - len);
    }
    mlt_cli_out(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

bool mlt_cli_flush(struct mlt_cli *cli) {
    if (cli->out_closed) {
        return true;
    }
    bool flushed = fflush(stdout) == 0;
    return (flushed && !ferror(stdout)) || errno == EPIPE;
}

int mlt_cli_out_to(struct mlt_cli *cli, const char *path, struct mlt_bytes content) {
    if (!path || strcmp(path, "-") == 0) {
        mlt_cli_out(cli, content);
        return MLT_EXIT_TRUE;
    }
    struct mlt_error err = {0};
    // Private: what a trail answers may hold personal data.
    if (mlt_env_replace_file(cli->env, path, content, true, &err) != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "cannot write %s: %s", path, err.text);
    }
    return MLT_EXIT_TRUE;
}

unsigned mlt_cli_width(void) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return WIDTH_DEFAULT;
    }
    return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col;
}
