// The command line: one table of commands, one file per command. The table feeds dispatch, help and completion.
//
// Exit status: done and true, done and false, usage, could not do it (docs: mltrail(1)).
#ifndef MLT_CLI_CLI_H
#define MLT_CLI_CLI_H

#include "base/env.h"

enum mlt_exit { MLT_EXIT_TRUE = 0, MLT_EXIT_FALSE = 1, MLT_EXIT_USAGE = 2, MLT_EXIT_FAILED = 3 };

#define MLT_CLI_VERSION "0.1.0"
#define MLT_CLI_OPTIONS_MAX 64 // of one command together with the global ones
#define MLT_CLI_GIVEN_MAX 256  // options on one command line: conditions of an approval are the longest list

struct mlt_cli_option {
    const char *name;
    char letter;       // 0: none
    const char *arg;   // name of its argument; NULL: a flag
    const char *help;  // one sentence, for help and completion
    const char *words; // what completion offers: words, "<file>" or "<dir>"; NULL: nothing
};

struct mlt_cli_example {
    const char *line;
    const char *says;
};

struct mlt_cli;
struct mlt_cli_command {
    const char *name;
    const char *args; // as the synopsis shows them; "" when none
    const char *summary;
    const char *text;  // a paragraph of help
    const char *words; // completion of the first argument, as in mlt_cli_option
    int min_args, max_args;
    const struct mlt_cli_option *options;   // ends with a NULL name
    const struct mlt_cli_example *examples; // ends with a NULL line
    int (*run)(struct mlt_cli *cli);        // enum mlt_exit
};

struct mlt_transport;

// Settings from the configuration files; flags and the environment go before them.
struct mlt_cli_config {
    char *trail, *state, *token_file, *cacert, *cert, *key, *tsa_roots;
};

struct mlt_cli {
    const struct mlt_cli_command *command;
    struct mlt_env *env;
    struct mlt_arena arena; // lives as long as the command
    const char *given[MLT_CLI_OPTIONS_MAX];
    const struct mlt_cli_option *known[MLT_CLI_OPTIONS_MAX]; // the command's options, then the global ones
    size_t num_known;
    struct mlt_cli_given { // all of them in their order, also those given several times
        const struct mlt_cli_option *option;
        const char *value;
    } all_given[MLT_CLI_GIVEN_MAX];
    size_t num_given;
    char **args;
    int num_args;
    struct mlt_cli_config config;
    bool json, quiet;
    bool out_terminal, err_terminal; // stdout, stderr are terminals
    bool color;                      // stdout is a terminal that wants colours
    bool out_closed;                 // the reader of stdout went away
    struct mlt_transport *transport;
};

extern const struct mlt_cli_command mlt_cmd_init, mlt_cmd_serve, mlt_cmd_append, mlt_cmd_import, mlt_cmd_show,
    mlt_cmd_search, mlt_cmd_report, mlt_cmd_ask, mlt_cmd_lineage, mlt_cmd_verify, mlt_cmd_monitor, mlt_cmd_prove,
    mlt_cmd_access, mlt_cmd_export, mlt_cmd_approve, mlt_cmd_settings, mlt_cmd_token, mlt_cmd_anchor, mlt_cmd_key,
    mlt_cmd_recover, mlt_cmd_reconcile, mlt_cmd_agent, mlt_cmd_proxy, mlt_cmd_witness, mlt_cmd_index, mlt_cmd_digest,
    mlt_cmd_completion, mlt_cmd_help, mlt_cmd_version;
extern const struct mlt_cli_command *const mlt_cli_commands[]; // ends with NULL
extern const struct mlt_cli_option mlt_cli_global_options[];   // ends with a NULL name

int mlt_cli_main(int argc, char **argv);
const struct mlt_cli_command *mlt_cli_find(const char *name); // NULL: none

// options.c. Parsing reports what is wrong and returns false.
bool mlt_cli_parse(struct mlt_cli *cli, int argc, char **argv);
const char *mlt_cli_value(const struct mlt_cli *cli, const char *name); // NULL: not given
bool mlt_cli_flag(const struct mlt_cli *cli, const char *name);
// mlt_cli_next gives the values of an option that may be given several times, one a call; NULL at the end. `*at` begins
// with 0.
const char *mlt_cli_next(const struct mlt_cli *cli, const char *name, size_t *at);
// mlt_cli_number reads a decimal option; false, after saying why, when it is none. Not given: `*out` stays.
bool mlt_cli_number(struct mlt_cli *cli, const char *name, uint64_t *out);
bool mlt_cli_kind(struct mlt_cli *cli); // false, after saying why, when --kind is given and no kind of record

