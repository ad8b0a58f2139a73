/* proto/ipc.h: the broker on one machine: its default endpoint, and who may reach an ipc endpoint.
 *
 * Whoever can connect to a broker without keys is given people's tokens, so an ipc endpoint lies in
 * a folder that nobody else may enter or change, and its socket is the owner's alone. */
#ifndef PROTO_IPC_H
#define PROTO_IPC_H

#include <stdbool.h>
#include "common/check.h"

enum { IPC_ENDPOINT_MAX = 256 };

/* endpoints where there are some; else ipc://FOLDER/broker, FOLDER being persai in XDG_RUNTIME_DIR
 * (XDG Base Directory Specification), else in /run/user/UID where that is, else /tmp/persai-UID.
 * Nothing is made. Valid until the process ends, or it is asked for anew. */
const char *ipc_or_default(const char *endpoints);

/* For who binds: makes the folder (mode 0700) where it is not, checks that it is ours and that
 * nobody else may write to it, and takes the endpoint for this process until it ends: ZeroMQ would
 * silently take the socket from another that is bound to it. False and a sentence otherwise. Other
 * transports are fine as they are. */
bool ipc_claim(const char *endpoint, char error[256]) warn_unused;

/* For who connects: a folder that is there must be ours or root's, and nobody else may write to it.
 */
bool ipc_trusted(const char *endpoint, char error[256]) warn_unused;

#endif
