// Importing: a table of formats, and where their records go. A format that reads files has a capture function and
// says how its files are cut; one that fetches by itself (from a server) has `fetch` and gives records one by one.
#ifndef MLT_CLI_IMPORT_H
#define MLT_CLI_IMPORT_H

#include "capture/lines.h"
#include "cli/cli.h"

struct mlt_import;

enum mlt_import_unit {
    MLT_IMPORT_LINES, // pieces of whole lines
    MLT_IMPORT_WHOLE, // the file is one message
};

struct mlt_import_format {
    const char *name;
    const char *about; // one line of help
    enum mlt_import_unit unit;
    mlt_capture_format *translate;
    const char *content_type; // of the message; NULL: none
    // preamble (may be NULL) appends what a piece begins with, such as the schema of the file, ended by '\n'. Returns
    // an exit status, after saying what is wrong.
    int (*preamble)(struct mlt_import *im, const char *file, struct mlt_buf *out);
    // belongs (may be NULL): two lines must not be parted.
    bool (*belongs)(struct mlt_bytes a, struct mlt_bytes b);
    // fetch (NULL: files are read) takes an argument that is no file, and gives records by mlt_import_record. Returns
    // an exit status, after saying what is wrong.
    int (*fetch)(struct mlt_import *im, const char *source);
};
extern const struct mlt_import_format mlt_import_formats[]; // ends with a NULL name

// For `fetch`. The command's own options are in mlt_import_cli's.
struct mlt_cli *mlt_import_cli(struct mlt_import *im);
// mlt_import_record sends a record (a JSON object) with others; 0 or an exit status. `number` names it when it is
// rejected: "SOURCE: record NUMBER: …".
int mlt_import_record(struct mlt_import *im, struct mlt_bytes record, uint64_t number);
// mlt_import_capture sends all records of a capture and tells its rejected items; item n is number `before` + n.
int mlt_import_capture(struct mlt_import *im, const struct mlt_capture *capture, uint64_t before);

#endif
