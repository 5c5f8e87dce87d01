// MLflow: exchanges from whoever stands before its server, and its webhooks as a second witness.
#include <stdio.h>

#include "base/time.h"
#include "capture/mlflow.h"
#include "crypto/hmac.h"
#include "server/intake.h"

#define SECRET_FILE "mlflow-webhook.secret"
#define SECRET_MAX 4096         // bytes of the file; MLflow's are at most a thousand characters
#define SKEW_MAX_S INT64_C(300) // between MLflow's clock and this one; older deliveries may be replayed ones
#define SIGNATURE_PREFIX "v1,"
#define HEADER_MAX 200 // bytes of an identifier or a time in a header

static const struct mlt_intake exchanges = {.format = "mlflow-exchange", .translate = mlt_capture_mlflow_exchanges};

void mlt_handle_mlflow_exchanges(struct mlt_call *call) {
    mlt_intake_handle(call, &exchanges);
}

// -- webhooks ---------------------------------------------------------------------------------------------------------

static bool refuse(struct mlt_call *call, int status, const char *code, const char *says) {
    mlt_api_refused(call->api, call->req);
    mlt_answer_problem(call->res, status, code, NULL, "%s", says);
    return false;
}

// The secret is read with every delivery: a new one is in force at once.
static bool read_secret(struct mlt_call *call, struct mlt_buf *out) {
    struct mlt_api *api = call->api;
    struct mlt_buf path = {0};
    if (api->mlflow_webhook_secret) {
        mlt_buf_put_str(&path, api->mlflow_webhook_secret);
    } else {
        mlt_buf_printf(&path, "%s/" SECRET_FILE, mlt_trail_state_dir(api->trail));
    }
    const char *text = mlt_buf_cstr(&path);
    bool found = text && mlt_env_read_file(api->env, text, SECRET_MAX, out, NULL) == MLT_OK;
    while (found && out->len > 0 && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r')) {
        out->len--;
    }
    mlt_buf_clear(&path);
    return found && out->len > 0;
}

static bool fresh(struct mlt_call *call, const char *timestamp) {
    uint64_t at = 0;
    int64_t now = call->api->env->now(call->api->env) / MLT_NS_PER_S;
    if (!mlt_decimal_decode(&at, mlt_str(timestamp)) || at > INT32_MAX * UINT64_C(1000)) {
        return false;
    }
    int64_t skew = now - (int64_t)at;
    return skew <= SKEW_MAX_S && -skew <= SKEW_MAX_S;
}

// v1,<base64 of HMAC-SHA256 over "<delivery>.<timestamp>.<body>">
static bool signed_by(struct mlt_bytes secret, const char *delivery, const char *timestamp, struct mlt_bytes body,
                      const char *signature) {
    const struct mlt_bytes parts[] = {mlt_str(delivery), mlt_str("."), mlt_str(timestamp), mlt_str("."), body};
    uint8_t want[MLT_HASH_LEN], got[MLT_HASH_LEN];
    size_t len = 0, prefix = strlen(SIGNATURE_PREFIX);
    mlt_hmac_sha256(want, secret, parts, sizeof parts / sizeof parts[0]);
    return strncmp(signature, SIGNATURE_PREFIX, prefix) == 0 &&
           mlt_base64_decode(got, sizeof got, &len, mlt_str(signature + prefix)) && len == sizeof got &&
           mlt_memeql(want, got, sizeof got);
}

static bool check_signature(struct mlt_call *call, const struct mlt_foreign *msg) {
    const char *delivery = mlt_request_header(call->req, "X-MLflow-Delivery-Id");
    const char *timestamp = mlt_request_header(call->req, "X-MLflow-Timestamp");
    const char *signature = mlt_request_header(call->req, "X-MLflow-Signature");
    struct mlt_buf secret = {0};
    if (!delivery || !timestamp || !signature || strlen(delivery) > HEADER_MAX || strlen(timestamp) > HEADER_MAX ||
        strlen(signature) > HEADER_MAX) {
        return refuse(
            call, 401, "not-signed",
            "a delivery has X-MLflow-Delivery-Id, X-MLflow-Timestamp and X-MLflow-Signature; give the webhook "
            "a secret in MLflow");
    }
    bool known = read_secret(call, &secret);
    bool good = known && signed_by(mlt_buf_bytes(&secret), delivery, timestamp, msg->body, signature);
    mlt_wipe(secret.data, secret.len);
    mlt_buf_clear(&secret);
    if (!known) {
        return refuse(call, 401, "no-secret",
                      "this trail has no secret for webhooks of MLflow; put it into mlflow-webhook.secret beside the "
                      "keys, or say serve --mlflow-webhook-secret-file");
    }
    if (!good) {
        return refuse(call, 401, "bad-signature", "the signature is not one by the secret that this trail has");
    }
    return fresh(call, timestamp) || refuse(call, 401, "not-fresh",
                                            "the delivery is dated more than five minutes from this server's time; a "
                                            "repeated one may be a replay, or a clock is wrong");
}

static bool authenticate(struct mlt_call *call, const struct mlt_foreign *msg, struct mlt_principal *out) {
    if (!check_signature(call, msg)) {
        return false;
    }
    memset(out, 0, sizeof *out);
    (void)snprintf(out->name, sizeof out->name, "mlflow-webhook");
    (void)snprintf(out->assurance, sizeof out->assurance, "authenticated");
    (void)snprintf(out->address, sizeof out->address, "%s", msg->address);
    out->grant.rights = MLT_MAY_APPEND;
    (void)snprintf(out->grant.kinds[0], sizeof out->grant.kinds[0], "capture");
    return true;
}

static const struct mlt_intake webhook = {
    .format = "mlflow-webhook", .translate = mlt_capture_mlflow_webhook, .authenticate = authenticate};

void mlt_handle_mlflow_webhook(struct mlt_call *call) {
    mlt_intake_handle(call, &webhook);
}
