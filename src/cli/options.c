#define _GNU_SOURCE // getopt_long
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "record/kind.h"

#define FIRST_LONG 256 // values of long options begin above any letter

static void collect(struct mlt_cli *cli) {
    const struct mlt_cli_option *tables[2] = {cli->command->options, mlt_cli_global_options};
    for (size_t t = 0; t < 2; t++) {
        for (const struct mlt_cli_option *o = tables[t]; o && o->name && cli->num_known < MLT_CLI_OPTIONS_MAX; o++) {
            bool shadowed = false; // a command's own option stands before the global one of that name
            for (size_t i = 0; i < cli->num_known; i++) {
                shadowed = shadowed || strcmp(cli->known[i]->name, o->name) == 0;
            }
            if (!shadowed) {
                cli->known[cli->num_known++] = o;
            }
        }
    }
}

static int complain(struct mlt_cli *cli, const char *word, int letter, bool missing) {
    char text[64];
    if (word && strncmp(word, "--", 2) == 0) {
        (void)snprintf(text, sizeof text, "%.*s", (int)strcspn(word, "="), word);
    } else {
        (void)snprintf(text, sizeof text, "-%c", letter ? letter : '?');
    }
    if (missing) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "option %s needs a value; \"mltrail help %s\" shows which", text,
                            cli->command->name);
    }
    const char *names[MLT_CLI_OPTIONS_MAX + 1] = {0};
    for (size_t i = 0; i < cli->num_known; i++) {
        names[i] = cli->known[i]->name;
        if (text[1] == '-' && strcmp(text + 2, names[i]) == 0) {
            return mlt_cli_fail(cli, MLT_EXIT_USAGE, "option %s takes no value", text);
        }
    }
    const char *near = text[1] == '-' ? mlt_cli_nearest(text + 2, names) : NULL;
    if (near) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no option %s; did you mean --%s?", text, near);
    }
    return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                        "there is no option %s; \"mltrail help %s\" lists them; an argument that begins with '-' "
                        "stands behind --",
                        text, cli->command->name);
}

bool mlt_cli_parse(struct mlt_cli *cli, int argc, char **argv) {
    collect(cli);
    struct option longs[MLT_CLI_OPTIONS_MAX + 1] = {0};
    char letters[2 * MLT_CLI_OPTIONS_MAX + 2] = ":";
    size_t num_letters = 1;
    for (size_t i = 0; i < cli->num_known; i++) {
        const struct mlt_cli_option *o = cli->known[i];
        longs[i] = (struct option){o->name, o->arg ? required_argument : no_argument, NULL, FIRST_LONG + (int)i};
        if (o->letter) {
            letters[num_letters++] = o->letter;
            if (o->arg) {
                letters[num_letters++] = ':';
            }
        }
    }
    opterr = 0;
    int found;
    while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (found == '?' || found == ':') {
            (void)complain(cli, optind > 0 ? argv[optind - 1] : NULL, optopt < FIRST_LONG ? optopt : 0, found == ':');
            return false;
        }
        size_t at = 0;
        while (at < cli->num_known &&
               (found >= FIRST_LONG ? (size_t)(found - FIRST_LONG) != at : cli->known[at]->letter != found)) {
            at++;
        }
        if (cli->num_given == MLT_CLI_GIVEN_MAX) {
            (void)mlt_cli_fail(cli, MLT_EXIT_USAGE, "there are more than %d options", MLT_CLI_GIVEN_MAX);
            return false;
        }
        cli->given[at] = optarg ? optarg : "";
        cli->all_given[cli->num_given++] = (struct mlt_cli_given){cli->known[at], cli->given[at]};
    }
    cli->args = argv + optind;
    cli->num_args = argc - optind;
    return true;
}

const char *mlt_cli_value(const struct mlt_cli *cli, const char *name) {
    for (size_t i = 0; i < cli->num_known; i++) {
        if (strcmp(cli->known[i]->name, name) == 0) {
            return cli->given[i];
        }
    }
    return NULL;
}

bool mlt_cli_flag(const struct mlt_cli *cli, const char *name) {
    return mlt_cli_value(cli, name) != NULL;
}

const char *mlt_cli_next(const struct mlt_cli *cli, const char *name, size_t *at) {
    while (*at < cli->num_given) {
        const struct mlt_cli_given *given = &cli->all_given[(*at)++];
        if (strcmp(given->option->name, name) == 0) {
            return given->value;
        }
    }
    return NULL;
}

bool mlt_cli_number(struct mlt_cli *cli, const char *name, uint64_t *out) {
    const char *text = mlt_cli_value(cli, name);
    if (text && !mlt_decimal_decode(out, mlt_str(text))) {
        (void)mlt_cli_fail(cli, MLT_EXIT_USAGE, "--%s %s is no number; give digits, as in --%s 100", name, text, name);
        return false;
    }
    return true;
}

bool mlt_cli_kind(struct mlt_cli *cli) {
    const char *given = mlt_cli_value(cli, "kind");
    const char *names[MLT_NUM_KINDS + 1] = {0};
    if (!given || mlt_kind_find(mlt_str(given))) {
        return true;
    }
    for (int k = 0; k < MLT_NUM_KINDS; k++) {
        names[k] = mlt_kind_info((enum mlt_kind)k)->name;
    }
    const char *near = mlt_cli_nearest(given, names);
    if (near) {
        (void)mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no kind \"%s\"; did you mean \"%s\"?", given, near);
    } else {
        (void)mlt_cli_fail(cli, MLT_EXIT_USAGE,
                           "there is no kind \"%s\"; prediction, dataset.version, training.run, model.version, "
                           "approval, transition, access and others are, and kinds of your own begin with \"x-\"",
                           given);
    }
    return false;
}
