#include "balancer/daemon/descriptors.h"

#include <sys/resource.h>

/* A connection of libvirt's client is a socket and an eventfd, over ssh a pipe more; while a host's
 * domains move, the migrator has connections of its own. The default of most systems, 1,024 open
 * files, ends at 500 hosts, and what fails then is any of them. It is that low for the sake of
 * programs that call select(), which neither we nor our libraries do. */
enum { OF_A_HOST = 4, OF_THE_DAEMON = 256 };

bool ek_descriptors_allow(size_t hosts, struct ek_error *err)
{
    rlim_t needed = (rlim_t)hosts * OF_A_HOST + OF_THE_DAEMON;
    struct rlimit limit = {0};

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) {
        return true;
    }
    limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= needed) {
        return true;
    }
    return ek_error_set(err, EK_ERR_UNAVAILABLE,
                        "found a hard limit of %llu open files, expected %llu for %zu hosts: raise "
                        "it (ulimit -Hn, or LimitNOFILE= of a unit), else hosts may not be reached",
                        (unsigned long long)limit.rlim_max, (unsigned long long)needed, hosts);
}
