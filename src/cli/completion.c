#include "cli/cli.h"

static const struct mlt_cli_option options[] = {{0}};
static const struct mlt_cli_example examples[] = {
    {"source <(mltrail completion bash)", "complete commands and options in this shell"},
    {"mltrail completion bash > ~/.local/share/bash-completion/completions/mltrail", "in every shell from now on"},
    {0},
};

static void print_offer(struct mlt_cli *cli, const char *words) {
    if (strcmp(words, "<file>") == 0) {
        mlt_cli_outf(cli, "COMPREPLY=($(compgen -f -- \"$cur\"))");
    } else if (strcmp(words, "<dir>") == 0) {
        mlt_cli_outf(cli, "COMPREPLY=($(compgen -d -- \"$cur\"))");
    } else if (strcmp(words, "<command>") == 0) {
        mlt_cli_outf(cli, "COMPREPLY=($(compgen -W \"$commands\" -- \"$cur\"))");
    } else {
        mlt_cli_outf(cli, "COMPREPLY=($(compgen -W '%s' -- \"$cur\"))", words);
    }
}

// print_values prints what is offered after an option that takes a value, a `case` arm each; `prefix` is the command.
static void print_values(struct mlt_cli *cli, const char *prefix, const struct mlt_cli_option *table) {
    for (const struct mlt_cli_option *o = table; o->name; o++) {
        if (!o->arg) {
            continue;
        }
        mlt_cli_outf(cli, "    %s:--%s", prefix, o->name);
        if (o->letter) {
            mlt_cli_outf(cli, "|%s:-%c", prefix, o->letter);
        }
        mlt_cli_outf(cli, ") ");
        if (o->words) {
            print_offer(cli, o->words);
            mlt_cli_outf(cli, "; ");
        }
        mlt_cli_outf(cli, "return ;;\n");
    }
}

static void print_names(struct mlt_cli *cli, const struct mlt_cli_option *table) {
    for (const struct mlt_cli_option *o = table; o->name; o++) {
        mlt_cli_outf(cli, " --%s", o->name);
    }
}

static void print_bash(struct mlt_cli *cli) {
    mlt_cli_outf(cli, "# bash completion for mltrail; made by \"mltrail completion bash\"\n_mltrail() {\n"
                      "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd= i options= "
                      "commands='");
    for (const struct mlt_cli_command *const *c = mlt_cli_commands; *c; c++) {
        mlt_cli_outf(cli, "%s%s", c == mlt_cli_commands ? "" : " ", (*c)->name);
    }
    mlt_cli_outf(cli, "'\n    COMPREPLY=()\n"
                      "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                      "        case \" $commands \" in *\" ${COMP_WORDS[i]} \"*) cmd=${COMP_WORDS[i]}; break ;; esac\n"
                      "    done\n    case \"$cmd:$prev\" in\n");
    for (const struct mlt_cli_command *const *c = mlt_cli_commands; *c; c++) {
        print_values(cli, (*c)->name, (*c)->options);
    }
    print_values(cli, "*", mlt_cli_global_options);
    mlt_cli_outf(cli, "    esac\n    case \"$cmd\" in\n");
    for (const struct mlt_cli_command *const *c = mlt_cli_commands; *c; c++) {
        mlt_cli_outf(cli, "    %s) options='", (*c)->name);
        print_names(cli, (*c)->options);
        mlt_cli_outf(cli, "' ;;\n");
    }
    mlt_cli_outf(cli, "    esac\n    if [[ $cur == -* ]]; then\n        options+='");
    print_names(cli, mlt_cli_global_options);
    mlt_cli_outf(cli, "'\n        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n        return\n    fi\n"
                      "    case \"$cmd\" in\n    '') COMPREPLY=($(compgen -W \"$commands\" -- \"$cur\")) ;;\n");
    for (const struct mlt_cli_command *const *c = mlt_cli_commands; *c; c++) {
        if ((*c)->words) {
            mlt_cli_outf(cli, "    %s) ", (*c)->name);
            print_offer(cli, (*c)->words);
            mlt_cli_outf(cli, " ;;\n");
        }
    }
    mlt_cli_outf(cli, "    esac\n}\ncomplete -o filenames -F _mltrail mltrail\n");
}

static int run(struct mlt_cli *cli) {
    if (strcmp(cli->args[0], "bash") != 0) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no completion for \"%s\"; there is bash", cli->args[0]);
    }
    print_bash(cli);
    return MLT_EXIT_TRUE;
}

const struct mlt_cli_command mlt_cmd_completion = {
    .name = "completion",
    .args = "bash",
    .summary = "print a completion script for the shell",
    .text = "Prints a script that completes commands, options and their values; made from the same table as the help.",
    .words = "bash",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
