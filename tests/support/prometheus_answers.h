/* tests/support/prometheus_answers.h: what a scripted Prometheus is asked for and answers. */
#ifndef TESTS_SUPPORT_PROMETHEUS_ANSWERS_H
#define TESTS_SUPPORT_PROMETHEUS_ANSWERS_H

#define QUERY_RANGE "/proxy/globaldatasources/prom/api/v1/query_range"
#define QUERY "/proxy/globaldatasources/prom/api/v1/query"
#define OK_MATRIX(rows)                                                                            \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[" rows "]}}"
#define OK_VECTOR(rows)                                                                            \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" rows "]}}"
#define COUNTED(n) OK_MATRIX("{\"metric\":{\"i\":\"0\"},\"values\":[[1,\"" n "\"]]}")
#define COUNT                                                                                      \
    {                                                                                              \
        .path = QUERY_RANGE, .status = 200, .body = STR(COUNTED("3")), .in_query = "label_replace" \
    }

#endif
