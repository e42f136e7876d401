/* A move's record: one table of fields drives reading and writing, so that the two cannot differ.
 */
#include "balancer/codec/codec.h"
#include "balancer/codec/json.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

enum kind { TEXT, INT, INT64, UINT32, UINT64, DOUBLE, BOOL };

/* Optional fields are 0 when absent, so that a record from before a field was added stays readable.
 */
struct field {
    const char *name;
    enum kind kind;
    size_t offset;
    size_t size; /* of a text's array */
    enum ek_json_need need;
    int64_t min;
};

/* offsetof and sizeof from the structure itself: a field that changes its size needs no change
 * here. */
#define ORDER(field_name, kind, need)                                  \
    {                                                                  \
#field_name, kind, offsetof(struct ek_move_order, field_name), \
            sizeof(((struct ek_move_order *)0)->field_name), need, 0   \
    }
#define RECORD(field_name, kind, need, min)                             \
    {                                                                   \
#field_name, kind, offsetof(struct ek_move_record, field_name), \
            sizeof(((struct ek_move_record *)0)->field_name), need, min \
    }

static const struct field order_fields[] = {
    ORDER(id, TEXT, EK_JSON_REQUIRED),
    ORDER(plan_id, TEXT, EK_JSON_OPTIONAL),
    ORDER(seq, UINT32, EK_JSON_OPTIONAL),
    ORDER(domain, TEXT, EK_JSON_REQUIRED),
    ORDER(name, TEXT, EK_JSON_OPTIONAL),
    ORDER(source, TEXT, EK_JSON_REQUIRED),
    ORDER(destination, TEXT, EK_JSON_OPTIONAL), /* see has_destination() */
    ORDER(reason, TEXT, EK_JSON_OPTIONAL),
    ORDER(timeout_ms, INT64, EK_JSON_OPTIONAL),
    ORDER(progress_timeout_ms, INT64, EK_JSON_OPTIONAL),
    ORDER(max_downtime_ms, INT64, EK_JSON_OPTIONAL),
    ORDER(backoff_ms, INT64, EK_JSON_OPTIONAL),
    ORDER(retries, INT, EK_JSON_OPTIONAL),
    ORDER(auto_converge, BOOL, EK_JSON_OPTIONAL),
    ORDER(bandwidth_mib_s, UINT64, EK_JSON_OPTIONAL),
    ORDER(post_copy, BOOL, EK_JSON_OPTIONAL),
    ORDER(tls, BOOL, EK_JSON_OPTIONAL),
    ORDER(parallel_connections, INT, EK_JSON_OPTIONAL),
    ORDER(disk_grace_ms, INT64, EK_JSON_OPTIONAL),
    ORDER(shutdown_timeout_ms, INT64, EK_JSON_OPTIONAL),
    ORDER(predicted_transfer_mib, DOUBLE, EK_JSON_OPTIONAL),
    ORDER(predicted_duration_ms, INT64, EK_JSON_OPTIONAL),
    ORDER(predicted_downtime_ms, INT64, EK_JSON_OPTIONAL),
};

/* eta_ms alone may be -1, "not known". */
static const struct field record_fields[] = {
    RECORD(attempt, INT, EK_JSON_REQUIRED, 0),
    RECORD(epoch, INT64, EK_JSON_REQUIRED, 0),
    RECORD(planned_at_ms, INT64, EK_JSON_OPTIONAL, 0),
    RECORD(started_at_ms, INT64, EK_JSON_OPTIONAL, 0),
    RECORD(updated_at_ms, INT64, EK_JSON_OPTIONAL, 0),
    RECORD(progress, DOUBLE, EK_JSON_OPTIONAL, 0),
    RECORD(eta_ms, INT64, EK_JSON_OPTIONAL, -1),
    RECORD(transferred_mib, DOUBLE, EK_JSON_OPTIONAL, 0),
    RECORD(rate_mib_s, DOUBLE, EK_JSON_OPTIONAL, 0),
    RECORD(dirty_mib_s, DOUBLE, EK_JSON_OPTIONAL, 0),
    RECORD(iteration, INT, EK_JSON_OPTIONAL, 0),
    RECORD(downtime_ms, INT64, EK_JSON_OPTIONAL, 0),
    RECORD(user_paused, BOOL, EK_JSON_OPTIONAL, 0),
    RECORD(copies_disks, BOOL, EK_JSON_OPTIONAL, 0),
    RECORD(two_step, BOOL, EK_JSON_OPTIONAL, 0),
    RECORD(post_copy_begun, BOOL, EK_JSON_OPTIONAL, 0),
    RECORD(discard_at_ms, INT64, EK_JSON_OPTIONAL, 0),
    RECORD(error, TEXT, EK_JSON_OPTIONAL, 0),
};

enum {
    ORDER_FIELDS = sizeof(order_fields) / sizeof(order_fields[0]),
    RECORD_FIELDS = sizeof(record_fields) / sizeof(record_fields[0]),
};

