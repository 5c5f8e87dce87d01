#include <stdio.h>

#include "cli/cli.h"

static const struct mlt_cli_option options[] = {{0}};
static const struct mlt_cli_example examples[] = {
    {"mltrail help", "all commands"},
    {"mltrail help append", "one of them, with examples"},
    {0},
};

#define WRAP 78 // fits any terminal and a mail

// print_wrapped prints words behind `indent` spaces; the first line is where the caller left it, at column `at`.
static void print_wrapped(struct mlt_cli *cli, const char *text, size_t indent, size_t at) {
    while (*text) {
        size_t len = strcspn(text, " ");
        if (at > indent && at + 1 + len > WRAP) {
            mlt_cli_outf(cli, "\n%*s", (int)indent, "");
            at = indent;
        } else if (at > indent) {
            mlt_cli_outf(cli, " ");
            at++;
        }
        mlt_cli_outf(cli, "%.*s", (int)len, text);
        at += len;
        text += len + (text[len] == ' ');
    }
    mlt_cli_outf(cli, "\n");
}

static bool is_in(const struct mlt_cli_option *table, const char *name) {
    while (table && table->name && strcmp(table->name, name) != 0) {
        table++;
    }
    return table && table->name;
}

// print_options leaves out what `own` has an option of the same name for.
static void print_options(struct mlt_cli *cli, const struct mlt_cli_option *table, const struct mlt_cli_option *own) {
    enum { HELP_COLUMN = 28 };
    for (const struct mlt_cli_option *o = table; o && o->name; o++) {
        if (is_in(own, o->name)) {
            continue;
        }
        char left[64];
        int len = snprintf(left, sizeof left, "  %c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                           o->letter ? "," : " ", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        mlt_cli_outf(cli, "%s", left);
        if (len + 2 > HELP_COLUMN) {
            mlt_cli_outf(cli, "\n%*s", HELP_COLUMN, "");
        } else {
            mlt_cli_outf(cli, "%*s", HELP_COLUMN - len, "");
        }
        print_wrapped(cli, o->help, HELP_COLUMN, HELP_COLUMN);
    }
}

static void print_all(struct mlt_cli *cli) {
    mlt_cli_outf(cli, "usage: mltrail [OPTION...] COMMAND [ARGUMENT...]\n\n"
                      "The audit trail of machine-learning systems that can be proved.\n\ncommands:\n");
    for (const struct mlt_cli_command *const *c = mlt_cli_commands; *c; c++) {
        mlt_cli_outf(cli, "  %-12s%s\n", (*c)->name, (*c)->summary);
    }
    mlt_cli_outf(cli, "\noptions of every command:\n");
    print_options(cli, mlt_cli_global_options, NULL);
    mlt_cli_outf(cli, "\nexamples:\n"
                      "  mltrail init trail --origin example.com/credit\n"
                      "  mltrail append < records.ndjson\n"
                      "  mltrail report req-8f2c\n"
                      "  mltrail verify trail\n\n"
                      "exit status: 0 done and true, 1 done and false, 2 usage, 3 could not do it\n"
                      "\"mltrail help COMMAND\" and mltrail-COMMAND(1) say more.\n");
}

void mlt_cli_help(struct mlt_cli *cli, const struct mlt_cli_command *command) {
    if (!command) {
        print_all(cli);
        return;
    }
    mlt_cli_outf(cli, "usage: mltrail %s%s%s [OPTION...]\n\n", command->name, command->args[0] ? " " : "",
                 command->args);
    print_wrapped(cli, command->text, 0, 0);
    if (command->options[0].name) {
        mlt_cli_outf(cli, "\noptions:\n");
        print_options(cli, command->options, NULL);
    }
    mlt_cli_outf(cli, "\noptions of every command:\n");
    print_options(cli, mlt_cli_global_options, command->options);
    mlt_cli_outf(cli, "\nexamples:\n");
    for (const struct mlt_cli_example *e = command->examples; e->line; e++) {
        mlt_cli_outf(cli, "  %s\n      ", e->line);
        print_wrapped(cli, e->says, 6, 6);
    }
}

static int run(struct mlt_cli *cli) {
    const struct mlt_cli_command *command = cli->num_args > 0 ? mlt_cli_find(cli->args[0]) : NULL;
    if (cli->num_args > 0 && !command) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no command \"%s\"; \"mltrail help\" lists them",
                            cli->args[0]);
    }
    mlt_cli_help(cli, command);
    return MLT_EXIT_TRUE;
}

const struct mlt_cli_command mlt_cmd_help = {
    .name = "help",
    .args = "[COMMAND]",
    .summary = "print help",
    .text = "Prints the list of commands, or the help of one.",
    .words = "<command>",
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
