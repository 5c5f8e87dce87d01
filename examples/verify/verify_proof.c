// Verifies a .tlog-proof: verify_proof PROOF ENTRY KEY, each a file. Exits with 0 when the entry is in the log that the
// key signs for, with 1 when it is not, and with 3 when that could not be checked.
#include <mltrail/verify.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (1 << 20) // a proof is at most 256 KiB, an entry 64 KiB

static size_t read_file(const char *path, char *out) {
    FILE *f = fopen(path, "rb");
    size_t len = f ? fread(out, 1, FILE_MAX, f) : 0;
    if (!f || ferror(f)) {
        perror(path);
        exit(3);
    }
    (void)fclose(f);
    return len;
}

int main(int argc, char **argv) {
    static char proof[FILE_MAX], entry[FILE_MAX], key[FILE_MAX];
    struct mltrail_trust *trust = NULL;
    struct mltrail_checkpoint checkpoint;
    struct mltrail_verdict verdict;
    struct mltrail_error err;
    uint64_t index;
    if (argc != 4) {
        fprintf(stderr, "usage: %s PROOF ENTRY KEY\n", argv[0]);
        return 2;
    }
    size_t proof_len = read_file(argv[1], proof);
    size_t entry_len = read_file(argv[2], entry);
    size_t key_len = read_file(argv[3], key);
    while (key_len > 0 && key[key_len - 1] == '\n') {
        key_len--;
    }
    enum mltrail_status st = mltrail_trust_new_key(&trust, key, key_len, &err);
    if (st == MLTRAIL_OK) {
        st = mltrail_verify_tlog_proof(&verdict, &index, &checkpoint, trust, proof, proof_len, entry, entry_len, &err);
    }
    mltrail_trust_free(trust);
    if (st != MLTRAIL_OK) {
        fprintf(stderr, "could not be checked: %s\n", err.text);
        return 3;
    }
    if (!verdict.holds) {
        printf("false: %s\n", verdict.why);
        return 1;
    }
    printf("true: entry %llu of %llu in %s\n", (unsigned long long)index, (unsigned long long)checkpoint.size,
           checkpoint.origin);
    return 0;
}
