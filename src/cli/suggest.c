#include "cli/cli.h"

#define WORD_MAX 40 // longer words are nobody's typing mistake

// Edits (insert, delete, replace) between two words.
static size_t distance(const char *a, const char *b) {
    size_t row[WORD_MAX + 1];
    size_t b_len = strlen(b);
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            diagonal = row[j];
            row[j] = least < replaced ? least : replaced;
        }
    }
    return row[b_len];
}

const char *mlt_cli_nearest(const char *word, const char *const *candidates) {
    const char *best = NULL;
    size_t best_distance = 3; // further away it is another word
    if (strlen(word) > WORD_MAX) {
        return NULL;
    }
    for (; *candidates; candidates++) {
        size_t d = strlen(*candidates) > WORD_MAX ? SIZE_MAX : distance(word, *candidates);
        if (d < best_distance && d < strlen(word)) {
            best = *candidates;
            best_distance = d;
        }
    }
    return best;
}

int mlt_cli_unknown(struct mlt_cli *cli, const char *what, const char *given, const char *const *names) {
    const char *near = mlt_cli_nearest(given, names);
    struct mlt_buf list = {0};
    if (near) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no %s \"%s\"; did you mean \"%s\"?", what, given, near);
    }
    for (size_t i = 0; names[i]; i++) {
        mlt_buf_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    int code = mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no %s \"%s\"; there are %.*s", what, given,
                            MLT_ARG(mlt_buf_bytes(&list)));
    mlt_buf_clear(&list);
    return code;
}
