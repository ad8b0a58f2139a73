"""Which exporter serves a metric, and its labels: tables by the beginnings of names, as the real exporters have them."""

import itertools
import re
from functools import cache
from zlib import crc32


class LabelSet(dict[str, str]):
    """Labels of one series. one_of: whether its state is the one of its object."""
    one_of: float | None = None


# job: names that it serves.
JOBS = {
    "node": r"node_|go_|process_(?!cpu_usage|files|uptime)",
    "kube-state-metrics": r"kube_",
    "kubelet": r"kubelet_|container_|machine_|storage_operation_",
    "apiserver": r"apiserver_|workqueue_|rest_client_|etcd_request_",
    "etcd": r"etcd_(?!request_)|grpc_",
    "kube-scheduler": r"scheduler_", "kube-proxy": r"kubeproxy_", "coredns": r"coredns_",
    "prometheus": r"prometheus_|promhttp_|net_|go_|process_(?!cpu_usage|files|uptime)",
    "alertmanager": r"alertmanager_|go_|process_(?!cpu_usage|files|uptime)",
    "postgres": r"pg_", "mysql": r"mysql_", "redis": r"redis_", "kafka": r"kafka_", "rabbitmq": r"rabbitmq_",
    "elasticsearch": r"elasticsearch_", "minio": r"minio_", "nginx": r"nginx_(?!ingress)", "nginx-ingress": r"nginx_ingress",
    "nginx-plus": r"nginxplus_", "haproxy": r"haproxy_", "traefik": r"traefik_", "envoy": r"envoy_", "istio": r"istio_",
    "shop": r"jvm_|hikaricp_|tomcat_|http_|executor_|logback_|spring_|tasks_|system_|disk_|application_"
            r"|process_(cpu_usage|files|uptime)",
    "blackbox": r"probe_", "gpu": r"DCGM_", "loki": r"loki_", "promtail": r"promtail_", "argocd": r"argocd_",
    "velero": r"velero_", "cert-manager": r"certmanager_", "windows": r"windows_",
}
INSTANCES = {
    "node": ["web-1:9100", "db-1:9100"],
    "blackbox": ["https://shop.example/", "https://api.shop.example/health", "https://docs.shop.example/"],
}


def each(label: str, values: str) -> list[dict[str, str]]:
    return [{label: value} for value in values.split()]


def rows(labels: str, *values: str) -> list[dict[str, str]]:
    return [dict(zip(labels.split(), row.split(), strict=True)) for row in values]


PODS = rows(
    "namespace pod", "shop cart-5f6d8c9b7-x2k4p", "shop cart-5f6d8c9b7-h7wqz", "shop checkout-7c8b6d5f4-m9rtl",
    "shop frontend-6b5c7d8f9-q4n2v", "shop postgres-0", "monitoring grafana-84d7c6b5f-z8xkd",
    "kube-system coredns-5d78c9869d-t6mhj")
CONTAINERS = [{**pod, "container": re.split(r"-[0-9a-f]{5,}|-\d", pod["pod"])[0]} for pod in PODS] + rows(
    "namespace pod container", "shop frontend-6b5c7d8f9-q4n2v istio-proxy")
DEPLOYMENTS = "cart checkout frontend payments search"
TABLES = rows("datname schemaname relname", "shop public orders", "shop public customers", "shop public carts",
              "shop audit events")
