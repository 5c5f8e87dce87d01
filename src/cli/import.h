// Importing: a table of formats. One that reads files has a capture function and says how its files are cut into
// messages; one that fetches from a server does all by itself (`run`), with options among those of the command.
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
    int max_args;                    // sources after the name; 0: any number
    int (*run)(struct mlt_cli *cli); // NULL: files are read; cli->args[0] is the name
    enum mlt_import_unit unit;
    mlt_capture_format *translate;
    const char *content_type; // of the message; NULL: none
    // preamble (may be NULL) appends what a piece begins with, such as the schema of the file, ended by '\n'. Returns
    // an exit status, after saying what is wrong.
    int (*preamble)(struct mlt_import *im, const char *file, struct mlt_buf *out);
    // belongs (may be NULL): two lines must not be parted.
    bool (*belongs)(struct mlt_bytes a, struct mlt_bytes b);
};

#endif
