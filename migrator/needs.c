/* Networks, bridges and network filters: what is there, what is missing. */
#include "migrator/needs.h"

#include "migrator/disks.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

enum { DEEPEST_FILTER = 16 }; /* filters refer to filters; libvirt forbids circles */

static const struct ek_call_result passed = {.ok = true};

static bool add(struct ek_findings *findings, enum ek_preparation_kind kind, const char *name,
                const struct ek_end *destination, const char *step, struct ek_call_result *result)
{
    struct ek_preparation preparation = {.kind = kind};

    if (strlen(name) >= sizeof(preparation.what)) {
        *result = ek_fail(EK_FAILURE_DOMAIN, destination->link->name, step,
                          "the name %.100s is too long", name);
        return false;
    }
    snprintf(preparation.what, sizeof(preparation.what), "%s", name);
    return ek_findings_add(findings, &preparation, destination->link->name, step, result);
}

/* ---- bridges ------------------------------------------------------------------------------- */

static bool is_device(virConnectPtr connection, const char *name)
{
    virNodeDevicePtr *devices = NULL;
    int count =
        virConnectListAllNodeDevices(connection, &devices, VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET);
    bool found = false;

    for (int i = 0; i < count; i++) {
        EK_SCOPED_STRING char *text = found ? NULL : virNodeDeviceGetXMLDesc(devices[i], 0);
        struct ek_xpath *xml = text == NULL ? NULL : ek_xpath_parse(text);
        char interface[64];

        if (xml != NULL &&
            ek_xpath_read(xml, "/device/capability/interface", interface, sizeof(interface))) {
            found = strcmp(interface, name) == 0;
        }
        ek_xpath_free(xml);
        virNodeDeviceFree(devices[i]);
    }
    free(devices);
    return found;
}

static bool is_interface(virConnectPtr connection, const char *name)
{
    virInterfacePtr interface = virInterfaceLookupByName(connection, name);
    bool found = interface != NULL;

    if (found) {
        virInterfaceFree(interface);
    }
    return found;
}

