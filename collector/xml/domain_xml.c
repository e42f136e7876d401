/* What of a domain's XML decides where it can run: its networks, its storage, its devices, its
 * labels and the rules that it carries. */
#include "collector/xml/domain_xml.h"

#include "collector/libvirt/handles.h"
#include "collector/libvirt/managers.h"
#include "collector/xml/xml.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* It is the live XML that is read: libvirt has resolved networks to bridges and volumes to paths in
 * it, and it may name both. XPath expressions are relative to the element that is visited. */

/* What the visits of one document fill; every list was made as long as it can get. */
struct parse {
    struct ek_arena *arena;
    const struct ek_host_facts *host;
    struct ek_domain_xml *out;
    const char **items; /* of the list that is being filled */
    size_t count;
    const char **local_disks;
    size_t local_count;
    const char *stuck; /* the first of them that cannot be copied; NULL: none */
    struct ek_label *labels;
};

/* Lists of a few names: linear is enough. */
static bool contains(const char *const *items, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* Names are in the arena already; the list holds pointers. */
static void add_unique(struct parse *parse, const char *text)
{
    if (text != NULL && !contains(parse->items, parse->count, text)) {
        parse->items[parse->count++] = text;
    }
}

static bool begin_list(struct parse *parse, size_t capacity)
{
    parse->items = ek_arena_alloc(parse->arena, capacity, sizeof(*parse->items));
    parse->count = 0;
    return parse->items != NULL;
}

static struct ek_strings end_list(const struct parse *parse)
{
    return (struct ek_strings){.items = parse->items, .count = parse->count, .given = true};
}

/* By whole components: /srv/vm must not hold /srv/vm-old/disk. The path "/" itself, cut to nothing,
 * is above every absolute path. */
static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    while (length > 0 && directory[length - 1] == '/') {
        length--;
    }
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* The live XML names both the network and its bridge; either may be what the hosts have in common.
 */
static bool visit_interface(void *context, struct ek_xml *xml)
{
    static const char *const places[] = {"source/@network", "source/@bridge", "source/@dev"};
    struct parse *parse = context;
    const struct ek_strings *offered = &parse->host->networks;

    /* The network first: its name means the same on every host, a bridge's only where the bridges
     * are alike. */
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *name = ek_xml_string(xml, places[i], parse->arena);
        if (name != NULL && contains(offered->items, offered->count, name)) {
            add_unique(parse, name);
            break;
        }
    }
    return true;
}

/* The pool that a file, block device or network image lies in; NULL: none that is known. */
static const struct ek_storage_pool *pool_around(const struct parse *parse, const char *path,
                                                 const char *image)
{
    const struct ek_storage_pools *pools = &parse->host->storage_pools;
    const struct ek_storage_pool *best = NULL;

    for (size_t i = 0; i < pools->count; i++) {
        const struct ek_storage_pool *pool = &pools->items[i];
        bool holds_path = path != NULL && pool->target != NULL && is_below(path, pool->target);
        bool holds_image = image != NULL && pool->source != NULL && is_below(image, pool->source);
        /* Pools may lie within one another: the deepest holds the file. Where one of the two has no
         * directory (a network pool) depth says nothing, and the later one is taken. */
        bool deeper = best == NULL || best->target == NULL || pool->target == NULL ||
                      strlen(pool->target) > strlen(best->target);
        if ((holds_path || holds_image) && deeper) {
            best = pool;
        }
    }
    return best;
}

/* For type='volume', where the domain names the pool itself: then no path has to be guessed. */
static const struct ek_storage_pool *pool_named(const struct parse *parse, const char *name)
{
    const struct ek_storage_pools *pools = &parse->host->storage_pools;

    for (size_t i = 0; name != NULL && i < pools->count; i++) {
        if (strcmp(pools->items[i].name, name) == 0) {
            return &pools->items[i];
        }
    }
    return NULL;
}

/* What a move can copy along: a raw or qcow2 file right in the directory of a pool. */
static bool can_be_copied(const struct ek_storage_pool *pool, const char *file, const char *format)
{
    const char *slash = file == NULL ? NULL : strrchr(file, '/');

    if (slash == NULL || pool == NULL || pool->target == NULL || format == NULL) {
        return false;
    }
    return (strcmp(format, "qcow2") == 0 || strcmp(format, "raw") == 0) &&
           (size_t)(slash - file) == strlen(pool->target) &&
           strncmp(file, pool->target, strlen(pool->target)) == 0;
}

