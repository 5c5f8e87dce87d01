#include "cli/confirm.h"

#include <stdio.h>
#include <unistd.h>

int mlt_cli_confirm(struct mlt_cli *cli, const char *what) {
    char answer[16] = "";
    if (mlt_cli_flag(cli, "yes")) {
        return 0;
    }
    if (!cli->err_terminal || isatty(STDIN_FILENO) != 1) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "%s This cannot be taken back; say --yes where nobody can be asked",
                            what);
    }
    (void)fprintf(stderr, "%s\nThis cannot be taken back. Go on (yes/no)? ", what);
    if (!fgets(answer, sizeof answer, stdin) || strcmp(answer, "yes\n") != 0) {
        return mlt_cli_fail(cli, MLT_EXIT_FALSE, "nothing was changed");
    }
    return 0;
}
