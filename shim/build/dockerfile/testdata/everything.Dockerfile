#arg VERSION=2
#arg UNUSED=x
#arg http_proxy=http://proxy:1
#label from=outside
ARG BASE=debian
FROM $BASE:${VERSION:-1} AS everything
MAINTAINER Somebody <s@example.org>
ARG VERSION
ARG PLAIN=default OTHER
ENV GREETING="hello $VERSION" DIR=/srv
ENV OLD style value
LABEL version="$VERSION" "a b"=c
WORKDIR $DIR
WORKDIR app
USER app:staff
WORKDIR data
EXPOSE 80 53/UDP 8000-8010/tcp
VOLUME /data /more
VOLUME ["/a b", "$DIR/x"]
STOPSIGNAL SIGQUIT
SHELL ["/bin/bash", "-ec"]
RUN echo "$GREETING" $PLAIN \
    && true
RUN ["/bin/true", "a b"]
SHELL ["/bin/sh", "-c"]
HEALTHCHECK --interval=5s --start-interval=1s --retries=2 CMD curl localhost
ONBUILD RUN echo later
ENTRYPOINT ["/init"]
CMD run --fast
