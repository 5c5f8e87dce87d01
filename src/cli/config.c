// Configuration files: lines of `key = value`, '#' begins a comment. ~/.config/mltrail/config goes before
// /etc/mltrail/config; flags and the environment go before both.

#include <stdlib.h>
#include <sys/stat.h>

#include "cli/cli.h"

#define CONFIG_MAX (64 * 1024) // more is not a configuration of a few keys
#define SYSTEM_CONFIG "/etc/mltrail/config"

static struct mlt_bytes trim(struct mlt_bytes b) {
    while (b.len > 0 && (b.ptr[0] == ' ' || b.ptr[0] == '\t')) {
        b = mlt_bytes_of(b.ptr + 1, b.len - 1);
    }
    while (b.len > 0 && (b.ptr[b.len - 1] == ' ' || b.ptr[b.len - 1] == '\t' || b.ptr[b.len - 1] == '\r')) {
        b.len--;
    }
    return b;
}

static char **config_place(struct mlt_cli_config *config, struct mlt_bytes key) {
    const struct {
        const char *name;
        char **place;
    } keys[] = {{"trail", &config->trail},        {"state", &config->state}, {"token-file", &config->token_file},
                {"cacert", &config->cacert},      {"cert", &config->cert},   {"key", &config->key},
                {"tsa-roots", &config->tsa_roots}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (mlt_bytes_is(key, keys[i].name)) {
            return keys[i].place;
        }
    }
    return NULL;
}

static void read_line(struct mlt_cli *cli, const char *path, size_t number, struct mlt_bytes line) {
    line = trim(line);
    if (line.len == 0 || line.ptr[0] == '#') {
        return;
    }
    const uint8_t *equals = memchr(line.ptr, '=', line.len);
    struct mlt_bytes key = trim(mlt_bytes_of(line.ptr, equals ? (size_t)(equals - line.ptr) : line.len));
    char **place = config_place(&cli->config, key);
    if (!equals || !place) {
        mlt_cli_note(
            cli,
            "%s line %zu: \"%.*s\" is no setting; there are trail, state, token-file, cacert, cert, key, tsa-roots",
            path, number, MLT_ARG(key));
        return;
    }
    if (!*place) { // the file read first wins
        *place =
            mlt_arena_cstr(&cli->arena, trim(mlt_bytes_of(equals + 1, line.len - (size_t)(equals + 1 - line.ptr))));
    }
}

static void read_config(struct mlt_cli *cli, const char *path) {
    struct mlt_buf text = {0};
    struct mlt_error err = {0};
    enum mlt_status status = mlt_env_read_file(cli->env, path, CONFIG_MAX, &text, &err);
    if (status == MLT_OK) {
        mlt_buf_put_u8(&text, '\n');
        struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&text));
        for (size_t number = 1; mlt_cursor_left(&c) > 0; number++) {
            read_line(cli, path, number, mlt_cursor_line(&c));
        }
    } else if (status != MLT_NOTFOUND) {
        mlt_cli_note(cli, "the configuration is passed over: %s", err.text);
    }
    mlt_buf_clear(&text);
}

// A file of ours under a directory of the XDG base directory specification.
static const char *xdg_file(struct mlt_cli *cli, const char *variable, const char *below_home, const char *name) {
    const char *dir = getenv(variable);
    const char *home = getenv("HOME");
    if (dir && dir[0] == '/') {
        return mlt_arena_printf(&cli->arena, "%s/mltrail/%s", dir, name);
    }
    return home && home[0] ? mlt_arena_printf(&cli->arena, "%s/%s/mltrail/%s", home, below_home, name) : NULL;
}

const char *mlt_cli_home_file(struct mlt_cli *cli, const char *name) {
    return xdg_file(cli, "XDG_CONFIG_HOME", ".config", name);
}

const char *mlt_cli_state_file(struct mlt_cli *cli, const char *name) {
    return xdg_file(cli, "XDG_STATE_HOME", ".local/state", name);
}

void mlt_cli_make_parents(struct mlt_cli *cli, const char *path) {
    char *copy = mlt_arena_printf(&cli->arena, "%s", path);
    for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(copy, 0700);
        *slash = '/';
    }
}

void mlt_cli_config_load(struct mlt_cli *cli) {
    const char *own = mlt_cli_home_file(cli, "config");
    if (own) {
        read_config(cli, own);
    }
    read_config(cli, SYSTEM_CONFIG);
}

const char *mlt_cli_setting(struct mlt_cli *cli, const char *option, const char *env, const char *file) {
    const char *value = mlt_cli_value(cli, option);
    if (!value && env) {
        value = getenv(env);
    }
    value = value && value[0] ? value : file;
    return value && value[0] ? value : NULL;
}

const char *mlt_cli_trail(struct mlt_cli *cli) {
    struct stat st;
    const char *trail = mlt_cli_setting(cli, "trail", "MLTRAIL", cli->config.trail);
    if (!trail && stat("trail/trail.json", &st) == 0) {
        trail = "trail";
    }
    if (!trail) {
        (void)mlt_cli_fail(
            cli, MLT_EXIT_USAGE,
            "no trail given, and there is none in ./trail; use --trail DIR or URL, set MLTRAIL, or make one with "
            "\"mltrail init DIR\"");
    }
    return trail;
}

const char *mlt_cli_state(struct mlt_cli *cli) {
    return mlt_cli_setting(cli, "state", NULL, cli->config.state);
}

const char *mlt_cli_state_of(struct mlt_cli *cli, const char *dir) {
    const char *state = mlt_cli_state(cli);
    if (state) {
        return state;
    }
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }
    return mlt_arena_printf(&cli->arena, "%.*s.state", (int)len, dir);
}

bool mlt_cli_is_url(const char *trail) {
    return strncmp(trail, "http://", 7) == 0 || strncmp(trail, "https://", 8) == 0;
}
