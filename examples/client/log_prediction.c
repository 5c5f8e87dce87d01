// Logs predictions of a small model, as a serving process would.
//
//   log_prediction URL SPOOL_DIR [TOKEN_FILE] [HOW_MANY]
//
// A prediction is released only after it was logged: on disk, whether the server is there or not.
#include <stdio.h>
#include <stdlib.h>

#include <mltrail/client.h>

static double model(double income, double debts) {
    return income > 0 ? debts / income : 1;
}

int main(int argc, char **argv) {
    struct mltrail_client *client;
    struct mltrail_error err;
    struct mltrail_receipt receipt;
    if (argc < 3) {
        fprintf(stderr, "usage: %s URL SPOOL_DIR [TOKEN_FILE] [HOW_MANY]\n", argv[0]);
        return 2;
    }
    const struct mltrail_client_options options = {
        .url = argv[1], .spool_dir = argv[2], .token_file = argc > 3 && argv[3][0] ? argv[3] : NULL};
    if (mltrail_client_open(&client, &options, &err) != MLTRAIL_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 3;
    }
    int how_many = argc > 4 ? atoi(argv[4]) : 10;
    for (int i = 0; i < how_many; i++) {
        char features[64], answer[64];
        snprintf(features, sizeof features, "{\"income\":%d,\"debts\":%d}", 1000 + i, 10 * i);
        snprintf(answer, sizeof answer, "{\"risk\":%.4f}", model(1000 + i, 10 * i));
        const struct mltrail_prediction prediction = {
            .model = "risk", .model_version = "3", .feature_values = features, .prediction = answer};
        if (mltrail_client_log_prediction(client, &receipt, &prediction, &err) != MLTRAIL_OK) {
            fprintf(stderr, "not logged, so not released: %s\n", err.text);
            continue;
        }
        printf("%s %llu %s\n", receipt.stream, (unsigned long long)receipt.sequence, answer);
    }
    // Five seconds for what is on its way; what remains is sent by the next process, or by an agent.
    if (mltrail_client_close(client, 5000, &err) != MLTRAIL_OK) {
        fprintf(stderr, "%s\n", err.text);
    }
    return 0;
}
