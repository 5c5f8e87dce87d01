// What a file is, by how it begins.
#include <stdio.h>
#include <sys/stat.h>

#include "bundle/extract.h"
#include "cli/verify.h"

enum mlt_verify_file mlt_verify_file_of(const char *path) {
    static const struct {
        const char *head;
        enum mlt_verify_file what;
    } known[] = {
        {"c2sp.org/tlog-proof@", MLT_FILE_PROOF},
        {"PK\003\004", MLT_FILE_ARCHIVE},
        {"{\"index\":", MLT_FILE_LINES},
        {MLT_EXTRACT_BEGINS, MLT_FILE_LINES},
    };
    char text[32] = ""; // the longest of these, and more
    struct stat st;
    if (stat(path, &st) != 0 || S_ISDIR(st.st_mode)) {
        return MLT_FILE_NONE;
    }
    FILE *file = S_ISREG(st.st_mode) ? fopen(path, "re") : NULL; // a pipe would be waited for
    if (file) {
        (void)fread(text, 1, sizeof text - 1, file);
        (void)fclose(file);
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strncmp(text, known[i].head, strlen(known[i].head)) == 0) {
            return known[i].what;
        }
    }
    return MLT_FILE_OTHER;
}
