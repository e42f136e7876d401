/* Where else a domain might be: all configured hosts but the two ends of its move. */
#include "migrator/libvirt_port.h"

#include <stdio.h>
#include <string.h>

/* `listed` alone changes while moves run; the links themselves stay. */
static bool is_listed(struct ek_libvirt_port *port, const struct ek_host_link *link)
{
    pthread_mutex_lock(&port->mutex);
    bool listed = link->listed;
    pthread_mutex_unlock(&port->mutex);
    return listed;
}

/* Hosts that say "absent" are the rule and would fill the line. */
static void tell(struct ek_elsewhere *out, const char *host, const char *what)
{
    size_t used = strlen(out->text);

    (void)snprintf(out->text + used, sizeof(out->text) - used, "%s%s: %s", used > 0 ? "; " : "",
                   host, what);
}

static void ask(struct ek_libvirt_port *port, const struct ek_host_link *link,
                const struct ek_move_record *record, struct ek_elsewhere *out)
{
    struct ek_call_result result;
    struct ek_end end;

    out->asked++;
    if (!ek_end_open(&end, port, link->name, record, false, "search", &result)) {
        out->unreachable++;
        tell(out, link->name, "unreachable");
        return;
    }
    /* An error of the question counts as active: it may run there. */
    if (end.domain != NULL && virDomainIsActive(end.domain) != 0) {
        out->active++;
        tell(out, link->name, "active");
    } else if (end.domain != NULL) {
        out->inactive++;
        tell(out, link->name, "defined, off");
    }
    ek_end_close(&end);
}

void ek_port_search(void *context, const struct ek_move_record *record, struct ek_elsewhere *out)
{
    struct ek_libvirt_port *port = context;
    struct ek_host_link *link;

    *out = (struct ek_elsewhere){.asked = 0};
    pthread_mutex_lock(&port->mutex);
    link = port->hosts; /* grows at its head only */
    pthread_mutex_unlock(&port->mutex);
    for (; link != NULL; link = link->next) {
        if (is_listed(port, link) && strcmp(link->name, record->order.source) != 0 &&
            strcmp(link->name, record->order.destination) != 0) {
            ask(port, link, record, out);
        }
    }
    if (out->active + out->inactive + out->unreachable == 0) {
        (void)snprintf(out->text, sizeof(out->text), "absent on all %u", out->asked);
    }
}
