#include "cli/pin.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "crypto/sha256.h"

static enum mlt_status copy_pin(char out[static MLT_PIN_MAX], struct mlt_bytes text, const char *from,
                                struct mlt_error *err) {
    while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r')) {
        text.len--;
    }
    if (text.len == 0 || text.len >= MLT_PIN_MAX || memchr(text.ptr, '\n', text.len)) {
        return mlt_fail(err, MLT_INVALID, "%s holds no PIN: one line of 1 to %d bytes would be right", from,
                        MLT_PIN_MAX - 1);
    }
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return MLT_OK;
}

static enum mlt_status from_file(struct mlt_cli *cli, const char *path, char out[static MLT_PIN_MAX],
                                 struct mlt_error *err) {
    struct mlt_buf text = {0};
    enum mlt_status st = mlt_env_read_file(cli->env, path, MLT_PIN_MAX + 2, &text, err);
    st = st ? mlt_context(err, st, "the file with the PIN") : copy_pin(out, mlt_buf_bytes(&text), path, err);
    if (text.data) {
        mlt_wipe(text.data, text.cap);
    }
    mlt_buf_clear(&text);
    return st;
}

static volatile sig_atomic_t caught;

static void note_signal(int number) {
    caught = number;
}

// read_line reads one line past stdio, in whose buffer the PIN would stay. A signal that would end the process ends the
// read instead; it is raised again once the terminal echoes as before. False: no line.
static bool read_line(char *line, size_t cap, const struct termios *before) {
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    enum { NUM = sizeof ending / sizeof ending[0] };
    struct sigaction noting = {.sa_handler = note_signal}; // no SA_RESTART: the read ends
    struct sigaction old[NUM];
    struct termios silent = *before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)sigemptyset(&noting.sa_mask);
    caught = 0;
    for (size_t i = 0; i < NUM; i++) {
        (void)sigaction(ending[i], &noting, &old[i]);
    }
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    const ssize_t got = read(STDIN_FILENO, line, cap - 1);
    line[got > 0 ? got : 0] = '\0';
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, before);
    (void)fputc('\n', stderr);
    for (size_t i = 0; i < NUM; i++) {
        (void)sigaction(ending[i], &old[i], NULL);
    }
    if (caught) {
        (void)raise(caught);
    }
    return got > 0;
}

static enum mlt_status from_terminal(const char *token, char out[static MLT_PIN_MAX], struct mlt_error *err) {
    struct termios before;
    char line[MLT_PIN_MAX + 1] = "";
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1 || tcgetattr(STDIN_FILENO, &before) != 0) {
        return mlt_fail(err, MLT_DENIED,
                        "the PKCS#11 token %s wants a PIN; MLTRAIL_PIN_FILE=FILE or MLTRAIL_PIN would give it", token);
    }
    (void)fprintf(stderr, "PIN of the token %s: ", token);
    enum mlt_status st = read_line(line, sizeof line, &before)
                             ? copy_pin(out, mlt_str(line), "the answer", err)
                             : mlt_fail(err, MLT_DENIED, "no PIN was given for the token %s", token);
    mlt_wipe(line, sizeof line);
    return st;
}

static enum mlt_status read_pin(void *arg, const char *token, const char *pin_file, char out[static MLT_PIN_MAX],
                                struct mlt_error *err) {
    struct mlt_cli *cli = arg;
    const char *file = pin_file ? pin_file : getenv("MLTRAIL_PIN_FILE");
    const char *given = getenv("MLTRAIL_PIN");
    if (file && file[0]) {
        return from_file(cli, file, out, err);
    }
    return given && given[0] ? copy_pin(out, mlt_str(given), "MLTRAIL_PIN", err) : from_terminal(token, out, err);
}

const struct mlt_pin_source *mlt_cli_pin(struct mlt_cli *cli) {
    struct mlt_pin_source *source = mlt_arena_zero(&cli->arena, sizeof *source);
    if (source) {
        *source = (struct mlt_pin_source){.read = read_pin, .arg = cli};
    }
    return source;
}
