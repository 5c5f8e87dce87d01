#include "cli/cli.h"

int main(int argc, char **argv) {
    return mlt_cli_main(argc, argv);
}
