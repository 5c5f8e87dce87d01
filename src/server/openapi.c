// The OpenAPI 3.0.3 document, from the table of routes.
#include <stdio.h>
#include <stdlib.h>

#include "server/api_state.h"

// Schemas of answers. What a record holds is its producer's business, so entries and payloads stay open.
static const char schemas[] =
    "{\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"code\",\"detail\"],\"properties\":"
    "{"
    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
    "\"code\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"},\"pointer\":{\"type\":\"string\"}}},"
    "\"Object\":{\"type\":\"object\"},\"Text\":{\"type\":\"string\"},\"Bytes\":{\"type\":\"string\",\"format\":"
    "\"binary\"},"
    "\"Record\":{\"type\":\"object\",\"required\":[\"index\",\"entry\",\"payload\",\"payload_state\",\"leaf\"],"
    "\"properties\":{\"index\":{\"type\":\"integer\"},\"entry\":{\"type\":\"object\"},"
    "\"payload\":{\"type\":\"object\",\"nullable\":true},\"payload_state\":{\"type\":\"string\",\"enum\":[\"open\","
    "\"none\","
    "\"erased\",\"withheld\",\"missing\"]},\"details\":{\"type\":\"object\"},"
    "\"leaf\":{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{64}$\"}}},"
    "\"RecordPage\":{\"type\":\"object\",\"required\":[\"items\",\"total\",\"next\",\"tree_size\"],\"properties\":{"
    "\"items\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Record\"}},"
    "\"total\":{\"type\":\"integer\",\"nullable\":true},\"next\":{\"type\":\"string\",\"nullable\":true},"
    "\"tree_size\":{\"type\":\"integer\"}}},"
    "\"Receipt\":{\"oneOf\":[{\"type\":\"object\",\"required\":[\"index\",\"leaf\",\"duplicate\",\"tree_size\","
    "\"checkpoint\"],\"properties\":{\"index\":{\"type\":\"integer\"},\"leaf\":{\"type\":\"string\"},"
    "\"duplicate\":{\"type\":\"boolean\"},\"tree_size\":{\"type\":\"integer\"},\"checkpoint\":{\"type\":\"string\"}}},"
    "{\"$ref\":\"#/components/schemas/BatchReceipt\"}]},"
    "\"BatchReceipt\":{\"type\":\"object\",\"required\":[\"accepted\",\"duplicates\",\"rejected\",\"first_index\","
    "\"last_index\",\"checkpoint\",\"problems\"],\"properties\":{\"accepted\":{\"type\":\"integer\"},"
    "\"duplicates\":{\"type\":\"integer\"},\"rejected\":{\"type\":\"integer\"},"
    "\"first_index\":{\"type\":\"integer\",\"nullable\":true},\"last_index\":{\"type\":\"integer\",\"nullable\":true},"
    "\"checkpoint\":{\"type\":\"string\"},\"problems\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
    "\"problems_omitted\":{\"type\":\"integer\"},\"receipts\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}},"
    "\"Proof\":{\"type\":\"object\",\"required\":[\"index\",\"leaf\",\"proof\",\"checkpoint\",\"tlog_proof\"],"
    "\"properties\":{\"index\":{\"type\":\"integer\"},\"leaf\":{\"type\":\"string\"},\"proof\":{\"type\":\"array\","
    "\"items\":{\"type\":\"string\"}},\"checkpoint\":{\"type\":\"string\"},\"tlog_proof\":{\"type\":\"string\"}}},"
    "\"Trail\":{\"type\":\"object\",\"required\":[\"format\",\"origin\",\"created\",\"raw\",\"public\",\"keys\","
    "\"signature\"],\"properties\":{\"format\":{\"type\":\"integer\"},\"origin\":{\"type\":\"string\"},"
    "\"created\":{\"type\":\"string\"},\"raw\":{\"type\":\"boolean\"},\"public\":{\"type\":\"boolean\"},"
    "\"keys\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"links\":{\"type\":\"array\",\"items\":{\"type\":"
    "\"string\"}},\"signature\":{\"type\":\"string\"}}},"
    "\"Dossier\":{\"type\":\"object\",\"required\":[\"request_id\",\"predictions\",\"findings\",\"integrity\","
    "\"generated\"]},"
    "\"ModelVersion\":{\"type\":\"object\",\"required\":[\"model\",\"model_version\",\"model_versions\",\"approvals\","
    "\"transitions\",\"findings\",\"tree_size\"]},"
    "\"QuestionList\":{\"type\":\"object\",\"required\":[\"items\"],\"properties\":{\"items\":{\"type\":\"array\","
    "\"items\":{\"type\":\"object\",\"required\":[\"id\",\"text\",\"params\"]}}}},"
    "\"Answer\":{\"type\":\"object\",\"required\":[\"question\",\"answered\"]},"
    "\"Setting\":{\"type\":\"object\",\"required\":[\"name\",\"value\",\"entry\"],\"properties\":{"
    "\"name\":{\"type\":\"string\"},\"value\":{},\"entry\":{\"type\":\"integer\",\"nullable\":true}}},"
    "\"SettingList\":{\"type\":\"object\",\"required\":[\"items\",\"tree_size\"],\"properties\":{\"items\":{\"type\":"
    "\"array\",\"items\":{\"$ref\":\"#/components/schemas/Setting\"}},\"tree_size\":{\"type\":\"integer\"}}},"
    "\"AnchorList\":{\"type\":\"object\",\"required\":[\"items\"],\"properties\":{\"items\":{\"type\":\"array\","
    "\"items\":{\"type\":\"object\",\"required\":[\"url\",\"anchored_size\",\"entry\",\"problem\"],\"properties\":{"
    "\"url\":{\"type\":\"string\"},\"anchored_size\":{\"type\":\"integer\"},\"entry\":{\"type\":\"integer\","
    "\"nullable\":true},\"problem\":{\"type\":\"string\",\"nullable\":true}}}}}}}";

