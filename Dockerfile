# Offline, non-root image: everything is fetched while building, nothing while running.
#   docker build -t causalguard .
#   docker run --rm --network none -v "$PWD:/data:ro" causalguard guard-scan --model default /data/page.html
# guard-serve, too, is inside: docs/serve.md.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN python -m venv /opt/causalguard \
 && /opt/causalguard/bin/pip install --no-cache-dir "$(grep '^torch==' constraints.txt)" \
 && /opt/causalguard/bin/pip install --no-cache-dir -c constraints.txt ".[langchain,serve,otel]"
ENV CAUSALGUARD_HOME=/opt/causalguard/home
RUN /opt/causalguard/bin/causalguard base install

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 guard
COPY --from=build /opt/causalguard /opt/causalguard
ENV PATH=/opt/causalguard/bin:$PATH \
    CAUSALGUARD_HOME=/opt/causalguard/home \
    HF_HUB_OFFLINE=1 \
    TRANSFORMERS_OFFLINE=1 \
    TOKENIZERS_PARALLELISM=false \
    PYTHONDONTWRITEBYTECODE=1
USER guard
WORKDIR /home/guard
ENTRYPOINT []
CMD ["causalguard", "doctor"]
