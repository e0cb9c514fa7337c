FROM debian
ARG WHERE=/cache
WORKDIR /source
RUN --mount=type=cache,id=apt,target=$WHERE,sharing=locked,uid=7,mode=0700 \
    --mount=type=tmpfs,target=tmp,size=1m \
    --mount=type=secret,id=token \
    --mount=type=secret,id=key,target=/root/key,required=true,mode=0400 \
    --mount=type=secret,id=password,env=PASSWORD \
    --mount=target=/context \
    --mount=type=bind,source=sub,target=/sub,rw \
    --network=host build
