/* What the service manager is told of the daemon's life (Type=notify): ready, reloading, stopping,
 * one line on how it is, and that its loop still turns. Where nobody is to be told, nothing is
 * done. From the loop's thread. */
#ifndef EK_DAEMON_SERVICE_H
#define EK_DAEMON_SERVICE_H

struct ek_daemon;

/* It serves: the roles run, and the balancer's first word is in Redis, or it is known why not
 * (another one leads, Redis is away). Also the end of a reload. Said once, however often it is
 * called. */
void ek_service_ready(struct ek_daemon *daemon);

/* Files are read again; ends with ek_service_ready, of this process image or of the next one. */
void ek_service_reloading(struct ek_daemon *daemon);

void ek_service_stopping(struct ek_daemon *daemon);

/* The status line if it has changed, and a sign of life if one is due; about once a second. */
void ek_service_tell(struct ek_daemon *daemon);

#endif