DIMS: dict[str, list[dict[str, str]]] = {
    # machines
    "cpu": each("cpu", "0 1 2 3"), "mode": each("mode", "idle user system iowait irq softirq steal nice"),
    "guest": each("mode", "user nice"), "disk": each("device", "nvme0n1 sda"), "nic": each("device", "eth0 eth1 lo"),
    "mount": rows("device fstype mountpoint", "/dev/nvme0n1p2 ext4 /", "/dev/sda1 xfs /var/lib/data", "tmpfs tmpfs /run"),
    "collector": each("collector", "cpu diskstats filesystem meminfo netdev"),
    "uname": rows("sysname release machine", "Linux 6.12.9-amd64 x86_64"),
    # Kubernetes
    "pod": PODS, "container": CONTAINERS, "initcontainer": rows("namespace pod container", "shop postgres-0 migrate"),
    "podphase": each("phase", "Running Pending Succeeded Failed Unknown"),
    "podreason": each("reason", "None Evicted NodeAffinity NodeLost Shutdown UnexpectedAdmissionError"),
    "waiting": [{**CONTAINERS[1], "reason": "CrashLoopBackOff"}, {**CONTAINERS[2], "reason": "CrashLoopBackOff"},
                {**CONTAINERS[5], "reason": "ImagePullBackOff"}],
    "terminated": [{**CONTAINERS[0], "reason": "OOMKilled"}, {**CONTAINERS[2], "reason": "Error"},
                   {**CONTAINERS[7], "reason": "OOMKilled"}, {**CONTAINERS[4], "reason": "Completed"}],
    "resource": rows("resource unit", "cpu core", "memory byte"), "true": each("condition", "true false unknown"),
    "false": each("condition", "false true unknown"),
    "qos": each("qos_class", "Burstable Guaranteed BestEffort"),
    "deployment": [{"namespace": "shop", **d} for d in each("deployment", DEPLOYMENTS)],
    "replicaset": [{"namespace": "shop", "replicaset": f"{d}-5f6d8c9b7"} for d in DEPLOYMENTS.split()],
    "statefulset": rows("namespace statefulset", "shop postgres", "shop kafka"),
    "daemonset": rows("namespace daemonset", "kube-system kube-proxy", "monitoring node-exporter", "monitoring promtail"),
    "job": rows("namespace job_name", "shop backup-29418", "shop migrate-12", "shop report-29417"),
    "cronjob": rows("namespace cronjob", "shop backup", "shop report", "monitoring cleanup"),
    "horizontalpodautoscaler": [{"namespace": "shop", **h} for h in each("horizontalpodautoscaler", "cart checkout frontend")],
    "node": each("node", "node-a node-b node-c"), "namespace": each("namespace", "shop monitoring kube-system"),
    "nodecondition": each("condition", "Ready MemoryPressure DiskPressure PIDPressure"),
    "status": each("status", "true false unknown"),
    "deploymentcondition": each("condition", "Available Progressing"),
    "noderesource": rows("resource unit", "cpu core", "memory byte", "pods integer"),
    "persistentvolume": each("persistentvolume", "pv-01 pv-02 pv-03"),
    "pvphase": each("phase", "Bound Available Released Failed"),
    "persistentvolumeclaim": rows("namespace persistentvolumeclaim", "shop data-postgres-0", "shop data-kafka-0",
                                  "monitoring prometheus-data", "monitoring grafana"),
    "pvcphase": each("phase", "Bound Pending Lost"), "nsphase": each("phase", "Active Terminating"),
    "interface": each("interface", "eth0"), "fs": each("device", "/dev/nvme0n1p2"),
    "failure": each("failure_type", "pgfault pgmajfault"), "task": each("state", "running sleeping stopped uninterruptible"),
    "operation": each("operation_type", "create_container list_pods start_container"),
    "eviction": each("eviction_signal", "memory.available nodefs.available"),
    "verb": rows("verb resource", "GET pods", "LIST pods", "WATCH nodes", "POST leases"),
    "code": each("code", "200 404 500"), "inflight": each("request_kind", "mutating readOnly"),
    "object": each("resource", "pods secrets configmaps"), "queue": each("name", "deployment endpoint job"),
    "host": rows("host method", "10.0.0.1:6443 GET", "10.0.0.1:6443 PUT"),
    "etcdoperation": rows("operation type", "get pods", "list pods", "update leases"),
    "peer": each("To", "91bc3c398fb3c146 fd422379fda50e48"),
    "grpc": rows("grpc_service grpc_method grpc_type", "etcdserverpb.KV Range unary", "etcdserverpb.KV Txn unary"),
    "grpccode": each("grpc_code", "OK Unavailable"),
    "scheduled": rows("profile result", "default-scheduler scheduled", "default-scheduler error"),
    "pending": each("queue", "active backoff unschedulable"),
    "zone": rows("server zone", "dns://:53 cluster.local", "dns://:53 ."),
    "dnscache": rows("server type", "dns://:53 success", "dns://:53 denial"),
    "rcode": each("rcode", "NOERROR NXDOMAIN SERVFAIL"),
    "dnsto": each("to", "10.0.0.2:53 10.0.0.3:53"),
    # databases and queues
    "db": rows("datid datname", "16384 shop", "16385 audit", "5 postgres"), "datname": each("datname", "shop audit postgres"),
    "lock": each("mode", "accesssharelock rowexclusivelock exclusivelock"), "table": TABLES,
    "index": [{**t, "indexrelname": t["relname"] + "_pkey"} for t in TABLES],
    "pgstate": each("state", "active idle idleintransaction"),
    "slot": rows("slot_name slot_type", "standby physical", "cdc logical"),
    "query": rows("user datname queryid", "app shop 81634", "app shop 29175", "report audit 55020"),
    "standby": rows("application_name state", "standby-1 streaming"), "role": each("rolname", "app report postgres"),
    "cmd": each("cmd", "get set hgetall expire"), "redisdb": each("db", "db0 db1"),
    "rediskey": rows("db key", "db0 orders", "db0 carts"),
    "group": each("group", "mailer billing"), "consumer": each("consumer", "a b"),
    "redisconfig": each("key", "maxclients timeout"),
    "slave": rows("slave_ip slave_port slave_state", "10.0.3.8 6379 online", "10.0.3.9 6379 online"),
    "sentinel": rows("master_name master_address", "main 10.0.3.7:6379"), "rediserror": each("err", "ERR WRONGTYPE OOM"),
    "redisindex": each("index_name", "products"), "quantile": each("quantile", "50 99 99.9"),
    "topic": each("topic", "orders payments mail"), "partition": each("partition", "0 1 2"),
    "consumergroup": each("consumergroup", "billing mailer"),
    "rabbitqueue": rows("vhost queue", "/ mail", "/ invoices", "/ exports"),
    "mysqlcommand": each("command", "select insert update delete"), "mysqlhandler": each("handler", "read_key read_next write"),
    "mysqlstate": each("state", "data free misc"), "mysqloperation": each("operation", "read inserted updated deleted"),
    "mysqlerror": each("error", "accept internal max_connections"), "mysqluser": each("user", "app report"),
    "client": each("client", "10.0.4.5 10.0.4.6"), "mysqltable": rows("schema table", "shop orders", "shop customers"),
    "digest": rows("schema digest digest_text", "shop 6f3a SELECT_orders", "shop 91bd UPDATE_carts"),
    "event": each("event_name", "wait/io/file/innodb/innodb_data_file wait/io/file/sql/binlog"),
    "mysqlread": each("mode", "read write"), "color": each("color", "green yellow red"), "cluster": each("cluster", "logs"),
    # the web
    "ingress": rows("host ingress namespace", "shop.example shop shop", "api.shop.example api shop"),
    "httpstatus": each("status", "200 404 503"),
    "upstream": rows("upstream server", "cart 10.0.1.4:8080", "cart 10.0.1.5:8080"),
    "upstreamname": each("upstream", "cart frontend"), "serverzone": each("server_zone", "shop docs"),
    "location": each("location_zone", "static api"), "classes": each("code", "1xx 2xx 3xx 4xx 5xx"),
    "cache": each("cache", "static"),
    "limit": each("zone", "login"), "resolver": each("resolver", "dns"), "worker": rows("id pid", "0 71", "1 72"),
    "proxy": each("proxy", "web api admin"), "server": rows("proxy server", "web web-1", "web web-2", "api api-1"),
    "entrypoint": each("entrypoint", "web websecure"), "service": each("service", "cart@docker frontend@docker"),
    "webcode": rows("code method", "200 GET", "404 GET", "502 POST"), "envoy": each("envoy_cluster_name", "cart checkout"),
    "mesh": rows("source_workload destination_workload response_code", "frontend cart 200", "frontend cart 503",
                 "cart checkout 200"),
    # the JVM
    "pool": rows("area id", "heap G1_Eden_Space", "heap G1_Old_Gen", "heap G1_Survivor_Space", "nonheap Metaspace",
                 "nonheap CodeCache"), "area": each("area", "heap nonheap"),
    "jvmpool": each("pool", "G1-Eden-Space G1-Old-Gen Metaspace"),
    "gc": rows("action cause gc", "end-of-minor-GC Allocation G1-Young",
                                                                              "end-of-major-GC Ergonomics G1-Old"),
    "collectors": each("gc", "G1-Young-Generation G1-Old-Generation"), "buffer": each("id", "direct mapped"),
    "threadstate": each("state", "runnable blocked waiting timed-waiting"), "hikari": each("pool", "orders reports"),
    "uri": rows("method uri status", "GET /cart 200", "POST /orders 201", "POST /orders 503", "GET /search 500",
                "GET /search 200"),
    "executor": each("name", "applicationTaskExecutor"), "level": each("level", "info warn error"),
    "tomcat": each("name", "http-nio-8080"), "method": rows("method code", "get 200", "get 500", "post 200"),
    # watching
    "httpphase": each("phase", "connect processing resolve tls transfer"), "gpu": rows(
        "gpu modelName Hostname", "0 NVIDIA-A100 gpu-1", "1 NVIDIA-A100 gpu-1"),
        "alertstate": each("state", "active suppressed unprocessed"),
    "integration": each("integration", "email slack pagerduty"), "handler": rows("handler code", "/api/v1/query 200",
                                                                               "/api/v1/query_range 200", "/metrics 200"),
    "handlername": each("handler", "/api/v1/query /api/v1/query_range /metrics"),
    "slice": each("slice", "inner_eval queue_time"),
    "rulegroup": each("rule_group", "shop.yml;slo"), "app": rows("name sync_status health_status", "shop Synced Healthy",
                                                               "search OutOfSync Degraded"),
    "certificate": rows("namespace name", "shop shop-tls", "monitoring grafana-tls"),
    "velero": each("schedule", "daily weekly"),
    "dialer": each("dialer_name", "node blackbox"), "winmode": each("mode", "idle user privileged"), "path": each("path", "/"),
}
# Names, and the dimensions whose product its series are; of one behind a ! one value is so. The first that fits.
RULES = [
    (r"node_cpu_seconds", "cpu mode"), (r"node_cpu_guest", "cpu guest"), (r"node_softnet", "cpu"), (r"node_disk", "disk"),
    (r"node_filesystem", "mount"), (r"node_network|node_arp", "nic"), (r"node_scrape_coll", "collector"),
    (r"node_uname", "uname"),
    (r"kube_pod_status_phase", "pod !podphase"), (r"kube_pod_status_reason", "pod !podreason"),
    (r"kube_pod_status_(ready|scheduled)$", "pod !true"), (r"kube_pod_status_qos", "pod !qos"),
    (r"kube_pod_container_status_waiting_reason", "waiting"),
    (r"kube_pod_container_status_(last_)?terminated_(reason|exit|timestamp)", "terminated"),
    (r"kube_pod_container_resource", "container resource"), (r"kube_pod_container", "container"),
    (r"kube_pod_init_container", "initcontainer"), (r"kube_pod_", "pod"),
    (r"kube_node_status_condition", "node nodecondition !status"), (r"kube_node_status_(cap|alloc)", "node noderesource"),
    (r"kube_deployment_status_condition", "deployment deploymentcondition !status"), (r"kube_job_complete", "job !true"),
    (r"kube_job_failed", "job !false"),
    (r"kube_persistentvolume_status_phase", "persistentvolume !pvphase"),
    (r"kube_persistentvolumeclaim_status_phase", "persistentvolumeclaim !pvcphase"),
    (r"kube_namespace_status_phase", "namespace !nsphase"),
    (r"container_network", "pod interface"), (r"container_fs|container_blkio", "container fs"),
    (r"container_memory_failures", "container failure"), (r"container_tasks", "container task"),
    (r"container_", "container"), (r"kubelet_volume", "persistentvolumeclaim"),
    (r"kubelet_evictions", "eviction"), (r"kubelet_runtime", "operation"), (r"apiserver_current", "inflight"),
    (r"apiserver_request_total", "verb code"), (r"apiserver_re", "verb"), (r"apiserver_storage", "object"),
    (r"workqueue", "queue"),
    (r"rest_client_requests", "host code"), (r"rest_client", "host"), (r"etcd_request", "etcdoperation"),
    (r"etcd_network_peer", "peer"),
    (r"grpc_\w+_handled", "grpc grpccode"), (r"grpc_", "grpc"), (r"scheduler_pending", "pending"), (r"scheduler_", "scheduled"),
    (r"coredns_cache", "dnscache"), (r"coredns_dns_responses", "zone rcode"), (r"coredns_dns", "zone"),
    (r"coredns_forward", "dnsto"),
    (r"pg_locks", "datname lock"), (r"pg_stat_activity_(count|max)", "datname pgstate"), (r"pg_stat_database_", "db"),
    (r"pg_database", "datname"), (r"pg_statio_user_indexes", "index"), (r"pg_stat(io)?_user_tables|pg_stat_progress", "table"),
    (r"pg_stat_statements", "query"), (r"pg_replication_slots", "slot"), (r"pg_stat_replication", "standby"),
    (r"pg_roles", "role"),
    (r"pg_scrape_coll", "collector"),
    (r"redis_db_", "redisdb"), (r"redis_commands_lat", "cmd quantile"), (r"redis_commands_(dur|fail|rej|total)", "cmd"),
    (r"redis_key_|redis_keys_count|redis_stream_(?!group)", "rediskey"),
    (r"redis_stream_group_consumer_", "rediskey group consumer"),
    (r"redis_stream_group_", "rediskey group"), (r"redis_config", "redisconfig"), (r"redis_connected_slave_", "slave"),
    (r"redis_sentinel_master_", "sentinel"), (r"redis_errors_total", "rediserror"), (r"redis_search_index_", "redisindex"),
    (r"kafka_consumergroup_members", "consumergroup"), (r"kafka_consumergroup_lag_sum", "consumergroup topic"),
    (r"kafka_consumergroup", "consumergroup topic partition"), (r"kafka_topic_partitions", "topic"),
    (r"kafka_topic", "topic partition"),
    (r"rabbitmq_queue", "rabbitqueue"), (r"mysql_\w*commands_total$", "mysqlcommand"),
    (r"mysql_global_status_handlers", "mysqlhandler"),
    (r"mysql_global_status_buffer_pool_pages", "mysqlstate"), (r"mysql_global_status_innodb_row_ops", "mysqloperation"),
    (r"mysql_global_status_connection_errors", "mysqlerror"), (r"mysql_\w*user_stat|mysql_mysql|mysql_sys", "mysqluser"),
    (r"mysql_\w*client_stat", "client"), (r"mysql_\w*(table_|schema_stat|auto_increment|index_io|tablespace)", "mysqltable"),
    (r"mysql_perf_schema_events_statements_(?!sum)", "digest"), (r"mysql_perf_schema_(events_waits|file|memory)", "event"),
    (r"mysql_perf_schema_\w*lock_waits", "mysqltable mysqlread"), (r"mysql_exporter", "collector"),
    (r"elasticsearch_cluster_health_status", "cluster !color"), (r"elasticsearch", "cluster"),
    (r"nginx_ingress_controller_(request|response)", "ingress httpstatus"), (r"nginx_ingress_controller_ssl", "ingress"),
    (r"nginxplus_(stream_)?upstream_(server|peer)\w*responses", "upstream classes"),
    (r"nginxplus_(stream_)?upstream_server", "upstream"),
    (r"nginxplus_(stream_)?upstream", "upstreamname"), (r"nginxplus_server_zone_responses", "serverzone classes"),
    (r"nginxplus_(stream_)?server_zone", "serverzone"), (r"nginxplus_location_zone_responses", "location classes"),
    (r"nginxplus_location", "location"), (r"nginxplus_cache", "cache"), (r"nginxplus_(stream_)?limit", "limit"),
    (r"nginxplus_resolver", "resolver"), (r"nginxplus_worker", "worker"),
    (r"haproxy_backend_http", "proxy classes"), (r"haproxy_(back|front)end", "proxy"), (r"haproxy_server", "server"),
    (r"traefik_entry", "entrypoint webcode"), (r"traefik_service", "service webcode"), (r"envoy_", "envoy"),
    (r"istio_", "mesh"),
    (r"jvm_memory_pool", "jvmpool"), (r"jvm_memory_bytes", "area"), (r"jvm_memory_(used|max|committed|init)", "pool"),
    (r"jvm_gc_pause", "gc"), (r"jvm_gc_coll", "collectors"), (r"jvm_buffer", "buffer"), (r"jvm_threads_state", "threadstate"),
    (r"hikaricp", "hikari"), (r"http_(server|client)_requests", "uri"), (r"http_requests_total", "method"),
    (r"executor", "executor"),
    (r"logback_events", "level"), (r"tomcat", "tomcat"), (r"disk_", "path"), (r"probe_http_duration", "httpphase"),
    (r"DCGM", "gpu"),
    (r"alertmanager_(alerts$|marked)", "alertstate"), (r"alertmanager_notification", "integration"),
    (r"(prometheus|promhttp)_\w*http_requests", "handler"), (r"(prometheus|alertmanager)_http", "handlername"),
    (r"promhttp_metric_handler_requests_total", "code"), (r"prometheus_engine_query_duration", "slice"),
    (r"prometheus_rule_", "rulegroup"),
    (r"argocd_app", "app"), (r"certmanager", "certificate"), (r"velero", "velero"), (r"net_conntrack_dialer", "dialer"),
    (r"windows_cpu", "winmode"),
]
KUBE_NAMESPACED = re.compile(
    r"configmap|cron|endpoint|ingress$|lease|limitrange|networkpol|poddis|replicationc|resourceq|role$"
    r"|rolebinding|secret|service")


