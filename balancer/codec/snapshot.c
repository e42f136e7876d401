/* The snapshot: names of hosts and domains become indices here, and back. */
#include "balancer/codec/codec.h"
#include "balancer/codec/json.h"
#include "balancer/codec/name_map.h"
#include "balancer/core/move.h"

#include <stdio.h>
#include <stdlib.h>

/* What the readers of single elements share. */
struct reading {
    struct ek_snapshot *out;
    struct ek_name_map hosts;
    struct ek_name_map domains;
};

/* Adds the name just read; the second of two equal ones is refused. */
static bool add_name(const struct ek_json_node *node, const char *key, struct ek_name_map *map,
                     const char *name)
{
    uint32_t index = (uint32_t)map->count;
    uint32_t first;
    char expected[64];

    if (!ek_name_map_add(map, name, &first)) {
        return ek_json_no_memory(node->reader);
    }
    (void)snprintf(expected, sizeof(expected), "one that %s[%u] does not have", node->parent->key,
                   (unsigned int)first);
    return first == index || ek_json_refuse(node, key, expected);
}

/* The index of what member `key` names. */
static bool read_reference(const struct ek_json_node *node, const char *key,
                           const struct ek_name_map *map, const char *expected, uint32_t *index)
{
    /* Sizes are those of read_identity(): a longer name cannot be that of any. */
    char name[EK_NAME_SIZE];

    if (!ek_json_get_chars(node, key, EK_JSON_REQUIRED, 1, name, sizeof(name))) {
        return false;
    }
    /* Domains may come before hosts in the text; they are read after them. */
    *index = ek_name_map_find(map, name);
    return *index != EK_NONE || ek_json_refuse(node, key, expected);
}

static bool read_host(const struct ek_json_node *node, size_t index, void *context)
{
    struct reading *reading = context;
    struct ek_host *host = &reading->out->hosts[index];

    /* Names must differ: domains and moves refer to hosts by them. */
    return ek_json_read_host(node, host) && add_name(node, "name", &reading->hosts, host->name);
}

static bool read_domain(const struct ek_json_node *node, size_t index, void *context)
{
    struct reading *reading = context;
    struct ek_domain *domain = &reading->out->domains[index];

    return ek_json_read_domain(node, domain) &&
           add_name(node, "uuid", &reading->domains, domain->uuid) &&
           read_reference(node, "host", &reading->hosts, "the name of one of the hosts",
                          &domain->host);
}

/* That source and destination differ is ek_snapshot_check's to say, as for every snapshot. */
static bool read_in_flight(const struct ek_json_node *node, size_t index, void *context)
{
    struct reading *reading = context;
    struct ek_in_flight *flight = &reading->out->in_flight[index];

    flight->domain = EK_NONE; /* on neither host in these samples */
    return (!cJSON_HasObjectItem(node->item, "domain") ||
            read_reference(node, "domain", &reading->domains, "the UUID of one of the domains",
                           &flight->domain)) &&
           read_reference(node, "source", &reading->hosts, "the name of one of the hosts",
                          &flight->source) &&
           read_reference(node, "destination", &reading->hosts, "the name of one of the hosts",
                          &flight->destination) &&
           ek_json_get_integer(node, "started_at_ms", EK_JSON_OPTIONAL, 0,
                               (int64_t)EK_JSON_MAX_NUMBER, &flight->started_at_ms) &&
           ek_json_get_bool(node, "foreign", EK_JSON_OPTIONAL, &flight->foreign);
}

static bool read_copy(const struct ek_json_node *node, size_t index, void *context)
{
    struct reading *reading = context;
    struct ek_copy *copy = &reading->out->copies[index];

    return read_reference(node, "domain", &reading->domains, "the UUID of one of the domains",
                          &copy->domain) &&
           read_reference(node, "host", &reading->hosts, "the name of one of the hosts",
                          &copy->host);
}

/* Indices of the long lists, in the order in which they must be read. */
enum { HOSTS, DOMAINS, IN_FLIGHT, COPIES, LIST_COUNT };

static bool allocate(const struct ek_json_reader *reader, struct reading *reading,
                     const struct ek_json_list *lists)
{
    struct ek_snapshot *out = reading->out;

    /* Counted by ek_json_open() while it looked for the lists' ends: one allocation each. */
    out->host_count = lists[HOSTS].left;
    out->domain_count = lists[DOMAINS].left;
    out->in_flight_count = lists[IN_FLIGHT].left;
    out->copy_count = lists[COPIES].left;
    out->hosts = ek_arena_alloc(reader->arena, out->host_count, sizeof(*out->hosts));
    out->domains = ek_arena_alloc(reader->arena, out->domain_count, sizeof(*out->domains));
    out->in_flight = ek_arena_alloc(reader->arena, out->in_flight_count, sizeof(*out->in_flight));
    out->copies = ek_arena_alloc(reader->arena, out->copy_count, sizeof(*out->copies));
    return (out->hosts != NULL && out->domains != NULL && out->in_flight != NULL &&
            out->copies != NULL && ek_name_map_init(&reading->hosts, out->host_count) &&
            ek_name_map_init(&reading->domains, out->domain_count)) ||
           ek_json_no_memory(reader);
}