static const char record_body[] =
    "{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\",\"required\":[\"kind\"],"
    "\"properties\":{\"kind\":{\"type\":\"string\"}}}},\"application/x-ndjson\":{\"schema\":{\"type\":\"string\"}}}}";
static const char setting_body[] =
    "{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\",\"required\":[\"name\","
    "\"value\",\"reason\"],\"properties\":{\"name\":{\"type\":\"string\"},\"value\":{},\"reason\":{\"type\":\"string\","
    "\"minLength\":1}}}}}}";
static const char foreign_body[] = // whatever its sender makes, which may be nothing but headers
    "{\"required\":false,\"content\":{\"application/json\":{\"schema\":{}},\"application/octet-stream\":{\"schema\":{"
    "\"type\":\"string\",\"format\":\"binary\"}}}}";
static const char entry_body[] = "{\"required\":true,\"content\":{\"application/"
                                 "octet-stream\":{\"schema\":{\"type\":\"string\",\"format\":\"binary\"}}}}";

static void write_schema(struct mlt_json_writer *w, const struct mlt_param *p, bool path) {
    mlt_jw_name(w, "schema");
    mlt_jw_object(w);
    mlt_jw_member(w, "type", p->type == MLT_P_COUNT ? "integer" : "string");
    if (p->type == MLT_P_COUNT) {
        mlt_jw_member_u64(w, "minimum", p->min);
        if (p->max > 0) {
            mlt_jw_member_u64(w, "maximum", p->max);
        }
    } else if (p->type == MLT_P_TIME) {
        mlt_jw_member(w, "format", "date-time");
    } else if (p->type == MLT_P_ENUM) {
        mlt_jw_name(w, "enum");
        mlt_jw_array(w);
        for (const char *const *v = p->values; *v; v++) {
            mlt_jw_cstr(w, *v);
        }
        mlt_jw_end_array(w);
    } else if (path) {
        mlt_jw_member_u64(w, "minLength", 1);
    }
    mlt_jw_end_object(w);
}

static void write_param(struct mlt_json_writer *w, const struct mlt_param *p, bool path) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s", p->name);
    char *dots = strstr(name, "...");
    if (dots) {
        *dots = '\0';
    }
    mlt_jw_object(w);
    mlt_jw_member(w, "name", name);
    mlt_jw_member(w, "in", path ? "path" : "query");
    mlt_jw_member_bool(w, "required", path || p->required);
    if (p->text) {
        mlt_jw_member(w, "description", p->text);
    }
    write_schema(w, p, path);
    mlt_jw_end_object(w);
}

static void write_params(struct mlt_json_writer *w, const struct mlt_route *r) {
    static const struct mlt_param purpose = {.name = "purpose", .type = MLT_P_TEXT, .text = "why you read; recorded"};
    mlt_jw_name(w, "parameters");
    mlt_jw_array(w);
    for (const struct mlt_param *p = r->path_params; p && p->name; p++) {
        write_param(w, p, true);
    }
    for (const struct mlt_param *p = r->params; p && p->name; p++) {
        write_param(w, p, false);
    }
    if (r->flags & MLT_ROUTE_AUDITED) {
        write_param(w, &purpose, false);
    }
    mlt_jw_end_array(w);
}

static void write_content(struct mlt_json_writer *w, const char *media, const char *schema) {
    char ref[96];
    (void)snprintf(ref, sizeof ref, "#/components/schemas/%s", schema);
    mlt_jw_name(w, media);
    mlt_jw_object(w);
    mlt_jw_name(w, "schema");
    mlt_jw_object(w);
    mlt_jw_member(w, "$ref", ref);
    mlt_jw_end_object(w);
    mlt_jw_end_object(w);
}

