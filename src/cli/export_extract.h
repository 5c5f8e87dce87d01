// The parts of `export`: which range of the log, and what proves that it is whole.
#ifndef MLT_CLI_EXPORT_EXTRACT_H
#define MLT_CLI_EXPORT_EXTRACT_H

#include <stdio.h>

#include "bundle/extract.h"
#include "cli/tiles.h"
#include "cli/transport.h"

struct mlt_extract {
    struct mlt_cli *cli;
    struct mlt_cli_tiles *tiles;
    struct mlt_extract_statement statement;
    struct mlt_buf hidden; // of struct mlt_extract_hidden
    uint64_t next;         // the entry that has to come next, or be hidden
};

// export_range.c. 0, or the exit status after saying why.
// mlt_extract_open finds the checkpoint and the range that the options ask for.
int mlt_extract_open(struct mlt_cli *cli, struct mlt_extract *x);
// mlt_extract_shown counts entry `index` as shown; hashes stand for those in front of it that are not.
int mlt_extract_shown(struct mlt_extract *x, uint64_t index);
// mlt_extract_close makes the statement whole: what is hidden at the end, and the two paths.
int mlt_extract_close(struct mlt_extract *x);
void mlt_extract_clear(struct mlt_extract *x);

// One answer after the other of GET /v1/export over the range.
struct mlt_extract_pages {
    struct mlt_extract *x;
    bool filtered;        // by the filter of the statement
    const char *payloads; // "plain", "salts", "none"
    struct mlt_reply reply;
    struct mlt_cursor lines;
    char cursor[24];
    bool ended;
};
void mlt_extract_pages_init(struct mlt_extract_pages *p, struct mlt_extract *x, bool filtered, const char *payloads);
// mlt_extract_pages_next gives the next line, {NULL,0} after the last one; valid until the next call.
int mlt_extract_pages_next(struct mlt_extract_pages *p, struct mlt_bytes *line);
void mlt_extract_pages_clear(struct mlt_extract_pages *p);

// mlt_export_create makes a new file that nobody else may read, since payloads come into it; NULL and errno.
FILE *mlt_export_create(const char *path);
// export_archive.c: the extract as an archive at `path`.
int mlt_export_archive(struct mlt_cli *cli, struct mlt_extract *x, const char *path);

#endif