def dims_of(name: str) -> str:
    for begins, dims in RULES:
        if re.match(begins, name):
            return dims
    found = re.match(r"kube_([a-z]+)", name)
    return found[1] if found else ""


def dimension(name: str, of: str) -> list[dict[str, str]]:
    if of in DIMS:
        return DIMS[of]
    return [{**({"namespace": "shop"} if KUBE_NAMESPACED.match(of) else {}), of: f"{of}-{n}"} for n in "ab"]


@cache
def label_sets(name: str) -> tuple[LabelSet, ...]:
    """One for each series of it in an exporter."""
    dims = dims_of(name).split()
    plain = [dimension(name, dim) for dim in dims if dim[0] != "!"]
    states = [DIMS[dim[1:]] for dim in dims if dim[0] == "!"]
    made = []
    for at, parts in enumerate(itertools.product(*plain)):
        for number, state in enumerate(states[0] if states else [{}]):
            labels = LabelSet()
            for part in (*parts, state):
                labels.update(part)
            if name.endswith("build_info") or (name.endswith("_info") and not dims):
                drawn = crc32(name.encode())
                labels.update(version=f"{1 + drawn % 9}.{drawn // 9 % 30}.0", goversion="go1.24.4")
            if states:
                # most are as most are; each third is in a state of its own
                so = 0 if at % 3 != 1 else 1 + (at // 3) % (len(states[0]) - 1)
                so = abs(so - 1) if "Pressure" in labels.get("condition", "") else so
                labels.one_of = float(number == so)
            made.append(labels)
    return tuple(made)
