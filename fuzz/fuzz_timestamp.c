// links: mlt_crypto
//
// A token and an answer are what an authority, or whoever sits between, sends. Neither parsing nor judging crashes; a
// good verdict comes with contents that are in range and for the hash asked about; an answer's token reads again.
#include <stdlib.h>

#include "crypto/timestamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The root, hash and nonce of the seeds (tests/vectors/timestamp), so that mutations meet a chain that holds.
static const char root_pem[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBczCCARmgAwIBAgIUJ6waqp1/F31cq5ljUnypuWDVTHcwCgYIKoZIzj0EAwIw\n"
                               "LjEQMA4GA1UECgwHRXhhbXBsZTEaMBgGA1UEAwwRRXhhbXBsZSBUaW1lIFJvb3Qw\n"
                               "IBcNMTYxMTI2MjA1OTE0WhgPMjA1NjExMTYyMDU5MTRaMC4xEDAOBgNVBAoMB0V4\n"
                               "YW1wbGUxGjAYBgNVBAMMEUV4YW1wbGUgVGltZSBSb290MFkwEwYHKoZIzj0CAQYI\n"
                               "KoZIzj0DAQcDQgAEgRYADt+gQ0rgLjvccVeEuKzyL9ebVWDJEH/p9cWQCvJn9ivf\n"
                               "/dy94BlD6Yz7j1qra5zbR4h356xYmYzkfPRiP6MTMBEwDwYDVR0TAQH/BAUwAwEB\n"
                               "/zAKBggqhkjOPQQDAgNIADBFAiEAn322NBI1m/9R4l/JD3cmfhArNvEDyjuZCRQW\n"
                               "GXJ/z2oCIHLtGdNXR8NWV1CyxDLENqtwP9Z3VInMZf2ICaHDHYHp\n"
                               "-----END CERTIFICATE-----\n";
static const uint8_t nonce[MLT_TIMESTAMP_NONCE_LEN] = {0x81, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t imprint[MLT_HASH_LEN] = {
    0x68, 0xa0, 0xd2, 0x33, 0x8f, 0x0b, 0xa9, 0x3a, 0x99, 0x43, 0xb6, 0x31, 0x89, 0x1c, 0x76, 0xd0,
    0xa4, 0x6d, 0x84, 0xdc, 0x8d, 0x5b, 0x2f, 0x19, 0x2a, 0xd0, 0x30, 0x47, 0x59, 0x19, 0xf8, 0x83,
};

static struct mlt_timestamp_roots *roots;

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void check_contents(const struct mlt_timestamp *says) {
    require(strlen(says->serial) < sizeof says->serial && strlen(says->policy) < sizeof says->policy);
    require(mlt_utf8_valid(mlt_str(says->authority)));
    require(says->accuracy_ns >= 0);
}

static void fuzz_token(struct mlt_bytes bytes) {
    struct mlt_timestamp read, says;
    struct mlt_timestamp_verdict verdict;
    struct mlt_error err = {0};
    bool readable = mlt_timestamp_read(&read, bytes, &err) == MLT_OK;
    require(readable || err.text[0]);
    if (readable) {
        check_contents(&read);
    }
    require(mlt_timestamp_verify(&says, bytes, imprint, roots, &verdict, NULL) == MLT_OK);
    require(verdict.good == (verdict.why[0] == '\0'));
    if (verdict.good) {
        require(readable && says.gen_time == read.gen_time && memcmp(says.imprint, imprint, MLT_HASH_LEN) == 0);
    }
}

static void fuzz_answer(struct mlt_bytes bytes) {
    struct mlt_timestamp_verdict verdict;
    struct mlt_timestamp says;
    struct mlt_buf token = {0};
    require(mlt_timestamp_answer(bytes, imprint, nonce, &token, &verdict, NULL) == MLT_OK);
    require(verdict.good == (verdict.why[0] == '\0') && verdict.good == (token.len > 0));
    if (verdict.good) {
        require(mlt_timestamp_read(&says, mlt_buf_bytes(&token), NULL) == MLT_OK);
        require(memcmp(says.imprint, imprint, MLT_HASH_LEN) == 0);
    }
    mlt_buf_clear(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!roots) {
        require(mlt_timestamp_roots_new(&roots, mlt_str(root_pem), NULL) == MLT_OK);
    }
    fuzz_token(mlt_bytes_of(data, size));
    fuzz_answer(mlt_bytes_of(data, size));
    return 0;
}
