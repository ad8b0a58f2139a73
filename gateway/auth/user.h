/* gateway/auth/user.h: who a person is: what Perses's whoami answers, and the owner of what they
 * keep.
 *
 * A name can be given again once its account is deleted. The time at which the account was made is
 * another then, and stays as it is while Perses starts again, a password or a profile is changed,
 * and provisioning is applied again (seen; pkg/model/api/v1/metadata.go of Perses 0.54). So an
 * owner is both: NAME:CREATED, in Unix milliseconds, of which no two accounts of one name share one
 * (a request deletes the first, and the second's password is hashed). Where Perses keeps no account
 * (people of Kubernetes) it says the year 1, and CREATED is 0: the name is all that is known. No
 * name of a Perses account has a colon; one of Kubernetes may, and so CREATED is behind the last.
 */
#ifndef GATEWAY_AUTH_USER_H
#define GATEWAY_AUTH_USER_H

#include <stdint.h>
#include "common/buf.h"

/* A service account of Kubernetes has a namespace of 63 and a name of 253 bytes. */
enum { USER_MAX_BYTES = 400 };
/* With PERSAI_AUTH=false everybody is this owner, who is nobody of Perses: without a colon. */
#define USER_LOCAL "local"

struct user {
    char owner[USER_MAX_BYTES];
    size_t name_bytes;  /* the name that owner begins with */
    int64_t created_ms; /* 0: Perses does not say */
};
/* Of whoami's answer. False: it says no name, or not when the account was made. */
bool user_read(struct str whoami, struct user *out);
/* NAME and CREATED of an owner. False: it is none of a Perses user's. */
bool user_split(struct str owner, struct str *name, int64_t *created_ms);

#endif