/* A list that is absent where it must be there, or no list. */
static bool check_list(const struct ek_json_node *document, const struct ek_json_list *list,
                       bool required)
{
    /* Whatever is in the tree under this name was no list, or stood there beside one. */
    bool other = cJSON_HasObjectItem(document->item, list->key);

    return (list->text != NULL || !required) && !other
               ? true
               : ek_json_refuse(document, list->key, "a list, once");
}

/* Hosts first, whatever the order in the text: domains refer to them. */
static bool read_lists(const struct ek_json_reader *reader, struct reading *reading,
                       struct ek_json_list *lists)
{
    return ek_json_read_list(reader, &lists[HOSTS], read_host, reading) &&
           ek_json_read_list(reader, &lists[DOMAINS], read_domain, reading) &&
           ek_json_read_list(reader, &lists[IN_FLIGHT], read_in_flight, reading) &&
           ek_json_read_list(reader, &lists[COPIES], read_copy, reading);
}

bool ek_codec_read_snapshot(struct ek_snapshot *out, const char *text, size_t size,
                            const char *name, struct ek_error *err)
{
    struct ek_json_reader reader = {.name = name, .arena = &out->arena, .err = err};
    struct ek_json_list lists[LIST_COUNT] = {
        {.key = "hosts"}, {.key = "domains"}, {.key = "in_flight"}, {.key = "copies"}};
    struct reading reading = {.out = out};
    cJSON *document EK_JSON_SCOPED = NULL;

    *out = (struct ek_snapshot){.taken_at_ms = 0};
    bool done = ek_json_open(&reader, text, size, lists, LIST_COUNT, &document);
    struct ek_json_node node = {.reader = &reader, .item = document};
    done = done && check_list(&node, &lists[HOSTS], true) &&
           check_list(&node, &lists[DOMAINS], true) &&
           check_list(&node, &lists[IN_FLIGHT], false) &&
           check_list(&node, &lists[COPIES], false) &&
           ek_json_get_integer(&node, "taken_at_ms", EK_JSON_OPTIONAL, 0,
                               (int64_t)EK_JSON_MAX_NUMBER, &out->taken_at_ms) &&
           allocate(&reader, &reading, lists) && read_lists(&reader, &reading, lists);
    ek_name_map_finish(&reading.hosts);
    ek_name_map_finish(&reading.domains);
    /* All or nothing; the arena holds whatever was read so far. */
    if (!done) {
        ek_arena_finish(&out->arena);
        *out = (struct ek_snapshot){.taken_at_ms = 0};
    }
    return done;
}

static void write_in_flight(struct ek_json_writer *writer, const struct ek_snapshot *snapshot)
{
    ek_json_key(writer, "in_flight");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < snapshot->in_flight_count; i++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[i];
        ek_json_break(writer);
        ek_json_begin(writer, '{');
        if (flight->domain != EK_NONE) {
            ek_json_put_text(writer, "domain", snapshot->domains[flight->domain].uuid);
        }
        ek_json_put_text(writer, "source", snapshot->hosts[flight->source].name);
        ek_json_put_text(writer, "destination", snapshot->hosts[flight->destination].name);
        ek_json_put_integer(writer, "started_at_ms", flight->started_at_ms);
        if (flight->foreign) {
            ek_json_put_bool(writer, "foreign", true);
        }
        ek_json_end(writer, '}');
    }
    ek_json_end(writer, ']');
}

static void write_copies(struct ek_json_writer *writer, const struct ek_snapshot *snapshot)
{
    ek_json_key(writer, "copies");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < snapshot->copy_count; i++) {
        ek_json_break(writer);
        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "domain", snapshot->domains[snapshot->copies[i].domain].uuid);
        ek_json_put_text(writer, "host", snapshot->hosts[snapshot->copies[i].host].name);
        ek_json_end(writer, '}');
    }
    ek_json_end(writer, ']');
}

char *ek_codec_write_snapshot(const struct ek_snapshot *snapshot)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "taken_at_ms", snapshot->taken_at_ms);
    ek_json_break(&writer);
    ek_json_key(&writer, "hosts");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < snapshot->host_count; i++) {
        ek_json_break(&writer);
        ek_json_write_host(&writer, &snapshot->hosts[i]);
    }
    ek_json_end(&writer, ']');
    ek_json_break(&writer);
    ek_json_key(&writer, "domains");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < snapshot->domain_count; i++) {
        const struct ek_domain *domain = &snapshot->domains[i];
        ek_json_break(&writer);
        ek_json_write_domain(&writer, domain, snapshot->hosts[domain->host].name);
    }
    ek_json_end(&writer, ']');
    /* Optional in the contract: what is empty is left out. */
    if (snapshot->in_flight_count > 0) {
        ek_json_break(&writer);
        write_in_flight(&writer, snapshot);
    }
    if (snapshot->copy_count > 0) {
        ek_json_break(&writer);
        write_copies(&writer, snapshot);
    }
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}
