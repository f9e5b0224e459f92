# The stitcher alone, without training: docs/stitching/programs.md says how to build and run it.
FROM python:3.12-slim AS build
COPY . /source
RUN python -m venv /opt/parastitch \
    && /opt/parastitch/bin/pip install --no-cache-dir --disable-pip-version-check \
        --constraint /source/constraints.txt /source

FROM python:3.12-slim
COPY --from=build /opt/parastitch /opt/parastitch
RUN useradd --uid 1000 --create-home parastitch
USER 1000
WORKDIR /pictures
ENTRYPOINT ["/opt/parastitch/bin/parastitch"]
CMD ["--help"]
