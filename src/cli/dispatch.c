#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "cli/transport.h"

// clang-format off
const struct mlt_cli_command *const mlt_cli_commands[] = {
    &mlt_cmd_init,
    &mlt_cmd_serve,
    &mlt_cmd_append,
    &mlt_cmd_import,
    &mlt_cmd_show,
    &mlt_cmd_search,
    &mlt_cmd_report,
    &mlt_cmd_ask,
    &mlt_cmd_lineage,
    &mlt_cmd_verify,
    &mlt_cmd_monitor,
    &mlt_cmd_prove,
    &mlt_cmd_access,
    &mlt_cmd_export,
    &mlt_cmd_approve,
    &mlt_cmd_settings,
    &mlt_cmd_token,
    &mlt_cmd_anchor,
    &mlt_cmd_key,
    &mlt_cmd_recover,
    &mlt_cmd_reconcile,
    &mlt_cmd_proxy,
    &mlt_cmd_witness,
    &mlt_cmd_index,
    &mlt_cmd_digest,
    &mlt_cmd_completion,
    &mlt_cmd_help,
    &mlt_cmd_version,
    NULL,
};
// clang-format on

const struct mlt_cli_option mlt_cli_global_options[] = {
    {"trail", 't', "DIR|URL", "The trail to work on (default: $MLTRAIL, the configuration file, ./trail).", "<dir>"},
    {"state", 0, "DIR", "Where keys, tokens and the last signed head are (default: TRAIL.state).", "<dir>"},
    {"json", 'j', NULL, "Print JSON for programs.", NULL},
    {"quiet", 'q', NULL, "Print no progress and no remarks.", NULL},
    {"no-color", 0, NULL, "Print no colours, also on a terminal (as does $NO_COLOR).", NULL},
    {"token-file", 0, "FILE", "File with the API token for a URL (or the token itself in $MLTRAIL_TOKEN).", "<file>"},
    {"cacert", 0, "FILE", "PEM file of the authorities that a URL's certificate is checked against.", "<file>"},
    {"cert", 0, "FILE", "PEM file of the client certificate for a URL.", "<file>"},
    {"key", 0, "FILE", "PEM file of the client certificate's key.", "<file>"},
    {"help", 'h', NULL, "Print help and exit.", NULL},
    {"version", 'V', NULL, "Print the version and exit.", NULL},
    {0},
};

#define COMMANDS_MAX 64

const struct mlt_cli_command *mlt_cli_find(const char *name) {
    for (const struct mlt_cli_command *const *c = mlt_cli_commands; *c; c++) {
        if (strcmp((*c)->name, name) == 0) {
            return *c;
        }
    }
    return NULL;
}

static int unknown_command(struct mlt_cli *cli, const char *name) {
    const char *names[COMMANDS_MAX + 1] = {0};
    for (size_t i = 0; mlt_cli_commands[i] && i < COMMANDS_MAX; i++) {
        names[i] = mlt_cli_commands[i]->name;
    }
    const char *near = mlt_cli_nearest(name, names);
    if (near) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no command \"%s\"; did you mean \"%s\"?", name, near);
    }
    return mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no command \"%s\"; \"mltrail help\" lists them", name);
}

// takes_argument says whether the global option in `word` has its argument in the next word.
static bool takes_argument(const char *word) {
    for (const struct mlt_cli_option *o = mlt_cli_global_options; o->name; o++) {
        if (o->arg && strncmp(word, "--", 2) == 0 && strcmp(word + 2, o->name) == 0) {
            return true;
        }
        if (o->arg && o->letter && word[0] == '-' && word[1] == o->letter && word[2] == '\0') {
            return true;
        }
    }
    return false;
}

// take_command finds the first word that is no option and takes it out of argv, so that global options may stand on
// either side of it.
static const char *take_command(int *argc, char **argv) {
    for (int i = 1; i < *argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            i += takes_argument(argv[i]);
            continue;
        }
        const char *name = argv[i];
        for (int k = i; k < *argc; k++) {
            argv[k] = argv[k + 1];
        }
        (*argc)--;
        return name;
    }
    return NULL;
}

static int run_command(struct mlt_cli *cli) {
    if (mlt_cli_flag(cli, "help")) {
        mlt_cli_help(cli, cli->command == &mlt_cmd_help ? NULL : cli->command);
        return MLT_EXIT_TRUE;
    }
    if (mlt_cli_flag(cli, "version")) {
        return mlt_cmd_version.run(cli);
    }
    if (cli->num_args < cli->command->min_args || cli->num_args > cli->command->max_args) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "%s; usage: mltrail %s%s%s",
                            cli->num_args < cli->command->min_args ? "an argument is missing" : "too many arguments",
                            cli->command->name, cli->command->args[0] ? " " : "", cli->command->args);
    }
    return cli->command->run(cli);
}

static int finish(struct mlt_cli *cli, int code) {
    struct mlt_error err = {0};
    if (cli->transport && mlt_transport_close(cli->transport, &err) != MLT_OK) {
        code = mlt_cli_fail_error(cli, &err);
    }
    if (!mlt_cli_flush(cli) && code == MLT_EXIT_TRUE) {
        code = mlt_cli_fail(cli, MLT_EXIT_FAILED, "cannot write to standard output");
    }
    mlt_arena_clear(&cli->arena);
    return code;
}

int mlt_cli_main(int argc, char **argv) {
    // A reader that goes away is seen as EPIPE, so that the trail is still closed in order.
    (void)signal(SIGPIPE, SIG_IGN);
    struct mlt_cli cli = {.env = mlt_env_posix()};
    cli.out_terminal = isatty(STDOUT_FILENO) == 1;
    cli.err_terminal = isatty(STDERR_FILENO) == 1;
    const char *name = take_command(&argc, argv);
    cli.command = name ? mlt_cli_find(name) : &mlt_cmd_help;
    if (!cli.command) {
        return unknown_command(&cli, name);
    }
    if (!mlt_cli_parse(&cli, argc, argv)) {
        return finish(&cli, MLT_EXIT_USAGE);
    }
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    cli.json = mlt_cli_flag(&cli, "json");
    cli.quiet = mlt_cli_flag(&cli, "quiet");
    cli.color = cli.out_terminal && !mlt_cli_flag(&cli, "no-color") && !(no_color && no_color[0]) &&
                !(term && strcmp(term, "dumb") == 0);
    mlt_cli_config_load(&cli);
    if (!name && !mlt_cli_flag(&cli, "help") && !mlt_cli_flag(&cli, "version")) {
        cli.command = NULL; // nobody's message
        return finish(&cli, mlt_cli_fail(&cli, MLT_EXIT_USAGE, "no command given; \"mltrail help\" lists them"));
    }
    return finish(&cli, run_command(&cli));
}
