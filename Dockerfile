# The service in a container: numeric user without rights, one writable folder, no pip, no compiler.
#
#   docker build -t foot-drop-cds .
#
# A container has to listen on 0.0.0.0, so the service starts only with registered clients (CDS_CLIENTS_FILE, docs/clients.md), or
# with CDS_ALLOW_OPEN=true: then anybody who can reach the port may call, and it is published on loopback only, as here.
#
#   docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges \
#     -p 127.0.0.1:8080:8080 -v foot-drop-data:/data -e CDS_ALLOW_OPEN=true foot-drop-cds
#
# A folder mounted on /data instead of a volume has to belong to 10001:10001. The knowledge is the draft in cards/; it is
# not clinically approved.

FROM python:3.13-slim-bookworm AS build
WORKDIR /src
# The image's own pip installs into an environment that has none.
RUN python -m venv --without-pip /opt/foot-drop-cds
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/run.txt requirements/run.txt
RUN pip --python /opt/foot-drop-cds/bin/python install --require-hashes --only-binary :all: -r requirements/run.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY cards cards
COPY cds_service cds_service
COPY fhir_examples/patients fhir_examples/patients
RUN pip --python /opt/foot-drop-cds/bin/python install --no-deps --no-build-isolation .

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="foot-drop-cds" \
      org.opencontainers.image.description="A CDS Hooks service for foot drop. Draft knowledge, not clinically approved." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN mkdir -m 0700 /data && chown 10001:10001 /data
COPY --from=build /opt/foot-drop-cds /opt/foot-drop-cds
COPY LICENSE NOTICE /usr/share/doc/foot-drop-cds/
# The three MALLOC settings keep glibc from returning and asking again for the memory of large records.
ENV PATH=/opt/foot-drop-cds/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_MMAP_THRESHOLD_=1073741824 \
    MALLOC_TRIM_THRESHOLD_=1073741824 \
    MALLOC_TOP_PAD_=16777216 \
    CDS_HOST=0.0.0.0 \
    CDS_PORT=8080 \
    CDS_DATABASE_URL=sqlite:////data/ledger.sqlite3
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
# The empty ProxyHandler: a proxy in the environment is for calls to EHRs, not for this one. Over HTTPS the name is not checked: it is this container.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python", "-c", "import os, ssl, urllib.request as r; s = 's' * bool(os.environ.get('CDS_TLS_CERT')); r.build_opener(r.ProxyHandler({}), r.HTTPSHandler(context=ssl._create_unverified_context())).open('http' + s + '://127.0.0.1:' + os.environ['CDS_PORT'] + '/health/live', timeout=3)"]
ENTRYPOINT ["cds-service"]
CMD ["serve"]
