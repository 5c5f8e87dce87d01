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
