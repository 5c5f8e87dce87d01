#include <stdio.h>

#include "cli/cli.h"
#include "dossier/visible.h"

#define MESSAGE_MAX 4096 // longer ones are cut: a message is a sentence

MLT_PRINTF(2, 0)
static void say(const struct mlt_cli *cli, const char *fmt, va_list args) {
    char text[MESSAGE_MAX];
    (void)vsnprintf(text, sizeof text, fmt, args);
    struct mlt_buf line = {0};
    mlt_buf_put_str(&line, "mltrail: ");
    if (cli->command) {
        mlt_buf_printf(&line, "%s: ", cli->command->name);
    }
    mlt_visible_put(&line, mlt_str(text), MLT_VISIBLE_PLAIN);
    mlt_buf_put_u8(&line, '\n');
    (void)fwrite(line.data, 1, line.len, stderr);
    mlt_buf_clear(&line);
}

int mlt_cli_fail(struct mlt_cli *cli, int code, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    say(cli, fmt, args);
    va_end(args);
    return code;
}

int mlt_cli_fail_error(struct mlt_cli *cli, const struct mlt_error *err) {
    int code = err->status == MLT_INVALID ? MLT_EXIT_USAGE : MLT_EXIT_FAILED;
    if (err->file[0] && !strstr(err->text, err->file)) {
        return mlt_cli_fail(cli, code, "%s: %s", err->file, err->text);
    }
    return mlt_cli_fail(cli, code, "%s", err->text);
}

void mlt_cli_note(struct mlt_cli *cli, const char *fmt, ...) {
    if (cli->quiet) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    say(cli, fmt, args);
    va_end(args);
}