static bool visit_disk(void *context, struct ek_xml *xml)
{
    struct parse *parse = context;
    const char *file = ek_xml_string(xml, "source/@file", parse->arena);
    const char *device = ek_xml_string(xml, "source/@dev", parse->arena);
    const char *image = ek_xml_string(xml, "source[@protocol]/@name", parse->arena);
    const char *pool_name = ek_xml_string(xml, "source/@pool", parse->arena);
    const char *volume = ek_xml_string(xml, "source/@volume", parse->arena);
    /* What only reads (CD images, read-only disks) is no state of the guest's: it need not be the
     * same file there. */
    bool written = !ek_xml_has(xml, "readonly") && ek_xml_has(xml, "self::*[@device='disk']");
    const struct ek_storage_pool *pool = pool_named(parse, pool_name);

    if (pool == NULL) {
        pool = pool_around(parse, file != NULL ? file : device, image);
    }
    if (pool != NULL) {
        /* The facts outlive the survey whose pool it is. */
        add_unique(parse, ek_arena_strdup(parse->arena, pool->name));
    }
    /* Block devices and network images have neither file nor volume: libvirt takes them as safe. */
    bool shared = pool != NULL && ek_storage_pool_is_shared(pool);
    /* A volume of a local pool is a file of this host alone, although the XML shows no path. */
    const char *path = file != NULL ? file : volume;
    if (path != NULL && written && !shared) {
        parse->local_disks[parse->local_count++] = path;
        if (parse->stuck == NULL &&
            !can_be_copied(pool, file, ek_xml_string(xml, "driver/@type", parse->arena))) {
            parse->stuck = path;
        }
    }
    return true;
}

/* Names as people know them: "pci 0000:01:00.0", "usb 046d:c31c", "mdev <uuid>". */
static bool visit_device(void *context, struct ek_xml *xml)
{
    static const struct {
        const char *when;
        const char *name;
    } kinds[] = {
        {"source/address/@slot", "concat('pci ', substring-after(source/address/@domain, 'x'), ':',"
                                 " substring-after(source/address/@bus, 'x'), ':',"
                                 " substring-after(source/address/@slot, 'x'), '.',"
                                 " substring-after(source/address/@function, 'x'))"},
        {"source/vendor", "concat('usb ', substring-after(source/vendor/@id, 'x'), ':',"
                          " substring-after(source/product/@id, 'x'))"},
        {"source/address/@uuid", "concat('mdev ', source/address/@uuid)"},
        {"source/@dev", "concat(@type, ' ', source/@dev)"},
        {"true()", "concat(@type, ' device')"},
    };
    struct parse *parse = context;
    size_t kind = 0;

    while (!ek_xml_failed(xml) && !ek_xml_has(xml, kinds[kind].when)) {
        kind++;
    }
    add_unique(parse, ek_xml_string(xml, kinds[kind].name, parse->arena));
    return true;
}

/* In the domain's own metadata, so that labels travel with it and outlive this program. */
static bool visit_label(void *context, struct ek_xml *xml)
{
    struct parse *parse = context;
    struct ek_labels *labels = &parse->out->facts.labels;
    const char *key = ek_xml_string(xml, "@k", parse->arena);
    const char *value = ek_xml_string(xml, "@v", parse->arena);

    if (key != NULL) {
        parse->labels[labels->count++] =
            (struct ek_label){.key = key, .value = value != NULL ? value : ""};
    }
    return true;
}

/* Adds " group=web" for the attribute @group; what it is not is said where rules are compiled. */
static const char *with_attribute(struct parse *parse, struct ek_xml *xml, const char *text,
                                  const char *name)
{
    char expression[32];

    (void)snprintf(expression, sizeof(expression), "@%s", name);
    const char *value = ek_xml_string(xml, expression, parse->arena);
    return value == NULL || text == NULL
               ? text
               : ek_arena_printf(parse->arena, "%s %s=%s", text, name, value);
}

/* A rule travels as one text (docs/rules.md). An attribute that no rule has goes along by its name,
 * so that the reader of the rule can refuse it. */
