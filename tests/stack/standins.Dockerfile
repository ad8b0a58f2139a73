# Where no image can be pulled: stand-ins under the official names, from Debian's packages and from the Perses server
# that compose/perses/build makes. What a container sees is as in the official images: users, paths, entry points.
FROM debian:bookworm-slim AS apt
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d && apt-get update

FROM apt AS redis
RUN groupadd -g 999 redis && useradd -u 999 -g 999 redis \
    && apt-get install -y --no-install-recommends redis-server && install -d -o 999 -g 999 /data
WORKDIR /data
CMD ["redis-server"]

FROM apt AS haproxy
RUN apt-get install -y --no-install-recommends haproxy && usermod -u 99 haproxy && groupmod -g 99 haproxy
CMD ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]

FROM apt AS prometheus
RUN apt-get install -y --no-install-recommends prometheus && install -d -o 65534 -g 65534 /prometheus
WORKDIR /prometheus
ENTRYPOINT ["prometheus"]

FROM apt AS node-exporter
RUN apt-get install -y --no-install-recommends prometheus-node-exporter
ENTRYPOINT ["prometheus-node-exporter"]

FROM scratch AS perses
COPY --chown=65532:65532 . /
USER 65532:65532
WORKDIR /perses
ENTRYPOINT ["/bin/perses"]
