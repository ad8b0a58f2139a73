/* gateway/feedback_export.h: --export-feedback: what people said of answers, as questions for
 * tests/eval: a JSON list of {id, question, search, accepted, half} with what was said of it.
 *
 * The queries of an answer that was found good are references; those of a bad one are listed as
 * rejected, and somebody who knows better writes the reference. */
#ifndef GATEWAY_FEEDBACK_EXPORT_H
#define GATEWAY_FEEDBACK_EXPORT_H

struct gateway;

/* With loop, redis and store made. To stdout; the process's exit code: 0 when it is whole. */
int feedback_export_run(struct gateway *g);

#endif