static const char *const kind_names[] = {"balance", "rule", "evacuate", "park",
                                         "manual",  "save", "shutdown"};
_Static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == EK_MOVE_KIND_COUNT,
               "every kind of move has its name here");

static const char *const two_step_names[] = {"copied", "always", "never"};
_Static_assert(sizeof(two_step_names) / sizeof(two_step_names[0]) == EK_TWO_STEP_COUNT,
               "every way of handing over has its name here");

static const char *const preparation_kinds[] = {"network", "filter", "base", "overlay"};
_Static_assert(sizeof(preparation_kinds) / sizeof(preparation_kinds[0]) ==
                   EK_PREPARATION_KIND_COUNT,
               "every kind of preparation has its name here");

static const char *const preparation_states[] = {"wanted", "begun", "made", "found", "undone"};
_Static_assert(sizeof(preparation_states) / sizeof(preparation_states[0]) ==
                   EK_PREPARATION_STATE_COUNT,
               "every state of a preparation has its name here");

static const char *const state_names[] = {
#define X(state, name, terminal, meaning) name,
    EK_MOVE_STATES(X)
#undef X
};

/* What the C type takes; a larger figure in the journal is refused, not wrapped. */
static int64_t field_max(enum kind kind)
{
    return kind == INT ? INT_MAX : kind == UINT32 ? UINT32_MAX : (int64_t)EK_JSON_MAX_NUMBER;
}

static bool read_integer(const struct ek_json_node *node, const struct field *field, void *place)
{
    int64_t number = INT64_MIN; /* below every field's minimum: stays when the field is absent */

    if (!ek_json_get_integer(node, field->name, field->need, field->min, field_max(field->kind),
                             &number)) {
        return false;
    }
    if (number == INT64_MIN) {
        return true;
    }
    /* Through the field's own type: writing eight bytes into four would spoil the neighbour. */
    if (field->kind == INT) {
        *(int *)place = (int)number;
    } else if (field->kind == UINT32) {
        *(uint32_t *)place = (uint32_t)number;
    } else if (field->kind == UINT64) {
        *(uint64_t *)place = (uint64_t)number;
    } else {
        *(int64_t *)place = number;
    }
    return true;
}

/* TEXT with REQUIRED must not be empty either: an id or a host "" names nothing. */
static bool read_fields(const struct ek_json_node *node, const struct field *fields, size_t count,
                        void *structure)
{
    for (const struct field *field = fields; field < fields + count; field++) {
        void *place = (char *)structure + field->offset;
        bool read = false;
        if (field->kind == TEXT) {
            read = ek_json_get_chars(node, field->name, field->need,
                                     field->need == EK_JSON_REQUIRED, place, field->size);
        } else if (field->kind == DOUBLE) {
            read = ek_json_get_number(node, field->name, field->need, &ek_json_at_least_0, place);
        } else if (field->kind == BOOL) {
            read = ek_json_get_bool(node, field->name, field->need, place);
        } else {
            read = read_integer(node, field, place);
        }
        if (!read) {
            return false;
        }
    }
    return true;
}

static bool read_preparation(const struct ek_json_node *node, size_t index, void *context)
{
    struct ek_move_record *record = context;
    unsigned int kind = EK_PREPARATION_NETWORK;
    unsigned int state = EK_PREPARATION_WANTED;

    /* Refused, not cut: what is forgotten here would never be undone. */
    if (index >= EK_PREPARATION_MOST) {
        return ek_json_refuse(node, NULL, "at most 32 preparations");
    }
    struct ek_preparation *it = &record->preparations[index];
    record->preparation_count = (int)index + 1;
    if (!ek_json_get_choice(node, "kind", EK_JSON_REQUIRED, preparation_kinds,
                            EK_PREPARATION_KIND_COUNT, &kind) ||
        !ek_json_get_choice(node, "state", EK_JSON_REQUIRED, preparation_states,
                            EK_PREPARATION_STATE_COUNT, &state)) {
        return false;
    }
    it->kind = (enum ek_preparation_kind)kind;
    it->state = (enum ek_preparation_state)state;
    return ek_json_get_chars(node, "what", EK_JSON_REQUIRED, 1, it->what, sizeof(it->what)) &&
           ek_json_get_chars(node, "disk", EK_JSON_OPTIONAL, 0, it->disk, sizeof(it->disk)) &&
           ek_json_get_number(node, "size_mib", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                              &it->size_mib);
}

/* A move goes somewhere; a stop goes nowhere. */
static bool has_destination(const struct ek_json_node *order, const struct ek_move_order *out)
{
    if (ek_move_stops(out->kind) != (out->destination[0] == '\0')) {
        return ek_json_refuse(order, "destination",
                              ek_move_stops(out->kind) ? "none, of a domain that is stopped"
                                                       : "the name of a host");
    }
    return true;
}