// A parameter "format" with this value makes the answer that media type.
static bool has_format(const struct mlt_route *r, const char *format) {
    for (const struct mlt_param *p = r->params; p && p->name; p++) {
        for (const char *const *v = p->values; v && *v && strcmp(p->name, "format") == 0; v++) {
            if (strcmp(*v, format) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void write_answer(struct mlt_json_writer *w, const struct mlt_route *r, int status) {
    char code[16];
    (void)snprintf(code, sizeof code, "%d", status);
    mlt_jw_name(w, code);
    mlt_jw_object(w);
    mlt_jw_member(w, "description", status < 400 ? r->summary : "Problem");
    mlt_jw_name(w, "content");
    mlt_jw_object(w);
    bool batch_rejected = status == 422 && strcmp(r->schema, "Receipt") == 0;
    // A sender of another system is told in the manner of its protocol what was wrong with its message.
    bool in_its_manner = (r->flags & MLT_ROUTE_FOREIGN) != 0 && (status == 400 || status == 422);
    if (status < 400 || batch_rejected || in_its_manner) {
        write_content(w, r->media, r->schema);
    }
    if (status < 400 && has_format(r, "text")) {
        write_content(w, MLT_TYPE_TEXT, "Text");
    }
    if (status < 400 && has_format(r, "html")) {
        write_content(w, MLT_TYPE_HTML, "Text");
    }
    if (status >= 400) {
        write_content(w, MLT_TYPE_PROBLEM, "Problem");
    }
    mlt_jw_end_object(w);
    mlt_jw_end_object(w);
}

static void write_answers(struct mlt_json_writer *w, const struct mlt_route *r) {
    mlt_jw_name(w, "responses");
    mlt_jw_object(w);
    write_answer(w, r, r->success);
    write_answer(w, r, 400);
    if (!(r->flags & MLT_ROUTE_OPEN)) {
        write_answer(w, r, 401);
        write_answer(w, r, 403);
    }
    for (const char *at = r->errors; *at;) {
        char *end;
        write_answer(w, r, (int)strtol(at, &end, 10));
        at = *end == ' ' ? end + 1 : end;
    }
    if (r->flags & MLT_ROUTE_AUDITED) {
        write_answer(w, r, 503);
        write_answer(w, r, 507);
    }
    mlt_jw_end_object(w);
}

static void write_operation(struct mlt_json_writer *w, const struct mlt_route *r) {
    mlt_jw_name(w, strcmp(r->method, "GET") == 0 ? "get" : "post");
    mlt_jw_object(w);
    mlt_jw_member(w, "operationId", r->id);
    mlt_jw_member(w, "summary", r->summary);
    if (r->flags & MLT_ROUTE_OPEN) {
        mlt_jw_member_raw(w, "security", mlt_str("[]"));
    }
    write_params(w, r);
    if (r->flags & MLT_ROUTE_BODY) {
        const char *body = r->handle == mlt_handle_append   ? record_body
                           : r->handle == mlt_handle_add    ? entry_body
                           : (r->flags & MLT_ROUTE_FOREIGN) ? foreign_body
                                                            : setting_body;
        mlt_jw_member_raw(w, "requestBody", mlt_str(body));
    }
    write_answers(w, r);
    mlt_jw_end_object(w);
}

static bool is_here(const struct mlt_call *call, const struct mlt_route *r) {
    return call->api->raw ? (r->flags & MLT_ROUTE_RAW) != 0 : (r->flags & MLT_ROUTE_ONLY_RAW) == 0;
}

static void write_paths(struct mlt_json_writer *w, const struct mlt_call *call) {
    mlt_jw_name(w, "paths");
    mlt_jw_object(w);
    for (size_t i = 0; i < mlt_num_routes; i++) {
        const char *pattern = mlt_routes[i].pattern;
        if (!is_here(call, &mlt_routes[i]) || (i > 0 && strcmp(pattern, mlt_routes[i - 1].pattern) == 0)) {
            continue; // routes of one path stand together in the table
        }
        char path[128];
        (void)snprintf(path, sizeof path, "%s", pattern);
        char *dots = strstr(path, "...");
        if (dots) {
            memmove(dots, dots + 3, strlen(dots + 3) + 1);
        }
        mlt_jw_name(w, path);
        mlt_jw_object(w);
        for (size_t j = i; j < mlt_num_routes && strcmp(mlt_routes[j].pattern, pattern) == 0; j++) {
            write_operation(w, &mlt_routes[j]);
        }
        mlt_jw_end_object(w);
    }
    mlt_jw_end_object(w);
}

void mlt_handle_openapi(struct mlt_call *call) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, &call->res->body);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "openapi", "3.0.3");
    mlt_jw_member_raw(&w, "info",
                      mlt_str("{\"title\":\"mltrail\",\"version\":\"0.1.0\",\"description\":\"Provable audit "
                              "trail for machine learning\",\"license\":{\"name\":\"Apache-2.0\"}}"));
    mlt_jw_member_raw(&w, "security", mlt_str("[{\"token\":[]}]"));
    write_paths(&w, call);
    mlt_jw_name(&w, "components");
    mlt_jw_object(&w);
    mlt_jw_member_raw(&w, "securitySchemes", mlt_str("{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}}"));
    mlt_jw_member_raw(&w, "schemas", mlt_str(schemas));
    mlt_jw_end_object(&w);
    mlt_jw_end_object(&w);
    mlt_call_answer_json(call);
}