static bool visit_rule(void *context, struct ek_xml *xml)
{
    static const char *const names[] = {"group", "topology",    "at_least",
                                        "hosts", "enforcement", "weight"};
    struct parse *parse = context;
    const char *text = ek_xml_string(xml, "@kind", parse->arena);
    const char *unknown = ek_xml_string(
        xml,
        "name(@*[not(contains(' kind group topology at_least hosts enforcement weight ',"
        " concat(' ', name(), ' ')))])",
        parse->arena);

    text = text == NULL ? "" : text;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        text = with_attribute(parse, xml, text, names[i]);
    }
    if (unknown != NULL && text != NULL) {
        text = ek_arena_printf(parse->arena, "%s %s=", text, unknown);
    }
    add_unique(parse, text);
    return text != NULL;
}

/* As long as the document can make it: no list has to grow while it is filled. */
static bool parse_list(struct parse *parse, struct ek_xml *xml, const char *expression,
                       bool (*visit)(void *context, struct ek_xml *xml), struct ek_strings *out)
{
    if (!begin_list(parse, ek_xml_count(xml, expression))) {
        return false;
    }
    (void)ek_xml_each(xml, expression, visit, parse);
    *out = end_list(parse);
    return true;
}

static bool parse_rules(struct parse *parse, struct ek_xml *xml)
{
    static const char rules[] = "/domain/metadata/ek:domain/ek:rule";
    size_t count = ek_xml_count(xml, rules);

    if (count == 0) {
        return true; /* most domains carry none: their samples need no empty list */
    }
    bool done = begin_list(parse, count) && ek_xml_each(xml, rules, visit_rule, parse);
    parse->out->facts.rules = end_list(parse);
    return done;
}

static bool parse_lists(struct parse *parse, struct ek_xml *xml)
{
    static const char disks[] = "/domain/devices/disk";
    static const char labels[] = "/domain/metadata/ek:domain/ek:label";
    struct ek_domain_facts *facts = &parse->out->facts;

    /* As long as the lists can get; what is passed over costs a pointer. */
    parse->local_disks =
        ek_arena_alloc(parse->arena, ek_xml_count(xml, disks), sizeof(*parse->local_disks));
    parse->labels = ek_arena_alloc(parse->arena, ek_xml_count(xml, labels), sizeof(*parse->labels));
    if (parse->local_disks == NULL || parse->labels == NULL ||
        !parse_list(parse, xml, "/domain/devices/interface", visit_interface, &facts->networks) ||
        !parse_list(parse, xml, disks, visit_disk, &facts->storages) ||
        !parse_list(parse, xml,
                    "/domain/devices/hostdev | /domain/devices/disk[@type='nvme'] |"
                    " /domain/devices/interface[@type='hostdev' or @type='vdpa']",
                    visit_device, &facts->devices) ||
        !parse_rules(parse, xml)) {
        return false;
    }
    facts->labels.items = parse->labels;
    (void)ek_xml_each(xml, labels, visit_label, parse);
    parse->out->local_disks = (struct ek_strings){
        .items = parse->local_disks, .count = parse->local_count, .given = true};
    return true;
}

/* Hardware virtualization shows a guest the CPU that is there; emulation (type qemu) needs none. */
static bool needs_host_cpu(struct ek_xml *xml)
{
    return ek_xml_has(xml, "/domain[@type='kvm']/cpu[@mode='host-passthrough' or @mode='maximum']");
}

/* What QEMU's own heap and its translated code take where it emulates the CPU (QEMU 7.2, guests of
 * 256 MiB: 102 to 117 MiB resident beside what a migration sent); with KVM it is little. */
#define TCG_MIB 100.0

/* A word that nobody knows is taken for "block": whoever wrote it did not mean that the domain
 * should simply go. */
static enum ek_evacuation evacuation_of(struct ek_xml *xml)
{
    static const char mode[] = "/domain/metadata/ek:domain/ek:evacuation/@mode";
    char expression[120];

    if (!ek_xml_has(xml, mode)) {
        return EK_EVACUATE_MIGRATE;
    }
    for (int i = 0; i < EK_EVACUATION_COUNT; i++) {
        (void)snprintf(expression, sizeof(expression), "%s[.='%s']", mode,
                       ek_evacuation_name((enum ek_evacuation)i));
        if (ek_xml_has(xml, expression)) {
            return (enum ek_evacuation)i;
        }
    }
    return EK_EVACUATE_BLOCK;
}