// suggest.c: the candidate nearest to `word`, NULL when none is near.
const char *mlt_cli_nearest(const char *word, const char *const *candidates);
// mlt_cli_unknown says that there is no `what` of this name, and which there are or was meant; returns the exit status.
int mlt_cli_unknown(struct mlt_cli *cli, const char *what, const char *given, const char *const *names);

// config.c
void mlt_cli_config_load(struct mlt_cli *cli);
const char *mlt_cli_trail(struct mlt_cli *cli); // directory or URL; NULL after saying that there is none
const char *mlt_cli_state(struct mlt_cli *cli); // NULL: the default beside the trail
const char *mlt_cli_state_of(struct mlt_cli *cli, const char *dir); // never NULL
const char *mlt_cli_setting(struct mlt_cli *cli, const char *option, const char *env, const char *file);
const char *mlt_cli_home_file(struct mlt_cli *cli, const char *name);  // ~/.config/mltrail/<name>; NULL: no home
const char *mlt_cli_state_file(struct mlt_cli *cli, const char *name); // ~/.local/state/mltrail/<name>; NULL: no home
void mlt_cli_make_parents(struct mlt_cli *cli, const char *path);      // the directories above it, private
bool mlt_cli_is_url(const char *trail);

// help.c
void mlt_cli_help(struct mlt_cli *cli, const struct mlt_cli_command *command); // NULL: all commands

// say.c: `mltrail: COMMAND: what is wrong; what would be right` on stderr; returns `code`.
int mlt_cli_fail(struct mlt_cli *cli, int code, const char *fmt, ...) MLT_PRINTF(3, 4);
int mlt_cli_fail_error(struct mlt_cli *cli, const struct mlt_error *err); // MLT_EXIT_FAILED (usage for MLT_INVALID)
void mlt_cli_note(struct mlt_cli *cli, const char *fmt, ...) MLT_PRINTF(2, 3); // on stderr unless --quiet

// out.c: stdout. A closed pipe sets `out_closed` and is no error.
void mlt_cli_out(struct mlt_cli *cli, struct mlt_bytes text); // trusted or already visible text, or bytes for a file
void mlt_cli_outf(struct mlt_cli *cli, const char *fmt, ...) MLT_PRINTF(2, 3); // the same
void mlt_cli_out_json(struct mlt_cli *cli, struct mlt_bytes json); // and a newline; escaped further on a terminal
// mlt_cli_out_line prints a line with names and values that somebody else chose: they are made visible first.
void mlt_cli_out_line(struct mlt_cli *cli, const char *fmt, ...) MLT_PRINTF(2, 3);
// mlt_cli_out_text prints lines that somebody else sent: unchanged, but made visible on a terminal.
void mlt_cli_out_text(struct mlt_cli *cli, struct mlt_bytes text);
bool mlt_cli_flush(struct mlt_cli *cli); // false: stdout failed (disk full)
// mlt_cli_out_to writes to `path` (replaced atomically), or to stdout when NULL or "-".
int mlt_cli_out_to(struct mlt_cli *cli, const char *path, struct mlt_bytes content);
unsigned mlt_cli_width(void); // columns of the terminal; 100 when there is none

// progress.c: a line on stderr that is redrawn, only on a terminal and not with --quiet.
struct mlt_progress {
    struct mlt_cli *cli;
    const char *what;
    int64_t next_ns;
    int64_t begin_ns; // when it began at `begin`: what the rate is reckoned from
    uint64_t begin;
    bool drawn;
};
void mlt_progress_init(struct mlt_progress *p, struct mlt_cli *cli, const char *what);
void mlt_progress_phase(struct mlt_progress *p, const char *what); // another thing is counted now, from its beginning
void mlt_progress_step(void *progress, uint64_t done, uint64_t total); // total 0: unknown
void mlt_progress_end(struct mlt_progress *p);

#endif