/* A bridge that an active network of libvirt made or uses. */
static bool is_of_network(virConnectPtr connection, const char *name)
{
    EK_SCOPED_NETWORKS virNetworkPtr *networks = NULL;

    if (virConnectListAllNetworks(connection, &networks, VIR_CONNECT_LIST_NETWORKS_ACTIVE) < 0) {
        return false;
    }
    for (size_t i = 0; networks[i] != NULL; i++) {
        EK_SCOPED_STRING char *bridge = virNetworkGetBridgeName(networks[i]);

        if (bridge != NULL && strcmp(bridge, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Which of the ways work differs from host to host, by libvirt's backends: only one that finds the
 * source's bridge, which is there since the domain uses it, may say that the destination lacks it.
 */
static struct ek_call_result find_bridge(const struct ek_end *source,
                                         const struct ek_end *destination, const char *name,
                                         const char *step)
{
    static bool (*const ways[])(virConnectPtr, const char *) = {is_interface, is_device,
                                                                is_of_network};
    bool trusted = false;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (ways[i](destination->connection, name)) {
            return passed;
        }
    }
    /* A network's bridge on the source says nothing of bridges that no network has. */
    for (size_t i = 0; i < 2; i++) {
        trusted = trusted || ways[i](source->connection, name);
    }
    return trusted ? ek_fail(EK_FAILURE_OTHER_HOST, destination->link->name, step,
                             "bridge %.60s is not there", name)
                   : passed;
}

/* ---- networks ------------------------------------------------------------------------------ */

static bool find_network(const struct ek_end *destination, const char *name,
                         struct ek_findings *findings, const char *step,
                         struct ek_call_result *result)
{
    EK_SCOPED_NETWORK virNetworkPtr network = virNetworkLookupByName(destination->connection, name);
    int active = network == NULL ? -1 : virNetworkIsActive(network);

    if (active < 0) {
        *result = ek_fail_there(destination, step);
        return false;
    }
    return active == 1 || add(findings, EK_PREPARATION_NETWORK, name, destination, step, result);
}

struct ek_call_result ek_networks_find(const struct ek_end *source,
                                       const struct ek_end *destination,
                                       const struct ek_xpath *domain, struct ek_findings *findings,
                                       char *good, size_t size)
{
    static const char step[] = "need-networks";
    /* Whatever the type: a running domain on a bridged network shows the type of the bridge. */
    static const char networks[] = "/domain/devices/interface/source/@network";
    static const char bridges[] =
        "/domain/devices/interface[@type='bridge']/source[not(@network)]/@bridge";
    size_t network_count = ek_xpath_count(domain, networks);
    size_t bridge_count = ek_xpath_count(domain, bridges);
    struct ek_call_result result = passed;

    for (size_t i = 0; i < network_count; i++) {
        EK_SCOPED_STRING char *name = ek_xpath_text(domain, networks, i);

        if (!find_network(destination, name == NULL ? "" : name, findings, step, &result)) {
            return result;
        }
    }
    for (size_t i = 0; i < bridge_count && result.ok; i++) {
        EK_SCOPED_STRING char *name = ek_xpath_text(domain, bridges, i);

        result = find_bridge(source, destination, name == NULL ? "" : name, step);
    }
    snprintf(good, size, "networks: %zu, bridges: %zu, all there; to be started: %d", network_count,
             bridge_count, findings->preparation_count);
    return result;
}

/* ---- filters ------------------------------------------------------------------------------- */

struct filters {
    const struct ek_end *source;
    const struct ek_end *destination;
    struct ek_findings *findings;
    ek_note note;
    void *note_context;
    struct ek_call_result result;
};

static const char filter_step[] = "need-filters";

/* UUIDs are random on each host, also of libvirt's stock filters: what follows them is compared. */
static bool rules_are_same(const char *here, const char *there)
{
    static const char end[] = "</uuid>";
    const char *rules_here = strstr(here, end);
    const char *rules_there = strstr(there, end);

    return rules_here != NULL && rules_there != NULL && strcmp(rules_here, rules_there) == 0;
}

static void compare(const struct filters *it, const char *name, const char *here,
                    virNWFilterPtr there)
{
    EK_SCOPED_STRING char *text = virNWFilterGetXMLDesc(there, 0);
    char said[EK_TEXT_SIZE];

    if (text != NULL && !rules_are_same(here, text)) {
        snprintf(said, sizeof(said),
                 "filter %.100s has other rules on the destination; those are kept", name);
        it->note(it->note_context, "need-filters", said);
    }
}

static bool find_filter(struct filters *it, const char *name, int depth);

/* Before the filter itself: no guest must find one whose references are missing. */
static bool find_referred(struct filters *it, const char *text, int depth)
{
    static const char references[] = "/filter/filterref/@filter";
    struct ek_xpath *xml = ek_xpath_parse(text);
    size_t count = xml == NULL ? 0 : ek_xpath_count(xml, references);
    bool found = xml != NULL;

    for (size_t i = 0; i < count && found; i++) {
        EK_SCOPED_STRING char *name = ek_xpath_text(xml, references, i);

        found = name != NULL && find_filter(it, name, depth + 1);
    }
    ek_xpath_free(xml);
    return found;
}

static bool find_filter(struct filters *it, const char *name, int depth)
{
    EK_SCOPED_FILTER virNWFilterPtr there =
        virNWFilterLookupByName(it->destination->connection, name);
    bool missing = there == NULL && virGetLastErrorCode() == VIR_ERR_NO_NWFILTER;

    /* Only "there is none" is a reason to make one; a host that cannot be asked might have it. */
    if (there == NULL && !missing) {
        it->result = ek_fail_there(it->destination, filter_step);
        return false;
    }
    EK_SCOPED_FILTER virNWFilterPtr here = virNWFilterLookupByName(it->source->connection, name);
    EK_SCOPED_STRING char *text = here == NULL ? NULL : virNWFilterGetXMLDesc(here, 0);

    if (there != NULL) {
        if (text != NULL) {
            compare(it, name, text, there);
        }
        return true;
    }
    it->result = ek_fail(EK_FAILURE_OTHER_HOST, it->destination->link->name, filter_step,
                         "filter %.100s is missing and cannot be copied", name);
    return text != NULL && depth < DEEPEST_FILTER && find_referred(it, text, depth) &&
           add(it->findings, EK_PREPARATION_FILTER, name, it->destination, filter_step,
               &it->result);
}

struct ek_call_result ek_filters_find(const struct ek_end *source, const struct ek_end *destination,
                                      const struct ek_xpath *domain, struct ek_findings *findings,
                                      ek_note note, void *note_context, char *good, size_t size)
{
    static const char filters[] = "/domain/devices/interface/filterref/@filter";
    struct filters it = {.source = source,
                         .destination = destination,
                         .findings = findings,
                         .note = note,
                         .note_context = note_context};
    size_t count = ek_xpath_count(domain, filters);
    int before = findings->preparation_count;

    for (size_t i = 0; i < count; i++) {
        EK_SCOPED_STRING char *name = ek_xpath_text(domain, filters, i);

        if (!find_filter(&it, name == NULL ? "" : name, 0)) {
            return it.result;
        }
    }
    snprintf(good, size, "%zu filters, %d to be copied", count,
             findings->preparation_count - before);
    return passed;
}