static void parse_scalars(struct parse *parse, struct ek_xml *xml)
{
    struct ek_domain_facts *facts = &parse->out->facts;
    /* Without current= all vCPUs of the element are plugged in. */
    double current = ek_xml_number(xml, "/domain/vcpu/@current");
    double period_s = ek_xml_number(xml, "/domain/devices/memballoon/stats/@period");

    parse->out->memory_mib = ek_xml_number(xml, "/domain/memory[@unit='KiB']") / 1024.0;
    facts->vcpus = isnan(current) ? ek_xml_number(xml, "/domain/vcpu") : current;
    facts->balloon_period_s = isnan(period_s) ? 0.0 : period_s;
    facts->huge_pages = ek_xml_has(xml, "/domain/memoryBacking/hugepages");
    facts->emulator_mib = ek_xml_has(xml, "/domain[@type='qemu']") ? TCG_MIB : 0;
    facts->evacuation = evacuation_of(xml);
    facts->machine = ek_xml_string(xml, "/domain/os/type/@machine", parse->arena);
    /* A guest that sees the host's own CPU runs only where that model is: one with a named model
     * only needs its features, which the precheck asks of libvirt. */
    facts->cpu_model = needs_host_cpu(xml) && parse->host->cpu_model != NULL
                           ? ek_arena_strdup(parse->arena, parse->host->cpu_model)
                           : NULL;
}

/* NULL: nobody else's, as far as its metadata tells. */
static const char *other_manager(struct ek_xml *xml)
{
    for (size_t i = 0; i < ek_manager_count; i++) {
        if (ek_xml_has(xml, ek_managers[i].mark)) {
            return ek_managers[i].text;
        }
    }
    return NULL;
}

/* Sets movable, and the first reason against it. */
static void judge(struct parse *parse, struct ek_xml *xml)
{
    struct ek_domain_facts *facts = &parse->out->facts;

    /* The first reason is enough for people: as long as it stands the others do not matter. Whose
     * domain it is comes first, for that no change of the domain can mend. */
    facts->immovable_reason = other_manager(xml);
    if (facts->immovable_reason != NULL) {
        facts->movable = false;
        /* Nor is it stopped, whatever our metadata in it say: else its host would pass for one that
         * can be emptied, and all others would leave it for nothing. */
        if (ek_evacuation_stops(facts->evacuation)) {
            facts->evacuation = EK_EVACUATE_BLOCK;
        }
        return;
    }
    if (facts->devices.count > 0) {
        facts->immovable_reason =
            ek_arena_printf(parse->arena, "host device %s", facts->devices.items[0]);
    } else if (ek_xml_has(xml, "/domain/devices/filesystem")) {
        facts->immovable_reason = "directory of its host is shared with the guest";
    } else if (parse->stuck != NULL) {
        facts->immovable_reason =
            ek_arena_printf(parse->arena,
                            "disk %s is a file of this host alone and in no storage pool, or "
                            "neither raw nor qcow2",
                            parse->stuck);
    }
    facts->movable =
        facts->devices.count == 0 && parse->stuck == NULL && facts->immovable_reason == NULL;
}

bool ek_domain_xml_parse(struct ek_domain_xml *out, const char *xml,
                         const struct ek_host_facts *host, struct ek_arena *arena,
                         struct ek_error *err)
{
    EK_SCOPED(ek_xml_release) struct ek_xml *document = ek_xml_parse(xml, err);
    struct parse parse = {.arena = arena, .host = host, .out = out};

    memset(out, 0, sizeof(*out));
    if (document == NULL) {
        return false;
    }
    parse_scalars(&parse, document);
    if (!parse_lists(&parse, document) || ek_xml_failed(document)) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a domain's XML");
    }
    /* Written so that NAN, which an absent element gives, fails as well. */
    if (!(out->facts.vcpus >= 1) || !(out->memory_mib > 0)) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "found <vcpu> %g and <memory> %g MiB, expected a live domain's XML",
                            out->facts.vcpus, out->memory_mib);
    }
    judge(&parse, document);
    return true;
}