bool ek_codec_read_record(struct ek_move_record *out, const char *text, size_t size,
                          const char *name, struct ek_error *err)
{
    struct ek_json_reader reader = {.name = name, .err = err};
    struct ek_json_list preparations = {.key = "preparations"};
    struct ek_json_node order;
    cJSON *document EK_JSON_SCOPED = NULL;
    unsigned int kind = EK_MOVE_BALANCE;
    unsigned int two_step = EK_TWO_STEP_COPIED;
    unsigned int state = EK_MOVE_PLANNED;

    *out = (struct ek_move_record){.eta_ms = -1};
    if (!ek_json_open(&reader, text, size, &preparations, 1, &document) ||
        !ek_json_read_list(&reader, &preparations, read_preparation, out)) {
        return false;
    }
    struct ek_json_node node = {.reader = &reader, .item = document};
    if (!ek_json_get_object(&node, "order", EK_JSON_REQUIRED, &order) ||
        !read_fields(&order, order_fields, ORDER_FIELDS, &out->order) ||
        !ek_json_get_choice(&order, "kind", EK_JSON_REQUIRED, kind_names, EK_MOVE_KIND_COUNT,
                            &kind) ||
        !ek_json_get_choice(&order, "two_step", EK_JSON_OPTIONAL, two_step_names, EK_TWO_STEP_COUNT,
                            &two_step) ||
        !ek_json_get_choice(&node, "state", EK_JSON_REQUIRED, state_names, EK_MOVE_STATE_COUNT,
                            &state)) {
        return false;
    }
    out->order.kind = (enum ek_move_kind)kind;
    out->order.two_step = (enum ek_two_step)two_step;
    out->state = (enum ek_move_state)state;
    return has_destination(&order, &out->order) &&
           read_fields(&node, record_fields, RECORD_FIELDS, out);
}

/* Predictions may be endless (a domain that never converges); the journal must stay readable all
 * the same. */
static int64_t clamp(int64_t number)
{
    const int64_t max = (int64_t)EK_JSON_MAX_NUMBER;

    return number > max ? max : number;
}

/* Through int64_t, which is what the writer takes. */
static int64_t clamp_unsigned(uint64_t number)
{
    return number > INT64_MAX ? clamp(INT64_MAX) : clamp((int64_t)number);
}

static double clamp_number(double number)
{
    return number > EK_JSON_MAX_NUMBER ? EK_JSON_MAX_NUMBER : number; /* NAN stays NAN */
}

static void write_fields(struct ek_json_writer *writer, const struct field *fields, size_t count,
                         const void *structure)
{
    for (const struct field *field = fields; field < fields + count; field++) {
        const void *place = (const char *)structure + field->offset;
        switch (field->kind) {
        case TEXT:
            ek_json_put_text(writer, field->name, place);
            break;
        case INT:
            ek_json_put_integer(writer, field->name, *(const int *)place);
            break;
        case INT64:
            ek_json_put_integer(writer, field->name, clamp(*(const int64_t *)place));
            break;
        case UINT32:
            ek_json_put_integer(writer, field->name, *(const uint32_t *)place);
            break;
        case UINT64:
            ek_json_put_integer(writer, field->name, clamp_unsigned(*(const uint64_t *)place));
            break;
        case DOUBLE:
            ek_json_put_number(writer, field->name, clamp_number(*(const double *)place));
            break;
        case BOOL:
            ek_json_put_bool(writer, field->name, *(const bool *)place);
            break;
        }
    }
}

static void write_preparations(struct ek_json_writer *writer, const struct ek_move_record *record)
{
    ek_json_key(writer, "preparations");
    ek_json_begin(writer, '[');
    for (int i = 0; i < record->preparation_count; i++) {
        const struct ek_preparation *it = &record->preparations[i];

        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "kind", ek_preparation_kind_name(it->kind));
        ek_json_put_text(writer, "state", ek_preparation_state_name(it->state));
        ek_json_put_text(writer, "what", it->what);
        ek_json_put_text(writer, "disk", it->disk);
        ek_json_put_number(writer, "size_mib", clamp_number(it->size_mib));
        ek_json_end(writer, '}');
    }
    ek_json_end(writer, ']');
}

/* The order nested as it is nested in memory: it never changes while the rest does. */
void ek_json_write_record(struct ek_json_writer *writer, const struct ek_move_record *record)
{
    ek_json_begin(writer, '{');
    ek_json_put_integer(writer, "version", 1);
    ek_json_key(writer, "order");
    ek_json_begin(writer, '{');
    write_fields(writer, order_fields, ORDER_FIELDS, &record->order);
    ek_json_put_text(writer, "kind", ek_move_kind_name(record->order.kind));
    ek_json_put_text(writer, "two_step", ek_two_step_name(record->order.two_step));
    ek_json_end(writer, '}');
    ek_json_put_text(writer, "state", ek_move_state_name(record->state));
    write_fields(writer, record_fields, RECORD_FIELDS, record);
    if (record->preparation_count > 0) {
        write_preparations(writer, record);
    }
    ek_json_end(writer, '}');
}

char *ek_codec_write_record(const struct ek_move_record *record)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_write_record(&writer, record);
    return ek_json_finish(&writer);
}
