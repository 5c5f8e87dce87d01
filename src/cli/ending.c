#include "cli/ending.h"

#include <stdio.h>

void mlt_cli_hold_ending(sigset_t *ending) {
    (void)sigemptyset(ending);
    (void)sigaddset(ending, SIGTERM);
    (void)sigaddset(ending, SIGINT);
    (void)sigprocmask(SIG_BLOCK, ending, NULL);
}

// With the port that the system chose.
static void say_where(struct mlt_cli *cli, const struct mlt_cli_place *at) {
    if (at->listen) {
        const char *colon = strrchr(at->listen, ':');
        int host_len = colon ? (int)(colon - at->listen) : (int)strlen(at->listen);
        mlt_cli_outf(cli, "%s %s at %s://%.*s:%u\n", at->what, at->dir, at->scheme, host_len > 0 ? host_len : 1,
                     host_len > 0 ? at->listen : "*", at->port);
    }
    if (at->socket) {
        mlt_cli_outf(cli, "%s %s at %s\n", at->what, at->dir, at->socket);
    } else if (!at->listen) {
        mlt_cli_outf(cli, "%s %s at %s/sock\n", at->what, at->dir, at->dir);
    }
    (void)mlt_cli_flush(cli);
}

int mlt_cli_serve_until(struct mlt_cli *cli, const sigset_t *ending, const struct mlt_cli_place *at) {
    const char *port_file = mlt_cli_value(cli, "port-file");
    int signal_number;
    say_where(cli, at);
    if (port_file) {
        char text[16];
        int len = snprintf(text, sizeof text, "%u\n", at->port);
        struct mlt_error err = {0};
        if (mlt_env_replace_file(cli->env, port_file, mlt_bytes_of(text, (size_t)len), false, &err) != MLT_OK) {
            return mlt_cli_fail(cli, MLT_EXIT_FAILED, "cannot write %s: %s", port_file, err.text);
        }
    }
    (void)sigwait(ending, &signal_number);
    return MLT_EXIT_TRUE;
}
