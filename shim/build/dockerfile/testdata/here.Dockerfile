FROM debian
ARG NAME=world
RUN <<EOF
echo one $NAME
echo two
EOF
RUN <<-INDENT
	tabs go
INDENT
RUN <<EOF
#!/usr/bin/python3
print("$NAME")
EOF
RUN cat <<A > /a && cat <<B > /b
first
A
second
B
COPY <<EOF /etc/greeting
hello $NAME
EOF
COPY <<"EOF" <<two.txt /etc/dir/
not $NAME
EOF
second $NAME
two.txt
RUN echo after
