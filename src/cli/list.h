// Lists of the API: pages are followed until the limit, printed as a table or as {"items":[…]}.
#ifndef MLT_CLI_LIST_H
#define MLT_CLI_LIST_H

#include "cli/json_text.h"
#include "cli/transport.h"

// mlt_cli_list prints what `path` gives with `query` (extended while it goes on); option --limit bounds it.
int mlt_cli_list(struct mlt_cli *cli, const char *path, struct mlt_buf *query, const struct mlt_column *columns,
                 size_t num_columns);

#endif
