/* gateway/cli/login.h: signing in to Perses: by name and password, or by a provider's device code
 * (RFC 8628), where Perses has one that offers it. */
#ifndef GATEWAY_CLI_LOGIN_H
#define GATEWAY_CLI_LOGIN_H

#include "gateway/cli/client.h"
#include "gateway/cli/out.h"
#include "gateway/cli/talk.h"

/* user NULL: asked for. from_stdin: the password is stdin's first line. */
enum exit_code login_native(struct client *c, struct out *out, const char *user, bool from_stdin);
/* provider: oidc/ID or oauth/ID, as Perses's configuration names it. */
enum exit_code login_device(struct client *c, struct out *out, const char *provider);

#endif
