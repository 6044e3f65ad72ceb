# One image for every worker and for the command line: `tidecast ARGUMENTS`.
FROM python:3.13.7-slim

ENV PYTHONUNBUFFERED=1 PYTHONHASHSEED=0 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/tidecast

# the dependencies first: they change less often than the code
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
      > needed.txt \
    && pip install --constraint requirements.lock setuptools --requirement needed.txt

COPY schemas schemas
COPY streams streams
COPY sinks sinks
COPY agents agents
COPY load load
RUN pip install --no-deps --no-build-isolation --editable . \
    && apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && pip install --constraint requirements.lock cython && tidecast compile \
    && pip uninstall --yes cython && apt-get purge --yes --auto-remove gcc libc6-dev && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home tidecast \
    && install -d -o tidecast /var/lib/tidecast /var/lib/tidecast/models

# the data folder: WORKDIR belongs to root
ENV TIDECAST_DATA=/var/lib/tidecast
USER tidecast
EXPOSE 9464
ENTRYPOINT ["tidecast"]
CMD ["--help"]
